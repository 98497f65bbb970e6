"""What a model is asked: logits, attention, activations, gradients, prompts; copies of it."""

import copy
import gc
import itertools
import math
import os
import pickle
import random
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from bits import bits
from conftest import n_cases
from hypothesis import given, settings
from hypothesis import strategies as st

import isograd
from isograd import reference

TIERS = list(isograd.model.TIERS)
TOKENIZER = isograd.CharTokenizer(["abcde"])
SIZES = {"n_layer": 2, "n_embd": 4, "n_head": 2, "block_size": 5}
LARGE = [1e3, 1e160]  # weights of this size saturate softmax, and of this overflow a square

needs_native = pytest.mark.skipif("native" not in TIERS, reason="nothing is compiled")


@pytest.fixture(params=TIERS)
def tier(request):
    return request.param


def new_model(tier=isograd.model.DEFAULT_TIER, seed=1, **sizes):
    config = isograd.GPTConfig(TOKENIZER.vocab_size, **{**SIZES, **sizes})
    return isograd.GPT(config, rng=random.Random(seed), tier=tier)


def exact(answer):
    """Names, shapes and bits; NaNs are equal."""
    if isinstance(answer, dict):
        return {name: exact(view) for name, view in answer.items()}
    view = np.asarray(answer)
    return view.dtype, view.shape, np.where(np.isnan(view), np.nan, view).tobytes()


@st.composite
def cases(draw):
    """A model of random sizes and weights, equal ones and large ones among them, and tokens."""
    n_head, seed = draw(st.integers(1, 3)), draw(st.integers(0, 10**6))
    config = isograd.GPTConfig(
        vocab_size=draw(st.integers(1, 12)),
        n_layer=draw(st.integers(1, 3)),
        n_embd=n_head * draw(st.integers(1, 3)),
        n_head=n_head,
        block_size=draw(st.integers(1, 6)),
        activation=draw(st.sampled_from(["relu", "relu2"])),
        tie_weights=draw(st.booleans()),
    )
    rng = random.Random(seed)
    model = isograd.GPT(config, rng=rng, tier="reference")
    kind = draw(st.sampled_from(["as they are", "large", "few", "nan"]))
    for p in model.parameters():
        if kind == "large":
            p.data *= rng.choice(LARGE)
        elif kind == "few":
            p.data = rng.choice([-1.0, 0.0, -0.0, 1.0])
        elif kind == "nan" and rng.random() < 0.05:
            p.data = math.nan
    n = draw(st.integers(1, config.block_size))
    return model, [rng.randrange(config.vocab_size) for _ in range(n)], seed


def answer(ask, *arguments):
    """What `ask` returns, or the type of the exception."""
    try:
        return ask(*arguments)
    except (ArithmeticError, ValueError) as error:
        return type(error)


@settings(max_examples=n_cases(40), deadline=None)
@given(cases(), st.sampled_from([0, 1e-310, 0.5, 1.0, 3]))
def test_every_tier_gives_the_same_answers(case, temperature):
    model, tokens, _ = case

    def answers(model):
        return [
            answer(lambda: exact(model.logits(tokens))),
            answer(lambda: exact(model.probabilities(tokens, temperature))),
            answer(lambda: exact(model.attention(tokens))),
            answer(lambda: exact(model.activations(tokens))),
            answer(lambda: exact(model.gradients(tokens))),
        ]

    expected = answers(model)
    for tier in TIERS:
        assert answers(model.to(tier)) == expected


class Listener(random.Random):
    """A generator that is not Python's own: its `choices` is called."""


@settings(max_examples=n_cases(40), deadline=None)
@given(cases(), st.data())
def test_every_tier_goes_on_with_the_same_tokens(case, data):
    model, tokens, seed = case
    prompt = tokens[1:]
    top_k = data.draw(st.none() | st.integers(1, model.config.vocab_size + 1))
    temperature = data.draw(st.sampled_from([0, 0.5, 2.0]))

    def draw(m, kind):
        rng = kind(seed)
        drawn = answer(m.weights.sample, tokens[0], rng, temperature, prompt, top_k)
        return drawn, rng.getstate()

    expected = draw(model, random.Random)
    for tier in TIERS:
        for kind in (random.Random, Listener):
            assert draw(model.to(tier), kind) == expected
    if isinstance(expected[0], list):
        assert expected[0][: len(prompt)] == prompt


