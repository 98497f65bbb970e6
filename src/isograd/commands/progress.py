"""What is shown while a command works: `train`'s progress and `verify`'s comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..verify import Comparison

# Only what shows something live imports rich: that takes longer than a short run.


class Progress:
    """What the original prints while it trains: step and loss, over and over on one line."""

    def __init__(self, steps: int, losses: Sequence[float]) -> None:
        self.steps = steps
        self.done = len(losses)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __str__(self) -> str:
        return f"step {self.done + 1} of {self.steps}"

    def step(self, step: int, loss: float) -> None:
        self.done = step
        self.show(loss)

    def show(self, loss: float) -> None:
        print(f"step {self.done:4d} / {self.steps:4d} | loss {loss:.4f}", end="\r")


class LiveProgress(Progress):
    """A bar with the loss, its exponential moving average, steps a second and the time left."""

    def __init__(self, steps: int, losses: Sequence[float]) -> None:
        super().__init__(steps, losses)
        from rich import progress

        from .history import MovingAverage

        self.smoothed = MovingAverage()
        for loss in losses:
            self.smoothed.add(loss)
        self.bar = progress.Progress(
            progress.TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            progress.BarColumn(),
            progress.TextColumn("loss {task.fields[loss]:.4f}"),
            progress.TextColumn("smoothed {task.fields[smoothed]:.4f}"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
        )
        self.task = self.bar.add_task(
            "train", total=steps, completed=self.done, loss=0.0, smoothed=0.0, rate=""
        )

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.stop()

    def show(self, loss: float) -> None:
        speed = self.bar.tasks[self.task].speed
        self.bar.update(
            self.task,
            completed=self.done,
            loss=loss,
            smoothed=self.smoothed.add(loss),
            rate=f"{speed:.1f} steps/s" if speed else "",
        )


def show_plain(comparisons: Sequence[Comparison], configurations: Iterator[str]) -> None:
    """Print a line for each configuration, when its first step has been compared."""
    for name, _ in groupby(configurations):
        print(f"comparing: {name}", flush=True)


def show_live(comparisons: Sequence[Comparison], configurations: Iterator[str]) -> None:
    """Show a table on the terminal that changes with every step."""
    from rich.live import Live
    from rich.table import Table

    from ..verify import table

    with Live(auto_refresh=False) as live:
        for name in configurations:
            heading, *rows = table(comparisons)
            view = Table(*heading, caption=f"now: {name}")
            for row in rows:
                view.add_row(*row)
            live.update(view, refresh=True)
