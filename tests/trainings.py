"""Whole trainings by classes as people write them, each with models and loops of its own.

Written without a look at what `isograd run` knows. The number of steps is the first argument.
"""

CLOSURES = """import math, random
class Value:
    def __init__(self, data, _children=(), _op='', label=''):
        self.data = data
        self.grad = 0.0
        self._backward = lambda: None
        self._prev = tuple(_children)
        self._op = _op
        self.label = label
    def __repr__(self):
        return f"Value(data={self.data})"
    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        made = Value(self.data + other.data, (self, other), '+')
        def _backward():
            self.grad += 1.0 * made.grad
            other.grad += 1.0 * made.grad
        made._backward = _backward
        return made
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        made = Value(self.data * other.data, (self, other), '*')
        def _backward():
            self.grad += other.data * made.grad
            other.grad += self.data * made.grad
        made._backward = _backward
        return made
    def __pow__(self, other):
        assert isinstance(other, (int, float)), "the exponent is a number"
        made = Value(self.data**other, (self,), f'**{other}')
        def _backward():
            self.grad += other * (self.data ** (other - 1)) * made.grad
        made._backward = _backward
        return made
    def __rmul__(self, other):
        return self * other
    def __truediv__(self, other):
        return self * other**-1
    def __neg__(self):
        return self * -1
    def __sub__(self, other):
        return self + (-other)
    def __rsub__(self, other):
        return other + (-self)
    def __radd__(self, other):
        return self + other
    def tanh(self):
        x = self.data
        t = (math.exp(2*x) - 1)/(math.exp(2*x) + 1)
        made = Value(t, (self, ), 'tanh')
        def _backward():
            self.grad += (1 - t**2) * made.grad
        made._backward = _backward
        return made
    def exp(self):
        x = self.data
        made = Value(math.exp(x), (self, ), 'exp')
        def _backward():
            self.grad += made.data * made.grad
        made._backward = _backward
        return made
    def backward(self):
        path = []
        met = set()
        def go(v):
            if v not in met:
                met.add(v)
                for below in v._prev:
                    go(below)
                path.append(v)
        go(self)
        self.grad = 1.0
        for node in reversed(path):
            node._backward()
"""
TRAININGS = {}
TRAININGS["layers, and a graph"] = (
    CLOSURES
    + """
class Unit:
    def __init__(self, width):
        self.weights = [Value(random.uniform(-1, 1)) for _ in range(width)]
        self.bias = Value(random.uniform(-1, 1))
    def __call__(self, x):
        whole = self.bias
        for w, number in zip(self.weights, x):
            whole = whole + w * number
        return whole.tanh()
class Net:
    def __init__(self, *sizes):
        self.layers = [[Unit(a) for _ in range(b)] for a, b in zip(sizes, sizes[1:])]
    def __call__(self, x):
        for layer in self.layers:
            x = [unit(x) for unit in layer]
        return x[0]
    def parameters(self):
        return [p for layer in self.layers for unit in layer for p in [*unit.weights, unit.bias]]
def trace(root):
    nodes, edges = set(), set()
    def look(v):
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                look(child)
    look(root)
    return nodes, edges
import sys
random.seed(17)
n = Net(3, 4, 4, 1)
xs = [[0.5, -1.5, 2.0], [1.5, 0.5, -0.5], [-1.0, 2.5, 0.5], [2.0, -0.5, -2.0]]
ys = [0.5, -0.5, -1.0, 1.0]
for k in range(int(sys.argv[1])):
    guesses = [n(x) for x in xs]
    loss = sum((guess - wanted)**2 for wanted, guess in zip(ys, guesses))
    for p in n.parameters():
        p.grad = 0.0
    loss.backward()
    for p in n.parameters():
        p.data += -0.05 * p.grad
    print(k, loss.data)
print(guesses)
nodes, edges = trace(loss)
print(len(nodes), len(edges))
"""
)
TRAININGS["xor adamw closures"] = (
    CLOSURES
    + """
    def sigmoid(self):
        s = 1 / (1 + math.exp(-self.data))
        made = Value(s, (self,), 'sigmoid')
        def _backward():
            self.grad += s * (1 - s) * made.grad
        made._backward = _backward
        return made
    def log(self):
        made = Value(math.log(self.data), (self,), 'log')
        def _backward():
            self.grad += (1 / self.data) * made.grad
        made._backward = _backward
        return made
class AdamW:
    def __init__(self, params, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.params = list(params)
        self.lr, self.betas, self.eps, self.wd = lr, betas, eps, weight_decay
        self.m = [0.0] * len(self.params)
        self.v = [0.0] * len(self.params)
        self.t = 0
    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for i, p in enumerate(self.params):
            g = p.grad
            self.m[i] = b1 * self.m[i] + (1 - b1) * g
            self.v[i] = b2 * self.v[i] + (1 - b2) * g * g
            mhat = self.m[i] / (1 - b1 ** self.t)
            vhat = self.v[i] / (1 - b2 ** self.t)
            p.data -= self.lr * (mhat / (math.sqrt(vhat) + self.eps) + self.wd * p.data)
    def zero_grad(self):
        for p in self.params:
            p.grad = 0.0
def bce(p, y):
    return -(y * p.log() + (1 - y) * (1 - p).log())
import sys
random.seed(0)
W1 = [[Value(random.gauss(0, 1)) for _ in range(2)] for _ in range(8)]
b1 = [Value(0.0) for _ in range(8)]
W2 = [Value(random.gauss(0, 1)) for _ in range(8)]
b2 = Value(0.0)
params = [w for row in W1 for w in row] + b1 + W2 + [b2]
opt = AdamW(params)
data = [((0,0),0),((0,1),1),((1,0),1),((1,1),0)]
for epoch in range(int(sys.argv[1])):
    total = Value(0.0)
    for x, y in data:
        h = [(sum(w * xi for w, xi in zip(row, x)) + b).tanh() for row, b in zip(W1, b1)]
        out = (sum(w * hi for w, hi in zip(W2, h)) + b2).sigmoid()
        total = total + bce(out, y)
    loss = total / len(data)
    opt.zero_grad()
    loss.backward()
    norm = math.sqrt(sum(p.grad ** 2 for p in params))
    if norm > 1.0:
        for p in params:
            p.grad *= 1.0 / norm
    opt.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch} loss {loss.data:.12f} norm {norm:.12f}")
"""
)
GPT = """import math, random, sys
random.seed(23)
STEPS = int(sys.argv[1])
class Value:
    __slots__ = ('data', 'grad', '_children', '_local_grads')
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
EXTRA
    def backward(self):
        path = []
        met = set()
        def go(v):
            if v not in met:
                met.add(v)
                for below in v._children:
                    go(below)
                path.append(v)
        go(self)
        self.grad = 1
        for v in reversed(path):
            for below, slope in zip(v._children, v._local_grads):
                below.grad += slope * v.grad
"""
WORDS = """
words = "emma olivia ava isabella sophia mia charlotte amelia harper evelyn abigail emily".split()
chars = ['.'] + sorted(set(''.join(words)))
stoi = {c: i for i, c in enumerate(chars)}
itos = {i: c for c, i in stoi.items()}
V = len(chars)
def matrix(nout, nin, std=0.1): return [[Value(random.gauss(0, std)) for _ in range(nin)] for _ in range(nout)]
def linear(x, w): return [sum(wi * xi for wi, xi in zip(wo, x)) for wo in w]
def softmax(logits):
    top = max(z.data for z in logits)
    powers = [(z - top).exp() for z in logits]
    whole = sum(powers)
    return [e / whole for e in powers]
"""


