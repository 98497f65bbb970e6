"""Recording: the recorded run is the run that `train` makes, and what is recorded of it is true."""

import json
import math
import random
import struct
from array import array
from dataclasses import replace

import pytest

import isograd
from isograd.explain import calls as calls_module
from isograd.explain import engines, payload, record
from isograd.explain.calls import POWERS, doubles_above_nearest
from isograd.explain.digest import digest_of
from isograd.explain.payload import About
from isograd.explain.record import keyframe_steps
from isograd.model import TIERS
from isograd.options import RunOptions

DOCS = ["anna", "bob", "мир", "a\u2028b", "😀😀", "</script><img onerror>", "x" * 40]
TINY = RunOptions(steps=6, n_embd=8, n_head=2, block_size=6, samples=3)
ABOUT = About(data="documents", sha256="0" * 64, command="isograd explain")
TYPES = {"f64": "d", "i32": "i", "i8": "b", "u8": "B"}
LIBM = {"exp": math.exp, "log": math.log, "cos": math.cos, "sin": math.sin} | {
    name: lambda x, n=n: x**n for n, name in POWERS.items()
}


def arrays_in(content):
    """Header and arrays of a payload, read as the contract says."""
    (size,) = struct.unpack_from("<I", content)
    header = json.loads(content[4 : 4 + size].decode("utf-8"))
    arrays = {}
    for entry in header["arrays"]:
        assert entry["offset"] % 8 == 0
        form = f"<{entry['length']}{TYPES[entry['type']]}"
        arrays[entry["name"]] = struct.unpack_from(form, content, entry["offset"])
    return header, arrays


def trained(options, docs, step):
    """Weights, moments, losses after `step`, and the run's samples after the last."""
    rng = random.Random(options.seed)
    docs = docs[:]
    rng.shuffle(docs)
    tokenizer = isograd.CharTokenizer(docs)
    model = isograd.GPT(options.config(tokenizer.vocab_size), rng=rng)
    state = isograd.TrainingState(model.num_params)
    schedule = [tokenizer.encode(doc) for doc in docs], options.steps, options.lr
    for until in (step, options.steps):
        isograd.train(model, *schedule, batch_size=options.batch_size, state=state, until=until)
        if until == step:
            weights, m, v = list(model.read_data()), list(state.m), list(state.v)
    draw = {"rng": rng, "temperature": options.temperature}
    samples = [isograd.sample(model, tokenizer, **draw) for _ in range(options.samples)]
    return weights, m, v, state.losses, samples


RUNS = {
    "default sizes": RunOptions(steps=20),
    "layers and batches": replace(TINY, n_layer=2, batch_size=4),
    "one step": replace(TINY, steps=1),
    "greedy": replace(TINY, temperature=0),
    "large seed": replace(TINY, seed=-(10**40)),
}


@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_the_recorded_run_is_the_one_that_train_makes(options, monkeypatch):
    monkeypatch.setattr(record, "BETWEEN_KEYFRAMES", 4)
    recording = record.record_run(DOCS, options)
    assert [frame.step for frame in recording.keyframes][-1] == options.steps
    for frame in recording.keyframes:
        weights, m, v, losses, samples = trained(options, DOCS, frame.step)
        assert [list(numbers) for numbers in frame[1:]] == [weights, m, v]
        if recording.digest_every == 1:
            digest = digest_of(weights)
            assert recording.digests[8 * frame.step - 8 : 8 * frame.step] == digest
    assert recording.losses == losses
    assert recording.samples == samples
    rng = random.Random(options.seed)
    shuffled = DOCS[:]
    rng.shuffle(shuffled)
    assert [DOCS[i] for i in recording.order] == shuffled
    shapes = isograd.reference.weight_shapes(recording.config)
    n = sum(n_out * n_in for _, n_out, n_in in shapes)
    assert list(recording.weights) == [rng.gauss(0, 0.08) for _ in range(n)]


needs_c = pytest.mark.skipif("native" not in TIERS, reason="nothing is compiled")


