"""Which calls of libm are not correctly rounded, found without anything compiled.

Of Adam's calls only those that matter are noted: csrc/numerics/adam_notes.h says which, and why.
The reference itself runs, with scalars and an optimizer that note their calls. `_native.Calls` is
the same for tier native, and finds the same calls.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from functools import cache, wraps
from random import Random
from struct import pack, unpack
from typing import Any

from .. import reference
from .rounded import rounded

POWERS = {
    -1: "inverse",
    -2: "inverse_square",
    -0.5: "inverse_root",
    -1.5: "inverse_root_cubed",
    0.5: "root",
    2: "square",
}
FUNCTIONS = ("exp", "log", "cos", "sin", *POWERS.values())


class Calls:
    """What `_native.Calls` is: the exceptions of the calls noted here."""

    def __init__(self) -> None:
        self.found: dict[str, dict[float, int]] = {name: {} for name in FUNCTIONS}
        self.above = cache(doubles_above_nearest)

    def note(self, function: str, x: float, result: float) -> None:
        """The call of `function`, one of FUNCTIONS, with `x`, which returned `result`."""
        above = self.above(function, x, result)
        if abs(above) > 127:
            raise ArithmeticError("this machine's libm is off by more than 127 doubles")
        if above:
            self.found[function][x] = above

    def note_draws(self, drawn: Sequence[float]) -> None:
        """The calls that `rng.gauss` makes of these draws of random(), two at a time."""
        for turn, other in zip(drawn[::2], drawn[1::2]):
            angle, rest = turn * math.tau, 1.0 - other
            self.note("log", rest, math.log(rest))
            self.note("cos", angle, math.cos(angle))
            self.note("sin", angle, math.sin(angle))

    def exceptions(self) -> dict[str, list[tuple[float, int]]]:
        """For each function pairs (x, how many doubles the result is above the nearest one)."""
        return {name: list(found.items()) for name, found in self.found.items()}

    def __len__(self) -> int:
        return sum(map(len, self.found.values()))


def doubles_above_nearest(function: str, x: float, result: float) -> int:
    """The difference of the bit patterns of `result` and of what correct rounding gives."""
    nearest = rounded(function, x)
    if result == nearest or (result != result and nearest != nearest):
        return 0
    return bits_of(result) - bits_of(nearest)


def bits_of(x: float) -> int:
    bits: int = unpack("<q", pack("<d", x))[0]
    return bits


def draws_of(rng: Random, n: int) -> array[float]:
    """The numbers of which `rng.gauss` is about to make `n`. Takes them from a copy."""
    copy = Random()
    copy.setstate(rng.getstate())
    pairs = (n + 1) // 2  # gauss makes two numbers of two
    return array("d", [copy.random() for _ in range(2 * pairs)])


def note_constants(calls: Any, n_embd: int, n_head: int, temperature: float | None) -> None:
    """The calls whose arguments are a size, or the temperature if anything is drawn with it."""
    root = (n_embd // n_head) ** 0.5
    calls.note("inverse", float(n_embd), n_embd**-1)
    calls.note("root", float(n_embd // n_head), root)
    calls.note("inverse", root, root**-1)
    if temperature:
        calls.note("inverse", float(temperature), temperature**-1)


def noting_scalar(calls: Calls) -> type[reference.Value]:
    """A class of Values that note in `calls` what they call, and so do all computed from them."""

    class Noting(reference.Value):
        __slots__ = ()

        def exp(self) -> reference.Value:
            y = super().exp()
            calls.note("exp", self.data, y.data)
            return y

        def log(self) -> reference.Value:
            y = super().log()
            calls.note("log", self.data, y.data)
            return y

        def __pow__(self, n: Any) -> reference.Value:
            y = super().__pow__(n)
            calls.note(POWERS[n], self.data, y.data)
            if n - 1 in POWERS:  # the local gradient's; x**1 is x
                calls.note(POWERS[n - 1], self.data, self.data ** (n - 1))
            return y

    for name in ("__add__", "__mul__", "__pow__", "exp", "log", "relu"):
        setattr(Noting, name, noting(getattr(Noting, name), Noting))
    return Noting


def noting(operation: Callable[..., Any], scalar: type) -> Callable[..., Any]:
    """`operation` with a result of class `scalar`: the reference makes plain Values."""

    @wraps(operation)
    def call(*operands: Any) -> Any:
        y = operation(*operands)
        if y is not NotImplemented:
            y.__class__ = scalar
        return y

    return call


class NotingAdam(reference.Adam):
    """Adam that notes in `calls`, before it moves anything, those of its squares and roots that
    matter: without which, rounded correctly, `v` or a weight would be another number."""

    calls: Calls

    def update(self, lr: float, correction1: float, correction2: float) -> None:
        for i, p in enumerate(self.params):
            m, v = self.note_square(i, p.grad)
            self.note_root(p.data, lr * (m / correction1), v / correction2)
        super().update(lr, correction1, correction2)

    def note_square(self, i: int, grad: float) -> tuple[float, float]:
        """The moments that `grad` leads to."""
        beta1, beta2 = self.betas
        square, kept, rest2 = grad**2, beta2 * self.v[i], 1 - beta2
        v = kept + rest2 * square
        if v != kept + rest2 * (grad * grad):
            self.calls.note("square", float(grad), square)
        return beta1 * self.m[i] + (1 - beta1) * grad, v

    def note_root(self, weight: float, step: float, v_hat: float) -> None:
        root = v_hat**0.5
        moved = weight - step / (root + self.eps)
        if moved != weight - step / (math.sqrt(v_hat) + self.eps):
            self.calls.note("root", v_hat, root)
