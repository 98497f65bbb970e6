"""Which calls of libm are not correctly rounded, found without anything compiled.

The reference itself runs, with scalars and an optimizer that note their calls. `_native.Calls` is
the same for tier native, and finds the same calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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


def note_draws(calls: Any, rng: Random, n: int) -> None:
    """The calls of `n` draws of `rng.gauss`, which `rng` is about to make. Takes a copy of it."""
    copy = Random()
    copy.setstate(rng.getstate())
    for _ in range((n + 1) // 2):  # gauss makes two numbers of two
        angle = copy.random() * math.tau
        rest = 1.0 - copy.random()
        calls.note("log", rest, math.log(rest))
        calls.note("cos", angle, math.cos(angle))
        calls.note("sin", angle, math.sin(angle))


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
            calls.note(POWERS[n - 1], self.data, self.data ** (n - 1))  # the local gradient's
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
    """Adam that notes its squares and roots in `calls` before it makes them."""

    calls: Calls

    def step(self, lr: float | None = None) -> None:
        beta2 = self.betas[1]
        rest2, correction2 = 1 - beta2, 1 - beta2 ** (self.steps + 1)
        for i, p in enumerate(self.params):
            square = p.grad**2
            v_hat = (beta2 * self.v[i] + rest2 * square) / correction2
            self.calls.note("square", float(p.grad), square)
            self.calls.note("root", v_hat, v_hat**0.5)
        super().step(lr)
