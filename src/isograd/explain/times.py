"""How long a step of a run takes on each tier of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from time import perf_counter

from ..model import GPT, TIERS
from ..training import TrainingState, train
from .record import Recording, tokens_of

SECONDS = 0.5  # for each tier, about


def microseconds_a_step(recording: Recording) -> dict[str, float]:
    """By tier: the mean over as many of the run's first steps as SECONDS hold."""
    tokens = tokens_of(recording)
    return {tier: microseconds(tier, recording, tokens) for tier in TIERS}


def microseconds(tier: str, recording: Recording, tokens: Sequence[Sequence[int]]) -> float:
    options = recording.options
    model = GPT(recording.config, rng=Random(options.seed), tier=tier)
    state, spent = TrainingState(model.num_params), 0.0
    while spent < SECONDS and state.steps < options.steps:
        until = min(options.steps, 2 * state.steps + 1)
        start = perf_counter()
        train(
            model,
            tokens,
            options.steps,
            options.lr,
            batch_size=options.batch_size,
            state=state,
            until=until,
        )
        spent += perf_counter() - start
    return float(f"{spent / state.steps * 1e6:.3g}")
