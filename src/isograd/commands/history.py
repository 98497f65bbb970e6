"""What becomes of a run's losses: a table written as it goes, and a picture at the end.

The table has a row for each completed step: its number, counted from 1, its loss in nats and its
learning rate. Floats stand there as Python writes them, so reading them gives the same bits. Rows
are written many at a time, but always whole ones, so none is there in part. Ctrl-C between any two
bytecodes neither loses a row nor doubles one.
"""

import errno
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any

from ..files import check_writable, write_atomically
from ..reference import learning_rate

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
    """A table of a run of `steps` steps from learning rate `lr`: CSV, or JSON Lines (.jsonl).

    `losses` are those of the steps done. The file may exist only if the run is `resumed`; it must
    then be the table of this run, and may have got further than `losses`. Raises ValueError for any
    other file and any other kind of file, OSError if the file cannot be written.
    """

    def __init__(
        self, path: str, steps: int, lr: float, losses: Sequence[float], *, resumed: bool
    ) -> None:
        self.path, self.steps, self.lr = path, steps, lr
        self.is_csv = path.endswith(".csv")
        if not path.endswith((".csv", ".jsonl")):
            raise ValueError(f"a history is a .csv or a .jsonl file, not {path!r}")
        table = b"step,loss,lr\n" if self.is_csv else b""
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

    def row(self, step: int, loss: float) -> bytes:
        """The row of the step `step`, counted from 0."""
        lr = learning_rate(step, self.steps, self.lr)
        if self.is_csv:
            return f"{step + 1},{loss!r},{lr!r}\n".encode()
        return (json.dumps({"step": step + 1, "loss": loss, "lr": lr}) + "\n").encode()

    def write(self, losses: Sequence[float]) -> None:
        """Add the rows that are missing, given the losses of all steps so far."""
        while self.done[0] < len(losses):
            first, begin = self.done
            rows = self.rows_on_a_page(losses, first, begin)
            content = b"".join(rows)
            # The file is longer where an interruption came right after the write.
            missing = content[max(0, self.file.seek(0, os.SEEK_END) - begin) :]
            written = self.file.write(missing) if missing else 0
            if written != len(missing):
                end = begin + len(content) - len(missing)
                self.file.truncate(end + missing[:written].rfind(b"\n") + 1)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
            self.done = first + len(rows), begin + len(content)

    def rows_on_a_page(self, losses: Sequence[float], first: int, begin: int) -> list[bytes]:
        """The next rows, from the step `first` on, which the file gets at its byte `begin`.

        These are as many as end on the page where they begin, or one that does not.
        """
        rows: list[bytes] = []
        end = begin
        for step in range(first, len(losses)):
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


def save_plot(path: str, losses: Sequence[float]) -> None:
    """Draw the loss of each step and their moving average. Raises OSError if it cannot write."""
    figure = new_figure()
    axes = figure.add_subplot()
    steps = range(1, len(losses) + 1)
    axes.plot(steps, losses, ".", color="0.75", markersize=3, label="each step")
    label = f"smoothed (moving average, {SMOOTHING} of the past)"
    axes.plot(steps, list(moving_averages(losses)), color="tab:blue", label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats)")
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    content = BytesIO()
    figure.savefig(content, format=os.path.splitext(path)[1][1:].lower(), dpi=150)
    write_atomically(path, content.getvalue())


def new_figure() -> Any:
    """An empty figure. It needs no screen."""
    from matplotlib.figure import Figure

    return Figure(figsize=(7, 4), layout="constrained")
