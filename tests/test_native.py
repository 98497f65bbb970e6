"""The native step against the graph: every number, on every vector unit of this machine."""

import array
import gc
import hashlib
import json
import math
import random
import signal
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from conftest import n_cases

import isograd
from isograd import _native, reference

pytestmark = pytest.mark.once

GOLDEN = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "golden").glob("*.json"))
}
VECTOR = isograd._backend.vector  # of the compiled graph, proven equal to the reference elsewhere
ARITHMETIC = (ArithmeticError, ValueError)


def has(unit):
    chosen = _native.vector_unit()
    try:
        _native.set_vector_unit(unit)
    except ValueError:
        return False
    finally:
        _native.set_vector_unit(chosen)
    return True


@pytest.fixture(params=[unit for unit in ("plain", "avx2", "avx512") if has(unit)])
def unit(request):
    """Every vector unit of this machine in turn."""
    chosen = _native.vector_unit()
    _native.set_vector_unit(request.param)
    yield request.param
    _native.set_vector_unit(chosen)


def native(config):
    return _native.NativeGPT(**asdict(config))


def twins(config, seed, change=lambda x: x, scalar=isograd.Value):
    """Random weights: as matrices of Values, these Values in a list, a NativeGPT of the same."""
    rng = random.Random(seed)
    weights = reference.init_weights(config, rng, lambda x: scalar(change(x)))
    params = [p for rows in weights.values() for row in rows for p in row]
    model = native(config)
    model.weights[:] = array.array("d", [p.data for p in params])
    return weights, params, model


def same(a, b):
    return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)


def check_numbers(what, expected, actual):
    expected, actual = [float(x) for x in expected], list(actual)
    assert len(expected) == len(actual)
    bad = [i for i, (a, b) in enumerate(zip(expected, actual)) if not same(a, b)]
    assert not bad, (
        f"{len(bad)} of {len(actual)} {what} differ, the first at {bad[0]}: "
        f"expected {expected[bad[0]].hex()}, is {actual[bad[0]].hex()}"
    )


def check_backward(config, seed, docs, change=lambda x: x, scalar=isograd.Value, fn=VECTOR):
    """Compares loss and gradients, or the exception; returns the graph's loss or exception."""
    weights, params, model = twins(config, seed, change, scalar)
    before = bytes(model.weights)
    try:
        loss = reference.batch_loss(weights, config, docs, fn)
        loss.backward()
    except ARITHMETIC as error:
        for compute in (model.loss, model.backward):
            with pytest.raises(type(error)):
                compute(docs)
        assert bytes(model.weights) == before
        return type(error)
    check_numbers("losses", [loss.data, loss.data], [model.loss(docs), model.backward(docs)])
    check_numbers("gradients", [p.grad for p in params], model.gradients)
    assert bytes(model.weights) == before
    return loss.data


def random_case(rng, largest=4):
    n_head, head_dim = rng.randint(1, largest), rng.choice([1, 1, 2, 3, 4, 5, 8, 9])
    config = isograd.GPTConfig(
        vocab_size=rng.randint(2, 30),
        n_layer=rng.randint(1, 4),
        n_embd=n_head * head_dim,
        n_head=n_head,
        block_size=rng.choice([1, 2, 3, 7, 8, 9, 16, 17, 30]),
    )
    kinds = rng.randint(1, config.vocab_size)
    docs = [
        [rng.randrange(kinds) for _ in range(rng.randint(2, config.block_size + 4))]
        for _ in range(rng.choice([1, 1, 1, 2, 3, 10]))
    ]
    return config, docs


@pytest.mark.parametrize("seed", range(80))
def test_random_models(unit, seed):
    config, docs = random_case(random.Random(seed))
    check_backward(config, seed, docs)


@pytest.mark.parametrize("seed", range(n_cases(6)))
def test_random_models_against_the_pure_reference(unit, seed):
    config, docs = random_case(random.Random(1000 + seed), largest=2)
    docs = docs[:2]
    check_backward(config, seed, docs, scalar=reference.Value, fn=reference.vector)


