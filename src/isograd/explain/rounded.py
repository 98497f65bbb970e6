"""Correctly rounded exp, log, cos, sin and powers, by decimals of a hundred digits.

A page of `isograd explain` computes these functions itself, the same on every machine; this module
says what is right. It is slow. `isograd._native.rounded` is the quick twin, in csrc/numerics.

The double nearest to the exact value is wanted. A hundred digits tell each result from the middle
between two doubles, where rounding turns: csrc/numerics/exact.h has the reasons. Nothing is raised;
there is an infinity or NaN where C's libm has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

HUNDRED = Context(prec=100, Emax=MAX_EMAX, Emin=MIN_EMIN)


def exp(x: float) -> float:
    if math.isnan(x):
        return x
    if abs(x) > 750:
        return math.inf if x > 0 else 0.0
    return float(Decimal(x).exp(HUNDRED))


def log(x: float) -> float:
    if not 0 < x < math.inf:
        return -math.inf if x == 0 else x if x > 0 else math.nan
    return float(Decimal(x).ln(HUNDRED))


def series(x: Decimal, n: int) -> Decimal:
    """x**n / n! - x**(n + 2) / (n + 2)! + ..: the cosine for n = 0, the sine for n = 1."""
    square = HUNDRED.multiply(x, x)
    term = total = x if n else Decimal(1)
    while abs(term) > Decimal("1e-120"):
        n += 2
        term = HUNDRED.divide(HUNDRED.multiply(term, square), Decimal((1 - n) * n))
        total = HUNDRED.add(total, term)
    return total


def cos(x: float) -> float:
    """For |x| < 8, else NaN."""
    return float(series(Decimal(x), 0)) if abs(x) < 8 else math.nan


def sin(x: float) -> float:
    """For |x| < 8, else NaN."""
    if abs(x) < 2**-26:
        return x  # x**3 / 6 is less than half of the distance to the next double
    return float(series(Decimal(x), 1)) if abs(x) < 8 else math.nan


def inverse(x: float) -> float:
    """x**-1"""
    return 1 / x if x else math.copysign(math.inf, x)


def inverse_square(x: float) -> float:
    """x**-2"""
    return inverse_power(abs(x), 4)


def inverse_root(x: float) -> float:
    """x**-0.5"""
    return 0.0 if x == -math.inf else inverse_power(x, 1)


def inverse_root_cubed(x: float) -> float:
    """x**-1.5"""
    return 0.0 if x == -math.inf else inverse_power(x, 3)


def inverse_power(x: float, n: int) -> float:
    """x ** (-n / 2)"""
    if not 0 < x < math.inf:
        return math.inf if x == 0 else 0.0 if x > 0 else math.nan
    power = HUNDRED.power(Decimal(x), n)
    return float(HUNDRED.divide(Decimal(1), HUNDRED.sqrt(power)))


def root(x: float) -> float:
    """x**0.5, which is 0 for -0, too, and infinite for both infinities."""
    return math.inf if x == -math.inf else math.nan if x < 0 else math.sqrt(x + 0.0)


def square(x: float) -> float:
    """x**2"""
    return x * x


FUNCTIONS: dict[str, Callable[[float], float]] = {
    "exp": exp,
    "log": log,
    "cos": cos,
    "sin": sin,
    "inverse": inverse,
    "inverse_square": inverse_square,
    "inverse_root": inverse_root,
    "inverse_root_cubed": inverse_root_cubed,
    "root": root,
    "square": square,
}


def rounded(name: str, x: float) -> float:
    """The function `name` of `x`, correctly rounded."""
    return FUNCTIONS[name](x)
