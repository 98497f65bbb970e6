"""The short form of `make fuzz`, and what it does with a difference."""

import os
import runpy
import subprocess
import sys

import fuzz
import pytest
import random_cases
from conftest import n_cases

pytestmark = pytest.mark.once

COUNTS = {"programs": 200, "micrograd": 200, "models": 4, "runs": 6, "scripts": 4}


if not hasattr(os, "fork"):
    del COUNTS["scripts"]


@pytest.mark.parametrize("kind", COUNTS)
def test_the_first_seeds(kind):
    kind, count = random_cases.KINDS[kind], n_cases(COUNTS[kind])
    for seed in range(count):
        assert random_cases.difference(kind, kind.make(seed)) is None, (kind.name, seed)


def test_the_command_prints_a_table():
    line = [sys.executable, fuzz.__file__, "programs", "micrograd", "--first", "7", "--count", "20"]
    done = subprocess.run([*line, "--jobs", "2"], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n| programs | 7 to 26 | 20 | 0 | " in done.stdout
    assert "\n| micrograd | 7 to 26 | 20 | 0 | " in done.stdout


def test_a_difference_is_shrunk_to_a_test(monkeypatch, tmp_path, capsys):
    def difference(program):
        return "squares" if any(instruction[0] == "pow" for instruction in program) else None

    monkeypatch.setattr(fuzz, "FOLDER", tmp_path)
    kind = random_cases.KINDS["programs"]
    seed = next(seed for seed in range(100) if difference(kind.make(seed)))
    with monkeypatch.context() as patch:
        patch.setattr(kind, "difference", difference)
        assert fuzz.main(["programs", "--first", str(seed), "--count", "1"]) == 1
    printed = capsys.readouterr().out
    assert f"programs {seed} differs: squares" in printed
    (written,) = tmp_path.iterdir()
    assert str(written) in printed
    test = runpy.run_path(str(written))
    assert [instruction[0] for instruction in test["CASE"]] == ["pow"]
    test["test_it"]()


@pytest.mark.parametrize("kind", COUNTS)
def test_a_shrunken_case_is_a_program(kind, tmp_path):
    kind = random_cases.KINDS[kind]
    if kind.name == "scripts":
        smaller = [text for text, _ in kind.smaller(kind.make(3))]
        compile(smaller[0], "script.py", "exec")
        return
    case = next(kind.smaller(kind.make(3)))
    path = tmp_path / "test_shrunken.py"
    path.write_text(kind.text(case), encoding="utf-8")
    test = runpy.run_path(str(path))
    assert repr(test["CASE"]) == repr(case)
    test["test_it"]()


def test_a_crash_is_found(monkeypatch, capsys):
    monkeypatch.setattr(fuzz.Campaign, "run", lambda *_: [fuzz.Block("programs", range(40, 50))])
    monkeypatch.setattr(fuzz, "alone", lambda kind, seed: -11 if seed == 43 else 0)
    assert fuzz.main(["programs", "--count", "10"]) == 1
    assert "programs 43 ends with status -11" in capsys.readouterr().out
