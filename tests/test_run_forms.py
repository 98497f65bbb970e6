"""Forms that `isograd run` compiles, one small script for each: the same output as plain Python's.

test_wild_scripts.py has whole trainings; here is what these write in no more than one way.
"""

import ast

import pytest
import wild_scripts
from conftest import outcome

import isograd
from isograd import _core
from isograd.run.recognise import recognise

if isograd.backend == "c":
    from isograd.run.attributes import Table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(isograd.backend != "c", reason="needs the C extension"),
]

FLAT = wild_scripts.FLAT
NO_SLOTS = wild_scripts.NO_SLOTS[0]
KEEPS = FLAT[FLAT.index("class Value:") : FLAT.index("n_layer, n_embd")]  # local gradients
MOONS = wild_scripts.MOONS
CLOSES = MOONS[MOONS.index("class Value:") : MOONS.index("class Module")]
TRAINS = """
import math
W = [Value(0.1 * i - 0.3) for i in range(8)]
for step in range(3):
    loss = sum((w * i + 1) * (w - 0.5) ** 2 for i, w in enumerate(W))
    loss.backward()
    for p in W:
        p.data -= 0.01 * p.grad
        p.grad = 0
    print(loss.data, [(w.data, w.grad) for w in W])
"""


def both(folder, source):
    """Runs a script both ways; what is said of its class, and whether the run has ended early."""
    (folder / "script.py").write_text(source)
    plain = outcome("script.py", cwd=folder)
    ours = outcome("-m", "isograd", "run", "--why", "script.py", cwd=folder)
    said = [line for line in ours[2].splitlines() if ": class " in line]
    said = [line.replace("without it nothing else can be compiled", "") for line in said]
    if ours[:2] != plain[:2]:
        assert ours[0] == 2 and plain[1].startswith(ours[1]), ours[2]
        assert ours[2].endswith("plain python can\n")
        return said[0], True
    assert plain[0] == 0, plain[2]
    return said[0] if said else ours[2], False


def changed(source, *changes):
    return "import math\n" + wild_scripts.changed(source, list(changes))


# ---- methods ----

ADD = "        if not isinstance(other, Value):\n            other = Value(other)\n"
MUL = "        other = other if isinstance(other, Value) else Value(other)\n        return Value(self.data * other.data"
POW = "    def __pow__(self, p): return Value("
POWER = '        assert isinstance(k, (int, float)), "numbers only"\n'
KEPT_METHODS = [
    "def f(self):\n    t: float = math.tanh(self.data)\n    return Value(t, (self,), (1 - t * t,))",
    "def f(self):\n    import math as m\n    return Value(m.sin(self.data), (self,), (m.cos(self.data),))",
    "def f(self): return Value(pow(self.data, 3), (self,), (3 * pow(self.data, 2),))",
    "def f(self): return Value(round(self.data, 2), (self,), (1.0,))",
    "def f(self): return Value(math.log(self.data + 3, 2), (self,), (1.0,))",
    "def f(self):\n    out = Value(-self.data, (self,))\n    out._local_grads = (-1,)\n    return out",
    "def f(self):\n    x = self\n    return Value(abs(x.data), (x,), (1 if x.data >= 0 else -1,))",
    "def f(self, k=2):\n    if not isinstance(k, (int, float)):\n        raise TypeError(k)\n    return Value(self.data * k, (self,), (k,))",
    "def f(self, k=2):\n    if k == 7:\n        raise TypeError(k)\n    return Value(self.data * k, (self,), (k,))",
    "def f(self): return Value(max(self.data, 0.5, 1), (self,), (1.0,))",
    "def f(self): return Value(self.data != 1, (self,), (1.0,))",
    "def f(self): return Value(1.5 if self.data != 1 else 2, (self,), (self.data != 1,))",
    "def f(self): return Value(math.erf(self.data) + math.asinh(self.data), (self,), (1.0,))",
    "def f(self, *rest): return self * 2",
    "def f(self): return Value(self.data, (self, self), (1, 1))",
    "def f(self): return Value(self.data, [self], [1])",
    "def f(self):\n    def g(): return 1\n    return Value(self.data, (self,), (g(),))",
    "def f(self):\n    pass\n    return Value(math.pi * self.data, (self,), (math.pi,))",
    "@property\ndef half(self): return Value(0.5 * self.data, (self,), (0.5,))\ndef f(self): return self.half",
    "limit = 3\ndef f(self): return self * self.limit",
    "def f(self): return Value(float(self.data), (self,), (1,))",
    "def f(self): return Value(self.data / (1 + abs(self.data)), (self,), (1 / (1 + abs(self.data)) ** 2,))",
]


