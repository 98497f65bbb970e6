"""What the reference accepts: real numbers, shapes that fit, options that can be.

No mathematics. A number comes back as one of Python's own; a check returns nothing and raises the
sentence that says what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Sized
from contextlib import suppress
from operator import index
from typing import Any, SupportsFloat, SupportsIndex, TypeAlias

Number: TypeAlias = "float | SupportsFloat | SupportsIndex"


def number(x: Any) -> float:
    """`x` as Python's own int or float. Raises TypeError if it is no real number."""
    kind = type(x)
    if kind is float or kind is int:
        return x  # type: ignore[no-any-return]  # mypy draws nothing from `kind`
    if isinstance(x, float):
        return float.__float__(x)
    with suppress(TypeError):
        return int(index(x))
    if hasattr(kind, "__float__"):
        return float(x)
    raise TypeError(f"a Value holds a real number, not {kind.__name__!r}")


def operand(x: object) -> Any:
    """The same, but NotImplemented for what is none, so that Python asks the other operand."""
    try:
        return number(x)
    except TypeError:
        return NotImplemented


def real(x: float | complex) -> float:
    """`x` itself. Raises ValueError if it is complex, as a root of a negative number is."""
    if isinstance(x, complex):
        raise ValueError("a negative Value to a fractional power is not a real number")
    return x


def check_vector(x: Sized, name: str, length: int | None = None) -> None:
    """Raises ValueError naming `name` if `x` is empty or, given a `length`, has another one."""
    if len(x) == 0:
        raise ValueError(f"{name} is empty")
    if length is not None and len(x) != length:
        raise ValueError(f"{name} has {len(x)} entries where {length} are expected")


def check_index(i: int, x: Sized, name: str) -> None:
    """Raises ValueError naming `name` if `x` has no entry number `i`."""
    if not 0 <= i < len(x):
        raise ValueError(f"{name} must be from 0 to {len(x) - 1}, not {i}")


def check_heads(q: Sized, keys: Sequence[Sized], values: Sequence[Sized], n_head: int) -> None:
    """Raises ValueError if `n_head` heads cannot share `q`, or if `keys` or `values` do not fit."""
    check_vector(q, "q")
    if n_head < 1 or len(q) % n_head:
        raise ValueError(f"q has {len(q)} entries, which {n_head} heads cannot share")
    check_vector(keys, "keys")
    check_vector(values, "values", len(keys))
    for k, v in zip(keys, values):
        check_vector(k, "a key", len(q))
        check_vector(v, "a value", len(q))


def check_adam(
    params: Sized,
    betas: Sequence[float],
    eps: float,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> None:
    """Raises ValueError if there are no params, a beta is outside [0, 1), eps or weight_decay is
    negative, or clip_norm is not above 0.
    """
    if len(params) == 0:
        raise ValueError("params must hold at least one Value")
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas must be two numbers from 0 to below 1, not {betas!r}")
    if not eps >= 0:
        raise ValueError(f"eps must be a number from 0 on, not {eps!r}")
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay must be a finite number from 0 on, not {weight_decay!r}")
    if clip_norm is not None and not 0 < clip_norm < math.inf:
        raise ValueError(f"clip_norm must be a finite number above 0, not {clip_norm!r}")


def check_adam_state(state: Mapping[str, Any], n: int) -> None:
    """Raises ValueError if Adam over `n` parameters cannot go on from `state`."""
    if len(state["m"]) != n or len(state["v"]) != n:
        raise ValueError(f"this state has {len(state['m'])} moments, not {n}")
    if state["steps"] < 0 or any(x < 0 for x in state["v"]):
        raise ValueError("neither steps nor second moments can be negative")
