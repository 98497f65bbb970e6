"""How a Value was made, and its derivatives: asked of the classes, which do not tell alike.

isograd's compiled class knows its operation. Its pure twin keeps nothing but numbers, so there an
operation is named only if it gives exactly these numbers. micrograd's classes name it in `_op` and
keep no derivatives, so those are computed as `_backward()` would.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import _backend, reference
from ..reference import micrograd

if TYPE_CHECKING:
    AnyValue: TypeAlias = (
        _backend.Value | _backend.MicrogradValue | reference.Value | micrograd.Value
    )

MICROGRAD = (_backend.MicrogradValue, micrograd.Value)
ISOGRAD = (_backend.Value, reference.Value)
OWN_BACKWARD = "Value.", ".<locals>.hand_on"


def is_ours(value: object) -> bool:
    """Whether it is a Value that can be drawn."""
    return isinstance(value, (*MICROGRAD, *ISOGRAD))


def operation(value: AnyValue) -> str:
    """How `value` was made: "+", "*", "**2", "exp" and so on; "" if it was not computed.

    "own" is an operation of the user's. Raises TypeError if it is no Value of ours.
    """
    if isinstance(value, MICROGRAD):
        return str(value._op) or ("own" if value._prev else "")
    known = _backend.operation(value)
    if known is not NotImplemented:
        return str(known)
    if not isinstance(value, reference.Value):
        raise TypeError(f"only a Value has an operation, not {type(value).__name__!r}")
    return _told_by_numbers(value)


def children(value: Any) -> tuple[Any, ...]:
    """What `value` was computed from."""
    return tuple(value._prev if isinstance(value, MICROGRAD) else value._children)


def local_gradients(value: Any) -> list[float | None]:
    """The derivative with respect to each of its children; None where nobody knows."""
    below = children(value)
    if not isinstance(value, MICROGRAD):
        found = list(value._local_grads)
        return [*found, *[None] * len(below)][: len(below)]
    try:
        known = _derivatives(value, below) if _has_its_own_backward(value) else None
    except (ArithmeticError, ValueError):
        known = None
    return known if known and len(known) == len(below) else [None] * len(below)


# ---- isograd's pure twin ----


def _told_by_numbers(value: reference.Value) -> str:
    below, found = value._children, tuple(value._local_grads)
    if not below:
        return ""
    if len(below) == 2 and found == (1, 1) and value.data == below[0].data + below[1].data:
        return "+"
    if len(below) == 2 and value.data == found[0] * found[1]:
        return "*"
    if len(below) == 1 and len(found) == 1:
        return _unary_told_by_numbers(below[0].data, value.data, found[0])
    return "own"


def _unary_told_by_numbers(x: float, y: float, local: float) -> str:
    def gives(operation: Callable[[], tuple[float, float]]) -> bool:
        try:
            return operation() == (y, local)
        except (ArithmeticError, ValueError, TypeError):
            return False

    if gives(lambda: (math.exp(x), math.exp(x))):
        return "exp"
    if gives(lambda: (math.log(x), 1 / x)):
        return "log"
    if gives(lambda: (max(0, x), float(x > 0))):
        return "relu"
    exponent = local * x / y if y else 2
    for n in (round(exponent), round(2 * exponent) / 2) if math.isfinite(exponent) else ():
        if gives(lambda n=n: (x**n, n * x ** (n - 1))):  # type: ignore[misc]
            return f"**{n}"
    return "own"


# ---- micrograd ----


def _has_its_own_backward(value: Any) -> bool:
    backward = value._backward
    if getattr(backward, "__self__", None) is value:
        return True  # compiled
    name = getattr(backward, "__qualname__", "")
    return bool(name.startswith(OWN_BACKWARD[0]) and name.endswith(OWN_BACKWARD[1]))


def _derivatives(y: Any, below: tuple[Any, ...]) -> list[float | None] | None:
    x = below[0].data if below else 0
    if y._op == "+":
        return [1, 1] if len(below) == 2 else [2]
    if y._op == "*":
        return [below[1].data, x] if len(below) == 2 else [2 * x]
    if str(y._op).startswith("**"):
        n = float(y._op[2:])
        return [n * x ** (n - 1)]
    unary: dict[str, Callable[[], float]] = {
        "ReLU": lambda: float(y.data > 0),
        "tanh": lambda: 1 - y.data**2,
        "exp": lambda: float(y.data),
        "log": lambda: 1 / x,
        "sigmoid": lambda: float(y.data * (1 - y.data)),
    }
    return [unary[y._op]()] if y._op in unary else None
