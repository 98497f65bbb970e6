"""Scripts as people write them: flat.py and moons.py with other classes, other loops, other imports.

Each has a name, what is changed in which of the two, and the factor by which `isograd run` must be
faster than plain Python at the least, the start of both left out. Then their twins: the same with one
detail that makes another program, of which nothing is asked but the same output.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).parent / "scripts"
FLAT = (SCRIPTS / "flat.py").read_text()
MOONS = (SCRIPTS / "moons.py").read_text()

Changes = list[tuple[str, str]]


class Wild(NamedTuple):
    name: str
    source: str
    factor: float
    steps: int
    options: tuple[str, ...] = ()


def changed(source: str, changes: Changes) -> str:
    for old, new in changes:
        assert old in source, f"{old!r} is not in the script any more"
        source = source.replace(old, new)
    return source


# ---- pieces ----

RECURSION = FLAT[FLAT.index("        path = []") : FLAT.index("        self.grad = 1\n")]
UPDATE = FLAT[FLAT.index("    for i, p in enumerate(params):\n") : FLAT.index('    print(f"step')]
LAST = FLAT[FLAT.index("print(i, p.data") : FLAT.index("for p in params:\n    print(p")]
SHOWN = "print(p.data.hex(), p.grad)\n"
METHODS = "    def log(self)"
BEFORE = "def linear("
START = "speed, keep1"
STACK = """        path, met = [], set()
        stack = [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                path.append(node)
                continue
            if node in met:
                continue
            met.add(node)
            stack.append((node, True))
            for below in reversed(node._children):
                if below not in met:
                    stack.append((below, False))
"""
ITERATORS = """        path, met = [], {self}
        stack = [(self, iter(self._children))]
        while stack:
            node, rest = stack[-1]
            for below in rest:
                if below not in met:
                    met.add(below)
                    stack.append((below, iter(below._children)))
                    break
            else:
                path.append(node)
                stack.pop()
"""
FREE = """def backward(root):
    order, seen = [], set()

    def walk(node):
        if node in seen:
            return
        seen.add(node)
        for below in node._children:
            walk(below)
        order.append(node)

    walk(root)
    root.grad = 1
    for node in reversed(order):
        for below, slope in zip(node._children, node._local_grads):
            below.grad += slope * node.grad


"""
SORT = """def sort(root):
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


"""
TOP = """        node, i = stack[-1]
        if i < len(node._children):
            stack[-1] = (node, i + 1)
            child = node._children[i]
            if child not in seen:
                seen.add(child)
                stack.append((child, 0))
        else:
            order.append(stack.pop()[0])
"""
SPLIT = SORT + """def backward(root):
    path = sort(root)
    root.grad = 1
    for node in reversed(path):
        for below, slope in zip(node._children, node._local_grads):
            below.grad += slope * node.grad


"""
METHOD = FLAT[FLAT.index("    def backward(self)") : FLAT.index("n_layer, n_embd")]
DIRECT = """    def __truediv__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(
            self.data / other.data, (self, other), (1 / other.data, -self.data / other.data**2)
        )
"""
DIVISION = ("    def __truediv__(self, other):\n        return self * other**-1\n", "    def __truediv__(self, other):\n        other = other if isinstance(other, Value) else Value(other)\n        out = Value(self.data / other.data, (self, other), '/')\n\n        def _backward():\n            self.grad += (1 / other.data) * out.grad\n            other.grad += (-self.data / other.data**2) * out.grad\n\n        out._backward = _backward\n        return out\n")
GELU = """    def gelu(self):
        x = self.data
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        t = math.tanh(inner)
        slope = 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (
            1 + 3 * 0.044715 * x**2
        )
        return Value(0.5 * x * (1 + t), (self,), (slope,))
    def sigmoid(self):
        s = 1 / (1 + math.exp(-self.data))
        return Value(s, (self,), (s * (1 - s),))
    def leaky(self, slope=0.01):
        return Value(
            self.data if self.data > 0 else slope * self.data,
            (self,),
            (1.0 if self.data > 0 else slope,),
        )
"""
LAYERNORM = """def rmsnorm(vector):
    mean = sum(vector) / len(vector)
    centred = [number - mean for number in vector]
    factor = (sum(number**2 for number in centred) / len(vector) + 1e-5) ** -0.5
    return [number * factor for number in centred]


def unused("""
NORM = ("def rmsnorm(", LAYERNORM)
ADAMW = """    t = step + 1
    for i in range(len(params)):
        p = params[i]
        g = p.grad
        m[i] = keep1 * m[i] + (1 - keep1) * g
        v[i] = keep2 * v[i] + (1 - keep2) * g * g
        m_hat = m[i] / (1 - keep1**t)
        v_hat = v[i] / (1 - keep2**t)
        p.data = p.data - pace * (m_hat / (math.sqrt(v_hat) + tiny) + 0.01 * p.data)
        p.grad = 0.0
"""
CLIPPED = """    total = 0.0
    for p in params:
        total += p.grad**2
    norm = math.sqrt(total)
    if norm > 0.5:
        scale = 0.5 / (norm + 1e-6)
        for p in params:
            p.grad *= scale
    print(norm.hex())
"""
MOMENTUM = """    for i, p in enumerate(params):
        speeds[i] = 0.9 * speeds[i] + p.grad
        p.data -= pace * speeds[i]
        p.grad = 0
"""
SGD = "    for p in params:\n        p.data -= pace * p.grad\n    for p in params:\n        p.grad = 0\n"
OPTIMISER = """class Optimiser:
    def __init__(self, params, beta=0.9):
        self.params = params
        self.m = [0.0 for _ in params]
        self.beta = beta
        self.nesterov = True
        self.ema = [p.data for p in params]

    def step(self, rate):
        for i, p in enumerate(self.params):
            self.m[i] = self.beta * self.m[i] + (1 - self.beta) * p.grad
            if self.nesterov:
                change = self.beta * self.m[i] + p.grad
            else:
                change = self.m[i]
            p.data -= rate * change
            self.ema[i] = 0.99 * self.ema[i] + 0.01 * p.data

    def zero_grad(self):
        for p in self.params:
            p.grad = 0.0


optimiser = Optimiser(params)
p = params[-1]
"""
BOUNDED = """    for p in params:
        if p.grad > 0.05:
            g = 0.05
        elif p.grad < -0.05:
            g = -0.05
        else:
            g = p.grad
        p.data -= pace * max(-1.0, min(1.0, g))
        p.grad = 0
"""
COSINE = "pace = speed * 0.5 * (1 + math.cos(math.pi * step / steps))"
BATCH = [
    (
        "    doc = docs[step % len(docs)]\n",
        "    parts = []\n    for doc in docs[step % 3 : step % 3 + 2]:\n",
    ),
    ("    tokens = [BOS] + [", "        tokens = [BOS] + ["),
    ("    count = min(", "        count = min("),
    (
        "    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]\n    parts = []\n    for place",
        "        keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]\n        for place",
    ),
    (
        "        probs = softmax(gpt(tokens[place], place, keys, values))\n        parts",
        "            probs = softmax(gpt(tokens[place], place, keys, values))\n            parts",
    ),
    ("(1 / count)", "(1 / len(parts))"),
]

NO_SLOTS = ('    __slots__ = ("data", "grad", "_children", "_local_grads")  # less memory\n', "")
FUSED = """    @staticmethod
    def fused(scores, target):
        top = max(score.data for score in scores)
        powers = [math.exp(score.data - top) for score in scores]
        whole = sum(powers)
        grads = [power / whole for power in powers]
        grads[target] -= 1.0
        return Value(-math.log(powers[target] / whole), tuple(scores), grads)

"""
FUSED_LOSS: Changes = [
    ("    def backward(self):", FUSED + "    def backward(self):"),
    ("probs = softmax(gpt(tokens[place], place, keys, values))\n        parts.append(-probs[tokens[place + 1]].log())", "scores = gpt(tokens[place], place, keys, values)\n        parts.append(Value.fused(scores, tokens[place + 1]))"),
    ("speed, keep1", "kept = []\nspeed, keep1"),
]
LECTURE: Changes = [
    ("self.grad += out.grad", "self.grad += 1.0 * out.grad"),
    ("other.grad += out.grad", "other.grad += 1.0 * out.grad"),
    ("self.grad = 0\n", "self.grad = 0.0\n"),
    ("self.grad = 1\n", "self.grad = 1.0\n"),
]
TRACE = """
def trace(root):
    nodes, edges = [], []

    def build(v):
        if v not in nodes:
            nodes.append(v)
            for child in v._prev:
                edges.append((child, v))
                build(child)

    build(root)
    return nodes, edges


e = 2 - d**2.0 / (b**3 + 1).relu() + (b * 0.5) ** -1
e.label = "e"
e.backward()
nodes, edges = trace(e)
for v in nodes:
    print(repr(v._op), v.label, v.data, v.grad, len(v._prev), [x._op for x in v._prev])
print(len(edges), a in e._prev, [below is b for below in (a + b)._prev])
stack = [e]
while stack:
    v = stack.pop()
    print(v._op, end=" ")
    stack.extend(v._prev)
a._op = "mine"
print((a + a)._op, a._op, Value(1)._op, Value(1, (), "given")._op, sum([a, b])._op)
print()
"""
AFTER = "n_layer, n_embd, n_head, block = 1"
BASE = """class Operators:
    \"\"\"What follows from sums, products and powers.\"\"\"

    def __neg__(self): return self * -1
    def __radd__(self, other): return self + other
    def __sub__(self, other): return self + (-other)
    def __rsub__(self, other): return other + (-self)
    def __rmul__(self, other): return self * other
    def __truediv__(self, other): return self * other**-1
    def __rtruediv__(self, other): return other * self**-1
    def item(self): return self.data


class Value(Operators):"""
DERIVED_OPERATORS = FLAT[FLAT.index("    def __neg__") : FLAT.index("    def backward(self)")]
TANH = """def bend(self):
    t = math.tanh(self.data)
    return Value(t, (self,), (1 - t**2,))


Value.tanh = bend
Value.square = lambda self: self * self
LIMIT = 3


"""
ALIASES = """Value.__radd__ = Value.__add__
Value.__rmul__ = lambda self, other: self * other


"""
MADE = """def begin(self, data, children=(), local_grads=()):
    self.data, self.grad = data, 0
    self._children, self._local_grads = children, local_grads


def plus(self, other):
    other = other if isinstance(other, Value) else Value(other)
    return Value(self.data + other.data, (self, other), (1, 1))


def times(self, other):
    other = other if isinstance(other, Value) else Value(other)
    return Value(self.data * other.data, (self, other), (other.data, self.data))


def back(self):
    path, met = [], set()

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


Value = type("Value", (), {
    "__slots__": ("data", "grad", "_children", "_local_grads"),
    "__init__": begin,
    "__add__": plus,
    "__mul__": times,
    "__pow__": lambda self, k: Value(self.data**k, (self,), (k * self.data ** (k - 1),)),
    "log": lambda self: Value(math.log(self.data), (self,), (1 / self.data,)),
    "exp": lambda self: Value(math.exp(self.data), (self,), (math.exp(self.data),)),
    "relu": lambda self: Value(max(0, self.data), (self,), (float(self.data > 0),)),
    "__neg__": lambda self: self * -1,
    "__radd__": lambda self, other: self + other,
    "__sub__": lambda self, other: self + (-other),
    "__rsub__": lambda self, other: other + (-self),
    "__rmul__": lambda self, other: self * other,
    "__truediv__": lambda self, other: self * other**-1,
    "__rtruediv__": lambda self, other: other * self**-1,
    "backward": back,
})


"""
CLASS = FLAT[FLAT.index("class Value:") : FLAT.index(AFTER)]
RADD = "    def __radd__(self, other): return self + other\n"
RMUL = "    def __rmul__(self, other): return self * other\n"
ASKED = "\nfor call in (lambda: x.tanh(1), lambda: x.square(1, 2), lambda: x.tanh().nothing):\n    x = Value(0.5)\n    try:\n        call()\n    except (TypeError, AttributeError) as error:\n        print(error)\n"


def update(new: str, before: str = "") -> Changes:
    return [
        (UPDATE, new),
        (LAST, SHOWN),
        ("for step in range(steps):", before + "for step in range(steps):"),
    ]


FLOATS: Changes = [
    ("self.data = data", "self.data = float(data)"),
    ("self.grad = 0\n", "self.grad = 0.0\n"),
    ("(1, 1))", "(1.0, 1.0))"),
    ("self.grad = 1\n", "self.grad = 1.0\n"),
]
NAMES: Changes = [
    ("self.data", "self.d"),
    (".data", ".d"),
    ("self.grad", "self.g"),
    (".grad", ".g"),
    ('"data", "grad"', '"d", "g"'),
    ("_children", "c"),
    ("_local_grads", "l"),
]
SLOTS = ('"_local_grads")', '"_local_grads", "label")')
LABEL = [SLOTS, ("local_grads=()):", 'local_grads=(), label=""):\n        self.label = label')]
IMPORTS = "import sys"


def flat(name: str, factor: float, *changes: tuple[str, str]) -> Wild:
    return Wild(name, changed(FLAT, list(changes)), factor, 30)


def moons(
    name: str, factor: float, *changes: tuple[str, str], options: tuple[str, ...] = ()
) -> Wild:
    return Wild(name, changed(MOONS, list(changes)), factor, 12, options)


WILD = [
    # imports that cannot reach the class
    flat("matplotlib", 40, (IMPORTS, "import sys\ntry:\n    import matplotlib.pyplot as plt\nexcept ImportError:\n    plt = None")),
    flat("numpy for means", 40, (IMPORTS, "import sys\ntry:\n    import numpy as np\n    np.random.seed(3)\n    print(float(np.mean([1.0, 2.0])))\nexcept ImportError:\n    pass")),
    flat("pickle, copy, json", 40, (IMPORTS, "import sys, json, pickle, copy, subprocess"), (BEFORE, "best = copy.deepcopy(params)\nsaved = pickle.dumps([p.data for p in params])\nprint(len(saved), best[0].data, json.dumps(1))\n\ndef linear(")),
    flat("futures", 40, (IMPORTS, "import sys\nfrom concurrent.futures import ThreadPoolExecutor"), (BEFORE, "with ThreadPoolExecutor(2) as pool:\n    print(list(pool.map(len, ['a', 'bb'])))\n\ndef linear(")),
    flat("math in a function", 40, (START, "def wave(x):\n    import math\n    return math.sin(x)\n\nprint(wave(1))\nspeed, keep1")),
    flat("math by other names", 40, (IMPORTS, "import sys\nimport math as maths\nfrom math import exp, log"), ("math.exp(", "exp("), ("math.log(", "maths.log(")),
    flat("math twice", 40, (BEFORE, "import math\nfrom math import exp\nprint(exp(1))\n\ndef linear("), (IMPORTS, "import sys\nfrom math import exp")),
    flat("getsizeof", 40, (BEFORE, "print(sys.getsizeof(params[0]))\n\ndef linear(")),
    flat("threads, warnings, signal", 40, (IMPORTS, "import sys, threading, warnings, signal, resource"), (BEFORE, "warnings.filterwarnings('ignore')\n\ndef linear(")),
    # the class
    flat("floats", 40, *FLOATS),
    flat("grad 0.0", 40, FLOATS[1]),
    flat("ones 1.0", 15, FLOATS[2]),
    flat("seed 1.0", 40, FLOATS[3]),
    flat("float data", 40, FLOATS[0]),
    flat("other names", 40, *NAMES),
    flat("a label", 40, *LABEL, (BEFORE, "params[0].label = 'first'\n\ndef linear(")),
    flat("a label that is read", 40, *LABEL, (BEFORE, "params[0].label = 'first'\nprint(params[0].label, repr(params[1].label))\n\ndef linear(")),
    flat("an index in each", 40, ('    __slots__ = ("data", "grad", "_children", "_local_grads")  # less memory\n', ""), (BEFORE, "for n, p in enumerate(params):\n    p.index = n\nprint(params[5].index)\n\ndef linear(")),
    flat("object as base", 40, ("class Value:", "class Value(object):")),
    flat("methods beside ours", 40, (METHODS, "    def __abs__(self): return self if self.data >= 0 else -self\n    def __lt__(self, other): return self.data < other.data\n    def __float__(self): return float(self.data)\n    def __repr__(self): return f'Value({self.data:.3f})'\n" + METHODS), (BEFORE, "print(abs(params[0]), params[0] < params[1], float(params[2]), max(params))\n\ndef linear(")),
    flat("direct division", 30, ("    def __truediv__(self, other): return self * other**-1\n", DIRECT)),
    flat("direct difference", 30, ("    def __sub__(self, other): return self + (-other)\n", "    def __sub__(self, other):\n        if not isinstance(other, Value): other = Value(other)\n        return Value(self.data - other.data, (self, other), (1, -1))\n"), ("    def __neg__(self): return self * -1\n", "    def __neg__(self): return Value(-self.data, (self,), (-1,))\n")),
    flat("lambdas", 40, ("    def exp(self): return", "    exp = lambda self:"), ("    def __neg__(self): return", "    __neg__ = lambda self:")),
    flat("other relu", 30, ("max(0, self.data), (self,), (float(self.data > 0),)", "self.data if self.data > 0 else 0.0, (self,), (1 if self.data > 0 else 0,)")),
    flat("an early return", 40, ("        if not isinstance(other, Value):\n            other = Value(other)\n        return Value(self.data + other.data", "        o = other if isinstance(other, Value) else Value(other)\n        other = o\n        return Value(self.data + o.data")),
    flat("named arguments", 40, ("(self, other), (other.data, self.data))", "children=(self, other), local_grads=[other.data, self.data])")),
    # a class in pieces
    flat("an empty base", 40, ("class Value:", "class Base:\n    pass\n\nclass Value(Base):"), NO_SLOTS),
    flat("a base with the operators", 40, ("class Value:", BASE), (DERIVED_OPERATORS, ""), (BEFORE, "print(params[0].item())\n\ndef linear(")),
    flat("a method assigned after the class", 30, (AFTER, TANH + AFTER), ("number.relu() for", "number.tanh() for"), (BEFORE, ASKED + "print(params[0].square().data)\n\ndef linear(")),
    flat("operators assigned after the class", 40, (AFTER, ALIASES + AFTER), (RADD, ""), (RMUL, "")),
    flat("a class made by type()", 40, (CLASS, MADE)),
    # backward
    flat("a stack with flags", 40, (RECURSION, STACK)),
    flat("a stack of iterators", 40, (RECURSION, ITERATORS)),
    flat("the last child first", 15, (RECURSION, STACK.replace("reversed(node._children)", "node._children"))),
    flat("a free function", 40, (METHOD, FREE), ("loss.backward()", "backward(loss)")),
    flat("a free function with a helper", 40, (METHOD, SPLIT), ("loss.backward()", "backward(loss)")),
    flat("a method with a helper", 40, (RECURSION, "        path = sort(self)\n"), (AFTER, SORT + AFTER)),
    flat("reverse()", 40, ("        self.grad = 1\n        for node in reversed(path):", "        path.reverse()\n        self.grad = 1\n        for node in path:")),
    # operations of one's own, and models
    flat("GELU", 30, (METHODS, GELU + METHODS), ("number.relu() for", "number.gelu() for"), ("x = rmsnorm(x)\n    for layer", "x = [n.leaky() for n in rmsnorm(x)]\n    for layer")),
    flat("LayerNorm", 15, NORM),
    flat("tied weights", 40, ('linear(x, state["head"])', 'linear(x, state["wte"])')),
    flat("two layers", 40, ("n_layer, n_embd, n_head, block = 1", "n_layer, n_embd, n_head, block = 2")),
    flat("batches", 40, *BATCH),
    flat("top-k", 40, ("weights=[p.data for p in probs]", "weights=[p.data if p.data >= sorted([q.data for q in probs])[-3] else 0.0 for p in probs]")),
    flat("a fused loss", 30, *FUSED_LOSS),
    flat("LoRA", 15, ("    return linear(x, state[\"head\"])", "    low = linear(x, adapter_a)\n    return [a + 0.5 * b for a, b in zip(linear(x, state[\"head\"]), linear(low, adapter_b))]"), ("params = [p for", "adapter_a, adapter_b = table(2, n_embd), table(vocab, 2)\nparams = [p for")),
    # loops
    flat("SGD", 40, *update(SGD)),
    flat("momentum", 40, *update(MOMENTUM, "speeds = [0.0] * len(params)\n")),
    flat("AdamW", 30, *update(ADAMW)),
    flat("clipping", 30, *update(CLIPPED + UPDATE)),
    flat("bounded gradients", 30, *update(BOUNDED)),
    flat("an optimiser", 30, *update("    optimiser.step(pace)\n    optimiser.zero_grad()\n", OPTIMISER)),
    flat("a cosine schedule", 40, ("pace = speed * (1 - step / steps)", COSINE)),
    flat("grad = 0.0 in Adam", 30, ("        p.grad = 0\n", "        p.grad = 0.0\n")),
    # closures
    moons("closures", 15),
    moons("closures, a list", 15, ("tuple(_children)", "list(_children)")),
    moons("closures, floats", 15, ("self.grad = 0\n", "self.grad = 0.0\n"), ("self.grad = 1\n", "self.grad = 1.0\n"), ("self.data = data", "self.data = float(data)")),
    moons("closures, own tanh", 15, ("t = math.tanh(self.data)", "x = self.data\n        t = (math.exp(2 * x) - 1) / (math.exp(2 * x) + 1)"), ("return act.relu()", "return act.tanh()")),
    moons("closures, a parameter by name", 15, ("    def tanh(self):", "    def leaky(self, slope=0.01):\n        out = Value(self.data if self.data > 0 else slope * self.data, (self,), 'leaky')\n\n        def _backward():\n            self.grad += (1 if self.data > 0 else slope) * out.grad\n\n        out._backward = _backward\n        return out\n\n    def tanh(self):"), ("return act.relu()", "return act.leaky(slope=0.1)")),
    moons("closures, times 1.0", 15, *LECTURE),
    moons("closures, methods read from the class", 15, ("return act.relu()", "return self.bend(act)"), ("self.bends = bends", "self.bends = bends\n        self.bend = Value.relu if n > 2 else Value.tanh")),
    moons("closures, a graph is printed", 15, ("print(a, b, c, d", TRACE + "print(a, b, c, d")),
    moons("closures, a graph is printed, quotients", 15, ("print(a, b, c, d", TRACE + "print(a, b, c, d"), DIVISION, ("tuple(_children)", "list(_children)")),
    moons("closures, direct division", 15, DIVISION),
]  # fmt: skip
ANY_ORDER = ("--any-order",)
SETS = [
    moons("a set", 15, ("tuple(_children)", "set(_children)"), options=ANY_ORDER),
    moons("a set that is read", 15, ("tuple(_children)", "set(_children)"), ("print(a, b, c, d", TRACE + "print(a, b, c, d"), options=ANY_ORDER),
]

BASES = [
    "    def __len__(self): return 3",
    "    def __init_subclass__(cls): cls.exp = lambda self: self",
    "    def __new__(cls, *args): return object.__new__(cls)",
    "    made = 0\n    def count(self): type(self).made += 1",
    "    __slots__ = ('data',)",
    "    def relu(self): return self * 3",
    "    def __getattr__(self, name): return 1",
    "    @property\n    def _children(self): return ()",
    "    def half(self):\n        self._children = ()\n        return self",
]
SEEN = [
    "print(isinstance(params[0], Base), issubclass(Value, Base))",
    "print(Value.__mro__)",
    "print(Base)",
    "Base.exp = lambda self: self",
    "print(isinstance(Base(), Value))",
]
TRIED = ("class Value:", "import enum\n\n\ndef tried():\n    try:\n        print(1 + Value(2))\n    except TypeError as error:\n        print(error)\n\n\nclass Above:\n    def __init_subclass__(cls): tried()\n\n\nclass Value:")
LATER = [
    ALIASES.replace("Value.__add__", "Value.__sub__"),
    ALIASES.replace("Value.__add__", "Value.nothing"),
    ALIASES + "Value.relu = lambda self: self\n",
    ALIASES + "Value.relu = Value.exp\n",
    ALIASES + "Value.__add__ = Value.__mul__\n",
    ALIASES + "Value.bend = Value.exp\nprint(Value.bend(Value(1)).data, Value.exp(Value(2)).data)\n",
    "print((lambda: [hasattr(Value(1), n) for n in ('__radd__',)])())\n" + ALIASES,
    "try:\n    print(1 + Value(2))\nexcept TypeError as error:\n    print(error)\n" + ALIASES,
    "def late(x=Value(2)): return x\ntry:\n    late() + 1\n    1 + late()\nexcept TypeError as error:\n    print(error)\n" + ALIASES,
    "class Early:\n    try:\n        x = 1 + Value(2)\n    except TypeError as error:\n        print(error)\n" + ALIASES,
    "if steps > 1:\n    " + ALIASES,
    "class Below(Above): pass\n" + ALIASES,
    "class Kind(enum.Enum):\n    A = 1\n    def __init__(self, x): tried()\n" + ALIASES,
    ALIASES + "del Value.__radd__\n",
    ALIASES + "Value.__slots__ = ('data',)\nValue.count = 3\n",
    ALIASES + "Value.__eq__ = lambda self, other: self is other\n",
    ALIASES.replace("self * other", "self * other * 1.0"),
]
BENT = [
    TANH.replace("1 - t**2", "1 - t"),
    TANH + "print(bend(Value(0.5)).data)\n",
    TANH + "old = bend\nValue.tanh = lambda self: old(self) * 2\n",
    TANH.replace("def bend", "@lambda f: (lambda self: f(self) * 2)\ndef bend"),
    TANH + "def bend(self): return self\n",
    TANH + "Value.tanh = lambda self: self\n",
    TANH.replace("return Value(t, (self,)", "return Value(t, (Value(0.5),)"),
    TANH.replace("return Value(", "self.data += 0\n    self._local_grads = ()\n    return Value("),
    TANH.replace("bend", "Value").replace("Value.tanh = Value\n", "Value.tanh = lambda self: self\n"),
    TANH.replace("Value.tanh = bend", "setattr(Value, 'tanh', bend)"),
    "\n".join("    " * bool(line) + line for line in ("def attach():\n" + TANH).splitlines())[4:] + "\nattach()\n",
    TANH.replace("def bend(self):", "def bend(self, *rest):"),
]
OF_TYPE = [
    ('type("Value"', 'type("Number"'),
    ('"Value", ()', '"Value", (list,)'),
    ('"Value", ()', '"Value", (object,)'),
    ('"log": lambda', '"__len__": lambda self: 3, "log": lambda'),
    ('"log": lambda', '**{"exp": lambda self: self}, "log": lambda'),
    ('"log": lambda', '"exp": lambda self: self, "log": lambda'),
    ('"__add__": plus', '"__add__": times'),
    ('"__add__": plus', '"__add__": staticmethod(plus)'),
    ("def plus(self, other):\n", "def plus(self, other):\n    other = other * 1\n"),
    ("Value = type(", "Value = Number = type("),
    ("Value = type(", "print(plus.__name__)\nValue = type("),
    ("def back(self):", "type = lambda *a: Value2\nclass Value2: pass\ndef back(self):"),
    ("(self.data + other.data", "(self.data + other.data + 0 * len(self._children)"),
]

LECTURES = [
    ("self.grad = 1.0\n", "self.grad = 1\n"),
    ("self.grad = 0.0\n", "self.grad = 0\n"),
    ("self.grad += 1.0 * out.grad", "self.grad += 1 * out.grad"),
    ("self.grad += 1.0 * out.grad", "self.grad += 2.0 * out.grad"),
    ("d.backward()\n", "for x in (a, b, c, d): x.grad = 0\nd.backward()\n"),
    ("d.backward()\n", "for x in (a, b, c, d): x.grad = 0\n(a + b).backward()\nb.backward()\n"),
    ("d.backward()\n", "d.grad = 5\nc.grad = 3\nd.backward()\nc.backward()\n"),
]
HELPERS = [
    ("def sort(root):\n", "def sort(root):\n    if root.data > 1e9:\n        return []\n"),
    ("    return order\n", "    return order[:-1]\n"),
    ("    return order\n", "    return seen\n"),
    ("def sort(root):\n", "def sort(root):\n    root = root\n"),
    ("def sort(root):\n", "def sort(root, stack=None):\n"),
    ("def sort(root):\n", "@lambda f: lambda root: f(root)[1:] or f(root)\ndef sort(root):\n"),
    ("def backward(root):\n", "def backward(root):\n    order = []\n"),
    ("def backward(root):\n", "sorted_ = sort\ndef sort(root):\n    return sorted_(root)[::-1]\n\ndef backward(root):\n"),
    ("path = sort(root)", "path = sort(root); path = sort(root)"),
    ("path = sort(root)", "path = sort(root + 0)"),
    ("reversed(path)", "reversed(sort(root))"),
    ("reversed(path)", "path"),
    ("    root.grad = 1\n", "    root.grad = 1\n    root = path[0]\n"),
    ("seen.add(root)", "seen.add(child) if stack[1:] else None"),
    ("    seen.add(root)\n", ""),
    ("stack.append((node, i + 1))\n            child", "child"),
    (SORT[SORT.index("        node, i") : SORT.index("    return")], TOP),
    (SORT[SORT.index("        node, i") : SORT.index("    return")], TOP.replace("order.append(stack.pop()[0])", "stack.pop()\n            order.append(node)")),
    ("if child not in seen:\n                seen.add(child)", "seen.add(child)\n            if child not in order:"),
]
SIGNS = [
    ('"**{k}"', '"**{k:.1f}"'),
    ('"**{k}"', '"**{k!r}"'),
    ('f"**{k}"', '"**"'),
    ('f"**{k}"', 'f"{k}**{k}"'),
    ('f"**{k}"', 'f"{self.data}**{k}"'),
    ('    def __pow__(self, k):\n', '    def __pow__(self, k):\n        k = float(k)\n'),
    ('(self,), "tanh")', "(self,), str(t))"),
    ('(self,), "tanh")', "(self,), f'tanh{1}')"),
    ('(self,), "tanh")', "(self,), None)"),
    ('(self,), "tanh")', "(self,))"),
    ('(self,), "tanh")', "(self,), _op='t', label='T')"),
    ('(self,), "tanh")', "(self,), label='T')"),
    ('out = Value(t, (self,), "tanh")', 'out = Value(t, (self,))\n        out._op = "th"'),
    ('out = Value(t, (self,), "tanh")', 'out = Value(t, (self,))\n        out._op += "th"'),
    ('_op=""', '_op="leaf"'),
    ('_op=""', "_op=None"),
    ("self._op = _op", "self._op = _op or 'leaf'"),
    ("self._op = _op", "self._op = str(_op)"),
    ("def __repr__(self):", "def twice(self):\n        out = self + self\n        out._op = 'twice'\n        return out\n\n    def __repr__(self):"),
    ("def __repr__(self):\n", "def __repr__(self):\n        return f'{self._op}:{self.label}'\n\n    def text(self):\n"),
    ("e.label =", "e._op = 3\ne.label ="),
    ("e.label =", "e._op += '!'\ne.label ="),
    ("e.label =", "print((a**True)._op, (a**2)._op, (a**-0.0)._op, (a**0)._op, (a**1e30)._op)\ne.label ="),
    ("e.label =", "print((a**2)._op, (a**2.0)._op, (a**-1)._op, (1 / a)._op, (1 - a)._op, (-a)._op)\ne.label ="),
    ("e.label =", "print(len((a + a)._prev), [(x is a, x._op) for x in (a * 3)._prev])\ne.label ="),
    ("e.label =", "below = e._prev\nprint(len(below))\ne.label ="),
    ("e.label =", "print(a._prev or 1, e._prev and 2, not a._prev, 1 if a._prev else 2)\ne.label ="),
    ("e.label =", "print(type(e._prev))\ne.label ="),
    ("e.label =", "print(e._prev == (), e._prev + ())\ne.label ="),
    ("e.label =", "print(list(e._prev), tuple(a._prev), len(set(e._prev)))\ne.label ="),
    ("e.label =", "e._prev = ()\ne.label ="),
    ("e.label =", "x = 3 * a\nx.backward()\nprint([(y.data, y.grad) for y in x._prev])\ne.label ="),
    ("e.label =", "x = 3 * a\nx._prev[1].data = 4.0\nx.backward()\nprint(a.grad)\ne.label ="),
    ("e.label =", "print(getattr(e, '_op'), hasattr(e, '_op'))\ne.label ="),
    ("e.label =", "print([*map(lambda v: v._op, e._prev)])\ne.label ="),
    ("e.label =", "class Box:\n    def extend(self, x): print(type(x))\nBox().extend(e._prev)\ne.label ="),
    ("e.label =", "import copy\nprint(copy.copy(a)._op, copy.deepcopy(b).label)\ne.label ="),
]

MENTIONS = [
    "print(Value.relu is Value.relu, Value.relu.__name__, Value.tanh.__name__)",
    "print(Value.relu(a), Value.relu(self=b), Value.tanh(self=b), [*map(Value.tanh, [a, b])])",
    "try:\n    Value.relu()\nexcept TypeError as error:\n    print(error)",
    "try:\n    Value.relu(a, b)\nexcept TypeError as error:\n    print(error)",
    "try:\n    Value.relu(3.0)\nexcept AttributeError as error:\n    print(error)",
    "try:\n    Value.tanh(3.0)\nexcept AttributeError as error:\n    print(error)",
    "try:\n    Value.exp(a)\nexcept AttributeError as error:\n    print(error)",
    "class Number: data = 3.0\nprint(Value.relu(Number()))",
    "Value.backward(d)\nprint(a)",
    "Value.relu = Value.tanh",
    "f = Value.__add__\nprint(f(a, b))",
    "print(getattr(Value, 'relu')(a))",
    "print(Value.relu == Value.relu, callable(Value.relu), Value.relu.__doc__, Value.relu.__qualname__)",
]
FUSING = [
    ("grads[target] -= 1.0", "grads[target] -= 2.0"),
    ("tuple(scores), grads)", "scores, grads)"),
    ("tuple(scores), grads)", "tuple(scores), kept)"),
    ("tuple(scores), grads)", "list(reversed(scores)), grads)"),
    ("tuple(scores), grads)", "tuple(scores) + (), [*grads])"),
    ("        return Value(", "        again = grads\n        again[0] = 3.0\n        return Value("),
    ("        return Value(", "        made = Value("),
    ("        return Value(", "        kept.append(grads)\n        return Value("),
    ("        return Value(", "        for i in range(1): grads[0] *= 2\n        return Value("),
    ("        grads = [power / whole for power in powers]\n", "        grads = []\n        for power in powers: grads.append(power / whole)\n        assert len(grads) == len([g for g in grads])\n"),
    ("        grads = [power / whole for power in powers]\n", "        grads = [power / whole for power in powers]\n        grads.sort\n        print(grads[:1])\n"),
    ("    def fused(", "    def tuple(self): return ()\n    def fused("),
    ("    def fused(", "    def again(self, grads=[]): return Value(1, (), grads)\n    def fused("),
    ("        grads[target] -= 1.0\n        return Value(-math.log(powers[target] / whole), tuple(scores), grads)\n", "        try:\n            return Value(-math.log(powers[target] / whole), tuple(scores), grads)\n        finally:\n            grads[target] -= 1.0\n"),
]

# What must be left alone, or print the same: (script, change).
TWINS = [
    Wild(f"twin {i}", changed(source, [change]), 0, 3)
    for i, (source, change) in enumerate(
        [
            (MOONS, ("self.grad += out.grad\n            other", "self.grad += 2 * out.grad\n            other")),
            (MOONS, ("self.grad += out.grad\n            other.grad", "self.grad = out.grad\n            other.grad")),
            (MOONS, ("self.grad += other.data * out.grad", "self.grad += other.data * out.grad * 1.0")),
            (MOONS, ("self.grad += other.data * out.grad", "self.grad += self.data * out.grad")),
            (MOONS, ("            self.grad += other.data * out.grad\n            other.grad += self.data * out.grad", "            other.grad += self.data * out.grad\n            self.grad += other.data * out.grad")),
            (MOONS, ("(self, other), \"*\")", "(other, self), \"*\")")),
            (MOONS, ("0 if self.data < 0 else self.data", "0 if self.data <= 0 else self.data")),
            (MOONS, ("(out.data > 0) * out.grad", "(out.data >= 0) * out.grad")),
            (MOONS, ("(1 - t**2) * out.grad", "(1 - t * t) * out.grad")),
            (MOONS, ("t = math.tanh(self.data)\n        out = Value(t, (self,), \"tanh\")", "t = math.tanh(self.data)\n        out = Value(t, (self,), \"tanh\")\n        t = t / 2")),
            (MOONS, ("        out._backward = _backward\n        return out\n\n    def __mul__", "        return out\n\n    def __mul__")),
            (MOONS, ("for v in reversed(topo)", "for v in topo")),
            (MOONS, ("            v._backward()", "            v._backward()\n            v.grad = 0")),
            (MOONS, ("self.grad = 1\n", "self.grad = 2\n")),
            (MOONS, ("self.grad = 1\n", "self.grad += 1\n")),
            (MOONS, ("for child in v._prev:", "for child in v._prev[::-1]:")),
            (MOONS, ("        self._op = _op\n", "        self._op = _op\n        Value.made = getattr(Value, 'made', 0) + 1\n")),
            (MOONS, ("print(a, b, c, d", "print(a.label, c._op, len(c._prev), a, b, c, d")),
            (MOONS, ("d.backward()", "a.data = 7.0\nd.backward()")),
            (MOONS, ("d.backward()", "d.backward()\nd.backward()")),
            (MOONS, ("self.grad = 0\n        self._prev", "self.grad = -0.0\n        self._prev")),
            (MOONS, ("def __radd__(self, other):\n        return self + other", "def __radd__(self, other):\n        return Value(other) + self")),
            (MOONS, ("def __neg__(self):\n        return self * -1", "def __neg__(self):\n        return self * -1.0")),
            (MOONS, ("def __rsub__(self, other):\n        return other + (-self)", "def __rsub__(self, other):\n        return -(self - other)")),
            (FLAT, ("(1, 1))", "(1, 1.0))")),
            (FLAT, ("(self, other), (other.data, self.data))", "(self, other), (1.0 * other.data, self.data))")),
            (FLAT + "\nx = Value(3)\ny = -x - 2 * x\ny.backward()\nprint(x.grad, (Value(2) / 4).data)\n", ("(self, other), (other.data, self.data))", "(self, other), (1.0 * other.data, self.data))")),
            (FLAT, ("self.data = data", "self.data = round(data, 12)")),
            (FLAT, ("self.grad = 0\n", "self.grad = 0 * data\n")),
            (FLAT, ("self._local_grads = local_grads", "self._local_grads = local_grads[::-1]")),
            (FLAT, ("self._children = children", "self._children = children[::-1]")),
            (FLAT, (METHODS, "    def __eq__(self, other): return self is other\n    def __hash__(self): return id(self) // 64\n" + METHODS)),
            (FLAT, (METHODS, "    def __bool__(self): return self.data > 0\n" + METHODS)),
            *[(FLAT.replace("math.exp(", "exp(").replace(IMPORTS, "import sys\nfrom math import exp"), (BEFORE, f"{line}\n\ndef linear(")) for line in ("from math import exp", "from math import sinh as exp", "from cmath import exp", "import math as exp", "def exp(x): return 3", "if 1: from math import sin as exp")],
            (FLAT, (METHODS, "    def __len__(self): return 3\n" + METHODS)),
            (FLAT, ("    def backward(self):", "    __add__ = __mul__\n    def backward(self):")),
            (FLAT, ("    def backward(self):", "    relu = log\n    def backward(self):")),
            (FLAT, (METHODS, "    def __iadd__(self, other): return self + other * 2\n" + METHODS)),
            (FLAT, (METHODS, "    def __setattr__(self, name, x): object.__setattr__(self, name, x)\n" + METHODS)),
            (FLAT, (METHODS, "    def __del__(self): pass\n" + METHODS)),
            (FLAT, ("p.data -= pace", "p.data -= (i + 1) * pace")),
            (FLAT, ("p.data -= pace", "p.data -= m[0] + pace")),
            (FLAT, ("        p.grad = 0\n", "        p.grad = p.grad > 9\n")),
            (FLAT, ("        p.grad = 0\n", "        p.grad = 0\n        params.append(Value(1)) if len(params) < 0 else None\n")),
            (FLAT, ("        p.grad = 0\n", "        p.grad = 0\n        tiny *= 1.01\n")),
            (FLAT, ("        p.grad = 0\n", "        p.grad = 0\n        if i == 3: break\n")),
            (FLAT, (BEFORE, "print(hasattr(params[0], 'label'), getattr(params[0], 'grad'))\n\ndef linear(")),
            (FLAT, (BEFORE, "params[0].data = True\n\ndef linear(")),
            (FLAT, (RECURSION, STACK.replace("reversed(node._children)", "node._children[:]"))),
            (FLAT, (RECURSION, STACK.replace("met.add(node)", "met.add(node); met.discard(self)"))),
            (FLAT, (RECURSION, STACK.replace("path.append(node)", "path.insert(0, node)"))),
            # pieces of a class that something else sees, or sees before it is complete
            *[(FLAT.replace(NO_SLOTS[0], ""), ("class Value:", f"class Base:\n{body}\n\nclass Value(Base):")) for body in BASES],
            *[(FLAT.replace(NO_SLOTS[0], "").replace("class Value:", "class Base:\n    pass\n\nclass Value(Base):"), (BEFORE, f"{line}\n\ndef linear(")) for line in SEEN],
            (FLAT, ("class Value:", "class Base:\n    def exp(self): return self * 2\n\nclass Value(Base):")),
            (FLAT, ("class Value:", BASE)),
            (FLAT.replace("class Value:", "class Base:\n    def __eq__(self, other): return self is other\n    def __hash__(self): return id(self)\n\nclass Value(Base):"), (METHODS, "    def __eq__(self, other): return self is other\n" + METHODS)),
            *[(changed(FLAT, [(RADD, ""), (RMUL, ""), TRIED]), (AFTER, lines + AFTER)) for lines in LATER],
            *[(FLAT.replace("number.relu() for", "number.tanh() for"), (AFTER, lines + AFTER)) for lines in BENT],
            *[(FLAT.replace(CLASS, MADE), change) for change in OF_TYPE],
            *[(changed(FLAT, FUSED_LOSS), change) for change in FUSING],
            *[(MOONS, ("d.backward()\n", f"d.backward()\n{lines}\n")) for lines in MENTIONS],
            *[(changed(MOONS, LECTURE), change) for change in LECTURES],
            *[(changed(FLAT, [(METHOD, SPLIT), ("loss.backward()", "backward(loss)")]), change) for change in HELPERS],
            # signs and children that are read
            *[(MOONS.replace("print(a, b, c, d", TRACE + "print(a, b, c, d"), change) for change in SIGNS],
        ]
    )
]  # fmt: skip
