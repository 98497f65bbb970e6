"""Options of a run, drawn at random: every tier trains to the reference's bits, or its error."""

import random
from array import array
from dataclasses import replace

import pytest
from bits import bits
from conftest import n_cases
from hypothesis import given, settings
from hypothesis import strategies as st

import isograd
from isograd import training
from isograd.model import TIERS
from isograd.options import RunOptions
from isograd.runs import new_run

ARITHMETIC = (ArithmeticError, ValueError)
NAMES = ["ana", "bea", "abe", "ada", "dab", "b", "cab", "dede", "eda", "bade", "acceded", "bed"]


def random_options(rng):
    """Options of a small run in which anything may be other than usual."""

    def maybe(usual, *others):
        return rng.choice((usual, *others))

    steps, n_head = rng.randint(1, 7), rng.randint(1, 2)
    held_out = maybe(None, 0.1, 0.4)
    return RunOptions(
        steps=steps,
        batch_size=rng.randint(1, 3),
        seed=rng.randrange(1000),
        n_layer=rng.randint(1, 2),
        n_embd=n_head * rng.randint(1, 4),
        n_head=n_head,
        block_size=rng.randint(1, 6),
        activation=maybe("relu", "relu2"),
        tie_weights=maybe(False, True),
        init_std=maybe(0.08, 0.0, 1.0, 30.0, 1e80, 1e155),
        lr=maybe(0.01, 0.0, 1.0, 1e-30),
        schedule=maybe("linear", "cosine", "constant"),
        warmup=rng.randint(0, steps),
        beta1=maybe(0.85, 0.0, 0.9, 0.999999),
        beta2=maybe(0.99, 0.0, 0.95),
        eps=maybe(1e-8, 0.0, 1e-3),
        weight_decay=maybe(0.0, 0.1, 3.0),
        clip_norm=maybe(None, 1.0, 1e-3, 1e-200, 50.0),
        validation=held_out,
        eval_every=rng.randint(1, 4),
        keep=maybe("last", "best") if held_out else "last",
        patience=maybe(None, 1, 2) if held_out else None,
        temperature=maybe(0.5, 0.0, 3.0),
        samples=2,
    )


def outcome(options, tier, **others):
    """All that a run leaves, as text that is equal where the bits are."""
    run = new_run(options, NAMES, tier=tier)
    error = None
    try:
        losses = run.train(options, **others)
    except ARITHMETIC as raised:
        losses, error = [], type(raised).__name__
    state = run.state
    try:
        samples = [
            isograd.sample(run.model, run.tokenizer, rng=run.rng, temperature=options.temperature)
            for _ in range(options.samples)
        ]
    except ARITHMETIC as raised:
        samples = type(raised).__name__
    return {
        "error": error,
        "losses": list(map(bits, losses)),
        "state": list(map(bits, state.losses)),
        "validation": [(step, bits(loss)) for step, loss in state.validation],
        "weights": [bits(float(x)) for x in run.model.read_data()],
        "m": list(map(bits, state.m)),
        "v": list(map(bits, state.v)),
        "samples": samples,
    }


@given(st.integers(0, 2**32))
@settings(max_examples=n_cases(150), deadline=None)
def test_every_tier_trains_to_the_references_bits(seed):
    options = random_options(random.Random(seed))
    expected = outcome(options, "reference")
    for tier in TIERS:
        if tier != "reference":
            actual = outcome(options, tier, threads=1 + seed % 3)
            for what, numbers in expected.items():
                assert actual[what] == numbers, (tier, what, options)


