"""What `isograd sweep` does: take part in a sweep, show it, write what was found."""

from __future__ import annotations

import csv
import os
import sys
from time import perf_counter
from typing import Any, Protocol

import click

from ..checkpoint import load_checkpoint
from ..checks import check_whole
from ..files import check_end, check_writable
from ..sweep.plan import Plan, read_plan
from ..sweep.sweeping import Done, Event, Lost, Sweep, Waiting
from ..sweep.table import Result, columns, row_of
from ..sweep.workers import LostWorker
from ..training import processors
from .endings import end, ending_unwritable, refusing_bad_input
from .progress import duration

SHOWN = 10  # rows of the table on the screen
SEEDS_SHOWN = 5  # at most, each in a column of its own


def make_sweep(
    space: str,
    *,
    data: str | None,
    workers: int | None,
    storage: str | None,
    csv: str | None,
    plot: str | None,
    best: str | None,
) -> None:
    """Take part in the sweep that the file `space` describes, to its end; see cli.py."""
    with refusing_bad_input(space):
        try:
            plan = read_plan(space, data)
        except OSError as error:
            with refusing_bad_input(error.filename):
                raise
        check_whole("workers", 1 if workers is None else workers, 1)
    check_outputs(plan, csv, plot, best)
    with refusing_bad_input(storage):
        sweep = Sweep(plan, workers or processors(), storage)
    ending: tuple[str, int] | None = None
    try:
        show: Show = LiveTable(sweep) if sys.stdout and sys.stdout.isatty() else Lines(sweep)
        try:
            with show:
                for event in sweep.events():
                    show.tell(event)
        except KeyboardInterrupt:
            ending = "interrupted", 130
        except LostWorker as error:
            ending = f"no worker is left: {error}", 1
        result = sweep.result()
    finally:
        sweep.close()
    print_summary(plan, result, show)
    write_outputs(result, csv, plot, best)
    if ending:
        sentence = f"{ending[0]} after {len(result)} of {plan.candidates.size} trials"
        end(f"{sentence}; the same command goes on there" if storage else sentence, ending[1])


def check_outputs(plan: Plan, table: str | None, plot: str | None, best: str | None) -> None:
    """Refuses files that cannot be written, or hold something to lose."""
    paths = [os.path.realpath(path) for path in (table, plot, best) if path]
    if len({*paths}) < len(paths):
        raise click.UsageError("--csv, --plot and --best must be different files")
    if table:
        with refusing_bad_input(table, "write"):
            check_writable(table)
            check_table(table, plan)
    if plot:
        from .history import check_plot

        with refusing_bad_input(plot, "write"):
            check_plot(plot)
    if best:
        with refusing_bad_input(best, "write"):
            check_writable(best)
            check_best(best)


def check_table(path: str, plan: Plan) -> None:
    """Raises ValueError if there is a file `path` that is no table of such a sweep."""
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            check_end(file)
            heading = next(csv.reader([file.readline()]), [])
        if heading and heading != columns(plan):
            raise ValueError(f"{path!r} exists and is no table of this sweep; name a new file")


def check_best(path: str) -> None:
    """Raises ValueError if there is a file `path` that no sweep has written."""
    if os.path.exists(path):
        try:
            found = load_checkpoint(path).options
        except ValueError:
            found = {}
        if not found.get("of_sweep"):
            raise ValueError(f"{path!r} exists and is not of a sweep; name a new file")


def write_outputs(result: Result, table: str | None, plot: str | None, best: str | None) -> None:
    """Write the files that were asked for, of the trials that are done."""
    if table:
        with ending_unwritable(table):
            result.to_csv(table)
        print(f"{table}: {len(result)} trials")
    if plot and len(result):
        with ending_unwritable(plot):
            result.plot(plot)
        print(f"{plot}: the sweep as a picture")
    if best and (found := result.best):
        with ending_unwritable(best):
            result.save_best(best)
        print(f"{best}: the model of trial {found.index} with seed {found.seed}, trained again")


def print_summary(plan: Plan, result: Result, show: Show) -> None:
    """Print the best trials as a table of plain text, and what all took."""
    heading, rows = best_rows(plan, result.rows)
    widths = [max(map(len, column)) for column in zip(heading, *rows)]
    print()
    for row in [heading, *rows]:
        print("  ".join(map(str.rjust, row, widths)))
    failed = sum(row["loss"] != row["loss"] or row["loss"] == float("inf") for row in result.rows)
    sentence = f"{len(result)} of {plan.candidates.size} trials"
    if failed:
        sentence += f", {failed} without a loss"
    if show.done:
        rate = show.done / max(show.seconds, 1e-9)
        sentence += f"; {show.done} here in {duration(show.seconds)}, {rate:.3g} a second"
    print(f"\n{sentence}")


