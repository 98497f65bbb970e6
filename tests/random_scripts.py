"""Random scripts, through plain Python and through `isograd run`: the same output and status.

A script is put together from pieces: the class in some known spelling, numbers of every size,
vector functions, handlers of every kind, deep and wide syntax. Its random numbers are its number's.

    python tests/random_scripts.py 20000          # that many, from number 0 on
    python tests/random_scripts.py 1 417          # number 417 alone
    python tests/random_scripts.py show 417       # its text

A script ends `equal`; `stopped`, as an int or another number was too much for the compiled class,
having printed nothing else so far; `slow`, which says nothing; or `different`, which is wrong.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from random_classes import ClassWriter, update

from isograd.run import Script, known

SECONDS = 10  # of the processor, for one script

# ---- the class ----

METHODS = {
    "__add__": [
        "other = other if isinstance(other, C) else C(other)\n"
        "return C(self.data + other.data, (self, other), (1, 1))",
        "if not isinstance(other, C):\n    other = C(other)\n"
        "return C(self.data + other.data, [self, other], [1, 1])",
    ],
    "__mul__": [
        "other = other if isinstance(other, C) else C(other)\n"
        "return C(self.data * other.data, (self, other), (other.data, self.data))",
        "other = other if isinstance(other, C) else C(other)\n"
        "out = C(self.data * other.data, (self, other), (other.data, self.data))\nreturn out",
    ],
    "__pow__": [
        "return C(self.data**other, (self,), (other * self.data ** (other - 1),))",
        "assert isinstance(other, (int, float))\n"
        "return C(self.data**other, (self,), (other * self.data ** (other - 1),))",
    ],
    "__radd__": ["return self + other"],
    "__rmul__": ["return self * other"],
    "__sub__": ["return self + (-other)"],
    "__rsub__": ["return other + (-self)"],
    "__truediv__": ["return self * other**-1"],
    "__rtruediv__": ["return other * self**-1"],
    "__neg__": ["return self * -1"],
    "exp": [
        "return C(math.exp(self.data), (self,), (math.exp(self.data),))",
        "y = math.exp(self.data)\nreturn C(y, (self,), (y,))",
    ],
    "log": ["return C(math.log(self.data), (self,), (1 / self.data,))"],
    "relu": [
        "return C(max(0, self.data), (self,), (float(self.data > 0),))",
        "return C(self.data if self.data > 0 else 0, (self,), (1.0 if self.data > 0 else 0.0,))",
        "return C(max(0.0, self.data), (self,), (float(self.data > 0),))",
    ],
    "backward": [
        "order = []\nmet = set()\ndef visit(v):\n    if v not in met:\n        met.add(v)\n"
        "        for child in v.CHILDREN:\n            visit(child)\n        order.append(v)\n"
        "visit(self)\nself.grad = 1\nfor v in ORDER:\n"
        "    for child, local in zip(v.CHILDREN, v.LOCALS):\n        child.grad += local * v.grad",
    ],
    "__repr__": ["return f'C(data={self.data!r}, grad={self.grad!r})'"],
}
UNARY = ("__neg__", "exp", "log", "relu", "backward", "__repr__")

# What the class of a stopped script is watched by: says on standard error that it holds a number
# that ours need not hold.
WATCH = """
def watched(self, name, x, put=object.__setattr__):
    for number in x if isinstance(x, (tuple, list)) else [x]:
        if callable(number) or isinstance(number, str):
            continue
        kind = type(number)
        if kind not in (int, float, C) or (kind is int and not -(2**53) < number < 2**53):
            print("not for ours", file=sys.stderr, flush=True)
    put(self, name, x)
