"""The primitives of csrc/numerics on every vector path, against CPython's own arithmetic."""

import ctypes
import math
import operator
import os
import random
import sys

import numerics
import numpy as np
import pytest
from conftest import n_cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numerics import ERRORS, HERE, UNITS, first_difference, pointer, same

pytestmark = pytest.mark.once
RATES = dict(lr=0.01, beta1=0.85, beta2=0.99, eps=1e-8)
TINY, LARGEST = 5e-324, sys.float_info.max
EDGES = [0.0, TINY, 3 * TINY, 1e-310, sys.float_info.min, 1e-200, 1e-170, 1e-162, 1.5e-162, 1e-154]
EDGES += [2.0**k for k in (-511, -500, -450, -400, -350, -300, -53, -1, 0, 1, 350, 400, 500, 511)]
EDGES += [math.nextafter(x, math.inf) for x in EDGES[10:]]
EDGES += [math.nextafter(2.0**k, 0.0) for k in (-511, -450, -400, -1, 0, 1, 400, 512)]
EDGES += [1.3407807929942596e154, 1.3407807929942597e154, 1e150, 1e200, LARGEST, math.inf, math.nan]
EDGES += [-x for x in EDGES]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    return numerics.build(tmp_path_factory.mktemp("numerics"))


@pytest.fixture(params=HERE)
def library(request, built):
    """The library with one of the paths that this machine has."""
    assert built.vector_unit_set(UNITS.index(request.param)) == 0
    yield built
    built.vector_unit_set(0)


class AdamRates(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_double)
        for name in "lr beta1 beta2 rest1 rest2 correction1 correction2 eps".split()
    ]


def rates_of(step, lr, beta1, beta2, eps):
    return AdamRates(lr, beta1, beta2, 1 - beta1, 1 - beta2, 1 - beta1**step, 1 - beta2**step, eps)


def python_update(w, g, m, v, rates):
    """The reference's loop on lists of floats; returns where it raises, and the error."""
    lr, beta1, beta2, rest1, rest2, correction1, correction2, eps = (
        getattr(rates, name) for name, _ in AdamRates._fields_
    )
    for i in range(len(w)):
        grad = g[i]
        try:
            m[i] = moment1 = beta1 * m[i] + rest1 * grad
            v[i] = moment2 = beta2 * v[i] + rest2 * grad**2
            m_hat, v_hat = moment1 / correction1, moment2 / correction2
            if isinstance(v_hat**0.5, complex):
                return i, "complex"
            w[i] -= lr * m_hat / (v_hat**0.5 + eps)
        except ArithmeticError as error:
            return i, type(error).__name__
    return len(w), None


