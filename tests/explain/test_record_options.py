"""Recording runs with options, drawn at random: the run that training makes, on both engines."""

import random
from dataclasses import replace

import pytest
from bits import bits
from conftest import n_cases
from hypothesis import given, settings
from hypothesis import strategies as st
from test_options import ARITHMETIC, NAMES, random_options

import isograd
from isograd.explain import record
from isograd.explain.digest import digest_of
from isograd.explain.payload import About, pack
from isograd.model import TIERS
from isograd.runs import new_run

ABOUT = About(data="documents", sha256="0" * 64, command="isograd explain")


def trained(options):
    """Losses, validation losses, weights and samples as `isograd train` gets them, in stretches."""
    run = new_run(options, NAMES)
    for end, steps in (*options.extended, (options.steps, options.steps)):
        run.train(replace(options, steps=steps), until=end)
    samples = [
        isograd.sample(run.model, run.tokenizer, rng=run.rng, temperature=options.temperature)
        for _ in range(options.samples)
    ]
    return run.state.losses, run.state.validation, list(run.model.read_data()), samples


def recording_of(options):
    """What was recorded; None where training diverges."""
    try:
        return record.record_run(NAMES, options)
    except ARITHMETIC:
        return None


def extended_at_random(options, rng):
    """Perhaps the same run, made in two stretches of which the first was to be longer."""
    end = rng.randint(1, options.steps)
    former = max(rng.randint(end, options.steps + 3), options.warmup)
    return replace(options, extended=rng.choice([(), ((end, former),)]), keep="last")


@given(st.integers(0, 2**32))
@settings(max_examples=n_cases(40), deadline=None)
def test_the_recorded_run_is_the_one_that_train_makes(seed):
    rng = random.Random(seed)
    options = random_options(rng)
    if options.patience is None and options.keep == "last":
        options = extended_at_random(options, rng)
    found = recording_of(options)
    if found is None:
        return
    losses, validation, weights, samples = trained(options)
    assert found.losses[: found.kept] == losses
    until_then = [pair for pair in found.validation if pair[0] <= found.kept]
    assert [(step, bits(x)) for step, x in until_then] == [
        (step, bits(x)) for step, x in validation
    ]
    assert digest_of(weights) == found.digests[8 * found.kept - 8 : 8 * found.kept]
    assert found.samples == samples
    assert found.kept < found.steps or digest_of(found.keyframes[-1].weights) == digest_of(weights)


@pytest.mark.slow
@pytest.mark.skipif("native" not in TIERS, reason="nothing is compiled")
def test_both_engines_record_the_same(monkeypatch):
    for seed in range(40):
        options = random_options(random.Random(seed))
        monkeypatch.setattr(record, "TIERS", TIERS)
        native = recording_of(options)
        monkeypatch.setattr(record, "TIERS", ("reference",))
        reference = recording_of(options)
        assert (native is None) == (reference is None), options
        if native:
            assert native.exceptions == reference.exceptions, options
            payload = pack(native, ABOUT)
            assert payload == pack(reference, ABOUT), options
