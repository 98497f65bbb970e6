"""The twins: Value and the vector functions in pure Python and compiled, under the same tests.

`pytest --quick` is `make test`: without the tests marked slow, and with fewer random cases.
"""

import contextlib
import gc
import os
import signal
import subprocess
import sys

import pytest
from amount import WHOLE

import isograd._core
import isograd.reference

# A shell that runs tests in the background makes them, and their subprocesses, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# CPython 3.12 traces no bytecodes unless some frame has asked for it before sys.settrace().
sys._getframe().f_trace_opcodes = True

TWINS = {"python": isograd.reference.Value, "c": isograd._core.Value}
VECTOR = {"python": isograd.reference.vector, "c": isograd._core}

FEW = False  # set before the first test file is imported


def pytest_addoption(parser):
    text = "leave out tests marked slow, and compare a fifth of the random cases"
    parser.addoption("--quick", action="store_true", help=text)
    parser.addoption("--few", action="store_true", help="compare a fifth of the random cases")


def pytest_configure(config):
    global FEW
    FEW = config.getoption("quick") or config.getoption("few")


def pytest_collection_modifyitems(config, items):
    if config.getoption("quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)


def pytest_collection_finish():
    """The garbage collector need not look at thousands of tests again and again."""
    gc.collect()
    gc.freeze()


def outcome(*line, cwd=None, timeout=60):
    """Exit status, output and complaints of a Python with these arguments."""
    environment = dict(os.environ)
    if not line[0].startswith("-"):  # none of our code runs there, so coverage only takes time
        environment = {k: v for k, v in environment.items() if not k.startswith("COVERAGE_PROCESS")}
    command = [sys.executable, *line]
    done = subprocess.run(command, capture_output=True, cwd=cwd, env=environment, timeout=timeout)
    return done.returncode, done.stdout, done.stderr.decode()


def slow(case):
    """One case of a parametrised test whose others are not slow."""
    return pytest.param(case, marks=pytest.mark.slow)


def n_cases(n):
    """How many random cases a test compares that compares n in `make test-all`."""
    return -(-n // 5) if FEW else n


@pytest.fixture
def counted(record_property):
    """A function that takes the sentence with what a test of faults has counted."""
    return lambda sentence: record_property("counted", sentence)


def pytest_terminal_summary(terminalreporter):
    """At the end of `make faults` stands what each test has counted."""
    for report in terminalreporter.getreports("passed") if WHOLE else []:
        for name, sentence in report.user_properties:
            if name == "counted":
                terminalreporter.write_line(sentence)


@pytest.fixture(params=TWINS)
def Value(request):
    """One of the twins; a test that takes it runs on both."""
    return TWINS[request.param]


@pytest.fixture(params=TWINS)
def twin(request):
    """One of the twins: its Value and its vector functions."""
    return TWINS[request.param], VECTOR[request.param]


@pytest.fixture
def units():
    """The names of the vector units of this machine; the one that was chosen comes back."""
    from isograd import _native

    chosen, found = _native.vector_unit(), []
    for unit in ("plain", "avx2", "avx512"):
        with contextlib.suppress(ValueError):
            _native.set_vector_unit(unit)
            found.append(unit)
    yield found
    _native.set_vector_unit(chosen)
