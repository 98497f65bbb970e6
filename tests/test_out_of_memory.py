"""Each allocation of each operation fails once. Then the operation raises MemoryError, changes
nothing and leaks nothing, and the next attempt gives what the reference gives."""

import pickle
import sys
from contextlib import contextmanager, suppress

import pytest
from bits import describe, first_difference
from conftest import TWINS, VECTOR

from isograd._core import live_values, no_grad, unary_methods
from isograd.reference.value import unrecorded

testcapi = pytest.importorskip("_testcapi")

ENOUGH = 12  # attempts in a row that nothing ends: the operation asks for less memory
FLOATS = [0.5, -1.25, 3.0, 0.1, -0.7, 2.5, 4.0, 1e-3]
INTS_TOO = [0.5, -1.25, 3, 0.1, -0.7, 2, 4, 1e-3]
INTS = [3, -1, 4, 1, -5, 9, 2, -6]
NUMBERS = {"floats": FLOATS, "ints, too": INTS_TOO, "ints": INTS}


def nothing(fn, v):
    return []


def vectors(fn, v):
    """One vector of each kind, fused where the compiled functions are."""
    return [
        *fn.linear(v[:4], [v[4:], v[:4]]),
        *fn.softmax(v[:3]),
        *fn.rmsnorm(v[3:6]),
        *fn.attention(v[:4], [v[4:], v[:4]], [v[1:5], v[3:7]], 2),
        fn.cross_entropy(v[2:7], 1),
    ]


def loss(fn, v):
    return [sum(vectors(fn, v))]


def swept_loss(fn, v):
    (total,) = loss(fn, v)
    total.backward()
    return [total]


def own_operation(fn, v):
    return [type(v[0])(1.5, v, [0.5] * len(v))]


def slotted(fn, v):
    """A subclass with slots, one of them empty."""
    slots = {"__slots__": ("note", "empty", "__dict__")}
    made = type("Sub", (type(v[0]),), slots)(2.0, v[:2], (1.0, 2.0))
    made.note = 5
    return [made]


def many_edges(fn, v):
    """More than the interpreter keeps floats in reserve for."""
    return [type(v[0])(1.5, v * 40, [0.5] * 320)]


def many_vectors(fn, v):
    """More than the compiled backward() has seen."""
    return [sum(y for _ in range(1200) for y in fn.linear([v[0] * 2, v[1] * 3], [v[2:4]]))]


def use(function):
    """An operation that has no result of its own."""

    def operate(fn, v, made):
        function(made[0])
        return []

    return operate


def on_leaves(function):
    return lambda fn, v, made: function(v)


def on_vectors(function):
    return lambda fn, v, made: function(fn, v)


def reduced(value):
    return value.__reduce_ex__(2)


def restore_subclass(fn, v, made):
    """Whatever of the attributes was set stays set, as if it were Python's own."""
    state = {"data": 2.0, "grad": 0, "_children": tuple(v[:2]), "_local_grads": (1.0, 2.0)}
    if fn is VECTOR["c"]:
        made[0].__setstate__(({"more": 6}, {**state, "note": 7}))
    made[0].note, made[0].more = 7, 6
    return []


def restored(fn, v):
    """The state alone: Python's own copy() leaks its arguments where memory ends."""
    slots = {"data": 5, "grad": 2.0, "_children": tuple(v[1:]), "_local_grads": (3,) * 7}
    if fn is VECTOR["c"]:
        v[0].__setstate__((None, slots))
        return []
    for name, content in slots.items():
        setattr(v[0], name, content)
    return []


# What is made beforehand, and the operation.
OPERATIONS = {
    "a + b": (nothing, on_leaves(lambda v: [v[0] + v[1]])),
    "2 + a": (nothing, on_leaves(lambda v: [2 + v[0]])),
    "a - b": (nothing, on_leaves(lambda v: [v[0] - v[1]])),
    "2 - a": (nothing, on_leaves(lambda v: [2 - v[0]])),
    "a * b": (nothing, on_leaves(lambda v: [v[2] * v[6]])),
    "a / b": (nothing, on_leaves(lambda v: [v[0] / v[1]])),
    "2 / a": (nothing, on_leaves(lambda v: [2 / v[0]])),
    "a ** -1.5": (nothing, on_leaves(lambda v: [v[0] ** -1.5])),
    "a ** 3": (nothing, on_leaves(lambda v: [v[2] ** 3])),
    "-a": (nothing, on_leaves(lambda v: [-v[0]])),
    "sum": (nothing, on_leaves(lambda v: [sum(v)])),
    **{
        name: (nothing, on_leaves(lambda v, name=name: [getattr(v[0], name)()]))
        for name in unary_methods
    },
    "one's own operation": (nothing, lambda fn, v, made: own_operation(fn, v)),
    "by keywords": (nothing, on_leaves(lambda v: [type(v[0])(data=2.0, children=v)])),
    "new edges": (own_operation, use(lambda a: a.__init__(1.0, a._children[:2], (2.0, 3)))),
    "repr": (own_operation, use(repr)),
    "local gradients": (many_edges, use(lambda a: a._local_grads)),
    "local gradients of what is fused": (
        vectors,
        lambda fn, v, made: made[:1] * bool(made[0]._local_grads),
    ),
    "children": (own_operation, use(lambda a: a._children)),
    "state of a subclass": (slotted, use(reduced)),
    "new state of a subclass": (slotted, restore_subclass),
    "new state": (nothing, on_vectors(restored)),
    "pickle": (own_operation, use(lambda a: pickle.loads(pickle.dumps(a)))),
    "linear": (nothing, on_vectors(lambda fn, v: fn.linear(v[:4], [v[4:], v[:4]]))),
    "softmax": (nothing, on_vectors(lambda fn, v: fn.softmax(v))),
    "rmsnorm": (nothing, on_vectors(lambda fn, v: fn.rmsnorm(v))),
    "attention": (
        nothing,
        on_vectors(lambda fn, v: fn.attention(v[:4], [v[4:], v[:4]], [v[1:5], v[3:7]], 2)),
    ),
    "cross_entropy": (nothing, on_vectors(lambda fn, v: [fn.cross_entropy(v, 3)])),
    "add": (nothing, on_vectors(lambda fn, v: fn.add(v, v[::-1]))),
    "relu": (nothing, on_vectors(lambda fn, v: fn.relu(v))),
    "children of a constant": (lambda fn, v: [v[0] * 2.5], use(lambda a: a._children)),
    "backward": (loss, use(lambda a: a.backward())),
    "backward again": (swept_loss, use(lambda a: a.backward())),
    "backward of many vectors": (many_vectors, use(lambda a: a.backward())),
    "edges of what is fused": (vectors, lambda fn, v, made: [b for a in made for b in a._children]),
    "grad of what is fused": (vectors, use(lambda a: setattr(a, "grad", 2.0))),
}


