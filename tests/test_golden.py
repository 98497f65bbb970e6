"""The recorded runs of the pure-Python original, reproduced bit for bit through the public API.

The records were made with glibc 2.36 on x86-64. On any other libm the expectation is the first
LIVE_STEPS steps of a run of tier `reference` made on the spot.
"""

import gc
import hashlib
import json
import platform
import random
import struct
from pathlib import Path

import pytest
from conftest import slow

import isograd

pytestmark = pytest.mark.once

RECORDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "golden").glob("*.json"))
}
SHORT = [name for name, record in RECORDS.items() if record["config"]["steps"] < 1000]
RECORDED_LIBM = platform.libc_ver() == ("glibc", "2.36") and platform.machine() == "x86_64"
LIVE_STEPS = 20
SIZES = ["n_layer", "n_embd", "n_head", "block_size"]


class Enough(Exception):
    pass


def outcome(config, tier, stop):
    """What a record says of a run with `config`, here of its first `stop` steps; all weights."""
    rng = random.Random(config["seed"])
    docs = isograd.load_docs()
    rng.shuffle(docs)
    tokenizer = isograd.CharTokenizer(docs)
    sizes = {size: config[size] for size in SIZES}
    model_config = isograd.GPTConfig(vocab_size=tokenizer.vocab_size, **sizes)
    model = isograd.GPT(model_config, rng=rng, tier=tier)
    losses = []

    def callback(step, loss):
        losses.append(loss.hex())
        if step == stop:
            raise Enough

    tokens = [tokenizer.encode(doc) for doc in docs]
    with pytest.raises(Enough):
        isograd.train(model, tokens, config["steps"], config["lr"], callback)
    weights = {
        f"{name}[{i}][{j}]": x
        for name, rows in model.arrays().items()
        for i, row in enumerate(rows.tolist())
        for j, x in enumerate(row)
    }
    hexes = [x.hex() for x in weights.values()]
    return {
        "num_docs": len(docs),
        "vocab_size": tokenizer.vocab_size,
        "num_params": model.num_params,
        "losses": losses,
        "first_weights": hexes[:4],
        "last_weights": hexes[-4:],
        "weights": dict(zip(weights, hexes)),
        "weights_sha256": hashlib.sha256(
            struct.pack(f"<{len(weights)}d", *weights.values())
        ).hexdigest(),
        "samples": [
            isograd.sample(model, tokenizer, rng=rng, temperature=config["temperature"])
            for _ in range(config["samples"])
        ],
    }


def numbers(outcome):
    """Every single number and text of an outcome under a name of its own."""
    for key, value in outcome.items():
        if isinstance(value, dict):
            yield from value.items()
        elif isinstance(value, list):
            yield from ((f"{key}[{i}]", x) for i, x in enumerate(value))
        else:
            yield key, value


def differences(expected, actual):
    """A line for each difference, in the order of `actual`; only what both tell is compared."""
    both = [key for key in actual if key in expected]
    expected = dict(numbers({key: expected[key] for key in both}))
    actual = dict(numbers({key: actual[key] for key in both}))
    return [
        f"{name}: expected {expected.get(name)}, is {actual.get(name)}"
        for name in actual | expected
        if actual.get(name) != expected.get(name)
    ]


def check(name, tier):
    config = RECORDS[name]["config"]
    if RECORDED_LIBM:
        expected, steps = RECORDS[name], config["steps"]
    else:
        steps = min(config["steps"], LIVE_STEPS)
        expected = outcome(config, "reference", steps)
    found = differences(expected, outcome(config, tier, steps))
    assert not found, "\n".join([f"{len(found)} differences, the first ones:", *found[:5]])


@pytest.mark.parametrize("tier", [tier for tier in isograd.model.TIERS if tier != "reference"])
@pytest.mark.parametrize("name", RECORDS)
def test_the_record_is_reproduced(name, tier):
    check(name, tier)


@pytest.mark.skipif(not RECORDED_LIBM, reason="recorded with another libm: nothing to compare with")
@pytest.mark.parametrize("name", [name if name == "names-tiny" else slow(name) for name in SHORT])
def test_reference_reproduces_the_record(name):
    gc.disable()  # which takes a third of the time, and finds nothing: graphs have no cycles
    try:
        check(name, "reference")
    finally:
        gc.enable()


def test_bundled_names_are_those_of_the_records():
    path = Path(isograd.__file__).parent / "data" / "names.txt"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert {record["data_sha256"] for record in RECORDS.values()} == {digest}
