"""isograd.micrograd: the compiled class and networks against their pure twin, bit for bit."""

import copy
import gc
import math
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from bits import bits, walk

import isograd._core
from isograd.micrograd import engine, nn
from isograd.reference import micrograd as reference

TWINS = {"python": (reference.Value, reference), "c": (engine.Value, nn)}


@pytest.fixture(params=TWINS)
def twin(request):
    return TWINS[request.param]


@pytest.fixture
def Value(twin):
    return twin[0]


def graph(roots):
    """Numbers, names, edges and identities of every Value reachable from `roots`."""
    nodes, numbers = walk(roots, lambda node: node._prev)
    return [
        (node._op, node.data, node.grad, node.label, [numbers[child] for child in node._prev])
        for node in nodes
    ]


def describe(roots):
    """The graph as text, a line for each Value."""
    return [
        f"{op!r} {bits(data)} {bits(grad)} {label!r} {edges}"
        for op, data, grad, label, edges in graph(roots)
    ]


def on_both(program):
    """What `program(Value, nn)` returns on each twin."""
    return [program(*TWINS[name]) for name in TWINS]


NAMES = ["data", "grad", "_prev", "_op", "_backward"]


# ---- the class ----


def test_everything_at_once():
    def program(Value, _):
        a, b = Value(-4.0), Value(2)
        c = a + b
        d = a * b + b**3
        c += c + 1
        c += 1 + c + (-a)
        d += d * 2 + (b + a).relu()
        d += 3 * d + (b - a).relu()
        e = c - d
        f = e**2
        g = f / 2.0
        g += 10.0 / f
        g += (a / b).tanh() + (b / 7).exp() + b.log() - a.sigmoid() - (1 - a).sigmoid()
        g.backward()
        return describe([g, a, b])

    python, c = on_both(program)
    assert python == c


def test_a_value_used_twice_by_one_operation_is_one_child(Value):
    a = Value(3.0)
    y = a + a
    assert y._prev == (a,)
    y.backward()
    assert (a.grad, (a * a)._prev) == (2, (a,))


def test_children_stand_in_order_of_insertion(Value):
    a, b, c = Value(1), Value(2), Value(3)
    assert (a + b)._prev == (a, b)
    assert Value(0, [c, a, c, b, a])._prev == (c, a, b)
    assert Value(0, {a})._prev == (a,)
    assert Value(5)._prev == ()


@pytest.mark.parametrize(
    "make, op",
    [
        (lambda v: v, ""), (lambda v: v + 1, "+"), (lambda v: 1 - v, "+"), (lambda v: v * 2, "*"),
        (lambda v: -v, "*"), (lambda v: v**2, "**2"), (lambda v: v**-0.5, "**-0.5"),
        (lambda v: 1 / v, "*"), (lambda v: v.relu(), "ReLU"), (lambda v: v.tanh(), "tanh"),
        (lambda v: v.exp(), "exp"), (lambda v: v.log(), "log"), (lambda v: v.sigmoid(), "sigmoid"),
    ],
)  # fmt: skip
def test_op_says_how_a_value_was_made(Value, make, op):
    y = make(Value(2.5))
    assert y._op == op
    y._op = "mine"
    assert y._op == "mine"


def test_repr_is_micrograds(Value):
    v = Value(2)
    assert repr(v) == "Value(data=2, grad=0)"
    v.backward()
    assert repr(v + 0.5) == "Value(data=2.5, grad=0)"
    assert repr(v) == "Value(data=2, grad=1)"


def test_labels_and_other_attributes_stay(Value):
    v = Value(1.0, label="x")
    assert (v.label, Value(1.0).label, Value(1.0, (), "", "y").label) == ("x", "", "y")
    v.label = "z"
    v.index = 7
    assert (v.label, v.index, vars(v)["index"]) == ("z", 7, 7)
    del v.index
    with pytest.raises(AttributeError):
        _ = v.index
    with pytest.raises(AttributeError):
        del v.index


