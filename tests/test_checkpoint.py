"""Checkpoints as files: what is in them, what comes back, what is refused, what a crash leaves."""

import json
import math
import os
import random
import signal
import subprocess
import sys
from array import array

import pytest
from bits import bits
from test_training import DOCS, SIZES, TIERS, TOKENIZER, new_model, snapshot

import isograd
import isograd.checkpoint
import isograd.files

pytestmark = pytest.mark.once

safetensors = pytest.importorskip("safetensors")

TEXTS = ["ab", "cabba", "c"]
OPTIONS = {"steps": 6, "lr": 0.1 + 0.2, "batch_size": 2, "seed": -7, "data": None}


def new_checkpoint(tier="fused", steps=3, seed=1, **sizes):
    """A run after `steps` of 6 steps."""
    rng = random.Random(seed)
    rng.gauss(0, 1)  # leaves a second number behind, which is part of the generator's state
    model = new_model(tier, **sizes)
    state = isograd.TrainingState(model.num_params)
    isograd.train(model, DOCS, 6, 0.03, state=state, until=steps)
    sha256 = isograd.docs_sha256(TEXTS)
    return isograd.Checkpoint(model, TOKENIZER, state, rng.getstate(), OPTIONS, sha256)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


@pytest.fixture
def content(path):
    """The content of a good file."""
    isograd.save_checkpoint(path, new_checkpoint())
    return path.read_bytes()


# What comes back


@pytest.mark.parametrize("steps", [0, 3, 6])
@pytest.mark.parametrize("to", TIERS)
@pytest.mark.parametrize("tier", TIERS)
def test_all_comes_back_on_every_tier(tier, to, steps, path):
    saved = new_checkpoint(tier, steps)
    isograd.save_checkpoint(path, saved)
    loaded = isograd.load_checkpoint(path, tier=to)
    assert snapshot(loaded.model, loaded.state) == snapshot(saved.model, saved.state)
    assert (loaded.model.tier, loaded.model.config) == (to, saved.model.config)
    assert loaded.tokenizer.chars == saved.tokenizer.chars
    assert loaded[3:] == saved[3:]
    assert bits(loaded.options["lr"]) == bits(OPTIONS["lr"])
    rng, same = random.Random(), random.Random()
    rng.setstate(loaded.random_state)
    same.setstate(saved.random_state)
    assert [rng.gauss(0, 1) for _ in range(3)] == [same.gauss(0, 1) for _ in range(3)]


def test_a_run_that_goes_on_from_a_file_ends_in_the_same_bits(path):
    model = new_model()
    state = isograd.TrainingState(model.num_params)
    isograd.train(model, DOCS, 6, 0.03, state=state)
    for tier in TIERS:
        isograd.save_checkpoint(path, new_checkpoint(tier))
        loaded = isograd.load_checkpoint(os.fspath(path), tier=tier)
        isograd.train(loaded.model, DOCS, 6, 0.03, state=loaded.state)
        assert snapshot(loaded.model, loaded.state) == snapshot(model, state), tier


def test_numbers_beyond_the_finite_and_zeros_with_signs_come_back(path):
    checkpoint = new_checkpoint()
    numbers = [math.inf, -math.inf, math.nan, -0.0, 5e-324, 1.7976931348623157e308]
    for p, x in zip(checkpoint.model.parameters(), numbers):
        p.data = x
    checkpoint.state.losses[:3] = numbers[:3]
    isograd.save_checkpoint(path, checkpoint)
    loaded = isograd.load_checkpoint(path, tier="fused")
    assert [bits(p.data) for p in loaded.model.parameters()[:6]] == [bits(x) for x in numbers]
    assert [bits(x) for x in loaded.state.losses] == [bits(x) for x in numbers[:3]]


@pytest.mark.parametrize("chars", ["a", 'é"\\', "字\U0001f600\x00", "\ud800"])
def test_any_characters_can_be_tokens(path, chars):
    tokenizer = isograd.CharTokenizer([chars])
    config = isograd.GPTConfig(tokenizer.vocab_size, 1, 2, 1, 2)
    model = isograd.GPT(config, rng=random.Random(1))
    state = isograd.TrainingState(model.num_params)
    random_state = random.getstate()
    saved = isograd.Checkpoint(model, tokenizer, state, random_state, {"data": chars}, "")
    isograd.save_checkpoint(path, saved)
    loaded = isograd.load_checkpoint(path, tier="fused")
    assert (loaded.tokenizer.chars, loaded.options) == (tokenizer.chars, {"data": chars})


def test_documents_and_their_order_have_a_checksum():
    sums = {isograd.docs_sha256(docs) for docs in [["a", "b"], ["b", "a"], ["ab"], ["a"], ["é"]]}
    assert len(sums) == 5
    assert isograd.docs_sha256(iter(["a", "b"])) == isograd.docs_sha256(["a", "b"])


