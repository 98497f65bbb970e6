"""`isograd run`: scripts under plain Python and under the command, byte for byte.

Then what the recogniser must refuse: every small change of the program that it knows, and whatever
could make the same text mean something else.
"""

import ast
import inspect
import itertools
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from conftest import outcome

import isograd
from isograd import _core
from isograd.reference import Value
from isograd.run import Script, known
from isograd.run.depth import with_room
from isograd.run.meaning import Meaning
from isograd.run.modules import is_harmless_module
from isograd.run.normal_form import OURS
from isograd.run.process import forget_shadowed_modules, keep
from isograd.run.recognise import recognise
from isograd.run.scopes import Names
from isograd.run.stop import SayWhy

if isograd.backend == "c":
    from isograd.run.substitutes import Replay

SCRIPTS = Path(__file__).parent / "scripts"
PROGRAM = Path(__file__).parent / "programs" / "names_gpt.py"
FLAT = (SCRIPTS / "flat.py").read_text()
PRELUDE = FLAT[: FLAT.index("n_layer, n_embd")]
TYPED = (SCRIPTS / "typed.py").read_text()
NAMES = str(Path(isograd.__file__).parent / "data" / "names.txt")
TINY = ["steps=3", "n_embd=4", "n_head=2", "samples=2"]

compiled_only = pytest.mark.skipif(isograd.backend != "c", reason="needs the C extension")


def both(script, *args, cwd=None):
    """Runs a script both ways and compares; returns what is said of it, and its output."""
    status, out, err = outcome(str(script), *args, cwd=cwd)
    again = outcome("-m", "isograd", "run", "--why", str(script), *args, cwd=cwd)
    ours = [line for line in again[2].splitlines() if line.startswith("isograd: ")]
    rest = "".join(f"{line}\n" for line in again[2].splitlines() if line not in ours)
    assert (*again[:2], rest) == (status, out, err)
    said = [line for line in ours if line.startswith("isograd: line ")]
    return [line.split(": ", 2)[2] for line in said], out.decode()


def written(folder, source, name="script.py"):
    path = folder / name
    path.write_text(source)
    return path


def changed(source, *changes):
    for old, new in changes:
        assert old in source, f"{old!r} is not in the script any more"
        source = source.replace(old, new)
    return source


def explained(source, folder="."):
    """The recogniser's findings in a script, by what they are about."""
    plan = recognise(ast.parse(source), str(folder))
    return {finding.what: finding for finding in plan.findings}


def reasons(lines, why):
    """The reason that leaves the class alone, as it stands in one of the `lines` after PRELUDE."""
    first = len(PRELUDE.splitlines()) + 1
    numbers = range(first, first + len(lines.splitlines()))
    return [f"line {n} {why}; without it nothing else can be compiled" for n in numbers]


# ---- the same output ----


ALL_OF_FLAT = [
    "class Value: compiled",
    "linear(): compiled",
    "softmax(): compiled",
    "rmsnorm(): compiled",
    "sum of lists: compiled",
    "sum of products: compiled",
    "sum of products: compiled",
    "sum of lists: compiled",
    "relu of a list: compiled",
    "sum of lists: compiled",
    "Adam loop: compiled",
]


@compiled_only
def test_a_flat_script():
    said, out = both(SCRIPTS / "flat.py", "5")
    assert said == ALL_OF_FLAT
    assert outcome("-m", "isograd", "run", str(SCRIPTS / "flat.py"), "5") == (0, out.encode(), "")


@compiled_only
def test_the_program_of_the_other_tests():
    assert both(PROGRAM, NAMES, *TINY)[0] == ALL_OF_FLAT


@compiled_only
def test_a_typed_script_with_methods_of_its_own():
    assert both(SCRIPTS / "typed.py", "--steps", "4")[0] == [
        "class Node: compiled, with its own squared, slope, __repr__",
        "matvec(): compiled",
        "normalise(): compiled",
        "softmax(): compiled",
        "Adam loop: compiled, its moments stay lists",
        "zeroing loop: compiled",
    ]


def test_another_program_is_left_alone():
    said, _ = both(SCRIPTS / "micrograd.py")
    assert len(said) == 1 and "left alone" in said[0]


@pytest.mark.slow
@compiled_only
@pytest.mark.parametrize(
    ("changes", "what", "why"),
    [
        ([("power + 1e-5", "power + 1e-6")], "rmsnorm()", "another one: see line 100"),
        ([("a * b for a", "b * a for a")], "linear()", "another one: see line 88"),
        ([("r / whole for", "r * whole**-1.0 for")], "softmax()", "another one: see line 95"),
        ([("reversed(path)", "path")], "backward()", "see line 51"),
        ([("met.add(node)", "met.add(node); node.grad = 0")], "backward()", "is another one"),
        ([("return self + (-other)", "return -(other - self)")], "__sub__()", "see line 45"),
        ([("def linear", "max = max\ndef linear")], "class Value", "gives max another meaning"),
        (
            [("def linear", "Value.cosh = lambda self: self\ndef linear")],
            "class Value",
            "uses the class Value other than to make a Value",
        ),
        ([("def linear", "eval('1')\ndef linear")], "class Value", "uses eval"),
        ([("def linear", "math.exp = math.exp\ndef linear")], "class Value", "sets .exp"),
        ([("import sys", "import sys, inspect")], "class Value", "imports inspect"),
        (
            [("def linear", "print(params[0]._children)\ndef linear")],
            "class Value",
            "uses _children",
        ),
        (
            [("def linear", "print(str(params[0].exp)[:4])\ndef linear")],
            "class Value",
            "uses .exp other",
        ),
        ([("def linear", "print(params[0].__doc__)\ndef linear")], "class Value", "uses __doc__"),
        ([("def linear", "class V(Value): pass\ndef linear")], "class Value", "uses the class"),
        (
            [("def linear", "linear = None\ndef linear")],
            "linear()",
            "line 87 gives its name another",
        ),
        (
            [("math.exp(self.data),))", "1.0 * math.exp(self.data),))")],
            "softmax()",
            "the class has no exp() that we know",
        ),
        ([("whole = sum", "global whole\n    whole = sum")], "softmax()", "see line 94"),
        (
            [("def linear", "class Odd:\n    def __add__(self, x): return x\ndef linear")],
            "Adam loop",
            "another class has operators",
        ),
    ],
    ids=itertools.count(),
)
def test_a_changed_script_is_left_alone_and_runs(tmp_path, changes, what, why):
    script = written(tmp_path, changed(FLAT, *changes))
    said, _ = both(script, "2")
    about = [line for line in said if line.startswith(what)]
    assert len(about) == 1 and "left alone" in about[0] and why in about[0]


