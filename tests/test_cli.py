"""The command line, as a process of its own: what it prints, what it refuses, how it stops."""

import errno
import io
import json
import math
import os
import platform
import random
import re
import signal
import subprocess
import sys

import pytest

import isograd
from isograd.options import RunOptions

NOT_WINDOWS = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, pipes, terminals")
NATIVE_ONLY = pytest.mark.skipif(
    isograd.model.DEFAULT_TIER != "native", reason="pure Python takes too long"
)
MANY_COMMANDS = [pytest.mark.once, NOT_WINDOWS, NATIVE_ONLY]  # of tests in faults/
TINY = ["--n-embd=4", "--n-head=2", "--block-size=4", "--steps=2", "--samples=2"]


def isograd_command(*arguments):
    return [sys.executable, "-m", "isograd", *arguments]


def run(*arguments, **environment):
    """The finished process, with its output as text."""
    return subprocess.run(
        isograd_command(*map(str, arguments)),
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **environment},
    )


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "docs.txt"
    path.write_text("ann\nbob\ncrl\n")  # which the tiny model holds
    return path


# What it says of itself


@pytest.mark.parametrize("arguments", [["--version"], ["info"]])
def test_version_and_info(arguments):
    process = run(*arguments)
    assert (process.returncode, process.stderr) == (0, "")
    lines = process.stdout.splitlines()
    assert lines[:2] == [f"isograd {isograd.__version__}", f"backend: {isograd.backend}"]
    assert re.fullmatch("compiler: .+", lines[2])
    assert re.fullmatch("vector unit: .+", lines[3])
    python = f"{platform.python_implementation()} {platform.python_version()}"
    assert lines[4].startswith(f"Python: {python} on ")
    assert len(lines) == 5


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["train", "--help"]])
def test_help(arguments):
    process = run(*arguments)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("Usage: ")


@pytest.mark.parametrize("backend", ["c", "python"])
def test_the_environment_picks_the_backend(backend):
    process = run("info", ISOGRAD_BACKEND=backend)
    assert (process.returncode, process.stderr) == (0, "")
    assert f"\nbackend: {backend}\n" in process.stdout
    assert ("\ncompiler: none\nvector unit: none\n" in process.stdout) == (backend == "python")


@pytest.mark.parametrize("backend", ["C", "cython", "1"])
def test_an_unknown_backend_is_an_error(backend):
    process = run("info", ISOGRAD_BACKEND=backend)
    assert process.returncode != 0
    assert process.stdout == ""
    sentence = f"ISOGRAD_BACKEND must be 'c' or 'python', not {backend!r}"
    assert process.stderr.splitlines()[-1].endswith(sentence)


# What it refuses


def complaint(process):
    """The one sentence a refused command leaves behind."""
    assert process.stdout == ""
    assert process.returncode == 2
    assert re.fullmatch("isograd: [^\n]+\n", process.stderr)
    return process.stderr


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "docs.txt' holds no documents"),
        (b" \n\n\t\n", "docs.txt' holds no documents"),
        (b"ann\nzo\xeb\n", "docs.txt' is not UTF-8 text"),
    ],
)
def test_unusable_data(data, content, words):
    data.write_bytes(content)
    assert words in complaint(run("train", *TINY, "--data", data))


def test_missing_data(tmp_path):
    path = tmp_path / "missing.txt"
    assert f"cannot read {str(path)!r}" in complaint(run("train", "--data", path))


def test_a_directory_as_data(tmp_path):
    assert f"cannot read {str(tmp_path)!r}" in complaint(run("train", "--data", tmp_path))


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that opens only")
def test_data_that_opens_and_cannot_be_read():
    assert "cannot read '/proc/self/mem'" in complaint(run("train", "--data=/proc/self/mem"))


BAD_OPTIONS = [
    ("--n-embd=6", "n_embd must be divisible by n_head, but 6 is not by 4"),
    ("--steps=-1", "steps must be a whole number from 0 on, not -1"),
    ("--batch-size=0", "batch_size must be a whole number from 1 on, not 0"),
    ("--batch-size=-1", "batch_size must be a whole number from 1 on, not -1"),
    ("--batch-size=nan", "'nan' is not a valid integer"),
    ("--threads=0", "threads must be a whole number from 1 on, not 0"),
    ("--threads=many", "'many' is neither a whole number nor auto."),
    ("--checkpoint-every=5", "--checkpoint-every says how often, --checkpoint which file"),
    (
        "--checkpoint-every=0 --checkpoint=x",
        "checkpoint_every must be a whole number from 1 on, not 0",
    ),
    ("--history=losses.txt", "a history is a .csv or a .jsonl file, not 'losses.txt'"),
    ("--history=missing/losses.csv", "cannot write 'missing/losses.csv': No such file"),
    ("--checkpoint=missing/run", "cannot write 'missing/run': No such file"),
    ("--checkpoint=.", "cannot write '.': Is a directory"),
    ("--checkpoint=x.csv --history=./x.csv", "--history and --plot must be different files"),
    ("--resume=missing", "cannot read 'missing': No such file"),
    ("--resume=.", "cannot read '.': Is a directory"),
    (f"--samples={2**64}", "samples must be a whole number below 2**63"),
    ("--samples=-1", "samples must be a whole number from 0 on, not -1"),
    ("--tier=gpu", "'gpu' is not one of 'native', 'fused', 'value', 'reference'"),
    ("--steps=many", "'many' is not a valid integer"),
    ("--lr=fast", "'fast' is not a valid float"),
    ("--data", "'--data' requires an argument"),
    ("--epochs=3", "--epochs"),
    ("names.txt", "names.txt"),
]
for name in ["n_layer", "n_embd", "n_head", "block_size"]:
    for size in [0, -1]:
        option = f"--{name.replace('_', '-')}={size}"
        BAD_OPTIONS.append((option, f"{name} must be a whole number from 1 on, not {size}"))