@given(st.integers(0, 2**32))
@settings(max_examples=n_cases(40), deadline=None)
def test_a_run_that_pauses_and_changes_tiers_ends_the_same(seed):
    rng = random.Random(seed)
    options = replace(random_options(rng), init_std=0.08, clip_norm=rng.choice((None, 0.1)))
    whole, paused = (new_run(options, NAMES, tier="reference") for _ in range(2))
    try:
        whole.train(options)
    except ARITHMETIC:
        return
    for _ in range(50):
        until = min(options.steps, paused.state.steps + rng.randint(1, 3))
        paused.train(options, until=until)
        paused = paused._replace(model=paused.model.to(rng.choice(TIERS)))
        if until == options.steps:
            break
    for numbers in ("m", "v", "losses"):
        ends = (getattr(run.state, numbers) for run in (paused, whole))
        assert len({tuple(map(bits, end)) for end in ends}) == 1, options
    assert paused.state.validation == whole.state.validation
    ends = (run.model.read_data() for run in (paused, whole))
    assert len({tuple(bits(float(x)) for x in end) for end in ends}) == 1, options


A, B, BOS = range(3)


def model_with_two_errors(tier):
    """The square of a relu overflows at the token A; after B the tokens A and BOS have no
    probability, so that the logarithm fails."""
    config = isograd.GPTConfig(3, n_embd=2, n_head=1, block_size=3, activation="relu2")
    model = isograd.GPT(config, rng=random.Random(0), tier=tier, init_std=0.0)
    weights = {name: view.tolist() for name, view in model.arrays().items()}
    weights["wte"] = [[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]]
    weights["layer0.mlp_fc1"][5] = [1e160, -1e160]
    weights["lm_head"] = [[1000.0, -1000.0], [0.0, 0.0], [1000.0, -1000.0]]
    model.load_state_dict(weights)
    return model


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(
    "docs",
    [
        [[BOS, A, BOS]],
        [[BOS, B, BOS]],
        [[BOS, A, BOS], [BOS, B, BOS]],
        [[BOS, B, BOS], [BOS, A, BOS]],
        [[BOS, B, A, BOS]],
        [[BOS, B, B, A, BOS]],
        [[BOS, B, B, BOS], [BOS, B, A, BOS], [BOS, A, BOS]],
        [[BOS, BOS], [BOS, BOS], [BOS, A, B, BOS], [BOS, B, BOS], [BOS, B, A, BOS]],
    ],
)
def test_the_first_of_two_errors_is_raised(tier, docs):
    def error(tier, threads=1):
        model = model_with_two_errors(tier)
        try:
            isograd.train(model, docs, 1, batch_size=len(docs), threads=threads)
        except ARITHMETIC as raised:
            return type(raised)

    expected = error("reference")
    assert expected in (OverflowError, ValueError)
    assert [error(tier, threads) for threads in (1, 2, 3)] == [expected] * 3


def test_a_run_remembers_every_number_of_steps_that_it_was_to_have():
    first = RunOptions(steps=10)
    second = first.extended_at(4, 20)
    assert second.extended == ((4, 10),)
    assert second.extended_at(4, 30).extended == ((4, 10),)
    assert second.extended_at(4, 10) == first
    assert second.extended_at(3, 40).extended == ((3, 10),)
    third = second.extended_at(7, 30)
    assert third.extended == ((4, 10), (7, 20))
    assert list(map(third.steps_at, range(10))) == [10] * 4 + [20] * 3 + [30] * 3
    assert first.extended_at(0, 30) == RunOptions(steps=30)


def test_a_share_is_no_list_of_documents():
    model = model_with_two_errors("fused")
    with pytest.raises(TypeError, match=r"validation must be a list .* not 0.1; isograd.hold_out"):
        isograd.train(model, [[BOS, BOS]], 1, validation=0.1)


@pytest.mark.parametrize("tier", TIERS)
def test_a_square_overflows_in_questions_and_samples_too(tier):
    model = model_with_two_errors(tier)
    with pytest.raises(OverflowError):
        model.logits([BOS, A])
    with pytest.raises(OverflowError):
        model.loss([BOS, A, BOS])