@compiled_only
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([("class Value:", "class Value(dict):")], "it has bases or keywords"),
        ([("class Value:", "@lambda c: c\nclass Value:")], "it is decorated"),
        (
            [("_grads =", "_grads_ =")],
            "its __slots__ are not what its __init__() assigns",
        ),
        (
            [("    __slots", "    #"), ("_children", "relu")],
            "its edges have the name of something else",
        ),
        ([("    def log", "    def exp(self): pass\n    def log")], "line 42 defines exp() again"),
        ([("    def log", "    for i in range(3): pass\n    def log")], "line 40 is no method"),
        (
            [("    def log", "    def __two(self): return 2\n    def log")],
            "__two() in line 40 has a name that ours uses otherwise",
        ),
    ],
    ids=itertools.count(),
)
def test_a_class_that_is_left_alone(tmp_path, changes, why):
    said, _ = both(written(tmp_path, changed(PRELUDE, *changes)))
    assert said == [f"class Value: left alone, {why}; without it nothing else can be compiled"]


@compiled_only
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("match 1:\n    case int(): print(1)", "matches a class"),
        ("print('__class__')", "has a string with two underscores"),
        ("print(getattr(Value(1), '_children'))", "has the name of an edge in a string"),
        ("print(__package__)", "uses __package__"),
        ("print([math].pop().pi)", "uses the module math other than for a part of it"),
        ("print(type(os.getcwdb()).__name__)", "uses os.getcwdb"),
        ("del Value(1).data", "deletes .data"),
        ("print(Value(*[1]).data)", "makes a Value with a starred argument"),
        ("print(Value(1, docs[:0]).data)", "makes a Value whose edges are not written out"),
        ("print(type('T', (), {})().__doc__)", "uses __doc__"),
        ("print(type('T', (), {}) is int)", "makes a class with type()"),
        ("print(type(1))", "shows a type"),
        ("print(hasattr(Value(1), str(1)))", "uses hasattr with a name that is computed"),
        ("Value(1).data = None", "sets .data to what is no number"),
        ("from . import names", "imports from a package of its own"),
        ("from os import fork", "imports fork from os"),
        ("from math import *", "imports * from math"),
        ("from contextlib import sys", "imports sys from contextlib"),
    ],
)
def test_a_line_for_which_the_class_is_left_alone(tmp_path, line, why):
    said, _ = both(written(tmp_path, f"{PRELUDE}{line}\n"))
    assert said in [[f"class Value: left alone, {reason}"] for reason in reasons(line, why)]


@pytest.mark.slow
@compiled_only
@pytest.mark.parametrize(
    "changes",
    [
        [("        p.grad = 0\n", "    for p in params:\n        p.grad = 0\n")],
        [("[0.0] * len(params)  # mean of g", "[0.0 for p in params]  # mean of g")],
        [("print(i, p", "print(m[:3], v[:3], i, p")],
        [
            (
                "m = [0.0] * len(params)  # mean of gradients\nv = [0.0] * len(params)",
                "m, v = [0.0] * len(params), [0.0] * 999",
            )
        ],
        [("v = [0.0] * len(params)", "v = [0.0] * (len(params) - 1)")],
        [("v = [0.0] * len(params)", "v = [1.0] * len(params)")],
        [("def gpt(", "for p in params:\n    p.grad = 0\n\ndef gpt(")],
        [("params = [p", "params = 2 * [p")],
        [("pace = speed", "pace = 1 or speed")],
        [("keep1 ** (step + 1)", "keep1 ** step")],
        [("tiny = 0.01, 0.85, 0.99, 1e-8", "tiny = 0.01, 0.85, 0.99, 0")],
        [("tiny = 0.01", "small = 0.01")],
        [("loss.backward()", "loss.backward(); params[5].grad = 1e200")],
        [("loss.backward()", "loss.backward(); params[5].grad = float('nan')")],
        [("loss.backward()", "loss.backward(); params[5].grad = float('inf')")],
        [("loss.backward()", "loss.backward(); params[5] = 5")],
        [("params = [p", "params = tuple([p"), ("for p in row]\nprint", "for p in row])\nprint")],
        [("params = [p", "params = [p][:0] + [p for p in [Value(1.0)]] or [p")],
        [("import math\n", "import gc, math\ngc.disable()\n")],
        [('linear(x, state["head"])', 'linear(iter(x), state["head"])')],
        [('linear(x, state["head"])', 'linear(rows=state["head"], inputs=x[:3])')],
        [('linear(x, state["head"])', 'linear([1.0] * n_embd, state["head"])')],
        [('linear(x, state["head"])', "linear(x)")],
        [('linear(x, state["head"])', "linear(x, [[None]])")],
        [('linear(x, state["head"])', "softmax([])")],
        [('linear(x, state["head"])', "rmsnorm([])")],
        [
            ("params = [p", "params = dict.fromkeys([p"),
            ("for p in row]\nprint", "for p in row])\nprint"),
            ("        p.grad = 0\n", "    for p in params:\n        p.grad = 0\n"),
        ],
        [("def softmax(scores):\n", "def softmax(scores):\n    top: float\n")],
        [("pace * m_hat", "-(-pace) * m_hat")],
        [("zip(x, bypass)", "zip(x[:], bypass[0 : n_embd + 0 : 1])")],
        [('zip(state["wte"]', 'zip(state[f"w{te}"]'), ("def gpt(", "te = 'te'\n\ndef gpt(")],
        [("[number.relu() for", "[number.relu() + Value(True and 2) for")],
        [
            (
                "[number.relu() for number in x]",
                "[Value(math.tanh(xi.data), (xi,), [1 - math.tanh(xi.data) ** 2]) for xi in x]",
            )
        ],
    ],
    ids=itertools.count(),
)
def test_variants_give_what_plain_python_gives(tmp_path, changes):
    said, _ = both(written(tmp_path, changed(FLAT, *changes)), "3")
    assert said[0] == "class Value: compiled"
    assert not [line for line in said if "left alone" in line]


