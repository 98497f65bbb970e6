"""The model, its training and sampling, through the public calls and on every tier."""

import _thread
import math
import random
import threading

import pytest
from bits import bits

import isograd

TIERS = list(isograd.model.TIERS)
SIZES = {"n_layer": 2, "n_embd": 4, "n_head": 2, "block_size": 4}
TOKENIZER = isograd.CharTokenizer(["abc"])
DOCS = [TOKENIZER.encode(doc) for doc in ["ab", "cabba", "", "c"]]


@pytest.fixture(params=TIERS)
def tier(request):
    return request.param


def new_model(tier="value", seed=1, **sizes):
    config = isograd.GPTConfig(vocab_size=TOKENIZER.vocab_size, **{**SIZES, **sizes})
    return isograd.GPT(config, rng=random.Random(seed), tier=tier)


def parameters(model):
    return [p for rows in model.state_dict().values() for row in rows for p in row]


def weights(model):
    return [bits(p.data) for p in parameters(model)]


# Sizes


def test_sizes_of_the_original_are_the_default():
    config = isograd.GPTConfig(vocab_size=27)
    assert (config.n_layer, config.n_embd, config.n_head, config.block_size) == (1, 16, 4, 16)
    assert config == isograd.GPTConfig(27, 1, 16, 4, 16)


@pytest.mark.parametrize("name", ["vocab_size", "n_layer", "n_embd", "n_head", "block_size"])
@pytest.mark.parametrize("size", [0, -1, 1.0, math.nan, True, "4", None])
def test_sizes_are_whole_numbers_from_1_on(name, size):
    with pytest.raises(ValueError, match=f"{name} must be a whole number from 1 on, not {size!r}"):
        isograd.GPTConfig(**{"vocab_size": 4, **SIZES, name: size})


@pytest.mark.parametrize("n_embd, n_head", [(16, 3), (4, 8), (1, 2)])
def test_heads_share_the_features_evenly(n_embd, n_head):
    with pytest.raises(ValueError, match="n_embd must be divisible by n_head"):
        isograd.GPTConfig(vocab_size=4, n_embd=n_embd, n_head=n_head)


# The model


@pytest.mark.parametrize("tier", ["", "Value", "gpu", None])
def test_unknown_tiers(tier):
    with pytest.raises(ValueError, match="tier must be one of fused, value, reference"):
        new_model(tier)


def test_a_model_knows_its_tier_and_sizes(tier):
    model = new_model(tier)
    assert model.tier == tier
    assert model.config == isograd.GPTConfig(vocab_size=4, **SIZES)


def test_weights_have_the_original_names_shapes_and_order(tier):
    model = new_model(tier, n_head=1)
    shapes = {name: (len(rows), len(rows[0])) for name, rows in model.state_dict().items()}
    expected = {"wte": (4, 4), "wpe": (4, 4), "lm_head": (4, 4)}
    for i in range(2):
        expected |= {f"layer{i}.attn_{name}": (4, 4) for name in ["wq", "wk", "wv", "wo"]}
        expected |= {f"layer{i}.mlp_fc1": (16, 4), f"layer{i}.mlp_fc2": (4, 16)}
    assert list(shapes.items()) == list(expected.items())
    assert model.num_params == len(parameters(model)) == 3 * 16 + 2 * (4 * 16 + 2 * 64)


@pytest.mark.parametrize("sizes", [{}, {"n_layer": 1, "n_embd": 3, "n_head": 1, "block_size": 7}])
def test_weights_are_drawn_one_by_one(tier, sizes):
    config = isograd.GPTConfig(vocab_size=5, **{**SIZES, **sizes})
    rng, same = random.Random(9), random.Random(9)
    model = isograd.GPT(config, rng=rng, tier=tier)
    assert weights(model) == [bits(same.gauss(0, 0.08)) for _ in range(model.num_params)]
    assert rng.getstate() == same.getstate()


def test_the_loss_of_a_document_is_the_same_graph_on_every_tier():
    losses = [new_model(tier).loss(DOCS[1]) for tier in TIERS]
    assert len({bits(loss.data) for loss in losses}) == 1


def test_state_dict_hands_out_the_weights_themselves(tier):
    model = new_model(tier)
    model.state_dict()["wte"][3][0].data = 0.5
    assert model.state_dict()["wte"][3][0].data == 0.5
    loss = model.loss(DOCS[0])
    loss.backward()
    assert any(p.grad for p in parameters(model))


# Training


def test_training_is_the_same_on_every_tier():
    runs = []
    for tier in TIERS:
        model = new_model(tier)
        losses = isograd.train(model, DOCS, steps=10, lr=0.03)
        runs.append(([bits(loss) for loss in losses], weights(model)))
    assert runs[0] == runs[1]
    assert len(runs[0][0]) == 10


def test_more_training_goes_on_from_the_weights(tier):
    model, other = new_model(tier), new_model(tier)
    isograd.train(model, DOCS, steps=2)
    for p, q in zip(parameters(model), parameters(other)):
        q.data = p.data
    assert isograd.train(model, DOCS, steps=2) == isograd.train(other, DOCS, steps=2)
    assert weights(model) == weights(other)


def test_gradients_are_0_after_training(tier):
    model = new_model(tier)
    isograd.train(model, DOCS, steps=1)
    assert {bits(p.grad) for p in parameters(model)} == {bits(0)}


def test_no_steps_change_nothing(tier):
    model = new_model(tier)
    before = weights(model)
    assert isograd.train(model, DOCS, steps=0) == []
    assert weights(model) == before


def test_a_learning_rate_of_0_moves_no_weight(tier):
    model = new_model(tier)
    before = weights(model)
    isograd.train(model, DOCS, steps=3, lr=0)
    assert weights(model) == before


