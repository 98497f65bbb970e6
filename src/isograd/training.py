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
from bisect import bisect_right
from collections.abc import Callable, MutableSequence, Sequence
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple, Protocol, TypeAlias

from . import reference
from ._backend import NativeGPT
from .checks import (
    check_class,
    check_documents,
    check_held_out,
    check_moments,
    check_prompt,
    check_rng,
    check_schedule,
    check_temperature,
    check_training,
    check_until,
    check_update,
    check_validation,
    check_whole,
)
from .model import GPT, GraphWeights, NativeWeights
from .text import CharTokenizer

Moments: TypeAlias = "MutableSequence[float] | memoryview[float]"


class TrainingState:
    """Where a run stands, of any tier: Adam's moments of each weight, and the losses so far.

    `m` and `v` have a float for each weight in the order of `state_dict`, `losses` one for each
    step done, `validation` a pair (step, loss) for each time that the validation loss was asked
    for. A new state stands before the first step of a model with `num_params` weights. While a
    model trains, `m` and `v` belong to it: lists, arrays or memoryviews of doubles.
    """

    def __init__(self, num_params: int) -> None:
        self.m: Moments = array("d", bytes(8 * num_params))
        self.v: Moments = array("d", bytes(8 * num_params))
        self.losses: list[float] = []
        self.validation: list[tuple[int, float]] = []

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
        return {**vars(self), **own, "losses": self.losses[:], "validation": self.validation[:]}

    def best_step(self) -> int:
        """The step with the least validation loss, the first of equals; 0 before there is one."""
        found = min(self.validation, key=lambda pair: (math.isnan(pair[1]), pair[1]), default=None)
        return found[0] if found else 0

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
    schedule: str = "linear",
    warmup: int = 0,
    betas: tuple[float, float] = (0.85, 0.99),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    validation: Sequence[Sequence[int]] | None = None,
    eval_every: int = 100,
    keep: str = "last",
    patience: int | None = None,
    state: TrainingState | None = None,
    until: int | None = None,
) -> list[float]:
    """Train `model` on the next `batch_size` of `docs` (token lists) a step, in order and round
    again; returns the losses of these steps, each the mean over its documents.

    Uses `reference.Adam` with `betas`, `eps`, `weight_decay` and `clip_norm`. The learning rate is
    `reference.learning_rate`: it rises to `lr` in `warmup` steps, then falls to 0 at the step
    `steps`, linearly, or as `schedule` says: "linear", "cosine" or "constant". Cuts documents off
    after `block_size` predictions.

    Calls `callback(step, loss)` after `every` steps and after the last, with the number of the
    step, counted from 1; stops where it returns False. Asks `every()` each time how many steps come
    next, if that is a function, so a caller can go by the clock.

    With `validation` documents, appends (step, their loss) to `state.validation` after every
    `eval_every` steps and after the last: `evaluate(...).loss`, or infinity where that raises. No
    step depends on it. With `patience`, stops once that many losses in a row were no better than
    the best one. With keep="best", weights and state go back in the end to the best one's step,
    if that is one of this call; "last" leaves them as they are.

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
    check_class("model", model, GPT)
    check_training(steps, lr, batch_size, threads)
    if not callable(every):
        check_whole("every", every, 1)
    if state is None:
        state = TrainingState(model.num_params)
    else:
        check_moments(state, model.num_params)
    check_schedule(schedule, warmup, steps)
    check_update(betas, eps, weight_decay, clip_norm)
    check_validation(validation is not None, eval_every, keep, patience)
    until = steps if until is None else until
    check_until(state, steps, until)
    start = state.steps
    check_documents(docs, start * batch_size, until * batch_size, model.config.vocab_size)
    judge = None
    if validation is not None:
        check_held_out(validation)
        check_documents(validation, 0, len(validation), model.config.vocab_size)
        judge = Judge(model, validation, state, steps, eval_every, patience)
    recipe = Recipe(
        docs, steps, lr, batch_size, threads, schedule, warmup, betas, eps, weight_decay, clip_norm
    )
    losses: list[float] = []

    def run_here() -> None:
        engine = new_engine(model.weights, state, recipe)
        try:
            run(engine, until, callback, every, judge)
            losses.extend(state.losses[start:])
            if judge and keep == "best":
                judge.go_back(engine)
        finally:
            engine.finish()

    model.one_run(run_here)
    return losses


def run(
    engine: NativeEngine | GraphEngine,
    until: int,
    callback: Callable[[int, float], object] | None,
    every: int | Callable[[], int],
    judge: Judge | None,
) -> None:
    """What `train` does once its arguments are checked and no other run is under way."""
    state = engine.state
    call = state.steps if callback else until
    over = False
    if judge:
        judge.begin(engine)
        over = bool(state.steps) and judge.is_enough(engine)  # an interruption may have been first
    while state.steps < until and not over:
        if callback and state.steps == call:
            n = every() if callable(every) else every
            check_whole("every", n, 1)
            call = min(until, call + n)
        pause = min(call, judge.next_step(state.steps)) if judge else call
        train_on(engine, pause - state.steps)
        over = bool(judge and judge.is_enough(engine))
        if callback and (over or state.steps == call):
            over = callback(state.steps, state.losses[-1]) is False or over


def train_on(engine: NativeEngine | GraphEngine, n: int) -> None:
    """Do the next `n` steps; an error of the arithmetic says in which it was."""
    try:
        engine.train(n)
    except (ArithmeticError, ValueError) as error:
        if type(error) not in (OverflowError, ZeroDivisionError, ValueError):
            raise
        step, steps = engine.state.steps + 1, engine.recipe.steps
        reason = error.args[-1] if error.args else "no reason given"
        raise type(error)(
            f"numbers left the finite in step {step} of {steps}: {reason}; a smaller lr may help"
        ) from error


class Recipe(NamedTuple):
    """What a run learns from, and how: the same from its first step to its last."""

    docs: Sequence[Sequence[int]]
    steps: int
    lr: float
    batch_size: int
    threads: int | str
    schedule: str
    warmup: int
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    clip_norm: float | None


class Numbers(NamedTuple):
    """All that a step changes: arrays of doubles, or lists."""

    weights: Any
    m: Any
    v: Any


class Movable(Protocol):
    """What holds these numbers."""

    def read(self) -> Numbers: ...
    def write(self, numbers: Numbers) -> None: ...


class NativeMemory:
    """Where the numbers of a native model are: Movable."""

    native: NativeGPT

    def read(self) -> Numbers:
        """Copies of all numbers that a step changes."""
        native = self.native
        parts = (native.weights, native.first_moments, native.second_moments)
        return Numbers(*(array("d", part.tobytes()) for part in parts))

    def write(self, numbers: Numbers) -> None:
        """Put back what `read` returned."""
        native = self.native
        native.weights[:], native.first_moments[:], native.second_moments[:] = numbers


class Judge:
    """Looks at the validation loss every now and then, and remembers where it was least."""

    def __init__(
        self,
        model: GPT,
        docs: Sequence[Sequence[int]],
        state: TrainingState,
        steps: int,
        eval_every: int,
        patience: int | None,
    ) -> None:
        self.model, self.docs, self.state = model, docs, state
        self.steps, self.eval_every, self.patience = steps, eval_every, patience
        self.best: Numbers | None = None  # those after the state's best step, if known

    def begin(self, engine: Movable) -> None:
        """Remember where the run stands, if it has not been better."""
        if self.state.steps and self.state.best_step() == self.state.steps:
            self.best = engine.read()

    def next_step(self, step: int) -> int:
        """The next step after which to look."""
        return min(self.steps, (step // self.eval_every + 1) * self.eval_every)

    def is_enough(self, engine: Movable) -> bool:
        """Look, if it is time to; whether patience is at an end."""
        step, past = self.state.steps, self.state.validation
        if step % self.eval_every and step != self.steps:
            return False
        if not past or past[-1][0] != step:
            past.append((step, self.loss()))
        best_step = self.state.best_step()
        if best_step == step:
            self.best = engine.read()
        since = sum(step > best_step for step, _ in past)
        return self.patience is not None and since >= self.patience

    def loss(self) -> float:
        """The validation loss, infinite where a document has no probability at all."""
        try:
            return mean(self.model.weights.losses(self.docs))
        except (ArithmeticError, ValueError):
            return math.inf

    def go_back(self, engine: Movable) -> None:
        """Leave weights and state as they were at the best step, if that is known."""
        if not self.best or self.state.best_step() == self.state.steps:
            return
        try:
            self.put_back(engine, self.best)
        except BaseException:  # Ctrl-C: not in part
            self.put_back(engine, self.best)
            raise

    def put_back(self, engine: Movable, best: Numbers) -> None:
        step, past = self.state.best_step(), self.state.validation
        engine.write(best)
        del self.state.losses[step:]
        del past[bisect_right(past, step, key=itemgetter(0)) :]


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def new_engine(
    weights: NativeWeights | GraphWeights, state: TrainingState, recipe: Recipe
) -> NativeEngine | GraphEngine:
    if isinstance(weights, NativeWeights):
        return NativeEngine(weights, state, recipe)
    return GraphEngine(weights, state, recipe)


class NativeEngine(NativeMemory):
    """Trains a model of tier native, whose memory is the state's moments until `finish`."""

    def __init__(self, weights: NativeWeights, state: TrainingState, recipe: Recipe) -> None:
        self.native, self.state, self.recipe = weights.native, state, recipe
        self.settings = recipe._asdict()  # the rest of it is handed over in other ways
        del self.settings["docs"], self.settings["threads"]
        self.native.first_moments[:] = array("d", state.m)
        self.native.second_moments[:] = array("d", state.v)
        state.m, state.v = self.native.first_moments, self.native.second_moments

    def train(self, n: int) -> None:
        """Do the next `n` steps; append the loss of each to the state's.

        On any exception weights and moments are as after the last step with a loss there.
        """
        threads = self.recipe.threads
        self.native.train(
            self.recipe.docs,
            n,
            step=self.state.steps,
            threads=min(processors(), threads) if isinstance(threads, int) else processors(),
            cautious=threads == "auto",
            losses=self.state.losses,
            **self.settings,
        )

    def finish(self) -> None:
        """Leave the state moments of its own."""
        self.state.m = array("d", self.native.first_moments.tobytes())
        self.state.v = array("d", self.native.second_moments.tobytes())


