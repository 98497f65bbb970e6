"""Training, evaluation and sampling: the checks, and the loop that can stop and go on anywhere.

`train` keeps the promise that a run has always completed a whole number of steps: weights, moments
and losses agree, whatever ends it. Ctrl-C can come between any two bytecodes, and numbers can leave
the finite halfway through Adam's update. So the numbers before a step are kept until its loss has
been appended to the list of losses, which is one call into C and therefore cannot happen in part;
up to that moment they are put back. Keeping them takes 12 us a step for 4,192 weights.
"""

import math
from array import array
from collections.abc import Callable, MutableSequence, Sequence
from random import Random
from typing import Any, NamedTuple, TypeAlias

from . import reference
from .model import GPT, GraphWeights, NativeWeights, check_tokens
from .text import CharTokenizer

Numbers: TypeAlias = "MutableSequence[float] | memoryview[float]"


class TrainingState:
    """Where a run stands, of any tier: Adam's moments of each weight, and the losses so far.

    `m` and `v` have a float for each weight in the order of `state_dict`, `losses` one for each
    step done. A new one stands before the first step of a model with `num_params` weights. While
    a model trains, `m` and `v` are its own: lists, arrays or memoryviews of doubles.
    """

    def __init__(self, num_params: int) -> None:
        self.m: Numbers = array("d", bytes(8 * num_params))
        self.v: Numbers = array("d", bytes(8 * num_params))
        self.losses: list[float] = []

    @property
    def steps(self) -> int:
        """The number of steps done."""
        return len(self.losses)

    def __repr__(self) -> str:
        return f"TrainingState({self.steps} steps, {len(self.m)} weights)"


def train(
    model: GPT,
    docs: Sequence[Sequence[int]],
    steps: int = 1000,
    lr: float = 0.01,
    callback: Callable[[int, float], object] | None = None,
    *,
    every: int = 1,
    batch_size: int = 1,
    threads: int = 1,
    state: TrainingState | None = None,
    until: int | None = None,
) -> list[float]:
    """Train `model` on the next `batch_size` of `docs` (token lists) a step, in order and round
    again; returns the losses of these steps, each the mean over its documents.

    Adam with betas (0.85, 0.99) and eps 1e-8; the learning rate falls linearly from `lr` to 0 over
    `steps`. `callback(step, loss)` is called after `every` steps and after the last, with the
    number of the step, counted from 1. Documents are cut off after `block_size` predictions. No
    bit depends on `threads`, or on the tier; the tiers that build graphs use one thread.

    A `state` is where to go on from, and is kept up to date; `until` is the step to stop at, if
    not the last. Together with the weights the state is all that the rest of the run depends on,
    so that a run can be stopped, saved, moved to `model.to(another tier)`, and go on.

    Raises ValueError for arguments that cannot be used, before anything is changed; OverflowError,
    ZeroDivisionError or ValueError from Python's arithmetic where training diverges, as the
    reference does. Then, and on Ctrl-C, weights and state are those of the last completed step.
    Gradients are reset to 0 before the first step and after the last.
    """
    check_training(steps, lr, batch_size, threads)
    check_whole("every", every, 1)
    if state is None:
        state = TrainingState(model.num_params)
    else:
        check_moments(state, model.num_params)
    until = steps if until is None else until
    check_until(state, steps, until)
    start = state.steps
    check_documents(docs, start * batch_size, until * batch_size, model.config.vocab_size)
    engine = new_engine(model, state)
    try:
        while state.steps < until:
            engine.train(
                docs,
                min(every, until - state.steps) if callback else until - state.steps,
                step=state.steps,
                steps=steps,
                lr=lr,
                batch_size=batch_size,
                threads=threads,
                losses=state.losses,
            )
            if callback:
                callback(state.steps, state.losses[-1])
    finally:
        engine.finish()
    return state.losses[start:]


def new_engine(model: GPT, state: TrainingState) -> "NativeEngine | GraphEngine":
    weights = model.weights
    if isinstance(weights, NativeWeights):
        return NativeEngine(weights, state)
    return GraphEngine(weights, state)


class NativeEngine:
    """Trains a model of tier native; until `finish` the state's moments are its own memory."""

    def __init__(self, weights: NativeWeights, state: TrainingState) -> None:
        self.state, self.native = state, weights.native
        self.native.first_moments[:] = array("d", state.m)
        self.native.second_moments[:] = array("d", state.v)
        state.m, state.v = self.native.first_moments, self.native.second_moments

    def train(self, docs: Sequence[Sequence[int]], n: int, **run: Any) -> None:
        """What `GraphEngine.train` does, by the same names."""
        self.native.train(docs, n, **run)

    def finish(self) -> None:
        """Leave the state moments of its own."""
        self.state.m = array("d", self.native.first_moments.tobytes())
        self.state.v = array("d", self.native.second_moments.tobytes())