for name in ["n_embd", "n_layer", "block_size"]:
    option = f"--{name.replace('_', '-')}=100000000000"
    BAD_OPTIONS.append((option, "more memory than there is"))
for name in ["n_embd", "n_layer", "n_head", "block_size", "batch_size", "steps", "threads"]:
    for size in [2**64, 10**21]:
        option = f"--{name.replace('_', '-')}={size}"
        BAD_OPTIONS.append((option, f"{name} must be a whole number below 2**63"))
for number in ["nan", "inf", "-inf", "-0.5"]:
    BAD_OPTIONS.append((f"--lr={number}", f"lr must be a finite number from 0 on, not {number}"))
for number in ["-1.0", "nan", "inf"]:
    words = f"temperature must be a finite number from 0 on, not {number}"
    BAD_OPTIONS.append((f"--temperature={number}", words))


@pytest.mark.parametrize("option, words", BAD_OPTIONS)
def test_bad_options(data, option, words):
    assert words in complaint(run("train", "--data", data, *option.split()))


@pytest.mark.parametrize(
    "arguments, name",
    [
        (["train", f"--{name}="], f"--{name}")
        for name in ["data", "checkpoint", "resume", "history", "plot"]
    ]
    + [(["eval", ""], "CHECKPOINT"), (["sample", ""], "CHECKPOINT"), (["run", ""], "SCRIPT")]
    + [(["eval", "missing", "--data="], "--data")],
)
def test_empty_paths(arguments, name):
    words = f"Invalid value for '{name}': expected a path, not an empty one"
    assert words in complaint(run(*arguments))


@pytest.mark.parametrize("argument", ["tain", "--verbose"])
def test_unknown_commands_and_options(argument):
    assert argument in complaint(run(argument))


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")
@pytest.mark.parametrize("option", ["--data", "--resume"])
def test_a_device(option):
    assert "'/dev/zero' is a device; expected a file" in complaint(
        run("train", option, "/dev/zero")
    )


@pytest.mark.skipif(isograd.model.DEFAULT_TIER != "native", reason="others take no memory at once")
def test_memory_that_runs_out_in_training_is_one_sentence(data):
    process = run("train", *TINY, "--data", data, "--batch-size", 10**15)
    assert process.returncode == 1
    assert process.stderr == (
        "\nisograd: memory ran out in step 1 of 2: "
        "batch_size 1000000000000000 and threads 1 need more than there is\n"
    )


def test_divergence_is_one_sentence(data):
    process = run("train", "--data", data, "--lr=1e200", "--n-embd=4")
    assert process.returncode == 1
    assert re.fullmatch("isograd: numbers left the finite in [^\n]+", process.stderr.strip())
    process = run("train", "--data", data, "--lr=1e6")
    words = r"\nisograd: numbers left the finite in step \d+ of 1000: math domain error\n"
    assert re.fullmatch(words, process.stderr)


@pytest.mark.parametrize("tier", isograd.model.TIERS)
def test_documents_that_are_cut_are_told_of_once(data, tier):
    """The longest has 5 characters, which 6 positions hold with the end."""
    data.write_text("ann\nbob\ncarol\n")
    arguments = "train", *TINY, "--data", data, "--tier", tier
    for size, words in [
        (3, "isograd: 3 of 3 documents have more than 2 characters and are cut; "),
        (5, "isograd: 1 of 3 documents have more than 4 characters and are cut; "),
        (6, ""),
    ]:
        process = run(*arguments, "--block-size", size)
        assert process.returncode == 0
        assert process.stderr == (words and f"{words}--block-size 6 holds the longest\n")


# Checkpoints

RUN = [*TINY, "--steps=10", "--batch-size=2", "--seed=3", "--lr=0.05", "--samples=4"]


@pytest.fixture
def whole(data, tmp_path):
    """A run that never stops: what it prints, its checkpoint and its history."""
    kept, table = tmp_path / "whole.safetensors", tmp_path / "whole.csv"
    process = run("train", *RUN, "--data", data, "--checkpoint", kept, "--history", table)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout, kept.read_bytes(), table.read_bytes()