# Who else can read it


def test_others_find_weights_and_moments_by_name(path):
    pytest.importorskip("numpy")
    from safetensors.numpy import load_file

    checkpoint = new_checkpoint()
    isograd.save_checkpoint(path, checkpoint)
    arrays = load_file(path)
    names = list(checkpoint.model.state_dict())
    moments = [prefix + name for prefix in ["adam.m.", "adam.v."] for name in names]
    assert sorted(arrays) == sorted([*names, *moments, "losses"])
    for name, rows in checkpoint.model.state_dict().items():
        assert arrays[name].dtype == "float64"
        assert arrays[name].tolist() == [[p.data for p in row] for row in rows], name
    for prefix, numbers in [("adam.m.", checkpoint.state.m), ("adam.v.", checkpoint.state.v)]:
        flat = [x for name in names for x in arrays[prefix + name].ravel().tolist()]
        assert flat == list(numbers)
    assert arrays["losses"].tolist() == checkpoint.state.losses


def test_reading_and_writing_need_no_numpy(path):
    isograd.save_checkpoint(path, new_checkpoint())
    code = (
        "import sys; sys.modules['numpy'] = None; import isograd; "
        "saved = isograd.load_checkpoint(sys.argv[1]); isograd.save_checkpoint(sys.argv[1], saved)"
    )
    before = path.read_bytes()
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert path.read_bytes() == before


# What is refused; tests/faults flips every byte, and cuts the file at every length


def refused(path, content):
    """The one sentence with which a file is refused."""
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        isograd.load_checkpoint(path)
    sentence = str(caught.value)
    assert sentence.startswith(repr(os.fspath(path))) and "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"ann\nbob\n", b"PK\3\4" + bytes(1000), b"\xff" * 100, bytes(8), b"{}" * 100],
)
def test_what_is_no_safetensors_file_is_refused(path, content):
    assert "is no safetensors file, or a damaged one" in refused(path, content)


def taken_apart(content):
    size = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:size]), content[size:]


def put_together(header, body, checksum=True):
    """A file with a changed header, and a checksum that fits all the same."""
    metadata = header["__metadata__"]
    del metadata["sha256"]
    if checksum:
        metadata["sha256"] = isograd.checkpoint._checksum(header, body)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def test_a_file_taken_apart_and_put_together_is_a_good_one(path, content):
    path.write_bytes(put_together(*taken_apart(content)))
    assert isograd.load_checkpoint(path).state.steps == 3
    assert "is damaged, or was changed" in refused(
        path, put_together(*taken_apart(content), checksum=False)
    )


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"version": "1"}])
def test_a_foreign_safetensors_file_is_refused(path, content, metadata):
    header, body = taken_apart(content)
    del header["__metadata__"]
    if metadata is not None:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    sentence = refused(path, len(text).to_bytes(8, "little") + text + body)
    assert "is a safetensors file, but no checkpoint of isograd" in sentence


@pytest.mark.parametrize("version", ["2", "0", "one", "1.5"])
def test_a_checkpoint_of_another_version_is_refused(path, content, version):
    header, body = taken_apart(content)
    header["__metadata__"]["version"] = version
    sentence = refused(path, put_together(header, body))
    assert f"is a checkpoint of version {version}; this isograd reads version 1" in sentence


@pytest.mark.parametrize("names", [("layer0.attn_wq", "layer0.attn_wk"), ("wte", "adam.m.wte")])
def test_swapped_tensors_are_refused(path, content, names):
    header, body = taken_apart(content)
    a, b = names
    header[a], header[b] = header[b], header[a]
    text = json.dumps(header).encode()
    sentence = refused(path, len(text).to_bytes(8, "little") + text + body)
    assert "is damaged, or was changed after isograd wrote it" in sentence


def without(name):
    return lambda header: header.pop(name)


def renamed(name, other):
    return lambda header: header.__setitem__(other, header.pop(name))


def with_shape(name, shape):
    return lambda header: header[name].__setitem__("shape", shape)


def with_text(name, text):
    return lambda header: header["__metadata__"].__setitem__(name, text)


def without_text(name):
    return lambda header: header["__metadata__"].pop(name)


