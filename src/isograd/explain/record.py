"""A run, trained again, becomes a Recording: all that its page needs.

The page computes every number of the run anew. It is given what the run started from, now and then
where it stood (keyframes), what to compare with (losses, digests of the weights), and the calls of
libm that no other machine could guess. Only the validation losses it takes as they are: they are of
documents that no step learns from.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from ..checks import check_whole
from ..model import TIERS, GPTConfig, count_weights
from ..options import RunOptions
from ..runs import split
from ..text import CharTokenizer, load_docs
from ..training import Judge, TrainingState
from .engines import Engine, NativeEngine, ReferenceEngine

BETWEEN_KEYFRAMES = 334  # steps, where there is room
ROOM_FOR_KEYFRAMES = 2_600_000  # bytes
ROOM = 64_000_000  # bytes, for all: more makes a page of over 80 MB
MOST_DIGESTS = 100_000


class TooLarge(ValueError):
    """The run has more to record than browsers like."""


class Keyframe(NamedTuple):
    """Where a run stands after a step."""

    step: int
    weights: array[float]
    m: array[float]
    v: array[float]


@dataclass
class Recording:
    """What was recorded of a run; payload.py says how it is written down."""

    options: RunOptions
    config: GPTConfig
    chars: list[str]
    texts: list[str]  # in the file's order
    order: list[int]  # of those to learn from, in the order of training
    weights: array[float]  # before the first step
    judged: int = 0  # how many documents the validation loss is of
    losses: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)  # pairs (step, loss)
    kept: int = 0  # the step whose weights are the run's result, and drew the samples
    corrections: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)  # of learning; none if they are on one line
    digest_every: int = 1
    digests: bytearray = field(default_factory=bytearray)
    keyframes: list[Keyframe] = field(default_factory=list)
    exceptions: dict[str, dict[float, int]] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """How many steps were done: fewer than asked for where patience came to an end."""
        return len(self.losses)


def record_run(
    texts: list[str],
    options: RunOptions,
    callback: Callable[[int, float], object] | None = None,
) -> Recording:
    """Train on `texts` as `isograd train` does, and record it.

    Calls `callback(step, loss)` for each step, counted from 1: when those up to the next keyframe
    are done, or after some hundredths of a second. Raises ValueError for options that do not go
    with the texts and where a page would be too large, OSError if the validation documents cannot
    be read, and from Python's arithmetic where training diverges.
    """
    check_whole("steps", options.steps, 1)
    rng = Random(options.seed)
    order, held_out = split(options, range(len(texts)), rng, ())
    tokenizer = CharTokenizer(texts)
    judging = tokenizer.encode_beginnings(judges(options, texts, held_out), options.block_size)
    config = options.config(tokenizer.vocab_size)
    check_room(options, count_weights(config))
    engine_class = NativeEngine if "native" in TIERS else ReferenceEngine
    engine: Engine = engine_class(config, options, rng)
    weights = array("d", engine.model.read_data())
    recording = Recording(options, config, tokenizer.chars, texts, order, weights, len(judging))
    recording.digest_every = -(-options.steps // MOST_DIGESTS)
    used = used_order(recording, options.steps)
    size = sum(len(texts[i].encode("utf-8", "surrogatepass")) for i in used)
    check_room(options, engine.model.num_params, size)
    engine.learn_from(tokens_of(recording))
    Course(engine, recording, judging, callback).follow()
    recording.samples = [
        tokenizer.decode(engine.sample(tokenizer.bos, rng)) for _ in range(options.samples)
    ]
    recording.exceptions = {name: dict(found) for name, found in engine.calls.exceptions().items()}
    return recording


class Course:
    """The steps of a run as `training.train` does them, on the way into a Recording."""

    def __init__(
        self,
        engine: Engine,
        recording: Recording,
        judging: Sequence[Sequence[int]],
        callback: Callable[[int, float], object] | None,
    ) -> None:
        options = recording.options
        self.engine, self.recording = engine, recording
        self.judging, self.callback = judging, callback
        self.keyframe_steps = set(keyframe_steps(options.steps, engine.model.num_params))
        self.is_straight = is_straight(options)
        self.state = TrainingState(0)  # only for what follows
        self.state.losses, self.state.validation = recording.losses, recording.validation

    def follow(self) -> None:
        """Do all steps, and leave the weights that are the run's result."""
        options, recording = self.recording.options, self.recording
        for end, steps in (*options.extended, (options.steps, options.steps)):
            judge = self.judge_of(steps)
            if self.is_enough(judge) or self.is_over_before(judge, end, steps):
                break
        if not recording.keyframes or recording.keyframes[-1].step < recording.steps:
            self.take_keyframe()
        recording.kept = recording.steps
        if judge and judge.best and options.keep == "best":
            recording.kept = self.state.best_step()
            self.engine.write(judge.best)

    def judge_of(self, steps: int) -> Judge | None:
        """Who looks at the validation loss in the next steps, of a run of `steps`."""
        if not self.judging:
            return None
        options, model = self.recording.options, self.engine.model
        every, patience = options.eval_every, options.patience
        judge = Judge(model, self.judging, self.state, steps, every, patience)
        judge.begin(self.engine)
        return judge

    def is_over_before(self, judge: Judge | None, end: int, steps: int) -> bool:
        """Do the steps up to `end`, of a run of `steps`; whether patience ended it there."""
        recording = self.recording
        while recording.steps < end:
            step = recording.steps
            pause = min([end, *(mark for mark in self.keyframe_steps if mark > step)])
            if judge:
                pause = min(pause, judge.next_step(step))
            while recording.steps < pause:
                self.train_until(pause, steps)
            if pause in self.keyframe_steps:
                self.take_keyframe()
            if self.is_enough(judge) and recording.steps < end:
                return True
        return False

    def is_enough(self, judge: Judge | None) -> bool:
        """Let the judge look, if it is time to; whether patience is at an end."""
        if not judge or not self.recording.steps:
            return False
        with self.engine.unnoted():
            return judge.is_enough(self.engine)

    def train_until(self, pause: int, steps: int) -> None:
        """Do the next steps, of `steps`, none after step `pause`, and record what they leave."""
        recording, options = self.recording, self.recording.options
        first = recording.steps
        losses: list[float] = []
        digests = bytearray()
        try:
            self.engine.train(first, pause - first, steps, losses, digests)
        finally:  # steps before an error count, too
            for step, loss in enumerate(losses, first + 1):
                if not math.isfinite(loss):
                    raise ArithmeticError(f"the loss is {loss}")
                recording.losses.append(loss)
                recording.corrections += 1 - options.beta1**step, 1 - options.beta2**step
                if not self.is_straight:
                    recording.rates.append(options.learning_rate(step - 1))
                if step % recording.digest_every == 0:
                    recording.digests += digests[8 * (step - first - 1) : 8 * (step - first)]
                if self.callback:
                    self.callback(step, loss)
        check_room(options, self.engine.model.num_params, 9 * len(self.engine.calls))

    def take_keyframe(self) -> None:
        """Record where the run stands."""
        self.recording.keyframes.append(Keyframe(self.recording.steps, *self.engine.read()))