STOP_AT = """
import signal, sys
from isograd.commands import cli, progress

def show(self, show=progress.Progress.show):
    before = self.shown
    show(self)
    if before < self.shown == int(stop):
        print(flush=True)
        signal.raise_signal(getattr(signal, name))

stop, name, *sys.argv[1:] = sys.argv[1:]
progress.Progress.show = show
progress.BETWEEN_LOOKS = 0  # shows every step
cli.main()
"""


def run_until(step, signal_name, *arguments):
    """A training run that sends itself a signal right after a step has been shown."""
    return subprocess.run(
        [sys.executable, "-c", STOP_AT, str(step), signal_name, "train", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
    )


def steps_in(checkpoint):
    return isograd.load_checkpoint(checkpoint).state.steps


@NOT_WINDOWS
@pytest.mark.parametrize("tier", isograd.model.TIERS)
@pytest.mark.parametrize("step, signal_name, kept_steps", [(7, "SIGKILL", 6), (7, "SIGINT", 7)])
def test_a_run_that_was_stopped_goes_on_to_the_same_end(
    data, tmp_path, whole, tier, step, signal_name, kept_steps
):
    kept, table = tmp_path / "run.safetensors", tmp_path / "run.csv"
    files = ["--checkpoint", kept, "--history", table, "--tier", tier]
    process = run_until(step, signal_name, *RUN, "--data", data, "--checkpoint-every=3", *files)
    assert process.returncode == (130 if signal_name == "SIGINT" else -9)
    assert steps_in(kept) == kept_steps
    assert table.read_bytes() == b"".join(whole[2].splitlines(True)[: step + 1])
    process = run("train", "--resume", kept, *files)
    assert (process.returncode, process.stderr) == (0, "")
    lines = whole[0].splitlines()
    assert process.stdout.splitlines() == lines[:3] + lines[3 + kept_steps :]
    assert kept.read_bytes() == whole[1]
    assert table.read_bytes() == whole[2]


def test_a_finished_run_can_be_resumed_and_only_invents(whole, tmp_path):
    kept = tmp_path / "whole.safetensors"
    process = run("train", "--resume", kept)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.count("| loss") == 0
    assert process.stdout.partition("---")[2] == whole[0].partition("---")[2]
    assert kept.read_bytes() == whole[1], "without --checkpoint no file is written"


@pytest.mark.parametrize(
    "option, words",
    [
        ("--steps=5", "the state has 10 steps done, of 5 asked for"),
        ("--activation=relu2", "--activation relu2 contradicts 'whole.safetensors'"),
        ("--tie-weights", "--tie-weights True contradicts 'whole.safetensors', whose run has Fal"),
        ("--clip-norm=1", "--clip-norm 1.0 contradicts 'whole.safetensors', whose run has None"),
        (
            "--validation=0.3",
            "--validation 0.3 contradicts 'whole.safetensors', whose run has None",
        ),
        ("--lr=0.01", "--lr 0.01 contradicts 'whole.safetensors', whose run has 0.05"),
        ("--seed=4", "--seed 4 contradicts"),
        ("--batch-size=1", "--batch-size 1 contradicts"),
        ("--n-embd=8", "--n-embd 8 contradicts 'whole.safetensors', whose run has 4"),
        ("--block-size=16", "--block-size 16 contradicts"),
        (
            "--data=other.txt",
            "'other.txt' does not hold the documents that 'whole.safetensors' was",
        ),
        (
            "--checkpoint=other.txt",
            "'other.txt' exists; go on from it with --resume, or name a new",
        ),
        ("--history=other.csv", "'other.csv' is not the history of the run that is resumed"),
    ],
)
def test_what_contradicts_a_checkpoint_is_refused(whole, tmp_path, monkeypatch, option, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.txt").write_text("ann\nbob\ncarol\ndan\n")
    (tmp_path / "other.csv").write_text("step,loss,lr\n1,2.0,0.05\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert words in complaint(run("train", "--resume=whole.safetensors", option))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "options, words",
    [
        ({"steps": 3}, "does not say with which lr its run was made"),
        ({}, "does not say with which steps its run was made"),
        ({"steps": "3"}, "does not say with which steps its run was made"),
        ({"steps": 2, "lr": 0.1, "batch_size": 1, "seed": 1}, "has 3 steps done, of 2 asked for"),
        (
            {"steps": 3, "lr": 0.1, "batch_size": 1, "seed": 1, "data": ["ann"]},
            "names no file as its data; give it with --data",
        ),
        ({"steps": 3, "lr": 0.1, "batch_size": 0, "seed": 1}, "batch_size must be"),
        (
            {"steps": 3, "lr": 0.1, "batch_size": 1, "seed": 1, "temperature": "hot"},
            "temperature must be a finite number from 0 on, not 'hot'",
        ),
    ],
)
def test_a_checkpoint_that_a_program_wrote_says_all_or_is_refused(data, tmp_path, options, words):
    docs = isograd.load_docs(data)
    tokenizer = isograd.CharTokenizer(docs)
    rng = random.Random(1)
    rng.shuffle(docs)
    model = isograd.GPT(isograd.GPTConfig(tokenizer.vocab_size, 1, 4, 2, 4), rng=rng)
    state = isograd.TrainingState(model.num_params)
    isograd.train(model, list(map(tokenizer.encode, docs)), 3, state=state)
    sha256 = isograd.docs_sha256(docs)
    path = tmp_path / "run.safetensors"
    saved = isograd.Checkpoint(model, tokenizer, state, rng.getstate(), options, sha256)
    isograd.save_checkpoint(path, saved)
    arguments = [] if "data" in options else ["--data", data]
    assert words in complaint(run("train", "--resume", path, *arguments))


@pytest.mark.parametrize("end", [None, 0, 5, -7])
def test_a_resumed_run_completes_its_history(whole, tmp_path, end):
    table = tmp_path / "table.csv"
    if end is not None:
        table.write_bytes(whole[2][:end])
    options = ["--steps=10", "--samples=0", "--history", table]  # no contradiction
    process = run("train", "--resume", tmp_path / "whole.safetensors", *options)
    assert (process.returncode, process.stderr) == (0, "")
    assert table.read_bytes() == whole[2]


@pytest.mark.parametrize("option", ["--checkpoint", "--history"])
def test_no_file_is_overwritten(data, tmp_path, option):
    path = tmp_path / "precious.csv"
    path.write_text("step,loss,lr\n")
    assert f"{str(path)!r} exists" in complaint(run("train", *TINY, "--data", data, option, path))
    assert path.read_text() == "step,loss,lr\n"


@pytest.mark.parametrize("command", ["sample", "eval", "train"])
@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is no safetensors file, or a damaged one"),
        (b"ann\nbob\n", "is no safetensors file, or a damaged one"),
        ("cut off", "is no safetensors file, or a damaged one"),
        ("flipped", "is damaged, or was changed after isograd wrote it"),
        (
            (2).to_bytes(8, "little") + b"{}",
            "is a safetensors file, but no checkpoint of isograd",
        ),
    ],
)
def test_unusable_checkpoints(whole, tmp_path, command, content, words):
    path = tmp_path / "bad"
    if content == "cut off":
        content = whole[1][:-1]
    elif content == "flipped":
        content = whole[1][:-1] + bytes([whole[1][-1] ^ 1])
    path.write_bytes(content)
    arguments = ["train", "--resume", path] if command == "train" else [command, path]
    assert f"{str(path)!r} {words}" in complaint(run(*arguments))