def unaligned(values, offset):
    """A copy of `values` as an array that starts `offset` doubles after a 64-byte boundary."""
    room = np.empty(len(values) + 16)
    start = (-room.ctypes.data // 8) % 8 + offset
    array = room[start : start + len(values)]
    array[:] = values
    return array


def check_update(library, w, g, m, v, rates, offset=0):
    """Compares one step on this path with Python's; returns the new w, m and v."""
    arrays = [unaligned(x, (offset + k) % 8) for k, x in enumerate((w, m, v))]
    grad = unaligned(g, offset)
    index = library.adam_update(
        *map(pointer, (arrays[0], grad, *arrays[1:])),
        ctypes.c_size_t(len(w)),
        ctypes.byref(rates),
        None,
    )
    error = None
    if index < len(w):
        error = ERRORS[library.adam_error(g[index], arrays[2][index], ctypes.byref(rates))]
    expected = [list(map(float, x)) for x in (w, m, v)]
    outcome = python_update(expected[0], list(map(float, g)), *expected[1:], rates)
    assert (index, error) == outcome
    if not all(map(same, expected, arrays)):
        pytest.fail(first_difference("wmv", expected, arrays))
    return arrays


@pytest.mark.slow
def test_adam_many_gradients(library):
    rng = np.random.default_rng(1)
    n = 20_000
    w, m, v = rng.normal(0, 0.08, n), np.zeros(n), np.zeros(n)
    for step in (1, 2, 3, 10, 229, 230, 3000, 5000):
        g = rng.normal(0, 1, n) * 10.0 ** rng.uniform(-9, 1, n)
        w, m, v = check_update(library, w, g, m, v, rates_of(step, **RATES))


@pytest.mark.slow
@pytest.mark.parametrize("length", range(41))
def test_adam_every_length_and_start(library, length):
    rng = np.random.default_rng(length)
    for offset in range(8):
        w, g, m = rng.normal(0, 1, (3, length))
        check_update(library, w, g, m, rng.random(length), rates_of(5, **RATES), offset)


@pytest.mark.slow
@pytest.mark.parametrize("eps", [1e-8, 0.0, 1e-100])
@pytest.mark.parametrize("step", [1, 500])
def test_adam_edges(library, eps, step):
    """Edge by edge among ordinary numbers, as gradient, as moment and as weight; and mixed."""
    rng = random.Random(2)
    rates = rates_of(step, **{**RATES, "eps": eps})
    ordinary = [0.5, 0.25, 0.125, 0.0625]
    for edge in EDGES:
        for role in range(4):
            for place in (0, 5, 12):
                columns = [[x] * 13 for x in ordinary]
                columns[role][place] = edge
                check_update(library, *columns, rates)
                check_update(
                    library,
                    *([edge] * 9 if k == role else [x] * 9 for k, x in enumerate(ordinary)),
                    rates,
                )
    for _ in range(2000):
        mixed = [
            [rng.choice(EDGES) if rng.random() < 0.3 else x for _ in range(19)] for x in ordinary
        ]
        check_update(library, *mixed, rates)


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.0},
        {"lr": -0.0},
        {"lr": -0.5},
        {"lr": 1e-320},
        {"lr": 1e300},
        {"lr": math.inf},
        {"lr": math.nan},
        {"beta1": 0.0, "beta2": 0.0},
        {"beta1": 0.0, "beta2": 0.0, "eps": 0.0},
        {"beta1": 1 - 2**-53, "beta2": 1 - 2**-53},
        {"eps": 1.0},
        {"eps": -1e-8},
        {"eps": math.inf},
        {"beta1": 1.0},
        {"beta2": 1.0},
        {"beta2": 2.0},
        {"beta1": -0.5},
    ],
    ids=str,
)
def test_adam_strange_rates(library, options):
    rng = random.Random(3)
    for step in (1, 7, 400):
        for zeros in (0.0, 0.5, 1.0):
            columns = [
                [
                    rng.choice((0.0, -0.0)) if rng.random() < zeros else rng.uniform(-1, 1)
                    for _ in range(24)
                ]
                for _ in range(3)
            ]
            v = [0.0 if rng.random() < zeros else rng.random() for _ in range(24)]
            check_update(library, *columns, v, rates_of(step, **{**RATES, **options}))


@pytest.mark.parametrize("name", ["correction1", "correction2"])
def test_adam_before_the_first_step(library, name):
    """A correction is 0 then, and Python divides by it."""
    rates = rates_of(1, **RATES)
    setattr(rates, name, 0.0)
    check_update(library, [1.0] * 9, [0.5] * 9, [0.0] * 9, [0.0] * 9, rates)


def test_adam_zeros_of_either_sign(library):
    """All sixteen combinations, as whole groups and mixed."""
    signs = (0.0, -0.0)
    cases = [(w, g, m, v) for w in signs for g in signs for m in signs for v in signs]
    for step in (1, 500):
        for case in cases:
            check_update(library, *([x] * 16 for x in case), rates_of(step, **RATES))
        check_update(library, *map(list, zip(*cases)), rates_of(step, **RATES))
        check_update(
            library, *map(list, zip(*cases * 3, (1.0, 1.0, 0.0, 0.0))), rates_of(step, **RATES)
        )


