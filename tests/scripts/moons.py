"""Two classes of points, told apart by a small network: each operation keeps a closure."""

import math
import random
import sys


class Value:
    """A number, its gradient, and how to hand that on."""

    def __init__(self, data, _children=(), _op="", label=""):
        self.data = data
        self.grad = 0
        self._prev = tuple(_children)
        self._backward = lambda: None
        self._op = _op
        self.label = label

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other), "+")

        def _backward():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other), "*")

        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    def __pow__(self, k):
        assert isinstance(k, (int, float)), "numbers only"
        out = Value(self.data**k, (self,), f"**{k}")

        def _backward():
            self.grad += (k * self.data ** (k - 1)) * out.grad

        out._backward = _backward
        return out

    def relu(self):
        out = Value(0 if self.data < 0 else self.data, (self,), "relu")

        def _backward():
            self.grad += (out.data > 0) * out.grad

        out._backward = _backward
        return out

    def tanh(self):
        t = math.tanh(self.data)
        out = Value(t, (self,), "tanh")

        def _backward():
            self.grad += (1 - t**2) * out.grad

        out._backward = _backward
        return out

    def backward(self):
        topo = []
        visited = set()

        def build(v):
            if v not in visited:
                visited.add(v)
                for child in v._prev:
                    build(child)
                topo.append(v)

        build(self)
        self.grad = 1
        for v in reversed(topo):
            v._backward()

    def __neg__(self):
        return self * -1

    def __radd__(self, other):
        return self + other

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __rmul__(self, other):
        return self * other

    def __truediv__(self, other):
        return self * other**-1

    def __rtruediv__(self, other):
        return other * self**-1

    def __repr__(self):
        return f"Value(data={self.data}, grad={self.grad})"


class Module:
    def zero_grad(self):
        for p in self.parameters():
            p.grad = 0

    def parameters(self):
        return []


class Neuron(Module):
    def __init__(self, n, bends=True):
        self.w = [Value(random.uniform(-1, 1)) for _ in range(n)]
        self.b = Value(0)
        self.bends = bends

    def __call__(self, x):
        act = sum((wi * xi for wi, xi in zip(self.w, x)), self.b)
        return act.relu() if self.bends else act

    def parameters(self):
        return [*self.w, self.b]


class Layer(Module):
    def __init__(self, n_in, n_out, **more):
        self.neurons = [Neuron(n_in, **more) for _ in range(n_out)]

    def __call__(self, x):
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def parameters(self):
        return [p for neuron in self.neurons for p in neuron.parameters()]


class MLP(Module):
    def __init__(self, n_in, sizes):
        super().__init__()
        sizes = [n_in, *sizes]
        self.layers = [
            Layer(sizes[i], sizes[i + 1], bends=i != len(sizes) - 2) for i in range(len(sizes) - 1)
        ]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]


random.seed(11)
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 4
model = MLP(2, [8, 8, 1])
points, sides = [], []
for i in range(24):
    angle, side = random.uniform(0, math.pi), i % 2
    x = math.cos(angle) if side else 1 - math.cos(angle)
    y = math.sin(angle) if side else 0.5 - math.sin(angle)
    points.append([x + random.gauss(0, 0.1), y + random.gauss(0, 0.1)])
    sides.append(2 * side - 1)
for step in range(steps):
    scores = [model(list(map(Value, point))) for point in points]
    losses = [(1 + -side * score).relu() for side, score in zip(sides, scores)]
    loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
    right = sum((side > 0) == (score.data > 0) for side, score in zip(sides, scores))
    model.zero_grad()
    loss.backward()
    rate = 1.0 - 0.9 * step / 100
    for p in model.parameters():
        p.data -= rate * p.grad
    print(step, loss.data.hex(), f"{right / len(points):.0%}")
for p in model.parameters():
    print(p, end=" ")
a, b = Value(-4.0, label="a"), Value(2.0)
c = a + b
c += c + 1 + (-a) + (b + a).tanh() / 2
d = (c - b) * c + 3 / b**3
d.backward()
print(a, b, c, d, (a * a).relu())