def test_gradients_read_data_when_backward_runs():
    def program(Value, _):
        a, b, c = Value(2.0), Value(3.0), Value(-0.5)
        y = a * b + a**3 + b.log() + c.relu() + c.tanh() + c.exp() + c.sigmoid()
        a.data, b.data, c.data = 5.0, 7.0, 0.25
        y.backward()
        return describe([y])

    python, c = on_both(program)
    assert python == c
    a, b = engine.Value(2.0), engine.Value(3.0)
    y = a * b
    b.data = 10.0
    y.backward()
    assert a.grad == 10.0


def test_relu_is_as_micrograd_defines_it(Value):
    for x, expected in [(-1.0, "int 0x0"), (-0.0, bits(-0.0)), (0, "int 0x0"), (3, "int 0x3")]:
        y = Value(x).relu()
        assert bits(y.data) == expected
    assert math.isnan(Value(math.nan).relu().data)
    x = Value(-0.0)
    x.relu().backward()
    assert bits(x.grad) == "int 0x0"


def test_an_operation_of_ones_own(Value):
    def softplus(x):
        y = Value(math.log1p(math.exp(x.data)), (x,), "softplus")

        def backward():
            x.grad += y.grad / (1 + math.exp(-x.data))

        y._backward = backward
        return y

    x = Value(0.3)
    y = softplus(x * 2) * 3
    y.backward()
    assert x.grad == 2 * (3.0 / (1 + math.exp(-0.6)))
    assert [v._op for v in y._prev] == ["softplus", ""]


def test_backward_can_be_replaced_and_called_by_hand(Value):
    a, b = Value(2.0), Value(5.0)
    y = a * b
    y.grad = 1.0
    y._backward()
    assert (a.grad, b.grad) == (5.0, 2.0)
    a._backward()
    calls = []
    y._backward = lambda: calls.append("y")
    a._backward = lambda: calls.append("a")
    y.backward()
    assert calls == ["y", "a"]
    assert (a.grad, b.grad, y.grad) == (5.0, 2.0, 1)


def test_an_error_in_a_backward_stops_there(Value):
    a = Value(1.0)
    b = a * 2
    y = b + b

    def fail():
        raise LookupError("no")

    b._backward = fail
    with pytest.raises(LookupError):
        y.backward()
    assert (b.grad, a.grad) == (2, 0)
    x = Value(0.0)
    root = x**0.5
    with pytest.raises(ZeroDivisionError):
        root.backward()


def test_backward_within_backward(Value):
    a = Value(3.0)
    inner = a * a
    y = a * 2
    y._backward = inner.backward
    (y + 1).backward()
    assert a.grad == 6.0


def test_prev_can_be_set(Value):
    a, b = Value(1.0), Value(2.0)
    y = Value(0)
    y._prev = (a, b)
    y._backward = lambda: [setattr(v, "grad", v.grad + y.grad) for v in (a, b)]
    (y * 2).backward()
    assert (a.grad, b.grad) == (2, 2)


@pytest.mark.parametrize(
    "wrong, error",
    [
        (lambda v, V: V("a"), TypeError),
        (lambda v, V: V(None), TypeError),
        (lambda v, V: V(1, 5), TypeError),
        (lambda v, V: v + "a", TypeError),
        (lambda v, V: v**v, AssertionError),
        (lambda v, V: v ** np.float32(2), AssertionError),
        (lambda v, V: 2**v, TypeError),
        (lambda v, V: v / 0, ZeroDivisionError),
        (lambda v, V: V(0.0) ** -1, ZeroDivisionError),
        (lambda v, V: V(-1.0) ** 0.5, ValueError),
        (lambda v, V: V(-1.0).log(), ValueError),
        (lambda v, V: V(1e3).exp(), OverflowError),
        (lambda v, V: v.cosh(), AttributeError),
        (lambda v, V: v - "a", TypeError),
        (lambda v, V: v / "a", TypeError),
        (lambda v, V: "a" / v, TypeError),
        (lambda v, V: [delattr(v, name) for name in NAMES], AttributeError),
        (lambda v, V: copy.copy(v + 1), TypeError),
    ],
)
def test_errors(Value, wrong, error):
    v = Value(2.0)
    try:
        wrong(v, Value)
    except error:
        return
    except Exception as other:  # the twins agree on the class, not only on failing
        raise AssertionError(f"{type(other)} instead of {error}") from other
    assert error is AttributeError and Value is reference.Value  # Python lets attributes go


