"""The examples and commands of README.md, ORDER.md and docs run and print what they say."""

import importlib.util
import os
import platform
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import isograd

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md")))]
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"^```\n(isograd .*?)^```|`(isograd [a-z]+ [^`]+)`", re.DOTALL | re.MULTILINE)


def read(path):
    return (ROOT / path).read_text("utf-8")


def shown(example, output):
    """The lines that it prints: those of the block below it, or the comments behind its prints."""
    return output.splitlines() or re.findall(r"^ *print\(.*\)  # (.*)", example, re.MULTILINE)


EXAMPLES = {
    f"{Path(path).stem} {i}": (example, shown(example, output))
    for path in ["csrc/gpt/ORDER.md", *PAGES]
    for i, (example, output) in enumerate(EXAMPLE.findall(read(path)), 1)
}


def run(command, folder):
    process = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.parametrize("example, expected", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_runs(example, expected, tmp_path):
    if "names.safetensors" in example:  # the page's own commands make it
        made_by = "-m isograd train --steps 2000 --checkpoint names.safetensors"
        run([sys.executable, *made_by.split()], tmp_path)
    for package in ("torch", "matplotlib"):
        if package in example and not importlib.util.find_spec(package):
            pytest.skip(f"{package} is not installed")
    printed = run([sys.executable, "-c", example], tmp_path).splitlines()
    if "math.sqrt" in example and platform.libc_ver()[0] != "glibc":
        pytest.skip("what pow makes of a square root is shown for glibc")
    if expected:
        assert printed == expected


def test_there_are_examples():
    least = {"README": 3, "ORDER": 4, "micrograd": 3, "training": 2, "ask": 3, "cookbook": 12}
    least |= {"index": 2, "exact": 5, "check": 1, "tutorial": 7, "ways": 2, "differences": 2}
    least |= {"checkpoint": 4, "experiments": 3, "run": 1}
    found = Counter(name.split()[0] for name in EXAMPLES)
    assert all(found[name] >= n for name, n in least.items())
    assert all(expected for name, (_, expected) in EXAMPLES.items() if "README" not in name)


@pytest.mark.once
def test_the_tutorial_shows_what_its_first_example_draws(tmp_path):
    run([sys.executable, "-c", EXAMPLES["tutorial 1"][0]], tmp_path)
    assert (tmp_path / "graph.svg").read_text("utf-8") == read("docs/images/tutorial-graph.svg")


@pytest.mark.once
@pytest.mark.skipif(isograd.backend != "c", reason="without C nothing is compiled")
def test_why_says_what_the_page_says(tmp_path):
    page, script = read("docs/run.md"), EXAMPLES["run 1"][0]
    tuples = script.replace("set(children)", "children")
    asked = [(script, []), (script, ["--any-order"]), (tuples, [])]
    shown = re.findall(r"^```\n(isograd: .*?)^```", page, re.DOTALL | re.MULTILINE)
    assert tuples != script and len(shown) == 2
    for (text, options), expected in zip(asked, [*shown, shown[1]]):
        (tmp_path / "line.py").write_text(text)
        command = [sys.executable, "-m", "isograd", "run", "--why", *options, "line.py"]
        process = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")
        assert process.stderr.split() == expected.split()
        assert process.stdout == "2.0 1.0\n"


def texts(notebook):
    """What each cell of it printed; and how many pictures it shows."""
    outputs = [cell.get("outputs", []) for cell in notebook.cells]
    printed = ["".join(output.get("text", "") for output in cell) for cell in outputs]
    return printed, sum("image/png" in o.get("data", {}) for cell in outputs for o in cell)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.undisturbed
@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/notebooks/*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_runs(path, tmp_path):
    """It prints what is stored in it; `python tools/run_notebooks.py` stores it anew."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(path, as_version=4)
    stored = texts(notebook)
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    assert texts(notebook) == stored
    assert stored[1] >= 5


WORDS = "ganges\nindus\nmekong\nnile\nvolga\n"
FILES = {  # what the pages take to be there
    "your.txt": WORDS,
    "own.txt": WORDS,
    "held_out.txt": WORDS,
    "space.toml": "[run]\nsteps = 20\n[space]\nlr = [0.01, 0.02]\n",
    "your_script.py": "from isograd import Value\nprint((Value(2.0) * 3).data)\n",
    "line.py": EXAMPLES["run 1"][0],
}
SHORTER = {  # what takes long says the same about fewer steps
    "isograd verify": "isograd verify --seconds 1",
    "--plain --steps 50": "--plain --steps 3",
    "trials = 100": "trials = 4",
}


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.skipif(os.name != "posix", reason="they are written for a shell")
@pytest.mark.parametrize("path", [path for path in PAGES if COMMANDS.search(read(path))])
def test_the_commands_run(path, tmp_path):
    """Those in blocks and those within sentences, in the page's order, all in one folder."""
    text = read(path)
    for long, short in SHORTER.items():
        text = text.replace(long, short)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    for space in re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        (tmp_path / "space.toml").write_text(space)
    commands = "\n".join(block or inline for block, inline in COMMANDS.findall(text))
    if "--checkpoint run.safetensors" not in commands:
        commands = "isograd train --checkpoint run.safetensors --steps 20\n" + commands
    shell = f'isograd() {{ "{sys.executable}" -m isograd "$@"; }}\n{commands}'
    printed = run(["sh", "-e", "-c", shell], tmp_path)
    assert all(words in printed for words in re.findall(r"&& echo (.*)", commands))