@contextmanager
def allocation_fails(number):
    """Allocation `number` of the interpreter's, from 0 on, fails."""
    try:
        testcapi.set_nomemory(number, number + 1)
        yield
    finally:
        testcapi.remove_mem_hooks()


@contextmanager
def no_more_pages():
    """The system gives this process none."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (0, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Crowd:
    """Values that take the slots of all nodes there are, some by thousands, the last one by one."""

    def __init__(self):
        self.row = [TWINS["c"](1.0) for _ in range(1000)]
        self.rows, self.n_rows = [None] * 4000, 0  # growing a list would need memory
        self.values, self.n_values = [None] * 3000, 0

    @property
    def n(self):
        return 1000 * self.n_rows + self.n_values

    def fill(self):
        with suppress(MemoryError):
            while True:
                self.rows[self.n_rows] = VECTOR["c"].relu(self.row)
                self.n_rows += 1
        self.drop_rows(1)
        with suppress(MemoryError):
            while True:
                self.values[self.n_values] = TWINS["c"](1.0)
                self.n_values += 1

    def drop_rows(self, n):
        for _ in range(min(n, self.n_rows)):
            self.n_rows -= 1
            self.rows[self.n_rows] = None

    def drop_values(self, n):
        for _ in range(n):
            self.n_values -= 1
            self.values[self.n_values] = None

    @contextmanager
    def leaves_room_for(self, n_nodes):
        try:
            with no_more_pages():
                self.fill()
                self.drop_values(n_nodes)
                yield
        finally:
            self.drop_values(self.n_values)
            self.drop_rows(50)  # for whatever follows, which would add blocks otherwise


def outcome(twin, prepare, operate, numbers, failure=None):
    """The graph before and after `operate`; the former only if `failure` ended it once."""
    v = [TWINS[twin](x) for x in numbers]
    made = prepare(VECTOR[twin], v)
    before = result = None
    if failure:
        try:
            with failure:
                result = operate(VECTOR[twin], v, made)
        except MemoryError:
            before = describe([*v, *made])
    if result is None:
        result = operate(VECTOR[twin], v, made)
    return before, describe([*v, *made, *result])


def check(prepare, operate, numbers, failure_of):
    """Lets one attempt after the other fail, each by `failure_of` its number."""
    _, unchanged = outcome("python", prepare, lambda *_: [], numbers)
    _, expected = outcome("python", prepare, operate, numbers)
    attempt = successes = 0
    while successes < ENOUGH:
        before, after = outcome("c", prepare, operate, numbers, failure_of(attempt))
        if before is not None:
            assert first_difference(unchanged, before) is None, first_difference(unchanged, before)
        assert first_difference(expected, after) is None, first_difference(expected, after)
        successes = 0 if before else successes + 1
        attempt += 1
        assert attempt < 1000, "it fails whatever memory there is"


@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("prepare, operate", OPERATIONS.values(), ids=OPERATIONS)
def test_when_the_interpreter_has_no_memory(prepare, operate, numbers):
    start = live_values()
    check(prepare, operate, numbers, allocation_fails)
    assert live_values() == start


# backward() makes no node, but a buffer as large as all of them.
MAKING = {name: case for name, case in OPERATIONS.items() if not name.startswith("backward")}


@pytest.fixture(scope="module")
def crowd():
    return Crowd()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space")
@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("prepare, operate", MAKING.values(), ids=MAKING)
def test_when_there_is_no_room_for_a_node(prepare, operate, numbers, crowd):
    start = live_values() - crowd.n
    check(prepare, operate, numbers, crowd.leaves_room_for)
    assert live_values() - crowd.n == start


def test_no_grad_is_left_or_never_entered():
    """It once stayed in force, for good, where its beginning or its end found no memory."""
    for number in range(2 * ENOUGH):
        with suppress(MemoryError), allocation_fails(number), no_grad():
            pass
        unrecorded.clear()  # pure Python cannot promise as much for its own
        assert (TWINS["c"](1.0) + 1)._children, number
