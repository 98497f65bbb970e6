"""Each allocation of each operation of isograd.micrograd fails once: MemoryError, nothing changed,
nothing leaked, and the next attempt gives what the pure twin gives."""

import gc
import random

import pytest
from test_micrograd import TWINS, describe
from test_out_of_memory import ENOUGH, allocation_fails

import isograd._core

pytest.importorskip("_testcapi")


def setup(Value, nn):
    random.seed(4)
    model = nn.MLP(2, [3, 2])
    v = [Value(0.5), Value(-1.25), Value(3), Value(2.0)]
    return model, v


def called(model, v):
    return model([v[0] * 2, v[1]])


def swept(model, v):
    a, b = model([v[0] * 2, 1.5])
    (a * b).backward()
    return [a, b]


def made_by_hand(model, v):
    y = type(v[0])(1.0, v[:3], "own", "label")
    y._backward = v[0].backward
    return [y]


def many_calls(model, v):
    """More than the lists of a walk have room for at first, in pieces of every kind."""
    x = [v[0] * 2, v[1]]
    layer = model.layers[0]
    return [sum(y for _ in range(60) for y in (*model([x[0] * 2, x[1] * 3]), *layer(x)))]


def deep(model, v):
    y = v[0]
    for _ in range(300):
        y = y + v[1]
    return [y]


def nothing(model, v):
    return []


def use(function):
    def operate(model, v, made):
        function(made[0])
        return []

    return operate


OPERATIONS = {
    "a + b": (nothing, lambda m, v, made: [v[0] + v[1]]),
    "1 - a": (nothing, lambda m, v, made: [1 - v[0]]),
    "a / b": (nothing, lambda m, v, made: [v[0] / v[1]]),
    "a ** 2": (nothing, lambda m, v, made: [v[0] ** 2]),
    "tanh": (nothing, lambda m, v, made: [v[0].tanh()]),
    "by hand": (nothing, lambda m, v, made: made_by_hand(m, v)),
    "label": (nothing, lambda m, v, made: setattr(v[0], "label", "x") or []),
    "attribute": (nothing, lambda m, v, made: setattr(v[0], "mine", "x") or []),
    "_prev": (made_by_hand, lambda m, v, made: setattr(made[0], "_prev", v) or []),
    "reading _prev": (lambda m, v: [v[0] + v[1]], use(lambda y: y._prev)),
    "reading _op": (lambda m, v: [v[0] ** 7], use(lambda y: y._op)),
    "repr": (made_by_hand, use(repr)),
    "state": (nothing, lambda m, v, made: [] * len(v[1].__reduce__())),
    "a network": (nothing, lambda m, v, made: called(m, v)),
    "a neuron": (nothing, lambda m, v, made: [m.layers[0].neurons[0](v[:2])]),
    "backward": (called, use(lambda y: y.backward())),
    "backward of many": (many_calls, use(lambda y: y.backward())),
    "backward of a deep chain": (deep, use(lambda y: y.backward())),
    "backward again": (swept, use(lambda y: y.backward())),
    "looking into a network": (called, use(lambda y: y._prev)),
    "looking into a swept network": (swept, use(lambda y: y._prev)),
    "a new gradient": (swept, use(lambda y: setattr(y, "grad", 2.0))),
}
spent = []  # takes what is spare, so that new nodes need memory


def outcome(twin, prepare, operate, failure=None):
    Value, nn = TWINS[twin]
    model, v = setup(Value, nn)
    made = prepare(model, v)
    failed, result = False, None
    if failure:
        spent.extend(Value(0.0) for _ in range(100))
        try:
            with failure:
                result = operate(model, v, made)
        except MemoryError:
            failed = True
    if result is None:
        result = operate(model, v, made)
    return failed, describe([*v, *made, *result, *model.parameters()])


@pytest.mark.slow
@pytest.mark.parametrize("prepare, operate", OPERATIONS.values(), ids=OPERATIONS)
def test_when_the_interpreter_has_no_memory(prepare, operate):
    Value = TWINS["c"][0]
    spent.extend(Value(0.0) for _ in range(20_000))
    gc.collect()
    start = isograd._core.live_micrograd_values() - len(spent)
    _, expected = outcome("python", prepare, operate)
    attempt = successes = 0
    while successes < ENOUGH:
        failed, actual = outcome("c", prepare, operate, allocation_fails(attempt))
        assert actual == expected, attempt
        successes = 0 if failed else successes + 1
        attempt += 1
        assert attempt < 1000
    gc.collect()
    assert isograd._core.live_micrograd_values() - len(spent) == start
    spent.clear()