def test_attributes_stay_and_children_are_values():
    v = engine.Value(2.0) * 3
    for name in [*NAMES, "label"]:
        with pytest.raises(AttributeError, match=f"a Value's {name} cannot be deleted"):
            delattr(v, name)
    with pytest.raises(TypeError, match="a child of a Value must be a Value, not 'int'"):
        v._prev = [v, 3]
    with pytest.raises(TypeError, match="a child of a Value must be a Value, not 'int'"):
        engine.Value(1, [3])
    with pytest.raises(TypeError, match="a Value holds a real number, not 'str'"):
        v.data = "x"


def test_derivatives_that_do_not_exist(Value):
    for x, y in [(Value(2.0), lambda x: x.log()), (Value(2.0), lambda x: x**0.5)]:
        root = y(x)
        x.data = 0.0
        with pytest.raises(ZeroDivisionError):
            root.backward()
        assert x.grad == 0
    y = Value(0.5).tanh()
    y.data = -1e200
    with pytest.raises(OverflowError):
        y.backward()
    for x in (math.inf, -math.inf, math.nan):
        assert bits(Value(x).tanh().data) == bits(math.tanh(x))


def test_numbers_of_numpy(Value):
    v = Value(np.float64(2.5)) * np.float32(2) + np.int64(3)
    assert bits(v.data) == bits(8.0)
    assert (Value(3.0) ** np.float64(2))._op == "**2.0"


