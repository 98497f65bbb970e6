"""Verify finds nothing in a true record, and every flipped bit in a false one, with its step."""

import json
import random
import struct

import pytest
from node import run_node
from runs import RUNS, payload, recorded

pytestmark = [pytest.mark.once, pytest.mark.javascript]

WIDTHS = {"f64": 8, "i32": 4, "i8": 1, "u8": 1}


def header_of(content):
    (size,) = struct.unpack_from("<I", content)
    return size, json.loads(content[4 : 4 + size])


def verdicts(content, flips=(), intact=True):
    arguments = json.dumps(list(flips)), json.dumps(intact)
    return json.loads(run_node("verify.mjs", *arguments, given=content))


@pytest.mark.parametrize("name", RUNS)
def test_a_true_record_verifies(name):
    steps = recorded(name).steps
    assert verdicts(payload(name)) == [{"steps": steps, "different": 0, "first": None}]


def steps_of(name):
    """For the arrays whose numbers belong to a step: the step of the number i."""
    recording = recorded(name)
    batch, weights = recording.options.batch_size, len(recording.weights)
    frames = [frame.step for frame in recording.keyframes]
    parts = {f"keyframe_{part}": lambda i: frames[i // weights] for part in ("weights", "m", "v")}
    return parts | {
        "weights": lambda i: 0,
        "order": lambda i: i // batch + 1,
        "losses": lambda i: i + 1,
        "digests": lambda i: i // 8 + 1,
        "corrections": lambda i: i // 2 + 1,
        "rates": lambda i: i + 1,
    }


@pytest.mark.parametrize("name", ["cut", "batches", "careful"])
def test_a_flipped_bit_of_a_number_is_found_in_its_step(name):
    content, rng, flips, expected = payload(name), random.Random(name), [], []
    steps = steps_of(name)
    for entry in header_of(content)[1]["arrays"]:
        for _ in range(12 if entry["name"] in steps else 0):
            i = rng.randrange(entry["length"])
            byte = i * WIDTHS[entry["type"]] + rng.randrange(WIDTHS[entry["type"]])
            flips.append((entry["offset"] + byte, rng.randrange(8)))
            expected.append((entry["name"], i, steps[entry["name"]](i)))
    for where, found in zip(expected, verdicts(content, flips)[1:]):
        assert found["first"]["step"] == where[2], (where, found)


@pytest.mark.parametrize("name", ["cut", "batches"])
def test_a_recorded_call_with_a_flipped_argument_is_found(name):
    content, rng, flips = payload(name), random.Random(name), []
    for entry in header_of(content)[1]["arrays"]:
        if entry["name"].endswith("_x") and entry["length"]:
            places = [rng.randrange(8 * entry["length"]) for _ in range(8)]
            flips += [(entry["offset"] + place, rng.randrange(8)) for place in places]
    assert flips
    for flip, found in zip(flips, verdicts(content, flips)[1:]):
        assert found["different"] and 0 <= found["first"]["step"] <= found["steps"], (flip, found)


def test_a_flipped_bit_anywhere_is_found_or_the_record_refused():
    content, rng = payload("cut"), random.Random("anywhere")
    size, _ = header_of(content)
    places = [rng.randrange(len(content)) for _ in range(100)]
    places += [rng.randrange(4 + size) for _ in range(150)]
    flips = [(place, rng.randrange(8)) for place in places]
    for flip, found in zip(flips, verdicts(content, flips, intact=False)[1:]):
        if "refused" in found:
            assert found["refused"].startswith("This page's record of the run"), (flip, found)
        else:
            assert found["different"] and found["first"]["step"] >= 0, (flip, found)


def with_header(content, **changes):
    """The same payload, but for entries of the header that are as long as before."""
    size, header = header_of(content)
    text = json.dumps(header | changes, sort_keys=True, separators=(",", ":")).encode()
    assert len(text) == size
    return content[:4] + text + content[4 + size :]


def test_another_end_than_the_validation_losses_tell_is_found():
    impatient, careful = payload("impatient"), payload("careful")
    changed = header_of(impatient)[1]["options"] | {"patience": 7}
    (found,) = verdicts(with_header(impatient, options=changed))
    assert (found["first"]["what"], found["first"]["step"]) == ("last step", 8)
    (found,) = verdicts(with_header(careful, kept=6))
    assert found["different"] and found["first"]["step"] == 20


def test_a_record_of_other_samples_or_letters_is_found():
    content = payload("cut")
    _, header = header_of(content)
    first = json.dumps(header["samples"][0])[1:-1].encode()
    assert first
    place = content.index(first, content.index(b'"samples":["'))
    (_, found) = verdicts(content, [(place + len(first) - 1, 0)])
    assert (
        found["first"]["what"] == "sample 1"
        and found["first"]["step"] == header["options"]["steps"]
    )