def gpt(extra, body):
    return GPT.replace("EXTRA", extra) + WORDS + body


GELU = """    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, (self,), (1 - t * t,))
    def gelu(self):
        return 0.5 * self * (1 + (math.sqrt(2 / math.pi) * (self + 0.044715 * self ** 3)).tanh())
    def silu(self):
        s = 1 / (1 + math.exp(-self.data))
        return Value(self.data * s, (self,), (s * (1 + self.data * (1 - s)),))
    def sqrt(self): return self ** 0.5
"""
TRAININGS["rope gelu layernorm cosine topk"] = gpt(
    GELU,
    """
D, H, L, T = 8, 2, 1, 8
HD = D // H
sd = {'wte': matrix(V, D), 'ln_g': [Value(1.0) for _ in range(D)], 'ln_b': [Value(0.0) for _ in range(D)]}
for l in range(L):
    for k in ('q', 'k', 'v', 'o'):
        sd[f'{l}.{k}'] = matrix(D, D)
    sd[f'{l}.up'] = matrix(4 * D, D)
    sd[f'{l}.down'] = matrix(D, 4 * D)
def flatten(x):
    for item in x:
        if isinstance(item, list):
            yield from flatten(item)
        else:
            yield item
params = list(flatten(list(sd.values())))
def layernorm(x, g, b):
    mu = sum(x) / len(x)
    var = sum((xi - mu) ** 2 for xi in x) / len(x)
    inv = (var + 1e-5) ** -0.5
    return [gi * ((xi - mu) * inv) + bi for xi, gi, bi in zip(x, g, b)]
def rope(vec, pos):
    out = []
    for i in range(0, len(vec), 2):
        theta = pos / (10000 ** (i / len(vec)))
        c, s = math.cos(theta), math.sin(theta)
        a, b = vec[i], vec[i + 1]
        out.append(a * c - b * s)
        out.append(a * s + b * c)
    return out
def forward(tok, pos, K, W):
    x = sd['wte'][tok]
    for l in range(L):
        res = x
        x = layernorm(x, sd['ln_g'], sd['ln_b'])
        q, k, v = (linear(x, sd[f'{l}.{n}']) for n in 'qkv')
        K[l].append([rope(k[h * HD:(h + 1) * HD], pos) for h in range(H)])
        W[l].append(v)
        heads = []
        for h in range(H):
            qh = rope(q[h * HD:(h + 1) * HD], pos)
            att = softmax([sum(a * b for a, b in zip(qh, kk[h])) / math.sqrt(HD) for kk in K[l]])
            for j in range(HD):
                heads.append(sum(w * vv[h * HD + j] for w, vv in zip(att, W[l])))
        x = [a + b for a, b in zip(linear(heads, sd[f'{l}.o']), res)]
        res = x
        x = layernorm(x, sd['ln_g'], sd['ln_b'])
        x = [z.gelu() for z in linear(x, sd[f'{l}.up'])]
        x = [a + b for a, b in zip(linear(x, sd[f'{l}.down']), res)]
    return linear(x, sd['wte'])
def lr_at(step, warm=3, peak=0.02, low=0.001):
    if step < warm:
        return peak * (step + 1) / warm
    t = (step - warm) / max(1, STEPS - warm)
    return low + 0.5 * (peak - low) * (1 + math.cos(math.pi * t))
m = [0.0 for _ in params]
v = [0.0 for _ in params]
best = float('inf')
for step in range(STEPS):
    word = words[step % len(words)]
    toks = [0] + [stoi[c] for c in word] + [0]
    K, W = [[] for _ in range(L)], [[] for _ in range(L)]
    losses = []
    for pos, (a, b) in enumerate(zip(toks, toks[1:])):
        if pos >= T: break
        p = softmax(forward(a, pos, K, W))
        losses.append(-p[b].log())
    loss = sum(losses) / len(losses)
    loss.backward()
    lr = lr_at(step)
    gnorm = sum(p.grad ** 2 for p in params) ** 0.5
    clip = min(1.0, 1.0 / (gnorm + 1e-6))
    for i, p in enumerate(params):
        g = p.grad * clip
        m[i] = 0.9 * m[i] + 0.1 * g
        v[i] = 0.95 * v[i] + 0.05 * g ** 2
        mh = m[i] / (1 - 0.9 ** (step + 1))
        vh = v[i] / (1 - 0.95 ** (step + 1))
        p.data -= lr * (mh / (vh ** 0.5 + 1e-8) + 0.01 * p.data)
        p.grad = 0
    best = min(best, loss.data)
    print(step, repr(loss.data), f'{gnorm:.15g}', best)
def sample(k=3, temperature=0.8):
    K, W = [[] for _ in range(L)], [[] for _ in range(L)]
    tok, out = 0, ''
    for pos in range(T):
        logits = [z.data / temperature for z in forward(tok, pos, K, W)]
        top = sorted(range(V), key=lambda i: -logits[i])[:k]
        mx = max(logits[i] for i in top)
        ws = [math.exp(logits[i] - mx) for i in top]
        tok = random.choices(top, weights=ws)[0]
        if tok == 0: break
        out += itos[tok]
    return out
print([sample() for _ in range(4)])
""",
)
TRAININGS["moe"] = gpt(
    GELU,
    """
D, E = 8, 4
wte, head = matrix(V, D), matrix(V, D)
router = matrix(E, D)
experts = [(matrix(16, D), matrix(D, 16)) for _ in range(E)]
params = [p for w in (wte, head, router) for r in w for p in r] + [p for up, down in experts for w in (up, down) for r in w for p in r]
def rms(x):
    ms = sum(xi * xi for xi in x) / len(x)
    s = (ms + 1e-5) ** -0.5
    return [xi * s for xi in x]
def moe(x):
    gate = softmax(linear(x, router))
    top = sorted(range(E), key=lambda i: gate[i].data, reverse=True)[:2]
    norm = sum(gate[i] for i in top)
    out = [Value(0.0) for _ in range(D)]
    for i in top:
        up, down = experts[i]
        h = [z.silu() for z in linear(x, up)]
        y = linear(h, down)
        g = gate[i] / norm
        out = [o + g * yi for o, yi in zip(out, y)]
    load[top[0]] += 1
    return out, gate
load = [0] * E
mom = [0.0] * len(params)
for step in range(STEPS):
    w = words[step % len(words)]
    toks = [0] + [stoi[c] for c in w] + [0]
    loss, aux = 0, 0
    for a, b in zip(toks, toks[1:]):
        y, gate = moe(rms(wte[a]))
        x = [p + q for p, q in zip(wte[a], y)]
        probs = softmax(linear(x, head))
        loss += -probs[b].log()
        aux += sum(g * g for g in gate)
    loss = loss / (len(toks) - 1) + 0.01 * aux
    loss.backward()
    for i, p in enumerate(params):
        mom[i] = 0.9 * mom[i] + p.grad
        p.data -= 0.05 * mom[i]
        p.grad = 0
    print(step, loss.data, load)
""",
)
TRAININGS["lora freeze"] = gpt(
    "",
    """
D, R = 8, 2
base = matrix(V, D)
W = matrix(D, D)
head = matrix(V, D)
A, B = matrix(R, D), [[Value(0.0) for _ in range(R)] for _ in range(D)]
frozen = {id(p) for w in (base, W, head) for r in w for p in r}
trainable = [p for w in (A, B) for r in w for p in r]
everything = [p for w in (base, W, head, A, B) for r in w for p in r]
def lora(x):
    y = linear(x, W)
    z = linear(linear(x, A), B)
    return [a + 2.0 * b for a, b in zip(y, z)]
print(len(frozen), len(trainable))
state = {}
for step in range(STEPS):
    w = words[step % len(words)]
    toks = [0] + [stoi[c] for c in w] + [0]
    losses = []
    for a, b in zip(toks, toks[1:]):
        h = [z.relu() for z in lora(base[a])]
        p = softmax(linear(h, head))
        losses.append(-p[b].log())
    loss = sum(losses) * (1 / len(losses))
    for p in everything:
        p.grad = 0
    loss.backward()
    for p in trainable:
        m, v = state.get(id(p), (0.0, 0.0))
        m = 0.9 * m + 0.1 * p.grad
        v = 0.99 * v + 0.01 * p.grad ** 2
        state[id(p)] = (m, v)
        p.data -= 0.05 * m / (math.sqrt(v) + 1e-8)
    print(step, loss.data)
""",
)
TRAININGS["free backward stack"] = (
    GPT.replace("EXTRA", "").split("    def backward")[0]
    + """
def pathsort(root):
    order, seen, stack = [], set(), [(root, 0)]
    seen.add(root)
    while stack:
        node, i = stack.pop()
        if i < len(node._children):
            stack.append((node, i + 1))
            child = node._children[i]
            if child not in seen:
                seen.add(child)
                stack.append((child, 0))
        else:
            order.append(node)
    return order
def backward(loss):
    order = pathsort(loss)
    loss.grad = 1
    for v in reversed(order):
        for child, g in zip(v._children, v._local_grads):
            child.grad += g * v.grad
"""
    + WORDS
    + """
D = 8
wte, w1, head = matrix(V, D), matrix(16, D), matrix(V, 16)
params = [p for w in (wte, w1, head) for r in w for p in r]
for step in range(STEPS):
    w = words[step % len(words)]
    toks = [0] + [stoi[c] for c in w] + [0]
    loss = 0
    for a, b in zip(toks, toks[1:]):
        h = [z.relu() for z in linear(wte[a], w1)]
        loss = loss - softmax(linear(h, head))[b].log()
    loss = loss / (len(toks) - 1)
    backward(loss)
    for p in params:
        p.data -= 0.1 * p.grad
        p.grad = 0
    print(step, loss.data)
"""
)
TRAININGS["fused ce batches val"] = gpt(
    """    @staticmethod
    def cross_entropy(logits, target):
        m = max(l.data for l in logits)
        exps = [math.exp(l.data - m) for l in logits]
        s = sum(exps)
        probs = [e / s for e in exps]
        grads = tuple(p - (1.0 if i == target else 0.0) for i, p in enumerate(probs))
        return Value(-math.log(probs[target]), tuple(logits), grads)
""",
    """
D, C = 6, 3
emb, w1, w2 = matrix(V, D), matrix(20, C * D), matrix(V, 20)
b1 = [Value(0) for _ in range(20)]
params = [p for m in (emb, w1, w2) for r in m for p in r] + b1
X, Y = [], []
for w in words:
    ctx = [0] * C
    for ch in w + '.':
        X.append(list(ctx)); Y.append(stoi[ch])
        ctx = ctx[1:] + [stoi[ch]]
n = int(0.9 * len(X))
idx = list(range(len(X)))
random.shuffle(idx)
train, val = idx[:n], idx[n:]
def model(ctx):
    x = [v for t in ctx for v in emb[t]]
    h = [(z + b).relu() for z, b in zip(linear(x, w1), b1)]
    return linear(h, w2)
def evaluate(ids):
    return sum(Value.cross_entropy(model(X[i]), Y[i]).data for i in ids) / len(ids)
for step in range(STEPS):
    batch = random.sample(train, 4)
    loss = sum(Value.cross_entropy(model(X[i]), Y[i]) for i in batch) / len(batch)
    for p in params: p.grad = 0
    loss.backward()
    for p in params: p.data -= 0.1 * p.grad
    if step % 10 == 0:
        print(step, loss.data, evaluate(val))
""",
)
TRAININGS["class methods minibatch svm"] = (
    CLOSURES.replace("self._prev = tuple(_children)", "self._prev = list(_children)")
    + """
    def relu(self):
        made = Value(0 if self.data < 0 else self.data, (self,), 'ReLU')
        def _backward():
            self.grad += (made.data > 0) * made.grad
        made._backward = _backward
        return made
    def zero_grad(self):
        self.grad = 0.0
class Linear:
    def __init__(self, i, o):
        k = 1 / math.sqrt(i)
        self.W = [[Value(random.uniform(-k, k)) for _ in range(i)] for _ in range(o)]
        self.b = [Value(0.0) for _ in range(o)]
    def __call__(self, x):
        return [sum([w * xi for w, xi in zip(row, x)], start=b) for row, b in zip(self.W, self.b)]
    def parameters(self):
        return [w for row in self.W for w in row] + self.b
class Net:
    def __init__(self):
        self.l1, self.l2 = Linear(2, 12), Linear(12, 1)
    def __call__(self, x):
        return self.l2([h.relu() for h in self.l1(x)])[0]
    def parameters(self):
        return self.l1.parameters() + self.l2.parameters()
import sys
random.seed(3)
pts = [(random.gauss(0, 1), random.gauss(0, 1)) for _ in range(40)]
lab = [1 if x * y > 0 else -1 for x, y in pts]
net = Net()
for step in range(int(sys.argv[1])):
    ri = random.sample(range(40), 10)
    scores = {i: net(pts[i]) for i in ri}
    losses = [(1 + -lab[i] * scores[i]).relu() for i in ri]
    data_loss = sum(losses) * (1.0 / len(losses))
    reg = 1e-4 * sum((p * p for p in net.parameters()))
    total = data_loss + reg
    [p.zero_grad() for p in net.parameters()]
    total.backward()
    lr = 1.0 - 0.9 * step / 100
    for p in net.parameters():
        p.data -= lr * p.grad
    acc = [(lab[i] > 0) == (scores[i].data > 0) for i in ri]
    print(f"step {step} loss {total.data}, accuracy {sum(acc) / len(acc) * 100}%")
"""
)
TRAININGS["type hints dataclass config"] = '''from __future__ import annotations
import math, random, sys
from dataclasses import dataclass
from typing import List, Tuple, Union, Iterable
Number = Union[int, float]
@dataclass
class Config:
    n_hidden: int = 8
    lr: float = 0.05
    steps: int = 10
class Scalar:
    """A scalar with autograd."""
    def __init__(self, value: Number, parents: Tuple["Scalar", ...] = (), local: Tuple[Number, ...] = (), name: str = "") -> None:
        self.value = float(value)
        self.grad = 0.0
        self.parents = parents
        self.local = local
        self.name = name
    @staticmethod
    def wrap(x: Union["Scalar", Number]) -> "Scalar":
        return x if isinstance(x, Scalar) else Scalar(x)
    def __add__(self, o):
        o = Scalar.wrap(o)
        return Scalar(self.value + o.value, (self, o), (1.0, 1.0))
    def __mul__(self, o):
        o = Scalar.wrap(o)
        return Scalar(self.value * o.value, (self, o), (o.value, self.value))
    def __sub__(self, o):
        o = Scalar.wrap(o)
        return Scalar(self.value - o.value, (self, o), (1.0, -1.0))
    def __truediv__(self, o):
        o = Scalar.wrap(o)
        return Scalar(self.value / o.value, (self, o), (1.0 / o.value, -self.value / (o.value * o.value)))
    def __neg__(self): return Scalar(-self.value, (self,), (-1.0,))
    __radd__ = __add__
    __rmul__ = __mul__
    def __rsub__(self, o): return Scalar.wrap(o) - self
    def __rtruediv__(self, o): return Scalar.wrap(o) / self
    def tanh(self):
        t = math.tanh(self.value)
        return Scalar(t, (self,), (1.0 - t * t,))
    def square(self): return self * self
    def backward(self) -> None:
        order: List[Scalar] = []
        seen = set()
        stack = [(self, False)]
        while stack:
            node, expanded = stack.pop()
            if expanded:
                order.append(node)
                continue
            if node in seen:
                continue
            seen.add(node)
            stack.append((node, True))
            for p in node.parents:
                if p not in seen:
                    stack.append((p, False))
        for node in order:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(order):
            for p, l in zip(node.parents, node.local):
                p.grad += l * node.grad
    def __repr__(self): return f"Scalar({self.value:.6f}, grad={self.grad:.6f})"
def main():
    cfg = Config(steps=int(sys.argv[1]))
    rng = random.Random(5)
    w1 = [Scalar(rng.gauss(0, 1)) for _ in range(cfg.n_hidden)]
    b1 = [Scalar(0.0) for _ in range(cfg.n_hidden)]
    w2 = [Scalar(rng.gauss(0, 1)) for _ in range(cfg.n_hidden)]
    params = [*w1, *b1, *w2]
    xs = [i / 10 for i in range(-10, 11)]
    for step in range(cfg.steps):
        loss = Scalar(0.0)
        for x in xs:
            y = Scalar(0.0)
            for a, b, c in zip(w1, b1, w2):
                y = y + c * (a * x + b).tanh()
            loss = loss + (y - math.sin(3 * x)).square()
        loss = loss / len(xs)
        loss.backward()
        for p in params:
            p.value -= cfg.lr * p.grad
        print(step, loss)
    print(params[0], max(p.grad for p in params))
if __name__ == "__main__":
    main()
'''
TRAININGS["optimiser classes ema"] = gpt(
    "",
    """
class Optimizer:
    def __init__(self, params): self.params = list(params)
    def zero_grad(self):
        for p in self.params: p.grad = 0
class Adam(Optimizer):
    def __init__(self, params, lr=0.01, b1=0.9, b2=0.99, eps=1e-8):
        super().__init__(params)
        self.lr, self.b1, self.b2, self.eps, self.t = lr, b1, b2, eps, 0
        self.m = [0.0 for _ in self.params]
        self.v = [0.0 for _ in self.params]
    def step(self):
        self.t += 1
        for i, p in enumerate(self.params):
            self.m[i] = self.b1 * self.m[i] + (1 - self.b1) * p.grad
            self.v[i] = self.b2 * self.v[i] + (1 - self.b2) * p.grad ** 2
            m_hat = self.m[i] / (1 - self.b1 ** self.t)
            v_hat = self.v[i] / (1 - self.b2 ** self.t)
            p.data -= self.lr * m_hat / (v_hat ** 0.5 + self.eps)
class EMA:
    def __init__(self, params, decay=0.9):
        self.params, self.decay = params, decay
        self.shadow = [p.data for p in params]
    def update(self):
        self.shadow = [self.decay * s + (1 - self.decay) * p.data for s, p in zip(self.shadow, self.params)]
D = 8
wte, wpe, head = matrix(V, D), matrix(16, D), matrix(V, D)
params = [p for w in (wte, wpe, head) for r in w for p in r]
opt, ema = Adam(params), EMA(params)
for step in range(STEPS):
    w = random.choice(words)
    toks = [0] + [stoi[c] for c in w] + [0]
    losses = []
    for pos, (a, b) in enumerate(zip(toks[:-1], toks[1:])):
        x = [t + p for t, p in zip(wte[a], wpe[pos])]
        losses.append(-softmax(linear(x, head))[b].log())
    loss = sum(losses) / len(losses)
    opt.zero_grad()
    loss.backward()
    opt.step()
    ema.update()
    print(step, loss.data, sum(abs(a - p.data) for a, p in zip(ema.shadow, params)))
""",
)
TRAININGS["diffusion 1d"] = (
    CLOSURES
    + """
    def silu(self):
        s = 1.0 / (1.0 + math.exp(-self.data))
        made = Value(self.data * s, (self,), 'silu')
        def _backward():
            self.grad += (s + self.data * s * (1 - s)) * made.grad
        made._backward = _backward
        return made
import sys
from itertools import chain
rng = random.Random(7)
T = 10
betas = [1e-3 + (0.2 - 1e-3) * t / (T - 1) for t in range(T)]
abar, prod = [], 1.0
for b in betas:
    prod *= 1 - b
    abar.append(prod)
H = 12
w1 = [[Value(rng.gauss(0, 0.5)) for _ in range(3)] for _ in range(H)]
w2 = [[Value(rng.gauss(0, 0.5)) for _ in range(H)] for _ in range(1)]
params = list(chain(*w1, *w2))
def net(x, t):
    inp = [Value(x), Value(t / T), Value(1.0)]
    h = [sum(a * b for a, b in zip(row, inp)).silu() for row in w1]
    return sum(a * b for a, b in zip(w2[0], h))
for it in range(int(sys.argv[1])):
    loss = Value(0.0)
    for _ in range(6):
        x0 = rng.choice([-1.0, 1.0]) + rng.gauss(0, 0.1)
        t = rng.randrange(T)
        eps = rng.gauss(0, 1)
        xt = math.sqrt(abar[t]) * x0 + math.sqrt(1 - abar[t]) * eps
        loss = loss + (net(xt, t) - eps) ** 2
    loss = loss * (1 / 6)
    for p in params: p.grad = 0.0
    loss.backward()
    lr = 0.05 * (0.99 ** it)
    for p in params: p.data -= lr * max(-1.0, min(1.0, p.grad))
    if it % 5 == 0: print(it, loss.data, lr)
x = rng.gauss(0, 1)
for t in reversed(range(T)):
    e = net(x, t).data
    x = (x - betas[t] / math.sqrt(1 - abar[t]) * e) / math.sqrt(1 - betas[t]) + (math.sqrt(betas[t]) * rng.gauss(0, 1) if t else 0.0)
print('sample', x)
"""
)
TRAININGS["rnn bptt"] = gpt(
    """    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, (self,), (1 - t ** 2,))
    def __repr__(self): return f"Value({self.data:.4f})"
""",
    """
H = 8
wx, wh, wo = matrix(H, V), matrix(H, H), matrix(V, H)
bh = [Value(0.0)] * H
bh = [Value(0.0) for _ in range(H)]
params = [p for w in (wx, wh, wo) for r in w for p in r] + bh
h0 = [Value(0.0) for _ in range(H)]
def cell(ix, h):
    wh_h = linear(h, wh)
    return [(wx[j][ix] + wh_h[j] + bh[j]).tanh() for j in range(H)]
mem = [0.0] * len(params)
for step in range(STEPS):
    w = words[step % len(words)]
    toks = [0] + [stoi[c] for c in w] + [0]
    h, nll = h0, 0.0
    for a, b in zip(toks, toks[1:]):
        h = cell(a, h)
        p = softmax(linear(h, wo))
        nll = nll + -(p[b].log())
    nll = nll / float(len(toks) - 1)
    nll.backward()
    for j, p in enumerate(params):
        g = max(-5, min(5, p.grad))
        mem[j] += g * g
        p.data += -0.1 * g / math.sqrt(mem[j] + 1e-8)
        p.grad = 0.0
    print("iter", step, "loss", nll.data, h[0])
""",
)
TRAININGS["micrograd package nn module"] = (
    CLOSURES
    + """
class Module:
    def zero_grad(self):
        for p in self.parameters():
            p.grad = 0
    def parameters(self):
        return []
class Dense(Module):
    def __init__(self, nin, nout, act=None):
        self.w = [[Value(random.uniform(-1, 1) / nin ** 0.5) for _ in range(nin)] for _ in range(nout)]
        self.b = [Value(0) for _ in range(nout)]
        self.act = act
    def __call__(self, x):
        z = [sum((wi * xi for wi, xi in zip(ws, x)), b) for ws, b in zip(self.w, self.b)]
        return [self.act(v) for v in z] if self.act else z
    def parameters(self):
        return [p for ws in self.w for p in ws] + self.b
    def __repr__(self):
        return f"Dense({len(self.w[0])}, {len(self.w)})"
class Sequential(Module):
    def __init__(self, *layers): self.layers = layers
    def __call__(self, x):
        for l in self.layers: x = l(x)
        return x
    def parameters(self):
        return [p for l in self.layers for p in l.parameters()]
import sys, time
random.seed(9)
model = Sequential(Dense(4, 8, Value.tanh), Dense(8, 3))
print(model.layers, len(model.parameters()))
data = [([random.gauss(c, 0.5) for _ in range(4)], c) for c in (0, 1, 2) for _ in range(6)]
start = time.time()
for step in range(int(sys.argv[1])):
    loss = 0
    for x, y in data:
        logits = model(x)
        m = max(l.data for l in logits)
        es = [(l - m).exp() for l in logits]
        p = es[y] / sum(es)
        loss = loss + (1 - p) ** 2
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data -= 0.1 * p.grad
    print(step, loss.data)
print(time.time() - start < 1e9)
"""
)
