"""Random classes and loops for random_scripts.py, as people write them: other numbers, closures,
direct quotients, methods of their own, walks with a stack.
"""

from __future__ import annotations

import random
import re

UNARY = {  # data, derivative; `x` is the operand's data, `y` the result's
    "exp": [("math.exp(x)", "math.exp(x)"), ("math.exp(x)", "y")],
    "log": [("math.log(x)", "1 / x"), ("math.log(x)", "1.0 / x")],
    "relu": [
        ("max(0, x)", "float(x > 0)"),
        ("max(0.0, x)", "(1.0 if x > 0 else 0.0)"),
        ("(0 if x < 0 else x)", "(y > 0)"),
        ("(x if x > 0 else 0.01 * x)", "(1 if x > 0 else 0.01)"),
        ("x * (x > 0)", "(x > 0)"),
    ],
    "own": [
        ("math.tanh(x)", "(1 - y**2)"),
        ("(math.exp(2 * x) - 1) / (math.exp(2 * x) + 1)", "(1 - y * y)"),
        ("1 / (1 + math.exp(-x))", "y * (1 - y)"),
        ("abs(x)", "(1 if x > 0 else -1)"),
        ("-x", "-1"),
        ("math.sqrt(x * x + 1)", "x / math.sqrt(x * x + 1)"),
        ("min(x, 2)", "(x < 2)"),
        ("x ** 2 if x > 1 else x", "(2 * x if x > 1 else 1.0)"),
    ],
}
BINARY = {
    "__add__": [("x + z", "1", "1"), ("x + z", "1.0", "1.0"), ("z + x", "1", "1")],
    "__mul__": [("x * z", "z", "x"), ("z * x", "z", "x"), ("x * z", "1.0 * z", "x")],
    "__sub__": [("x - z", "1", "-1"), ("x - z", "1.0", "-1.0"), ("x - z", "1", "-1.0")],
    "__truediv__": [
        ("x / z", "1 / z", "-x / z**2"),
        ("x / z", "1.0 / z", "-x / (z * z)"),
        ("x / z", "z**-1", "-(x / z**2)"),
    ],
}
DERIVED = {
    "__radd__": "self + other",
    "__rmul__": "self * other",
    "__sub__": "self + (-other)",
    "__rsub__": "other + (-self)",
    "__truediv__": "self * other**-1",
    "__rtruediv__": "other * self**-1",
    "__neg__": "self * -1",
}
WALKS = [
    "order, met = [], set()\ndef visit(v):\n    if v not in met:\n        met.add(v)\n"
    "        for w in v.CHILDREN:\n            visit(w)\n        order.append(v)\nvisit(self)",
    "order = []\nmet = set()\nstack = [(self, False)]\nwhile stack:\n    v, done = stack.pop()\n"
    "    if done:\n        order.append(v)\n        continue\n    if v in met:\n        continue\n"
    "    met.add(v)\n    stack.append((v, True))\n    for w in reversed(v.CHILDREN):\n"
    "        if w not in met:\n            stack.append((w, False))",
    "order = []\nmet = {self}\nstack = [(self, iter(self.CHILDREN))]\nwhile stack:\n"
    "    v, rest = stack[-1]\n    for w in rest:\n        if w not in met:\n"
    "            met.add(w)\n"
    "            stack.append((w, iter(w.CHILDREN)))\n            break\n    else:\n"
    "        order.append(v)\n        stack.pop()",
    # another order, which ours must not take for its own
    "order = []\nmet = set()\nstack = [(self, False)]\nwhile stack:\n    v, done = stack.pop()\n"
    "    if done:\n        order.append(v)\n        continue\n    if v in met:\n        continue\n"
    "    met.add(v)\n    stack.append((v, True))\n    for w in v.CHILDREN:\n"
    "        stack.append((w, False))",
]


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


