"""What becomes of a run's losses: a table written as it goes, and a picture at the end.

The table has a row for each completed step: its number, counted from 1, its loss in nats, its
learning rate, and, if documents are held out, their loss where it was asked for. Floats stand there
as Python writes them, so reading them gives the same bits. Rows are written many at a time, but
always whole ones, so none is there in part. Ctrl-C between any two bytecodes neither loses a row
nor doubles one.
"""

import errno
import json
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from math import inf
from typing import Any

from ..files import check_writable, write_atomically
from ..options import RunOptions

PAGE = 4096  # between two of these a killed process may stop writing
SMOOTHING = 0.98  # weight of the past in the smoothed loss


def moving_averages(losses: Iterable[float], past: float | None = None) -> Iterator[float]:
    """The exponential moving average after each of `losses`, 40 ns each.

    `past` is the average before them. Without one, the first loss counts in full.
    """
    rest = 1 - SMOOTHING
    for loss in losses:
        past = loss if past is None else SMOOTHING * past + rest * loss
        yield past


class History:
    """A table of a run with `options`: CSV, or JSON Lines (.jsonl).

    `losses` are those of the steps done, `validation` pairs of a step and the validation loss then;
    the run adds to both. The file may exist only if the run is `resumed`; it must
    then be the table of this run, and may have got further than `losses`. Raises ValueError for any
    other file and any other kind of file, OSError if the file cannot be written.
    """

    def __init__(
        self,
        path: str,
        options: RunOptions,
        losses: Sequence[float],
        validation: Sequence[tuple[int, float]] = (),
        *,
        resumed: bool,
    ) -> None:
        self.path, self.options, self.validation = path, options, validation
        self.is_csv = path.endswith(".csv")
        if not path.endswith((".csv", ".jsonl")):
            raise ValueError(f"a history is a .csv or a .jsonl file, not {path!r}")
        names = ["step", "loss", "lr", *(["validation"] if self.validates else [])]
        table = f"{','.join(names)}\n".encode() if self.is_csv else b""
        table += b"".join(self.row(step, loss) for step, loss in enumerate(losses))
        if os.path.exists(path):
            if not resumed:
                raise ValueError(f"{path!r} exists; a history needs a new file")
            with open(path, "rb") as file:
                found = file.read()
            if not (found.startswith(table) or table.startswith(found)):
                raise ValueError(f"{path!r} is not the history of the run that is resumed")
        write_atomically(path, table)
        self.file = open(path, "ab", buffering=0)
        self.done = len(losses), len(table)

    @property
    def validates(self) -> bool:
        return self.options.validation is not None

    def row(self, step: int, loss: float) -> bytes:
        """The row of the step `step`, counted from 0."""
        row: dict[str, float | None]
        row = {"step": step + 1, "loss": loss, "lr": self.options.learning_rate(step)}
        if self.validates:
            row["validation"] = self.validation_loss(step + 1)
        if self.is_csv:
            cells = ("" if x is None else repr(x) for x in row.values())
            return f"{','.join(cells)}\n".encode()
        return (json.dumps(row) + "\n").encode()

    def validation_loss(self, step: int) -> float | None:
        """That of the step `step`, counted from 1, if it was asked for."""
        i = bisect_left(self.validation, (step, -inf))
        found = i < len(self.validation) and self.validation[i][0] == step
        return self.validation[i][1] if found else None

    def waits(self, step: int) -> bool:
        """Whether the validation loss of the step `step`, counted from 1, is still to come."""
        every = self.options.eval_every if self.validates else inf
        due = step % every == 0 or step == self.options.steps
        return self.validates and due and self.validation_loss(step) is None

    def write(self, losses: Sequence[float]) -> None:
        """Add the rows that are missing, given the losses of all steps so far."""
        n = len(losses) - self.waits(len(losses))
        while self.done[0] < n:
            first, begin = self.done
            rows = self.rows_on_a_page(losses, first, n, begin)
            content = b"".join(rows)
            # The file is longer where an interruption came right after the write.
            missing = content[max(0, self.file.seek(0, os.SEEK_END) - begin) :]
            written = self.file.write(missing) if missing else 0
            if written != len(missing):
                end = begin + len(content) - len(missing)
                self.file.truncate(end + missing[:written].rfind(b"\n") + 1)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
            self.done = first + len(rows), begin + len(content)

    def rows_on_a_page(
        self, losses: Sequence[float], first: int, end_step: int, begin: int
    ) -> list[bytes]:
        """The next rows, from the step `first` on to before `end_step`, which the file gets at its
        byte `begin`.

        These are as many as end on the page where they begin, or one that does not.
        """
        rows: list[bytes] = []
        end = begin
        for step in range(first, end_step):
            row = self.row(step, losses[step])
            end += len(row)
            if rows and end // PAGE > begin // PAGE:
                break
            rows.append(row)
        return rows


def check_plot(path: str) -> None:
    """Raises ModuleNotFoundError, ValueError or OSError if `save_plot` cannot make `path`."""
    kinds = new_figure().canvas.get_supported_filetypes()
    kind = os.path.splitext(path)[1][1:].lower()
    if kind not in kinds:
        raise ValueError(f"a plot is a file such as loss.png or loss.svg, not {path!r}")
    check_writable(path)


def save_plot(
    path: str, losses: Sequence[float], validation: Sequence[tuple[int, float]] = ()
) -> None:
    """Draw the loss of each step, their moving average, and the validation loss, if there is one.

    Raises OSError if it cannot write.
    """
    figure = new_figure()
    axes = figure.add_subplot()
    steps = range(1, len(losses) + 1)
    axes.plot(steps, losses, ".", color="0.75", markersize=3, label="each step")
    label = f"smoothed (moving average, {SMOOTHING} of the past)"
    axes.plot(steps, list(moving_averages(losses)), color="tab:blue", label=label)
    if validation:
        axes.plot(*zip(*validation), "o-", color="tab:orange", markersize=4, label="validation")
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats)")
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
    content = BytesIO()
    figure.savefig(content, format=os.path.splitext(path)[1][1:].lower(), dpi=150)
    write_atomically(path, content.getvalue())


def new_figure() -> Any:
    """An empty figure. It needs no screen."""
    from matplotlib.figure import Figure

    return Figure(figsize=(7, 4), layout="constrained")