@compiled_only
@pytest.mark.parametrize(
    "line",
    [
        "Value(0.0).log()",
        "Value(-1).log()",
        "Value(1000.0).exp()",
        "1 / Value(0.0)",
        "Value(1) / 0",
        "Value(1) / Value(0)",
        "Value(0) ** -1",
        "Value(1e300) ** 2",
        "Value(2) ** Value(2)",
        "2 ** Value(2)",
        "pow(Value(2), 2, 3)",
        "Value(1) + 'a'",
        "'a' * Value(1.5)",
        "Value(1) - None",
        "Value(1) < Value(2)",
        "Value(1) // 2",
        "Value(1)[0]",
        "float(Value(1))",
        "math.exp(Value(1))",
        "Value()",
        "Value(1, (), (), ())",
        "Value(1).cosh()",
        "print(f'{Value(1.0):.2f}')",
        "print(type(Value(1.5)).__name__, isinstance(Value(1), Value), Value(True + 1).data)",
        "print(sum([Value(1), Value(2.5)]).data, (Value(3) * 10**3).data, (2 - Value(2)).data)",
        "print(hasattr(Value(1), 'relu'), getattr(Value(1), 'label', 'none'))",
        "sys.exit('gone')",
        "sys.exit(7)",
        "raise KeyError('x') from ValueError('y')",
        "raise KeyboardInterrupt",
        "def f(n): return f(n + 1)\nf(0)",
        "import traceback\ntry:\n  1 / Value(0)\nexcept Exception:\n  traceback.print_exc()\n  1/0",
        "import atexit\natexit.register(print, 'bye')\nraise SystemExit",
        "print(__name__, __file__, sys.argv, sys.path[0], __doc__)",
        "print(input())",
    ],
)
def test_errors_are_those_of_plain_python(tmp_path, line):
    script = written(tmp_path, f"{PRELUDE}\ndef work():\n    return None\n\n{line}\n")
    assert both(script, "1", "2")[0][:1] == ["class Value: compiled"]


@compiled_only
@pytest.mark.parametrize(
    "line",
    [
        "Value(True)",
        "Value('a')",
        "Value(-8.0) ** 0.5",
        "Value(1).data = None or 'x'",
        "Value(2) * 2**52",
        "Value(3) ** 40",
        "Value(2) ** 52",
        "Value(1).grad = [] or None",
    ],
)
def test_what_only_the_scripts_own_class_can_hold_ends_the_run(tmp_path, line):
    script = written(
        tmp_path, f"{PRELUDE}\ntry:\n    {line}\nexcept Exception:\n    pass\nprint('no')"
    )
    status, out, err = outcome("-m", "isograd", "run", str(script))
    assert (status, out) == (2, b"docs 8\n")
    assert f"line {len(PRELUDE.splitlines()) + 3} of" in err and len(err.splitlines()) == 1


FUNCTIONS = FLAT[FLAT.index("def linear") : FLAT.index("def gpt")]


@compiled_only
@pytest.mark.parametrize(
    "line",
    [
        "b = Value(2**40); (Value(0) * b * b).backward()",
        "Value(5, (Value(2),), (2**60,))",
        "Value(5, (Value(2),), [2.5, True, -(2**53)])",
        "a = Value(3); a.grad = 2**53 - 1; a.backward(); (a * (2**52 + 1)).backward()",
        "a = Value(1); a.grad = 2**53 - 1; (a + 0).backward()",
        "a = Value(1); a.grad = 2**53 - 1; Value(3, (a,), (1,)).backward()",
        "rmsnorm([Value(2**27 + 1), Value(3), Value(1)])",
        "rmsnorm([Value(2**27 + 1), Value(3), Value(1.5)])",
        "linear([Value(2**27 + 1)] * 2, [[Value(2**27)] * 2])",
        "linear([Value(2**26)] * 4, [[Value(2**26)] * 4])",
        "linear([Value(2**27), Value(2), Value(0.5)], [[Value(2**27), Value(1), Value(1)]] * 4)",
        "v = linear([Value(2**40)], [[Value(2)]])[0]; Value(1, (v,), [2**13]).backward()",
        "softmax([Value(2**53 - 1), Value(-3)])",
        "x, y = [Value(2**27 + 1), Value(1.5)], [Value(2**27), Value(1)]; "
        "sum(a * b for a, b in zip(x, y))",
        "x, y = [Value(2**53 - 1), Value(1)], [Value(1), Value(1)]; [a + b for a, b in zip(x, y)]",
        "x = [Value(2**26 + 1)] * 5; x = linear(x, [x]); x[0].backward()",
    ],
    ids=itertools.count(),
)
def test_an_int_that_leaves_2_to_the_53_ends_the_run(tmp_path, line):
    """In data, gradients and local gradients, and in what the vector functions add up."""
    script = written(tmp_path, f"{PRELUDE}{FUNCTIONS}\n{line}\nprint('no')")
    assert outcome(str(script))[:2] == (0, b"docs 8\nno\n")
    status, out, err = outcome("-m", "isograd", "run", str(script))
    assert (status, out) == (2, b"docs 8\n")
    assert err.endswith("plain python can\n") and len(err.splitlines()) == 1


@compiled_only
@pytest.mark.parametrize(
    "line",
    [
        "a = Value(1); a.grad = 2**53 - 1; (a * -1).backward(); print(a.grad)",
        "b = Value(2**26); (b * b).backward(); print(b.data, b.grad)",
        "a = Value(2**52, (), ()); print((a + (2**52 - 1)).data, (a + -(2**53 - 1)).data)",
        "a = Value(2**52); print(Value(7, (a,), (2**53 - 1,)).data, (a * 2.0).data)",
        "x = linear([Value(1.5), Value(2**27 + 1)], [[Value(2), Value(2**27)]]); print(x[0].data)",
        "x = [Value(2**26), Value(3)]; y = rmsnorm(x); sum(y).backward(); print(x[0].grad)",
        "x = [Value(2**53 - 1), Value(1)]; y = softmax(x); y[0].backward(); print(x[0].grad)",
        "a = Value(3); a.grad = 0.5; (Value(1, (a,), (2**52,)) * -4).backward(); print(a.grad)",
        "a = Value(3); b = a / 2**70 / -(2**53); b.backward(); print(b.data, a.grad)",
        "Value(3) / 10**400",
        "a = Value(3); a.grad = -0.0; Value(1, (a, a), (0, -1)).backward(); print(a.grad)",
        "x = [Value(1.5), Value(2**27)]; x[1].grad = 0.5; "
        "(sum(a * b for a, b in zip(x, x)) * 2**27).backward(); print(x[1].grad)",
    ],
    ids=itertools.count(),
)
def test_ints_below_2_to_the_53_are_ints(tmp_path, line):
    both(written(tmp_path, f"{PRELUDE}{FUNCTIONS}\n{line}"))


@compiled_only
def test_adam_leaves_squares_of_large_ints_to_the_script(tmp_path):
    source = changed(
        FLAT,
        ("loss.backward()", "loss.backward(); params[5].grad = params[9].grad = 2**40 + 3"),
        ("tiny = 0.01, 0.85, 0.99, 1e-8", "tiny = 0.01, 0.85, -2, 1e-8"),
    )
    both(written(tmp_path, source), "1")