def indented(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize("method", KEPT_METHODS)
@pytest.mark.parametrize("floats", [False, True])
def test_a_method(tmp_path, method, floats):
    source = changed(KEEPS, ("    def __neg__", indented(method) + "    def __neg__"))
    if floats:
        source = source.replace("self.data = data", "self.data = float(data)")
    script = source + TRAINS.replace("(w - 0.5)", "(w - 0.5).f()")
    script += "x = Value(3)\ny = x.f() * 2\ny.backward()\nprint(y.data, x.grad, x.f().data)\n"
    script += "print(Value(1).f().data, Value(0.5).f().data)\n"
    assert "compiled" in both(tmp_path, script)[0]


CLOSED_METHODS = [
    "def f(self):\n    out = Value(-self.data, (self,))\n    def _backward():\n        self.grad += -out.grad\n    out._backward = _backward\n    return out",
    "def f(self):\n    out = Value(-self.data * 3, (self,))\n    def _backward():\n        self.grad += -(3 * out.grad)\n    out._backward = _backward\n    return out",
    "def f(self):\n    out = Value(self.data * 3, (self,))\n    def _backward():\n        self.grad = self.grad + 3 * out.grad\n    out._backward = _backward\n    return out",
    "def f(self):\n    t: float = math.sin(self.data)\n    out = Value(t, (self,), 'sin')\n    out._op = 'f'\n    def _backward():\n        '''Chain rule.'''\n        self.grad += math.cos(self.data) * out.grad\n    out._backward = _backward\n    return out",
    "def f(self, other=2):\n    other = other if isinstance(other, Value) else Value(other)\n    out = Value(self.data + 2 * other.data, (self, other))\n    def _backward():\n        self.grad += out.grad\n        other.grad += 2 * out.grad\n    out._backward = _backward\n    return out",
]


@pytest.mark.parametrize("method", CLOSED_METHODS)
def test_a_method_with_a_closure(tmp_path, method):
    source = changed(CLOSES, ("    def __neg__", indented(method) + "\n    def __neg__"))
    script = source + TRAINS.replace("(w - 0.5)", "(w - 0.5).f()")
    assert "compiled" in both(tmp_path, script)[0]


# ---- the class ----

WRAPS = "def wrap(x):\n    return x if isinstance(x, Value) else Value(x)"
CLASSES = [
    (KEEPS, (ADD, "        other = self.wrap(other)\n"), ("    def __neg__", indented("@staticmethod\n" + WRAPS) + "    def __neg__")),
    (KEEPS, (ADD, "        other = Value.wrap(other)\n"), ("    def __neg__", indented("@staticmethod\n" + WRAPS) + "    def __neg__")),
    (KEEPS, (ADD, "        other = self.wrap(other)\n"), ("    def __neg__", indented("@classmethod\n" + WRAPS.replace("(x)", "(cls, x)", 1).replace("Value)", "cls)").replace("Value(", "cls(")) + "    def __neg__")),
    (KEEPS, (ADD, "        other = self.wrap(other)\n"), ("    def __neg__", indented(WRAPS.replace("(x)", "(self, x)", 1)) + "    def __neg__")),
    (KEEPS, ('("data", "grad", "_children", "_local_grads")', '("data", "grad", "_children", "_local_grads", "index")')),
    (KEEPS, ("(self, data, children=(), local_grads=())", "(self, data, children=tuple(), local_grads=())")),
    (KEEPS, ("        self.grad = 0\n", "        pass\n        self.grad: float = 0\n        self.depth: int\n")),
    (KEEPS.replace(NO_SLOTS, ""), ("        self.grad = 0\n", "        self.grad = 0\n        self.frozen = -1\n")),
    (KEEPS, ("        self.data = data\n        self.grad = 0\n", "        self.data, self.grad = data, 0\n")),
    (KEEPS, ("        self.data = data\n", "        assert isinstance(data, (int, float))\n        self.data = data\n")),
    (KEEPS, ("        self.data = data\n", "        if isinstance(data, Value):\n            data = data.data\n        self.data = data\n")),
    (KEEPS, ("    def __radd__(self, other): return self + other\n", "    def __radd__(self, other): return self + other\n    def __hash__(self): return id(self)\n    def __eq__(self, other): return self is other\n")),
    (KEEPS, ("    def __neg__", "    plus = __add__\n    times = half = __mul__\n    def __neg__")),
    (KEEPS, ("(1, 1))", "(1.0, 1.0))"), ("self.grad = 0\n", "self.grad = 0.0\n")),
    (KEEPS, ("        self.grad = 1\n", "        self.grad = 1.0\n"), ("self.grad = 0\n", "self.grad = 0.0\n")),
    (KEEPS, ("self.grad = 0\n", "self.grad = 0.0\n")),
    (KEEPS, (wild_scripts.RECURSION, wild_scripts.STACK.replace("reversed(node._children)", "node._children"))),
    (KEEPS, (POW + "self.data**p, (self,), (p * self.data**(p-1),))", POW + "self.data**p, (self,), (p * self.data**p / self.data,))")),
    (KEEPS, ("            if node not in met:\n                met.add(node)\n                for below in node._children:\n                    go(below)\n                path.append(node)\n", "            if node in met:\n                pass\n            else:\n                met.add(node)\n                for below in node._children:\n                    go(below)\n                path.append(node)\n")),
    (KEEPS, ("            if node not in met:\n                met.add(node)\n                for below in node._children:\n                    go(below)\n                path.append(node)\n", "            if node not in met:\n                met.add(node)\n                for below in node._children:\n                    go(below)\n                path.append(node)\n            else:\n                return\n")),
    (KEEPS, ("class Value:", "class Value:\n    'Numbers.'\n    slope = 3")),
    (KEEPS.replace(NO_SLOTS, ""), ("local_grads=()):", "local_grads=(), name=lambda: 'x'):\n        self.name = name")),
    (KEEPS, ("def __init__(self, data, children=(), local_grads=()):", "def __init__(self, data, children=(), local_grads=frozenset()):")),
    (KEEPS, ("def __init__(self, data, children=(), local_grads=()):", "def __init__(self, data, children=(), local_grads=(), scale=-1):")),
    (KEEPS + wild_scripts.FREE + "propagate(Value(1) * 2)\n", ("def backward(root)", "def propagate(root)")),
    (KEEPS + wild_scripts.SPLIT.replace("reversed(path)", "reversed(sort(root))").replace("    path = sort(root)\n", "") + "propagate(Value(1) * 2)\n", ("def backward(root)", "def propagate(root)")),
    (KEEPS + wild_scripts.SPLIT.replace("reversed(path)", "sort(root)[::-1]").replace("    path = sort(root)\n", "") + "propagate(Value(1) * 2)\n", ("def backward(root)", "def propagate(root)")),
    (KEEPS, (wild_scripts.RECURSION, "        path = sort(self)\n"), ("class Value:", wild_scripts.SORT + "class Value:")),
    (CLOSES, ("lambda: None", "None"), ("            v._backward()", "            if v._backward:\n                v._backward()")),
    (CLOSES, ("lambda: None", "None"), ("            v._backward()", "            if v._backward is not None:\n                v._backward()")),
    (CLOSES, (POWER, "        if not isinstance(k, (int, float)):\n            raise TypeError(k)\n")),
    (CLOSES, ("    def __radd__(self, other):\n        return self + other\n", "    __radd__ = __add__\n")),
    (CLOSES, wild_scripts.DIVISION, ("    def __rtruediv__", "    over = __truediv__\n\n    def __rtruediv__")),
]  # fmt: skip


@pytest.mark.parametrize("source", CLASSES, ids=range(len(CLASSES)))
def test_a_class(tmp_path, source):
    script = changed(*source) + TRAINS
    script += "print(2 + W[0] * W[1] / 3 - -W[2] if False else (W[0] * 2).data)\n"
    script += "y = W[0] * W[1] + 1\ny.backward()\nprint(y.data, W[0].grad, 2 * W[3].data)\n"
    said, _ = both(tmp_path, script)
    assert "class Value: " in said


# ---- operators of one's own ----

OPERATORS = [
    ("def __floordiv__(self, x): return self.data // x", "try:\n    3 // W[7]\nexcept TypeError as error:\n    print(error)"),
    ("def __rpow__(self, x): return x**self.data", "print(2 ** W[7])\ntry:\n    'a' @ W[0]\nexcept TypeError as error:\n    print(error)"),
    ("def __bool__(self): return self.data > 0", "print(bool(W[0]), not W[5], [1 for w in W if w])"),
    ("def __bool__(self): return 1", "try:\n    bool(W[0])\nexcept TypeError as error:\n    print(error)"),
    ("def __int__(self): return int(self.data * 10)", "print(int(W[0]), int(W[7]))"),
    ("def __index__(self): return 2", "print([1, 2, 3][W[0]])"),
    ("def __invert__(self): return self * 2", "print((~W[0]).data)"),
    ("def __pos__(self): return self", "print(+W[0] is W[0])"),
    ("def __floordiv__(self, x): return self.data // x", "print(W[7] // 0.1)"),
    ("def __rfloordiv__(self, x): return x // self.data", "print(3 // W[7])"),
    ("def __mod__(self, x): return self.data % x", "print(W[7] % 0.1)"),
    ("def __matmul__(self, x): return (self * x).data", "print(W[7] @ W[6])"),
    ("def __iadd__(self, x):\n    self.data += x\n    return self", "w = W[0]\nw += 2\nprint(w is W[0], w.data)"),
    ("def __isub__(self, x):\n    self.data -= x\n    return self", "w = W[0]\nw -= 2\nprint(w is W[0], w.data)"),
    ("def __imul__(self, x):\n    self.data *= x\n    return self", "w = W[0]\nw *= 2\nprint(w is W[0], w.data)"),
    ("def __itruediv__(self, x):\n    self.data /= x\n    return self", "w = W[0]\nw /= 2\nprint(w is W[0], w.data)"),
    ("def __iadd__(self, x): return self.data + x", "w = W[0] * 2\nw += 2\nprint(w)\nx = 2\nx += W[1]\nprint(x.data)"),
    ("def __lt__(self, x): return self.data < x.data", "print(min(W).data, max(W).data, sorted(W)[0].data)"),
    ("def __ge__(self, x): return self.data >= x", "print(W[0] >= 0, W[7] >= 0)"),
    ("def __hash__(self): return id(self)\ndef __eq__(self, x): return self is x", "print(W[0] == W[0], W[0] != W[1], W[0] != W[0])"),
    ("def __hash__(self): return id(self)\ndef __eq__(self, x): return NotImplemented", "print(W[0] == W[0], W[0] != W[1], W[0] != 3)"),
    ("def __round__(self, n=0): return round(self.data, n)", "print(round(W[3], 2))"),
    ("def __format__(self, how): return format(self.data, how)", "print(f'{W[3]:.3f}')"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "lines"), OPERATORS)
def test_an_operator(tmp_path, method, lines):
    source = changed(KEEPS, ("    def __neg__", indented(method) + "    def __neg__"))
    assert "compiled" in both(tmp_path, f"{source}{TRAINS}{lines}\n")[0]


# ---- loops ----

LOOPS = [
    "for i, p in enumerate(W):\n    if p.grad is not None and i != 2 and not p.grad > 9:\n        p.data -= 0.1 * p.grad",
    "for i, p in enumerate(W):\n    if p.grad is None or i == 2 or p.data == 3:\n        continue\n    p.data -= 0.1 * p.grad",
    "for p in W:\n    g: float = 0.1 * p.grad\n    p.data -= g",
    "n: float = 0.0\nfor p in W:\n    n += p.grad * p.grad\nprint(n)",
    "n = 0.0\nfor p in W:\n    if p.grad != 0:\n        n += math.log1p(abs(p.grad)) + math.log(2 + p.data)\nprint(n)",
    "M = [0.0] * len(W)\nfor i in range(len(W)):\n    M[i] = 0.9 * M[i] + W[i].grad\n    W[i].data -= 0.1 * M[i]\nprint(M)",
    "import array\nM = array.array('d', [0.0] * len(W))\nfor i, p in enumerate(W):\n    M[i] = 0.9 * M[i] + p.grad\n    p.data -= 0.1 * M[i]\nprint(M)",
    "import array\nM = array.array('d', [0.0] * len(W))\nfor i, p in enumerate(W):\n    M[i] = 1 if p.grad > 0 else 0\n    p.data -= 0.1 * M[i]\nprint(M)",
    "import array\nM = array.array('f', [0.5] * len(W))\nfor i, p in enumerate(W):\n    M[i] = 0.9 * M[i] + p.grad\nprint(M)",
    "M = [0.0] * 3\ntry:\n    for i, p in enumerate(W):\n        M[i] = 0.9 * M[i] + p.grad\nexcept IndexError as error:\n    print(error, M)",
    "M = [0.0] * len(W)\nN = M\nfor i, p in enumerate(W):\n    M[i] = N[i] + p.grad\n    N[i] = 2 * M[i]\nprint(M)",
    "M = (0.0,) * len(W)\nfor i, p in enumerate(W):\n    p.data -= M[i] + p.grad\nprint(M)",
    "M = ['a'] * len(W)\ntry:\n    for i, p in enumerate(W):\n        M[i] = M[i] + p.grad\nexcept TypeError as error:\n    print(error, M)",
    "for p in W:\n    p.data -= math.sqrt(p.data) if p.data > 0 else 0.1",
    "try:\n    for p in W:\n        p.data = math.sqrt(p.data)\nexcept ValueError as error:\n    print([p.data for p in W])",
    "try:\n    for p in W:\n        p.data = math.log(p.data)\nexcept ValueError as error:\n    print([p.data for p in W])",
    "for p in (w for w in W):\n    p.data -= 0.1 * p.grad",
    "for p in W[2:]:\n    p.data -= 0.1 * p.grad",
    "for p in W:\n    p.data -= pow(0.1, 2) * p.grad",
    "for p in [*W, 3]:\n    if p == 3:\n        break\n    p.data -= p.grad",
    "try:\n    for p in W:\n        p.data -= rate.nothing * p.grad\nexcept AttributeError as error:\n    print(error)",
    "P = W\nfor p in P:\n    p.data -= rate.size * p.grad",
    "for p in W:\n    p.data -= 10**400 * 0 + 0.1 * p.grad if False else 0.1 * p.grad",
    "k = 10**30\nfor p in W:\n    p.data -= p.grad / k",
    "for p in W + [W[0] * 2]:\n    p.data -= 0.1 * p.grad",
]  # fmt: skip


@pytest.mark.parametrize("klass", [KEEPS, CLOSES], ids=["local gradients", "closures"])
@pytest.mark.parametrize("lines", LOOPS)
def test_a_loop(tmp_path, klass, lines):
    before = TRAINS + "loss.backward()\nclass rate: size = 0.1\n"
    after = "\nprint([(w.data, w.grad) for w in W])\n"
    said, _ = both(tmp_path, changed(klass) + before + lines + after)
    assert "class Value: " in said


# ---- lines of the rest ----

LINES = [
    "print([math].pop().pi)",
    "import gc\ngc.collect()\nprint(gc.isenabled())",
    "import gc\nprint(gc.collect() >= 0)",
    "print(type(W[0]) is Value, type(W[0]) == type(W[1]), type(3) is not Value)",
    "print(isinstance(3, (int, Value)), W[0].__class__.__name__, type(W[0]).__name__)",
    "print(W[0].__class__)",
    "Box = list[Value]\ndef f(x: Box) -> list[Value]: return x\nprint(len(f(W)))",
    "def f(x: 'Value', y: Value | None = None): return x\nprint(f(W[0]).data)",
    "import argparse\nargs = argparse.ArgumentParser().parse_args([])\nprint(vars(args))",
    "args = {}\ntry:\n    vars(args)\nexcept TypeError:\n    print('no')",
    "class Box:\n    def __init__(self): self.x = 1\n    def put(self, n): setattr(self, 'y', n); return self.__dict__\nprint(Box().put(3))",
    "class Box:\n    def put(self): return self.__dict__\nprint(Box.put(Box()))",
    "class Box:\n    def _children(self): return 3\nprint(Box()._children())",
    "class Box:\n    def __init__(self): self._children = 3\nprint(Box()._children)",
    "print([len(v._children) for v in W], sum(1 for v in W if v._children))",
    "v = W[0] * W[1]\nif v._children and not W[0]._children:\n    print(v._children[0] is W[0])",
    "v = W[0] * W[1]\nprint(1 if v._children else 2, W[0] in v._children, *map(len, [list(v._children)]))",
    "v = W[0]\nwhile v._children: v = v._children[0]\nprint(v.data)",
    "def f(): return Value.relu\nprint(f()(W[0]).data)",
    "print(Value.relu(W[7]).data)",
    "print(Value(x).data if (x := 2) else 0)",
    "print(Value(*[1]).data)",
    "print(Value(2, children=()).data, Value(data=3).data)",
    "try:\n    Value()\nexcept TypeError as error:\n    print(error)",
    "try:\n    Value(1, 2, 3, 4, 5, 6)\nexcept TypeError as error:\n    print(error)",
    "try:\n    Value(1, nothing=2)\nexcept TypeError as error:\n    print(error)",
    "try:\n    Value(1, data=2)\nexcept TypeError as error:\n    print(error)",
    "W[0].note = 'x'\nprint(W[0].note)\ntry:\n    W[1].note\nexcept AttributeError as error:\n    print(error)",
    "W[0].note = 'x'\nprint(hasattr(W[0], 'note'), getattr(W[1], 'note', None))\ndel W[0].note\nprint('gone')",
    "import copy\nW[0].note = 'x'\nprint(copy.copy(W[0]).data, copy.deepcopy(W[0]).note)",
    "import copy\nprint(copy.copy(W[0] * 2).data)",
    "import copy, pickle\nprint('so far')\ntry:\n    print(len(pickle.dumps(W[0])) > 0)\nexcept Exception:\n    print('no')",
    "import sys\nprint(sys.getsizeof(W[0]))",
    "print(Value(True).data, Value(2**60).data)",
    "try:\n    print(Value('a').data)\nexcept TypeError:\n    print('no')",
    "def f(x: Value): return x.data\nprint([*map(f, W)], [*map(Value, [1, 2])][0].data)",
    "import collections\nprint(collections.sys.maxsize)",
    "import time\nprint(time.time() > 0)",
    "try:\n    import typing_extensions\nexcept ImportError:\n    pass",
    "Value(3).backward()\nx = Value(2)\nx.backward()\nprint(x.grad)",
    "y = sum(a * b for a, b in zip(W, W))\ny.backward()\nprint(y.data, y.grad, W[0].grad)",
    "print(Value.exp(W[0]).data if hasattr(W[0], 'exp') else 0)",
    "def back(x): x.backward()\nback(W[0] * W[1])\nprint(W[0].grad)",
]


GRADS = KEEPS.replace("self.grad = 0\n", "self.grad = 0.0\n")
TWO = "    def both(self, other): return Value(self.data - other.data, (self, other), (1, -1))\n"
MIRRORED = KEEPS.replace(
    wild_scripts.RECURSION, wild_scripts.STACK.replace("reversed(node._children)", "node._children")
)
NAMES = wild_scripts.changed(KEEPS, wild_scripts.NAMES)
FROZEN = KEEPS.replace(NO_SLOTS, "").replace(
    "self.grad = 0\n", "self.grad = 0\n        self.frozen = -1\n"
)
LINES += [
    "print(W[0].frozen, (W[0] * 2).frozen)\nW[0].frozen = 3\nprint(W[0].frozen)",
    "y = W[0].both(W[1]) * W[2]\ny.backward()\nprint(y.data, [w.grad for w in W])",
    "class Box: data = 3\nprint(Box().data)",
]
KLASSES = {
    "slots": KEEPS,
    "local gradients": FROZEN,
    "closures": CLOSES,
    "floats": GRADS,
    "mirrored": MIRRORED.replace("    def __neg__", TWO + "    def __neg__"),
    "other names": NAMES,
}


@pytest.mark.parametrize("klass", KLASSES.values(), ids=KLASSES)
@pytest.mark.parametrize("lines", LINES)
def test_a_line(tmp_path, klass, lines):
    names = ("_children", "_prev" if klass is CLOSES else "_children")
    lines = lines.replace(*names)
    source = changed(klass) + TRAINS
    if klass is NAMES:
        source = changed(klass) + wild_scripts.changed(TRAINS, [(".data", ".d"), (".grad", ".g")])
    (tmp_path / "tried.py").write_text(source + lines)
    plain = outcome("tried.py", cwd=tmp_path)
    if plain[0] == 0:  # otherwise plain Python has no such line
        assert "class Value: " in both(tmp_path, source + lines)[0]


def test_a_function_that_is_backward(tmp_path):
    """Our own stands in its place, with its attributes, and asks it about what is no node."""
    free = wild_scripts.FREE.replace("def backward(root)", "def propagate(root)")
    asked = "print(propagate.__name__)\ntry:\n    propagate(3)\nexcept AttributeError as error:\n    print(error)\n"
    said, _ = both(tmp_path, changed(KEEPS + free) + TRAINS + asked)
    assert "compiled" in said


def test_a_broken_module_beside_the_script(tmp_path):
    (tmp_path / "broken.py").write_text("def f(:\n")
    source = "try:\n    from broken import f\nexcept SyntaxError:\n    print('no')\n"
    assert "left alone" in both(tmp_path, source + changed(KEEPS) + TRAINS)[0]


def test_slots_that_are_one_text():
    source = changed(KEEPS, (NO_SLOTS, "    __slots__ = 'data'\n"))
    (finding, *_) = recognise(ast.parse(source), ".").findings
    assert "its __slots__ are not what its __init__() assigns" in finding.why


# ---- pieces of a class ----

PIECES = [
    "def tanh(self): return Value(math.tanh(self.data), (self,), (1 - math.tanh(self.data) ** 2,))\nValue.tanh = tanh",
    "from random import gauss\nimport json\nNEGATIVE = -1\nBoth = list[Value]\ndef f(x: Both, y: list[int] = None) -> int: return 3\nValue.tanh = lambda self, k=2: self * k",
    "class Above: pass\nclass Below(Above):\n    'Text.'\n    size = (1, -2)\n    def f(self, g=lambda x=1: x): return g()\nValue.tanh = lambda self: self * Below().f()",
    "def tanh(self): return self\ndef g(): return tanh\nValue.tanh = tanh",
    "class Below(ValueError): pass\nValue.tanh = lambda self: self",
    "x = [1, 2]\nx.append(3)\nValue.tanh = lambda self: self",
    "Value.tanh = print\nValue.tanh = lambda self: self",
    "Value.tanh = (lambda self: self) if math else None",
]


@pytest.mark.parametrize("lines", PIECES)
def test_pieces(tmp_path, lines):
    said, _ = both(tmp_path, f"{changed(KEEPS)}{lines}\n{TRAINS}print(W[0].tanh().data)\n")
    assert "class Value: " in said


# ---- numbers of arrays ----

ARRAYS = [
    ("def f(x: np.ndarray) -> np.ndarray: return x", True),
    ("print(np.mean(np.array([1.0])))", True),
    ("print('x', sep=str(np.pi))", True),
    ("print(sorted([1], key=np.sin))", False),
    ("f = lambda: np.pi", False),
    ("for x in np.arange(3): Value(x)", False),
    ("def f():\n    global a\n    a = np.zeros(3)", False),
    ("x = np.random.default_rng(1).normal(np.pi)\nprint(x)", True),
    ("x: np.ndarray = None", True),
    ("x = 3 if np.pi > 3 else 4", False),
    ("assert np.pi > 3\nif np.pi > 3: print(3)", True),
]


@pytest.mark.parametrize(("line", "stay_out"), ARRAYS)
def test_numbers_of_arrays(tmp_path, line, stay_out):
    source = f"{changed(KEEPS)}import numpy as np\n{line}\n"
    (finding, *_) = recognise(ast.parse(source), str(tmp_path)).findings
    assert finding.replaced == stay_out, finding
    try:
        import numpy  # noqa: F401
    except ImportError:
        return
    both(tmp_path, source)


# ---- what is kept beside the nodes ----


def test_labels_of_nodes_that_are_gone_are_forgotten():
    table = Table()
    kept = [_core.Value(i) for i in range(5)]
    for node in kept:
        table.put(node, "label", "kept")
    for i in range(1000):
        table.put(_core.Value(i) * 2, "label", i)
        table.put(_core.Value(i), "index", i)
    assert len(table.rows) < 100
    assert all(table.row(node) == {"label": "kept"} for node in kept)


def test_more_labels_than_there_is_room_for(tmp_path):
    source = f"{changed(CLOSES)}v = [Value(i, label='x') for i in range(50)]\nprint(v[3].label)\n"
    (tmp_path / "script.py").write_text(source)
    code = "from isograd.run import attributes, Script\nattributes.MAX_KEPT = 20\n"
    status, out, err = outcome("-c", f"{code}Script('script.py', ()).run()", cwd=tmp_path)
    assert (status, out) == (2, b"")
    assert "keeps .label of more nodes than there is room for" in err


def test_only_a_value_was_made_by_a_method():
    with pytest.raises(TypeError, match="only a Value was made by a method"):
        _core.made_by(3)
    assert _core.made_by(_core.Value(3)) == (None, None)
    y, z = _core.Value(3) + 1, _core.Value(3) * 2
    assert (_core.made_by(y), _core.made_by(z)) == (("__add__", None), ("__mul__", None))
    (y * z).backward()
    assert (_core.made_by(y), _core.made_by(z)) == (("__add__", None), ("__mul__", None))
    assert _core.made_by(z.exp()) == ("exp", None)
