"""What stands around the loops of a script: it does all their turns but the last.

Whatever ours cannot do, the loop goes on to do, so errors are its own.
"""

from __future__ import annotations

import array
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import _core


def adam(iterator: Iterator[Any], values: Callable[[], tuple[Any, ...]]) -> Iterator[Any]:
    """Updates parameters as the loop over `iterator` would; an iterator over those that are left.

    The last one always is, so that the loop's variables are what they would be. `values()` are the
    parameters, their moments, the rates and whether the loop resets the gradients.
    """
    try:
        params, m, v, *rates, resets = values()
        if type(params) not in (list, tuple) or not all(map(is_number, rates)):
            return iterator
        n = _core.adam_but_last(tuple(params), m, v, tuple(rates), resets)
    except Exception:  # which the loop will raise itself, nothing having been updated
        return iterator
    return enumerate(after(params, n), n) if n else iterator


def is_number(x: object) -> bool:
    return type(x) is float or (type(x) is int and abs(x) < 2**53)


def zero(params: Iterable[Any]) -> Iterable[Any]:
    """Resets the gradients of all but the last; an iterable over what is left."""
    if type(params) is not list and type(params) is not tuple:
        return params
    n = _core.zero_grad_but_last(tuple(params))
    return after(params, n) if n else params


def after(params: list[Any] | tuple[Any, ...], n: int) -> Iterator[Any]:
    """An iterator over `params` that has passed n of them."""
    iterator = iter(params)
    operator.methodcaller("__setstate__", n)(iterator)
    return iterator


def moments(zeros: list[float]) -> object:
    """A list of zeros that nobody but Adam sees, as an array."""
    return array.array("d", zeros) if type(zeros) is list else zeros


# ---- loops of any arithmetic ----


def turns(kind: str, parts: tuple[object, ...]) -> Callable[..., Any]:
    """What is called with what the loop runs over and with `values`, which reads what it needs.

    Gives what is left to run over, or with that what the turns so far carry to the next.
    """
    loop = _core.compiled_function(parts, "loop")
    counts = parts[2]
    assert isinstance(counts, tuple)
    carries = counts[1] > 0
    left_of = {"each": left_of_list, "enumerate": left_of_enumerate, "range": left_of_range}[kind]

    def run(over: Any, values: Callable[[], tuple[Any, ...]], *carried: Any) -> Any:
        try:
            *params, vectors, invariants = values()
            numbers = params[0] if params else over
            n, carried = loop(numbers, vectors, carried, invariants, 0, 1)
        except Exception:  # which the loop will raise itself, nothing having been changed
            n = 0
        left = left_of(over, n)
        return (left, *carried) if carries else left

    return run


def left_of_list(over: Any, n: int) -> Any:
    return after(over, n) if n else over


def left_of_enumerate(over: Any, n: int) -> Any:
    return enumerate(after(over, n), n) if n else enumerate(over)


def left_of_range(over: Any, n: int) -> Any:
    return over[n:] if n else over