def test_copies_and_pickles_of_leaves(Value):
    v = Value(1.5, label="w")
    v.grad, v.index = 0.25, 3
    for other in (copy.copy(v), copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        assert type(other) is Value and other is not v
        assert (other.data, other.grad, other.label, other.index) == (1.5, 0.25, "w", 3)
        assert other._prev == ()


def test_subclasses(Value):
    class Mine(Value):
        def __neg__(self):
            return Value(100.0)

    m = Mine(2.0, label="m")
    m.extra = 1
    y = Value(1.0) - m
    assert (y.data, type(m * 2) is Value, m.extra) == (101.0, True, 1)
    assert (1.0 - m).data == 101.0 and (2 + m).data == 4.0 and (1 / m).data == 0.5

    class Plain(Value):
        pass

    assert type(-Plain(2.0)) is Value and (-Plain(2.0)).data == -2.0
    (m * 3).backward()
    assert m.grad == 3


def test_a_million_operations_deep():
    x = engine.Value(1.0)
    y = x
    for _ in range(1_000_000):
        y = y + 1e-6
    y.backward()
    assert x.grad == 1
    del y


def test_nothing_leaks():
    def churn():
        model = nn.MLP(3, [4, 4, 2])
        for _ in range(5):
            out = model([1.0, engine.Value(2.0), 3])
            y = out[0] * out[1] + out[0].tanh()
            y.backward()
            str(out[1]._prev)
            y.backward()
        x = engine.Value(2.0)
        own = engine.Value(4.0, (x,), "own")
        own._backward = lambda: own.grad + x.grad  # a cycle
        later = own * 2
        later.note = later  # another
        feature = engine.Value(1.0, (x,), "feature")
        feature._backward = lambda: feature.grad + through.grad  # a third
        through = nn.Neuron(2)([feature, 1.0]) * 2
        with pytest.raises(TypeError):
            engine.Value("a")

    churn()
    gc.collect()
    before = isograd._core.live_micrograd_values()
    for _ in range(20):
        churn()
    gc.collect()
    assert isograd._core.live_micrograd_values() == before


# ---- networks ----


def network_program(build):
    """Runs `build(Value, nn)`, which returns Values, from the same seed on both twins."""

    def program(Value, nn):
        random.seed(5)
        return describe(build(Value, nn))

    python, c = on_both(program)
    assert len(python) == len(c)
    for i, (expected, actual) in enumerate(zip(python, c)):
        assert expected == actual, f"line {i}"


def looked_at_after(use):
    """Values of a model and its outputs after `use(model, V)`, all their edges looked at."""

    def build(Value, nn):
        model = nn.MLP(3, [4, 3, 2])
        return [*use(model, Value), *model.parameters()]

    return build


def backward_once(model, V):
    x = [V(0.5), V(-1.5), 2.0]
    a, b = model(x)
    y = a * b + a
    y.backward()
    return [y, *x[:2]]


def backward_of_an_output(model, V):
    a, b = model([1, 2, 3])
    a.backward()
    return [a, b]


def backward_twice(model, V):
    x = [V(1.0), V(2.0), V(3.0)]
    a, b = model(x)
    a.backward()
    (a + b).backward()
    b.backward()
    return [a, b, *x]


def open_inputs(model, V):
    w = V(0.7)
    first = w * w
    x = [first, first.tanh() * w, (first + 1) * first]
    a, b = model(x)
    y = b * a + first
    y.backward()
    return [y, w]


def one_input_thrice(model, V):
    x = V(-0.3)
    y = sum(model([x, x, x]))
    y.backward()
    return [y]


def looked_at_before(model, V):
    a, b = model([V(0.1), 0.2, 0.3])
    assert a._prev and a._op == "+"
    (a - b).backward()
    return [a, b]


def update_between(model, V):
    a, b = model([V(0.1), 0.2, 0.3])
    y = a * b
    for p in model.parameters():
        p.data += 0.125
    y.backward()
    for p in model.parameters():
        p.data -= 0.1 * p.grad
    return [y]


def stacked(model, V):
    x = [V(0.1), V(0.2), V(0.3)]
    a, b = model(x)
    c, d = model([a, b, a * b])
    y = c * d + a
    y.backward()
    return [y, *x]


def parameter_as_input(model, V):
    p = model.parameters()
    y = sum(model([p[0], p[5], 1.0]))
    y.backward()
    return [y]


def tied_weights(model, V):
    neurons = model.layers[0].neurons
    neurons[1].w = neurons[0].w
    neurons[2].w[1] = model.layers[1].neurons[0].w[0]
    y = sum(model([1.0, 2.0, 3.0]))
    y.backward()
    return [y]


def int_weights(model, V):
    for p in model.parameters()[::3]:
        p.data = 2
    y = sum(model([1, -2, 3]))
    y.backward()
    return [y]


def ints_after_the_call(model, V):
    y = sum(model([1, -2, V(3)]))
    for p in model.parameters():
        p.data = -1
    y.backward()
    return [y]


def a_weight_with_a_backward(model, V):
    seen = []
    y = sum(model([1.0, 2.0, 3.0]))
    model.parameters()[2]._backward = lambda: seen.append(1)
    y.backward()
    assert seen == [1]
    return [y]


def gradients_set_in_between(model, V):
    a, b = model([1.0, 2.0, V(3.0)])
    (a * b).backward()
    a.grad = 0.5
    b.data = -7.0
    (a * b * 2.0).backward()
    return [a, b]


def nans_and_zeros(model, V):
    out = []
    for x in ([math.inf, 1.0, 0.0], [math.nan, 0, -0.0], [-0.0, -0.0, 0], [1e308, 1e308, -1e308]):
        y = sum(model(x))
        y.backward()
        out.append(y)
    return out


def wrong_length(model, V):
    y = sum(model([1.0, 2.0]))
    y.backward()
    return [y]


USES = [
    backward_once, backward_of_an_output, backward_twice, open_inputs, one_input_thrice,
    looked_at_before, update_between, stacked, parameter_as_input, tied_weights, int_weights,
    ints_after_the_call, a_weight_with_a_backward, gradients_set_in_between, nans_and_zeros,
    wrong_length,
]  # fmt: skip


@pytest.mark.parametrize("use", USES, ids=[use.__name__ for use in USES])
def test_a_network_equals_its_scalar_operations(use):
    network_program(looked_at_after(use))


@pytest.mark.parametrize("nonlin", [True, False])
@pytest.mark.parametrize("nout", [1, 3])
@pytest.mark.parametrize("nin", [1, 2, 5])
def test_layers_and_neurons_by_themselves(nin, nout, nonlin):
    def build(V, nn):
        layer = nn.Layer(nin, nout, nonlin=nonlin)
        x = [V(random.uniform(-1, 1)) for _ in range(nin)]
        x[-1] = x[-1] * x[0]
        out = layer(x)
        out = out if isinstance(out, list) else [out]
        n = nn.Neuron(nin, nonlin=nonlin)
        y = n(x) + sum(out) * -0.0
        for z in (y, out[0], y):
            z.backward()
        return [y, *out, *layer.parameters(), *n.parameters()]

    network_program(build)


def test_parameters_are_drawn_and_shown_as_micrograds_are(twin):
    Value, nn = twin
    random.seed(2)
    drawn = [random.uniform(-1, 1) for _ in range(3 * 2 + 2)]
    random.seed(2)
    model = nn.MLP(3, [2, 1])
    weights = [p.data for layer in model.layers for n in layer.neurons for p in n.w]
    assert weights == drawn
    assert [n.b.data for n in model.layers[0].neurons] == [0, 0]
    assert len(model.parameters()) == 11 and all(type(p) is Value for p in model.parameters())
    assert repr(model) == (
        "MLP of [Layer of [ReLUNeuron(3), ReLUNeuron(3)], Layer of [LinearNeuron(2)]]"
    )
    assert nn.Module().parameters() == []
    model([1, 2, 3]).backward()
    model.zero_grad()
    assert {bits(p.grad) for p in model.parameters()} == {"int 0x0"}


def test_own_neurons_are_called(twin):
    _, nn = twin

    class Loud(nn.Neuron):
        def __call__(self, x):
            return super().__call__(x) * 10

    model = nn.MLP(2, [2, 1])
    plain = model([1.0, 2.0]).data
    last = Loud(2, nonlin=False)
    last.w, last.b = model.layers[1].neurons[0].w, model.layers[1].neurons[0].b
    model.layers[1].neurons[0] = last
    assert model([1.0, 2.0]).data == plain * 10


def test_a_patched_neuron_is_called(monkeypatch):
    model = nn.MLP(2, [2, 1])
    monkeypatch.setattr(nn.Neuron, "__call__", lambda self, x: engine.Value(42))
    assert model([1.0, 2.0]).data == 42


def test_models_can_be_copied(twin):
    _, nn = twin
    model = nn.MLP(2, [3, 1])
    other = copy.deepcopy(model)
    assert other([0.5, 1.0]).data == model([0.5, 1.0]).data
    other.parameters()[0].data += 1
    assert other.parameters()[0].data != model.parameters()[0].data


def test_what_is_no_network_of_ours_takes_the_scalar_way(twin):
    _, nn = twin
    layer = nn.Layer(2, 2)
    expected = [y.data for y in layer([0.5, -1.0])]
    for n in layer.neurons:
        n.nonlin = int(n.nonlin)
    assert [y.data for y in layer([0.5, -1.0])] == expected
    for n in layer.neurons:
        n.w = tuple(n.w)
    assert [y.data for y in layer([0.5, -1.0])] == expected
    layer.neurons = tuple(layer.neurons)
    assert [y.data for y in layer([0.5, -1.0])] == expected
    assert nn.Layer(2, 0)([1, 2]) == []
    assert nn.MLP(2, [])([1, 2]) == [1, 2]
    empty = nn.Neuron(0, nonlin=False)
    assert empty([]) is empty.b
    first, _ = layer(iter([0.5, -1.0]))  # leaves nothing for the second neuron
    assert first.data == expected[0]
    del layer.neurons
    with pytest.raises(AttributeError):
        layer([1, 2])
    with pytest.raises(TypeError):
        nn.MLP(2, [1, 3])([1, 2])


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16])
def test_arrays_are_inputs(kind):
    x = np.array([1.5, -2.25], dtype=kind)

    def program(Value, nn):
        random.seed(9)
        y = nn.MLP(2, [3, 1])(x)
        y.backward()
        return [bits(y.data)]

    python, c = on_both(program)
    assert python == c


