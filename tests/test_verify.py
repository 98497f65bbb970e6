"""`isograd verify`: it finds nothing where there is nothing, and one bit where there is one."""

import itertools
import math
import os
import platform
import random
import re
import signal
import struct
import subprocess
import sys
from array import array

import pytest

import isograd
from isograd import verify
from isograd.commands import cli
from isograd.model import GRAPH_TIERS, TIERS

pytestmark = pytest.mark.skipif(isograd.backend != "c", reason="nothing is compiled here")

COMPILED = [tier for tier in TIERS if tier != "reference"]
SMALL = (
    verify.Configuration("first", 0.5, isograd.GPTConfig(27, 1, 4, 2, 4)),
    verify.Configuration("second", 0.5, isograd.GPTConfig(27, 2, 2, 1, 3), 2),
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small models, and a clock that ticks at each look, so that load changes no run."""
    monkeypatch.setattr(verify, "CONFIGURATIONS", SMALL)
    milliseconds = itertools.count()
    monkeypatch.setattr(verify, "perf_counter", lambda: next(milliseconds) / 1000)


def outcome(seconds=0.3):
    comparisons = [verify.Comparison(tier) for tier in COMPILED]
    names = list(verify.verify(comparisons, seconds))
    return dict(zip(COMPILED, comparisons)), names


def flipped(x):
    """`x` with its last bit flipped."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", x))
    return struct.unpack("<d", struct.pack("<Q", bits ^ 1))[0]


def sabotage(monkeypatch, tier, method):
    """Makes a tier's optimizer do `method` in place of its own step."""
    if tier == "native":
        sabotage_native(monkeypatch, method)
        return
    adam = type("Adam", (GRAPH_TIERS[tier].adam,), {"step": method})
    monkeypatch.setitem(GRAPH_TIERS, tier, GRAPH_TIERS[tier]._replace(adam=adam))


class Steps:
    """A native run as an optimizer, as far as a sabotaging method looks."""

    class Number:
        def __init__(self, numbers, i):
            self.numbers, self.i = numbers, i

        data = property(
            lambda self: self.numbers[self.i],
            lambda self, x: self.numbers.__setitem__(self.i, x),
        )

    def __init__(self, native, do_step, steps):
        self.params = [self.Number(native.weights, i) for i in range(native.num_params)]
        self.do_step, self.steps = do_step, steps

    def step(self, lr=None):
        self.do_step()


def sabotage_native(monkeypatch, method):
    class Native(isograd._native.NativeGPT):
        def train(self, docs, n, *, step, **options):
            def do_step():
                super(Native, self).train(docs, n, step=step, **options)

            type("Sabotaged", (Steps,), {"step": method})(self, do_step, step + 1).step()

    monkeypatch.setattr(isograd.model, "NativeGPT", Native)


def flip_weight(index, step):
    def method(self, lr=None):
        super(type(self), self).step(lr)
        if self.steps == step:
            self.params[index].data = flipped(self.params[index].data)

    return method


# What it finds


def test_it_reports_equality():
    results, names = outcome()
    assert {"first", "second"} == {*names}
    for result in results.values():
        assert result.difference is None
        assert result.steps == len(names) >= 2
        assert result.speed > 0


def test_every_configuration_gets_a_step_and_time_ends_it():
    results, names = outcome(seconds=1e-9)
    assert names == ["first", "second"]
    assert {result.steps for result in results.values()} == {2}


# wte has 27 x 4 numbers, wpe 4 x 4, lm_head 27 x 4, then attn_wq 4 x 4.
PLACES = [
    (0, "wte[0][0]"),
    (27 * 4 - 1, "wte[26][3]"),
    (27 * 4, "wpe[0][0]"),
    (58 * 4 + 6, "layer0.attn_wq[1][2]"),
]


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("index, place", PLACES)
@pytest.mark.parametrize("tier", COMPILED)
def test_it_finds_one_bit_of_one_weight(monkeypatch, tier, index, place, step):
    sabotage(monkeypatch, tier, flip_weight(index, step))
    results, _ = outcome(seconds=0.5)
    found = results.pop(tier)
    assert (found.steps, found.difference[:4]) == (step, ("first", step, "weight", place))
    assert found.difference.actual == flipped(found.difference.expected)
    assert all(result.difference is None for result in results.values())


@pytest.mark.parametrize("tier", COMPILED)
def test_it_finds_the_sign_of_a_zero_gradient(monkeypatch, tier):
    run = verify.new_run(tier, isograd.GPTConfig(27, 1, 4, 2, 4))
    numbers = run.step([[26, 0, 26]], 0)[1]["gradient"]
    index = next(i for i, x in enumerate(numbers) if x == 0)
    assert verify.first_difference(numbers, numbers) is None
    other = array("d", numbers)
    other[index] = math.copysign(0.0, -math.copysign(1.0, numbers[index]))
    assert verify.first_difference(numbers, other) == index


def test_nans_are_equal_whatever_their_bits():
    nans = struct.pack("<QQ", 0x7FF8000000000000, 0xFFF8000000000001)
    assert verify.first_difference(array("d", nans), array("d", [math.nan] * 2)) is None
    assert verify.first_difference(array("d", nans), array("d", [math.nan, 1.0])) == 1


