"""Correctly rounded functions: C's and JavaScript's against the decimals of explain/rounded.py."""

import math
import random

import pytest
from node import doubles, first_difference, read_doubles, run_node

from isograd._native import rounded
from isograd.explain.rounded import FUNCTIONS

pytestmark = pytest.mark.once
LIBM = {"exp": math.exp, "log": math.log, "cos": math.cos, "sin": math.sin}
EXPONENTS = {"inverse": -1.0, "inverse_square": -2.0, "inverse_root": -0.5}
EXPONENTS |= {"inverse_root_cubed": -1.5, "root": 0.5, "square": 2.0}
EDGES = [0.0, 5e-324, 2.2250738585072014e-308, 1.0, 8.0, 709.0, 709.782712893384, 1e300, math.inf]
EDGES += [708.0, 708.5, 745.1332191019411, 745.1332191019412, 749.9, 750.0, 1e-300, math.nan]
EDGES += [2.0**-27, 2.0**-26, 6.3, math.pi / 2, math.pi, 2 * math.pi, 1.7976931348623157e308]
EDGES += [math.nextafter(x, towards) for x in EDGES for towards in (0.0, math.inf)]
EDGES += [-x for x in EDGES]

# Of up to 200 million arguments those whose results are nearest to the middle between two doubles:
# away from it by less than 1 / 40,000,000 of their distance, for cos and sin 1 / 6,000,000.
HARD = {
    "exp": "-0x1.9e5349ad8b03cp+3 -0x1.17c9dc8863148p+3 -0x1.6923e2acb59b5p+3",
    "log": "0x1.c2947dd841a61p-1 0x1.9cbb09b4c0c2ap-2 0x1.be9337cb39d05p-1",
    "cos": "0x1.da40deb4dc195p+0 0x1.821891a6371cbp+1 0x1.9c234a23d61a6p-1",
    "sin": "0x1.6e72e1d814159p+1 0x1.8c3ede7bd83edp+2 0x1.f76221af065f3p+0",
    "inverse_square": "0x1.1df48d3ffaf0ep+1 0x1.6907d78ea9b65p+2 0x1.87c3f7638830cp-1",
    "inverse_root": "0x1.2e61b07095f24p+4 0x1.34f1c806b2670p+2 0x1.3445d9ccefefbp+3",
    "inverse_root_cubed": "0x1.7f0ba41bd593dp+3 0x1.522f4689f9234p+3 0x1.4ca79ef807381p+3",
}


def next_to_one(rng):
    """A number whose powers, and the exp of what it is more than 1, are next to a middle."""
    return 1 + rng.choice((-1, 1)) * rng.getrandbits(rng.randint(1, 40)) * 2.0**-53


OF_EXP = [
    lambda rng: -20 * rng.random(),
    lambda rng: rng.uniform(-746, 710),
    lambda rng: rng.choice((-1, 1)) * 2 ** -rng.uniform(0, 70),
    lambda rng: rng.randint(-999, 999) * 2.0**-54,
]
OF_LOG = [
    lambda rng: 1 - rng.random(),
    lambda rng: math.exp(rng.uniform(-744, 709)),
    lambda rng: 1 + rng.choice((-1, 1)) * 2 ** -rng.uniform(1, 53),
    next_to_one,
]
OF_CIRCLE = [
    lambda rng: rng.random() * 2 * math.pi,
    lambda rng: rng.uniform(-8, 8),
    lambda rng: 2 ** -rng.uniform(0, 300),
    lambda rng: rng.randint(-4, 4) * math.pi / 2 + 2 ** -rng.uniform(1, 60),
]
OF_POWER = [
    lambda rng: 2 ** rng.uniform(-500, 500),
    lambda rng: 10 * rng.random(),
    lambda rng: 2 ** rng.uniform(-1074, 1023),
    lambda rng: 2.0 ** rng.randint(-1074, 1023),
    next_to_one,
]
GENERATORS = {"exp": OF_EXP, "log": OF_LOG, "cos": OF_CIRCLE, "sin": OF_CIRCLE}


def arguments(name):
    rng = random.Random(name)
    hard = [float.fromhex(x) for x in HARD.get(name, "").split()]
    return (
        EDGES + hard + [draw(rng) for draw in GENERATORS.get(name, OF_POWER) for _ in range(1500)]
    )


def camel(prefix, name):
    return prefix + "".join(part.capitalize() for part in name.split("_"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_agree(name):
    """JavaScript's fallback is compared by itself, too: it has to be right for all arguments."""
    cases = arguments(name)
    names = [f"{name}({x.hex()})" for x in cases]
    expected = [FUNCTIONS[name](x).hex() for x in cases]
    assert first_difference(names, expected, [rounded(name, x).hex() for x in cases]) is None
    computed = [("rounded.js", camel("rounded", name))]
    if name not in ("inverse", "root", "square"):
        computed += [("exact.js", camel("exact", name))]
    for module, function in computed:
        results = read_doubles(run_node("apply.mjs", module, function, given=doubles(cases)))
        assert first_difference(names, expected, [y.hex() for y in results]) is None, module


@pytest.mark.parametrize("name", FUNCTIONS)
def test_libm_is_near(name):
    """This machine's own results are the same, mostly, or differ in the last place."""
    function = LIBM.get(name) or (lambda x: x ** EXPONENTS[name])
    rng = random.Random(5)
    cases = [rng.uniform(0.01, 6) for _ in range(20_000)]
    different = [x for x in cases if function(x) != rounded(name, x)]
    assert len(different) < 4000
    for x in different:
        assert abs(function(x) - rounded(name, x)) <= math.ulp(rounded(name, x))


def test_other_names_are_none():
    with pytest.raises(KeyError):
        rounded("tan", 1.0)
