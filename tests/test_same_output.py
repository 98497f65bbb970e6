"""The printed bytes: a plain Python program, the same program on our Value, and the command.

Equal text proves little. Of programs that run in this process, losses and weights are compared too.
"""

import contextlib
import functools
import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from bits import bits
from test_golden import RECORDED_LIBM, RECORDS

import isograd

PROGRAM = Path(__file__).parent / "programs" / "names_gpt.py"
NAMES = Path(isograd.__file__).parent / "data" / "names.txt"
TIERS = list(isograd.model.TIERS)

CONFIGS = [
    {"seed": 1, "steps": 8, "n_embd": 8, "n_head": 2, "samples": 4},
    {"seed": 2, "steps": 4, "n_layer": 2, "n_embd": 6, "n_head": 3, "block_size": 5, "samples": 4},
    {"seed": -7, "steps": 20, "n_embd": 1, "n_head": 1, "block_size": 3, "temperature": 2.5},
    {"seed": 12345, "steps": 2, "n_layer": 3, "n_embd": 8, "n_head": 8, "lr": 0.5, "samples": 2},
    {"steps": 0, "n_embd": 4, "n_head": 1, "samples": 3},
]


@pytest.fixture(params=CONFIGS, ids=lambda config: ",".join(f"{k}={config[k]}" for k in config))
def config(request):
    return request.param


ORIGINAL = PROGRAM.read_text(encoding="utf-8")
BEFORE, REST = ORIGINAL.split("# --- Value ---\n")
WITH_OUR_VALUE = BEFORE + "from isograd import Value\n" + REST.split("# --- end of Value ---\n")[1]


def run(source, config):
    """Runs a program on the bundled names: what it printed, and its variables."""
    return _run(source, tuple(f"{key}={value}" for key, value in config.items()))


@functools.cache
def _run(source, arguments):
    variables = {"__name__": "__main__"}
    output = io.StringIO()
    argv = [PROGRAM.name, str(NAMES), *arguments]
    with mock.patch.object(sys, "argv", argv), contextlib.redirect_stdout(output):
        exec(compile(source, PROGRAM.name, "exec"), variables)
    return output.getvalue().encode(), variables


def command(config, *options):
    """What `isograd train` writes into a pipe."""
    for key, value in config.items():
        options += (f"--{key.replace('_', '-')}={value}",)
    line = [sys.executable, "-m", "isograd", "train", *options]
    output = subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout
    return output.replace(os.linesep.encode(), b"\n")


@pytest.mark.slow
def test_the_program_does_not_notice_whose_value_it_uses(config):
    expected, theirs = run(ORIGINAL, config)
    output, ours = run(WITH_OUR_VALUE, config)
    assert output == expected
    assert ours["Value"] is isograd.Value is not theirs["Value"]
    for i, (loss, expected_loss) in enumerate(zip(ours["losses"], theirs["losses"], strict=True)):
        assert bits(loss) == bits(expected_loss), f"loss of step {i + 1}"
    for i, (p, expected_p) in enumerate(zip(ours["params"], theirs["params"], strict=True)):
        assert bits(p.data) == bits(expected_p.data), f"parameter {i}"
        assert bits(p.grad) == bits(expected_p.grad), f"gradient of parameter {i}"


@pytest.mark.parametrize("tier", TIERS)
def test_the_command_prints_what_the_program_prints(config, tier):
    assert command(config, "--plain", "--tier", tier) == run(ORIGINAL, config)[0]


@pytest.mark.parametrize("tier", TIERS)
def test_piped_output_is_plain(tier):
    assert command(CONFIGS[0], "--tier", tier) == run(ORIGINAL, CONFIGS[0])[0]


@pytest.mark.parametrize("tier", TIERS)
def test_output_of_a_recorded_run(tier):
    record = RECORDS["names-tiny"]
    expected = record["stdout_sha256"]
    if not RECORDED_LIBM:
        expected = hashlib.sha256(command(record["config"], "--tier", "reference")).hexdigest()
    assert hashlib.sha256(command(record["config"], "--tier", tier)).hexdigest() == expected
