"""The short form of `make fuzz`, and what it does with a difference."""

import math
import os
import runpy
import subprocess
import sys

import fuzz
import pytest
import random_cases
import test_native
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


def test_a_gradient_that_was_a_large_int_for_a_while_is_no_difference():
    """The documented difference begins at 2**53 although a float is all that is left of it."""
    kind = random_cases.KINDS["programs"]
    factors = [
        0.5,
        *[1] * 5,
        *[2**53 - 1] * 2,
    ]  # the last is added first
    products = [("mul", 2, ("c", factor)) for factor in factors]
    program = [("leaf", 0), *products, ("sum", list(range(3, 11))), ("backward", 11)]
    assert not kind.are_equal(program)
    assert kind.difference(program) is None
    assert kind.difference([*program, ("leaf", 2**60), ("leaf", 1)]) is None


@pytest.mark.parametrize("kind", ["programs", "micrograd"])
def test_one_bit_of_a_program_is_a_difference(kind, monkeypatch):
    kind = random_cases.KINDS[kind]

    class Spoilt(kind.run):
        def __init__(self, twin):
            super().__init__(twin)
            self.values[0].grad = -0.0 if twin == "c" else 0.0

    monkeypatch.setattr(kind, "run", Spoilt)
    assert "-0x0.0p+0" in kind.difference([("leaf", 1)])


def test_one_bit_of_a_model_is_a_difference(monkeypatch):
    kind, train = random_cases.KINDS["models"], test_native.outcome_of_training

    def spoilt(*case, **options):
        losses, weights, *rest = train(*case, **options)
        return losses, [*weights[:-1], math.nextafter(weights[-1], 1)], *rest

    monkeypatch.setattr(test_native, "outcome_of_training", spoilt)
    assert "\n  expected weight " in kind.difference(kind.make(2))  # an ordinary model


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
