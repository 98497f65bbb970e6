"""The vector functions on both twins: whole graphs equal, shapes checked, subclasses respected."""

import math
import random

import pytest
from bits import bits, describe, first_difference
from conftest import TWINS, VECTOR


def sub(v):
    """The same number as an instance of a subclass."""
    return type("Sub", (type(v),), {})(v.data)


def pairs(fn, v):
    """Two pairs of sums of products, all of them of the first six."""
    return zip(fn.linear(v[:6], [v[:6], v[5::-1]]), fn.linear(v[:3], [v[1:4], v[2:5]]))


CASES = {
    "linear": lambda fn, v: fn.linear(v[:4], [v[4:8], v[:4], v[2:6]]),
    "linear of one": lambda fn, v: fn.linear(v[:1], [v[1:2]]),
    "linear without rows": lambda fn, v: fn.linear(v[:2], []),
    "linear of a matrix with itself": lambda fn, v: fn.linear(v[:3], [v[:3]] * 3),
    "softmax": lambda fn, v: fn.softmax(v),
    "softmax of one": lambda fn, v: fn.softmax(v[:1]),
    "softmax of equal ones": lambda fn, v: fn.softmax([v[3], v[3], v[0]]),
    "softmax of a softmax": lambda fn, v: fn.softmax(fn.softmax(v)),
    "rmsnorm": lambda fn, v: fn.rmsnorm(v),
    "rmsnorm of a shared one": lambda fn, v: fn.rmsnorm([v[1], v[1], v[2]]),
    "attention": lambda fn, v: fn.attention(v[:4], [v[4:8], v[:4]], [v[1:5], v[3:7]], 2),
    "attention to one position": lambda fn, v: fn.attention(v[:4], [v[:4]], [v[:4]], 4),
    "attention with one head": lambda fn, v: fn.attention(v[:3], [v[:3]] * 3, [v[3:6]] * 3, 1),
    "attention of a subclass": lambda fn, v: fn.attention([sub(v[0]), v[1]], [v[:2]], [v[2:4]], 1),
    "add": lambda fn, v: fn.add(v, v),
    "relu": lambda fn, v: fn.relu(v),
    "cross_entropy": lambda fn, v: [fn.cross_entropy(v, 3)],
    "tuples": lambda fn, v: fn.linear(tuple(v[:2]), (tuple(v[2:4]),)),
    "one after the other": lambda fn, v: fn.relu(fn.add(fn.rmsnorm(v), fn.linear(v, [v] * 8))),
    "products of sums": lambda fn, v: fn.linear(
        [a * b for a, b in pairs(fn, v)], [v[6:], v[7:5:-1]]
    ),
    "sums of sums": lambda fn, v: fn.linear([a + b for a, b in pairs(fn, v)], [v[6:], v[7:5:-1]]),
    "mixed with scalars": lambda fn, v: fn.softmax([x * 2 - v[0] for x in fn.linear(v, [v, v])]),
}
NUMBERS = {
    "floats": [0.5, -1.25, 3.0, 0.1, -0.7, 2.5, -0.0, 1e-3],
    "ints and floats": [1, -2, 0, 0.5, 3, -0.0, 0.0, 2],
    "tiny ones": [1e-310, -5e-324, 0.0, 1e-200, 2e-308, -1e-160, 1e-155, 1e-162],
    "large ones": [1e150, -1e120, 1e100, 3.0, -1e99, 2e80, 1e10, 1e-3],
}


@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("use", ["all", "one", "backwards", "twice"])
def test_the_graphs_are_the_same(case, numbers, use):
    graphs = []
    for twin, Value in TWINS.items():
        inputs = [Value(x) for x in numbers]
        try:
            out = case(VECTOR[twin], inputs)
            if out:
                used = {"one": out[-1:], "backwards": out[::-1]}.get(use, out)
                loss = sum(y * (i + 0.5) for i, y in enumerate(used))
                loss.backward()
                if use == "twice":
                    loss.backward()
            graphs.append(describe([*inputs, *out]))
        except (ArithmeticError, ValueError) as error:
            graphs.append([type(error).__name__])
    assert first_difference(*graphs) is None, first_difference(*graphs)