@pytest.mark.undisturbed
@NOT_WINDOWS
@pytest.mark.parametrize("option, name", [("--history", "x.csv"), ("--checkpoint", "x")])
def test_a_full_disk_leaves_nothing_half_written(data, tmp_path, option, name):
    import resource

    folder = tmp_path / "full"
    folder.mkdir()
    process = subprocess.run(
        isograd_command("train", *RUN, "--data", data, option, folder / name),
        capture_output=True,
        encoding="utf-8",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (150, 150)),
    )
    assert process.returncode == 1
    sentence = rf"\nisograd: cannot write '{folder / name}': [^\n]+\n"
    assert re.fullmatch(f"({sentence})+", process.stderr)
    if option == "--checkpoint":
        assert os.listdir(folder) == []
    else:
        assert (folder / name).read_bytes().startswith(b"step,loss,lr\n1,")
        assert (folder / name).read_bytes().endswith(b"\n")


GO_AWAY_AT = """
import shutil, sys
from isograd.commands import cli, progress

def show(self, show=progress.Progress.show):
    before = self.shown
    show(self)
    if before < self.shown == int(last):
        shutil.rmtree(folder)

last, folder, *sys.argv[1:] = sys.argv[1:]
progress.Progress.show = show
progress.BETWEEN_LOOKS = 0  # shows every step
cli.main()
"""