class GraphEngine:
    """Trains a model of a tier that builds graphs; its optimizer's moments become the state's."""

    def __init__(self, weights: GraphWeights, state: TrainingState, recipe: Recipe) -> None:
        self.weights, self.tier = weights, weights.tier
        self.state, self.recipe = state, recipe
        self.params = tuple(weights.scalars())
        names = ("lr", "betas", "eps", "weight_decay", "clip_norm")
        self.optimizer = self.tier.adam(self.params, *(getattr(recipe, name) for name in names))
        self.optimizer.load_state_dict({"steps": state.steps, "m": state.m, "v": state.v})
        state.m, state.v = self.optimizer.m, self.optimizer.v
        self.optimizer.zero_grad()

    def train(self, n: int) -> None:
        """What `NativeEngine.train` does, on one thread."""
        recipe, optimizer, losses, before = self.recipe, self.optimizer, self.state.losses, None
        weights, config, vector = self.weights.rows, self.weights.config, self.tier.vector
        try:
            for i in range(len(losses), len(losses) + n):
                before = len(losses), self.read()
                optimizer.steps = i
                docs_now = reference.batch(recipe.docs, i, recipe.batch_size)
                lr_now = reference.learning_rate(
                    i, recipe.steps, recipe.lr, recipe.schedule, recipe.warmup
                )
                losses.append(
                    reference.training_step(weights, config, docs_now, optimizer, lr_now, vector)
                )
        except BaseException:
            if before and before[0] == len(losses):
                self.write(before[1])
            optimizer.zero_grad()
            raise

    def read(self) -> Numbers:
        """What `NativeEngine.read` returns."""
        optimizer = self.optimizer
        return Numbers(self.tier.read_data(self.params), optimizer.m[:], optimizer.v[:])

    def write(self, numbers: Numbers) -> None:
        """Put back what `read` returned."""
        for p, data in zip(self.params, numbers.weights):
            p.data = data
        self.optimizer.m[:], self.optimizer.v[:] = numbers.m, numbers.v

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
    check_class("model", model, GPT)
    check_documents(docs, 0, len(docs), model.config.vocab_size)
    counts = [min(model.config.block_size, len(doc) - 1) for doc in docs]
    losses = model.weights.losses(docs)
    nats = math.fsum(map(float.__mul__, losses, map(float, counts))) / sum(counts)
    return Evaluation(len(docs), sum(counts), mean(losses), nats, nats / math.log(2))


def mean(losses: Sequence[float]) -> float:
    """Rounds the sum once."""
    return math.fsum(losses) / len(losses)


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
    check_class("model", model, GPT)
    check_temperature(temperature)
    check_rng(rng, "choices")
    if not isinstance(prompt, str):
        raise TypeError(f"prompt must be a text, not {prompt!r}")
    if top_k is not None:
        check_whole("top_k", top_k, 1)
    if tokenizer.vocab_size != model.config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the model {model.config.vocab_size}"
        )
    ids = tokenizer.encode_prompt(prompt)[1:] if prompt else []
    check_prompt(len(ids), model.config.block_size)
    return tokenizer.decode(model.weights.sample(tokenizer.bos, rng, temperature, ids, top_k))