class RandomNetwork:
    """Layers of one width wired at random: shared rows, tied weights, outputs left unused, elements
    taken out and put in, several losses. A seed makes the same network on either twin."""

    def __init__(self, twin, seed):
        self.rng, self.fn, self.Value = random.Random(seed), VECTOR[twin], TWINS[twin]
        self.width = self.rng.choice([2, 4, 8, 9, 16])
        self.matrices = [self.leaves(self.rng.randint(1, 3) * self.width) for _ in range(3)]
        self.vectors = self.leaves(3)
        self.losses = []

    def leaves(self, n):
        draw = self.rng.gauss
        return [[self.Value(draw(0, 0.7)) for _ in range(self.width)] for _ in range(n)]

    def any_vectors(self, n):
        return [self.rng.choice(self.vectors) for _ in range(n)]

    def layer(self):
        rng, fn = self.rng, self.fn
        kind = rng.choice(
            "linear linear linear rmsnorm relu add attention softmax mixed rows".split()
        )
        x, y = self.any_vectors(2)
        if kind == "linear":
            rows = rng.choice(self.matrices)
            out = fn.linear(x, rows)
            start = rng.randrange(len(out) - self.width + 1)
            return out[start : start + self.width]
        if kind == "rows":
            return (fn.linear(x, self.any_vectors(self.width)) + x)[-self.width :]
        if kind == "attention":
            n = rng.randint(1, 4)
            heads = rng.choice([h for h in range(1, self.width + 1) if self.width % h == 0])
            return fn.attention(x, self.any_vectors(n), self.any_vectors(n), heads)
        if kind == "mixed":
            return [rng.choice([a, b, a * b, a + 0.5, -b, a * a]) for a, b in zip(x, y)]
        if kind == "add":
            return fn.add(x, y)
        return getattr(fn, kind)(x)

    def run(self, n_layers):
        for _ in range(n_layers):
            self.vectors.append(self.layer())
            if self.rng.random() < 0.3:
                x = self.rng.choice(self.vectors)
                self.losses.append(self.fn.cross_entropy(x, self.rng.randrange(self.width)))
            if self.rng.random() < 0.1:
                self.rng.choice(self.rng.choice(self.vectors)).backward()
            if self.rng.random() < 0.1:
                self.rng.choice(self.rng.choice(self.vectors)).data = self.rng.gauss(0, 1)
        loss = sum(self.losses) + self.rng.choice(self.vectors)[0]
        loss.backward()
        leaves = [v for rows in [*self.matrices, self.vectors[:3]] for row in rows for v in row]
        grads = [bits(v.grad) for v in leaves + [v for x in self.vectors for v in x]]
        if self.rng.random() < 0.3:
            loss.backward()
        return grads + describe([loss, *leaves, *(v for x in self.vectors for v in x)])


@pytest.mark.parametrize("seed", range(150))
def test_networks_wired_at_random(seed):
    expected, actual = (RandomNetwork(twin, seed).run(4 + seed % 12) for twin in TWINS)
    assert first_difference(expected, actual) is None, first_difference(expected, actual)


def vector(Value, n):
    return [Value(float(i + 1)) for i in range(n)]


@pytest.mark.parametrize(
    "message, call",
    [
        ("x is empty", lambda fn, v: fn.linear([], [])),
        (
            "a row of w has 2 entries where 3 are expected",
            lambda fn, v: fn.linear(v(3), [v(2)]),
        ),
        ("a row of w is empty", lambda fn, v: fn.linear(v(3), [[]])),
        ("logits is empty", lambda fn, v: fn.softmax([])),
        ("x is empty", lambda fn, v: fn.rmsnorm([])),
        ("x is empty", lambda fn, v: fn.relu([])),
        ("a is empty", lambda fn, v: fn.add([], [])),
        ("b has 3 entries where 2 are expected", lambda fn, v: fn.add(v(2), v(3))),
        (
            "target must be from 0 to 1, not 2",
            lambda fn, v: fn.cross_entropy(v(2), 2),
        ),
        (
            "target must be from 0 to 1, not -1",
            lambda fn, v: fn.cross_entropy(v(2), -1),
        ),
        ("q is empty", lambda fn, v: fn.attention([], [], [], 1)),
        (
            "q has 4 entries, which 3 heads",
            lambda fn, v: fn.attention(v(4), [v(4)], [v(4)], 3),
        ),
        (
            "q has 4 entries, which 0 heads",
            lambda fn, v: fn.attention(v(4), [v(4)], [v(4)], 0),
        ),
        ("keys is empty", lambda fn, v: fn.attention(v(4), [], [], 2)),
        (
            "values has 2 entries where 1",
            lambda fn, v: fn.attention(v(4), [v(4)], [v(4)] * 2, 2),
        ),
        (
            "a key has 3 entries where 4",
            lambda fn, v: fn.attention(v(4), [v(3)], [v(4)], 2),
        ),
        (
            "a value has 5 entries where 4",
            lambda fn, v: fn.attention(v(4), [v(4)], [v(5)], 2),
        ),
    ],
)
def test_shapes_are_checked(twin, message, call):
    Value, fn = twin
    with pytest.raises(ValueError, match=message):
        call(fn, lambda n: vector(Value, n))


