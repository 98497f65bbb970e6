"""Adam on both twins: every moment and weight equal, at the edges of the doubles too."""

import math
import platform
import random
from array import array

import pytest
from bits import bits
from conftest import TWINS

import isograd.optim
import isograd.reference

ADAMS = {"python": isograd.reference.Adam, "c": isograd.optim.Adam}


@pytest.fixture(params=TWINS)
def pair(request):
    """A Value class and the Adam that goes with it."""
    return TWINS[request.param], ADAMS[request.param]


def run(name, weights, gradients, **options):
    """All weights and moments after a step for each list of gradients, or the exception's type."""
    params = [TWINS[name](x) for x in weights]
    optimizer = ADAMS[name](params, **options)
    outcome = None
    for gradient in gradients:
        for p, grad in zip(params, gradient):
            p.grad = grad
        try:
            optimizer.step()
        except (ArithmeticError, ValueError) as error:
            outcome = type(error).__name__
            break
    state = optimizer.state_dict()
    numbers = [*(p.data for p in params), *state["m"], *state["v"]]
    return [outcome, state["steps"], *map(bits, numbers)]


def check(weights, gradients, **options):
    assert run("c", weights, gradients, **options) == run("python", weights, gradients, **options)


def test_training_like_gradients():
    rng = random.Random(1)
    n = 500
    weights = [rng.gauss(0, 0.08) for _ in range(n)]
    check(
        weights, [[rng.gauss(0, 1) * 10 ** rng.uniform(-9, 1) for _ in range(n)] for _ in range(60)]
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lr": 1},
        {"betas": (0, 0)},
        {"betas": (0.9, 0.999)},
        {"eps": 0.5},
        {"betas": [0.0, 0.5], "eps": 1e-300},
    ],
)
def test_options(options):
    rng = random.Random(2)
    check([0.5, -1, 3], [[rng.uniform(-1, 1) for _ in range(3)] for _ in range(20)], **options)


@pytest.mark.parametrize(
    "grad",
    [
        0,
        0.0,
        -0.0,
        1,
        -3,
        2**30,
        2**52 + 1,
        1.0,
        2.0,
        0.5,
        5e-324,
        1e-310,
        1e-200,
        1e-162,
        1e-121,
        2.0**-400,
        2.0**400,
        1e121,
        1e150,
        1e154,
        1.4e154,
        1e200,
        1.7e308,
        math.inf,
        -math.inf,
        math.nan,
    ],
)
def test_gradients_at_the_edges(grad):
    check([0.25, 1], [[grad, 1.0], [0.5, grad], [grad, grad]])
    check([0.25], [[grad]], betas=(0.0, 0.0), eps=0.0)


def test_squares_and_roots_next_to_the_middle_of_two_doubles():
    """200,000 of each, against this machine's own pow, which at times rounds the other way."""
    rng = random.Random(3)
    n, not_nearest = 20_000, 0
    for _ in range(10):
        gradients = [rng.uniform(1, 4) * 2.0 ** rng.randint(-30, 5) for _ in range(n)]
        check([0.0] * n, [gradients], lr=1.0, betas=(0.0, 0.0), eps=0.0)
        not_nearest += sum(x**2 != x * x for x in gradients)
    assert not_nearest or platform.libc_ver()[0] != "glibc"


def test_a_hard_root_is_pow_of_it():
    """Roots whose exact value lies in the middle of two doubles, but for the last few bits."""
    rng = random.Random(4)
    roots = [rng.getrandbits(52) + 2**52 + 0.5 for _ in range(5000)]
    hard = [math.floor(root * root) * 2.0**-60 for root in roots]
    gradients = [math.sqrt(x) for x in hard]
    check([0.0] * len(hard), [gradients, gradients], betas=(0.0, 0.25), eps=0.0)


def test_without_eps_a_gradient_of_0_is_a_division_by_0():
    check([1.0], [[0.0]], eps=0.0)


def test_a_step_may_have_an_lr_of_its_own(pair):
    Value, Adam = pair
    p = Value(1.0)
    optimizer = Adam([p], lr=0.5)
    p.grad = 1.0
    optimizer.step(lr=0.0)
    assert p.data == 1.0 and p.grad == 1.0
    optimizer.step()
    assert p.data < 1.0
    optimizer.zero_grad()
    assert bits(p.grad) == bits(0)


