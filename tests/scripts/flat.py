"""A GPT on a few words, flat and compact, with slots and loops over indices."""

import math
import os
import random
import sys

random.seed(7)
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 4
if os.path.exists("words.txt"):
    docs = [line.strip() for line in open("words.txt").read().strip().split("\n")]
else:
    docs = "anna otto bea nina hanna tibor abba toni".split()
random.shuffle(docs)
print("docs", len(docs))
chars = sorted(set("".join(docs)))
BOS = len(chars)
vocab = len(chars) + 1


class Value:
    __slots__ = ("data", "grad", "_children", "_local_grads")  # less memory

    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        if not isinstance(other, Value):
            other = Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, p): return Value(self.data**p, (self,), (p * self.data**(p-1),))
    def log(self): return Value(math.log(self.data), (self,), (1/self.data,))
    def exp(self): return Value(math.exp(self.data), (self,), (math.exp(self.data),))
    def relu(self): return Value(max(0, self.data), (self,), (float(self.data > 0),))
    def __neg__(self): return self * -1
    def __radd__(self, other): return self + other
    def __sub__(self, other): return self + (-other)
    def __rsub__(self, other): return other + (-self)
    def __rmul__(self, other): return self * other
    def __truediv__(self, other): return self * other**-1
    def __rtruediv__(self, other): return other * self**-1

    def backward(self):
        path = []
        met = set()

        def go(node):
            if node not in met:
                met.add(node)
                for below in node._children:
                    go(below)
                path.append(node)

        go(self)
        self.grad = 1
        for node in reversed(path):
            for below, slope in zip(node._children, node._local_grads):
                below.grad += slope * node.grad


n_layer, n_embd, n_head, block = 1, 8, 2, 6
head_dim = n_embd // n_head


def table(height, width):
    return [[Value(random.gauss(0, 0.1)) for _ in range(width)] for _ in range(height)]


state = {"wte": table(vocab, n_embd), "wpe": table(block, n_embd), "head": table(vocab, n_embd)}
for i in range(n_layer):
    for name in "wq wk wv wo".split():
        state[f"{i}.{name}"] = table(n_embd, n_embd)
    state[f"{i}.fc1"] = table(4 * n_embd, n_embd)
    state[f"{i}.fc2"] = table(n_embd, 4 * n_embd)
params = [p for mat in state.values() for row in mat for p in row]
print("params", len(params))


def linear(inputs, rows):
    return [sum(a * b for a, b in zip(row, inputs)) for row in rows]


def softmax(scores):
    top = max(score.data for score in scores)
    powers = [(score - top).exp() for score in scores]
    whole = sum(powers)
    return [power / whole for power in powers]


def rmsnorm(vector):
    power = sum(number * number for number in vector) / len(vector)
    factor = (power + 1e-5) ** -0.5
    return [number * factor for number in vector]


def gpt(token, place, keys, values):
    x = [a + b for a, b in zip(state["wte"][token], state["wpe"][place])]
    x = rmsnorm(x)
    for layer in range(n_layer):
        bypass = x
        x = rmsnorm(x)
        query = linear(x, state[f"{layer}.wq"])
        keys[layer].append(linear(x, state[f"{layer}.wk"]))
        values[layer].append(linear(x, state[f"{layer}.wv"]))
        heads = []
        for start in range(0, n_embd, head_dim):
            q = query[start : start + head_dim]
            ks = [key[start : start + head_dim] for key in keys[layer]]
            vs = [value[start : start + head_dim] for value in values[layer]]
            shares = softmax([
                sum(q[d] * ks[t][d] for d in range(head_dim)) / head_dim**0.5
                for t in range(len(ks))
            ])
            heads.extend(
                sum(shares[t] * vs[t][d] for t in range(len(vs))) for d in range(head_dim)
            )
        x = linear(heads, state[f"{layer}.wo"])
        x = [a + b for a, b in zip(x, bypass)]
        bypass = x
        x = rmsnorm(x)
        x = linear(x, state[f"{layer}.fc1"])
        x = [number.relu() for number in x]
        x = linear(x, state[f"{layer}.fc2"])
        x = [a + b for a, b in zip(x, bypass)]
    return linear(x, state["head"])


speed, keep1, keep2, tiny = 0.01, 0.85, 0.99, 1e-8
m = [0.0] * len(params)  # mean of gradients
v = [0.0] * len(params)  # mean of their squares
for step in range(steps):
    doc = docs[step % len(docs)]
    tokens = [BOS] + [chars.index(ch) for ch in doc] + [BOS]
    count = min(block, len(tokens) - 1)
    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    parts = []
    for place in range(count):
        probs = softmax(gpt(tokens[place], place, keys, values))
        parts.append(-probs[tokens[place + 1]].log())
    loss = (1 / count) * sum(parts)
    loss.backward()
    pace = speed * (1 - step / steps)
    for i, p in enumerate(params):
        m[i] = keep1 * m[i] + (1 - keep1) * p.grad
        v[i] = keep2 * v[i] + (1 - keep2) * p.grad ** 2
        m_hat = m[i] / (1 - keep1 ** (step + 1))
        v_hat = v[i] / (1 - keep2 ** (step + 1))
        p.data -= pace * m_hat / (v_hat ** 0.5 + tiny)
        p.grad = 0
    print(f"step {step + 1} / {steps} | loss {loss.data.hex()}", end="\r")
print()
print(i, p.data.hex(), p.grad, m_hat.hex(), v_hat.hex())
for p in params:
    print(p.data.hex(), p.grad)
for _ in range(3):
    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    token, out = BOS, []
    for place in range(block):
        probs = softmax([logit / 0.5 for logit in gpt(token, place, keys, values)])
        token = random.choices(range(vocab), weights=[p.data for p in probs])[0]
        if token == BOS:
            break
        out.append(chars[token])
    print("".join(out))
