"""What `isograd train` was asked for: one record, which nothing changes once it is complete.

Only this file builds it: from the command line, and from the checkpoint of a run that goes on.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..checks import check_temperature, check_training, check_whole
from .endings import refusing_bad_input

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint

SIZES = ("n_layer", "n_embd", "n_head", "block_size")
FIXED = ("steps", "lr", "batch_size", "seed")  # what a resumed run cannot change
REMEMBERED = ("data", "temperature", "samples")  # what it has from its checkpoint if not told


class TrainOptions(NamedTuple):
    """The options of `isograd train`, by click's names; cli.py says what they mean.

    A frozen dataclass would do as well, but takes 0.7 ms longer to define, at every start.
    """

    data: str | None
    steps: int
    batch_size: int
    seed: int
    tier: str
    threads: int | str
    n_layer: int
    n_embd: int
    n_head: int
    block_size: int
    lr: float
    temperature: float
    samples: int
    checkpoint: str | None
    checkpoint_every: int
    resume: str | None
    history: str | None
    plot: str | None
    plain: bool

    def kept(self) -> dict[str, Any]:
        """Those that a checkpoint keeps."""
        return {name: getattr(self, name) for name in (*FIXED, *REMEMBERED)}


def train_options(
    parameters: dict[str, Any], given: Collection[str]
) -> tuple[TrainOptions, Checkpoint | None]:
    """The options, made of click's `parameters`, and the checkpoint of a run that goes on, if any.

    `given` names those that stand on the command line. Raises click.UsageError for options that
    cannot be, or that contradict the checkpoint.
    """
    options, resumed = TrainOptions(**parameters), None
    if "checkpoint_every" in given and not options.checkpoint:
        raise click.UsageError(
            "--checkpoint-every says how often, --checkpoint which file: give it"
        )
    if options.resume:
        resumed = load(options.resume, options.tier)
        options = take_over(options, given, resumed)
    with refusing_bad_input():
        check_training(options.steps, options.lr, options.batch_size, options.threads)
        check_temperature(options.temperature)
        check_whole("samples", options.samples, 0)
        check_whole("checkpoint_every", options.checkpoint_every, 1)
    return options, resumed


def load(path: str, tier: str) -> Checkpoint:
    """Read the checkpoint in the file `path`, or end the command."""
    from ..checkpoint import load_checkpoint

    with refusing_bad_input(path):
        return load_checkpoint(path, tier=tier)


def take_over(options: TrainOptions, given: Collection[str], resumed: Checkpoint) -> TrainOptions:
    """`options` with those of the `resumed` run. Refuses `given` ones that contradict these."""
    path = options.resume
    stored = {**resumed.options, **{size: getattr(resumed.model.config, size) for size in SIZES}}
    for name in (*FIXED, *SIZES):
        if not isinstance(stored.get(name), (int, float)):
            raise click.UsageError(f"{path!r} does not say with which {name} its run was made")
        if name in given and getattr(options, name) != stored[name]:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"{option} {getattr(options, name)} contradicts {path!r}, "
                f"whose run has {stored[name]}"
            )
    told = [name for name in REMEMBERED if name not in given and name in stored]
    options = options._replace(**{name: stored[name] for name in (*FIXED, *SIZES, *told)})
    if not isinstance(options.data, str | None):
        raise click.UsageError(f"{path!r} names no file as its data; give it with --data")
    return options