EXTREMES = {
    "large": lambda rng: lambda x: x * 300,
    "larger": lambda rng: lambda x: x * 1e60,
    "overflowing": lambda rng: lambda x: x * 1e200,
    "tiny": lambda rng: lambda x: x * 1e-200,
    "zeros": lambda rng: lambda x: math.copysign(0.0, x),
    "mixed scales": lambda rng: lambda x: x * 10.0 ** rng.randint(-20, 3),
    "some infinite": lambda rng: lambda x: math.inf * x if rng.random() < 0.002 else x,
    "some NaN": lambda rng: lambda x: math.nan if rng.random() < 0.002 else x,
    "some huge": lambda rng: lambda x: x * 1e308 if rng.random() < 0.01 else x,
}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("extreme", EXTREMES)
def test_extreme_weights(unit, extreme, seed):
    rng = random.Random(seed)
    config, docs = random_case(rng)
    check_backward(config, seed, docs, EXTREMES[extreme](rng))


def test_an_impossible_token_is_an_error(unit):
    config = isograd.GPTConfig(vocab_size=5, n_embd=4, n_head=2, block_size=4)
    outcome = check_backward(config, 1, [[0, 1, 2, 3]], lambda x: x * 1e4)
    assert outcome is ValueError


def outcome_of_training(config, seed, docs, steps, change, **options):
    """The graph's losses, weights and moments, and the exception that stopped it."""
    weights, params, _ = twins(config, seed, change)
    batch_size = options.get("batch_size", 1)
    adam = isograd.optim.Adam(
        params, betas=options.get("betas", (0.85, 0.99)), eps=options.get("eps", 1e-8)
    )
    losses, error = [], None
    for step in range(steps):
        batch = [docs[(step * batch_size + b) % len(docs)] for b in range(batch_size)]
        before = [p.data for p in params], adam.state_dict()
        try:
            loss = reference.batch_loss(weights, config, batch, VECTOR)
            loss.backward()
            adam.step(options.get("lr", 0.01) * (1 - step / steps))
        except ARITHMETIC as caught:
            error = type(caught)
            return losses, *before, error
        adam.zero_grad()
        losses.append(loss.data)
    return losses, [p.data for p in params], adam.state_dict(), error


def check_training(config, seed, docs, steps, change=lambda x: x, pieces=(), **options):
    losses, params, state, error = outcome_of_training(config, seed, docs, steps, change, **options)
    model = twins(config, seed, change)[2]
    options = {"lr": 0.01, **options}
    actual = []
    at = 0
    try:
        for n in [*pieces, steps - sum(pieces)]:
            assert model.train(docs, n, step=at, steps=steps, losses=actual, **options) == n
            at += n
    except ARITHMETIC as caught:
        assert type(caught) is error
    else:
        assert error is None
    check_numbers("losses", losses, actual)
    check_numbers("weights", params, model.weights)
    check_numbers("first moments", state["m"], model.first_moments)
    check_numbers("second moments", state["v"], model.second_moments)
    return error


@pytest.mark.parametrize("seed", range(12))
def test_training(unit, seed):
    rng = random.Random(2000 + seed)
    config, docs = random_case(rng, largest=2)
    batch_size = rng.choice([1, 1, 2, 5])
    check_training(config, seed, docs, 12, batch_size=batch_size, threads=rng.choice([1, 2, 3]))


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_share_one_document(unit, threads):
    config = isograd.GPTConfig(vocab_size=5, n_layer=2, n_embd=69, n_head=3, block_size=20)
    rng = random.Random(threads)
    docs = [[rng.randrange(5) for _ in range(n)] for n in (21, 14)]
    check_training(config, 1, docs, 2, threads=threads)


def test_an_error_ends_all_threads_that_share_a_document(unit):
    config = isograd.GPTConfig(vocab_size=5, n_embd=69, n_head=3, block_size=20)
    doc = [i % 5 for i in range(21)]
    error = check_training(config, 1, [doc], 2, lambda x: x * 1e6, threads=3)
    assert error is ValueError


@pytest.mark.parametrize("batch_size, threads", [(40, 1), (40, 2), (40, 3), (40, 7), (5, 7)])
def test_threads_take_turns_with_the_pieces_of_a_batch(unit, batch_size, threads):
    config = isograd.GPTConfig(vocab_size=5, n_embd=6, n_head=2, block_size=16)
    rng = random.Random(threads)
    docs = [[rng.randrange(5) for _ in range(rng.randint(2, 17))] for _ in range(50)]
    check_training(config, 1, docs, 2, batch_size=batch_size, threads=threads)


