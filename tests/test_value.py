"""What a Value is and does, one behaviour a test, on both twins."""

import copy
import math
import operator
import pickle
from fractions import Fraction

import numpy as np
import pytest
from bits import bits, describe, first_difference
from conftest import TWINS

from isograd._core import unary_methods

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv]

INTS = [0, 1, -1, 2, -3, 710, -(2**20), 2**53 - 1, -(2**53 - 1), True]
FLOATS = [0.0, 0.1, 0.5, 1.0, 1.5, math.pi, 709.78, 710.0, 745.2, 1e16, 1e155, 1e308, math.inf]
SUBNORMAL = [5e-324, 1e-310, 2.2250738585072014e-308]
NUMBERS = [*INTS, *(sign * x for x in FLOATS + SUBNORMAL for sign in (1, -1)), math.nan]


def shape(value):
    """Data, the children's data and the local gradients, exactly."""
    children = [bits(child.data) for child in value._children]
    return bits(value.data), children, [bits(x) for x in value._local_grads]


def test_a_leaf(Value):
    leaf = Value(3.5)
    assert shape(leaf) == (bits(3.5), [], [])
    assert bits(leaf.grad) == bits(0)
    assert leaf._children == leaf._local_grads == ()


def test_addition(Value):
    assert shape(Value(2.0) + Value(3.0)) == (bits(5.0), [bits(2.0), bits(3.0)], [bits(1)] * 2)


def test_multiplication(Value):
    assert shape(Value(2.0) * Value(3.0)) == (
        bits(6.0),
        [bits(2.0), bits(3.0)],
        [bits(3.0), bits(2.0)],
    )


def test_power(Value):
    assert shape(Value(3.0) ** 2) == (bits(9.0), [bits(3.0)], [bits(6.0)])
    assert shape(Value(4.0) ** -0.5) == (bits(0.5), [bits(4.0)], [bits(-0.0625)])
    assert shape(Value(-2.0) ** 3) == (bits(-8.0), [bits(-2.0)], [bits(12.0)])


def test_subtraction_is_addition_of_a_product_with_minus_one(Value):
    a, b = Value(2.0), Value(3.0)
    difference = a - b
    assert shape(difference) == (bits(-1.0), [bits(2.0), bits(-3.0)], [bits(1)] * 2)
    assert difference._children[0] is a
    assert difference._children[1]._children[0] is b
    assert shape(difference._children[1]) == (
        bits(-3.0),
        [bits(3.0), bits(-1)],
        [bits(-1), bits(3.0)],
    )


def test_division_is_multiplication_with_a_power(Value):
    quotient = Value(2.0) / Value(3.0)
    assert shape(quotient) == (
        bits(2.0 * 3.0**-1),
        [bits(2.0), bits(3.0**-1)],
        [bits(3.0**-1), bits(2.0)],
    )
    assert shape(quotient._children[1]) == (bits(3.0**-1), [bits(3.0)], [bits(-1 * 3.0**-2)])


@pytest.mark.parametrize("function", ["exp", "log", "relu"])
@pytest.mark.parametrize("x", [0.5, 2.0, 3, 1e-300])
def test_functions(Value, function, x):
    data, local = {
        "exp": (math.exp(x), math.exp(x)),
        "log": (math.log(x), 1 / x),
        "relu": (x, 1.0),
    }[function]
    assert shape(getattr(Value(x), function)()) == (bits(data), [bits(x)], [bits(local)])


@pytest.mark.parametrize("x", [-1.0, -0.0, 0.0, 0, -3, math.nan, -math.inf])
def test_relu_of_what_is_not_positive_is_the_int_zero(Value, x):
    assert shape(Value(x).relu()) == (bits(0), [bits(x)], [bits(0.0)])
    assert bits((-Value(x).relu()).data) == bits(0)


@pytest.mark.parametrize("x", NUMBERS)
@pytest.mark.parametrize("method", unary_methods)
def test_methods_of_one_operand_on_all_kinds_of_numbers(method, x):
    """Whatever is in the one list of such methods, on both twins: numbers, gradients, errors."""
    outcomes = []
    for Value in TWINS.values():
        operand = Value(x)
        call = getattr(operand, method)
        try:
            result = call()
        except Exception as error:
            outcomes.append([type(error).__name__, str(error), *describe([operand])])
            continue
        seen = describe([result])
        result.backward()
        seen += describe([result])
        (result * 2.5).backward()
        outcomes.append(seen + describe([result]))
    assert first_difference(*outcomes) is None, first_difference(*outcomes)


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize(
    "constant",
    [
        2,
        2.5,
        True,
        -0.0,
        10**15,
        np.float32(0.1),
        np.int64(3),
        np.float64(0.1),
        np.bool_(True),
        Fraction(1, 3),
    ],
)
def test_constants_of_every_kind(op, constant):
    results = []
    for Value in TWINS.values():
        for make in (lambda v: op(v, constant), lambda v: op(constant, v)):
            try:
                results.append(shape(make(Value(1.5))))
            except ZeroDivisionError:
                results.append("ZeroDivisionError")
    assert results[:2] == results[2:]


