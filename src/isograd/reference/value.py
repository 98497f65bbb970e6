"""The scalar autograd that every other part of isograd must equal, bit for bit.

One object per number. Each operation records how its result y was made: from what, and with which
derivatives. `backward` walks that record from the result to the inputs, by the chain rule. Beside
each operation a comment states its derivative, where `dx` is the gradient of x.

The compiled class in csrc/graph is this file again, in C. Nothing here is tuned: where the order of
two additions is visible in a result, this file decides it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ContextDecorator
from threading import get_ident

from .checks import Number, number, operand, real


class Value:
    """A number that remembers how it was computed.

    `data` is the number, `grad` the derivative of the last `backward()` root with respect to it.
    `children` are the Values it was computed from and `local_grads` its derivatives with respect
    to each of them, so `Value(f(a.data), (a,), (df(a.data),))` adds an operation of your own.

    Operands are Values and real numbers: int, float, and whatever has `__index__` or `__float__`.
    Raises what Python's floats raise: ZeroDivisionError, OverflowError, ValueError.
    """

    __slots__ = ("data", "grad", "_children", "_local_grads")

    def __init__(
        self, data: Number, children: Sequence[Value] = (), local_grads: Sequence[float] = ()
    ) -> None:
        # A result is one of Python's own numbers already.
        self.data: float = data if children else number(data)  # type: ignore[assignment]
        self.grad: float = 0
        if unrecorded and get_ident() in unrecorded:
            children = local_grads = ()
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other: Value | Number) -> Value:
        if not isinstance(other, Value) and (other := constant(other)) is NotImplemented:
            return NotImplemented
        return Value(self.data + other.data, (self, other), (1, 1))  # da = dy, db = dy

    def __mul__(self, other: Value | Number) -> Value:
        if not isinstance(other, Value) and (other := constant(other)) is NotImplemented:
            return NotImplemented
        # da = b dy, db = a dy
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n: Number) -> Value:
        """`self ** n` for a plain number n. Raises ValueError where the result is not real."""
        if (n := operand(n)) is NotImplemented:
            return NotImplemented
        power = real(self.data**n)
        return Value(power, (self,), (n * self.data ** (n - 1),))  # dx = n x**(n - 1) dy

    def log(self) -> Value:
        """Natural logarithm; ValueError unless `data > 0`."""
        return Value(math.log(self.data), (self,), (1 / self.data,))  # dx = 1/x dy

    def exp(self) -> Value:
        """e to the power of `data`; OverflowError where that is no finite float."""
        power = math.exp(self.data)
        return Value(power, (self,), (power,))  # dx = y dy

    def relu(self) -> Value:
        """`data` where it is positive, else the int 0."""
        return Value(max(0, self.data), (self,), (float(self.data > 0),))  # dx = dy or 0

    # The other operators are made of these, and so are their derivatives.

    def __neg__(self) -> Value:
        return self * -1

    def __radd__(self, other: Number) -> Value:
        return self + other

    def __rmul__(self, other: Number) -> Value:
        return self * other

    def __sub__(self, other: Value | Number) -> Value:
        if not isinstance(other, Value) and (other := operand(other)) is NotImplemented:
            return NotImplemented
        return self + (-other)

    def __rsub__(self, other: Number) -> Value:
        return other + (-self)

    def __truediv__(self, other: Value | Number) -> Value:
        if not isinstance(other, Value) and (other := operand(other)) is NotImplemented:
            return NotImplemented
        return self * other**-1

    def __rtruediv__(self, other: Number) -> Value:
        return other * self**-1

    def backward(self) -> None:
        """Add the derivative of this Value with respect to every Value below it to their `grad`.

        Sets `self.grad` to 1 and clears nothing: a second call accumulates on top of the first,
        through the intermediate Values too. Reset `grad` yourself between calls.
        """
        self.grad = 1
        for node in reversed(topological_order(self)):
            # Whatever was computed from `node` came before it, so node.grad is complete by now.
            for child, local_grad in zip(node._children, node._local_grads):
                child.grad += local_grad * node.grad

    def __repr__(self) -> str:
        return f"{type(self).__name__}(data={self.data!r}, grad={self.grad!r})"


def constant(x: Number) -> Value:
    """A leaf that holds the number `x`, or NotImplemented if it is none."""
    x = operand(x)
    return NotImplemented if x is NotImplemented else Value(x)


def topological_order(root: Value) -> list[Value]:
    """`root` and every Value below it that has children, children first.

    The post-order of a depth-first walk, each Value once. The walk keeps a stack of its own, so no
    graph is too deep for it. Leaves are left out: they have nothing to hand on.
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


class no_grad(ContextDecorator):
    """Values made inside have the same data but no children: for sampling and evaluation.

    A context manager and a decorator, for the thread that enters it; may be nested. Graphs made
    outside stay as they are, and their `backward()` works inside, too.
    """

    def __enter__(self) -> no_grad:
        thread = get_ident()
        unrecorded[thread] = unrecorded.get(thread, 0) + 1
        return self

    def __exit__(self, *exception: object) -> None:
        thread = get_ident()
        unrecorded[thread] -= 1
        if not unrecorded[thread]:
            del unrecorded[thread]


unrecorded: dict[int, int] = {}  # how many no_grad contexts each thread is in