@pytest.mark.parametrize(
    "options, name",
    [(["--checkpoint-every=3", "--checkpoint"], "x"), (["--plot"], "loss.svg")],
)
def test_a_folder_that_is_gone_is_one_sentence(data, tmp_path, options, name):
    pytest.importorskip("matplotlib")
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    arguments = [3, path.parent, "train", *RUN, "--data", data, *options, path]
    process = subprocess.run(
        [sys.executable, "-c", GO_AWAY_AT, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
    )
    assert process.returncode == 1
    reason = os.strerror(errno.ENOENT)
    assert process.stderr == f"\nisograd: cannot write {str(path)!r}: {reason}\n"


# Long documents


@pytest.mark.undisturbed
@NOT_WINDOWS
@NATIVE_ONLY
@pytest.mark.parametrize("command", ["train", "eval"])
def test_a_long_line_takes_what_its_bytes_take(tmp_path, command):
    short, long, kept = tmp_path / "short.txt", tmp_path / "long.txt", tmp_path / "kept"
    short.write_text("abcde " * 20 + "\nann\n")
    long.write_text("abcde " * 2_000_000 + "\nann\n")
    assert run("train", *TINY, "--data", short, "--checkpoint", kept).returncode == 0
    arguments = ["eval", kept] if command == "eval" else ["train", *TINY, "--steps=50"]
    before, after = (usage(*arguments, "--data", path) for path in [short, long])
    # 12 MB: as a list of tokens alone these would be 96 MB.
    megabyte = 1024 if sys.platform == "linux" else 1024**2
    assert (after.ru_maxrss - before.ru_maxrss) / megabyte < 80
    assert after.ru_utime - before.ru_utime < 2


def usage(*arguments):
    """What a command that succeeds takes of the machine."""
    process = subprocess.Popen(isograd_command(*map(str, arguments)), stdout=subprocess.DEVNULL)
    _, process.returncode, usage = os.wait4(process.pid, 0)
    assert process.returncode == 0
    return usage


# Sampling and evaluating


def test_sample_goes_on_where_training_ended(whole, tmp_path):
    kept = tmp_path / "whole.safetensors"
    expected = whole[0].partition("---\n")[2]
    process = run("sample", kept, "--samples=4")
    assert (process.returncode, process.stderr, process.stdout) == (0, "", expected)
    for tier in isograd.model.TIERS:
        process = run("sample", kept, "--samples=3", "--seed=-8", "--temperature=1", "--tier", tier)
        rng = random.Random(-8)
        loaded = isograd.load_checkpoint(kept, tier=tier)
        names = [
            isograd.sample(loaded.model, loaded.tokenizer, rng=rng, temperature=1.0)
            for _ in range(3)
        ]
        lines = [f"sample {i:2d}: {name}" for i, name in enumerate(names, 1)]
        assert process.stdout.splitlines() == lines


def test_samples_with_a_beginning_among_the_likeliest(whole, tmp_path):
    kept = tmp_path / "whole.safetensors"
    loaded = isograd.load_checkpoint(kept)
    char, rng = loaded.tokenizer.chars[0], random.Random(1)
    for tier in isograd.model.TIERS:
        process = run(
            "sample", kept, "--count=3", "--seed=1", "--prompt", char, "--top-k=2", "--tier", tier
        )
        rng.seed(1)
        lines = [
            f"sample {i:2d}: "
            + isograd.sample(loaded.model, loaded.tokenizer, rng=rng, prompt=char, top_k=2)
            for i in (1, 2, 3)
        ]
        assert (process.stderr, process.stdout.splitlines()) == ("", lines)


def test_greedy_samples_are_all_the_same(whole, tmp_path):
    process = run("sample", tmp_path / "whole.safetensors", "--temperature=0", "--samples=3")
    assert len({line.partition(":")[2] for line in process.stdout.splitlines()}) == 1
    assert process.stdout.count("sample") == 3


@pytest.mark.parametrize("tier", isograd.model.TIERS)
def test_eval_says_how_well_documents_are_predicted(whole, data, tmp_path, tier):
    kept = tmp_path / "whole.safetensors"
    process = run("eval", kept, "--data", data, "--tier", tier)
    loaded = isograd.load_checkpoint(kept)
    docs = [loaded.tokenizer.encode(doc) for doc in isograd.load_docs(data)]
    result = isograd.evaluate(loaded.model, docs)
    assert process.returncode == 0
    assert process.stdout.splitlines() == [
        "documents: 3",
        "predictions: 12 (characters and ends of documents)",
        f"loss: {result.loss:.4f} nats (mean of the documents' means, as in training)",
        f"a prediction: {result.nats:.4f} nats, {result.bits:.4f} bits",
    ]


def test_what_sample_and_eval_refuse(whole, data, tmp_path):
    kept, other = tmp_path / "whole.safetensors", tmp_path / "other.txt"
    other.write_text("zoe\n")
    for arguments, words in [
        (["sample"], "Missing argument 'CHECKPOINT'"),
        (["eval"], "Missing argument 'CHECKPOINT'"),
        (["sample", tmp_path / "none"], "cannot read"),
        (["sample", tmp_path], "cannot read"),
        (["sample", kept, "--samples=-1"], "samples must be a whole number from 0 on, not -1"),
        (["sample", kept, "--temperature=nan"], "temperature must be a finite number from 0 on"),
        (["sample", kept, "--temperature=-1"], "temperature must be a finite number from 0 on"),
        (["sample", kept, "--seed=x"], "'x' is not a valid integer"),
        (["sample", kept, "--prompt=X"], "'X' holds the character 'X', which is not among"),
        (["sample", kept, "--prompt", "a" * 16], "the prompt has 16 characters; a model of"),
        (["sample", kept, "--top-k=0"], "top_k must be a whole number from 1 on, not 0"),
        (["eval", kept, "--data", other], "holds the character"),
        (["eval", kept, "--data", tmp_path], "cannot read"),
        (["eval", kept, "--data", kept], "is not UTF-8 text"),
    ]:
        assert words in complaint(run(*arguments))


# Histories and plots


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_history_has_the_exact_numbers(data, tmp_path, kind):
    path = tmp_path / f"losses.{kind}"
    process = run("train", *RUN, "--data", data, "--history", path)
    assert process.returncode == 0
    docs = isograd.load_docs(data)
    rng = random.Random(3)
    rng.shuffle(docs)
    tokenizer = isograd.CharTokenizer(docs)
    config = isograd.GPTConfig(tokenizer.vocab_size, 1, 4, 2, 4)
    model = isograd.GPT(config, rng=rng)
    losses = isograd.train(model, list(map(tokenizer.encode, docs)), 10, 0.05, batch_size=2)
    content = path.read_text()
    assert content.endswith("\n")
    if kind == "csv":
        header, *lines = content.splitlines()
        assert header == "step,loss,lr"
        rows = [line.split(",") for line in lines]
    else:
        rows = [json.loads(line).values() for line in content.splitlines()]
        assert list(json.loads(content.splitlines()[0])) == ["step", "loss", "lr"]
    rows = [(int(step), float(loss), float(lr)) for step, loss, lr in rows]
    assert rows == [(i + 1, loss, 0.05 * (1 - i / 10)) for i, loss in enumerate(losses)]


def test_a_row_that_found_no_room_is_taken_back(tmp_path):
    from isograd.commands.history import History

    class Full(io.FileIO):
        def write(self, row):
            return super().write(row[:5])

    path, losses = tmp_path / "losses.csv", [0.5, 0.25]
    history = History(path.as_posix(), RunOptions(steps=2, lr=0.1), losses[:1], resumed=False)
    before, file = path.read_bytes(), history.file
    with Full(path, "ab") as history.file, pytest.raises(OSError) as caught:
        history.write(losses)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, path.as_posix())
    assert path.read_bytes() == before
    history.file = file
    history.write(losses)
    file.close()
    assert path.read_bytes() == before + b"2,0.25,0.05\n"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_history_is_written_in_whole_rows_that_no_kill_can_divide(tmp_path, kind):
    from isograd.commands.history import PAGE, History

    class Recorded(io.FileIO):
        def write(self, rows):
            writes.append((self.seek(0, os.SEEK_END), rows))
            return super().write(rows)

    rng, writes = random.Random(1), []
    losses = [rng.random() for _ in range(2000)]
    table, slowly = (tmp_path / f"{name}.{kind}" for name in ["table", "slowly"])
    for path, pieces in [(table, [2000]), (slowly, [1, 2, 3, 700, 701, 2000])]:
        history = History(path.as_posix(), RunOptions(steps=2000, lr=0.1), [], resumed=False)
        history.file.close()
        with Recorded(path, "ab") as history.file:
            for n in pieces:
                history.write(losses[:n])
    assert table.read_bytes() == slowly.read_bytes()
    assert table.read_bytes().count(b"\n") == 2000 + (kind == "csv")
    assert len(writes) < 200
    for at, rows in writes:  # Linux may stop a killed process between two pages, nowhere else
        assert rows.endswith(b"\n")
        assert at // PAGE == (at + len(rows) - 1) // PAGE or rows.count(b"\n") == 1


