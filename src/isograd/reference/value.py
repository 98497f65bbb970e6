"""The scalar autograd that every other part of isograd must equal, bit for bit.

One object per number; operators record how each number was made; `backward` walks that record
from the result to the inputs. The compiled class in csrc/graph is this file again, in C.
Nothing here is tuned: where the order of two additions is visible in a result, this file is
what decides it.
"""

import math
from contextlib import ContextDecorator
from operator import index
from threading import get_ident


class Value:
    """A number that remembers how it was computed.

    `data` is the number, `grad` the derivative of the last `backward()` root with respect to it.
    `children` are the Values it was computed from and `local_grads` its derivatives with respect
    to each of them, so `Value(f(a.data), (a,), (df(a.data),))` adds an operation of your own.

    Operands are Values and real numbers: int, float, and whatever has `__index__` or `__float__`.
    Raises what Python's floats raise: ZeroDivisionError, OverflowError, ValueError.
    """

    __slots__ = ("data", "grad", "_children", "_local_grads")

    def __init__(self, data, children=(), local_grads=()):
        self.data = data if children else number(data)
        self.grad = 0
        if unrecorded and get_ident() in unrecorded:
            children = local_grads = ()
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        if not isinstance(other, Value):
            other = constant(other)
            if other is NotImplemented:
                return NotImplemented
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        if not isinstance(other, Value):
            other = constant(other)
            if other is NotImplemented:
                return NotImplemented
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, exponent):
        """`self ** exponent` for a plain number; ValueError where the result is not real."""
        try:
            exponent = number(exponent)
        except TypeError:
            return NotImplemented
        power = real(self.data**exponent)
        return Value(power, (self,), (exponent * self.data ** (exponent - 1),))

    def log(self):
        """Natural logarithm; ValueError unless `data > 0`."""
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def exp(self):
        """e to the power of `data`; OverflowError where that is no finite float."""
        power = math.exp(self.data)
        return Value(power, (self,), (power,))

    def relu(self):
        """`data` where it is positive, else the int 0."""
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self):
        return self * -1

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __sub__(self, other):
        other = operand(other)
        return NotImplemented if other is NotImplemented else self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __truediv__(self, other):
        other = operand(other)
        return NotImplemented if other is NotImplemented else self * other**-1

    def __rtruediv__(self, other):
        return other * self**-1

    def backward(self):
        """Add the derivative of this Value with respect to every Value below it to their `grad`.

        Sets `self.grad` to 1 and clears nothing: a second call accumulates on top of the first,
        through the intermediate Values too. Reset `grad` yourself between calls.
        """
        self.grad = 1
        for node in reversed(topological_order(self)):
            for child, local_grad in zip(node._children, node._local_grads):
                child.grad += local_grad * node.grad

    def __repr__(self):
        return f"{type(self).__name__}(data={self.data!r}, grad={self.grad!r})"


class no_grad(ContextDecorator):
    """Values made inside have the same data but no children: for sampling and evaluation.

    A context manager and a decorator, for the thread that enters it; may be nested. Graphs made
    outside stay as they are, and their `backward()` works inside, too.
    """

    def __enter__(self):
        thread = get_ident()
        unrecorded[thread] = unrecorded.get(thread, 0) + 1
        return self

    def __exit__(self, *exception):
        thread = get_ident()
        unrecorded[thread] -= 1
        if not unrecorded[thread]:
            del unrecorded[thread]


unrecorded: dict[int, int] = {}  # how many no_grad contexts each thread is in


def topological_order(root):
    """`root` and every Value below it that has children, children first.

    The post-order of a depth-first walk, each Value once. The walk keeps its own stack, so that no
    graph is too deep for it; leaves are left out, as they have nothing to hand on.
    """
    order, seen = [], {root}
    stack = [(root, iter(root._children))]
    while stack:
        node, children = stack[-1]
        for child in children:
            if child not in seen:
                seen.add(child)
                if child._children:
                    stack.append((child, iter(child._children)))
                    break
        else:
            order.append(node)
            stack.pop()
    return order


def number(x):
    """`x` as Python's own int or float; TypeError if it is no real number."""
    kind = type(x)
    if kind is float or kind is int:
        return x
    if isinstance(x, float):
        return float.__float__(x)
    try:
        return int(index(x))
    except TypeError:
        pass
    if hasattr(kind, "__float__"):
        return float(x)
    raise TypeError(f"a Value holds a real number, not {kind.__name__!r}")


def operand(x):
    """What an operator computes with: a Value, the `number` that `x` is, or NotImplemented."""
    if isinstance(x, Value):
        return x
    try:
        return number(x)
    except TypeError:
        return NotImplemented


def constant(x):
    """A leaf Value for the number `x`; NotImplemented if it is none."""
    x = operand(x)
    return NotImplemented if x is NotImplemented else Value(x)


def real(x):
    """`x` unless it is complex: a negative base to a fractional power has no real value."""
    if isinstance(x, complex):
        raise ValueError("a negative Value to a fractional power is not a real number")
    return x