@pytest.mark.parametrize("tier", ["fused", "value"])
def test_it_finds_a_gradient(monkeypatch, tier):
    class Functions:
        def __getattr__(self, name):
            return getattr(isograd.reference.vector, name)

        @staticmethod
        def add(a, b):
            total = isograd.reference.vector.add(a, b)
            total[0] = isograd.Value(total[0].data, (total[0],), (2.0,))  # twice the derivative
            return total

    monkeypatch.setitem(GRAPH_TIERS, tier, GRAPH_TIERS[tier]._replace(vector=Functions()))
    results, _ = outcome()
    assert results[tier].difference.kind == "gradient"
    assert results[tier].difference.step == 1


@pytest.mark.parametrize("tier", COMPILED)
def test_a_tier_that_raises_is_different(monkeypatch, tier):
    def fail(self, lr=None):
        raise OverflowError("too large")

    sabotage(monkeypatch, tier, fail)
    results, _ = outcome()
    assert results[tier].difference == "raises OverflowError('too large'), step 1, first"


def test_there_is_no_place_beyond_the_last_weight():
    config = isograd.GPTConfig(27, 1, 4, 2, 4)
    n = isograd.GPT(config, rng=random.Random(1)).num_params
    assert verify.place_of(n - 1, config) == "layer0.mlp_fc2[3][15]"
    with pytest.raises(IndexError):
        verify.place_of(n, config)


def test_it_stops_where_all_tiers_differ(monkeypatch):
    for tier in COMPILED:
        sabotage(monkeypatch, tier, flip_weight(0, 1))
    assert len(outcome(seconds=60)[1]) <= 2


# What the command says


def command(monkeypatch, capsys, *arguments):
    """Status and output of the command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["isograd", "verify", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    output = capsys.readouterr()
    return ended.value.code, output.out, output.err


def test_the_command_says_that_all_are_equal(monkeypatch, capsys):
    status, output, errors = command(monkeypatch, capsys, "--seconds=0.2")
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    assert lines[:2] == ["comparing: first", "comparing: second"]
    assert lines[2].split("  ")[0].strip() == "tier"
    for tier, line in zip(COMPILED, lines[3:], strict=True):
        assert re.fullmatch(rf"{tier} +\d+ +none +\d+\.\d", line)


@pytest.mark.slow
@pytest.mark.parametrize("tier", COMPILED)
def test_the_command_says_what_to_report(monkeypatch, capsys, tier):
    sabotage(monkeypatch, tier, flip_weight(58 * 4 + 6, 2))
    status, output, _ = command(monkeypatch, capsys, "--seconds=1")
    assert status == 1
    assert f"tier {tier} differs from the reference: weight layer0.attn_wq[1][2], step 2" in output
    assert platform.platform() in output
    assert "Please report these lines, and what `isograd --version` prints." in output
    patterns = re.findall(r"= (-?0x1\.\w+p[+-]\d+), bits ([0-9a-f]{16})", output)
    assert len(patterns) == 2
    for number, bits in patterns:
        assert struct.pack(">d", float.fromhex(number)).hex() == bits
    assert int(patterns[0][1], 16) ^ int(patterns[1][1], 16) == 1


def test_an_interruption_leaves_the_table_so_far(monkeypatch, capsys):
    def compare_two_steps(comparison, *arguments, compare=verify.compare):
        compare(comparison, *arguments)
        if comparison.tier == COMPILED[-1] and comparison.steps == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(verify, "compare", compare_two_steps)
    status, output, errors = command(monkeypatch, capsys)
    assert (status, errors) == (130, "")
    said, heading, *rows = output.splitlines()
    assert (said, heading.split()[0]) == ("comparing: first", "tier")
    assert [row.split()[:3] for row in rows] == [[tier, "2", "none"] for tier in COMPILED]


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_bad_times(monkeypatch, capsys, seconds):
    status, output, errors = command(monkeypatch, capsys, f"--seconds={seconds}")
    assert (status, output) == (2, "")
    assert re.fullmatch("isograd: [^\n]+\n", errors)
    assert seconds in errors


def test_without_compiled_code_there_is_nothing_to_verify():
    process = subprocess.run(
        [sys.executable, "-m", "isograd", "verify"],
        capture_output=True,
        text=True,
        env={**os.environ, "ISOGRAD_BACKEND": "python"},
    )
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == (
        "isograd: nothing is compiled here (backend: python), nothing to verify\n"
    )


@pytest.mark.undisturbed
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_leaves_the_table_so_far():
    with subprocess.Popen(
        [sys.executable, "-m", "isograd", "verify", "--seconds=600"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout.readline() == "comparing: default\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")
    assert [line.split()[0] for line in output.splitlines()] == ["tier", *COMPILED]


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX terminal")
def test_a_terminal_shows_a_live_table():
    import pty

    from test_cli import read_terminal

    code = (
        "import sys; from isograd import verify; from isograd.commands import cli; "
        "small = verify.Configuration('small', 1.0, verify.GPTConfig(27, 1, 4, 2, 4)); "
        "verify.CONFIGURATIONS = (small,); "
        "sys.argv[1:] = ['verify', '--seconds=0.5']; cli.main()"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=theirs, env=environment) as process:
        os.close(theirs)
        output = read_terminal(ours)
    assert process.returncode == 0
    assert "\x1b[2K" in output, "nothing is redrawn"
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output).split("steps compared")[-1]
    for tier in COMPILED:
        assert re.search(rf"{tier} .* none ", last)
