"""What `isograd train` was asked for: one record, which nothing changes once it is complete.

Only this file builds it: from the command line, and from the checkpoint of a run that goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..checks import check_threads, check_until, check_whole
from ..options import AT_WILL, RunOptions, stored_options
from .endings import refusing_bad_input

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint

OF_A_RUN = frozenset(field.name for field in fields(RunOptions))
MAY_CHANGE = ("steps", "keep", "patience", *AT_WILL)  # in a run that goes on


class TrainOptions(NamedTuple):
    """The options of `isograd train`, by click's names; cli.py says what they mean."""

    run: RunOptions
    data: str | None
    tier: str
    threads: int | str
    checkpoint: str | None
    checkpoint_every: int
    resume: str | None
    history: str | None
    plot: str | None
    plain: bool

    def kept(self) -> dict[str, Any]:
        """Those that a checkpoint keeps."""
        return {**self.run.kept(), "data": self.data}


def train_options(
    parameters: Mapping[str, Any], given: Collection[str]
) -> tuple[TrainOptions, Checkpoint | None]:
    """The options, made of click's `parameters`, and the checkpoint of a run that goes on, if any.

    `given` names those that stand on the command line. Raises click.UsageError for options that
    cannot be, or that contradict the checkpoint.
    """
    if "checkpoint_every" in given and not parameters["checkpoint"]:
        raise click.UsageError(
            "--checkpoint-every says how often, --checkpoint which file: give it"
        )
    of_the_run = {name: value for name, value in parameters.items() if name in OF_A_RUN}
    others = {name: value for name, value in parameters.items() if name not in OF_A_RUN}
    resumed = load(parameters["resume"], parameters["tier"]) if parameters["resume"] else None
    with refusing_bad_input():
        if resumed:
            changes = {name: of_the_run[name] for name in of_the_run if name in given}
            run = resumed_options(resumed, changes, parameters["resume"])
            if "data" not in given and "data" in resumed.options:
                others["data"] = resumed.options["data"]
        else:
            run = RunOptions(**of_the_run)
        options = TrainOptions(run=run, **others)
        check_threads(options.threads)
        check_whole("checkpoint_every", options.checkpoint_every, 1)
    if not isinstance(options.data, str | None):
        raise click.UsageError(f"{options.resume!r} names no file as its data; give it with --data")
    return options, resumed


def load(path: str, tier: str) -> Checkpoint:
    """Read the checkpoint in the file `path`, or end the command."""
    from ..checkpoint import load_checkpoint

    with refusing_bad_input(path):
        return load_checkpoint(path, tier=tier)


def resumed_options(resumed: Checkpoint, changes: Mapping[str, Any], path: str) -> RunOptions:
    """The options of the `resumed` run with `changes`, all of which it must be able to take."""
    try:
        stored = stored_options(resumed.options, resumed.model.config)
    except ValueError as error:
        raise ValueError(str(error).replace("the checkpoint", repr(path))) from None
    for name, value in changes.items():
        if name not in MAY_CHANGE and value != getattr(stored, name):
            raise ValueError(
                f"--{name.replace('_', '-')} {value} contradicts {path!r}, "
                f"whose run has {getattr(stored, name)}"
            )
    steps = changes.get("steps", stored.steps)
    check_until(resumed.state, steps, steps)
    others = {name: changes[name] for name in MAY_CHANGE if name in changes and name != "steps"}
    return replace(stored.extended_at(resumed.state.steps, steps), **others)