@pytest.mark.parametrize(
    "options, words",
    [
        ({"eps": float("inf")}, "betas and eps must be finite numbers, not"),
        ({"tie_weights": 1}, "tie_weights must be True or False, not 1"),
        ({"schedule": "step"}, "schedule must be one of linear, cosine, constant, not 'step'"),
        ({"keep": "all"}, "keep must be one of last, best, not 'all'"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        RunOptions(**options)


@pytest.mark.parametrize("tier", TIERS)
def test_an_interruption_does_not_leave_the_best_step_in_part(tier, monkeypatch):
    options = RunOptions(
        steps=8, n_embd=4, n_head=2, block_size=4, lr=1.0, schedule="constant", validation=0.2,
        eval_every=1, keep="best",
    )  # fmt: skip
    expected = outcome(options, tier)
    assert len(expected["state"]) < 8
    whole, calls = training.Judge.put_back, []

    def put_back(self, engine, best):
        whole(self, engine, best)
        calls.append(best)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.Judge, "put_back", put_back)
    run = new_run(options, NAMES, tier=tier)
    with pytest.raises(KeyboardInterrupt):
        run.train(options)
    assert len(calls) == 2
    assert list(map(bits, run.state.losses)) == expected["state"]
    assert [bits(float(x)) for x in run.model.read_data()] == expected["weights"]


def test_the_steps_of_a_checkpoint_with_validation_losses_are_checked(tmp_path):
    options = RunOptions(steps=4, n_embd=4, n_head=2, validation=0.2, eval_every=2)
    run = new_run(options, NAMES)
    run.train(options)
    path = tmp_path / "run.safetensors"

    def saved(validation):
        run.state.validation = validation
        content = (run.model, run.tokenizer, run.state, run.rng.getstate(), options.kept(), "")
        isograd.save_checkpoint(path, isograd.Checkpoint(*content))

    saved([(2, 0.5), (4, 0.25)])
    found = isograd.load_checkpoint(path)
    assert found.state.validation == [(2, 0.5), (4, 0.25)]
    assert repr(found).startswith("Checkpoint(GPT(") and len(repr(found)) < 500
    for odd in ([(4, 0.5), (2, 0.25)], [(5, 0.5)], [(2.5, 0.5)], [(2, 1.0), (2, 1.0)]):
        saved(odd)
        with pytest.raises(ValueError, match="validation must be of steps done, in their order"):
            isograd.load_checkpoint(path)


def test_a_page_of_a_run_with_validation_documents_of_their_own(tmp_path):
    (tmp_path / "others.txt").write_text("abba\ndada\n")
    options = {"steps": 4, "n_embd": 4, "n_head": 2, "eval_every": 2, "samples": 1}
    page = isograd.explain(data=NAMES, validation=str(tmp_path / "others.txt"), **options)
    run = new_run(page.recording.options, NAMES)
    run.train(page.recording.options)
    assert page.recording.validation == run.state.validation
    assert len(run.state.validation) == 2


def test_a_prompt_is_a_text():
    run = new_run(RunOptions(n_embd=4, n_head=2), NAMES)
    with pytest.raises(TypeError, match="prompt must be a text, not "):
        isograd.sample(run.model, run.tokenizer, rng=run.rng, prompt=[1, 2])


@pytest.mark.parametrize("tier", TIERS)
def test_logits_that_are_no_numbers_leave_nothing_to_draw_from(tier):
    run = new_run(RunOptions(n_embd=4, n_head=2), NAMES, tier=tier)
    weights = {name: view.tolist() for name, view in run.model.arrays().items()}
    weights["lm_head"][0][0] = float("nan")
    run.model.load_state_dict(weights)
    for top_k in (None, 2):
        with pytest.raises(ValueError, match="Total of weights must be finite"):
            isograd.sample(run.model, run.tokenizer, rng=run.rng, top_k=top_k)


def test_a_tensor_of_validation_losses_has_pairs():
    from isograd.checkpoint import _pairs

    with pytest.raises(ValueError, match="validation must be pairs of numbers"):
        _pairs(([3], array("d", [1.0, 2.0, 3.0])), steps=4)


@pytest.mark.skipif(isograd.backend != "c", reason="nothing is compiled")
def test_only_values_are_clipped_and_scaled():
    from isograd import _core

    for change in (_core.clip_gradients, _core.scale_data):
        with pytest.raises(TypeError, match=r"params\[1\] must be a Value, not 'int'"):
            change((isograd.Value(1.0), 2), 0.5)
