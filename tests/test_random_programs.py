"""Random programs of operations, run on both twins and compared in everything that can be seen.

A program is a list of instructions over a growing list of Values: arithmetic with shared operands
and constants of every kind, the methods of one operand, vector functions in any wiring, operations
of one's own, repeated backward(), assignments, in-place updates, looks at `_children` in between,
and errors. ISOGRAD_EXAMPLES sets how many programs are tried.
"""

import contextlib
import os
from fractions import Fraction
from operator import methodcaller

import numpy as np
from bits import bits, describe, first_difference, graph, packed
from conftest import TWINS, VECTOR, n_cases
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from isograd._core import unary_methods

EXAMPLES = int(os.environ.get("ISOGRAD_EXAMPLES") or n_cases(1000))
PYTHON_INTS_END = 2**53  # the documented difference: from there on the compiled twin has floats

floats = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e-310, 1e154, -1e308, 745.0, float("inf")]),
    st.floats(-4, 4),
    st.floats(),
)
ints = st.one_of(st.integers(-3, 3), st.integers(-(2**20), 2**20))
python_numbers = st.one_of(floats, ints)  # the reference keeps what is assigned as it is
foreign_numbers = st.one_of(
    st.floats(-4, 4, width=32).map(np.float32),
    st.floats(-4, 4).map(np.float64),
    st.integers(-5, 5).map(np.int16),
    st.fractions(-3, 3, max_denominator=9).map(Fraction),
)
ARITHMETIC = st.sampled_from(["add", "sub", "mul", "div"])
numbers = st.one_of(python_numbers, python_numbers, foreign_numbers, st.booleans())
exponents = st.one_of(
    st.integers(-4, 20), st.sampled_from([0.5, -0.5, 2.0]), floats, foreign_numbers
)
constants = numbers.map(lambda c: ("c", c))
index = st.integers(0, 30)
vectors = st.integers(0, 4).flatmap(lambda n: st.lists(index, min_size=n, max_size=n))
squares = st.lists(index, min_size=4, max_size=4)
# Runs of neighbours, as networks have them: long enough for what is done to whole vectors at once.
runs = st.tuples(st.integers(0, 20), st.integers(8, 11)).map(lambda t: list(range(t[0], sum(t))))
layers = st.integers(8, 11).flatmap(
    lambda n: st.lists(
        st.integers(0, 20).map(lambda i: list(range(i, i + n))), min_size=2, max_size=9
    )
)
plain_floats = st.floats(-4, 4)

instructions = st.one_of(
    st.tuples(st.just("leaf"), numbers),
    st.tuples(ARITHMETIC, index, index),
    st.tuples(ARITHMETIC, index, index),
    st.tuples(st.sampled_from(["add", "sub", "mul", "div"]), index, constants),
    st.tuples(st.sampled_from(["add", "sub", "mul", "div"]), constants, index),
    st.tuples(st.just("pow"), index, exponents),
    st.tuples(st.sampled_from(["neg", *unary_methods]), index),
    st.tuples(st.just("sum"), st.lists(index, max_size=6)),
    st.tuples(
        st.just("own"),
        python_numbers,
        st.lists(index, max_size=4),
        st.lists(python_numbers, max_size=4),
    ),
    st.tuples(st.sampled_from(["softmax", "rmsnorm", "relu of"]), vectors),
    st.tuples(st.just("add entries"), vectors, vectors),
    st.tuples(st.just("cross entropy"), vectors, st.integers(-1, 5)),
    st.tuples(st.just("linear"), vectors, st.lists(vectors, max_size=3)),
    layers.map(lambda rows: ("linear", rows[0], rows[1:])),
    st.tuples(st.sampled_from(["softmax", "rmsnorm", "relu of"]), runs),
    st.tuples(
        st.just("attention"),
        squares,
        st.lists(squares, max_size=3),
        st.lists(squares, max_size=3),
        st.integers(0, 4),
    ),
    st.tuples(st.just("backward"), index),
    st.tuples(st.just("backward"), index),
    st.tuples(st.just("set data"), index, python_numbers),
    st.tuples(st.just("set grad"), index, python_numbers),
    st.tuples(st.just("update"), index, plain_floats),
    st.tuples(st.just("look"), index),
    st.tuples(st.just("child"), index, index),
)

