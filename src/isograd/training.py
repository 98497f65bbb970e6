"""Training, evaluation and sampling: the loop that can stop and go on anywhere.

`train` promises that a run has always completed a whole number of steps: weights, moments and
losses agree, whatever ends it. Ctrl-C can come between any two bytecodes, and numbers can leave the
finite halfway through Adam's update. So the numbers before a step are kept, and put back on any
exception before the step's loss is in the list of losses. Appending it is one call into C, which
cannot happen in part. Keeping the numbers takes 12 us a step for 4,192 weights.
"""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Callable, MutableSequence, Sequence
from random import Random
from typing import Any, NamedTuple, TypeAlias

from . import reference
from .checks import (
    check_documents,
    check_moments,
    check_prompt,
    check_rng,
    check_temperature,
    check_training,
    check_until,
    check_whole,
)
from .model import GPT, GraphWeights, NativeWeights
from .text import CharTokenizer

Numbers: TypeAlias = "MutableSequence[float] | memoryview[float]"


class TrainingState:
    """Where a run stands, of any tier: Adam's moments of each weight, and the losses so far.

    `m` and `v` have a float for each weight in the order of `state_dict`, `losses` one for each
    step done. A new state stands before the first step of a model with `num_params` weights. While
    a model trains, `m` and `v` belong to it: lists, arrays or memoryviews of doubles.
    """

    def __init__(self, num_params: int) -> None:
        self.m: Numbers = array("d", bytes(8 * num_params))
        self.v: Numbers = array("d", bytes(8 * num_params))
        self.losses: list[float] = []

    @property
    def steps(self) -> int:
        """The number of steps done."""
        return len(self.losses)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy: numbers of its own, whoever has them now."""
        own = {
            name: array("d", moments) if isinstance(moments, memoryview) else moments[:]
            for name, moments in (("m", self.m), ("v", self.v))
        }
        return {**vars(self), **own, "losses": self.losses[:]}

    def __repr__(self) -> str:
        return f"TrainingState({self.steps} steps, {len(self.m)} weights)"


def train(
    model: GPT,
    docs: Sequence[Sequence[int]],
    steps: int = 1000,
    lr: float = 0.01,
    callback: Callable[[int, float], object] | None = None,
    *,
    every: int | Callable[[], int] = 1,
    batch_size: int = 1,
    threads: int | str = 1,
    state: TrainingState | None = None,
    until: int | None = None,
) -> list[float]:
    """Train `model` on the next `batch_size` of `docs` (token lists) a step, in order and round
    again; returns the losses of these steps, each the mean over its documents.

    Uses Adam with betas (0.85, 0.99) and eps 1e-8; the learning rate falls linearly from `lr` to 0
    over `steps`. Calls `callback(step, loss)` after `every` steps and after the last, with the
    number of the step, counted from 1; asks `every()` each time how many steps come next, if that
    is a function, so a caller can go by the clock. Cuts documents off after `block_size`
    predictions.

    Uses at most `threads` threads, at most one for each processor, and only as long as they are
    faster together than one alone; "auto" begins with one, and goes on with whatever proves faster.
    No bit depends on it, or on the tier; the tiers that build graphs use one thread.

    Goes on from `state`, if one is given, and keeps it up to date; stops at the step `until`, if
    that is not the last. The rest of a run depends on the weights and the state alone, so a run can
    be stopped, saved, moved to `model.to(another tier)`, and go on.

    Raises ValueError for arguments that cannot be used, before it changes anything. Raises
    OverflowError, ZeroDivisionError or ValueError where training diverges, from that of Python's
    arithmetic, as the reference does; it names the step. Then, and on Ctrl-C, weights and state are
    those of the last completed step. Gradients are reset to 0 before the first step and after the
    last. Raises RuntimeError, before it changes anything, if another thread or this one's callback
    is training the model.
    """
    check_training(steps, lr, batch_size, threads)
    if not callable(every):
        check_whole("every", every, 1)
    if state is None:
        state = TrainingState(model.num_params)
    else:
        check_moments(state, model.num_params)
    until = steps if until is None else until
    check_until(state, steps, until)
    start = state.steps
    check_documents(docs, start * batch_size, until * batch_size, model.config.vocab_size)
    schedule = Schedule(docs, steps, lr, batch_size, threads)
    model.one_run(lambda: run(model.weights, state, schedule, until, callback, every))
    return state.losses[start:]


def run(
    weights: NativeWeights | GraphWeights,
    state: TrainingState,
    schedule: Schedule,
    until: int,
    callback: Callable[[int, float], object] | None,
    every: int | Callable[[], int],
) -> None:
    """What `train` does once its arguments are checked and no other run is under way."""
    engine = new_engine(weights, state, schedule)
    try:
        while state.steps < until:
            rest = until - state.steps
            if not callback:
                train_on(engine, rest, state, schedule.steps)
                continue
            n = every() if callable(every) else every
            check_whole("every", n, 1)
            train_on(engine, min(n, rest), state, schedule.steps)
            callback(state.steps, state.losses[-1])
    finally:
        engine.finish()


def train_on(engine: NativeEngine | GraphEngine, n: int, state: TrainingState, steps: int) -> None:
    """Do the next `n` steps; an error of the arithmetic says in which it was."""
    try:
        engine.train(n)
    except (ArithmeticError, ValueError) as error:
        if type(error) not in (OverflowError, ZeroDivisionError, ValueError):
            raise
        raise type(error)(
            f"numbers left the finite in step {state.steps + 1} of {steps}: {error.args[-1]}; "
            "a smaller lr may help"
        ) from error


class Schedule(NamedTuple):
    """What a run learns from, and how: the same from its first step to its last."""

    docs: Sequence[Sequence[int]]
    steps: int
    lr: float
    batch_size: int
    threads: int | str


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def new_engine(
    weights: NativeWeights | GraphWeights, state: TrainingState, schedule: Schedule
) -> NativeEngine | GraphEngine:
    if isinstance(weights, NativeWeights):
        return NativeEngine(weights, state, schedule)
    return GraphEngine(weights, state, schedule)


class NativeEngine:
    """Trains a model of tier native, whose memory is the state's moments until `finish`."""

    def __init__(self, weights: NativeWeights, state: TrainingState, schedule: Schedule) -> None:
        self.native, self.state, self.schedule = weights.native, state, schedule
        self.native.first_moments[:] = array("d", state.m)
        self.native.second_moments[:] = array("d", state.v)
        state.m, state.v = self.native.first_moments, self.native.second_moments

    def train(self, n: int) -> None:
        """Do the next `n` steps; append the loss of each to the state's.

        On any exception weights and moments are as after the last step with a loss there.
        """
        docs, steps, lr, batch_size, threads = self.schedule
        self.native.train(
            docs,
            n,
            step=self.state.steps,
            steps=steps,
            lr=lr,
            batch_size=batch_size,
            threads=min(processors(), threads) if isinstance(threads, int) else processors(),
            cautious=threads == "auto",
            losses=self.state.losses,
        )

    def finish(self) -> None:
        """Leave the state moments of its own."""
        self.state.m = array("d", self.native.first_moments.tobytes())
        self.state.v = array("d", self.native.second_moments.tobytes())


