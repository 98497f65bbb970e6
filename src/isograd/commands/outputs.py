"""The files that a run writes: which, and when. What is in them is decided elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .endings import ending_unwritable, refusing_bad_input
from .options import TrainOptions

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from ..runs import Run
    from .history import History

# A run imports the module that writes a file only if the file is asked for.


class Files:
    """Checkpoint, history and plot of a run, each only if its option is given.

    Before it makes any file, it refuses paths that cannot be written or hold something to lose.
    """

    def __init__(self, options: TrainOptions, run: Run) -> None:
        self.state = run.state
        self.checkpoint, self.plot = options.checkpoint, options.plot
        self.content: Checkpoint | None = None
        self.history: History | None = None
        paths = [path for path in (options.checkpoint, options.history, options.plot) if path]
        if len({*map(os.path.realpath, paths)}) < len(paths):
            raise click.UsageError("--checkpoint, --history and --plot must be different files")
        if options.checkpoint:
            from ..checkpoint import Checkpoint, docs_sha256
            from ..files import check_writable

            with refusing_bad_input(options.checkpoint, "write"):
                check_writable(options.checkpoint)
                check_replaceable(options.checkpoint, options.resume)
            self.content = Checkpoint(
                run.model,
                run.tokenizer,
                run.state,
                run.rng.getstate(),
                options.kept(),
                docs_sha256(run.documents(options.run)),
            )
        if options.plot:
            from .history import check_plot

            with refusing_bad_input(options.plot, "write"):
                check_plot(options.plot)
        if options.history:
            from .history import History

            with refusing_bad_input(options.history, "write"):
                resumed = options.resume is not None
                self.history = History(
                    options.history,
                    options.run,
                    run.state.losses,
                    run.state.validation,
                    resumed=resumed,
                )

    def write_history(self) -> None:
        if self.history:
            with ending_unwritable(self.history.path):
                self.history.write(self.state.losses)

    def write_checkpoint(self) -> None:
        if self.checkpoint and self.content:
            from ..checkpoint import save_checkpoint

            with ending_unwritable(self.checkpoint):
                save_checkpoint(self.checkpoint, self.content)

    def finish(self, losses: Sequence[float], validation: Sequence[tuple[int, float]]) -> None:
        """Write what is due at the end of a run, whatever ends it, given all that it has seen."""
        self.write_history()
        if self.history:
            self.history.file.close()
        if self.plot:
            from .history import save_plot

            with ending_unwritable(self.plot):
                save_plot(self.plot, losses, validation)


def check_replaceable(path: str, resumed: str | None) -> None:
    """Raises ValueError if there is a file `path` other than the one to go on from."""
    if os.path.exists(path) and not (resumed and os.path.samefile(path, resumed)):
        raise ValueError(f"{path!r} exists; go on from it with --resume, or name a new file")