def test_an_error_in_one_piece_ends_all_threads(unit):
    config = isograd.GPTConfig(vocab_size=5, n_embd=4, n_head=2, block_size=4)
    docs = [[1, 4]] * 30 + [[4, 1]]
    assert check_training(config, 1, docs[:30], 1, lambda x: x * 1e4, batch_size=30) is None
    for start in (0, 20, 30):
        turned = docs[start:] + docs[:start]
        error = check_training(config, 1, turned, 1, lambda x: x * 1e4, batch_size=31, threads=3)
        assert error is ValueError


def test_training_in_pieces():
    config, docs = random_case(random.Random(5), largest=2)
    docs = [docs[0], [0, 1, 0], docs[0][::-1]]
    check_training(config, 5, docs, 20, pieces=(1, 0, 7, 2), batch_size=2)


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 1},
        {"lr": 0},
        {"betas": (0, 0)},
        {"betas": (0.9, 0.999), "eps": 1e-300},
        {"lr": 1e300},
        {"lr": 30, "betas": (0, 0.5)},
    ],
)
def test_training_options(unit, options):
    config = isograd.GPTConfig(vocab_size=5, n_embd=4, n_head=2, block_size=4)
    check_training(config, 3, [[4, 0, 1, 2, 4], [4, 3, 4]], 8, **options)


def test_training_stops_with_the_last_completed_step(unit):
    config = isograd.GPTConfig(vocab_size=5, n_embd=4, n_head=2, block_size=4)
    docs = [[4, 0, 1, 2, 4], [4, 3, 4]]
    # Without eps an unused token's row is divided by 0, after other weights have moved.
    assert check_training(config, 3, docs, 4, eps=0.0) is ZeroDivisionError
    # A gradient whose square overflows: small logits from a huge last x.
    scales = {"lm_head": 1e-200, "layer0.mlp_fc2": 1e170}

    def outcome():
        scale = iter(
            [
                scales.get(name, 1)
                for name, n_out, n_in in reference.weight_shapes(config)
                for _ in range(n_out * n_in)
            ]
            * 2
        )
        return check_training(config, 3, docs, 4, lambda x: x * next(scale))

    assert outcome() is OverflowError
    # A probability of 0.
    assert check_training(config, 3, docs, 4, lr=1e5) is ValueError


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_runs(unit, name):
    record = GOLDEN[name]
    sizes = record["config"]
    rng = random.Random(sizes["seed"])
    texts = isograd.load_docs()
    rng.shuffle(texts)
    tokenizer = isograd.CharTokenizer(texts)
    config = isograd.GPTConfig(
        vocab_size=tokenizer.vocab_size,
        **{key: sizes[key] for key in ["n_layer", "n_embd", "n_head", "block_size"]},
    )
    weights = reference.init_weights(config, rng, float)
    model = native(config)
    model.weights[:] = array.array("d", [x for rows in weights.values() for r in rows for x in r])
    steps = sizes["steps"]
    docs = [tokenizer.encode(text) for text in texts[:steps]]
    losses = []
    model.train(docs, steps, step=0, steps=steps, lr=sizes["lr"], losses=losses)
    assert [x.hex() for x in losses] == record["losses"]
    assert hashlib.sha256(bytes(model.weights)).hexdigest() == record["weights_sha256"]
    samples = [
        tokenizer.decode(model.sample(tokenizer.bos, rng.random, sizes["temperature"]))
        for _ in range(sizes["samples"])
    ]
    assert samples == record["samples"]


@pytest.mark.parametrize("seed", range(10))
def test_sampling(seed):
    config, _ = random_case(random.Random(3000 + seed), largest=2)
    weights, _, model = twins(config, seed, lambda x: x * 5)
    for temperature in (0.1, 0.5, 1, 3.7):
        expected, actual = random.Random(seed), random.Random(seed)
        for _ in range(5):
            tokens = reference.sample_tokens(weights, config, 0, expected, temperature, VECTOR)
            assert model.sample(0, actual.random, temperature) == tokens
        assert expected.getstate() == actual.getstate()