@pytest.mark.slow
@needs_c
@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_c_and_the_reference_record_the_same(options, monkeypatch, units):
    from isograd import _native

    options = replace(options, steps=min(options.steps, 10))
    recordings = {}
    for unit in units:
        _native.set_vector_unit(unit)
        recordings[unit] = record.record_run(DOCS, options)
    monkeypatch.setattr(record, "TIERS", ("reference",))
    reference = record.record_run(DOCS, options)
    for unit, native in recordings.items():
        assert native.exceptions == reference.exceptions, unit
        assert payload.pack(native, ABOUT) == payload.pack(reference, ABOUT), unit
    if options.n_embd == 16:
        assert reference.exceptions["root"] and reference.exceptions["square"]


def test_each_exception_is_one():
    recording = record.record_run(isograd.load_docs(), RunOptions(steps=30))
    assert set(recording.exceptions) == set(LIBM)
    for name, found in recording.exceptions.items():
        for x, above in found.items():
            assert above and doubles_above_nearest(name, x, LIBM[name](x)) == above, (name, x.hex())


def test_a_payload_holds_the_recording():
    recording = record.record_run(DOCS, TINY)
    content = payload.pack(recording, ABOUT)
    header, arrays = arrays_in(content)
    assert header == payload.read_header(content)
    assert (header["format"], header["version"]) == ("isograd run", 3)
    assert header["config"] == vars(recording.config)
    assert header["options"]["seed"] == "42" and header["options"]["steps"] == 6
    assert header["texts"] == DOCS and "text_at" not in arrays
    assert header["samples"] == recording.samples
    assert [DOCS[i] for i in arrays["order"]] == [DOCS[i] for i in recording.order[:6]]
    assert arrays["weights"] == tuple(recording.weights)
    assert arrays["losses"] == tuple(recording.losses)
    assert bytes(arrays["digests"]) == bytes(recording.digests)
    assert arrays["corrections"][:2] == (1 - 0.85, 1 - 0.99)
    assert len(arrays["corrections"]) == 12
    assert arrays["keyframe_steps"] == (6,)
    assert arrays["keyframe_v"] == tuple(recording.keyframes[0].v)
    for name, found in recording.exceptions.items():
        assert dict(zip(arrays[f"{name}_x"], arrays[f"{name}_d"])) == found
        bits = [struct.unpack("<Q", struct.pack("<d", x))[0] for x in arrays[f"{name}_x"]]
        assert bits == sorted(set(bits))


def test_the_same_run_gives_the_same_bytes():
    first, second = (payload.pack(record.record_run(DOCS, TINY), ABOUT) for _ in range(2))
    assert first == second


def test_documents_that_no_step_used_can_be_withheld(monkeypatch):
    recording = record.record_run(DOCS, replace(TINY, steps=2))
    used = sorted(recording.order[:2])
    header, arrays = arrays_in(payload.pack(recording, ABOUT._replace(withhold=True)))
    assert header["texts"] == [DOCS[i] for i in used]
    assert (arrays["text_at"], header["withheld"]) == (tuple(used), True)
    monkeypatch.setattr(payload, "MOST_TEXT", 10)
    assert arrays_in(payload.pack(recording, ABOUT))[0] == header


def test_keyframes_are_fewer_where_they_are_large():
    assert list(keyframe_steps(1000, 4192)) == [334, 668, 1000]
    assert list(keyframe_steps(1, 4192)) == [1]
    assert len(list(keyframe_steps(100_000, 4192))) == 25
    assert list(keyframe_steps(1000, 53_632)) == [500, 1000]
    assert list(keyframe_steps(1000, 10**6)) == [1000]


@pytest.mark.parametrize(
    "options",
    [{"steps": 10**7}, {"n_embd": 512, "n_layer": 2}, {"batch_size": 10**15}, {"n_layer": 10**12}],
)
def test_a_run_with_too_much_to_record_is_refused(options):
    with pytest.raises(record.TooLarge, match="would make a page too large for a browser"):
        record.record_run(DOCS, replace(RunOptions(), **options))