@pytest.mark.parametrize("missing", [1, 20, 60])
def test_a_disk_that_fills_up_keeps_the_whole_rows(tmp_path, missing):
    from isograd.commands.history import History

    class Full(io.FileIO):
        def write(self, rows):
            return super().write(rows[:-missing])

    losses = [0.5, 0.25, 0.125]
    path, whole = tmp_path / "losses.csv", tmp_path / "whole.csv"
    History(whole.as_posix(), RunOptions(steps=3, lr=0.1), losses, resumed=False).file.close()
    history = History(path.as_posix(), RunOptions(steps=3, lr=0.1), [], resumed=False)
    history.file.close()
    with Full(path, "ab") as history.file, pytest.raises(OSError):
        history.write(losses)
    lines = whole.read_bytes().splitlines(True)
    assert path.read_bytes() in [b"".join(lines[:n]) for n in range(1, 4)]
    with io.FileIO(path, "ab") as history.file:
        history.write(losses)
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.undisturbed
def test_a_history_is_whole_after_an_interruption_before_any_bytecode(tmp_path):
    from isograd.commands.history import History

    losses = [0.1, 0.2, 0.30000000000000004]
    expected = tmp_path / "expected.csv"
    History(expected.as_posix(), RunOptions(steps=5, lr=0.1), losses, resumed=False).file.close()
    for k in range(1, 10**6):
        path = tmp_path / f"{k}.csv"
        history = History(path.as_posix(), RunOptions(steps=5, lr=0.1), [], resumed=False)
        left = k

        def trace(frame, event, argument):
            nonlocal left
            frame.f_trace_opcodes = True
            if event == "opcode":
                left -= 1
                if left == 0:
                    sys.settrace(None)
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            history.write(losses)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        assert path.read_bytes()[-1:] == b"\n"
        history.write(losses)
        history.file.close()
        assert path.read_bytes() == expected.read_bytes(), f"bytecode {k}"
        if left > 0:
            break
    assert k > 50


def test_a_plot(data, tmp_path):
    pytest.importorskip("matplotlib")
    for kind, beginning in [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]:
        path = tmp_path / f"loss.{kind}"
        for _ in range(2):  # a picture may be replaced
            assert run("train", *RUN, "--data", data, "--plot", path).returncode == 0
        assert path.read_bytes().startswith(beginning)
    assert "loss (nats)" in (tmp_path / "loss.svg").read_text()
    words = "a plot is a file such as loss.png or loss.svg, not 'loss.txt'"
    assert words in complaint(run("train", *TINY, "--data", data, "--plot=loss.txt"))
    words = "cannot write 'missing/loss.png': No such file"
    assert words in complaint(run("train", *TINY, "--data", data, "--plot=missing/loss.png"))