C.__setattr__ = watched
"""

FUNCTIONS = {
    "linear": [
        "def linear(x, w):\n    return [sum(wi * xi for wi, xi in zip(row, x)) for row in w]",
        "def linear(x, w):\n    out = []\n    for row in w:\n"
        "        out.append(sum(wi * xi for wi, xi in zip(row, x)))\n    return out",
        "def linear(x, w):\n    return [sum(xi * wi for xi, wi in zip(x, row)) for row in w]",
    ],
    "softmax": [
        "def softmax(x):\n    top = max(xi.data for xi in x)\n"
        "    exps = [(xi - top).exp() for xi in x]\n    total = sum(exps)\n"
        "    return [e / total for e in exps]",
    ],
    "rmsnorm": [
        "def rmsnorm(x):\n    ms = sum(xi * xi for xi in x) / len(x)\n"
        "    scale = (ms + 1e-5) ** -0.5\n    return [xi * scale for xi in x]",
    ],
}

SMALL = ["0", "1", "-1", "2", "3", "-7", "0.5", "-2.5", "1e-3", "-0.0", "1.25", "True + 1"]
LARGE = [
    *(f"2**{k} {d}" for k in (26, 27, 40, 52) for d in ("- 1", "+ 0", "+ 1", "+ 3")),
    *(f"-(2**{k}) {d}" for k in (26, 52) for d in ("+ 0", "- 1", "+ 3")),
    *("2**53 - 1", "1 - 2**53", "1e16", "1e154", "-1e300", "1e308", "1e-310", "745.2", "-745.2"),
    *("float('inf')", "-float('inf')", "float('nan')", "9007199254740993.0"),
]
TOO_LARGE = ["2**53", "-(2**53)", "2**53 + 1", "2**60", "2**70", "10**18", "10**400", "True"]
EXPONENTS = ["2", "3", "-1", "-2", "0.5", "-0.5", "0", "1", "2.0", "53", "True"]
CLAUSES = [
    "except BaseException as error:\n    print(type(error).__name__)",
    "except BaseException:\n    print('base')",
    "except Exception as error:\n    print(type(error).__name__, error)",
    "except ArithmeticError as error:\n    print('arithmetic', error)",
    "except (ValueError, TypeError) as error:\n    print(error)",
    "except ZeroDivisionError:\n    print('zero')\nexcept OverflowError:\n    print('overflow')",
    "except:\n    print('all')",
    "except Exception:\n    print('tried')\nelse:\n    print('went well')",
    "finally:\n    print('finally')",
    "except Exception:\n    print('some')\nfinally:\n    print('at last')",
]


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


class Writer:
    """Writes the script of one number."""

    def __init__(self, number: int) -> None:
        self.rng = random.Random(number)
        self.values = [f"v{i}" for i in range(4)]
        self.lists = [f"x{i}" for i in range(3)]
        self.large, self.too_large = [(0, 0), (0.1, 0), (0.3, 0.01), (0.2, 0.05)][number % 4]
        self.n_functions = 0
        self.is_wild = number % 3 == 2
        self.renamed = str  # puts other names for data and grad into a text

    def one(self, *choices):
        return self.rng.choice(choices)

    def some(self, probability: float) -> bool:
        return self.rng.random() < probability

    @property
    def number(self) -> str:
        if self.some(self.too_large):
            return self.rng.choice(TOO_LARGE)
        return self.rng.choice(LARGE if self.some(self.large) else SMALL)

    @property
    def value(self) -> str:
        return self.rng.choice(self.values)

    @property
    def list(self) -> str:
        return self.rng.choice(self.lists)

    # ---- definitions ----

    def klass(self) -> str:
        if self.is_wild:
            writer = ClassWriter(self.rng)
            self.name = "C"
            self.renamed = writer.renamed
            return writer.text()
        name = self.one("C", "C", "Value", "Node")
        children, local = self.one(("_children", "_local_grads"), ("below", "slopes"))
        stores = ["self.data = data", "self.grad = 0", f"self.{children} = a", f"self.{local} = b"]
        self.rng.shuffle(stores)
        body = []
        if self.some(0.5):
            body.append(f"__slots__ = ('data', 'grad', '{children}', '{local}')")
        body.append("def __init__(self, data, a=(), b=()):\n" + indented("\n".join(stores)))
        for method, spellings in METHODS.items():
            if method == "__repr__" and self.some(0.5):
                continue
            argument = "" if method in UNARY else ", other"
            text = self.rng.choice(spellings)
            body.append(f"def {method}(self{argument}):\n{indented(text)}")
        text = f"class {name}:\n" + indented("\n".join(body))
        order = self.one("reversed(order)", "order[::-1]")
        text = text.replace("CHILDREN", children).replace("LOCALS", local).replace("ORDER", order)
        self.name = name
        return text.replace("C(", f"{name}(").replace(", C)", f", {name})")

    def functions(self) -> str:
        return "\n\n".join(self.rng.choice(ways) for ways in FUNCTIONS.values())

    # ---- expressions ----

    def expression(self, depth: int) -> str:
        """Of a Value, mostly."""
        if depth == 0 or self.some(0.2):
            return self.one(self.value, self.value, f"{self.list}[{self.rng.randrange(3)}]")
        a = self.expression(depth - 1)
        match self.rng.randrange(12):
            case 0 | 1 | 2:
                return f"({a} {self.one('+', '-', '*')} {self.expression(depth - 1)})"
            case 3:
                return f"({a} / {self.expression(depth - 1)})"
            case 4:
                return f"({a} {self.one(*'+-*/')} ({self.number}))"
            case 5:
                return f"(({self.number}) {self.one(*'+-*/')} {a})"
            case 6:
                return f"({a} ** {self.rng.choice(EXPONENTS)})"
            case 7:
                return f"(-{a})"
            case 8:
                method = self.one("exp", "log", "relu", "own" if self.is_wild else "relu")
                return f"{a}.{method}()"
            case 9:
                return f"sum({self.list})"
            case 10:
                return f"sum(a * b for a, b in zip({self.list}, {self.list}))"
        if self.is_wild:
            return f"{self.name}({self.number})"
        return f"{self.name}({self.number}, ({a}, {self.value}), ({self.number}, {self.number}))"

    def vector(self) -> str:
        x, y, z = self.list, self.list, self.list
        return self.one(
            f"linear({x}, [{y}, {z}, {x}])",
            f"linear({x}, [{y}, {z}, {x}, {y}])",
            f"softmax({x})",
            f"rmsnorm({x})",
            f"[a + b for a, b in zip({x}, {y})]",
            f"[a.relu() for a in {x}]",
            f"[{self.name}(n) for n in [{self.number}, {self.number}, {self.number}]]",
            f"[{self.value}, {self.value}, {self.value}]",
            f"[a * ({self.number}) for a in {x}]",
        )

    # ---- statements ----

    def block(self, depth: int, n: int) -> str:
        return "\n".join(self.statement(depth) for _ in range(n))

    def statement(self, depth: int) -> str:
        if depth and self.some(0.3):
            return self.compound(depth - 1)
        return self.simple()

    def simple(self) -> str:
        v, x = self.value, self.list
        match self.rng.randrange(18):
            case 0 | 1 | 2:
                return f"{v} = {self.expression(3)}"
            case 3 | 4:
                return f"{x} = {self.vector()}"
            case 5 | 6:
                return f"{v}.backward()"
            case 7:
                return f"{self.expression(2)}.backward()"
            case 8:
                return f"{v} = {self.name}({self.number})"
            case 9:
                return f"{v}.{self.one('grad', 'data')} = {self.number}"
            case 10:
                return f"{v}.data {self.one('+=', '-=', '*=')} {self.one('0.01 * ', '')}{v}.grad"
            case 11:
                return f"for p in {x}:\n    p.grad = 0"
            case 12:
                return self.one("raise KeyError('own')", "1 / 0", f"print({v}.data.real)")
            case 13:
                return f"print(repr({v}.data), repr({v}.grad))"
            case 14:
                return f"print([a.grad for a in {x}])"
        return f"print({v}.data, {v}.grad, [(a.data, a.grad) for a in {x}])"

    def compound(self, depth: int) -> str:
        body = self.block(depth, self.rng.randint(1, 4))
        self.n_functions += 1
        n = self.n_functions
        match self.rng.randrange(14):
            case 0 | 1 | 2 | 3:
                return f"try:\n{indented(body)}\n{self.rng.choice(CLAUSES)}"
            case 4:
                kinds = self.one("Exception", "BaseException", "ArithmeticError, ValueError")
                return f"with contextlib.suppress({kinds}):\n{indented(body)}"
            case 5:
                return f"for i in range({self.rng.randint(1, 3)}):\n{indented(body)}"
            case 6:
                other = self.block(depth, 1)
                test = f"{self.value}.data > {self.number}"
                return f"if {test}:\n{indented(body)}\nelse:\n{indented(other)}"
            case 7:
                last = self.one("return 1", "print('left')", "pass", "raise KeyError('again')")
                tried = f"try:\n{indented(body)}\nfinally:\n{indented(last)}"
                return f"def f{n}():\n{self.globals()}\n{indented(tried)}\n\nprint(f{n}())"
            case 8:
                return f"@atexit.register\ndef f{n}():\n{self.globals()}\n{indented(body)}"
            case 9:
                method = f"def __del__(self):\n{self.globals()}\n{indented(body)}"
                made = self.one(f"D{n}()", f"d{n} = D{n}()", f"d{n} = D{n}(); del d{n}")
                return f"class D{n}:\n{indented(method)}\n\n{made}"
            case 10:
                tried = f"try:\n{indented(body)}\n    yield 1\nfinally:\n    print('shut')"
                return f"def f{n}():\n{self.globals()}\n{indented(tried)}\n\nprint(list(f{n}()))"
            case 11:
                tried = f"try:\n    yield\nfinally:\n{indented(body)}"
                manager = f"@contextlib.contextmanager\ndef f{n}():\n{self.globals()}\n"
                used = f"with f{n}():\n{indented(self.block(depth, 2))}"
                return f"{manager}{indented(tried)}\n\n{used}"
            case 12:
                return update(self.rng, self.list) if self.some(0.6) else self.adam()
        return self.deep()

    def globals(self) -> str:
        return f"    global {', '.join([*self.values, *self.lists])}"

    def adam(self) -> str:
        """Some steps on one of the lists."""
        beta1, beta2 = self.one(("0.9", "0.99"), ("0.85", "0"), ("0", "0.5"), ("2", "-2"))
        loop = [
            f"m[i] = {beta1} * m[i] + (1 - {beta1}) * p.grad",
            f"v[i] = {beta2} * v[i] + (1 - {beta2}) * p.grad ** 2",
            f"m_hat = m[i] / (1 - {beta1} ** (step + 1))",
            f"v_hat = v[i] / (1 - {beta2} ** (step + 1))",
            f"p.data -= {self.one('0.01', '1', 'rate')} * m_hat / (v_hat ** 0.5 + 1e-8)",
            *self.one(["p.grad = 0"], []),
        ]
        zeros = self.one("[0.0] * len(params)", "[0.0 for p in params]", "[0] * len(params)")
        update = "for i, p in enumerate(params):\n" + indented("\n".join(loop))
        step = f"{self.expression(1)}.backward()\n{update}"
        shown = self.one("m, v", "[p.data for p in params]", "params[0].data, params[-1].grad")
        return (
            f"params = {self.list}{self.one('', '[:2]')}\nrate = 0.5\nm = {zeros}\nv = {zeros}\n"
            f"for step in range({self.rng.randint(1, 3)}):\n{indented(step)}\nprint({shown})"
        )

    def deep(self) -> str:
        n = self.one(5, 20, 100, 340, 400, 500)
        v = self.value
        match self.rng.randrange(8):
            case 0:
                return f"print(({' + '.join([v] * n)}).data)"
            case 1:
                arms = "".join(f"elif {v}.data == {i}:\n    print({i})\n" for i in range(n))
                return f"if {v}.data == -1:\n    print(-1)\n{arms}"
            case 2:
                return f"print('a1'{'.replace(*(chr(97), chr(98)))' * n})"
            case 3:
                k = min(n, 60)
                return f"print({'(' * k}{v}{')' * k}.data)"
            case 4:
                return f"print({'-' * n}{v}.data)"
            case 5:
                k = min(n, 15)
                text = f"{v} = {self.expression(1)}"
                for i in range(k):
                    text = f"try:\n{indented(text)}\nfinally:\n    print({i})"
                return text
            case 6:
                return f"print(len([{', '.join([v] * n)}]), {', '.join([f'{v}.grad'] * 9)})"
        limit = self.rng.randint(60, 2000)
        self.n_functions += 1
        f = f"deep{self.n_functions}"
        return (
            f"def {f}(n):\n    try:\n        return {f}(n + 1)\n    except Exception:\n"
            f"        return n\n\nsys.setrecursionlimit({limit})\nprint({f}(0))\n"
            f"sys.setrecursionlimit(1000)\nprint({f}(0))"
        )

    # ---- the whole ----

    def script(self) -> tuple[str, str]:
        """The script, and the same with a class that is watched."""
        klass, functions = self.klass(), self.functions()
        imports = "import atexit\nimport contextlib\nimport math\nimport sys\n"
        lines = [f"{v} = {self.name}({self.number})" for v in self.values]
        lines += [
            f"{x} = [{self.name}({self.number}), {self.name}({self.number}), {self.value}]"
            for x in self.lists
        ]
        lines.append(self.block(3, self.rng.randint(3, 14)))
        if self.some(0.1):
            lines.append(self.one("sys.exit(3)", "raise SystemExit('gone')", "sys.exit()"))
        lines.append(f"print({self.value}.data, {self.value}.grad)")
        rest = self.renamed(f"\n\n{functions}\n\n" + "\n".join(lines) + "\n")
        watch = WATCH.replace("C", self.name)
        return f"{imports}\n{klass}{rest}", f"{imports}\n{klass}\n{watch}{rest}"


# ---- running ----


class Outcome(NamedTuple):
    status: int
    out: bytes
    errors: str


class Runner:
    """Runs scripts, each in a child of a process that has imported everything."""

    def __init__(self) -> None:
        line = [sys.executable, __file__, "serve"]
        self.server = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, path: Path, *ways: str) -> list[Outcome]:
        """How a script ends in each of the `ways`, "plain" or "ours", which run at once."""
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(f"{','.join(ways)} {path}\n".encode())
        self.server.stdin.flush()
        statuses = self.server.stdout.readline().split()
        return [
            Outcome(
                int(status), written(path, way, 1).read_bytes(), written(path, way, 2).read_text()
            )
            for way, status in zip(ways, statuses)
        ]

    def close(self) -> None:
        self.server.communicate()


def written(path: Path, way: str, fd: int) -> Path:
    """The file with what a script has written."""
    return path.with_suffix(f".{way}{fd}")


def start(path: Path, way: str) -> int:
    """The number of a child that runs the script; in the child, does not return."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        for fd in (1, 2):
            os.dup2(os.open(written(path, way, fd), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), fd)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if way == "plain":
            os.execv(sys.executable, [sys.executable, "-I", "-S", str(path)])
        Script(str(path), ()).run()
    return child