class GraphEngine:
    """Trains a model of a tier that builds graphs; its moments become the state's."""

    def __init__(self, weights: GraphWeights, state: TrainingState) -> None:
        tier = weights.tier
        self.weights, self.config, self.vector = weights.rows, weights.config, tier.vector
        self.params = tuple(weights.scalars())
        self.read_data = tier.read_data
        self.optimizer = tier.adam(self.params)
        self.optimizer.load_state_dict({"steps": state.steps, "m": state.m, "v": state.v})
        state.m, state.v = self.optimizer.m, self.optimizer.v
        self.optimizer.zero_grad()

    def train(
        self,
        docs: Sequence[Sequence[int]],
        n: int,
        *,
        step: int,
        steps: int,
        lr: float,
        batch_size: int,
        threads: int,
        losses: list[float],
    ) -> None:
        """Do `n` steps, the first of them with number `step`, counted from 0; appends to `losses`.

        On any exception weights and moments are as after the last step with a loss in `losses`.
        """
        optimizer, before = self.optimizer, None
        try:
            for i in range(step, step + n):
                before = len(losses), self.read_data(self.params), optimizer.m[:], optimizer.v[:]
                optimizer.steps = i
                docs_now = reference.batch(docs, i, batch_size)
                lr_now = reference.learning_rate(i, steps, lr)
                losses.append(
                    reference.training_step(
                        self.weights, self.config, docs_now, optimizer, lr_now, self.vector
                    )
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
    """What `evaluate` found; a prediction is one of a character, or of a document's end."""

    documents: int
    predictions: int
    loss: float  #: mean of the documents' losses, as in training, in nats
    nats: float  #: mean over all predictions, in nats
    bits: float  #: the same in bits


def evaluate(model: GPT, docs: Sequence[Sequence[int]]) -> Evaluation:
    """How well `model` predicts `docs` (token lists), cut off after `block_size` predictions.

    Sums are rounded once. ValueError for no documents or tokens the model does not have, and
    what Python's arithmetic raises.
    """
    check_documents(docs, 0, len(docs), model.config.vocab_size)
    counts = [min(model.config.block_size, len(doc) - 1) for doc in docs]
    losses = [model.weights.loss_number(doc) for doc in docs]
    nats = math.fsum(map(float.__mul__, losses, map(float, counts))) / sum(counts)
    return Evaluation(
        len(docs), sum(counts), math.fsum(losses) / len(docs), nats, nats / math.log(2)
    )


def sample(model: GPT, tokenizer: CharTokenizer, *, rng: Random, temperature: float = 0.5) -> str:
    """Draw one document from `model`, character by character, with `rng.choices`.

    The logits are divided by `temperature`: towards 0 the likeliest character always wins, above 1
    the choice becomes more even; at 0 itself the likeliest is taken and nothing drawn. Raises
    ValueError for a temperature that is not a finite number from 0 on, or a tokenizer of another
    size than the model's.
    """
    check_temperature(temperature)
    if tokenizer.vocab_size != model.config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the model {model.config.vocab_size}"
        )
    return tokenizer.decode(model.weights.sample(tokenizer.bos, rng, temperature))


def check_training(steps: int, lr: float, batch_size: int = 1, threads: int = 1) -> None:
    """ValueError unless a run of `steps` at learning rate `lr` can be asked for."""
    check_whole("steps", steps, 0)
    check_whole("batch_size", batch_size, 1)
    check_whole("threads", threads, 1)
    if not (_is_finite(lr) and lr >= 0):
        raise ValueError(f"lr must be a finite number from 0 on, not {lr!r}")


def check_whole(name: str, x: int, least: int) -> None:
    """ValueError, which calls it `name`, unless `x` is a whole number from `least` on."""
    if not isinstance(x, int) or isinstance(x, bool) or x < least:
        raise ValueError(f"{name} must be a whole number from {least} on, not {x!r}")


def check_moments(state: TrainingState, num_params: int) -> None:
    """ValueError unless the moments in `state` can be those of `num_params` weights."""
    for moments in (state.m, state.v):
        try:
            array("d", moments)
            n = len(moments)
        except (TypeError, OverflowError):
            raise ValueError("a state's moments must be lists or arrays of numbers") from None
        if n != num_params:
            raise ValueError(f"the state is of {n} weights, the model has {num_params}")
    least = min(state.v)  # a NaN, where that comes first
    if least < 0 or (math.isnan(least) and any(x < 0 for x in state.v)):
        raise ValueError("a state's second moments cannot be negative")


def check_until(state: TrainingState, steps: int, until: int) -> None:
    """ValueError unless a run of `steps` can go on from `state` up to the step `until`."""
    if state.steps > steps:
        raise ValueError(f"the state has {state.steps} steps done, of {steps} asked for")
    check_whole("until", until, state.steps)
    if until > steps:
        raise ValueError(f"until must be at most the number of steps, {steps}, not {until}")


def check_documents(docs: Sequence[Sequence[int]], first: int, end: int, vocab_size: int) -> None:
    """ValueError unless the documents from `first` to before `end`, round again, can be used."""
    if not docs:
        raise ValueError("there are no documents")
    for i in range(first, min(end, first + len(docs))):
        check_tokens(docs[i % len(docs)], vocab_size, f"document {i % len(docs)}")


def check_temperature(temperature: float) -> None:
    """ValueError unless `sample` has a meaning for `temperature`."""
    if not (_is_finite(temperature) and temperature >= 0):
        raise ValueError(f"temperature must be a finite number from 0 on, not {temperature!r}")


def _is_finite(x: float) -> bool:
    try:
        return math.isfinite(x)
    except (OverflowError, TypeError):
        return False