def test_the_order_of_children_when_the_constant_comes_first(Value):
    for made in (2.0 + Value(3.0), 2.0 * Value(3.0)):
        assert [child.data for child in made._children] == [3.0, 2.0]
    reversed_difference = 2.0 - Value(3.0)
    assert [child.data for child in reversed_difference._children] == [-3.0, 2.0]
    assert [child.data for child in (2.0 / Value(4.0))._children] == [0.25, 2.0]


def test_a_constant_is_the_same_leaf_every_time(Value):
    for made in (Value(3.0) + 2, Value(3.0) * 2, 2 - Value(3.0), Value(3.0) / 2):
        assert made._children[1] is made._children[1]


def test_a_constant_has_the_gradient_of_a_leaf(Value):
    x = Value(3.0)
    y = x * 5
    z = y + 2
    z.backward()
    assert bits(z._children[1].grad) == bits(1)
    assert bits(y._children[1].grad) == bits(3.0)
    z.backward()
    assert [child.grad for child in y._children] == [15, 9.0]
    assert z._children[1].grad == 2


def test_a_constant_keeps_its_gradient_when_its_result_is_reset(Value):
    y = Value(3.0) * 5
    y.backward()
    y.grad = 0
    assert y._children[1].grad == 3.0
    y.backward()
    assert y._children[1].grad == 6.0


def test_sum_starts_from_the_int_zero(Value):
    x = Value(-0.0)
    total = sum([x])
    assert shape(total) == (bits(0.0), [bits(-0.0), bits(0)], [bits(1)] * 2)
    assert total._children[0] is x


def test_ints_stay_ints(Value):
    product = Value(2) * Value(3) + 1
    assert bits(product.data) == bits(7)
    assert bits((Value(2) ** 3).data) == bits(8)
    assert bits((Value(2) ** -1).data) == "float 0x1.0000000000000p-1"
    assert bits((Value(6) / 3).data) == bits(2.0000000000000000)
    assert bits((-Value(0)).data) == bits(0)
    assert bits((-Value(0.0)).data) == bits(-0.0)
    assert bits((Value(2) + 0.5).data) == bits(2.5)


def test_int_gradients_stay_ints(Value):
    a, b = Value(2), Value(3)
    (a * b + a).backward()
    assert (bits(a.grad), bits(b.grad)) == (bits(4), bits(2))


def test_bools_are_ints(Value):
    assert bits(Value(True).data) == bits(1)
    assert bits((Value(1.5) * False).data) == bits(0.0)


@pytest.mark.parametrize("other", ["1", None, [1], 1j, object(), b"1"])
@pytest.mark.parametrize("op", [*BINARY, operator.pow])
def test_other_operands_raise_type_error(Value, op, other):
    for arguments in ((Value(1.0), other), (other, Value(1.0))):
        with pytest.raises(TypeError):
            op(*arguments)


@pytest.mark.parametrize("op", BINARY)
def test_other_operands_get_their_turn(Value, op):
    class Other:
        def answer(self, other):
            return "mine"

        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = answer

    assert op(Value(1.0), Other()) == "mine"


def test_a_value_is_no_exponent(Value):
    for base in (Value(2.0), 2.0):
        with pytest.raises(TypeError):
            base ** Value(2.0)
    with pytest.raises(TypeError):
        pow(Value(2.0), 2, 3)


@pytest.mark.parametrize("data", ["1", None, [1], 1j, object()])
def test_only_real_numbers_are_held(Value, data):
    with pytest.raises(TypeError, match="a Value holds a real number, not '"):
        Value(data)


def test_an_error_while_a_number_is_read_is_the_operations(Value):
    class Broken:
        def __index__(self):
            raise LookupError("broken")

    class NoIndex:
        def __index__(self):
            raise TypeError

    for operation in (Value, lambda x: Value(1.0) + x):
        with pytest.raises(LookupError, match="broken"):
            operation(Broken())
        with pytest.raises(TypeError):
            operation(NoIndex())


