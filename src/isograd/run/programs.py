"""The programs that we know, as plain Python: known.py reads this text. Never import or execute it.

The class, its vector functions, and the loops and expressions that ours may stand for. A definition
that comes again is another way of writing the same; variants.py adds the systematic ones. Methods
of one operand (`log`, say) are in isograd.reference; here is only how else scripts write them.
"""

# What comes again is no mistake, and nobody calls what has no types:
# ruff: noqa: F811
# mypy: ignore-errors

import math

from .patterns import a_name, arithmetic, readable


class Value:
    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n):
        return Value(self.data**n, (self,), (n * self.data ** (n - 1),))

    def __pow__(self, n):
        assert isinstance(n, (int, float))
        return Value(self.data**n, (self,), (n * self.data ** (n - 1),))

    def exp(self):
        return Value(math.exp(self.data), (self,), (math.exp(self.data),))

    def __neg__(self):
        return self * -1

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __truediv__(self, other):
        return self * other**-1

    def __rtruediv__(self, other):
        return other * self**-1


# ---- backward(): an order, then what each node does in it, in any combination ----


def order(self):
    order = []
    met = set()

    def visit(node):
        if node not in met:
            met.add(node)
            for child in node._children:
                visit(child)
            order.append(node)

    visit(self)


# The same post-order with a stack: the first child is on top. variants.py adds the mirror images.
def order(self):
    order = []
    met = set()
    stack = [(self, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in met:
            met.add(node)
            stack.append((node, True))
            for child in reversed(node._children):
                stack.append((child, False))


def order(self):
    order = []
    met = set()
    stack = [(self, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in met:
            met.add(node)
            stack.append((node, True))
            for child in reversed(node._children):
                if child not in met:
                    stack.append((child, False))


def order(self):
    order = []
    met = set()
    stack = [(self, 0)]
    while stack:
        node, i = stack.pop()
        if i == 0:
            if node in met:
                continue
            met.add(node)
        if i < len(node._children):
            stack.append((node, i + 1))
            stack.append((node._children[i], 0))
        else:
            order.append(node)


def order(self):
    order = []
    met = {self}
    stack = [(self, 0)]
    while stack:
        node, i = stack.pop()
        if i < len(node._children):
            stack.append((node, i + 1))
            child = node._children[i]
            if child not in met:
                met.add(child)
                stack.append((child, 0))
        else:
            order.append(node)


def order(self):
    order = []
    met = {self}
    stack = [(self, 0)]
    while stack:
        node, i = stack[-1]
        if i < len(node._children):
            stack[-1] = (node, i + 1)
            child = node._children[i]
            if child not in met:
                met.add(child)
                stack.append((child, 0))
        else:
            order.append(node)
            stack.pop()


def order(self):
    order = []
    met = {self}
    stack = [(self, 0)]
    while stack:
        node, i = stack[-1]
        if i < len(node._children):
            stack[-1] = (node, i + 1)
            child = node._children[i]
            if child not in met:
                met.add(child)
                stack.append((child, 0))
        else:
            stack.pop()
            order.append(node)


def order(self):
    order = []
    met = {self}
    stack = [(self, iter(self._children))]
    while stack:
        node, children = stack[-1]
        for child in children:
            if child not in met:
                met.add(child)
                stack.append((child, iter(child._children)))
                break
        else:
            order.append(node)
            stack.pop()


def order(self):
    order = []
    met = {self}
    stack = [(self, iter(self._children))]
    while stack:
        node, children = stack[-1]
        child = next(children, None)
        if child is None:
            order.append(node)
            stack.pop()
        elif child not in met:
            met.add(child)
            stack.append((child, iter(child._children)))


def hand_on(self, order):
    for node in reversed(order):
        for child, local_grad in zip(node._children, node._local_grads):
            child.grad += local_grad * node.grad


def hand_on(self, order):
    for node in reversed(order):
        for i, child in enumerate(node._children):
            child.grad += node._local_grads[i] * node.grad


def hand_on(self, order):
    for node in reversed(order):
        for i in range(len(node._children)):
            node._children[i].grad += node._local_grads[i] * node.grad


def hand_on_by_closures(self, order):
    for node in reversed(order):
        node._backward()


# Where leaves keep None.
def hand_on_by_closures(self, order):
    for node in reversed(order):
        if node._backward:
            node._backward()


def hand_on_by_closures(self, order):
    for node in reversed(order):
        if node._backward is not None:
            node._backward()


def equal_expressions(self, other, order, node, local_grad, i):
    """The second of each pair may stand for the first: to the bit it is the same."""
    return (
        (reversed(order), order[::-1]),
        (local_grad * node.grad, node.grad * local_grad),
        (node._local_grads[i] * node.grad, node.grad * node._local_grads[i]),
        (1 / self.data, 1.0 / self.data),
        (max(0, self.data), self.data if self.data > 0 else 0),
        (float(self.data > 0), 1.0 if self.data > 0 else 0.0),
        (other + (-self), (-self) + other),
        (other * self**-1, self**-1 * other),
    )


# ---- vector functions ----


def linear(x, w):
    return [sum([wi * xi for wi, xi in zip(row, x)]) for row in w]


def linear(x, w):
    out = []
    for row in w:
        out.append(sum([wi * xi for wi, xi in zip(row, x)]))
    return out


def softmax(logits):
    largest = max([logit.data for logit in logits])
    exps = [(logit - largest).exp() for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    mean_square = sum([xi * xi for xi in x]) / len(x)
    scale = (mean_square + 1e-5) ** -0.5
    return [xi * scale for xi in x]


# ---- expressions, as patterns; their parameters are what ours is called with ----


def dot(x: readable, y: readable):
    return sum(a * b for a, b in zip(x, y))


# Where ours reads the operands in another order, or outside of the comprehension that they belong
# to, it gets a function that reads them: if that raises, the expression itself is evaluated.
def lazy_dot(y: readable, x: readable, n: None, column: None):
    return sum(b * a for a, b in zip(x, y))


def lazy_dot(x: readable, y: readable, n: None, column: readable):
    return sum(a * b[column] for a, b in zip(x, y))


def lazy_dot(x: readable, y: readable, n: readable, column: readable):
    return sum(x[i] * y[i][column] for i in range(n))


def lazy_dot(x: readable, y: readable, n: readable, column: None):
    return sum(x[i] * y[i] for i in range(n))


def add(x: readable, y: readable):
    return [a + b for a, b in zip(x, y)]


def relu(x: readable):
    return [a.relu() for a in x]


# ---- loops over the parameters, as patterns ----


def adam(
    params: a_name,
    m: a_name,
    v: a_name,
    lr: arithmetic,
    beta1: arithmetic,
    beta2: arithmetic,
    rest1: arithmetic,
    rest2: arithmetic,
    correction1: arithmetic,
    correction2: arithmetic,
    eps: arithmetic,
):
    for i, p in enumerate(params):
        m[i] = beta1 * m[i] + rest1 * p.grad
        v[i] = beta2 * v[i] + rest2 * p.grad**2
        m_hat = m[i] / correction1
        v_hat = v[i] / correction2
        p.data -= lr * m_hat / (v_hat**0.5 + eps)
        p.grad = 0


def zeroing(params: a_name):
    for p in params:
        p.grad = 0


def zeros(params: a_name):
    return [0.0] * len(params)


def zeros(params: a_name):
    return [0.0 for anything in params]