def test_state_can_be_saved_and_loaded(pair):
    Value, Adam = pair
    first, second = [Value(1.0), Value(2.0)], [Value(1.0), Value(2.0)]
    a, b = Adam(first), Adam(second)
    for step in range(6):
        for p, q in zip(first, second):
            p.grad = q.grad = math.sin(step) * p.data
        if step == 3:
            fresh = Adam(second)
            fresh.load_state_dict(b.state_dict())
            b = fresh
        a.step()
        b.step()
    assert [bits(p.data) for p in first] == [bits(q.data) for q in second]
    assert a.state_dict() == b.state_dict()


@pytest.mark.parametrize(
    "state",
    [
        {"steps": 1, "m": [0.0], "v": [0.0, 0.0]},
        {"steps": -1, "m": [0.0, 0.0], "v": [0.0, 0.0]},
        {"steps": 1, "m": [0.0, 0.0], "v": [0.0, -1.0]},
    ],
)
def test_a_state_that_cannot_be(pair, state):
    Value, Adam = pair
    with pytest.raises(ValueError):
        Adam([Value(1.0), Value(2.0)]).load_state_dict(state)


@pytest.mark.parametrize(
    "options",
    [
        {"betas": (1.0, 0.9)},
        {"betas": (0.9, -0.1)},
        {"eps": -1.0},
        {"betas": (0.9,)},
        {"eps": math.nan},
    ],
)
def test_bad_options(pair, options):
    Value, Adam = pair
    with pytest.raises(ValueError):
        Adam([Value(1.0)], **options)
    with pytest.raises(ValueError):
        Adam([])


def test_only_values_are_parameters():
    with pytest.raises(TypeError, match=r"params\[1\] must be a Value, not 'float'"):
        isograd.optim.Adam([TWINS["c"](1.0), 2.0])
    for function in (isograd._core.zero_grad, isograd._core.read_data):
        with pytest.raises(TypeError, match=r"params\[1\] must be a Value, not 'int'"):
            function((TWINS["c"](1.0), 2))


def test_no_root_of_a_negative_moment():
    """The optimizer takes no such state; the function beneath it raises what Value does."""
    p, moments = TWINS["c"](1.0), (array("d", [0.0]), array("d", [-1.0]))
    with pytest.raises(ValueError, match="a negative Value to a fractional power"):
        isograd._core.adam_update((p,), *moments, 0.1, 0.9, 0.99, 0.1, 0.01, 1e-8)
    assert p.data == 1.0


def test_zero_grad_of_a_result_leaves_its_constant_alone(pair):
    Value, Adam = pair
    p = Value(3.0) * 2
    p.backward()
    optimizer = Adam([p])
    optimizer.zero_grad()
    assert bits(p._children[1].grad) == bits(3.0)


@pytest.mark.parametrize("places", [[0, 1, 0], [0, 0, 0, 0], [*range(700), 3, 699, 5, 5]])
def test_tied_parameters_are_updated_once_for_each_place(places):
    states = []
    for name in ADAMS:
        values = [TWINS[name](float(i)) for i in range(max(places) + 1)]
        optimizer = ADAMS[name]([values[i] for i in places])
        for step in range(3):
            for i, value in enumerate(values):
                value.grad = math.sin(i + step)
            optimizer.step()
        state = optimizer.state_dict()
        states.append([bits(x) for x in [*(v.data for v in values), *state["m"], *state["v"]]])
    assert states[0] == states[1]


def test_tied_parameters_and_an_error():
    states = []
    for name in ADAMS:
        a, b = TWINS[name](1.0), TWINS[name](2.0)
        optimizer = ADAMS[name]([a, b, a, b, a, b], eps=0)
        a.grad, b.grad = 0.5, 1e-200
        with pytest.raises(ZeroDivisionError):
            optimizer.step()
        state = optimizer.state_dict()
        states.append([bits(x) for x in [a.data, b.data, *state["m"], *state["v"]]])
    assert states[0] == states[1]


def test_the_twins_have_the_same_public_names():
    names = [{n for n in dir(adam) if not n.startswith("_")} for adam in ADAMS.values()]
    assert names[0] == names[1]
