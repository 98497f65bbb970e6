"""What is shown while a command works: `train`'s progress and `verify`'s comparisons."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..verify import Comparison

# Only what shows something live imports rich: that takes longer than a short run.

BETWEEN_LOOKS = 0.2  # seconds; drawing takes a hundredth of that
FASTER = 10  # how much faster the next steps may prove than the last ones


def say_what_is_cut(docs: Sequence[str], block_size: int) -> None:
    """Tell of documents that are longer than what a model of `block_size` learns from."""
    most, longest = block_size - 1, max(map(len, docs))
    if longest > most:
        n = sum(len(doc) > most for doc in docs)
        print(
            f"isograd: {n:,} of {len(docs):,} documents have more than {most:,} characters and are "
            f"cut; --block-size {longest + 1} holds the longest",
            file=sys.stderr,
        )


class Pace:
    """Says after which steps to look at a run: every BETWEEN_LOOKS seconds, whatever the model.

    The first look comes after a step, each of the next ones after at most FASTER times as many as
    the one before. The first step takes in all documents, so it does not say how long others take.
    """

    def __init__(self, step: int) -> None:
        self.last, self.next = step, step + 1
        self.time = perf_counter()

    def is_due(self, step: int) -> bool:
        """Whether to look after the step `step`."""
        if step < self.next:
            return False
        n, time = step - self.last, perf_counter()
        at_this_rate = BETWEEN_LOOKS / max(time - self.time, 1e-9) * n
        self.last, self.next = step, step + max(1, int(min(FASTER * n, at_this_rate)))
        self.time = time
        return True


class Progress:
    """What the original prints while it trains: step and loss, over and over on one line.

    `losses` are those so far, `validation` pairs of a step and the validation loss then; the run
    adds to both lists. A step with a validation loss has a line of its own.
    """

    def __init__(
        self,
        steps: int,
        losses: Sequence[float],
        validation: Sequence[tuple[int, float]] | None = None,
    ) -> None:
        self.steps = steps
        self.losses, self.validation = losses, () if validation is None else validation
        self.shown, self.judged = len(losses), len(self.validation)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self.show()

    def __str__(self) -> str:
        return f"step {len(self.losses) + 1} of {self.steps}"

    def show(self) -> None:
        """Show the steps that have been done since the last call."""
        while self.shown < len(self.losses):
            self.shown += 1  # first: what Ctrl-C interrupts is not shown twice
            loss = self.losses[self.shown - 1]
            line = f"step {self.shown:4d} / {self.steps:4d} | loss {loss:.4f}"
            judged = self.validation[self.judged : self.judged + 1]
            if judged and judged[0][0] == self.shown:
                self.judged += 1
                print(f"{line} | validation {judged[0][1]:.4f}")
            else:
                print(line, end="\r")


class LiveProgress(Progress):
    """A bar with the loss, its exponential moving average, steps a second and the time left.

    It is drawn when `show` is called, and at no other time: a thread that draws takes time from
    those that train. At the end comes a line that says how long it took.
    """

    def __init__(
        self,
        steps: int,
        losses: Sequence[float],
        validation: Sequence[tuple[int, float]] | None = None,
    ) -> None:
        super().__init__(steps, losses, validation)
        from rich import progress

        self.smoothed: float | None = None
        self.take_in(losses)
        self.bar = progress.Progress(
            progress.TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            progress.BarColumn(),
            progress.TextColumn("loss {task.fields[loss]:.4f}"),
            progress.TextColumn("smoothed {task.fields[smoothed]:.4f}"),
            *([progress.TextColumn("{task.fields[validation]}")] if validation is not None else []),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            auto_refresh=False,
        )
        self.task = self.bar.add_task(
            "train",
            total=steps,
            completed=self.shown,
            loss=0.0,
            smoothed=0.0,
            rate="",
            validation="",
        )

    def take_in(self, losses: Iterable[float]) -> None:
        from .history import moving_averages

        for average in moving_averages(losses, self.smoothed):
            self.smoothed = average

    def __enter__(self) -> Progress:
        self.before, self.start = self.shown, perf_counter()
        self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.show()
        self.bar.stop()
        n, seconds = self.shown - self.before, perf_counter() - self.start
        if n:
            print(f"{n} {'step' if n == 1 else 'steps'} in {duration(seconds)}, {rate(n, seconds)}")

    def show(self) -> None:
        end = len(self.losses)
        if end <= self.shown:  # less, where the run went back to its best step
            return
        self.take_in(islice(self.losses, self.shown, end))
        self.shown = end
        self.bar.update(
            self.task,
            completed=end,
            loss=self.losses[end - 1],
            smoothed=self.smoothed,
            validation=f"validation {self.validation[-1][1]:.4f}" if self.validation else "",
            rate=rate(end - self.before, perf_counter() - self.start),
            refresh=True,
        )


def rate(steps: int, seconds: float) -> str:
    """So many steps a second, in three figures or more."""
    each_second = steps / max(seconds, 1e-9)
    return f"{each_second:,.0f} steps/s" if each_second >= 100 else f"{each_second:.3g} steps/s"


def duration(seconds: float) -> str:
    """`seconds` as people say it: 0.123 s, 12.3 s, 4 min 5 s."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min {rest} s" if hours else f"{minutes} min {rest} s"


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