class GraphEngine:
    """Trains a model of a tier that builds graphs; its optimizer's moments become the state's."""

    def __init__(self, weights: GraphWeights, state: TrainingState, schedule: Schedule) -> None:
        self.weights, self.tier = weights, weights.tier
        self.state, self.schedule = state, schedule
        self.params = tuple(weights.scalars())
        self.optimizer = self.tier.adam(self.params)
        self.optimizer.load_state_dict({"steps": state.steps, "m": state.m, "v": state.v})
        state.m, state.v = self.optimizer.m, self.optimizer.v
        self.optimizer.zero_grad()

    def train(self, n: int) -> None:
        """What `NativeEngine.train` does, on one thread."""
        docs, steps, lr, batch_size, _ = self.schedule
        weights, config, vector = self.weights.rows, self.weights.config, self.tier.vector
        optimizer, losses, before = self.optimizer, self.state.losses, None
        try:
            for i in range(len(losses), len(losses) + n):
                read = self.tier.read_data(self.params)
                before = len(losses), read, optimizer.m[:], optimizer.v[:]
                optimizer.steps = i
                docs_now = reference.batch(docs, i, batch_size)
                lr_now = reference.learning_rate(i, steps, lr)
                losses.append(
                    reference.training_step(weights, config, docs_now, optimizer, lr_now, vector)
                )
        except BaseException:
            if before and before[0] == len(losses):
                for p, data in zip(self.params, before[1]):
                    p.data = data
                optimizer.m[:], optimizer.v[:] = before[2:]
            optimizer.zero_grad()
            raise

    def finish(self) -> None:
        """Nothing: the state has had the moments from the beginning."""


class Evaluation(NamedTuple):
    """What `evaluate` found; predictions are of characters and of the ends of documents."""

    documents: int
    predictions: int
    loss: float  #: mean of the documents' losses, as in training, in nats
    nats: float  #: mean over all predictions, in nats
    bits: float  #: the same in bits


def evaluate(model: GPT, docs: Sequence[Sequence[int]]) -> Evaluation:
    """How well `model` predicts `docs` (token lists), cut off after `block_size` predictions.

    Rounds each sum once. Raises ValueError for no documents, or tokens that the model does not
    have, and what Python's arithmetic raises.
    """
    check_documents(docs, 0, len(docs), model.config.vocab_size)
    counts = [min(model.config.block_size, len(doc) - 1) for doc in docs]
    losses = [model.weights.loss_number(doc) for doc in docs]
    nats = math.fsum(map(float.__mul__, losses, map(float, counts))) / sum(counts)
    return Evaluation(
        len(docs), sum(counts), math.fsum(losses) / len(docs), nats, nats / math.log(2)
    )


def sample(
    model: GPT,
    tokenizer: CharTokenizer,
    *,
    rng: Random,
    temperature: float = 0.5,
    prompt: str = "",
    top_k: int | None = None,
) -> str:
    """Draw one document from `model`, character by character, with `rng.choices`.

    Divides the logits by `temperature`: towards 0 the likeliest character always wins, above 1 the
    choice becomes more even; at 0 itself, takes the likeliest and draws nothing. The document
    begins with `prompt`. With `top_k`, draws from that many likeliest tokens only; the end of the
    document is one, too.

    Raises ValueError if `temperature` is no finite number from 0 on, `top_k` no whole number from 1
    on, or the tokenizer's size not the model's; if `prompt` holds a character that the tokenizer
    does not know, or leaves the model no position.
    """
    check_temperature(temperature)
    check_rng(rng, "choices")
    if top_k is not None:
        check_whole("top_k", top_k, 1)
    if tokenizer.vocab_size != model.config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the model {model.config.vocab_size}"
        )
    bos, *ids = tokenizer.encode_prompt(prompt)
    check_prompt(len(ids), model.config.block_size)
    return tokenizer.decode(model.weights.sample(bos, rng, temperature, ids, top_k))