@pytest.mark.parametrize("options", [{}, {"activation": "relu2", "tie_weights": True}])
def test_the_reference_names_what_it_computes(options):
    """Each number by the textbook's own functions, once more."""
    model = new_model("reference", **options)
    weights, fn = model.state_dict(), reference.vector
    tokens = TOKENIZER.encode_prompt("ab")
    found = {name: np.asarray(view) for name, view in model.activations(tokens).items()}

    def data(values):
        return [value.data for value in values]

    def of(name, t):
        return [reference.Value(x) for x in found[name][t].tolist()]

    for t, token in enumerate(tokens):
        assert data(weights["wte"][token]) == found["token_embedding"][t].tolist()
        assert data(weights["wpe"][t]) == found["position_embedding"][t].tolist()
        assert data(fn.rmsnorm(of("embedding", t))) == found["norm"][t].tolist()
        before = "norm"
        for i in range(2):
            layer = f"layer{i}."
            for name, source, matrix in [
                ("attn_q", "attn_norm", "attn_wq"), ("attn_k", "attn_norm", "attn_wk"),
                ("attn_v", "attn_norm", "attn_wv"), ("attn_out", "attn_heads", "attn_wo"),
                ("mlp_fc1", "mlp_norm", "mlp_fc1"), ("mlp_fc2", "mlp_act", "mlp_fc2"),
            ]:  # fmt: skip
                y = fn.linear(of(layer + source, t), weights[layer + matrix])
                assert data(y) == found[layer + name][t].tolist()
            for name, a, b in [
                ("attn_residual", layer + "attn_out", before),
                ("mlp_residual", layer + "mlp_fc2", layer + "attn_residual"),
            ]:
                assert data(fn.add(of(a, t), of(b, t))) == found[layer + name][t].tolist()
            act = fn.relu(of(layer + "mlp_fc1", t))
            act = [x**2 for x in act] if options else act
            assert data(act) == found[layer + "mlp_act"][t].tolist()
            before = layer + "mlp_residual"
        lm_head = weights["wte" if options else "lm_head"]
        assert data(fn.linear(of(before, t), lm_head)) == found["logits"][t].tolist()
        assert bytes(model.logits(tokens[: t + 1])) == found["logits"][t].tobytes()