@pytest.mark.parametrize(
    "error, broken",
    [
        (ZeroDivisionError, lambda v: v(1.0) / 0),
        (ZeroDivisionError, lambda v: v(1.0) / v(0.0)),
        (ZeroDivisionError, lambda v: 1 / v(-0.0)),
        (ZeroDivisionError, lambda v: v(0.0) ** -1),
        (ZeroDivisionError, lambda v: v(0.0) ** 0),
        (ZeroDivisionError, lambda v: v(0) ** 0),
        (ZeroDivisionError, lambda v: v(0.0) ** 0.5),
        (OverflowError, lambda v: v(1e200) ** 2),
        (OverflowError, lambda v: v(-1e200) ** 3),
        (OverflowError, lambda v: v(5e-324) ** -1),
        (OverflowError, lambda v: v(1e-200) ** -1.0),
        (OverflowError, lambda v: v(710.0).exp()),
        (OverflowError, lambda v: v(1.0) + 10**400),
        (ValueError, lambda v: v(0.0).log()),
        (ValueError, lambda v: v(-1.0).log()),
        (ValueError, lambda v: v(0).log()),
        (ValueError, lambda v: v(-math.inf).log()),
        (ValueError, lambda v: v(-8.0) ** (1 / 3)),
        (ValueError, lambda v: v(-8) ** 0.5),
    ],
)
def test_arithmetic_errors(Value, error, broken):
    with pytest.raises(error):
        broken(Value)


@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan, 1.0, 1e308, 5e-324, -1.0, -0.0])
@pytest.mark.parametrize(
    "exponent", [2, 3, -1, 1, 0.5, -0.5, 2.0, 3.0, math.inf, -math.inf, math.nan, 1e300, 0.0]
)
def test_powers_at_the_edges(x, exponent):
    results = []
    for Value in TWINS.values():
        try:
            results.append(shape(Value(x) ** exponent))
        except (ArithmeticError, ValueError) as error:
            results.append(type(error))
    assert results[0] == results[1]


def test_an_error_changes_no_operand(Value):
    a, b = Value(1.5), Value(0.0)
    a.grad = 2.5
    with pytest.raises(ZeroDivisionError):
        a / b
    assert shape(a) == (bits(1.5), [], []) and bits(a.grad) == bits(2.5)
    assert shape(b) == (bits(0.0), [], []) and bits(b.grad) == bits(0)


def test_backward_through_shared_subexpressions():
    graphs = []
    for Value in TWINS.values():
        a, b = Value(-4.0), Value(2.0)
        c = a + b
        d = a * b + b**3
        c = c + c + 1 + (-a)
        d = d + d * 2 + (b + a).relu() + 3 * d + (b - a).relu()
        e = c - d
        f = e**2
        g = f / 2.0 + 10.0 / f
        g.backward()
        graphs.append(describe([g, a, b]))
    assert first_difference(*graphs) is None


def test_backward_accumulates(Value):
    a = Value(3.0)
    y = a * a
    y.backward()
    assert a.grad == 6.0
    y.backward()
    assert a.grad == 12.0
    z = y * 2
    z.backward()
    assert (y.grad, a.grad) == (3, 30.0)


def test_local_gradients_are_those_of_the_forward_pass(Value):
    w, x = Value(2.0), Value(5.0)
    y = w * x
    w.data = x.data = 100.0
    y.backward()
    assert (w.grad, x.grad) == (5.0, 2.0)


def test_backward_of_a_leaf(Value):
    leaf = Value(2.0)
    leaf.grad = 7.0
    assert leaf.backward() is None
    assert bits(leaf.grad) == bits(1)


def test_assignment(Value):
    v = Value(1.0)
    v.data -= 0.25
    v.grad += 3
    assert (bits(v.data), bits(v.grad)) == (bits(0.75), bits(3))
    v.data = 2
    assert bits(v.data) == bits(2)


@pytest.mark.parametrize(
    "n_children, n_local_grads",
    [(0, 0), (1, 1), (2, 2), (3, 3), (1, 0), (2, 1), (1, 2), (0, 1), (5, 3)],
)
def test_operations_of_ones_own(Value, n_children, n_local_grads):
    children = tuple(Value(float(i)) for i in range(n_children))
    local_grads = (2.5, 3, -0.5)[:n_local_grads]
    made = Value(7.0, children, local_grads)
    assert shape(made) == (
        bits(7.0),
        [bits(c.data) for c in children],
        [bits(x) for x in local_grads],
    )
    (made * 2.0).backward()
    expected = [bits(0 + x * 2.0) for x in local_grads] + [bits(0)] * n_children
    assert [bits(c.grad) for c in children] == expected[:n_children]


def test_operations_of_ones_own_by_keyword(Value):
    a = Value(data=2.0)
    assert shape(Value(data=4.0, children=[a, a], local_grads=[2.0, 2.0])) == (
        bits(4.0),
        [bits(2.0)] * 2,
        [bits(2.0)] * 2,
    )


