"""One trial: a run for each of its seeds, and what is told of them.

What trials have in common is kept: the order of the documents for each seed, and their tokens. With
the default options a run of 1,000 steps takes 10 ms, and making these as much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

from ..options import RunOptions
from ..runs import Run, run_on, split
from ..text import CharTokenizer

Report: TypeAlias = Callable[[int, float], bool]  # of a step and its validation loss; False stops


class Outcome(NamedTuple):
    """What became of a trial: the loss of each seed, inf where it diverged, NaN if unknown."""

    losses: list[float]
    steps: int = 0  # of all seeds together
    seconds: float = 0.0
    reason: str = ""  # why there is no loss, or inf
    pruned: bool = False

    def judged(self, by: str) -> float:
        """The loss that the trial is judged by, "mean" or "best" of its seeds'."""
        if by == "best":
            return min(self.losses, key=worth)
        return math.fsum(self.losses) / len(self.losses)

    @property
    def best(self) -> int:
        """Which seed has the least loss, counted from 0; the first of equals."""
        return min(range(len(self.losses)), key=lambda k: worth(self.losses[k]))


def worth(loss: float) -> float:
    """What to order losses by: no loss is as bad as any."""
    return math.inf if math.isnan(loss) else loss


class Documents:
    """The documents of a sweep, and what has been made of them."""

    def __init__(self, texts: Sequence[str], others: Sequence[str] | None) -> None:
        self.texts, self.others = texts, others
        self.tokenizer = CharTokenizer(texts)
        self.ordered = lru_cache(maxsize=64)(self.order)
        self.encoded = lru_cache(maxsize=16)(self.encode)

    def order(self, seed: int, validation: float | str | None) -> tuple[Any, ...]:
        """Those to learn from, in the order of training, those held out, the generator's state."""
        rng = Random(seed)
        shared = RunOptions(seed=seed, validation=validation)
        return (*split(shared, self.texts, rng, self.others), rng.getstate())

    def encode(
        self, seed: int, validation: float | str | None, needed: int, block_size: int
    ) -> tuple[Any, ...]:
        """The tokens of those that a run needs, and of those held out."""
        docs, held_out, _ = self.ordered(seed, validation)
        encode = self.tokenizer.encode_beginnings
        return encode(docs[:needed], block_size), encode(held_out, block_size) or None

    def run(self, options: RunOptions) -> Run:
        """What `new_run` makes of `options`."""
        docs, held_out, state = self.ordered(options.seed, options.validation)
        rng = Random()
        rng.setstate(state)
        return run_on(options, docs, held_out, self.tokenizer, rng)

    def tokens(self, options: RunOptions) -> dict[str, Any]:
        """What `Run.train` takes: the tokens of the documents, and of those held out."""
        needed = max(1, options.steps * options.batch_size)
        docs, held_out = self.encoded(options.seed, options.validation, needed, options.block_size)
        return {"docs": docs, "validation": held_out}


def run_trial(
    options: dict[str, Any], seeds: int, documents: Documents, report: Report | None = None
) -> Outcome:
    """Train with `options` once for each of `seeds` seeds, from the options' own on.

    Calls `report` with each validation loss of the first seed.
    """
    losses: list[float] = []
    reasons: list[str] = []
    steps, start, first = 0, perf_counter(), options["seed"]
    for seed in range(first, first + seeds):
        try:
            chosen = RunOptions(**options | {"seed": seed})
            if chosen.steps == 0:
                raise ValueError("a run of 0 steps has no loss")
            run, tokens = documents.run(chosen), documents.tokens(chosen)
            loss, reason = train(run, chosen, tokens, report if seed == first else None)
        except (ValueError, MemoryError) as error:
            reason = str(error) or f"memory ran out with seed {seed}"
            return Outcome([math.nan] * seeds, steps, perf_counter() - start, reason)
        steps += run.state.steps
        losses.append(loss)
        reasons += [reason] * bool(reason)
        if math.isnan(loss):
            losses = [math.nan] * seeds
            return Outcome(losses, steps, perf_counter() - start, reason, pruned=True)
    return Outcome(losses, steps, perf_counter() - start, "; ".join(reasons))


def train(
    run: Run, options: RunOptions, tokens: dict[str, Any], report: Report | None
) -> tuple[float, str]:
    """The run's loss, and the reason if that is inf, or NaN because `report` stopped it."""
    stopped = False

    def callback(step: int, _: float) -> bool:
        nonlocal stopped
        stopped = report is not None and not report(step, run.state.validation[-1][1])
        return not stopped

    every: dict[str, Any] = {}
    if report:
        every = {"callback": callback, "every": options.eval_every}
    try:
        run.train(options, **tokens, **every)
    except (ArithmeticError, ValueError) as error:
        where = f"with seed {options.seed} in step {run.state.steps + 1}"
        cause = error.__cause__ or error  # Python's own words, without remedy
        return math.inf, f"diverged {where}: {cause.args[-1] if cause.args else cause}"
    loss = final_loss(run)
    if stopped:
        return math.nan, f"pruned in step {run.state.steps}, its validation loss {loss:.4f}"
    if not math.isfinite(loss):
        losses = enumerate(run.state.losses, 1)
        step = next((step for step, x in losses if not math.isfinite(x)), run.state.steps)
        return math.inf, f"diverged with seed {options.seed} in step {step}: its loss is {loss}"
    return loss, ""


def final_loss(run: Run) -> float:
    """What a run is judged by: its last validation loss, of the weights that it ends with.

    Without validation, the mean loss of the last tenth of its steps, at least of one.
    """
    if run.state.validation:
        return run.state.validation[-1][1]
    last = run.state.losses[-max(1, run.state.steps // 10) :]
    return math.fsum(last) / len(last)