def test_a_step_by_hand_changes_nothing_inside_a_call_that_was_handed_on():
    def program(Value, nn):
        random.seed(3)
        out = nn.MLP(2, [2, 1])([Value(-2), 1])
        for y in (out + 1, 2 * out):
            y.backward()
            y._backward()
        return describe([out, y])

    python, c = on_both(program)
    assert python == c


@pytest.mark.parametrize("nouts", [[1], [3], [2, 1], [2, 3, 2]])
@pytest.mark.parametrize("failing", [[0], [1], [2], [0, 2]])
def test_an_error_halfway_through_a_call(nouts, failing):
    """Errors below some of the inputs; the way back through the call has begun, or not yet."""

    def program(Value, nn):
        random.seed(3)
        network = nn.Layer(3, nouts[0]) if len(nouts) == 1 else nn.MLP(3, nouts)
        leaf = Value(0.0)
        inputs = [leaf**0.5 if i in failing else leaf + i for i in range(3)]
        outs = network(inputs)
        outs = outs if isinstance(outs, list) else [outs]
        roots = [sum(outs), outs[-1] * 2 + inputs[failing[0]] * outs[0], outs[0]]
        for root in roots:
            with pytest.raises(ZeroDivisionError):
                root.backward()
        lines = describe([*roots, *inputs, *network.parameters()])
        leaf.data = 2.0
        for root in roots:
            root.backward()
        return lines, describe([*roots, *inputs, *network.parameters()])

    python, c = on_both(program)
    assert python == c


