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
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, other): return Value(self.data**other, (self,), (other * self.data**(other-1),))
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
        topo = []
        visited = set()

        def build(v):
            if v not in visited:
                visited.add(v)
                for child in v._children:
                    build(child)
                topo.append(v)

        build(self)
        self.grad = 1
        for v in reversed(topo):
            for child, local_grad in zip(v._children, v._local_grads):
                child.grad += local_grad * v.grad


n_layer, n_embd, n_head, block = 1, 8, 2, 6
head_dim = n_embd // n_head
matrix = lambda n_out, n_in, std=0.1: [[Value(random.gauss(0, std)) for _ in range(n_in)] for _ in range(n_out)]
state = {"wte": matrix(vocab, n_embd), "wpe": matrix(block, n_embd), "head": matrix(vocab, n_embd)}
for i in range(n_layer):
    for name in "wq wk wv wo".split():
        state[f"{i}.{name}"] = matrix(n_embd, n_embd)
    state[f"{i}.fc1"] = matrix(4 * n_embd, n_embd)
    state[f"{i}.fc2"] = matrix(n_embd, 4 * n_embd)
params = [p for mat in state.values() for row in mat for p in row]
print("params", len(params))


def linear(x, w):
    return [sum(wi * xi for wi, xi in zip(wo, x)) for wo in w]


def softmax(logits):
    max_val = max(val.data for val in logits)
    exps = [(val - max_val).exp() for val in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    ms = sum(xi * xi for xi in x) / len(x)
    scale = (ms + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def gpt(token, pos, keys, values):
    x = [t + p for t, p in zip(state["wte"][token], state["wpe"][pos])]
    x = rmsnorm(x)
    for li in range(n_layer):
        residual = x
        x = rmsnorm(x)
        q = linear(x, state[f"{li}.wq"])
        k = linear(x, state[f"{li}.wk"])
        v = linear(x, state[f"{li}.wv"])
        keys[li].append(k)
        values[li].append(v)
        x_attn = []
        for h in range(n_head):
            hs = h * head_dim
            q_h = q[hs : hs + head_dim]
            k_h = [ki[hs : hs + head_dim] for ki in keys[li]]
            v_h = [vi[hs : hs + head_dim] for vi in values[li]]
            attn_logits = [sum(q_h[j] * k_h[t][j] for j in range(head_dim)) / head_dim**0.5 for t in range(len(k_h))]
            attn = softmax(attn_logits)
            x_attn.extend(sum(attn[t] * v_h[t][j] for t in range(len(v_h))) for j in range(head_dim))
        x = linear(x_attn, state[f"{li}.wo"])
        x = [a + b for a, b in zip(x, residual)]
        residual = x
        x = rmsnorm(x)
        x = linear(x, state[f"{li}.fc1"])
        x = [xi.relu() for xi in x]
        x = linear(x, state[f"{li}.fc2"])
        x = [a + b for a, b in zip(x, residual)]
    return linear(x, state["head"])


learning_rate, beta1, beta2, eps_adam = 0.01, 0.85, 0.99, 1e-8
m = [0.0] * len(params)  # first moments
v = [0.0] * len(params)  # second moments
for step in range(steps):
    doc = docs[step % len(docs)]
    tokens = [BOS] + [chars.index(ch) for ch in doc] + [BOS]
    n = min(block, len(tokens) - 1)
    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    losses = []
    for pos in range(n):
        probs = softmax(gpt(tokens[pos], pos, keys, values))
        losses.append(-probs[tokens[pos + 1]].log())
    loss = (1 / n) * sum(losses)
    loss.backward()
    lr_t = learning_rate * (1 - step / steps)
    for i, p in enumerate(params):
        m[i] = beta1 * m[i] + (1 - beta1) * p.grad
        v[i] = beta2 * v[i] + (1 - beta2) * p.grad ** 2
        m_hat = m[i] / (1 - beta1 ** (step + 1))
        v_hat = v[i] / (1 - beta2 ** (step + 1))
        p.data -= lr_t * m_hat / (v_hat ** 0.5 + eps_adam)
        p.grad = 0
    print(f"step {step + 1} / {steps} | loss {loss.data.hex()}", end="\r")
print()
print(i, p.data.hex(), p.grad, m_hat.hex(), v_hat.hex())
for p in params:
    print(p.data.hex(), p.grad)
for _ in range(3):
    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    token, out = BOS, []
    for pos in range(block):
        probs = softmax([logit / 0.5 for logit in gpt(token, pos, keys, values)])
        token = random.choices(range(vocab), weights=[p.data for p in probs])[0]
        if token == BOS:
            break
        out.append(chars[token])
    print("".join(out))