CAUGHT = [
    "try:\n    {}\nexcept BaseException:\n    print('no')\nprint('no')",
    "try:\n    {}\nexcept:\n    print('no')",
    "try:\n    {}\nfinally:\n    print('no')",
    "import contextlib\nwith contextlib.suppress(BaseException):\n    {}\nprint('no')",
    "import atexit\natexit.register(print, 'no')\n{}",
    "class Last:\n    def __del__(self):\n        print('no')\n\nlast = Last()\n{}",
    "class Last:\n    def __del__(self):\n        {}\n        print('no')\n\nLast()\nprint('no')",
    "import atexit\n@atexit.register\ndef last():\n    {}\n    print('no')",
    "def values():\n  try:\n    yield {}\n  finally:\n    print('no')\n\nnext(values())",
    "def down(n):\n    try:\n        down(n + 1)\n    except:\n        {}\n\ndown(0)\nprint('no')",
    "class Text:\n    def __repr__(self):\n        print('no')\n\nValue(1).data = [] or Text()",
    "class Out:\n    def write(self, text): pass\n    def flush(self): sys.stderr.write('no')\n\n"
    "import contextlib\nwith contextlib.redirect_stdout(Out()):\n    {}",
]


@compiled_only
@pytest.mark.parametrize("way", CAUGHT, ids=itertools.count())
@pytest.mark.parametrize("line", ["Value(2**60)", "Value(2**30) * 2**30"])
def test_nothing_of_the_script_runs_after_the_stop(tmp_path, way, line):
    script = written(tmp_path, PRELUDE + way.format(line))
    status, out, err = outcome("-m", "isograd", "run", str(script))
    assert (status, out) == (2, b"docs 8\n")
    assert err.startswith("isograd: line ") and len(err.splitlines()) == 1


@compiled_only
def test_what_was_written_before_the_stop(tmp_path):
    lines = "log = open('log.txt', 'w')\nlog.write('a')\nraw = open('raw.txt', 'wb')\n"
    lines += "raw.write(b'b')\nopen('shut.txt', 'w').close()\nprint('c', end='')\n"
    script = written(tmp_path, f"{PRELUDE}{lines}Value(10**5000)\n")
    status, out, err = outcome("-m", "isograd", "run", str(script), cwd=tmp_path)
    assert (status, out) == (2, b"docs 8\nc")
    assert "makes a Value of " in err and len(err.splitlines()) == 1
    assert ((tmp_path / "log.txt").read_text(), (tmp_path / "raw.txt").read_text()) == ("a", "b")


@compiled_only
def test_the_first_of_two_names_that_do_not_exist(tmp_path):
    for order in ("a * b", "b * a"):
        script = written(tmp_path, f"{PRELUDE}sum({order} for a, b in zip(nothing, nowhere))")
        assert "sum of products: compiled" in both(script)[0]


@compiled_only
def test_a_function_as_a_method(tmp_path):
    functions = FLAT[FLAT.index("def linear") : FLAT.index("def gpt")]
    use = "class Vector(list):\n    norm = rmsnorm\n\nx = Vector([Value(1.0), Value(2.5)])\n"
    lines = "print([y.data for y in x.norm() + Vector.norm(x)])\nx.norm(x)\n"
    said, out = both(written(tmp_path, PRELUDE + functions + use + lines))
    assert "rmsnorm(): compiled" in said and out.count(".") == 4


@compiled_only
def test_an_attribute_that_only_the_scripts_own_class_takes(tmp_path):
    strange = "class Label:\n    def put(self):\n        self.text = 1\n\nLabel.put(Value(2))\n"
    status, out, _ = outcome(
        "-m",
        "isograd",
        "run",
        str(written(tmp_path, PRELUDE.replace("    __slots", "    #") + strange)),
    )
    assert (status, out) == (2, b"docs 8\n")
    both(written(tmp_path, PRELUDE + strange))


@compiled_only
def test_methods_that_the_class_does_not_have(tmp_path):
    start = FLAT.index("    def __rsub__")
    without = FLAT[:start] + FLAT[FLAT.index("    def __rmul__") :]
    without = without[: without.index("n_layer, n_embd")].replace("def relu", "def relu_")
    script = written(
        tmp_path, without + "print(hasattr(Value(1), 'relu'))\nValue(2) - 1\n1 - Value(2)"
    )
    said, out = both(script)
    assert said == ["class Value: compiled"] and "False" in out


# ---- running ----


def test_scripts_that_are_no_gpt(tmp_path):
    both(written(tmp_path, "import sys\nprint(sys.argv)"), "--explain", "-x", "--", "y")
    both(written(tmp_path, "def f(:\n  pass"))
    both(written(tmp_path, "print('\\d')\nx = 1 is 1"))
    both(written(tmp_path, ""))
    both(written(tmp_path, "def f():\n    g()\n\ndef g():\n    raise RuntimeError('no')\n\nf()"))
    path = tmp_path / "latin.py"
    path.write_bytes("# coding: latin-1\nprint(len('\xe4'))".encode("latin-1"))
    both(path)


@pytest.mark.undisturbed
def test_imports_from_the_scripts_folder(tmp_path):
    written(tmp_path, "print('mine')\ndef seed(n): pass\ndef shuffle(x): x.sort()", "random.py")
    written(tmp_path, "import helper\nprint(helper.random)", "uses.py")
    written(tmp_path, "import random", "helper.py")
    both(tmp_path / "uses.py")
    said, _ = both(written(tmp_path, PRELUDE))
    assert "imports random" in said[0]


def test_a_folder_whose_name_begins_as_the_standard_librarys(tmp_path, monkeypatch):
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "lib"))
    for folder, harmless in [("lib", True), ("library", False)]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "json.py").touch()
        assert is_harmless_module("json", str(tmp_path / folder)) is harmless


@pytest.mark.parametrize(
    ("beside", "forgotten"),
    [
        ("_isograd_test.py", True),
        ("_isograd_test", True),
        ("_isograd_test.abi3.so", True),
        ("isograd.py", False),
        ("os.py", False),
        ("sys.py", False),
    ],
)
def test_modules_under_the_name_of_one_beside_the_script(tmp_path, monkeypatch, beside, forgotten):
    name = beside.split(".")[0]
    module = sys.modules.get(name) or types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    (tmp_path / beside).touch()
    forget_shadowed_modules(str(tmp_path))
    assert (name not in sys.modules) == forgotten
    assert (keep[-1:] == [module]) == forgotten


def test_a_folder_that_cannot_be_listed_shadows_nothing(tmp_path):
    before = dict(sys.modules)
    forget_shadowed_modules(str(tmp_path / "nowhere"))
    assert sys.modules == before


def test_relative_paths_and_links(tmp_path):
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep", "import sys\nprint(__file__, sys.argv, sys.path[0])\n1/0", "a.py")
    (tmp_path / "link.py").symlink_to("deep/a.py")
    both("./deep/a.py", cwd=tmp_path)
    both("link.py", cwd=tmp_path)