@pytest.mark.parametrize("arguments", [(), (1.0, (), (), ())])
def test_wrong_arguments(Value, arguments):
    with pytest.raises(TypeError):
        Value(*arguments)
    with pytest.raises(TypeError):
        Value(1.0, label="x")


def test_results_of_a_subclass_are_plain(Value):
    class Named(Value):
        pass

    v = Named(0.5)
    v.name = "x"
    unary = [getattr(v, method)() for method in unary_methods]
    for made in (v + 1, 1 + v, v * v, v - Value(1.0), -v, v / 2, v**2, *unary, 1 - v):
        assert type(made) is Value
    assert (v + 1)._children[0] is v and v.name == "x"


def test_operators_go_through_what_a_subclass_overrides(Value):
    calls = []

    class Loud(Value):
        def __mul__(self, other):
            calls.append("mul")
            return super().__mul__(other)

        def __add__(self, other):
            calls.append("add")
            return super().__add__(other)

        def __neg__(self):
            calls.append("neg")
            return super().__neg__()

    v = Loud(2.0)
    for expression, expected in [
        (lambda: -v, ["neg", "mul"]),
        (lambda: 3.0 * v, ["mul"]),
        (lambda: 3.0 + v, ["add"]),
        (lambda: v - 1.0, ["add"]),
        (lambda: v - Value(1.0), ["add"]),
        (lambda: 1.0 - v, ["neg", "mul"]),
        (lambda: Value(1.0) - v, ["neg", "mul"]),
        (lambda: v / 2.0, ["mul"]),
        (lambda: v / Value(2.0), ["mul"]),
        (lambda: 1.0 / v, []),
    ]:
        calls.clear()
        expression()
        assert calls == expected


def test_a_subclass_may_have_a_constructor_of_its_own(Value):
    class Scaled(Value):
        def __init__(self, data, scale):
            super().__init__(data * scale)
            self.scale = scale

    v = Scaled(2.0, scale=3.0)
    (v * v).backward()
    assert (v.data, v.grad, v.scale) == (6.0, 12.0, 3.0)


ROUNDTRIPS = {"copy": copy.copy, "deepcopy": copy.deepcopy}
for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
    ROUNDTRIPS[f"pickle {protocol}"] = lambda v, p=protocol: pickle.loads(pickle.dumps(v, p))


@pytest.mark.parametrize("roundtrip", ROUNDTRIPS.values(), ids=ROUNDTRIPS)
def test_copies(Value, roundtrip):
    a = Value(2.0)
    v = a * 3 + a
    v.backward()
    twin = roundtrip(v)
    assert twin is not v
    assert shape(twin) == shape(v) and bits(twin.grad) == bits(v.grad)
    product, leaf = twin._children
    assert product._children[0] is leaf and bits(leaf.grad) == bits(a.grad)


class Tagged(TWINS["c"]):
    __slots__ = ("tag",)


class Noted(TWINS["c"]):
    def __init__(self, data, note):
        super().__init__(data)
        self.note = note


@pytest.mark.parametrize("roundtrip", ROUNDTRIPS.values(), ids=ROUNDTRIPS)
def test_copies_of_subclasses(roundtrip):
    tagged = Tagged(2.0)
    tagged.tag = "t"
    assert (roundtrip(tagged).data, roundtrip(tagged).tag) == (2.0, "t")
    noted = roundtrip(Noted(3.0, "n"))
    assert (type(noted), noted.data, noted.note) == (Noted, 3.0, "n")


def test_identity_is_equality(Value):
    a, b = Value(1.0), Value(1.0)
    assert a == a and a != b and len({a, b, a}) == 2 and bool(Value(0.0))


def test_there_is_no_order(Value):
    with pytest.raises(TypeError):
        max(Value(1.0), Value(2.0))


def test_there_are_no_other_attributes(Value):
    with pytest.raises(AttributeError):
        Value(1.0).label = "x"


def test_repr(Value):
    assert repr(Value(2.5) * 2) == "Value(data=5.0, grad=0)"

    class Named(Value):
        pass

    assert repr(Named(1)) == "Named(data=1, grad=0)"


def test_numpy_arrays_work_elementwise(Value):
    total = np.array([1.0, 2.0]) + Value(3.0)
    assert [v.data for v in total] == [4.0, 5.0]
    total = Value(3.0) * np.array([1.0, 2.0])
    assert [v.data for v in total] == [3.0, 6.0]


def test_the_twins_have_the_same_public_names():
    names = [{n for n in dir(v) if not n.startswith("__")} for v in TWINS.values()]
    assert names[0] == names[1]
    for name in (*unary_methods, "backward"):
        docs = [getattr(v, name).__doc__.strip().splitlines()[0] for v in TWINS.values()]
        assert docs[0] == docs[1]
