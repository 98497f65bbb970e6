"""The twins: Value and the vector functions in pure Python and compiled, under the same tests."""

import contextlib
import signal
import sys

import pytest

import isograd._core
import isograd.reference

# A shell that runs tests in the background makes them, and their subprocesses, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# CPython 3.12 traces no bytecodes unless some frame has asked for it before sys.settrace().
sys._getframe().f_trace_opcodes = True

TWINS = {"python": isograd.reference.Value, "c": isograd._core.Value}
VECTOR = {"python": isograd.reference.vector, "c": isograd._core}


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