def best_rows(plan: Plan, rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Heading and rows of the best trials so far, as text."""
    left_out = {"key", "steps_done", "reason", "seconds"}
    if plan.search.seeds > SEEDS_SHOWN:
        left_out |= {name for name in columns(plan) if name.startswith("loss_")}
    names = [name for name in columns(plan) if name not in left_out]
    found = [row for row in rows if row["loss"] == row["loss"] and row["loss"] < float("inf")]
    found.sort(key=lambda row: (row["loss"], row["index"]))
    return names, [[text(name, row[name]) for name in names] for row in found[:SHOWN]]


def text(name: str, x: Any) -> str:
    """What stands in the column `name` on the screen."""
    if isinstance(x, float):
        return f"{x:.4f}" if name.startswith("loss") else f"{x:.6g}"
    return str(x)


def described(plan: Plan, row: dict[str, Any]) -> str:
    """One trial on a line."""
    tried = " ".join(f"{name}={text(name, row[name])}" for name in plan.candidates.names)
    what = row["reason"] or f"loss {row['loss']:.4f}"
    return f"trial {row['index']}: {tried}: {what}"


class Show(Protocol):
    """What people see of a sweep at work."""

    done: int  # trials that ended here
    seconds: float

    def __enter__(self) -> Show: ...

    def __exit__(self, *exception: object) -> None: ...

    def tell(self, event: Event) -> None:
        """Show what happened."""


class Lines:
    """A line for each trial that ends here, for outputs that are no terminals."""

    def __init__(self, sweep: Sweep) -> None:
        self.plan, self.done, self.seconds = sweep.plan, 0, 0.0
        self.waits = False

    def __enter__(self) -> Lines:
        self.start = perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = perf_counter() - self.start

    def tell(self, event: Event) -> None:
        """Print what happened."""
        if isinstance(event, Done):
            self.done += 1
            row = row_of(self.plan, event.ticket.index, event.ticket.tried, event.outcome)
            print(described(self.plan, row), flush=True)
        elif isinstance(event, Lost):
            print(event.sentence, flush=True)
        elif event.trials and not self.waits:
            print(f"waiting for {event.trials} trials that others run", flush=True)
        self.waits = isinstance(event, Waiting) and bool(event.trials)


class LiveTable:
    """The best trials so far, on a terminal, with a bar of how many are done."""

    def __init__(self, sweep: Sweep) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed

        self.sweep, self.plan = sweep, sweep.plan
        self.done, self.seconds, self.due = 0, 0.0, 0.0
        self.lost: list[str] = []
        self.waiting = 0
        columns = TextColumn("trials"), BarColumn(), MofNCompleteColumn(), Elapsed()
        self.bar = Progress(*columns, TextColumn("{task.fields[rate]}"))
        self.task = self.bar.add_task("trials", total=sweep.plan.candidates.size, rate="")
        self.live = Live(auto_refresh=False, transient=True)

    def __enter__(self) -> LiveTable:
        self.start = perf_counter()
        self.live.start()
        self.show()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = perf_counter() - self.start
        self.live.stop()
        for sentence in self.lost:
            print(sentence)

    def tell(self, event: Event) -> None:
        """Show what happened, ten times a second at most, and in a twentieth of the time."""
        if isinstance(event, Done):
            self.done += 1
        elif isinstance(event, Lost):
            self.lost.append(event.sentence)
        self.waiting = event.trials if isinstance(event, Waiting) else 0
        start = perf_counter()
        if start >= self.due:
            self.show()
            end = perf_counter()
            self.due = end + max(0.1, 20 * (end - start))

    def show(self) -> None:
        """Draw all of it anew."""
        from rich.console import Group
        from rich.table import Table

        rows = self.sweep.result().rows
        heading, best = best_rows(self.plan, rows)
        table = Table(title="the best so far")
        for name in heading:
            table.add_column(name, justify="right", style="bold" if name == "loss" else "")
        for row in best:
            table.add_row(*row)
        rate = self.done / max(perf_counter() - self.start, 1e-9)
        self.bar.update(self.task, completed=len(rows), rate=f"{rate:.3g} a second here")
        waiting = [f"waiting for {self.waiting} trials that others run"] if self.waiting else []
        self.live.update(Group(table, self.bar, *self.lost[-3:], *waiting), refresh=True)