def test_documents_and_calls_that_are_too_much_are_refused(monkeypatch):
    with pytest.raises(record.TooLarge):
        record.record_run(["x" * 65_000_000], TINY)
    options = replace(TINY, steps=100)
    anyway = 32 * len(record.record_run(DOCS, TINY).weights) + 33 * 100 + 8
    monkeypatch.setattr(record, "BETWEEN_KEYFRAMES", 4)  # steps go by that many at most
    monkeypatch.setattr(record, "ROOM", anyway + len("".join(DOCS).encode()))
    seen = []
    with pytest.raises(record.TooLarge):
        record.record_run(DOCS, options, lambda *step: seen.append(step))
    assert 0 < len(seen) < 100


@pytest.fixture(params=["native", "pure"])
def calls(request):
    """Both classes that note calls."""
    if request.param == "pure":
        return calls_module.Calls()
    if engines.NativeCalls is None:
        pytest.skip("nothing is compiled")
    return engines.NativeCalls()


def test_only_calls_that_are_not_correctly_rounded_are_kept(calls):
    exact = math.exp(1.5)
    above = math.nextafter(exact, math.inf)
    for x, result in [(1.5, exact), (2.5, math.exp(2.5)), (math.nan, math.nan), (1.5, above)]:
        calls.note("exp", x, result)
    calls.note("square", -3.0, math.nextafter(9.0, 0))
    assert len(calls) == 2
    found = {name: pairs for name, pairs in calls.exceptions().items() if pairs}
    assert found == {"exp": [(1.5, 1)], "square": [(-3.0, -1)]}


def test_a_libm_that_is_far_off_is_refused(calls):
    with pytest.raises(ArithmeticError, match="is off by more than 127 doubles"):
        calls.note("exp", 1.5, 4.0)


@pytest.mark.parametrize(
    ["wrong", "sentence"],
    [
        ({"steps": 0}, "steps must be a whole number from 1 on, not 0"),
        ({"lr": math.inf}, "lr must be a finite number from 0 on, not inf"),
        ({"seed": 1.5}, "seed must be a whole number, not 1.5"),
        ({"temperature": -1}, "temperature must be a finite number from 0 on, not -1"),
        ({"n_head": 3}, "n_embd must be divisible by n_head, but 16 is not by 3"),
    ],
)
def test_options_that_cannot_be(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        isograd.explain(data=DOCS, **wrong)


@pytest.mark.parametrize("content", [b"", b"\x05\0\0\0{}", b"\xff" * 20])
def test_a_damaged_header_says_so(content):
    with pytest.raises(ValueError, match="its payload is damaged"):
        payload.read_header(content)


@needs_c
def test_the_native_step_records_on_one_thread():
    from isograd import _native

    config = TINY.config(vocab_size=9)
    model = isograd.GPT(config, rng=random.Random(1), tier="native").weights.native
    run = {"step": 0, "steps": 9, "lr": 0.1, "losses": []}
    for recorder in {"calls": _native.Calls()}, {"digests": bytearray()}:
        with pytest.raises(ValueError, match="what is recorded is recorded on one thread"):
            model.train([[1, 2, 3]], 1, threads=2, **run, **recorder)
    digests = bytearray(b"before")
    assert model.train([[1, 2, 3]], 9, **run, digests=digests) == len(run["losses"]) == 9
    assert digests[:6] == b"before" and len(digests) == 6 + 8 * 9
    assert digests[-8:] == digest_of(model.weights)


@needs_c
def test_draws_are_doubles_in_pairs():
    from isograd import _native

    for odd in array("d", [0.5]), array("i", [1, 2]):
        with pytest.raises(ValueError, match="draws are doubles, and come in pairs"):
            _native.Calls().note_draws(odd)


def test_a_long_stretch_is_reported_in_parts(monkeypatch):
    """What is trained in one go takes some hundredths of a second, so that progress shows."""
    options, seen = RunOptions(steps=12, n_embd=128, n_layer=4, block_size=32, batch_size=16), []
    if "native" not in TIERS:
        pytest.skip("the reference reports each step anyway")
    train = record.NativeEngine.train

    def counted(self, done, n, steps, losses, digests):
        train(self, done, n, steps, losses, digests)
        seen.append(len(losses))

    monkeypatch.setattr(record.NativeEngine, "train", counted)
    record.record_run(isograd.load_docs()[:200], options)
    assert sum(seen) == 12 and len(seen) > 1