def root_modulo(x, bits):
    """An s with s * s = x modulo 2**bits, for x = 1 modulo 8."""
    s = 1
    for k in range(3, bits):
        s += ((s * s - x) >> k & 1) << (k - 1)
    assert (s * s - x) % (1 << bits) == 0
    return s


def squares_near_the_middle(rng, n):
    """Numbers whose squares are a few units in the 104th bit off the middle of two doubles."""
    found = []
    while len(found) < n:
        tail = (1 << 51) + 8 * rng.randint(-4000, 4000) + 1
        for root in (root_modulo(tail, 52), -root_modulo(tail, 52)):
            x = root % (1 << 52) + (1 << 52)
            if x * x < 1 << 105:
                found.append(math.ldexp(x, -52 + rng.randint(-8, 4)))
    return found


def roots_near_the_middle(rng, n):
    """Numbers whose roots are as near as can be to the middle of two doubles."""
    found = []
    while len(found) < n:
        tail = 8 * rng.randint(-4000, 4000) + 1
        for root in (root_modulo(tail, 54), -root_modulo(tail, 54)):
            middle = root % (1 << 53) + (1 << 53)
            x = middle * middle - tail
            if x % (1 << 54) == 0 and x < 1 << 107:
                found.append(math.ldexp(x >> 54, -52 + 2 * rng.randint(-10, 2)))
    return found


def quotients_near_the_middle(rng, divisor, n):
    """Numbers whose quotients by `divisor` (odd, of 53 bits) are next to the middle of doubles."""
    found = []
    while len(found) < n:
        rest = 2 * rng.randint(-200, 200) + 1
        middle = -rest * pow(divisor, -1, 1 << 54) % (1 << 54)
        if middle >= 1 << 53:
            found.append(math.ldexp((middle * divisor + rest) >> 54, rng.randint(-90, 0)))
    return found


def test_adam_next_to_the_middle_of_two_doubles(library):
    """Without decay or eps, w and v show each square and root themselves; then in ordinary use."""
    rng = random.Random(4)
    n = 4000
    bare = AdamRates(1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1e-300)
    keep = AdamRates(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0**-299)
    g, v = squares_near_the_middle(rng, n)[:n], roots_near_the_middle(rng, n)[:n]
    ones, zeros = [1.0] * n, [0.0] * n
    check_update(library, zeros, g, zeros, zeros, bare)
    check_update(library, zeros, zeros, ones, v, keep)
    check_update(library, ones, zeros, ones, v, keep)
    for step in (1, 20, 300):
        check_update(library, ones, g, ones, v, rates_of(step, **RATES))


def test_adam_roots_whose_sums_with_eps_are_two_doubles_apart(library):
    """If eps is half an ulp of the root, both candidates' sums are middles: one goes down, one up.

    Only one root in a group is like that, because doubts are settled for whole groups.
    """
    rng = random.Random(13)
    n, group, eps = 15_000, 8, 2.0**-53
    rates = AdamRates(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, eps)
    near = [2.0 * math.frexp(x)[0] for x in roots_near_the_middle(rng, n)]  # from 4**k to 2 * 4**k
    w, m, v = ([1.0] * n * group, [0.0] * n * group, [1.0] * n * group)
    v[::group] = rng.choices([x for x in near if x < 1.1], k=n)
    m[::group] = [math.sqrt(x) * rng.uniform(1.08, 1.16) for x in v[::group]]
    w[::group] = [rng.uniform(5, 7) for _ in range(n)]
    check_update(library, w, [0.0] * n * group, m, v, rates)


