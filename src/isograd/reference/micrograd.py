"""micrograd's Value and its neural networks, in pure Python: what isograd.micrograd must equal.

Not `value.py` again: there a node notes its derivatives when it is made. Here it keeps a function
`_backward`, which reads `data` when `backward()` runs, and which anybody may replace. micrograd
keeps children in a set, so the order of its additions depends on addresses. Here it is the order of
insertion, one of those that the set may have.

Nothing here is tuned: where the order of two additions is visible in a result, this file decides.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from .checks import Number, number, operand, real


def nothing() -> None:
    """What a leaf hands on."""


class Value:
    """A number that knows what it was computed from, and how to hand its gradient on to that.

    `_prev` are the Values it was computed from, each once; `_op` says how; `label` is yours.
    `_backward()` adds to their gradients. Set it to give a Value an operation of your own:
    `y = Value(f(x.data), (x,), "f")`, then `y._backward = ...`.
    """

    def __init__(
        self, data: Number, _children: Iterable[Value] = (), _op: str = "", label: str = ""
    ) -> None:
        self.data: float = number(data)
        self.grad: float = 0
        self._backward: Callable[[], object] = nothing
        self._prev = tuple(dict.fromkeys(_children))
        self._op = _op
        self.label = label

    def __add__(self, other: Value | Number) -> Value:
        if not isinstance(other, Value) and (other := constant(other)) is NotImplemented:
            return NotImplemented
        y = Value(self.data + other.data, (self, other), "+")

        def hand_on() -> None:
            self.grad += y.grad
            other.grad += y.grad

        y._backward = hand_on
        return y

    def __mul__(self, other: Value | Number) -> Value:
        if not isinstance(other, Value) and (other := constant(other)) is NotImplemented:
            return NotImplemented
        y = Value(self.data * other.data, (self, other), "*")

        def hand_on() -> None:
            self.grad += other.data * y.grad
            other.grad += self.data * y.grad

        y._backward = hand_on
        return y

    def __pow__(self, n: Number) -> Value:
        """`self ** n` for an int or float n; AssertionError for any other."""
        if not isinstance(n, (int, float)):
            raise AssertionError("the exponent of a Value must be an int or a float")
        n = number(n)
        y = Value(real(self.data**n), (self,), f"**{n}")

        def hand_on() -> None:
            self.grad += (n * real(self.data ** (n - 1))) * y.grad

        y._backward = hand_on
        return y

    def relu(self) -> Value:
        """The int 0 where `data` is negative, else `data`."""
        y = Value(0 if self.data < 0 else self.data, (self,), "ReLU")

        def hand_on() -> None:
            self.grad += (y.data > 0) * y.grad

        y._backward = hand_on
        return y

    # Not in micrograd, but what people add to it first.

    def tanh(self) -> Value:
        """Hyperbolic tangent."""
        y = Value(math.tanh(self.data), (self,), "tanh")

        def hand_on() -> None:
            self.grad += (1 - y.data**2) * y.grad

        y._backward = hand_on
        return y

    def exp(self) -> Value:
        """e to the power of `data`; OverflowError where that is no finite float."""
        y = Value(math.exp(self.data), (self,), "exp")

        def hand_on() -> None:
            self.grad += y.data * y.grad

        y._backward = hand_on
        return y

    def log(self) -> Value:
        """Natural logarithm; ValueError unless `data > 0`."""
        y = Value(math.log(self.data), (self,), "log")

        def hand_on() -> None:
            self.grad += (1 / self.data) * y.grad

        y._backward = hand_on
        return y

    def sigmoid(self) -> Value:
        """1 / (1 + exp(-data)), for any size of `data`."""
        y = Value(logistic(self.data), (self,), "sigmoid")

        def hand_on() -> None:
            self.grad += (y.data * (1 - y.data)) * y.grad

        y._backward = hand_on
        return y

    # The other operators are made of these.

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

        Sets `self.grad` to 1 and clears nothing: a second call accumulates on top of the first.
        """
        order = topological_order(self)
        self.grad = 1
        for node in reversed(order):
            node._backward()

    def __repr__(self) -> str:
        return f"Value(data={self.data}, grad={self.grad})"

    def __reduce__(self) -> tuple[Any, ...]:
        """For copy and pickle: numbers and names. How it was computed cannot be copied."""
        if self._prev or self._backward is not nothing:
            raise TypeError("only a Value that was not computed from others can be copied")
        made_from = ("data", "_prev", "_op", "label", "_backward")
        rest = {name: x for name, x in vars(self).items() if name not in made_from}
        return type(self), (self.data, (), self._op, self.label), (None, rest)


def constant(x: Number) -> Value:
    """A leaf that holds the number `x`, or NotImplemented if it is none."""
    x = operand(x)
    return NotImplemented if x is NotImplemented else Value(x)


def logistic(x: float) -> float:
    """1 / (1 + exp(-x)), without an exp that overflows."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


def topological_order(root: Value) -> list[Value]:
    """`root` and every Value below it, children first: the post-order of a depth-first walk.

    The walk keeps a stack of its own, so no graph is too deep for it.
    """
    order, seen = [], {root}
    stack = [(root, iter(root._prev))]
    while stack:
        node, children = stack[-1]
        for child in children:
            if child not in seen:
                seen.add(child)
                stack.append((child, iter(child._prev)))
                break
        else:
            order.append(node)
            stack.pop()
    return order


# ---- networks ----


class Module:
    """Whatever has parameters."""

    def zero_grad(self) -> None:
        """Reset every parameter's gradient to 0: `backward` adds to what is there."""
        for p in self.parameters():
            p.grad = 0

    def parameters(self) -> list[Any]:
        """All Values that training may change."""
        return []


class Neuron(Module):
    """A weighted sum of its inputs and a bias; with `nonlin`, the relu of that."""

    scalar: ClassVar[Any] = Value

    def __init__(self, nin: int, nonlin: bool = True) -> None:
        self.w = [self.scalar(random.uniform(-1, 1)) for _ in range(nin)]
        self.b = self.scalar(0)
        self.nonlin = nonlin

    def __call__(self, x: Sequence[Any]) -> Any:
        act = sum((wi * xi for wi, xi in zip(self.w, x)), self.b)
        return act.relu() if self.nonlin else act

    def parameters(self) -> list[Any]:
        return [*self.w, self.b]

    def __repr__(self) -> str:
        return f"{'ReLU' if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """`nout` Neurons that see the same `nin` inputs. Options are the Neurons'."""

    neuron: ClassVar[type[Neuron]] = Neuron

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        self.neurons = [self.neuron(nin, **kwargs) for _ in range(nout)]

    def __call__(self, x: Sequence[Any]) -> Any:
        """One Value for each Neuron in a list; if there is but one, that Value itself."""
        out = [n(x) for n in self.neurons]
        return out[0] if len(out) == 1 else out

    def parameters(self) -> list[Any]:
        return [p for n in self.neurons for p in n.parameters()]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """Layers one after the other, `nouts` wide. All but the last have a relu."""

    layer: ClassVar[type[Layer]] = Layer

    def __init__(self, nin: int, nouts: list[int]) -> None:
        sizes = [nin, *nouts]
        self.layers = [
            self.layer(n, m, nonlin=i < len(nouts)) for i, (n, m) in enumerate(zip(sizes, nouts), 1)
        ]

    def __call__(self, x: Sequence[Any]) -> Any:
        y: Any = x
        for layer in self.layers:
            y = layer(y)
        return y

    def parameters(self) -> list[Any]:
        return [p for layer in self.layers for p in layer.parameters()]

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"
