"""The command line, as a process of its own: what it prints, what it refuses, how it stops."""

import os
import platform
import re
import signal
import subprocess
import sys

import pytest

import isograd

NOT_WINDOWS = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, pipes, terminals")
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
    path.write_text("ann\nbob\ncarol\n")
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
    ("--samples=-1", "samples must be a whole number from 0 on, not -1"),
    ("--tier=gpu", "'gpu' is not one of 'fused', 'value', 'reference'"),
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
for number in ["nan", "inf", "-inf", "-0.5"]:
    BAD_OPTIONS.append((f"--lr={number}", f"lr must be a finite number from 0 on, not {number}"))
for number in ["0.0", "-1.0", "nan", "inf"]:
    words = f"temperature must be a finite number above 0, not {number}"
    BAD_OPTIONS.append((f"--temperature={number}", words))


@pytest.mark.parametrize("option, words", BAD_OPTIONS)
def test_bad_options(data, option, words):
    assert words in complaint(run("train", "--data", data, option))


@pytest.mark.parametrize("argument", ["tain", "--verbose"])
def test_unknown_commands_and_options(argument):
    assert argument in complaint(run(argument))


def test_divergence_is_one_sentence(data):
    process = run("train", "--data", data, "--lr=1e200", "--n-embd=4")
    assert process.returncode == 1
    assert re.fullmatch("isograd: numbers left the finite in [^\n]+", process.stderr.strip())


# How it stops


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
    assert re.search(r"sample  1: \w*\r\nsample  2: \w*\r\n$", names)


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
