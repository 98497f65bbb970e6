"""What trains a run to be recorded: tier native, or the reference where nothing is compiled.

Both note the calls of libm, and give the numbers that `training.train` gives.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from random import Random
from typing import Any, TypeAlias

from .. import reference
from .._backend import Calls as NativeCalls
from ..model import GPT, GPTConfig, NativeWeights, count_weights
from ..options import RunOptions
from ..training import NativeMemory, Numbers
from . import calls as pure
from .digest import digest_of

LEAST_AT_ONCE = 64  # steps that C is asked for
Tokens: TypeAlias = Sequence[int]


class NativeEngine(NativeMemory):
    """Trains on tier native, and lets C note the calls of libm."""

    def __init__(self, config: GPTConfig, options: RunOptions, rng: Random) -> None:
        self.options, self.calls = options, NativeCalls()
        self.model = start(self.calls, config, options, rng, "native")
        assert isinstance(self.model.weights, NativeWeights)
        self.native = self.model.weights.native

    def learn_from(self, tokens: Sequence[Tokens]) -> None:
        self.tokens, self.most = tokens, LEAST_AT_ONCE

    def train(self, done: int, n: int, steps: int, losses: list[float], digests: bytearray) -> None:
        """The next `n` steps of `steps` in all, or fewer if that takes long; at least one."""
        options = self.options
        n = self.native.train(
            self.tokens,
            min(n, self.most),  # whose documents are looked at in each call
            step=done,
            steps=steps,
            lr=options.lr,
            schedule=options.schedule,
            warmup=options.warmup,
            **options.of_adam(),
            batch_size=options.batch_size,
            losses=losses,
            calls=self.calls,
            digests=digests,
            briefly=True,
        )
        self.most = max(2 * n, LEAST_AT_ONCE)

    def unnoted(self) -> AbstractContextManager[None]:
        """What the model computes inside is not noted: C notes where it is told to only."""
        return nullcontext()

    def sample(self, bos: int, rng: Random) -> list[int]:
        return self.native.sample(bos, rng.random, self.options.temperature, self.calls)


class ReferenceEngine:
    """The same with the reference, where nothing is compiled."""

    def __init__(self, config: GPTConfig, options: RunOptions, rng: Random) -> None:
        self.options, self.calls = options, pure.Calls()
        self.model = start(self.calls, config, options, rng, "reference")
        self.scalar = pure.noting_scalar(self.calls)
        self.make(self.scalar)
        self.optimizer = pure.NotingAdam(self.model.parameters(), **options.of_adam())
        self.optimizer.calls = self.calls

    def make(self, scalar: type[reference.Value]) -> None:
        """Let the weights, and so all that is computed from them, be of this class."""
        for p in self.model.parameters():
            p.__class__ = scalar

    def read(self) -> Numbers:
        """Copies of all numbers that a step changes."""
        numbers = self.model.read_data(), self.optimizer.m, self.optimizer.v
        return Numbers(*(array("d", part) for part in numbers))

    def write(self, numbers: Numbers) -> None:
        """Put back what `read` returned."""
        for p, data in zip(self.model.parameters(), numbers.weights):
            p.data = data
        self.optimizer.m[:], self.optimizer.v[:] = numbers.m, numbers.v

    def learn_from(self, tokens: Sequence[Tokens]) -> None:
        self.tokens = tokens

    def train(self, done: int, n: int, steps: int, losses: list[float], digests: bytearray) -> None:
        """The next step of the `n`."""
        docs = reference.batch(self.tokens, done, self.options.batch_size)
        lr = self.options.learning_rate(done)
        weights, config = self.model.state_dict(), self.model.config
        losses.append(reference.training_step(weights, config, docs, self.optimizer, lr))
        digests += digest_of(self.model.read_data())

    @contextmanager
    def unnoted(self) -> Iterator[None]:
        """What the model computes inside is not noted."""
        self.make(reference.Value)
        try:
            yield
        finally:
            self.make(self.scalar)

    def sample(self, bos: int, rng: Random) -> list[int]:
        return self.model.weights.sample(bos, rng, self.options.temperature)


Engine: TypeAlias = NativeEngine | ReferenceEngine


def start(calls: Any, config: GPTConfig, options: RunOptions, rng: Random, tier: str) -> GPT:
    """The model before its first step, with the calls that made its weights noted."""
    calls.note_draws(pure.draws_of(rng, count_weights(config)))
    temperature = options.temperature if options.samples else None
    pure.note_constants(calls, config.n_embd, config.n_head, temperature)
    return GPT(config, rng=rng, tier=tier, init_std=options.init_std)