def test_adam_corrections_that_divide_badly(library):
    """Markstein's division by divisors whose bits are all ones, or nearly, or random.

    The root plus eps is 1, so that w shows the quotient.
    """
    rng = random.Random(5)
    n = 2000
    ones, zeros = [1.0] * n, [0.0] * n
    divisors = [(1 << 53) - k for k in (1, 3, 5, 7, (1 << 20) + 1)] + [(1 << 52) + 1, (1 << 52) + 3]
    divisors += [rng.getrandbits(53) | 1 << 52 | 1 for _ in range(20)]
    for divisor in divisors:
        c = math.ldexp(divisor, -53)
        for x in (quotients_near_the_middle(rng, divisor, n), [rng.random() for _ in range(n)]):
            rates = AdamRates(1.0, 1.0, 1.0, 1.0, 1.0, c, 1.0, 1e-30)
            check_update(library, zeros, zeros, x, ones, rates)
            rates = AdamRates(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, c, 1e-300)
            check_update(library, zeros, zeros, ones, x, rates)


@pytest.mark.slow
def test_adam_long_run(library):
    """20,000 steps on gradients like those of training: rows seen rarely, neurons that die."""
    rng = np.random.default_rng(6)
    rows, width = 6, 8
    n = rows * width + 3
    scale = 10.0 ** rng.uniform(-6, 0, n)
    w, m, v = rng.normal(0, 0.08, n), np.zeros(n), np.zeros(n)
    expected = [x.tolist() for x in (w, m, v)]
    for step in range(1, 20_001):
        seen = np.repeat(rng.random(rows) < [1, 1, 0.5, 0.1, 0.01, 0.0003], width)
        seen = np.append(seen, [True] * 3) & (rng.random(n) < 0.9)
        g = np.where(seen, rng.normal(0, 1, n) * scale, 0.0)
        rates = rates_of(step, **{**RATES, "lr": 0.01 * (1 - (step - 1) / 20_000)})
        assert (
            library.adam_update(
                *map(pointer, (w, g, m, v)), ctypes.c_size_t(n), ctypes.byref(rates), None
            )
            == n
        )
        python_update(expected[0], g.tolist(), *expected[1:], rates)
        if step % 100 == 0 and not all(map(same, expected, (w, m, v))):
            pytest.fail(f"by step {step}, " + first_difference("wmv", expected, (w, m, v)))


def signed(magnitudes):
    return st.one_of(magnitudes, magnitudes.map(operator.neg))


# From what is subnormal and stuck, since 0.85 times it rounds to itself, to what is ordinary.
FAINT = st.one_of(
    st.integers(0, 20).map(lambda k: k * TINY),
    st.builds(math.ldexp, st.floats(0.5, 1.0), st.integers(-1074, -480)),
)
ORDINARY = st.floats(1e-12, 10.0)
SCARCE = st.one_of(st.just(0.0), st.just(0.0), FAINT, ORDINARY)
PARAMETER = st.tuples(
    signed(st.one_of(ORDINARY, ORDINARY, FAINT, st.just(0.0))),
    signed(SCARCE),
    signed(st.one_of(FAINT, ORDINARY)),
    st.one_of(FAINT, FAINT, ORDINARY),
)
FAINT_RATES = [
    {},
    {"lr": 1e-320},
    {"lr": 1e-60},
    {"lr": 0.0},
    {"lr": 1e17},
    {"eps": 1e-12},
    {"eps": 1e-13},
    {"eps": 1e-80},
    {"eps": 0.0},
    {"beta1": 0.999999, "beta2": 0.5},
    {"beta1": 0.1, "beta2": 0.999999},
    {"beta1": 1.0009, "beta2": 1.0009},
    {"beta1": -0.85},
]