OPERATORS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "neg": lambda a: -a,
    **{name: methodcaller(name) for name in unary_methods},
}


class Run:
    """One twin executing a program: its Values and a trace of what came back."""

    def __init__(self, twin):
        self.Value = Value = TWINS[twin]
        self.fn = VECTOR[twin]
        self.values = [Value(1.5), Value(-2)]
        self.trace = []

    def pick(self, operand):
        if isinstance(operand, tuple):
            return operand[1]
        return self.values[operand % len(self.values)]

    def execute(self, instruction):
        try:
            outcome = self.perform(*instruction)
        except (ArithmeticError, ValueError, TypeError) as error:
            self.trace.append((instruction, type(error).__name__))
            return
        made = [outcome] if isinstance(outcome, self.Value) else outcome
        if isinstance(made, list):
            self.values += made
            outcome = [value.data for value in made]
        self.trace.append((instruction, outcome))

    def perform(self, name, *operands):
        if name == "leaf":
            return self.Value(operands[0])
        if name == "own":
            data, children, local_grads = operands
            return self.Value(data, tuple(map(self.pick, children)), tuple(local_grads))
        if name == "sum":
            return sum(map(self.pick, operands[0]))
        if isinstance(operands[0], list):
            return self.perform_on_vectors(name, *operands)
        value = self.pick(operands[0])
        if name == "pow":
            return value ** operands[1]
        if name == "backward":
            return value.backward()
        if name == "set data":
            value.data = operands[1]
        elif name == "set grad":
            value.grad = operands[1]
        elif name == "update":
            value.data -= operands[1] * value.grad
            value.grad = 0
        elif name == "look":
            return str([bits(child.grad) for child in value._children])
        elif name == "child":
            return value._children[operands[1] % len(value._children)] if value._children else None
        else:
            return OPERATORS[name](*map(self.pick, operands))

    def perform_on_vectors(self, name, x, *operands):
        x = self.vector(x)
        if name == "linear":
            return self.fn.linear(x, list(map(self.vector, operands[0])))
        if name == "add entries":
            return self.fn.add(x, self.vector(operands[0]))
        if name == "cross entropy":
            return self.fn.cross_entropy(x, operands[0])
        if name == "attention":
            keys, values, n_head = operands
            rows = list(map(self.vector, keys)), list(map(self.vector, values))
            return self.fn.attention(x, *rows, n_head)
        fn = {"softmax": self.fn.softmax, "rmsnorm": self.fn.rmsnorm}
        return fn.get(name, self.fn.relu)(x)

    def vector(self, indices):
        return list(map(self.pick, indices))

    def result(self):
        return lines_of(self.trace) + describe(self.values)

    def packed(self):
        """The result as bytes."""
        return packed([[outcome for _, outcome in self.trace], graph(self.values)])


def lines_of(trace):
    return [
        f"{instruction}: {list(map(bits, outcome)) if isinstance(outcome, list) else outcome}"
        for instruction, outcome in trace
    ]


def is_beyond(x):
    """Whether x is an int beyond what both twins keep as an int."""
    return isinstance(x, int) and abs(x) >= PYTHON_INTS_END


@contextlib.contextmanager
def big_ints(reference):
    """A list of the ints beyond that Values of this class are given while it lasts.

    What is left at the end does not tell: a gradient may have been such an int in the middle of a
    sum, and have gone on as a float.
    """
    found = []

    def watched(self, name, x):
        found.extend(filter(is_beyond, x if isinstance(x, (tuple, list)) else [x]))
        object.__setattr__(self, name, x)

    reference.__setattr__ = watched
    try:
        yield found
    finally:
        del reference.__setattr__


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.lists(instructions, min_size=1, max_size=25))
def test_the_twins_run_every_program_alike(program):
    reference, compiled = map(Run, TWINS)
    with big_ints(TWINS["python"]) as beyond:
        for instruction in program:
            reference.execute(instruction)
            assume(not beyond)
            compiled.execute(instruction)
    difference = first_difference(reference.result(), compiled.result())
    assert difference is None, difference