def test_an_error_before_the_way_back_reaches_the_hidden_neurons():
    def program(Value, nn):
        random.seed(3)
        zero = Value(0.0)
        outs = nn.MLP(1, [2, 2])([Value(1.0)])
        root = outs[0] + zero**0.5 + outs[1]
        with pytest.raises(ZeroDivisionError):
            root.backward()
        return describe([root, *outs])

    python, c = on_both(program)
    assert python == c


def test_outputs_of_one_call_swept_with_different_weights():
    def program(Value, nn):
        random.seed(3)
        layer = nn.Layer(2, 3, nonlin=False)
        outs = layer([-2, Value(0.5)])
        for out in outs:
            out.backward()
            for p in layer.parameters():
                p.data -= 0.1 * p.grad
        return describe(outs)

    python, c = on_both(program)
    assert python == c


def test_the_operation_of_an_output(twin):
    _, nn = twin
    assert nn.Neuron(2)([1.0, 2.0])._op == "ReLU"
    assert nn.Neuron(2, nonlin=False)([1.0, 2.0])._op == "+"


def test_edges_cannot_be_asked_for_during_backward():
    out = nn.MLP(2, [3, 1])([1.0, 2.0])
    y = out * 2
    for ask in (lambda: out._prev, lambda: out._backward(), lambda: setattr(out, "_prev", ())):
        y._backward = ask
        with pytest.raises(RuntimeError, match="during backward"):
            y.backward()
    y._backward = lambda: setattr(out, "_backward", print)
    with pytest.raises(RuntimeError, match="during backward"):
        y.backward()


@pytest.mark.parametrize("nouts", [[1], [3, 1]])
def test_a_backward_within_backward_through_the_same_output_is_an_error(nouts):
    x = engine.Value(2.0)
    out = nn.MLP(2, nouts)([x, 1.0])
    y = out * 2
    y._backward = (out * 3).backward
    with pytest.raises(RuntimeError):
        (y + out).backward()