def test_a_head_takes_what_its_weights_say(tier):
    model = new_model(tier)
    tokens = TOKENIZER.encode_prompt("abca")
    taken, found = np.asarray(model.attention(tokens)), model.activations(tokens)
    assert taken.shape == (2, 2, 5, 5)
    assert np.array_equal(taken, np.tril(taken)) and (taken[..., 0] > 0).all()
    # A row's parts are products with a rounded 1 / total, so their sum is 1 but for some roundings.
    assert np.allclose(taken.sum(axis=3), 1)
    for layer in range(2):
        values = found[f"layer{layer}.attn_v"].tolist()
        heads = [[0.0] * 4 for _ in range(5)]
        for t, i, seen in itertools.product(range(5), range(4), range(5)):
            heads[t][i] += float(taken[layer, i // 2, t, seen]) * values[seen][i]
        assert heads == found[f"layer{layer}.attn_heads"].tolist()


def test_numpy_takes_answers_without_a_copy(tier):
    model, tokens = new_model(tier), TOKENIZER.encode("abc")
    views = [
        model.logits(tokens), model.probabilities(tokens), model.attention(tokens),
        *model.activations(tokens).values(), *model.gradients(tokens).values(),
    ]  # fmt: skip
    for view in views:
        array = np.asarray(view)
        assert array.dtype == float and array.shape == view.shape
        array[:] = 7.0
        assert view[(0,) * view.ndim] == 7.0
    assert 7.0 not in model.logits(tokens).tolist()  # the memory was the answer's own


def test_probabilities_are_those_that_sampling_draws_with(tier):
    model, tokens = new_model(tier), TOKENIZER.encode_prompt("ab")
    logits = [reference.Value(x) for x in model.logits(tokens)]
    for temperature in (0.5, 1, 2.0):
        expected = reference.softmax([logit / temperature for logit in logits])
        assert model.probabilities(tokens, temperature).tolist() == [p.data for p in expected]
    likeliest = max(range(6), key=model.logits(tokens).tolist().__getitem__)
    assert model.probabilities(tokens, 0).tolist() == [float(i == likeliest) for i in range(6)]
    (following,) = isograd.sample(model, TOKENIZER, rng=random.Random(1), prompt="abcd", top_k=1)[
        4:
    ] or [""]
    best = model.probabilities(TOKENIZER.encode_prompt("abcd"), 0).tolist().index(1.0)
    assert following == TOKENIZER.decode([best])


# Gradients


def test_gradients_are_those_of_the_loss(tier):
    model, tokens = new_model(tier), TOKENIZER.encode("abcdeabcde")
    gradients = model.gradients(tokens)
    assert list(gradients) == list(model.state_dict())
    graph = model.to("reference")
    graph.loss(tokens).backward()
    for name, rows in graph.state_dict().items():
        expected = [[bits(float(p.grad)) for p in row] for row in rows]
        assert expected == [[bits(x) for x in row] for row in gradients[name].tolist()]


@pytest.mark.parametrize("tier", isograd.model.GRAPH_TIERS)
def test_gradients_leave_those_of_the_values_alone(tier):
    model, tokens = new_model(tier), TOKENIZER.encode("abc")
    loss = model.loss(tokens)
    loss.backward()
    before = [bits(p.grad) for p in model.parameters()]
    model.gradients(TOKENIZER.encode("eee"))
    assert [bits(p.grad) for p in model.parameters()] == before
    assert all(not p._children for p in model.parameters())


def test_a_value_in_two_places_has_one_gradient():
    model = new_model("value")
    model.state_dict()["lm_head"][:] = model.state_dict()["wte"]
    gradients = model.gradients(TOKENIZER.encode("abc"))
    assert gradients["lm_head"].tolist() == gradients["wte"].tolist()
    model.loss(TOKENIZER.encode("abc")).backward()
    assert gradients["wte"].tolist() == [[p.grad for p in r] for r in model.state_dict()["wte"]]


def test_gradients_need_a_graph(tier):
    with isograd.no_grad(), pytest.raises(RuntimeError, match="inside no_grad there is none"):
        new_model(tier).gradients(TOKENIZER.encode("abc"))


def test_questions_do_not_disturb_a_run(tier):
    docs = [TOKENIZER.encode(doc) for doc in ["ab", "cade", "e"]]
    plain, asked = new_model(tier), new_model(tier)
    isograd.train(plain, docs, 4)
    heard = []

    def ask(step, loss):
        heard.append(asked.gradients(docs[0])["wte"].tolist())
        asked.activations(docs[0])
        asked.attention(docs[0])

    isograd.train(asked, docs, 4, callback=ask)
    assert asked.read_data() == plain.read_data()
    assert len(heard) == 4 and heard[0] != heard[1]
    assert heard[-1] == plain.gradients(docs[0])["wte"].tolist()


ASKED_UNDERWAY = """
import copy, random, isograd
tokenizer = isograd.CharTokenizer(["ab"])
docs, others = [tokenizer.encode("ab")], []
model = isograd.GPT(isograd.GPTConfig(3, n_embd=2, n_head=1), rng=random.Random(1))


def ask(step, loss):
    others.append(copy.deepcopy(model))
    assert others[0].gradients(docs[0]) == model.gradients(docs[0])


isograd.train(model, docs, 1, callback=ask)
isograd.train(others[0], docs, 1)
print(isograd.backend)
"""


def test_a_run_is_asked_underway_without_the_extension_too():
    process = subprocess.run(
        [sys.executable, "-c", ASKED_UNDERWAY],
        capture_output=True,
        text=True,
        env={**os.environ, "ISOGRAD_BACKEND": "python"},
    )
    assert (process.stdout, process.stderr) == ("python\n", "")


def test_gradients_wait_for_the_end_of_another_threads_run(tier):
    model, docs = new_model(tier), [TOKENIZER.encode("ab")]
    begun, asked = threading.Event(), threading.Event()

    def callback(step, loss):
        begun.set()
        asked.wait(60)

    run = threading.Thread(target=isograd.train, args=(model, docs, 1, 0.01, callback))
    run.start()
    begun.wait(60)
    with pytest.raises(RuntimeError, match="being trained"):
        model.gradients(docs[0])
    asked.set()
    run.join()
    model.gradients(docs[0])


# Prompts and the likeliest tokens


def test_a_sample_begins_with_its_prompt(tier):
    model = new_model(tier)
    texts = [
        isograd.sample(model, TOKENIZER, rng=random.Random(seed), prompt="ab") for seed in range(9)
    ]
    assert all(text.startswith("ab") for text in texts) and len({*texts}) > 1
    plain = isograd.sample(model, TOKENIZER, rng=random.Random(1))
    for options in ({"prompt": ""}, {"top_k": 6}, {"top_k": 2**62}, {"top_k": None}):
        assert isograd.sample(model, TOKENIZER, rng=random.Random(1), **options) == plain


def test_equal_logits_are_kept_from_the_first_on(tier):
    model = new_model(tier)
    zeros = {
        name: [[0.0] * n_in] * n_out for name, n_out, n_in in reference.weight_shapes(model.config)
    }
    model.load_state_dict(zeros)
    for top_k in (1, 2, 3):
        drawn = {
            char
            for seed in range(20)
            for char in isograd.sample(model, TOKENIZER, rng=random.Random(seed), top_k=top_k)
        }
        assert drawn == {*"abcde"[:top_k]}


@needs_native
@pytest.mark.parametrize("seed", range(20))
def test_the_likeliest_are_those_of_the_reference(seed):
    """More tokens than a random model has, many of them equal."""
    rng = random.Random(seed)
    n = rng.randint(2, 200)
    config = isograd.GPTConfig(n, n_embd=1, n_head=1, block_size=1)
    model = isograd.GPT(config, rng=rng, tier="native")
    if seed % 2:
        model.state_dict()["lm_head"][:, 0] = [rng.randint(0, 5) for _ in range(n)]
    decoder = model.weights.native.decoder([0])
    logits = [reference.Value(x) for x in decoder.logits]
    for k in {1, 2, rng.randint(1, n), n - 1, n, n + 1}:
        decoder.probabilities(1.0, k)
        assert decoder.kept == [*reference.train.likeliest(logits, k)]


# Sentences


@pytest.mark.parametrize("question", ["logits", "probabilities", "attention", "activations"])
@pytest.mark.parametrize(
    "tokens, words",
    [
        ("ab", "is the text 'ab'; tokenizer.encode_prompt makes tokens of it"),
        (["a", "b"], "holds the token 'a'; the model has 0 to 5"),
        ([], "the model takes 1 to 5 tokens, a position each, not 0"),
        ([5] * 6, "the model takes 1 to 5 tokens, a position each, not 6"),
        ([5, 6], "holds the token 6; the model has 0 to 5"),
        ([5, -1], "holds the token -1; the model has 0 to 5"),
        ([5, 1.0], "holds the token 1.0; the model has 0 to 5"),
    ],
)
def test_tokens_that_cannot_be_asked_about(tier, question, tokens, words):
    with pytest.raises(ValueError, match=words):
        getattr(new_model(tier), question)(tokens)


def test_tokens_of_numpy_are_tokens(tier):
    model = new_model(tier)
    tokens = np.array([5, 0, 1])
    assert exact(model.logits(tokens)) == exact(model.logits([5, 0, 1]))
    assert exact(model.attention(tokens)) == exact(model.attention([5, 0, 1]))


def test_a_text_is_no_tokens(tier):
    model = new_model(tier)
    for ask in (
        lambda: model.loss("anna"),
        lambda: model.gradients("anna"),
        lambda: isograd.train(model, ["anna"], 1),
        lambda: isograd.train(model, "anna", 1),
        lambda: isograd.evaluate(model, ["anna"]),
    ):
        with pytest.raises(ValueError, match=r"is the text 'a.*'; tokenizer\.encode makes"):
            ask()
    with pytest.raises(TypeError, match="document 0 must be a sequence of tokens, not 5"):
        isograd.train(model, TOKENIZER.encode("a"), 1)


def test_a_text_is_no_model():
    for ask in (
        lambda: isograd.train("m", [[5, 0, 5]], 1),
        lambda: isograd.evaluate("m", [[5, 0, 5]]),
        lambda: isograd.sample("m", TOKENIZER, rng=random.Random(1)),
    ):
        with pytest.raises(TypeError, match="model must be a GPT, not of the class str"):
            ask()


@pytest.mark.parametrize("temperature", [-1, math.nan, math.inf, "1", None])
def test_temperatures_that_cannot_be(tier, temperature):
    with pytest.raises(ValueError, match="temperature must be a finite number from 0 on"):
        new_model(tier).probabilities([5], temperature)


def test_a_number_is_no_generator(tier):
    for rng, words in [
        (7, r"random\.Random\(7\), not 7"),
        (None, r"random\.Random\(42\), not None"),
    ]:
        with pytest.raises(TypeError, match=f"rng must be a generator such as {words}"):
            isograd.GPT(isograd.GPTConfig(6), rng=rng, tier=tier)
        with pytest.raises(TypeError, match=f"rng must be a generator such as {words}"):
            isograd.sample(new_model(tier), TOKENIZER, rng=rng)


def test_prompts_and_top_k_that_cannot_be(tier):
    def draw(**options):
        return isograd.sample(new_model(tier), TOKENIZER, rng=random.Random(1), **options)

    with pytest.raises(ValueError, match="'x' holds the character 'x', which is not among the 5"):
        draw(prompt="x")
    with pytest.raises(
        ValueError, match="has 5 characters; a model of block_size 5 goes on from 4"
    ):
        draw(prompt="abcde")
    assert draw(prompt="abcd")[:4] == "abcd"
    for top_k in (0, -1, 1.0, "3", True):
        with pytest.raises(ValueError, match="top_k must be a whole number from 1 on"):
            draw(top_k=top_k)


def test_a_run_that_diverges_names_its_step(tier):
    model, docs = new_model(tier), [TOKENIZER.encode("ab")]
    state = isograd.TrainingState(model.num_params)
    words = r"numbers left the finite in step \d+ of 50: .+; a smaller lr may help"
    with pytest.raises((ArithmeticError, ValueError), match=words) as caught:
        isograd.train(model, docs, 50, 1e5, state=state)
    assert type(caught.value) is type(caught.value.__cause__)
    assert f"in step {state.steps + 1} of 50" in str(caught.value)


def test_an_error_of_the_documents_stays_as_it_is(tier):
    class Lost(ValueError):
        pass

    class Docs(list):
        def __getitem__(self, i):
            if lost:
                raise Lost
            return super().__getitem__(i)

    lost = []
    with pytest.raises(Lost):
        docs = Docs([TOKENIZER.encode("ab")])
        isograd.train(new_model(tier), docs, 3, callback=lambda *step: lost.append(step))


# Copies


COPIES = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "oldest pickle": lambda x: pickle.loads(pickle.dumps(x, 2)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_model_goes_on_by_itself(tier, copied):
    model, docs = new_model(tier), [TOKENIZER.encode("abc")]
    isograd.train(model, docs, 2)
    other, before = copied(model), [*model.read_data()]
    assert (other.config, other.tier, [*other.read_data()]) == (model.config, tier, before)
    losses = isograd.train(other, docs, 2)
    assert [*model.read_data()] == before
    assert losses == isograd.train(model, docs, 2)
    assert [*model.read_data()] == [*other.read_data()]


def test_a_shallow_copy_shares_the_weights(tier):
    model = new_model(tier)
    other = copy.copy(model)
    isograd.train(other, [TOKENIZER.encode("abc")], 1)
    assert [*model.read_data()] == [*other.read_data()]


@pytest.mark.parametrize("copied", [*COPIES.values(), copy.copy], ids=[*COPIES, "copy"])
def test_small_things_are_copied(copied):
    config = isograd.GPTConfig(6, n_layer=3)
    assert copied(config) == config
    assert copied(TOKENIZER).chars == TOKENIZER.chars
    assert copied(TOKENIZER).encode("abc") == TOKENIZER.encode("abc")
    result = isograd.evaluate(new_model(), [TOKENIZER.encode("abc")])
    assert copied(result) == result and type(copied(result)) is isograd.Evaluation


@pytest.mark.parametrize("copied", [*COPIES.values(), copy.copy], ids=[*COPIES, "copy"])
def test_a_state_is_copied_in_the_middle_of_a_run(tier, copied):
    """A run that goes on from copies of its model and state ends like one that never stopped."""
    model, docs = new_model(tier), [TOKENIZER.encode("abc"), TOKENIZER.encode("e")]
    state, kept = isograd.TrainingState(model.num_params), []

    def callback(step, loss):
        if step == 2:
            kept.extend([copy.deepcopy(model), copied(state)])

    isograd.train(model, docs, 5, callback=callback, state=state)
    other, other_state = kept
    assert other_state.steps == 2
    isograd.train(other, docs, 5, state=other_state)
    assert [*other.read_data()] == [*model.read_data()]
    assert other_state.losses == state.losses


@needs_native
def test_a_native_model_goes_nowhere_without_its_tier(monkeypatch):
    pickled = pickle.dumps(new_model("native"))
    monkeypatch.setattr(isograd.model, "TIERS", ("fused", "value", "reference"))
    with pytest.raises(ValueError, match="tier must be one of fused, value, reference, not 'nat"):
        pickle.loads(pickled)


def trained(model):
    isograd.train(model, [TOKENIZER.encode("abc")], 3)
    return model


@pytest.mark.undisturbed
def test_models_come_back_from_a_process_pool():
    model = new_model()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        (other,) = pool.map(trained, [model])
    assert other.tier == model.tier
    assert [*other.read_data()] == [*trained(model).read_data()]


# Matrices


@pytest.fixture
def grid():
    if "native" not in TIERS:
        pytest.skip("nothing is compiled")
    matrix = new_model("native").state_dict()["wte"]
    return matrix, np.asarray(matrix)


SLICES = [slice(None), slice(1, 3), slice(None, None, 2), slice(None, None, -1), slice(4, 1, -2),
          slice(3, 3), slice(-2, None), slice(10, 20)]  # fmt: skip


@pytest.mark.parametrize("rows", [*SLICES, 0, -1], ids=str)
@pytest.mark.parametrize("columns", [*SLICES, 1, -2], ids=str)
def test_slices_of_a_matrix_are_views(grid, rows, columns):
    matrix, array = grid
    part, expected = matrix[rows, columns], array[rows, columns]
    if np.ndim(expected) == 0:
        assert part == expected
        return
    assert part.tolist() == expected.tolist()
    taken = np.asarray(part)
    assert taken.shape == expected.shape == part.shape
    taken[...] = 7.0
    assert (expected == 7.0).all() and np.shares_memory(taken, array) == (expected.size > 0)
    matrix[rows, columns] = (expected + 1).tolist()
    assert (expected == 8.0).all()
    if expected.ndim == 2:
        assert matrix[rows][:, columns].tolist() == expected.tolist()
        assert [row.tolist() for row in part] == expected.tolist()
        assert type(part) is type(matrix)


def test_slices_are_assigned_to_as_a_whole(grid):
    matrix, array = grid
    before = array.copy()
    for at, x in [
        (slice(0, 2), [[1.0] * 4]), (slice(0, 2), [[1.0] * 4, [2.0] * 3]), (0, [1.0]),
        ((slice(None), 1), [1.0]), ((0, slice(0, 2)), [1.0]), (slice(0, 2), [[1.0] * 4, ["a"] * 4]),
    ]:  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            matrix[at] = x
        assert (array == before).all()
    matrix[1:3] = matrix[0:2]
    assert (array[1:3] == before[0:2]).all()
    matrix[0, :2] = [5, 6]
    assert array[0].tolist() == [5.0, 6.0, *before[0, 2:]]


def test_a_matrix_shows_a_few_numbers(grid):
    matrix, array = grid
    array[:] = np.arange(24).reshape(6, 4) / 7
    assert repr(matrix) == "Matrix(6 x 4: 0, 0.1429, 0.2857, 0.4286, ...)"
    assert repr(matrix[:1, :2]) == "Matrix(1 x 2: 0, 0.1429)"
    assert repr(matrix[:0]) == "Matrix(0 x 4: )"


@pytest.mark.parametrize("copied", [*COPIES.values(), copy.copy], ids=[*COPIES, "copy"])
def test_a_copied_matrix_has_its_own_memory(grid, copied):
    matrix, array = grid
    for part in (matrix, matrix[::-2, 1:3], matrix[:0]):
        other = copied(part)
        assert type(other) is type(matrix)
        assert (other.shape, other.tolist()) == (part.shape, part.tolist())
        assert not np.shares_memory(np.asarray(other), array)


def test_a_matrix_in_a_cycle_is_collected(grid):
    """The collector once took its memory away before it, and crashed."""

    class Holder:
        pass

    for make in (lambda: grid[0][:], lambda: grid[0][1:3, ::2], lambda: memoryview(grid[0])):
        made = make()
        holder = Holder()
        holder.made, holder.itself = made, holder
        gone = weakref.ref(holder)
        del made, holder
        gc.collect()
        assert gone() is None
    assert grid[0].tolist() == grid[1].tolist()


def test_whoever_cannot_step_is_refused_a_part(grid):
    matrix, array = grid
    assert bytes(matrix) == array.tobytes() and memoryview(matrix).c_contiguous
    part = memoryview(matrix[::2, 1:])
    assert (part.format, part.itemsize, part.shape) == ("d", 8, (3, 3))
    assert not part.c_contiguous and part.tolist() == array[::2, 1:].tolist()
    assert part.tobytes() == array[::2, 1:].tobytes()
    with pytest.raises(BufferError, match="do not lie one after the other"):
        open("/dev/null", "wb").write(matrix[::2])


# Names


def test_dir_names_what_there_is():
    assert {*isograd.__all__} <= {*dir(isograd)}
    assert all(hasattr(isograd, name) for name in dir(isograd))