class ClassWriter:
    """Writes one class, called C."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.closures = rng.random() < 0.5
        self.children, self.locals = rng.choice(
            [("_children", "_local_grads"), ("_prev", "slopes"), ("c", "l")]
        )
        self.data, self.grad = rng.choice([("data", "grad")] * 4 + [("d", "g")])
        self.zero, self.one = rng.choice([("0", "1"), ("0.0", "1"), ("0.0", "1.0"), ("0", "1.0")])
        self.label = rng.random() < 0.3

    def some(self, probability: float) -> bool:
        return self.rng.random() < probability

    def text(self) -> str:
        body = [self.slots()] if self.some(0.3) else []
        body.append(self.init())
        for name, ways in BINARY.items():
            if name in DERIVED and self.some(0.6):
                body.append(self.derived(name))
            else:
                body.append(self.binary(name, *self.rng.choice(ways)))
        for name in DERIVED:
            if name not in BINARY and self.some(0.95):
                body.append(self.derived(name))
        body.append(self.power())
        body += [self.unary(name, *self.rng.choice(ways)) for name, ways in UNARY.items()]
        body += self.further()
        body.append(self.backward())
        return self.in_pieces(body)

    def in_pieces(self, body: list[str]) -> str:
        """The class; some of its methods may stand in a base or be assigned after it."""
        name = re.compile(r"def (\w+)")
        others = [m for m in body if name.match(m) and self.some(0.4) and "__init__" not in m]
        way = self.rng.choice(["whole"] * 3 + ["base", "assigned"])
        if way == "whole" or not others:
            return "class C:\n" + indented("\n".join(body))
        rest = indented("\n".join(part for part in body if part not in others))
        if way == "base":
            return f"class B:\n{indented(chr(10).join(others))}\nclass C(B):\n{rest}"
        later = []
        for method in others:
            called = name.findall(method)[0]
            text = name.sub(f"def of_{called}", method, count=1)
            later.append(f"{text}\nC.{called} = of_{called}")
        return f"class C:\n{rest}\n" + "\n".join(later)

    def slots(self) -> str:
        names = [self.data, self.grad, self.children]
        names.append("_backward" if self.closures else self.locals)
        names += ["label"] if self.label else []
        return f"__slots__ = {tuple(names)}"

    def init(self) -> str:
        stored = self.rng.choice(["data", "data", "data", "float(data)"])
        lines = [f"self.{self.data} = {stored}", f"self.{self.grad} = {self.zero}"]
        edges = "a=()" if self.closures else "a=(), b=()"
        kept = self.rng.choice(["a", "tuple(a)", "list(a)"])
        lines.append(f"self.{self.children} = {kept}")
        lines.append(
            "self._backward = lambda: None" if self.closures else f"self.{self.locals} = b"
        )
        lines += ["self.label = label"] if self.label else []
        self.rng.shuffle(lines)
        more = ", label=''" if self.label else ""
        return f"def __init__(self, data, {edges}{more}):\n" + indented("\n".join(lines))

    def derived(self, name: str) -> str:
        other = "" if name == "__neg__" else ", other"
        return f"def {name}(self{other}):\n    return {DERIVED[name]}"

    def node(self, data: str, children: list[str], local: list[str]) -> str:
        """The lines that make one, of texts in x, z and y."""
        own = {"x": f"self.{self.data}", "z": f"other.{self.data}"}
        uses_result = any(re.search(r"\by\b", part) for part in local)
        pair = ", ".join(children) + ("," if len(children) == 1 else "")
        if self.closures:
            own["y"] = f"out.{self.data}"
            lines = [f"out = C({self.put(data, own)}, ({pair}))", "def _backward():"]
            for child, part in zip(children, local):
                factor = "" if part == "1" and self.some(0.5) else f"{self.put(part, own)} * "
                lines.append(f"    {child}.{self.grad} += {factor}out.{self.grad}")
            return "\n".join([*lines, "out._backward = _backward", "return out"])
        lines = []
        if uses_result:
            lines.append(f"t = {self.put(data, own)}")
            own["y"] = data = "t"
        parts = ", ".join(self.put(part, own) for part in local)
        parts += "," if len(local) == 1 else ""
        made = f"C({self.put(data, own)}, ({pair}), ({parts}))"
        return "\n".join([*lines, f"return {made}"])

    @staticmethod
    def put(text: str, own: dict[str, str]) -> str:
        return re.sub(r"\b([xyz])\b", lambda found: own.get(found[1], found[1]), text)

    def binary(self, name: str, data: str, a: str, b: str) -> str:
        wrap = self.rng.choice(
            [
                "other = other if isinstance(other, C) else C(other)",
                "if not isinstance(other, C):\n    other = C(other)",
            ]
        )
        body = f"{wrap}\n{self.node(data, ['self', 'other'], [a, b])}"
        return f"def {name}(self, other):\n{indented(body)}"

    def power(self) -> str:
        body = self.node("x**n", ["self"], ["(n * x ** (n - 1))"])
        check = "assert isinstance(n, (int, float))\n" if self.some(0.5) else ""
        return f"def __pow__(self, n):\n{indented(check + body)}"

    def unary(self, name: str, data: str, local: str) -> str:
        return f"def {name}(self):\n{indented(self.node(data, ['self'], [local]))}"

    def further(self) -> list[str]:
        made = []
        if self.some(0.3):
            made.append("def __abs__(self):\n    return self if self.data >= 0 else -self")
        if self.some(0.3):
            made.append("def __lt__(self, other):\n    return self.data < other.data")
        if self.some(0.2):
            made.append("def __rpow__(self, other):\n    return (self * math.log(other)).exp()")
        if self.some(0.2):
            made.append("def __float__(self):\n    return float(self.data)")
        if self.some(0.3):
            shown = "f'C({self.data!r}, {self.grad!r})'"
            made.append(f"def __repr__(self):\n    return {shown}")
        return [self.renamed(text) for text in made]

    def renamed(self, text: str) -> str:
        """With what the class calls data and grad."""
        text = re.sub(r"\.data\b", f".{self.data}", text)
        return re.sub(r"\.grad\b", f".{self.grad}", text)

    def backward(self) -> str:
        walk = self.rng.choice(WALKS[:-1] if self.some(0.85) else WALKS)
        if self.closures:
            ending = "for v in ORDER:\n    v._backward()"
        else:
            ending = (
                "for v in ORDER:\n    for w, slope in zip(v.CHILDREN, v.LOCALS):\n"
                "        w.grad += slope * v.grad"
            )
        text = f"{walk}\nself.grad = {self.one}\n{ending}"
        text = text.replace("ORDER", self.rng.choice(["reversed(order)", "order[::-1]"]))
        text = text.replace("CHILDREN", self.children).replace("LOCALS", self.locals)
        return f"def backward(self):\n{indented(self.renamed(text))}"


STEPS = [
    "p.data -= rate * p.grad",
    "p.data = p.data - rate * (p.grad + 0.01 * p.data)",
    "m[i] = 0.9 * m[i] + 0.1 * p.grad",
    "v[i] = 0.5 * v[i] + 0.5 * p.grad ** 2",
    "p.data -= rate * (m[i] / (v[i] ** 0.5 + 1e-8))",
    "p.data -= rate * (m[i] / (math.sqrt(v[i]) + tiny))",
    "total += p.grad ** 2",
    "total = total + abs(p.data)",
    "p.grad *= 0.5",
    "p.grad = max(-1.0, min(1.0, p.grad))",
    "p.grad = 0",
    "p.grad = 0.0",
    "g = p.grad / 2\np.data -= g",
    "if p.grad > 0:\n    g = 1.0\nelse:\n    g = -p.data\np.data += rate * g",
    "if p.grad > tiny:\n    p.grad = tiny",
    "if p.grad == 0:\n    continue",
    "p.data = p.data / p.grad",
    "p.data = p.data ** 2 / (1 + p.data)",
    "v[i] += i * rate",
    "p.data = math.log(p.data)",
]


def update(rng: random.Random, params: str) -> str:
    """A loop over some parameters, and what it leaves."""
    header = rng.choice(
        [
            "for i, p in enumerate(params):",
            "for i in range(len(params)):\n    p = params[i]",
            "for p in params:",
        ]
    )
    steps = [step for step in STEPS if "[i]" not in step and " i " not in step]
    steps = STEPS if "i" in header.split("in")[0] else steps
    body = "\n".join(rng.sample(steps, rng.randint(1, 4)))
    zeros = rng.choice(["[0.0] * len(params)", "[0.0] * 2", "[0] * len(params)", "[1.5] * 9"])
    shown = rng.choice(["total", "m, v", "g", "[(p.data, p.grad) for p in params]"])
    return (
        f"params = {params}\nrate, tiny, total, g = 0.1, {rng.choice(['0', '1e-3'])}, 0, 7\n"
        f"i = 3\nm, v = {zeros}, {zeros}\n{header}\n{indented(body)}\nprint({shown}, p.data, i)"
    )
