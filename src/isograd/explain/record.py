"""A run, trained again, becomes a Recording: all that its page needs.

The page computes every number of the run anew. It is given what the run started from, now and then
where it stood (keyframes), what to compare with (losses, digests of the weights), and the calls of
libm that no other machine could guess.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, TypeAlias

from .. import reference
from .._backend import Calls as NativeCalls
from ..checks import check_temperature, check_training, check_whole
from ..model import GPT, TIERS, GPTConfig, NativeWeights, count_weights
from ..text import CharTokenizer
from . import calls as pure
from .digest import digest_of

BETA1, BETA2, EPS = 0.85, 0.99, 1e-8
BETWEEN_KEYFRAMES = 334  # steps, where there is room
ROOM_FOR_KEYFRAMES = 2_600_000  # bytes
ROOM = 64_000_000  # bytes, for all: more makes a page of over 80 MB
MOST_DIGESTS = 100_000
LEAST_AT_ONCE = 64  # steps that C is asked for
Tokens: TypeAlias = Sequence[int]


class TooLarge(ValueError):
    """The run has more to record than browsers like."""


@dataclass(frozen=True)
class Options:
    """The options of a run that its numbers depend on, named as those of `isograd train`.

    Raises ValueError for what cannot be.
    """

    steps: int = 1000
    batch_size: int = 1
    seed: int = 42
    n_layer: int = 1
    n_embd: int = 16
    n_head: int = 4
    block_size: int = 16
    lr: float = 0.01
    temperature: float = 0.5
    samples: int = 20

    def __post_init__(self) -> None:
        check_whole("steps", self.steps, 1)
        check_training(self.steps, self.lr, self.batch_size, 1)
        check_temperature(self.temperature)
        check_whole("samples", self.samples, 0)
        if not isinstance(self.seed, int):
            raise ValueError(f"seed must be a whole number, not {self.seed!r}")
        self.config(vocab_size=2)

    def config(self, vocab_size: int) -> GPTConfig:
        """The sizes of the model."""
        return GPTConfig(vocab_size, self.n_layer, self.n_embd, self.n_head, self.block_size)


class Keyframe(NamedTuple):
    """Where a run stands after a step."""

    step: int
    weights: array[float]
    m: array[float]
    v: array[float]


@dataclass
class Recording:
    """What was recorded of a run; payload.py says how it is written down."""

    options: Options
    config: GPTConfig
    chars: list[str]
    texts: list[str]  # in the file's order
    order: list[int]  # of them, in the order of training
    weights: array[float]  # before the first step
    losses: list[float] = field(default_factory=list)
    corrections: list[float] = field(default_factory=list)
    digest_every: int = 1
    digests: bytearray = field(default_factory=bytearray)
    keyframes: list[Keyframe] = field(default_factory=list)
    exceptions: dict[str, dict[float, int]] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)


def record_run(
    texts: list[str],
    options: Options,
    callback: Callable[[int, float], object] | None = None,
) -> Recording:
    """Train on `texts` as `isograd train` does, and record it.

    Calls `callback(step, loss)` for each step, counted from 1: when those up to the next keyframe
    are done, or after some hundredths of a second. Raises ValueError for options that do not go
    with the texts and where a page would be too large, and from Python's arithmetic where training
    diverges.
    """
    rng = Random(options.seed)
    order = list(range(len(texts)))
    rng.shuffle(order)
    tokenizer = CharTokenizer(texts)
    config = options.config(tokenizer.vocab_size)
    check_room(options, count_weights(config))
    engine_class = NativeEngine if "native" in TIERS else ReferenceEngine
    engine: Engine = engine_class(config, options, rng)
    recording = Recording(options, config, tokenizer.chars, texts, order, engine.weights())
    recording.digest_every = -(-options.steps // MOST_DIGESTS)
    size = sum(len(texts[i].encode("utf-8", "surrogatepass")) for i in used_order(recording))
    check_room(options, engine.model.num_params, size)
    engine.learn_from(tokens_of(recording))
    for mark in keyframe_steps(options.steps, engine.model.num_params):
        while len(recording.losses) < mark:
            train_until(engine, recording, mark, callback)
        recording.keyframes.append(Keyframe(mark, engine.weights(), *engine.moments()))
    recording.samples = [
        tokenizer.decode(engine.sample(tokenizer.bos, rng)) for _ in range(options.samples)
    ]
    recording.exceptions = {name: dict(found) for name, found in engine.calls.exceptions().items()}
    return recording


def check_room(options: Options, num_params: int, more: int = 0) -> None:
    """Raises TooLarge if a page has no room for what is recorded anyway, and `more` bytes."""
    anyway = 32 * num_params + 33 * options.steps + 8 * options.batch_size
    if anyway + more > ROOM:
        raise TooLarge(
            f"{options.steps:,} steps of {options.batch_size:,} documents, with a model of "
            f"{num_params:,} weights, would make a page too large for a browser"
        )


def used_order(recording: Recording) -> list[int]:
    """The documents that the steps use, in the order of training."""
    return recording.order[: recording.options.steps * recording.options.batch_size]


def tokens_of(recording: Recording) -> list[list[int]]:
    """The tokens of these documents."""
    texts = [recording.texts[i] for i in used_order(recording)]
    tokenizer = CharTokenizer(recording.chars)
    return tokenizer.encode_beginnings(texts, recording.options.block_size)


def train_until(
    engine: Engine,
    recording: Recording,
    mark: int,
    callback: Callable[[int, float], object] | None,
) -> None:
    """Do the next steps, none after step `mark`, and record what they leave."""
    first = len(recording.losses)
    losses: list[float] = []
    digests = bytearray()
    try:
        engine.train(first, mark - first, losses, digests)
    finally:  # steps before an error count, too
        for step, loss in enumerate(losses, first + 1):
            if not math.isfinite(loss):
                raise ArithmeticError(f"the loss is {loss}")
            recording.losses.append(loss)
            recording.corrections += 1 - BETA1**step, 1 - BETA2**step
            if step % recording.digest_every == 0:
                recording.digests += digests[8 * (step - first - 1) : 8 * (step - first)]
            if callback:
                callback(step, loss)
    check_room(recording.options, engine.model.num_params, 9 * len(engine.calls))


def keyframe_steps(steps: int, num_params: int) -> Iterator[int]:
    """The steps after which keyframes are taken: as far apart as room demands, and the last."""
    room = max(1, ROOM_FOR_KEYFRAMES // (24 * num_params))
    apart = max(BETWEEN_KEYFRAMES, -(-steps // room))
    yield from range(apart, steps, apart)
    yield steps


class NativeEngine:
    """Trains on tier native, and lets C note the calls of libm."""

    def __init__(self, config: GPTConfig, options: Options, rng: Random) -> None:
        self.options, self.calls = options, NativeCalls()
        self.model = start(self.calls, config, options, rng, "native")
        assert isinstance(self.model.weights, NativeWeights)
        self.native = self.model.weights.native

    def weights(self) -> array[float]:
        return array("d", self.native.weights.tobytes())

    def moments(self) -> tuple[array[float], array[float]]:
        moments = self.native.first_moments, self.native.second_moments
        return array("d", moments[0].tobytes()), array("d", moments[1].tobytes())

    def learn_from(self, tokens: Sequence[Tokens]) -> None:
        self.tokens, self.most = tokens, LEAST_AT_ONCE

    def train(self, done: int, n: int, losses: list[float], digests: bytearray) -> None:
        """The next `n` steps, or fewer if that takes long; at least one."""
        n = self.native.train(
            self.tokens,
            min(n, self.most),  # whose documents are looked at in each call
            step=done,
            steps=self.options.steps,
            lr=self.options.lr,
            betas=(BETA1, BETA2),
            eps=EPS,
            batch_size=self.options.batch_size,
            losses=losses,
            calls=self.calls,
            digests=digests,
            briefly=True,
        )
        self.most = max(2 * n, LEAST_AT_ONCE)

    def sample(self, bos: int, rng: Random) -> list[int]:
        return self.native.sample(bos, rng.random, self.options.temperature, self.calls)


class ReferenceEngine:
    """The same with the reference, where nothing is compiled."""

    def __init__(self, config: GPTConfig, options: Options, rng: Random) -> None:
        self.options, self.calls = options, pure.Calls()
        self.model = start(self.calls, config, options, rng, "reference")
        scalar = pure.noting_scalar(self.calls)
        for p in self.model.parameters():
            p.__class__ = scalar  # type: ignore[assignment]  # a Value of the reference
        self.optimizer = pure.NotingAdam(self.model.parameters(), betas=(BETA1, BETA2), eps=EPS)
        self.optimizer.calls = self.calls

    def weights(self) -> array[float]:
        return array("d", self.model.read_data())

    def moments(self) -> tuple[array[float], array[float]]:
        return array("d", self.optimizer.m), array("d", self.optimizer.v)

    def learn_from(self, tokens: Sequence[Tokens]) -> None:
        self.tokens = tokens

    def train(self, done: int, n: int, losses: list[float], digests: bytearray) -> None:
        """The next step of the `n`."""
        docs = reference.batch(self.tokens, done, self.options.batch_size)
        lr = reference.learning_rate(done, self.options.steps, self.options.lr)
        weights, config = self.model.state_dict(), self.model.config
        losses.append(reference.training_step(weights, config, docs, self.optimizer, lr))
        digests += digest_of(self.weights())

    def sample(self, bos: int, rng: Random) -> list[int]:
        return self.model.weights.sample(bos, rng, self.options.temperature)


Engine: TypeAlias = NativeEngine | ReferenceEngine


def start(calls: Any, config: GPTConfig, options: Options, rng: Random, tier: str) -> GPT:
    """The model before its first step, with the calls that made its weights noted."""
    calls.note_draws(pure.draws_of(rng, count_weights(config)))
    temperature = options.temperature if options.samples else None
    pure.note_constants(calls, config.n_embd, config.n_head, temperature)
    return GPT(config, rng=rng, tier=tier)