def test_a_missing_library_is_named_before_training_starts(data, tmp_path, whole):
    for missing, arguments, words in [
        ("matplotlib", ["train", *TINY, "--data", data, "--plot=x.png"], "isograd[plot]"),
        ("safetensors", ["sample", tmp_path / "whole.safetensors"], "pip install safetensors"),
    ]:
        code = (
            f"import sys; sys.modules[{missing!r}] = None; "
            "from isograd.commands import cli; cli.main()"
        )
        process = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            encoding="utf-8",
        )
        assert words in complaint(process)


# How it stops


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_output_that_cannot_be_written_is_one_sentence():
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            isograd_command("info"), stdout=full, stderr=subprocess.PIPE, encoding="utf-8"
        )
    assert process.returncode == 1
    assert process.stderr == f"isograd: cannot write the output: {os.strerror(errno.ENOSPC)}\n"


def test_characters_that_the_outputs_encoding_lacks_are_one_sentence(data):
    data.write_text("zo\xeb\n", encoding="utf-8")
    options = ["--data", data, "--samples=50"]
    process = run("train", *TINY, *options, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert process.returncode == 1
    assert process.stderr == "isograd: the output's encoding has no '\\xeb'\n"


LOADING = """
import signal, sys

class Finder:
    def find_spec(self, name, *arguments):
        if name == imported:
            signal.raise_signal(signal.SIGINT)

imported, *sys.argv = sys.argv[1:]
sys.meta_path.insert(0, Finder())
signal.signal(signal.SIGINT, getattr(signal, sys.argv.pop()))
from isograd.commands.cli import main
main()
"""


@NOT_WINDOWS
@pytest.mark.parametrize("handler", ["default_int_handler", "SIG_IGN"])
@pytest.mark.parametrize("imported", ["isograd._backend", "click", "isograd.commands.train"])
def test_ctrl_c_while_the_command_loads_is_no_traceback(imported, handler):
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            LOADING,
            imported,
            "/usr/bin/isograd",
            "train",
            "--steps=0",
            handler,
        ],
        capture_output=True,
        encoding="utf-8",
    )
    assert process.stderr.strip() == ""
    if handler == "SIG_IGN":
        assert process.returncode == 0
    else:
        assert process.returncode == (130 if imported.endswith("train") else -signal.SIGINT)


@NOT_WINDOWS
@pytest.mark.parametrize("script", ["/usr/bin/isograd", "/usr/bin/other", "-m", ""])
def test_who_loads_the_package_for_another_purpose_keeps_its_signals(tmp_path, script):
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "import signal, sys; sys.argv[0] = sys.argv.pop(); import isograd; "
            "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)",
            script,
        ],
        capture_output=True,
        encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout == f"{not script.endswith('isograd')}\n"
    path = tmp_path / "script.py"
    path.write_text(
        "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    )
    assert run("run", path).stdout == "True\n"


def test_ctrl_c_before_there_is_anything_to_name():
    code = (
        "import signal; from isograd.commands import cli; "
        "cli.about = lambda: signal.raise_signal(signal.SIGINT); cli.main()"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, "info"], capture_output=True, encoding="utf-8"
    )
    assert (process.returncode, process.stdout, process.stderr.strip()) == (130, "", "")


@pytest.mark.undisturbed
@NOT_WINDOWS
@pytest.mark.parametrize("tier", isograd.model.TIERS)
def test_ctrl_c_names_the_step(data, tier):
    with subprocess.Popen(
        isograd_command("train", "--plain", "--data", data, "--steps=999999", "--tier", tier),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        output = b""
        while b"step    3 / 999999" not in output:
            output += os.read(process.stdout.fileno(), 1000)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()
    assert process.returncode == 130
    sentence = re.fullmatch(
        r"isograd: interrupted in step (\d+) of 999999", errors.decode().strip()
    )
    shown = re.findall(r"step +(\d+) /", (output + rest).decode())
    assert int(sentence.group(1)) - int(shown[-1]) in [1, 2]  # 2: interrupted while it was shown


@NOT_WINDOWS
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["info"], ["train", *TINY], ["train", *TINY, "--steps=1000"]],
    ids=["help", "info", "train", "longer train"],
)
@pytest.mark.parametrize("lines_read", [0, 1])
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_closed_pipe_ends_it_quietly(data, arguments, lines_read, unbuffered):
    if arguments[0] == "train":
        arguments = [*arguments, "--data", data]
    with subprocess.Popen(
        isograd_command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    ) as process:
        for _ in range(lines_read):
            process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in [0, 1]


