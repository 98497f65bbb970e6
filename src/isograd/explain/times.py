"""How long a step of a run takes on each tier of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
    unjudged = replace(recording.options, validation=None, keep="last", patience=None)
    options = unjudged.of_train()
    rng = Random(unjudged.seed)
    model = GPT(recording.config, rng=rng, tier=tier, init_std=unjudged.init_std)
    state, spent = TrainingState(model.num_params), 0.0
    while spent < SECONDS and state.steps < unjudged.steps:
        until = min(unjudged.steps, 2 * state.steps + 1)
        start = perf_counter()
        train(model, tokens, state=state, until=until, **options)
        spent += perf_counter() - start
    return float(f"{spent / state.steps * 1e6:.3g}")