def test_documents_come_round_again_and_are_cut_off_at_block_size(tier):
    model, other = new_model(tier), new_model(tier)
    long = [[doc[: SIZES["block_size"] + 1] for doc in DOCS] * 2, tuple(DOCS)]
    losses = [isograd.train(m, docs, steps=8) for m, docs in zip([model, other], long)]
    assert losses[0] == losses[1]


def test_callback_hears_of_every_step(tier):
    heard = []
    losses = isograd.train(new_model(tier), DOCS, 3, callback=lambda *args: heard.append(args))
    assert heard == list(zip([1, 2, 3], losses))


NO_DOCS = "there are no documents"
BAD = [
    ({"docs": []}, NO_DOCS),
    ({"docs": [[3, 0, 3], [3]]}, "document 1 has 1 tokens"),
    ({"docs": [[3, 0, 3], []]}, "document 1 has 0 tokens"),
    ({"docs": [[3, 0, 3], [3, 4, 3]]}, "document 1 holds the token 4; the model has 0 to 3"),
    ({"docs": [[3, 0, 3], [3, -1, 3]]}, "document 1 holds the token -1"),
    ({"steps": -1}, "steps must be a whole number from 0 on, not -1"),
    ({"steps": 2.0}, "steps must be a whole number from 0 on, not 2.0"),
    ({"lr": math.nan}, "lr must be a finite number from 0 on, not nan"),
    ({"lr": math.inf}, "lr must be a finite number"),
    ({"lr": -0.1}, "lr must be a finite number"),
]


@pytest.mark.parametrize("arguments, message", BAD, ids=[str(bad[0]) for bad in BAD])
def test_bad_arguments_change_nothing(tier, arguments, message):
    model = new_model(tier)
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        isograd.train(model, **{"docs": DOCS, "steps": 5, **arguments})
    assert weights(model) == before


@pytest.mark.parametrize("token", [1.5, 1.0, "a", None])
def test_tokens_that_are_no_whole_numbers_change_nothing(tier, token):
    model = new_model(tier)
    before = weights(model)
    with pytest.raises((TypeError, ValueError)):
        isograd.train(model, [*DOCS, [3, token, 3]], steps=5)
    assert weights(model) == before


def train_until(model, last):
    """Trains, and stops by an exception after the step `last`; all weights after every step."""
    history = [weights(model)]

    def callback(step, loss):
        history.append(weights(model))
        if step == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        isograd.train(model, DOCS, 10**6, callback=callback)
    return history


@pytest.mark.parametrize("error", [KeyboardInterrupt, StopIteration, ValueError])
def test_an_exception_in_the_callback_ends_training_after_that_step(tier, error):
    model = new_model(tier)

    def callback(step, loss):
        if step == 3:
            raise error

    with pytest.raises(error):
        isograd.train(model, DOCS, 10**6, callback=callback)
    assert weights(model) == train_until(new_model(tier), 3)[-1]
    assert {bits(p.grad) for p in parameters(model)} == {bits(0)}


def train_until_ctrl_c(model, milliseconds):
    """Trains, and is interrupted after some time; the last step that the callback heard of."""
    heard = [0]

    def callback(step, loss):
        heard.append(step)
        if step == 500:  # the signal came inside a garbage collector's hook, which drops it
            raise KeyboardInterrupt

    timer = threading.Timer(milliseconds / 1000, _thread.interrupt_main)
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        isograd.train(model, DOCS, 10**6, callback=callback)
    timer.join()
    return heard[-1]


def test_ctrl_c_at_any_moment_leaves_the_weights_of_a_completed_step():
    for milliseconds in range(20, 40):
        model = new_model()
        step = train_until_ctrl_c(model, milliseconds)
        # It may have come between the end of the next step and its callback.
        before, after = train_until(new_model(), step + 1)[-2:]
        moved = sum(now != old for now, old in zip(weights(model), before, strict=True))
        assert weights(model) in [before, after], f"{moved} of {len(after)} weights have moved"


# Sampling


def test_samples_and_random_state_are_the_same_on_every_tier():
    runs = []
    for tier in TIERS:
        rng = random.Random(5)
        model = new_model(tier)
        isograd.train(model, DOCS, steps=3)
        names = [
            isograd.sample(model, TOKENIZER, rng=rng, temperature=temperature)
            for temperature in [0.05, 0.5, 1, 3.0]
        ]
        runs.append((names, rng.getstate()))
    assert runs[0] == runs[1]


def test_a_sample_is_drawn_with_choices_until_bos_or_block_size(tier):
    rng, same = random.Random(5), random.Random(5)
    model = new_model(tier, n_layer=1)
    for p in parameters(model):
        p.data = 0.0  # so that all tokens are equally likely
    for _ in range(20):
        expected = ""
        while len(expected) < SIZES["block_size"]:
            token = same.choices(range(4), weights=[0.25] * 4)[0]
            if token == TOKENIZER.bos:
                break
            expected += "abc"[token]
        assert isograd.sample(model, TOKENIZER, rng=rng) == expected
    assert rng.getstate() == same.getstate()


@pytest.mark.parametrize("temperature", [0, -1, 0.0, math.nan, math.inf, -math.inf])
def test_temperature_is_a_finite_number_above_0(tier, temperature):
    rng = random.Random(5)
    with pytest.raises(ValueError, match="temperature must be a finite number above 0"):
        isograd.sample(new_model(tier), TOKENIZER, rng=rng, temperature=temperature)
    assert rng.getstate() == random.Random(5).getstate()


def test_the_tokenizer_must_have_the_size_of_the_model(tier):
    other = isograd.CharTokenizer(["abcd"])
    with pytest.raises(ValueError, match="the tokenizer has 5 tokens, the model 4"):
        isograd.sample(new_model(tier), other, rng=random.Random(5))