def test_the_decoder_gives_what_the_graph_gives():
    config = isograd.GPTConfig(vocab_size=6, n_embd=4, n_head=2, block_size=3)
    weights, _, model = twins(config, 1, lambda x: x * 9)
    decoder = model.decoder()
    keys, values = reference.empty_cache(config)
    for position, token in enumerate([5, 0, 5]):
        decoder.append(token)
        logits = reference.forward(weights, config, token, position, keys, values, VECTOR)
        assert decoder.logits == [x.data for x in logits]
        probabilities = VECTOR.softmax([x / 0.3 for x in logits])
        assert decoder.probabilities(0.3) == [p.data for p in probabilities]
        assert decoder.draw(None, 0) == decoder.logits.index(max(decoder.logits))
    with pytest.raises(ValueError, match="no more than 3 positions"):
        decoder.append(0)
    with pytest.raises(ValueError, match="6 is no token"):
        model.decoder().append(6)
    with pytest.raises(OverflowError):
        decoder.draw(random.random, 5e-324)
    model.weights[:] = array.array("d", [math.nan] * model.num_params)
    decoder = model.decoder()
    decoder.append(0)
    with pytest.raises(ValueError, match="must be finite"):
        decoder.draw(random.random, 1)


def test_buffers_are_the_models_memory():
    config = isograd.GPTConfig(vocab_size=5, n_embd=4, n_head=2, block_size=4)
    model = native(config)
    views = model.weights, model.gradients, model.first_moments, model.second_moments
    count = sum(n_out * n_in for _, n_out, n_in in reference.weight_shapes(config))
    for view in views:
        assert (view.format, view.shape, view.readonly) == ("d", (count,), False)
        assert not any(view)
    model.weights[-1] = 1.5
    weights = model.weights
    del model, view, views
    assert weights[-1] == 1.5