def serve() -> None:
    """For each line `ways path` of standard input runs the script and answers with its statuses."""
    walks = [
        known.orders(),
        known.orders(is_mirrored=True),
        known.endings("hand_on"),
        known.endings("hand_on_by_closures"),
    ]
    for ways in [*known.methods().values(), *known.functions().values(), *walks]:
        for way in ways:
            way.meaning  # noqa: B018  kept from here on
    answers = os.dup(1)
    os.set_inheritable(answers, False)
    for line in iter(sys.stdin.buffer.raw.readline, b""):
        ways, path = os.fsdecode(line.rstrip(b"\n")).split(" ", 1)
        children = [start(Path(path), way) for way in ways.split(",")]
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        os.write(answers, f"{' '.join(map(str, ends))}\n".encode())


def difference(number: int, run: Runner, folder: Path) -> tuple[str, str]:
    """How the script of this number ends (equal, stopped, slow), and what is wrong with that."""
    return judge(*Writer(number).script(), folder / f"script{number}.py", run)


def judge(source: str, watched: str, path: Path, run: Runner) -> tuple[str, str]:
    """The same for a script of this text, to be written to `path`; `watched` is it with WATCH."""
    path.write_text(source)
    plain, ours = run(path, "plain", "ours")
    if plain.status < 0:
        return "slow", ""
    if (ours.status, ours.out) == (plain.status, plain.out):
        return "equal", ""
    if ours.status == plain.status:
        return "different", "printed something else"
    if ours.status != 2 or not ours.errors.endswith("plain python can\n"):
        return "different", f"status {ours.status}, not {plain.status}"
    if not plain.out.startswith(ours.out):
        return "different", "printed something else before it stopped"
    if "cannot follow" in ours.errors or "_backward" in source:
        return "stopped", ""
    path.write_text(watched)
    (plain,) = run(path, "plain")
    if "not for ours" not in plain.errors:
        return "different", "stopped for no reason"
    return "stopped", ""


def compare(numbers: range) -> tuple[Counter[str], dict[int, str]]:
    """How many scripts end in which way, and what is wrong with which."""
    ends: Counter[str] = Counter()
    wrong = {}
    run = Runner()
    with tempfile.TemporaryDirectory() as name:
        for number in numbers:
            end, why = difference(number, run, Path(name))
            ends[end] += 1
            if why:
                wrong[number] = why
            for file in os.scandir(name):
                os.unlink(file)
    run.close()
    return ends, wrong


def main() -> None:
    if sys.argv[1] == "serve":
        serve()
        return
    if sys.argv[1] == "show":
        print(Writer(int(sys.argv[2])).script()[0])
        return
    n, first = (int(arg) for arg in [*sys.argv[1:3], "0"][:2])
    total: Counter[str] = Counter()
    for some in range(first, first + n, 500):
        ends, wrong = compare(range(some, min(some + 500, first + n)))
        total += ends
        for number, why in wrong.items():
            print(f"script {number}: {why}")
        print(f"up to {some + ends.total()}:", dict(total), flush=True)
    sys.exit(total["different"] > 0)


if __name__ == "__main__":
    main()