CONFIG = {"vocab_size": 4, **SIZES}
MISFITS = [
    (renamed("wte", "embedding"), "the model has no weights named 'embedding'"),
    (renamed("adam.v.wte", "adam.v.wtf"), "the model has no weights named 'wtf'"),
    (renamed("losses", "loss"), "no usable checkpoint"),
    (with_shape("wte", [2, 8]), "wte must be 4 rows of 4 numbers, not 2 rows"),
    (with_shape("wte", [16]), "wte must be 4 rows of 4 numbers"),
    (with_shape("wte", [4, 4, 1]), "wte must be 4 rows of 4 numbers"),
    (with_shape("losses", [3, 1]), "losses must be a row of numbers"),
    (with_text("config", json.dumps({**CONFIG, "n_layer": 3})), "'layer2.attn_wq' is missing"),
    (with_text("config", json.dumps({**CONFIG, "n_layer": 10**12})), "model of 1000000000000 lay"),
    (with_text("config", json.dumps({**CONFIG, "n_embd": 10**12})), "wte must be 4 rows of 10000"),
    (with_text("config", json.dumps({**CONFIG, "block_size": 10**12})), "wpe must be 100000000000"),
    (with_text("config", json.dumps({**CONFIG, "n_head": 3})), "n_embd must be divisible"),
    (with_text("config", json.dumps({**CONFIG, "vocab_size": 5})), "4 tokens for a model of 5"),
    (with_text("config", json.dumps({**CONFIG, "dropout": 0})), "no usable checkpoint"),
    (with_text("config", "[]"), "no usable checkpoint"),
    (with_text("config", "{"), "no usable checkpoint"),
    (with_text("options", "[" * 100_000), "no usable checkpoint"),
    (with_text("tokenizer", '""'), "no usable checkpoint"),
    (with_text("tokenizer", '"abcd"'), "5 tokens for a model of 4"),
    (with_text("tokenizer", "7"), "no usable checkpoint"),
    (with_text("random_state", "[3, [1, 2], null]"), "no usable checkpoint"),
    (with_text("random_state", "7"), "no usable checkpoint"),
    (with_text("options", "7"), "options must be a mapping"),
    (with_text("docs_sha256", "7"), "docs_sha256 a string"),
    (without_text("config"), "no usable checkpoint"),
    (without_text("docs_sha256"), "no usable checkpoint"),
]


@pytest.mark.parametrize("change, words", MISFITS)
def test_parts_that_do_not_go_together_are_refused(path, content, change, words):
    header, body = taken_apart(content)
    change(header)
    assert words in refused(path, put_together(header, body))


def test_other_numbers_than_doubles_are_refused(path, content):
    header, body = taken_apart(content)
    header["mask"] = {"dtype": "U8", "shape": [3], "data_offsets": [len(body), len(body) + 3]}
    assert "no usable checkpoint: mask is U8, not F64" in refused(
        path, put_together(header, body + b"\0\1\2")
    )


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")
def test_a_device_is_no_checkpoint():
    with pytest.raises(ValueError, match="'/dev/zero' is a device; expected a file"):
        isograd.load_checkpoint("/dev/zero")


def test_negative_second_moments_are_refused(path):
    checkpoint = new_checkpoint()
    checkpoint.state.v[5] = -1.0
    with pytest.raises(ValueError, match="second moments cannot be negative"):
        isograd.save_checkpoint(path, checkpoint)
    assert not path.exists()


def test_a_state_of_another_model_is_not_saved(path):
    state = isograd.TrainingState(7)
    with pytest.raises(ValueError, match="the state is of 7 weights, the model has 432"):
        isograd.save_checkpoint(path, new_checkpoint()._replace(state=state))
    assert not path.exists()


def test_a_model_is_no_checkpoint(path):
    with pytest.raises(TypeError, match="checkpoint must be a Checkpoint, not of the class GPT"):
        isograd.save_checkpoint(path, new_checkpoint().model)
    assert not path.exists()


@pytest.mark.parametrize("options", [{"f": print}, {"x": object()}])
def test_options_that_json_cannot_hold_leave_the_file_as_it_was(path, content, options):
    with pytest.raises(TypeError):
        isograd.save_checkpoint(path, new_checkpoint()._replace(options=options))
    assert path.read_bytes() == content


def test_an_unknown_tier(path, content):
    with pytest.raises(ValueError, match="tier must be one of"):
        isograd.load_checkpoint(path, tier="gpu")


# Files


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError):
        isograd.load_checkpoint(tmp_path / "missing")
    with pytest.raises(OSError):
        isograd.load_checkpoint(tmp_path)
    with pytest.raises(OSError):
        isograd.save_checkpoint(tmp_path / "missing" / "file", new_checkpoint())
    with pytest.raises(OSError):
        isograd.save_checkpoint(tmp_path, new_checkpoint())
    assert not [name for name in os.listdir(tmp_path.parent) if name.endswith(".part")]


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_while_writing_leaves_the_file_before(
    path, content, function, error, monkeypatch
):
    def fail(*arguments):
        raise error

    checkpoint = new_checkpoint(steps=6)
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error)):
        isograd.save_checkpoint(path, checkpoint)
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="Windows makes no links without permission")
def test_a_link_goes_on_pointing_to_the_file(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path.name)
    isograd.save_checkpoint(link, new_checkpoint())
    assert link.is_symlink() and path.is_file()


POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX modes, locks and signals")


def mode(path):
    return oct(path.stat().st_mode & 0o7777)


@POSIX
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_the_umask_and_keeps_the_one_it_is_given(path, umask):
    before = os.umask(umask)
    try:
        isograd.save_checkpoint(path, new_checkpoint())
        assert mode(path) == oct(0o666 & ~umask)
        for kept in [0o600, 0o644, 0o660, 0o400]:
            path.chmod(kept)
            isograd.save_checkpoint(path, new_checkpoint(steps=6))
            assert mode(path) == oct(kept)
    finally:
        os.umask(before)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to be root")
def test_a_file_keeps_its_owner(path, content):
    os.chown(path, 4321, 1234)
    isograd.save_checkpoint(path, new_checkpoint(steps=6))
    assert (path.stat().st_uid, path.stat().st_gid) == (4321, 1234)


DIE_WHILE_WRITING = """
import os, signal, sys
from isograd import files

os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
os.umask(0)
files.write_atomically(sys.argv[1], b"half")
"""


@POSIX
def test_what_killed_processes_leave_is_cleaned_up(path):
    for written in [False, True]:
        for _ in range(3):
            subprocess.run([sys.executable, "-c", DIE_WHILE_WRITING, path])
            assert len(os.listdir(path.parent)) == 1 + written
            assert path.exists() == written
        isograd.save_checkpoint(path, new_checkpoint())
        assert os.listdir(path.parent) == [path.name]
        assert isograd.load_checkpoint(path).state.steps == 3
        assert not path.stat().st_mode & 0o002, "nothing of the part that was left"
    subprocess.run([sys.executable, "-c", DIE_WHILE_WRITING, path])
    isograd.files.check_writable(path)
    assert os.listdir(path.parent) == [path.name]


WRITE_MANY_TIMES = """
import sys
from isograd import files

for i in range(300):
    files.write_atomically(sys.argv[1], sys.argv[2].encode() * (10_000 + 100 * i))
"""


@pytest.mark.slow
@POSIX
def test_two_processes_may_write_a_file_at_once(path):
    path.write_bytes(b"a")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE_MANY_TIMES, path, letter]) for letter in "abc"
    ]
    while None in [writer.poll() for writer in writers]:
        assert len(set(path.read_bytes())) == 1, "one process's bytes alone"
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert os.listdir(path.parent) == [path.name]


@POSIX
def test_a_link_in_the_place_of_the_part_is_not_followed(path, tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"")
    (tmp_path / f".{path.name}.part").symlink_to(precious)
    with pytest.raises(OSError):
        isograd.save_checkpoint(path, new_checkpoint())
    assert precious.read_bytes() == b"" and not path.exists()


def test_an_empty_path_names_no_file(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    with pytest.raises(FileNotFoundError):
        isograd.load_checkpoint("")
    with pytest.raises(FileNotFoundError):
        isograd.save_checkpoint("", new_checkpoint())
    assert os.listdir(tmp_path) == ["folder"] and os.listdir(".") == []


SAVE_FOREVER = """
import sys, isograd
saved = isograd.load_checkpoint(sys.argv[1])
while True:
    saved.state.losses.append(0.0)
    isograd.save_checkpoint(sys.argv[1], saved)
    print(saved.state.steps, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_process_killed_at_any_moment_leaves_a_good_file(path, content):
    last = 3
    for milliseconds in range(0, 20, 2):
        with subprocess.Popen(
            [sys.executable, "-c", SAVE_FOREVER, path], stdout=subprocess.PIPE
        ) as process:
            process.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(milliseconds / 1000)
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().split()
        steps = isograd.load_checkpoint(path).state.steps
        told = int(lines[-1]) if lines else last + 1
        assert steps - told in [0, 1], "killed between the file's replacement and the line"
        last = steps


def test_without_the_library_reading_says_what_is_missing(path, content, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ModuleNotFoundError, match="safetensors"):
        isograd.load_checkpoint(path)


def test_moments_may_be_lists_or_arrays(path):
    for kind in [list, lambda numbers: array("d", numbers)]:
        checkpoint = new_checkpoint()
        checkpoint.state.m, checkpoint.state.v = kind(checkpoint.state.m), kind(checkpoint.state.v)
        isograd.save_checkpoint(path, checkpoint)
        assert list(isograd.load_checkpoint(path).state.m) == list(checkpoint.state.m)