def test_bad_input():
    config = isograd.GPTConfig(vocab_size=5, n_embd=4, n_head=2, block_size=4)
    model = native(config)
    losses = []
    for docs, message in [
        ([], "no documents"),
        ([[1]], "1 tokens"),
        ([[0, 5]], "token 5"),
        ([[0, -1]], "token -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.backward(docs)
        with pytest.raises(ValueError, match=message):
            model.train(docs, 1, step=0, steps=1, lr=1, losses=losses)
    with pytest.raises(TypeError):
        model.backward([[0, "a"]])
    for options, message in [
        ({"steps": 0}, "does not hold"),
        ({"betas": (0.9, 1)}, "betas"),
        ({"eps": -1}, "eps"),
        ({"batch_size": 0}, "at least 1"),
    ]:
        options = {"step": 0, "steps": 1, "lr": 1, "losses": losses, **options}
        with pytest.raises(ValueError, match=message):
            model.train([[0, 1]], 1, **options)
    with pytest.raises(ValueError, match="divisible"):
        _native.NativeGPT(vocab_size=5, n_layer=1, n_embd=5, n_head=2, block_size=4)
    with pytest.raises(MemoryError):
        _native.NativeGPT(vocab_size=5, n_layer=1 << 30, n_embd=1 << 20, n_head=2, block_size=4)


def test_sizes_that_cannot_be_are_named():
    sizes = {"vocab_size": 5, "n_layer": 1, "n_embd": 4, "n_head": 2, "block_size": 4}
    for name in sizes:
        with pytest.raises(ValueError, match=f"{name} must be a whole number from 1 on, not 0"):
            _native.NativeGPT(**{**sizes, name: 0})


def test_a_number_that_compares_as_another_is_refused():
    class Liar(int):
        __ge__ = __gt__ = __le__ = __lt__ = lambda self, other: True

    model = native(isograd.GPTConfig(vocab_size=5, n_embd=4, n_head=2, block_size=4))
    with pytest.raises(ValueError, match="not the numbers they compare as"):
        model.loss([[0, Liar(99)]])


def test_more_documents_in_all_than_a_size_can_count():
    """2**63 steps of 2 documents are 2**64; the run ends where it diverges."""
    config = isograd.GPTConfig(vocab_size=5, n_embd=4, n_head=2, block_size=4)
    docs, losses = [[4, 0, 1, 2, 4], [4, 3, 4], [0, 1]], []
    with pytest.raises(ValueError):
        twins(config, 3)[2].train(
            docs, 2**63, step=0, steps=2**63, lr=1e5, batch_size=2, losses=losses
        )
    assert len(losses) > 0


@pytest.mark.parametrize("shape", [(0, 6), (6, 0), (2, 2), (4, 2), (-2, -3), (2**62, 4), (1, 7)])
def test_a_matrix_has_the_size_of_its_memory(shape):
    numbers = memoryview(array.array("d", [0.0] * 6))
    assert _native.Matrix(numbers, 2, 3).tolist() == [[0.0] * 3] * 2
    with pytest.raises(ValueError, match="6 numbers are no"):
        _native.Matrix(numbers, *shape)


def test_nobody_can_release_the_memory_of_a_matrix():
    matrix = isograd.GPT(isograd.GPTConfig(3), rng=random.Random(0)).state_dict()["wte"]
    for view in gc.get_referents(matrix):
        if isinstance(view, memoryview):
            with pytest.raises(BufferError):
                view.release()
    assert len(matrix.tolist()) == 3


def test_a_matrix_is_made_of_doubles():
    doubles = memoryview(array.array("d", [0.0] * 12))
    others = doubles[:6].cast("B").cast("d", (2, 3)), doubles[::2], doubles[:6].toreadonly()
    for flat in (array.array("f", [0.0] * 6), bytes(48), [0.0] * 6, None, *others):
        with pytest.raises((BufferError, TypeError, ValueError)):
            _native.Matrix(flat, 2, 3)


def test_memory_goes_by_documents_not_by_block_size():
    config = isograd.GPTConfig(vocab_size=3, n_embd=2, n_head=2, block_size=300_000)
    _, _, model = twins(config, 1)
    losses = [model.loss([[0, 1] * 20]), model.loss([[0, 1] * 300]), model.loss([[0, 1] * 20])]
    assert losses[0] == losses[2]


def test_long_documents(unit):
    config = isograd.GPTConfig(vocab_size=3, n_embd=2, n_head=2, block_size=80)
    rng = random.Random(1)
    docs = [[rng.randrange(3) for _ in range(n)] for n in (81, 3, 70, 100, 20)]
    check_backward(config, 1, docs)
    check_training(config, 1, docs, 3, batch_size=2, threads=2)


@pytest.mark.undisturbed
def test_ctrl_c_ends_training_at_once_after_a_completed_step():
    config = isograd.GPTConfig(vocab_size=27, n_embd=16, n_head=4, block_size=16)
    model = twins(config, 1)[2]
    steps = 10_000_000
    losses = []
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    timer = threading.Timer(0.2, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.train([[26, 0, 1, 26]], steps, step=0, steps=steps, lr=0.01, losses=losses)
    assert time.perf_counter() - pressed[0] < 0.1
    timer.join()
    again, same = twins(config, 1)[2], []
    again.train([[26, 0, 1, 26]], len(losses), step=0, steps=steps, lr=0.01, losses=same)
    assert same == losses and bytes(again.weights) == bytes(model.weights)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.parametrize("threads", [1, 2])
def test_interrupting_a_batch_that_takes_seconds(threads):
    """Between two of its pieces; nothing of the step is left."""
    config = isograd.GPTConfig(vocab_size=5, n_layer=1, n_embd=16, n_head=4, block_size=16)
    _, _, model = twins(config, 3)
    docs, called, losses = [[0, 1, 2, 3, 4] * 3] * 400_000, [], []

    def interrupt(number, frame):
        called.append(time.perf_counter())
        raise LookupError("by the handler")

    model.train(docs[:1], 1, step=0, steps=2, lr=0.01, losses=losses)
    before = model.weights.tolist(), model.first_moments.tolist(), model.second_moments.tolist()
    previous = signal.signal(signal.SIGALRM, interrupt)
    # From 3.12 on, PyErr_CheckSignals collects garbage first. A callback of the collector, such as
    # hypothesis's, would run the handler, and its exception would be lost.
    gc.disable()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(LookupError, match="by the handler"):
            model.train(
                docs,
                1,
                step=1,
                steps=2,
                lr=0.01,
                losses=losses,
                threads=threads,
                batch_size=len(docs),
            )
        took = time.perf_counter() - called[0]
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    after = model.weights.tolist(), model.first_moments.tolist(), model.second_moments.tolist()
    assert after == before and len(losses) == 1
    assert took < 1.0  # some 20 ms where the machine has nothing else to do