@settings(max_examples=n_cases(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(PARAMETER, min_size=1, max_size=24),
    st.sampled_from(FAINT_RATES),
    st.sampled_from([1, 3, 250, 100_000]),
)
def test_adam_faint_moments(library, parameters, options, step):
    rates = rates_of(step, **{**RATES, **options})
    columns = [list(column) for column in zip(*parameters)]
    for _ in range(3):
        w, m, v = check_update(library, *columns, rates)
        columns = [w, columns[1], m, v]


@pytest.mark.slow
@pytest.mark.parametrize("options", FAINT_RATES, ids=str)
def test_adam_hundreds_of_steps_from_faint_moments(library, options):
    """Lanes that are quiet for a while, for ever, or never, from states of long runs."""
    rng = np.random.default_rng(7)
    n = 203
    w, g = rng.normal(0, 0.08, n), rng.normal(0, 1, n)
    m = np.ldexp(rng.normal(0, 1, n), rng.integers(-1080, -480, n))
    v = np.ldexp(rng.random(n), rng.integers(-1080, -200, n))
    m[::9], v[::7], w[::31] = 3 * TINY, 50 * TINY, 0.0
    for step in range(60_000, 60_300):
        quiet = rng.random(n) < np.resize([1.0, 1.0, 0.99, 0.0, 1.0, 0.8, 1.0], n)
        scale = np.where(rng.random(n) < 0.1, 2.0 ** rng.integers(-560, -440, n), 1.0)
        rates = rates_of(step, **{**RATES, **options})
        w, m, v = check_update(library, w, np.where(quiet, 0.0, g * scale), m, v, rates)


@pytest.mark.parametrize("length", range(21))
@pytest.mark.parametrize("is_one_sum", [False, True], ids=["two sums", "one sum"])
def test_scaled_vectors_are_added(library, length, is_one_sum):
    rng = np.random.default_rng(length)
    for offset in range(8):
        sums, vectors = (
            [
                unaligned(x, (offset + 3 * k) % 8)
                for k, x in enumerate(rng.normal(0, 1, (2, length)))
            ]
            for _ in range(2)
        )
        if is_one_sum:
            sums[1] = sums[0]
        scale = rng.normal()
        expected = [x.copy() for x in sums]
        for k, x in enumerate(vectors):
            total = expected[0 if is_one_sum else k]
            total[:] = [a + b * scale for a, b in zip(total.tolist(), x.tolist())]
        library.add_scaled(
            *map(pointer, (sums[0], vectors[0], sums[1], vectors[1])),
            ctypes.c_double(scale),
            ctypes.c_size_t(length),
        )
        assert same(expected[0], sums[0]) and (is_one_sum or same(expected[1], sums[1]))


def check_exp(library, x, offset=0):
    """Compares exp_many of `x` with math.exp, or with infinity where math.exp raises."""
    array = unaligned(x, offset)
    library.exp_many(pointer(array), ctypes.c_size_t(len(x)), None)
    expected = list(map(python_exp, map(float, x)))
    if not same(expected, array):
        i = next(i for i, pair in enumerate(zip(expected, array)) if not same(*([x] for x in pair)))
        pytest.fail(f"exp({x[i].hex()}): expected {expected[i].hex()}, actual {array[i].hex()}")


def python_exp(x):
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def test_exp_many_numbers(library):
    """Three million; for thousands of them libm's result is not the nearest double."""
    rng = np.random.default_rng(7)
    n = 300_000
    for low, high in ((-1, 1), (-20, 0), (0, 20), (-750, 750), (-0.03, 0.03)):
        check_exp(library, rng.uniform(low, high, n))
    for span in (1, 10, 60, 1000, 1080):
        check_exp(library, rng.uniform(-1, 1, n) * 2.0 ** -rng.uniform(0, span, n))


def test_exp_every_length_and_start(library):
    rng = np.random.default_rng(8)
    for length in (*range(41), 255, 256, 257, 511, 513, 1000):
        for offset in range(8):
            check_exp(library, rng.uniform(-6, 6, length), offset)


def test_exp_edges(library):
    """Zeros, infinities, overflow, underflow, the ends of the range and of each table entry."""
    points = [k * math.log(2) / 32 for k in range(-40_000, 40_001, 37)] + [700.0, 708.4, 709.78]
    points += [709.782712893384, 745.1332191019411, 745.2, 1e300, math.log(2), 2.0**-53, 2.0**-54]
    points += [x for x in EDGES if x >= 0]
    points += [-x for x in points]
    for towards in (-math.inf, math.inf):
        points += [math.nextafter(x, towards) for x in points]
    check_exp(library, np.array([*points, math.nan]))
    for x in points[::7]:
        check_exp(library, np.array([0.5, x, 0.25]))


def test_exp_next_to_the_middle_of_two_doubles(library):
    """exp of the logarithms of such middles, as near as doubles come, and their neighbours."""
    rng = np.random.default_rng(9)
    for _ in range(10):
        middle = (rng.integers(1 << 52, 1 << 53, 30_000) + np.longdouble(0.5)) / np.longdouble(
            2**52
        )
        x = np.log(middle).astype(float)
        check_exp(library, np.concatenate([x, np.nextafter(x, 0), np.nextafter(x, 1), -x]))


EXPONENTS = [-0.5, -1.5, -1.0, -2.0]


def check_pow(library, x, offset=0):
    """Compares pow_many of `x` with python_pow for every exponent, also in place."""
    for p, exponent in enumerate(EXPONENTS):
        array, out = unaligned(x, offset), unaligned(x, (offset + 3) % 8)
        expected = [python_pow(base, exponent) for base in map(float, x)]
        for target, source in ((out, array), (array, array)):
            library.pow_many(pointer(target), pointer(source), ctypes.c_size_t(len(x)), p, None)
            if not same(expected, target):
                i = next(i for i in range(len(x)) if not same([expected[i]], [target[i]]))
                pytest.fail(
                    f"{x[i].hex()}**{exponent}: expected {expected[i].hex()}, "
                    f"actual {target[i].hex()}"
                )


def python_pow(base, exponent):
    """`base**exponent`; NaN if that is complex, infinity if it raises."""
    if -math.inf < base < 0 and exponent % 1:
        return math.nan
    try:
        return base**exponent
    except ArithmeticError:
        return math.copysign(math.inf, base) if exponent == -1.0 else math.inf


def test_pow_many_numbers(library):
    rng = np.random.default_rng(10)
    n = 50_000
    for span in (0, 2, 20, 300, 1000):
        check_pow(library, rng.uniform(1, 2, n) * 2.0 ** rng.integers(-span, span + 1, n))


def test_pow_every_length_and_start(library):
    rng = np.random.default_rng(11)
    for length in range(41):
        for offset in range(8):
            check_pow(library, rng.uniform(0.1, 30, length), offset)


def test_pow_edges(library):
    points = EDGES + [
        math.ldexp(x, k) for k in range(-320, 321) for x in (1.0, 1 - 2**-53, 1 + 2**-52)
    ]
    check_pow(library, np.array(points))
    for x in points[::5]:
        check_pow(library, np.array([0.5, 3.0, x, 0.7]))


def test_pow_next_to_the_middle_of_two_doubles(library):
    """The bases whose powers lie nearest to random middles, and their neighbours."""
    rng = np.random.default_rng(12)
    middle = np.ldexp(rng.integers(1 << 52, 1 << 53, 20_000) + np.longdouble(0.5), -52)
    for exponent in EXPONENTS:
        x = (middle ** np.longdouble(1 / np.longdouble(exponent))).astype(float)
        check_pow(library, np.concatenate([x, np.nextafter(x, 0), np.nextafter(x, 9), x * 4.0**20]))


@pytest.mark.parametrize("unit", ["", *HERE])
def test_the_environment_names_the_unit(built, monkeypatch, unit):
    set_environment(built, monkeypatch, unit)
    assert built.vector_unit_init() is None
    best = max(k for k in range(3) if built.vector_unit_set(k) == 0)
    built.vector_unit_init()
    assert built.vector_unit() == (UNITS.index(unit) if unit else best)


def test_an_unknown_unit_is_refused(built, monkeypatch):
    set_environment(built, monkeypatch, "avx1024")
    sentence = b"ISOGRAD_VECTOR_UNIT must be avx512, avx2 or plain"
    assert built.vector_unit_init() == sentence
    assert built.vector_unit() == 0


def set_environment(built, monkeypatch, unit):
    monkeypatch.setenv("ISOGRAD_VECTOR_UNIT", unit)
    assert os.environ["ISOGRAD_VECTOR_UNIT"] == unit
