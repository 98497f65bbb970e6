"""The twins: the pure-Python Value and the compiled one, under the same tests."""

import pytest

import isograd._core
import isograd.reference

TWINS = {"python": isograd.reference.Value, "c": isograd._core.Value}


@pytest.fixture(params=TWINS)
def Value(request):
    """One of the twins; a test that takes it runs on both."""
    return TWINS[request.param]