def test_no_script(tmp_path):
    for path in ("nowhere.py", str(tmp_path)):
        status, out, err = outcome("-m", "isograd", "run", path)
        assert (status, out) == (2, b"") and len(err.splitlines()) == 1 and path in err


def test_the_pure_backend_runs_the_script_as_it_is(monkeypatch):
    monkeypatch.setenv("ISOGRAD_BACKEND", "python")
    said, _ = both(SCRIPTS / "typed.py")
    assert said == ["the script: left alone, this isograd runs without its C extension"]


@pytest.mark.undisturbed
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_ends_as_under_plain_python(tmp_path):
    script = written(tmp_path, "import time\nprint('on', flush=True)\ntime.sleep(50)")
    ends = []
    for line in ([str(script)], ["-m", "isograd", "run", str(script)]):
        process = subprocess.Popen(
            [sys.executable, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        ends.append((*process.communicate(timeout=20), process.returncode))
    assert ends[0] == ends[1] and ends[0][2] == -signal.SIGINT


# ---- how a script ends ----

ENDS = """import atexit
class Last:
    def __init__(self, *held):
        self.held = held
    def __del__(self):
        print("last", *[x.data for x in self.held], self.held[0].doubled().data)
        try:
            1 / Value(0)
        except ZeroDivisionError as error:
            print(error, Value(2))

def scale(x):
    return softmax(x)

last = Last(Value(2), *softmax([Value(1), Value(2.5)]))
atexit.register(print, "atexit")
def work():
    mine = Last(Value(3))
    {}

work()
"""


@compiled_only
@pytest.mark.parametrize(
    "line",
    ["pass", "1 / 0", "Value(1) / 0", "sys.exit(3)", "raise KeyboardInterrupt", "sys.exit(mine)"],
)
def test_destructors_run_when_they_do_under_plain_python(tmp_path, line):
    """At the end of work(), or after atexit functions with the frames that a traceback holds."""
    own = "    def doubled(self): return self * 2\n    def __repr__(self): return f'{self.data}'\n"
    klass = changed(PRELUDE, ("    def log(self)", f"{own}    def log(self)"))
    script = written(tmp_path, klass + FUNCTIONS + ENDS.format(line))
    if line == "sys.exit(mine)":  # shows an address
        assert outcome("-m", "isograd", "run", str(script))[:2] == outcome(str(script))[:2]
    else:
        said, out = both(script)
        assert said[0] == "class Value: compiled, with its own doubled, __repr__"
        assert out.count("last") == 2 and "negative power" in out


def test_why_a_run_stops(capfd):
    say = SayWhy("script.py", __file__)
    say(2.0**53)
    say([])
    line = inspect.currentframe().f_lineno
    say(10**5000)
    SayWhy("script.py", "nowhere")(1j)
    text = "isograd: line {} of script.py makes a Value of {}, which the compiled class cannot hold"
    shown = [(line - 2, 2.0**53), (line - 1, "<list>"), (line + 1, "an int of many digits")]
    if not hasattr(sys, "get_int_max_str_digits"):
        shown[2] = (line + 1, 10**5000)
    said = [text.format(*about) for about in [*shown, ("?", "1j")]]
    assert capfd.readouterr().err.splitlines() == [f"{t}; plain python can" for t in said]


@compiled_only
def test_what_the_scripts_own_class_holds_is_shown_before_the_stop(monkeypatch):
    def stop(held):
        raise OverflowError(held)

    monkeypatch.setattr("isograd._core.stop_script", stop)
    replay = Replay(Value, Value.__init__.__globals__)
    with pytest.raises(OverflowError, match=str(2**60)):
        replay("mul", (isograd.Value(2**30), 2**30), None)
    assert isinstance(replay("truediv", (isograd.Value(1), 0), None), ZeroDivisionError)


ADOPTED_WITHOUT_MEMORY = """
import os, sys, _testcapi
from isograd import _core
for k in range(30):
    if os.fork() == 0:
        try:
            _testcapi.set_nomemory(k, k + 1)
            _core.adopt_class("Own", ("log",), {"one": 1}, int, int)
        except MemoryError:
            pass
        finally:
            _testcapi.remove_mem_hooks()
        sys.exit()
    assert os.wait()[1] == 0
code = compile("1", "one", "exec")
for k in range(4):
    for work, *args in ((_core.compile_script, b"1", "one"), (_core.execute_script, code, {})):
        try:
            _testcapi.set_nomemory(k, k + 1)
            work(*args)
        except (MemoryError, SystemError):  # the latter where CPython forgets to raise
            pass
        finally:
            _testcapi.remove_mem_hooks()
_core.execute_script(_core.compile_script(b"print(1)", "one"), {})
"""


@pytest.mark.undisturbed
@compiled_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_no_memory_to_take_the_place_of_a_class():
    pytest.importorskip("_testcapi")
    status, out, _ = outcome("-c", ADOPTED_WITHOUT_MEMORY)  # CPython 3.13 complains by itself
    assert (status, out) == (0, b"1\n")


@compiled_only
def test_a_stop_that_python_does_not_survive_to_explain():
    source = "from isograd import _core; Value = _core.Value\n"
    lost = "Value(2**40, (Value(1),), (2**40,)).backward(); linear = {}; linear([Value(1)])\n"
    adopt = "_core.adopt_class('Own', (), {}, int, lambda held: [print(held, flush=True), 1 / 0])\n"
    norm = "_core.compiled_function(print, 'rmsnorm')"
    source += lost.format(norm) + f"{norm}([Value(2**30)])\n" + adopt + f"{norm}([Value(2**30)])\n"
    status, out, errors = outcome("-c", source)
    assert (status, out, errors) == (2, b"1.152921504606847e+18\n", "")


REPEATED = """
class Last:
    def __init__(self, n):
        self.n = n
    def __del__(self):
        print("last", self.n)

for n in range(4):
    last = Last(n)
    try:
        Value(n) / 0
    except ZeroDivisionError:
        print(n)
"""


@compiled_only
def test_an_error_of_the_scripts_own_class_keeps_nothing_alive(tmp_path):
    both(written(tmp_path, PRELUDE + REPEATED))


HANDED_OVER = """
import gc, weakref
from isograd import _core
class Replay:
    def __call__(self, *about): return TypeError("own")
replay = Replay()
gone = weakref.ref(replay)
def doubled(self): return self * 2
_core.adopt_class("Own", (), {"doubled": doubled, "one": 1}, replay, print)
def refused(operation):
    try:
        operation()
    except (AttributeError, RuntimeError, TypeError) as error:
        print(error)
refused(lambda: _core.Value([]))
members = _core.hand_over_members()
refused(_core.hand_over_members)
print(_core.Value(3).doubled().data, _core.Value.doubled is doubled, _core.Value(3).one)
del replay
members = [members]
members.append(members)
del members
gc.collect()
print(gone())
refused(lambda: _core.Value([]))
refused(lambda: _core.Value(1).doubled)
print("Own object at" in repr(_core.Value(3)))
"""


@compiled_only
def test_the_scripts_own_methods_die_with_their_owner():
    status, out, errors = outcome("-c", HANDED_OVER)
    assert (status, errors) == (0, "")
    assert out.decode().splitlines() == [
        "own",
        "there is no script's class, or it is handed over",
        "6 True 1",
        "None",
        "the script's class is no more",
        "doubled",
        "True",
    ]


# ---- how deep ----


DEEP = [
    "x = Value(1.5)\nprint(({}).data)".format(" + ".join(["x"] * 340)),
    "x = 7\nif x == 0: pass\n" + "".join(f"elif x == {i}: print({i})\n" for i in range(400)),
    "print({!r}{})".format("ab", ".replace('a', 'b')" * 400),
    "x = " + "[" * 90 + "1" + "]" * 90 + "\nprint(x)",
    "print({})".format("-" * 900 + "Value(2).data"),
    "print(" + " or ".join(["(0 and 1)"] * 900) + ")",
    "x = 1\nprint({})".format(" + ".join(["x"] * 2500)),
]


@compiled_only
@pytest.mark.parametrize("lines", DEEP, ids=itertools.count())
def test_a_deep_script_is_looked_through(tmp_path, lines):
    assert both(written(tmp_path, f"{PRELUDE}{lines}\n"))[0] == ["class Value: compiled"]


@compiled_only
def test_a_script_too_deep_to_be_looked_through_runs_as_written(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("isograd.run.depth.FRAMES", sys.getrecursionlimit())
    monkeypatch.setattr("sys.argv", [])
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    script = written(tmp_path, f"{PRELUDE}{DEEP[0]}\n")
    with pytest.raises(SystemExit):
        Script(str(script), ()).run(why=True)
    out, errors = capfd.readouterr()
    assert out == "docs 8\n510.0\n"
    assert "the script: left alone, it is nested too deeply to be looked through" in errors


def test_room_without_a_thread(monkeypatch):
    def no_thread(function, args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", no_thread)
    limit = sys.getrecursionlimit()
    assert with_room(sys.getrecursionlimit) == limit == sys.getrecursionlimit()
    with pytest.raises(ZeroDivisionError):
        with_room(lambda: 1 / 0)


def test_room_for_many_frames():
    def down(n):
        return down(n - 1) + 1 if n else 0

    limit = sys.getrecursionlimit()
    assert with_room(lambda: down(50_000)) == 50_000
    assert sys.getrecursionlimit() == limit


RECURSION = """import sys
def down(n):
    try:
        return down(n + 1)
    except RecursionError:
        return n

class Up:
    def __del__(self):
        print(down(0), sys.getrecursionlimit())

print(down(0), sys.getrecursionlimit())
for limit in (500, 50, 2000):
    sys.setrecursionlimit(limit)
    print(down(0), [down(0) for i in [0]], list(map(down, [0])), sys.getrecursionlimit())
try:
    sys.setrecursionlimit(1)
except RecursionError as error:
    print(error)
def f(n): return eval("f(n + 1)") if n else repr(f)
import atexit
up = Up()
atexit.register(lambda: print(down(0)))
for n in (95, 5000):
    try:
        print(len(str(eval("(" * n + ")" * n))))
    except (MemoryError, RecursionError, SyntaxError) as error:
        print(type(error))
low = int(sys.argv[1])
if low:
    sys.setrecursionlimit(low)
down("as one cannot add to this")
"""


@compiled_only
@pytest.mark.parametrize("low", ["0", "60", "200"])
def test_a_script_recurs_as_deep_as_under_plain_python(tmp_path, low):
    both(written(tmp_path, RECURSION), low)


FIRST_TOO_DEEP = """
import bisect
def is_too_deep(n):
    try:
        compile("+".join(["x"] * n), "sum", "exec")
    except RecursionError:
        return True
print(bisect.bisect_left(range(12_000), True, key=lambda n: bool(is_too_deep(n))))
"""


@compiled_only
def test_what_plain_python_compiles_is_compiled_and_no_more(tmp_path):
    first = int(outcome("-c", FIRST_TOO_DEEP)[1])
    for n in range(first - 2, first + 10):
        script = written(tmp_path, f"x = 1\nprint({' + '.join(['x'] * n)})")
        both(script)


# ---- what the compiled functions leave to the script ----


def own(*args, **keywords):
    """The script's function, which tells what it was given."""
    return "own", args, keywords


@compiled_only
@pytest.mark.parametrize("kind", ["linear", "linear_swapped", "softmax", "rmsnorm"])
def test_a_function_asks_the_scripts_own(kind):
    function = _core.compiled_function(own, kind)
    n_args = 2 if kind.startswith("linear") else 1
    v = [isograd.Value(1.0), isograd.Value(2.0)]
    for args in ((5, 6), ([v, 5], [v[0]]), ([], []), (["no number"], [v]), ("12", [v])):
        assert function(*args[:n_args]) == own(*args[:n_args])
    assert function(v, [v], more=1) == own(v, [v], more=1)
    assert function() == own() and function(v, v, v) == own(v, v, v)
    assert (repr(function), function.__name__) == (repr(own), "own")
    with pytest.raises(AttributeError):
        function.missing  # noqa: B018


@compiled_only
def test_a_function_of_ours_has_one_of_four_names():
    with pytest.raises(ValueError, match="no compiled function is called square"):
        _core.compiled_function(own, "square")


@compiled_only
def test_expressions_that_are_left_to_the_script():
    v = [isograd.Value(1.0), isograd.Value(2.0), isograd.Value(3.0)]
    ints = [isograd.Value(1), isograd.Value(2)]
    assert _core.dot_or_none(v, v[:2]).data == 5.0
    assert _core.dot_or_none(v, [v[:1]] * 3, 2, 0).data == 3.0
    for args in (
        (5, v),
        (v, 5),
        (v, []),
        (v, v, 4),
        (v, v, 2.0),
        (v, v, -1),
        (v, v, 10**30),
        (v, [v, 5, v], 2, 0),
        (v, [v] * 3, 3, 3),
        (v, [v] * 3, 3, "0"),
        (v * 100, [v] * 300, 300, 0),
        (v, [1.0, 2.0, 3.0]),
        (ints, ints),
    ):
        assert _core.dot_or_none(*args) is None
    assert _core.add_or_none(5, v) is _core.add_or_none(v, 5) is _core.add_or_none(v, v[:2]) is None
    assert _core.relu_or_none(5) is _core.relu_or_none([]) is _core.relu_or_none([1.0]) is None


@compiled_only
def test_no_memory_for_what_the_compiled_functions_make():
    """Ours gives way to the script's own, which here says so."""
    testcapi = pytest.importorskip("_testcapi")
    v = [isograd.Value(1.0), isograd.Value(2.0)]
    function = _core.compiled_function(lambda x, w: None, "linear")
    for attempt in (
        lambda: function(v, [v]),
        lambda: _core.dot_or_none(v, v),
        lambda: _core.add_or_none(v, v),
        lambda: _core.compiled_function(own, "softmax"),
    ):
        results = []
        for k in range(40):
            try:
                testcapi.set_nomemory(k, k + 1)
                result = attempt()
            except MemoryError:
                result = None
            finally:
                testcapi.remove_mem_hooks()
            results.append(result)
        assert results[-1] is not None


ADOPTED_TWICE = """
from isograd import _core
adopt = lambda: _core.adopt_class("Own", (), {}, lambda *about: TypeError("own"), KeyError)
adopt()
print(repr(_core.Value(1.0)).split()[0])
try:
    _core.Value(data="no number", grad=5)
except TypeError as error:
    print(error)
adopt()
"""


@compiled_only
def test_one_class_is_adopted():
    status, out, errors = outcome("-c", ADOPTED_TWICE)
    assert (status, out) == (1, b"<__main__.Own\nown\n")
    assert errors.endswith("RuntimeError: Value stands for a script's class already\n")


# ---- the recogniser ----


@pytest.mark.parametrize(
    "line",
    [
        "max = min",
        "max: int = 3",
        "max += 1",
        "del max",
        "def max(): pass",
        "async def max(): pass",
        "class max: pass",
        "def f(max): pass",
        "def f(*max): pass",
        "def f(*, a, max=1): pass",
        "def f(a, max, /): pass",
        "def f(**max): pass",
        "def f(a=(max := 1)): pass",
        "def f(): global max",
        "def f():\n    max = 1\n    def g(): nonlocal max",
        "lambda max: 1",
        "lambda a=(max := 1): a",
        "import os as max",
        "import max.min",
        "from os import path as max",
        "for max in []: pass",
        "with open(docs) as max: pass",
        "try: pass\nexcept KeyError as max: pass",
        "match 1:\n    case max: pass",
        "match 1:\n    case [*max]: pass",
        "match 1:\n    case {**max}: pass",
        "[1 for max in []]",
        "{1 for max in []}",
        "{1: 1 for max in []}",
        "sum(1 for a in [] for a, max in [])",
        "[(max := a) for a in []]",
        "[1 for a in (max := [])]",
    ],
)
def test_every_way_to_give_a_name_another_meaning(line):
    (said,) = explained(PRELUDE + line).values()
    assert said.why in reasons(line, "gives max another meaning")


@pytest.mark.parametrize(
    ("operands", "twice"),
    [
        ("x, y", True),
        ("x[1:], y[: n + 1 : 2]", True),
        ("x[len(y) - n :], y[0]", True),
        ("w[f'{n}.b'], w['a']", True),
        ("w[f'{n + 1}.b'], w['a']", False),
        ("x[-1:], y", False),
        ("x[: len([y])], y", False),
        ("x[y()], y", False),
        ("[*x], y", False),
        ("x.y, y", False),
    ],
)
def test_operands_that_may_be_read_twice(operands, twice):
    said = explained(f"{PRELUDE}def f(w, x, y, n): [a + b for a, b in zip({operands})]")
    assert ("sum of lists" in said) == twice


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("class Loop:\n    for p in params:\n        p.grad = 0", "zeroing loop"),
        ("class Sum:\n    y = [a + b for a, b in zip(x, x)]", "sum of lists"),
        ("y = [a + a for a, a in zip(x, x)]", "sum of lists"),
        ("y = [a + b for a, b in zip(x, a)]", "sum of lists"),
        ("for p in p:\n    p.grad = 0", "zeroing loop"),
    ],
)
def test_what_is_not_even_looked_at(source, what):
    assert what not in explained(PRELUDE + source)


@pytest.mark.parametrize(
    ("changes", "stay"),
    [
        ([], False),
        ([("def gpt(", "def size():\n    global params\n\ndef gpt(")], True),
        ([("def gpt(", "def size():\n    global m\n\ndef gpt(")], True),
        ([("params = [p", "params = []\nparams = [p")], True),
        ([("def gpt(", "params.sort(key=id)\n\ndef gpt(")], True),
        ([("def gpt(", "print(params[0])\n\ndef gpt(")], False),
        ([("def gpt(", "for p in params:\n    p.grad = 0\n\ndef gpt(")], False),
        ([("def gpt(", "print([0 for p in params if params])\n\ndef gpt(")], False),
        ([("def gpt(", "params[0] = Value(1)\n\ndef gpt(")], True),
    ],
    ids=itertools.count(),
)
def test_moments_that_stay_lists(changes, stay):
    said = explained(changed(FLAT, *changes))["Adam loop"]
    assert (said.replaced, said.why) == (True, "its moments stay lists" if stay else "")


OUT_OF_MEMORY = """
import _testcapi
from isograd import _core
_core.adopt_class("Value", (), {}, lambda name, args, keywords: TypeError("own"), KeyError)
many = tuple(range(30))
for k in range(40):
    try:
        _testcapi.set_nomemory(k, k + 1)
        _core.Value(*many)
    except (MemoryError, TypeError):
        pass
    finally:
        _testcapi.remove_mem_hooks()
"""


@compiled_only
def test_no_memory_to_ask_the_scripts_own_class():
    pytest.importorskip("_testcapi")
    status, _, errors = outcome("-c", OUT_OF_MEMORY)
    assert (status, errors) == (0, "")


def mutations(source):
    """The program with one thing changed, for everything in it that can be."""
    nodes = list(ast.walk(ast.parse(source)))
    operators = {
        ast.Add: ast.Sub,
        ast.Sub: ast.Add,
        ast.Mult: ast.Div,
        ast.Div: ast.Mult,
        ast.Pow: ast.Mult,
        ast.Gt: ast.GtE,
        ast.NotIn: ast.In,
        ast.USub: ast.UAdd,
    }
    for i, node in enumerate(nodes):

        def again(i=i):
            tree = ast.parse(source)
            return tree, list(ast.walk(tree))[i]

        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            for value in (
                node.value + 1,
                -1.5,
                float(node.value) if type(node.value) is int else 2,
            ):
                tree, twin = again()
                twin.value = value
                yield tree
        for part in ("op", "ops"):
            if hasattr(node, part):
                tree, twin = again()
                old = node.op if part == "op" else node.ops[0]
                if type(old) in operators:
                    new = operators[type(old)]()
                    setattr(twin, part, new if part == "op" else [new])
                    yield tree
        if isinstance(node, ast.BinOp):
            tree, twin = again()
            twin.left, twin.right = twin.right, twin.left
            yield tree
        if isinstance(node, ast.Call):
            tree, twin = again()
            if isinstance(twin.func, ast.Name):
                twin.func.id = "other_function"
                yield tree
        if isinstance(node, ast.Attribute):
            tree, twin = again()
            twin.attr = "grad" if twin.attr == "data" else "data"
            yield tree
        if isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
            tree, twin = again()
            twin.elts.reverse()
            yield tree
        body = getattr(node, "body", None)
        if isinstance(body, list):
            for k in range(len(body)):
                tree, twin = again()
                del twin.body[k]
                twin.body = twin.body or [ast.Pass()]
                yield tree
            for k in range(len(body) - 1):
                tree, twin = again()
                twin.body[k], twin.body[k + 1] = twin.body[k + 1], twin.body[k]
                yield tree


def mutants(way, ways):
    """The mutations of `way` that are no other of the `ways`, with their meanings."""
    texts = [ast.dump(other.definition) for other in ways]
    for tree in mutations(ast.unparse(way.definition)):
        mutant = ast.parse(ast.unparse(tree)).body[0]
        if isinstance(mutant, ast.FunctionDef) and ast.dump(mutant) not in texts:
            yield mutant, Meaning(mutant, OURS, Names(mutant).scopes)


def test_methods_of_one_operand_are_recognised_as_the_reference_writes_them():
    lines = [line for line in PRELUDE.splitlines() if "def log" not in line]
    lines = [line for line in lines if "def exp" not in line and "def relu" not in line]
    own = [inspect.getsource(getattr(Value, name)) for name in known.unary_methods]
    before = next(i for i, line in enumerate(lines) if "def backward" in line)
    (said,) = explained("\n".join([*lines[:before], *own, *lines[before:]])).values()
    assert str(said).endswith("class Value: compiled") and len(own) >= 3


def test_no_mutation_of_a_function_is_recognised():
    for ways in known.functions().values():
        accepted = [way.meaning for way in ways]
        for way in ways:
            n = 0
            for mutant, meaning in mutants(way, ways):
                n += 1
                assert meaning not in accepted, ast.unparse(mutant)
            assert n > 4


def test_no_mutation_of_a_method_is_recognised():
    n = 0
    walks = [
        known.orders(),
        known.orders(is_mirrored=True),
        known.endings("hand_on"),
        known.endings("hand_on_by_closures"),
    ]
    for ways in [*known.methods().values(), *walks]:
        accepted = [way.meaning for way in ways]
        for way in ways:
            for mutant, meaning in mutants(way, ways):
                n += 1
                if meaning in accepted:
                    assert is_reordered(mutant, way.definition), ast.unparse(mutant)
    assert n > 500


def is_reordered(mutant, function):
    """Whether only statements changed places: stores of __init__, preparations of the walk."""
    return sorted(map(ast.dump, mutant.body)) == sorted(map(ast.dump, function.body))


# Parts of kernels and loops as only another caller of ours makes them, and what is said of them.
END = bytes(4)
KERNEL = (len, END, (), (1, 0, 0, (0, 0)), (), 1)
LOOP = (END, (), (1, 1, 1), (-1, -1, -1, 3))
MISFITS = [
    ("kernel", [], "a kernel is made of a tuple"),
    ("loop", [], "a loop is made of a tuple"),
    ("loop", (END, (), (17, 0, 0), ()), "a loop has too many vectors"),
    ("loop", (END, (), (1, -1, 0), ()), "a loop has too many vectors"),
    ("loop", (*LOOP[:3], [-1, -1, -1, 3]), "a loop's stores do not fit"),
    ("loop", (*LOOP[:3], (-1, -1, -1)), "a loop's stores do not fit"),
    ("loop", (*LOOP[:3], (-1, -1, -1, -1)), "a loop's stores do not fit"),
    ("loop", (*LOOP[:3], (-1, -1, 128, 3)), "a loop's stores do not fit"),
    *(
        ("kernel", (len, END, (), sizes, (), 1), "a kernel's parts do not fit")
        for sizes in [(3, 0, 0, (0, 0)), (0, 0, 0, (0, 0)), (1, -1, 0, (0, 0)), (1, 0, 128, (0, 0))]
    ),
    ("kernel", (len, END, (), (1, 0, 0, (0, -1)), (), 1), "a kernel's parts do not fit"),
    ("kernel", (len, END, (), (1, 0, 0, (0, 0)), [], 1), "a kernel's parts do not fit"),
    ("kernel", (len, END, (), (1, 0, 0, (0, 0)), (), 0), "a kernel's parts do not fit"),
    *(
        (kind, (*parts[:at], code, constants, *parts[at + 2 :]), words)
        for kind, parts, at in [("kernel", KERNEL, 1), ("loop", LOOP, 0)]
        for code, constants, words in [
            ("", (), "a program is made of bytes and a tuple of numbers"),
            (END, [], "a program is made of bytes and a tuple of numbers"),
            (b"", (), "a program is too long or has no end"),
            (b"\1\0\0\0", (), "a program is too long or has no end"),
            (END, (1.0,) * 128, "a program is too long or has no end"),
            (b"\xff\0\0\0" + END, (), "a program has an instruction that is none"),
            (b"\1\xff\0\0" + END, (), "a program has an instruction that is none"),
            (b"\x14\0\xff\0" + END, (), "a program has an instruction that is none"),
            (b"\x12\0\0\xff" + END, (), "a program has an instruction that is none"),
            (END, ("1",), "a program's constant is no number"),
        ]
    ),
]


@compiled_only
@pytest.mark.parametrize("kind, parts, words", MISFITS)
def test_what_is_no_plan_is_refused(kind, parts, words):
    with pytest.raises(ValueError, match=words):
        _core.compiled_function(parts, kind)


@compiled_only
def test_a_loop_leaves_to_python_what_it_is_not_made_for():
    loop = _core.compiled_function(LOOP, "loop")
    for arguments in [
        ({}, ([],), (1.0,), (1.0,), 0, 0),
        ([], (), (1.0,), (1.0,), 0, 0),
        ([], ([],), (), (1.0,), 0, 0),
        ([], ([],), (1.0,), ("1",), 0, 0),
        ([], ([],), (1.0,), (1.0,), -1, 0),
        (["1"], ([],), (1.0,), (1.0,), 0, 0),
        ([isograd.Value(1.0)], ([],), (1.0,), (1.0,), 0, 0),
    ]:
        first, carried = loop(*arguments)
        assert (first, carried) == (arguments[4], arguments[2])