@NOT_WINDOWS
def test_a_terminal_shows_a_live_bar_and_then_the_names(data):
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        isograd_command("train", *TINY, "--steps=30", "--data", data),
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        os.close(theirs)
        output = read_terminal(ours)
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert "\x1b[2K" in output or "\x1b[?25l" in output, "nothing is redrawn"
    training, names = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output).split("--- inference")
    assert "num docs: 3\r\nvocab size: 8\r\n" in training
    assert re.search(r"step 30/30 .* loss \d\.\d{4} smoothed \d\.\d{4}", training)
    assert re.search(r"\r\n30 steps in [\d.e-]+ s, [\d,.]+ steps/s\r\n", training)
    assert re.search(r"sample  1: \w*\r\nsample  2: \w*\r\n$", names)


def test_a_bar_that_goes_on_smooths_the_losses_before(capsys):
    from isograd.commands.history import moving_averages
    from isograd.commands.progress import LiveProgress

    losses = [3.0, 2.5, 2.0]
    done = losses[:2]
    with LiveProgress(4, done) as progress:
        done.append(losses[2])
        progress.show()
    (task,) = progress.bar.tasks
    assert task.fields["smoothed"] == list(moving_averages(losses))[-1]
    assert "step 3/4" in capsys.readouterr().out


@pytest.mark.parametrize(
    "seconds, third, looks", [(1e-6, 16, 31), (3e-3, 16, 31), (0.04, 11, 33), (2.0, 7, 10)]
)
def test_looks_at_a_run_come_by_the_clock(monkeypatch, seconds, third, looks):
    from isograd.commands import progress

    now = 0.0
    monkeypatch.setattr(progress, "perf_counter", lambda: now)
    pace, looked = progress.Pace(5), [(5, now)]
    while now < 5 or len(looked) < 10:
        step = pace.next
        now += (step - looked[-1][0]) * seconds
        assert not pace.is_due(step - 1) and pace.is_due(step)
        looked.append((step, now))
    assert [step for step, _ in looked[:3]] == [5, 6, third]
    assert len(looked) <= looks + math.log10(1 + 0.2 / seconds)
    pauses = [b - a for (_, a), (_, b) in zip(looked, looked[1:])]
    assert max(pauses) < 0.21 or (seconds > 0.2 and max(pauses) <= seconds * 1.01)


@pytest.mark.parametrize(
    "seconds, words",
    [(0.01234, "0.0123 s"), (59.96, "60 s"), (65.4, "1 min 5 s"), (7384, "2 h 3 min 4 s")],
)
def test_durations(seconds, words):
    from isograd.commands.progress import duration

    assert duration(seconds) == words


LIBRARY = """
import random, sys, isograd

docs, rng = isograd.load_docs(), random.Random(42)
rng.shuffle(docs)
tokenizer = isograd.CharTokenizer(docs)
model = isograd.GPT(isograd.GPTConfig(tokenizer.vocab_size), rng=rng)
isograd.train(model, list(map(tokenizer.encode, docs)), int(sys.argv[1]))
"""


def cpu_seconds(arguments):
    """What the processors spend on a process whose standard output is a terminal."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(arguments, stdout=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    read_terminal(ours)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.undisturbed
@NOT_WINDOWS
@NATIVE_ONLY
def test_a_terminal_costs_hardly_more_than_the_training_itself():
    """bench/terminal.py measures it better. Here the machine may be busy with other things, which
    makes runs longer and the view, drawn by the clock, dearer; a view drawn by steps costs 1.5."""
    steps, ratios = "40000", []
    while len(ratios) < 8 and min(ratios, default=2) > 1.3:
        library = cpu_seconds([sys.executable, "-c", LIBRARY, steps])
        command = cpu_seconds(isograd_command("train", "--samples=0", "--steps", steps))
        ratios.append(command / library)
    assert min(ratios) < 1.4


@pytest.mark.undisturbed
@NOT_WINDOWS
def test_ctrl_c_on_a_terminal_is_one_sentence_and_keeps_the_run(data, tmp_path):
    import pty

    kept, table = tmp_path / "run.safetensors", tmp_path / "run.csv"
    files = ["--checkpoint", kept, "--checkpoint-every=9999999", "--history", table]
    options = [*TINY, "--steps=9999999", "--data", data]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        isograd_command("train", *map(str, [*options, *files])),
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        os.close(theirs)
        output = b""
        while output.count(b"steps/s") < 5:
            output += os.read(ours, 1000)
        process.send_signal(signal.SIGINT)
        output = output.decode() + read_terminal(ours)
        errors = process.stderr.read().decode()
    assert process.returncode == 130
    step = re.fullmatch(r"\nisograd: interrupted in step (\d+) of 9999999\n", errors).group(1)
    done = int(step) - 1
    assert re.search(rf"(?<!\d){done} steps in \S+ s, \S+ steps/s\r\n$", output)
    assert steps_in(kept) == done
    assert len(table.read_bytes().splitlines()) == done + 1


def read_terminal(descriptor):
    """All that is written to a pseudo-terminal until its other side is closed."""
    output = b""
    while True:
        try:
            piece = os.read(descriptor, 1000)
        except OSError:  # how Linux reports the end
            piece = b""
        if not piece:
            os.close(descriptor)
            return output.decode()
        output += piece
