"""The options of a run that its numbers depend on, named as those of `isograd train`.

The documents are given beside them; runs.py makes a run of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .checks import (
    check_from_0,
    check_schedule,
    check_temperature,
    check_training,
    check_update,
    check_validation,
    check_whole,
)
from .model import GPTConfig
from .reference import learning_rate
from .reference.gpt import WEIGHT_STD

ARCHITECTURE = ("n_layer", "n_embd", "n_head", "block_size", "activation", "tie_weights")
AT_WILL = ("temperature", "samples")  # what a run that goes on may change
ALWAYS_KEPT = ("steps", "lr", "batch_size", "seed", *AT_WILL)
OF_TRAIN = (*("steps", "lr", "batch_size", "schedule", "warmup", "eval_every", "keep", "patience"),)


def no_option(name: object, names: Iterable[str]) -> str:
    """What is said of a name that no option of a run has."""
    return f"{name!r} is no option of a run; there are {', '.join(names)}"


@dataclass(frozen=True)
class RunOptions:
    """The options of a run. Raises ValueError for what cannot be.

    `validation` is the share of the documents that is held out, between 0 and 1, or the path of a
    file of others. `extended` tells of a run whose number of steps was changed underway: pairs of
    a step and of the number of steps until then.
    """

    steps: int = 1000
    batch_size: int = 1
    seed: int = 42
    n_layer: int = GPTConfig.n_layer
    n_embd: int = GPTConfig.n_embd
    n_head: int = GPTConfig.n_head
    block_size: int = GPTConfig.block_size
    activation: str = GPTConfig.activation
    tie_weights: bool = GPTConfig.tie_weights
    init_std: float = WEIGHT_STD
    lr: float = 0.01
    schedule: str = "linear"
    warmup: int = 0
    beta1: float = 0.85
    beta2: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    validation: float | str | None = None
    eval_every: int = 100
    keep: str = "last"
    patience: int | None = None
    temperature: float = 0.5
    samples: int = 20
    extended: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        check_training(self.steps, self.lr, self.batch_size, 1)
        check_schedule(self.schedule, self.warmup, self.steps)
        check_update((self.beta1, self.beta2), self.eps, self.weight_decay, self.clip_norm)
        check_validation(self.validation is not None, self.eval_every, self.keep, self.patience)
        check_share(self.validation)
        check_from_0("init_std", self.init_std)
        check_temperature(self.temperature)
        check_whole("samples", self.samples, 0)
        if not isinstance(self.seed, int):
            raise ValueError(f"seed must be a whole number, not {self.seed!r}")
        self.config(vocab_size=2)

    def config(self, vocab_size: int) -> GPTConfig:
        """The sizes of the model."""
        return GPTConfig(vocab_size, **{name: getattr(self, name) for name in ARCHITECTURE})

    @property
    def validation_file(self) -> str | None:
        """The path of the documents to validate with, if they are in a file of their own."""
        return self.validation if isinstance(self.validation, str) else None

    def of_train(self) -> dict[str, Any]:
        """Those that `train` takes, by its names."""
        return {name: getattr(self, name) for name in OF_TRAIN} | self.of_adam()

    def of_adam(self) -> dict[str, Any]:
        """Those of the update, by Adam's names, but for the learning rate."""
        others = {name: getattr(self, name) for name in ("eps", "weight_decay", "clip_norm")}
        return {"betas": (self.beta1, self.beta2), **others}

    def learning_rate(self, step: int) -> float:
        """The rate in the step `step`, counted from 0."""
        return learning_rate(step, self.steps_at(step), self.lr, self.schedule, self.warmup)

    def steps_at(self, step: int) -> int:
        """The number of steps that the run was to have when it did the step `step`."""
        return next((former for end, former in self.extended if step < end), self.steps)

    def extended_at(self, step: int, steps: int) -> RunOptions:
        """The same, but of a run that has `steps` in all from the step `step` on."""
        if steps == self.steps:
            return self
        extended = [pair for pair in self.extended if pair[0] < step]
        if step and self.steps_at(step - 1) != steps:
            extended.append((step, self.steps_at(step - 1)))
        return replace(self, steps=steps, extended=tuple(extended))

    def kept(self) -> dict[str, Any]:
        """Those that a checkpoint keeps beside the model's configuration."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in ARCHITECTURE
            and (field.name in ALWAYS_KEPT or getattr(self, field.name) != field.default)
        }


def stored_options(options: Mapping[str, Any], config: GPTConfig) -> RunOptions:
    """The options of the run whose checkpoint holds `options` and `config`.

    Raises ValueError if it does not say how its run was made.
    """
    for name in ALWAYS_KEPT:
        if name not in AT_WILL and not isinstance(options.get(name), (int, float)):
            raise ValueError(f"the checkpoint does not say with which {name} its run was made")
    names = {field.name for field in fields(RunOptions)}
    stored = {name: value for name, value in options.items() if name in names}
    stored |= {name: getattr(config, name) for name in ARCHITECTURE}
    stored["extended"] = tuple(
        (int(end), int(former)) for end, former in stored.get("extended", ())
    )
    return RunOptions(**stored)


def check_share(validation: float | str | None) -> None:
    """Raises ValueError if `validation` is neither a share, a path nor None."""
    if isinstance(validation, str) or validation is None:
        return
    if isinstance(validation, bool) or not 0 < validation < 1:
        raise ValueError(
            f"validation must be a share between 0 and 1, or a file, not {validation!r}"
        )
