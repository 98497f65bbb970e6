"""The same idea with other names, annotations, a main() and more methods."""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Sequence


class Scalar:
    """A number with a past."""

    made = None

    def nothing(self):
        pass


class Node:
    """A number in a graph."""

    data: float
    grad: float

    def __init__(self, data: float, parents: tuple = (), slopes: tuple = ()) -> None:
        self.slopes = slopes
        self.parents = parents
        self.grad = 0
        self.data: float = data

    def __add__(self, x: Node | float) -> Node:
        if not isinstance(x, Node):
            x = Node(x)
        return Node(self.data + x.data, [self, x], [1, 1])

    def __mul__(self, x: Node | float) -> Node:
        x = x if isinstance(x, Node) else Node(x)
        out = Node(self.data * x.data, parents=(self, x), slopes=(x.data, self.data))
        return out

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Node:
        "The opposite."
        return self * -1

    def __sub__(self, x: Node | float) -> Node:
        return self + -x

    def __rsub__(self, x: float) -> Node:
        return x + (-self)

    def __pow__(self, k: float) -> Node:
        assert isinstance(k, (int, float)), "numbers only"
        return Node(self.data**k, (self,), (k * self.data ** (k - 1),))

    def __truediv__(self, x: Node | float) -> Node:
        return self * x**-1

    def __rtruediv__(self, x: float) -> Node:
        return self**-1 * x

    def exp(self) -> Node:
        e = math.exp(self.data)
        return Node(e, (self,), (e,))

    def log(self) -> Node:
        return Node(math.log(self.data), (self,), (1.0 / self.data,))

    def squash(self) -> Node:
        t = math.tanh(self.data)
        return Node(t, (self,), (1 - t * t,))

    def squared(self) -> Node:
        return self.squash() * self.squash()

    def relu(self) -> Node:
        slope = 1.0 if self.data > 0 else 0.1
        return Node(self.data * slope, (self,), (slope,))

    @property
    def slope(self) -> float:
        return self.grad

    def __repr__(self) -> str:
        return f"Node({self.data!r}; {self.grad!r})"

    def backward(self) -> None:
        """From here to the leaves."""
        seen: set[Node] = set()
        order: list[Node] = []

        def walk(node: Node) -> None:
            if node in seen:
                return
            seen.add(node)
            for parent in node.parents:
                walk(parent)
            order.append(node)

        self.grad = 1
        walk(self)
        for node in order[::-1]:
            for parent, slope in zip(node.parents, node.slopes):
                parent.grad += node.grad * slope


def matvec(weights: list[list[Node]], vector: Sequence[Node]) -> list[Node]:
    """A product."""
    result = []
    for row in weights:
        result.append(sum([a * b for a, b in zip(row, vector)]))
    return result


def normalise(vector: list[Node]) -> list[Node]:
    return_scale = (sum(a * a for a in vector) / len(vector) + 1e-5) ** -0.5
    return [a * return_scale for a in vector]


class Model:
    def __init__(self, size: int, rng: random.Random) -> None:
        self.size = size
        self.w1 = [[Node(rng.uniform(-1, 1)) for _ in range(size)] for _ in range(size)]
        self.w2 = [[Node(data=rng.uniform(-1, 1)) for _ in range(size)] for _ in range(3)]

    def __call__(self, x: list[Node]) -> list[Node]:
        hidden = [h.squash() for h in matvec(self.w1, normalise(x))]
        return matvec(self.w2, [h.relu() for h in hidden])

    def params(self) -> list[Node]:
        return [p for w in (self.w1, self.w2) for row in w for p in row]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5)
    steps = parser.parse_args().steps
    rng = random.Random(3)
    model = Model(4, rng)
    params = model.params()

    def softmax(values):
        top = max([v.data for v in values])
        powers = [(v - top).exp() for v in values]
        norm = sum(powers)
        return [power / norm for power in powers]

    first, second = [0.0] * len(params), [0.0 for _ in params]
    b1, b2 = 0.9, 0.95
    for step in range(steps):
        x = [Node(rng.gauss(0, 1)) for _ in range(4)]
        probs = softmax(model(x))
        loss = 1 - probs[step % 3].log() + 2 / probs[0] - probs[1].squared()
        loss.backward()
        rate = 0.05 * 0.5 * (1 + math.cos(math.pi * step / steps))
        for j, param in enumerate(params):
            second[j] = b2 * second[j] + (1 - b2) * param.grad**2
            first[j] = b1 * first[j] + (1 - b1) * param.grad
            v_hat = second[j] / (1 - b2 ** (step + 1))
            m_hat = first[j] / (1 - b1 ** (step + 1))
            param.data = param.data - rate * m_hat / (v_hat**0.5 + 1e-8)
        print(step, loss, params[0].slope, type(loss).__name__)
        for param in params:
            param.grad = 0
    print(first[:3], params, j, param is params[-1], param.grad)
    print(repr(Node(2)), Node(1) + 2, Node(3) ** 2, str(Node(2) * 0.5))


if __name__ == "__main__":
    main()