@pytest.mark.parametrize(
    "message, call",
    [
        (r"x\[1\] must be a Value, not 'float'", lambda fn, v: fn.rmsnorm([v, 1.0])),
        (r"logits\[0\] must be a Value, not 'str'", lambda fn, v: fn.softmax("ab")),
        (
            r"a row of w\[0\] must be a Value, not 'int'",
            lambda fn, v: fn.linear([v], [[1]]),
        ),
        (
            r"a row of w\[0\] must be a Value, not 'str'",
            lambda fn, v: fn.linear((v,), [[v], "a"]),
        ),
        ("x must be a sequence of Values, not 'int'", lambda fn, v: fn.relu(3)),
        (
            "b must be a sequence of Values, not 'NoneType'",
            lambda fn, v: fn.add([v], None),
        ),
        ("'int' object is not iterable", lambda fn, v: fn.linear([v], 5)),
        ("object of type 'int' has no len()", lambda fn, v: fn.attention([v], 5, [[v]], 1)),
    ],
)
def test_only_values_are_accepted(message, call):
    with pytest.raises(TypeError, match=message):
        call(VECTOR["c"], TWINS["c"](1.0))


def test_operators_of_a_subclass_are_asked(twin):
    Value, fn = twin
    calls = []

    class Loud(Value):
        def __mul__(self, other):
            calls.append(self.data)
            return super().__mul__(other)

    fn.linear(vector(Value, 2), [[Loud(5.0), Value(6.0)]])
    fn.rmsnorm([Loud(7.0)])
    assert calls == [5.0, 7.0, 7.0]


def test_a_failure_leaks_nothing():
    live_values = VECTOR["c"].live_values
    values = [TWINS["c"](x) for x in (800.0, 1e200, -1e200, 0.0)]
    before = live_values()
    for _ in range(1000):
        for call in (
            lambda: VECTOR["c"].rmsnorm([values[1], values[2], values[1]]),
            lambda: VECTOR["c"].cross_entropy([values[0], values[3]], 1),
            lambda: VECTOR["c"].linear(values, [values, values[:2]]),
            lambda: VECTOR["c"].attention(values, [values], [values[:3]], 2),
        ):
            try:
                call()
            except (ArithmeticError, ValueError):
                pass
    assert live_values() == before


def test_new_edges_of_a_leaf_that_a_matrix_holds(twin):
    Value, fn = twin
    x, w = vector(Value, 2), vector(Value, 2)
    total = sum(fn.linear(x, [w, w]))
    w[0].__init__(5.0, (x[1],), (3.0,))
    total.backward()
    assert [v.grad for v in x + w] == [2.0, 10.0, 2.0, 4.0]


def test_a_long_vector():
    rng = random.Random(5)
    numbers = [rng.gauss(0, 1) for _ in range(2000)]
    results = []
    for twin, Value in TWINS.items():
        x = [Value(n) for n in numbers]
        y = VECTOR[twin].softmax(x)
        sum(a * b for a, b in zip(VECTOR[twin].rmsnorm(x), y)).backward()
        results.append([v.grad.hex() for v in x])
    assert results[0] == results[1]


@pytest.mark.parametrize("total", [5.0, 0.0, 3, 1e308, math.nan])
@pytest.mark.parametrize("seen", [False, True])
def test_a_total_assigned_to_between_two_looks_at_probabilities(total, seen):
    """A node keeps the numbers of the time when it was made, whenever it is looked at."""
    graphs = []
    for twin in TWINS:
        x = [TWINS[twin](number) for number in (0.5, -1.0, 2)]
        y = VECTOR[twin].softmax(x)
        if seen:
            y[0].backward()
        y[0]._children[1]._children[0].data = total
        probabilities = y[1]._children
        y[2].backward()
        graphs.append(describe([*x, *y, *probabilities]))
    assert first_difference(*graphs) is None, first_difference(*graphs)