def test_a_backward_within_backward_between_the_inputs_is_an_error():
    x = [engine.Value(1.0), engine.Value(2.0), engine.Value(3.0)]
    x[1] = engine.Value(0.5, (x[0],), "own")
    out = nn.MLP(3, [3, 1])(x)
    again = [(out * 3).backward]
    x[1]._backward = lambda: again and again.pop()()
    with pytest.raises(RuntimeError, match="within itself"):
        out.backward()


@pytest.mark.undisturbed
@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="has no timers")
def test_a_signal_ends_backward():
    y = engine.Value(1.0)
    for _ in range(1_000_000):
        y = y + 1

    def handler(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            y.backward()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    y.backward()


@pytest.mark.parametrize(
    "x, error", [([10**400, 1.0], OverflowError), (np.array(1.0), TypeError), (3, TypeError)]
)
def test_inputs_that_are_none(twin, x, error):
    _, nn = twin
    with pytest.raises(error):
        nn.MLP(2, [3, 1])(x)


def demo(Value, nn, steps, points=40):
    """The moons demo in small: max-margin loss, L2, SGD. Losses and weights."""
    random.seed(1337)
    angles = [random.uniform(0, math.pi) for _ in range(points)]
    xs = [
        [math.cos(a), math.sin(a)] if i % 2 else [1 - math.cos(a), 0.5 - math.sin(a)]
        for i, a in enumerate(angles)
    ]
    ys = [1 if i % 2 else -1 for i in range(points)]
    model = nn.MLP(2, [16, 16, 1])
    losses = []
    for step in range(steps):
        inputs = [list(map(Value, x)) for x in xs]
        scores = list(map(model, inputs))
        margins = [(1 + -y * score).relu() for y, score in zip(ys, scores)]
        loss = sum(margins) * (1.0 / len(margins))
        loss = loss + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        rate = 1.0 - 0.9 * step / 100
        for p in model.parameters():
            p.data -= rate * p.grad
        losses.append(loss.data)
    return [bits(x) for x in [*losses, *(p.data for p in model.parameters())]]


def test_the_moons_demo_has_the_same_bits():
    python, c = on_both(lambda V, nn: demo(V, nn, steps=6))
    assert python == c


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.undisturbed
def test_the_moons_demo_is_a_hundred_times_faster():
    def seconds(V, nn, steps):
        start = time.process_time()
        demo(V, nn, steps)
        return (time.process_time() - start) / steps

    seconds(*TWINS["c"], 1)
    assert seconds(*TWINS["python"], 2) > 100 * seconds(*TWINS["c"], 100)


@pytest.mark.once
@pytest.mark.undisturbed
def test_one_point_forward_and_backward_is_thirty_times_faster():
    def seconds(V, nn, times):
        model = nn.MLP(2, [16, 16, 1])
        start = time.process_time()
        for _ in range(times):
            model([V(0.5), V(-1.0)]).backward()
        return (time.process_time() - start) / times

    assert seconds(*TWINS["python"], 20) > 30 * seconds(*TWINS["c"], 2000)


def test_threads_share_a_model():
    model = nn.MLP(2, [4, 1])
    expected = model([1.0, 2.0]).data

    def work():
        for _ in range(300):
            y = model([1.0, 2.0])
            y.backward()
            assert y.data == expected

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_pure_twin_serves_without_the_extension():
    code = (
        "from isograd.micrograd.nn import MLP; from isograd.micrograd.engine import Value\n"
        "import isograd.reference.micrograd as r, random\n"
        "assert Value is r.Value\nrandom.seed(1)\ny = MLP(2, [3, 1])([1.0, Value(2.0)])\n"
        "y.backward(); print(y)"
    )
    environment = {**os.environ, "ISOGRAD_BACKEND": "python"}
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    random.seed(1)
    y = nn.MLP(2, [3, 1])([1.0, engine.Value(2.0)])
    y.backward()
    assert process.stdout == f"{y}\n"