def is_straight(options: RunOptions) -> bool:
    """Whether the learning rate falls on one line to 0, so that a page can compute it."""
    return options.schedule == "linear" and not options.warmup and not options.extended


def judges(options: RunOptions, texts: Sequence[str], held_out: Sequence[int]) -> list[str]:
    """The documents to validate with: those at the places `held_out`, or in a file of their own."""
    if options.validation_file:
        return load_docs(options.validation_file)
    return [texts[i] for i in held_out]


def check_room(options: RunOptions, num_params: int, more: int = 0) -> None:
    """Raises TooLarge if a page has no room for what is recorded anyway, and `more` bytes."""
    a_step = 33 if is_straight(options) else 41
    anyway = 32 * num_params + a_step * options.steps + 8 * options.batch_size
    if anyway + more > ROOM:
        raise TooLarge(
            f"{options.steps:,} steps of {options.batch_size:,} documents, with a model of "
            f"{num_params:,} weights, would make a page too large for a browser"
        )


def used_order(recording: Recording, steps: int | None = None) -> list[int]:
    """The documents that the steps use, by default those done, in the order of training."""
    steps = recording.steps if steps is None else steps
    return recording.order[: steps * recording.options.batch_size]


def tokens_of(recording: Recording) -> list[list[int]]:
    """The tokens of all documents that the run may use."""
    texts = [recording.texts[i] for i in used_order(recording, recording.options.steps)]
    tokenizer = CharTokenizer(recording.chars)
    return tokenizer.encode_beginnings(texts, recording.options.block_size)


def keyframe_steps(steps: int, num_params: int) -> Iterator[int]:
    """The steps after which keyframes are taken: as far apart as room demands, and the last."""
    room = max(1, ROOM_FOR_KEYFRAMES // (24 * num_params))
    apart = max(BETWEEN_KEYFRAMES, -(-steps // room))
    yield from range(apart, steps, apart)
    yield steps
