"""Random programs of micrograd's operations, run on both twins and compared in all that shows.

As in test_random_programs.py, with what this class has besides: `_backward` of one's own, assigned
children, labels, and networks whose inputs, weights and outputs are used in any way.
"""

import random

from bits import bits, first_difference, packed, walk
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_micrograd import TWINS, describe, graph
from test_random_programs import (
    ARITHMETIC,
    EXAMPLES,
    OPERATORS,
    big_ints,
    constants,
    exponents,
    index,
    is_beyond,
    numbers,
    plain_floats,
    python_numbers,
)

METHODS = ["relu", "tanh", "exp", "log", "sigmoid", "neg"]
sizes = st.lists(st.integers(1, 3), min_size=1, max_size=3)

instructions = st.one_of(
    st.tuples(st.just("leaf"), numbers),
    st.tuples(ARITHMETIC, index, index),
    st.tuples(ARITHMETIC, index, index),
    st.tuples(ARITHMETIC, index, constants),
    st.tuples(ARITHMETIC, constants, index),
    st.tuples(st.just("pow"), index, exponents),
    st.tuples(st.sampled_from(METHODS), index),
    st.tuples(st.just("sum"), st.lists(index, max_size=6)),
    st.tuples(st.just("own"), python_numbers, st.lists(index, max_size=4)),
    st.tuples(st.just("network"), sizes, st.integers(1, 3), st.booleans()),
    *[st.tuples(st.just("call"), index, st.lists(st.one_of(index, constants), min_size=3))] * 3,
    *[st.tuples(st.just("backward"), index)] * 3,
    st.tuples(st.just("set data"), index, python_numbers),
    st.tuples(st.just("set grad"), index, python_numbers),
    st.tuples(st.just("update"), plain_floats),
    st.tuples(st.just("look"), index),
    st.tuples(st.just("child"), index, index),
    st.tuples(st.just("step"), index),
    st.tuples(st.just("tie"), index, index),
    st.tuples(st.just("label"), index),
)


class Run:
    """One twin executing a program: its Values, its networks, and what came back."""

    def __init__(self, twin):
        self.Value, self.nn = TWINS[twin]
        self.values = [self.Value(1.5), self.Value(-2)]
        random.seed(3)
        self.networks = [self.nn.MLP(2, [2, 1])]
        self.trace = []

    def pick(self, operand):
        return operand[1] if isinstance(operand, tuple) else self.values[operand % len(self.values)]

    def execute(self, instruction):
        try:
            outcome = self.perform(*instruction)
        except (ArithmeticError, ValueError, TypeError, AssertionError) as error:
            self.trace.append((instruction, type(error).__name__))
            return
        made = outcome if isinstance(outcome, list) else [outcome]
        self.values += [v for v in made if isinstance(v, self.Value)]
        self.trace.append((instruction, str(made)))

    def perform(self, name, *operands):
        if name == "leaf":
            return self.Value(operands[0])
        if name == "own":
            return self.own(operands[0], [self.pick(i) for i in operands[1]])
        if name == "sum":
            return sum(map(self.pick, operands[0]))
        if name in ("network", "call", "update", "tie"):
            return getattr(self, name)(*operands)
        value = self.pick(operands[0])
        if name == "pow":
            return value ** operands[1]
        if name == "backward":
            return value.backward()
        if name == "set data":
            value.data = operands[1]
        elif name == "set grad":
            value.grad = operands[1]
        elif name == "look":
            return str([bits(child.grad) for child in value._prev])
        elif name == "child":
            return value._prev[operands[1] % len(value._prev)] if value._prev else None
        elif name == "step":
            return value._backward()
        elif name == "label":
            value.label = "named"
        elif name in OPERATORS:
            return OPERATORS[name](*map(self.pick, operands))
        else:
            return getattr(value, name)()

    def own(self, data, children):
        y = self.Value(data, children, "own")

        def backward():
            for child in children:
                child.grad += child.data * y.grad

        y._backward = backward
        return y

    def network(self, nouts, nin, single):
        self.networks.append(
            self.nn.Layer(nin, nouts[0]) if single else self.nn.MLP(nin, list(nouts))
        )

    def call(self, i, inputs):
        network = self.networks[i % len(self.networks)]
        layer = network.layers[0] if hasattr(network, "layers") else network
        return network(list(map(self.pick, inputs))[: len(layer.neurons[0].w)])

    def tie(self, i, j):
        """Makes a Value of the program a weight, or a weight a Value of the program."""
        network = self.networks[i % len(self.networks)]
        layer = network.layers[-1] if hasattr(network, "layers") else network
        w = layer.neurons[0].w
        if j % 2:
            w[j % len(w)] = self.pick(j)
        return w[i % len(w)]

    def update(self, rate):
        for network in self.networks:
            for p in network.parameters():
                p.data -= rate * p.grad
            network.zero_grad()

    def roots(self):
        return [*self.values, *(p for network in self.networks for p in network.parameters())]

    def result(self):
        return [f"{i}: {outcome}" for i, outcome in self.trace] + describe(self.roots())

    def packed(self):
        """The result as bytes."""
        return packed([[outcome for _, outcome in self.trace], graph(self.roots())])


def has_large_slopes(run):
    """Whether a power's derivative is an int beyond: its `_backward` multiplies a gradient by it,
    and it shows nowhere."""
    nodes, _ = walk(run.roots(), lambda v: v._prev)
    powers = [(int(v._op[2:]), v._prev[0].data) for v in nodes if v._op[2:].isdigit()]
    return any(n and isinstance(x, int) and is_beyond(n * x ** (n - 1)) for n, x in powers)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.lists(instructions, min_size=1, max_size=25))
def test_the_twins_of_micrograd_run_every_program_alike(program):
    python = Run("python")
    with big_ints(TWINS["python"][0]) as beyond:
        for instruction in program:
            python.execute(instruction)
            assume(not beyond and not has_large_slopes(python))
    c = Run("c")
    for instruction in program:
        c.execute(instruction)
    difference = first_difference(python.result(), c.result())
    assert difference is None, difference
