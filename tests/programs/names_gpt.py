"""Invents names with a small GPT, in one flat file of plain Python, as a learner would write it.

    names_gpt.py DATA [seed=42] [steps=1000] [n_layer=1] [n_embd=16] ...

Not part of isograd: the tests run it with its own class Value, and once more with everything
between the two markers replaced by `from isograd import Value`, and want the same numbers. It
prints what `isograd train --plain` prints.
"""

import math
import random
import sys

options = {
    "seed": 42,
    "steps": 1000,
    "n_layer": 1,
    "n_embd": 16,
    "n_head": 4,
    "block_size": 16,
    "lr": 0.01,
    "temperature": 0.5,
    "samples": 20,
}
for argument in sys.argv[2:]:
    key, text = argument.split("=")
    options[key] = type(options[key])(text)
seed, steps, n_layer, n_embd, n_head, block_size, lr, temperature, samples = options.values()
head_dim = n_embd // n_head

# --- Data: a document a line, a token a character ---

random.seed(seed)
with open(sys.argv[1], encoding="utf-8") as file:
    docs = [line.strip() for line in file if line.strip()]
random.shuffle(docs)
print(f"num docs: {len(docs)}")

alphabet = sorted(set("".join(docs)))
end = len(alphabet)  # the token on either side of a document
vocab_size = end + 1
print(f"vocab size: {vocab_size}")

# --- Value ---


class Value:
    """A number, the numbers it came from, and how fast it changes with each of them."""

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

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def exp(self):
        return Value(math.exp(self.data), (self,), (math.exp(self.data),))

    def relu(self):
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

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

    def backward(self):
        order, met = [], set()

        def visit(node):
            if node not in met:
                met.add(node)
                for child in node._children:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1
        for node in reversed(order):
            for child, local_grad in zip(node._children, node._local_grads):
                child.grad += local_grad * node.grad


# --- end of Value ---

# --- Model: weights by name, each a list of rows; then one position's forward pass ---


def matrix(n_out, n_in):
    return [[Value(random.gauss(0, 0.08)) for _ in range(n_in)] for _ in range(n_out)]


weights = {
    "wte": matrix(vocab_size, n_embd),
    "wpe": matrix(block_size, n_embd),
    "lm_head": matrix(vocab_size, n_embd),
}
for layer in range(n_layer):
    for name in ("wq", "wk", "wv", "wo"):
        weights[f"layer{layer}.attn_{name}"] = matrix(n_embd, n_embd)
    weights[f"layer{layer}.mlp_fc1"] = matrix(4 * n_embd, n_embd)
    weights[f"layer{layer}.mlp_fc2"] = matrix(n_embd, 4 * n_embd)
params = [p for rows in weights.values() for row in rows for p in row]
print(f"num params: {len(params)}")


def linear(x, w):
    return [sum(wi * xi for wi, xi in zip(row, x)) for row in w]


def softmax(logits):
    largest = max(logit.data for logit in logits)
    exps = [(logit - largest).exp() for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    mean_square = sum(xi * xi for xi in x) / len(x)
    scale = (mean_square + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def gpt(token, position, keys, values):
    x = [t + p for t, p in zip(weights["wte"][token], weights["wpe"][position])]
    x = rmsnorm(x)
    for layer in range(n_layer):
        before = x
        x = rmsnorm(x)
        q = linear(x, weights[f"layer{layer}.attn_wq"])
        keys[layer].append(linear(x, weights[f"layer{layer}.attn_wk"]))
        values[layer].append(linear(x, weights[f"layer{layer}.attn_wv"]))
        mixed = []
        for head in range(n_head):
            part = slice(head * head_dim, (head + 1) * head_dim)
            past_k = [k[part] for k in keys[layer]]
            past_v = [v[part] for v in values[layer]]
            scores = [sum(qj * kj for qj, kj in zip(q[part], k)) / head_dim**0.5 for k in past_k]
            shares = softmax(scores)
            for j in range(head_dim):
                mixed.append(sum(share * v[j] for share, v in zip(shares, past_v)))
        x = linear(mixed, weights[f"layer{layer}.attn_wo"])
        x = [a + b for a, b in zip(x, before)]
        before = x
        x = rmsnorm(x)
        x = linear(x, weights[f"layer{layer}.mlp_fc1"])
        x = [xi.relu() for xi in x]
        x = linear(x, weights[f"layer{layer}.mlp_fc2"])
        x = [a + b for a, b in zip(x, before)]
    return linear(x, weights["lm_head"])


# --- Training: a document a step, Adam with a learning rate that falls to 0 ---

beta1, beta2, eps = 0.85, 0.99, 1e-8
m = [0.0] * len(params)
v = [0.0] * len(params)
losses = []

for step in range(steps):
    doc = docs[step % len(docs)]
    tokens = [end] + [alphabet.index(char) for char in doc] + [end]
    n = min(block_size, len(tokens) - 1)

    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    surprises = []
    for position in range(n):
        probs = softmax(gpt(tokens[position], position, keys, values))
        surprises.append(-probs[tokens[position + 1]].log())
    loss = (1 / n) * sum(surprises)
    loss.backward()

    lr_now = lr * (1 - step / steps)
    for i, p in enumerate(params):
        m[i] = beta1 * m[i] + (1 - beta1) * p.grad
        v[i] = beta2 * v[i] + (1 - beta2) * p.grad**2
        m_hat = m[i] / (1 - beta1 ** (step + 1))
        v_hat = v[i] / (1 - beta2 ** (step + 1))
        p.data -= lr_now * m_hat / (v_hat**0.5 + eps)
        p.grad = 0

    losses.append(loss.data)
    print(f"step {step + 1:4d} / {steps:4d} | loss {loss.data:.4f}", end="\r")

# --- Sampling ---

print("\n--- inference (new, hallucinated names) ---")
for number in range(samples):
    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    token, invented = end, []
    for position in range(block_size):
        logits = gpt(token, position, keys, values)
        probs = softmax([logit / temperature for logit in logits])
        token = random.choices(range(vocab_size), weights=[p.data for p in probs])[0]
        if token == end:
            break
        invented.append(alphabet[token])
    print(f"sample {number + 1:2d}: {''.join(invented)}")
