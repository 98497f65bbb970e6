"""Scripts as people write them under `isograd run`: the same output as plain Python's, and fast.

wild_scripts.py has them.
"""

import re

import pytest
import wild_scripts
from conftest import outcome, slow
from trainings import TRAININGS

import isograd

resource = pytest.importorskip("resource")

pytestmark = pytest.mark.skipif(isograd.backend != "c", reason="needs the C extension")


def timed(*line, cwd):
    """Status, output and complaints of a process, and its seconds of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, output, complaints = outcome(*line, cwd=cwd, timeout=100)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (status, output), complaints, after.ru_utime - before.ru_utime


def written(folder, wild):
    path = folder / "script.py"
    path.write_text(wild.source)
    return str(path)


def seconds_a_step(way, script, steps, cwd):
    """Seconds of the processor, the start left out."""
    longer = timed(*way, script, str(steps), cwd=cwd)[2]
    return (longer - timed(*way, script, "1", cwd=cwd)[2]) / (steps - 1)


@pytest.mark.slow
@pytest.mark.parametrize("wild", wild_scripts.WILD, ids=lambda wild: wild.name)
def test_a_wild_script(tmp_path, wild):
    script = written(tmp_path, wild)
    plain = timed(script, "3", cwd=tmp_path)
    assert plain[0][0] == 0, plain[1]
    ours = timed("-m", "isograd", "run", "--why", script, "3", cwd=tmp_path)
    assert ours[0] == plain[0]
    assert re.search(r"class \w+: compiled", ours[1]), ours[1]
    assert "backward(): left alone" not in ours[1], ours[1]


@pytest.mark.parametrize("name", TRAININGS)
def test_a_whole_training(tmp_path, name):
    (tmp_path / "script.py").write_text(TRAININGS[name])
    plain = timed("script.py", "3", cwd=tmp_path)
    assert plain[0][0] == 0, plain[1]
    ours = timed("-m", "isograd", "run", "--why", "script.py", "3", cwd=tmp_path)
    assert ours[0] == plain[0]
    assert re.search(r"class \w+: compiled", ours[1]), ours[1]


@pytest.mark.slow
@pytest.mark.measured
@pytest.mark.once
@pytest.mark.undisturbed
@pytest.mark.parametrize("wild", wild_scripts.WILD, ids=lambda wild: wild.name)
def test_a_wild_script_is_faster(tmp_path, wild):
    """In one of three turns: other work on the machine makes both ways slower, not evenly."""
    script = written(tmp_path, wild)
    factors = []
    for _ in range(3):
        slow = seconds_a_step([], script, wild.steps, tmp_path)
        fast = seconds_a_step(["-m", "isograd", "run"], script, 10 * wild.steps, tmp_path)
        factors.append(slow / fast)
        if slow > wild.factor * fast:
            return
    pytest.fail(f"{max(factors):.0f} times as fast, {wild.factor} expected")


@pytest.mark.parametrize(
    "wild",
    [slow(wild) if i % 8 else wild for i, wild in enumerate(wild_scripts.TWINS)],
    ids=lambda wild: wild.name,
)
def test_a_twin_of_another_meaning(tmp_path, wild):
    script, steps = written(tmp_path, wild), str(wild.steps)
    plain = timed(script, steps, cwd=tmp_path)
    ours = timed("-m", "isograd", "run", script, steps, cwd=tmp_path)
    if ours[0] != plain[0]:  # then it has said why, before anything differed
        assert ours[0][0] == 2 and plain[0][1].startswith(ours[0][1]), ours[1]
        assert ours[1].endswith("plain python can\n") and len(ours[1].splitlines()) == 1


@pytest.mark.parametrize("wild", wild_scripts.SETS, ids=lambda wild: wild.name)
def test_a_set_of_children(tmp_path, wild):
    """Plain Python's order is that of addresses, ours that of insertion: that of a dict."""
    twin = changed(wild.source, "set(_children)", "tuple(dict.fromkeys(_children))")
    twin = wild._replace(source=twin)
    plain = timed(written(tmp_path, twin), "4", cwd=tmp_path)
    script = written(tmp_path, wild)
    ours = timed("-m", "isograd", "run", *wild.options, script, "4", cwd=tmp_path)
    assert ours[0] == plain[0]
    said = timed("-m", "isograd", "run", "--why", script, "1", cwd=tmp_path)[1]
    assert "left alone, it keeps its children in a set" in said and "--any-order" in said


def test_a_class_in_a_module_beside_the_script(tmp_path):
    moons = wild_scripts.MOONS
    network, main = moons.index("class Module"), moons.index("random.seed(11)")
    package = tmp_path / "nano"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "engine.py").write_text(moons[:network])
    (package / "nn.py").write_text(
        f"import random\nfrom nano.engine import Value\n\n{moons[network:main]}"
    )
    imports = "import math, random, sys\nfrom nano.engine import Value\nfrom nano.nn import MLP\n"
    (tmp_path / "script.py").write_text(imports + moons[main:])
    plain = timed("script.py", "3", cwd=tmp_path)
    ours = timed("-m", "isograd", "run", "--why", "script.py", "3", cwd=tmp_path)
    assert ours[0] == plain[0] and plain[0][0] == 0, plain[1]
    assert "of engine.py: class Value: compiled" in ours[1]
    assert "of nn.py: loop over parameters: compiled" in ours[1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nano/__init__.py", "import builtins\nbuiltins.max = min\n"),
        ("nano/tools.py", "import math\nmath.exp = math.sin\n"),
        ("nano/tools.py", "from .engine import Value\n"),
        ("sys.py", ""),
    ],
)
def test_a_module_that_could_reach_the_class(tmp_path, name, text):
    moons = wild_scripts.MOONS
    main = moons.index("class Module")
    (tmp_path / "nano").mkdir()
    for file in ("nano/__init__.py", "nano/tools.py"):
        (tmp_path / file).write_text("")
    (tmp_path / "nano" / "engine.py").write_text(moons[:main])
    (tmp_path / name).write_text(text)
    imports = (
        "import math, random, sys\nfrom nano.engine import Value\nimport nano.tools as tools\n"
    )
    source = imports.replace("import nano.tools as tools", "from nano.tools import __name__ as n")
    (tmp_path / "script.py").write_text(source + moons[main:])
    plain = timed("script.py", "2", cwd=tmp_path)
    ours = timed("-m", "isograd", "run", "--why", "script.py", "2", cwd=tmp_path)
    assert ours[0] == plain[0] and "left alone" in ours[1]


NUMPY = """import numpy as np
{}
x = Value(0.5)
y = (x * 2 + {}).tanh()
y.backward()
print(repr(y.data), repr(x.grad))
"""


@pytest.mark.parametrize(
    ("before", "number", "stays"),
    [
        ("a = np.array([1.0, 2.0])", "a[0]", True),
        ("a = np.array([1.0, 2.0])", "float(a[0])", False),
        ("a = np.array([1.0, 2.0]).tolist()", "a[0]", False),
        ("np.random.seed(1)", "np.random.normal(0, 1)", False),
        ("np.random.seed(1)", "np.random.normal(0, 1, 1)[0]", True),
        ("from numpy import sqrt", "sqrt(2)", True),
        ("print(np.mean([1.0]), f'{np.pi:.3f}')", "1", False),
    ],
)
def test_numbers_of_numpy_stay_out(tmp_path, before, number, stays):
    pytest.importorskip("numpy")
    klass = wild_scripts.MOONS[: wild_scripts.MOONS.index("class Module")]
    (tmp_path / "script.py").write_text(klass + NUMPY.format(before, number))
    plain = timed("script.py", cwd=tmp_path)
    ours = timed("-m", "isograd", "run", "--why", "script.py", cwd=tmp_path)
    assert ours[0] == plain[0] and plain[0][0] == 0, plain[1]
    assert ("left alone" in ours[1]) == stays, ours[1]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("import pickle; pickle.dumps(params[0])", "pickles a node"),
        ("import copy; copy.copy(loss)", "copies a result"),
        ("loss.label = 1; del loss.label", "deletes"),
    ],
)
def test_a_guard_ends_the_run(tmp_path, line, sentence):
    """Where plain Python goes on, before anything is printed that might differ."""
    source = wild_scripts.FLAT + f"print('so far')\n{line}\nprint('no')\n"
    (tmp_path / "script.py").write_text(source)
    plain = timed("script.py", "1", cwd=tmp_path)
    ours = timed("-m", "isograd", "run", "script.py", "1", cwd=tmp_path)
    if ours[0] != plain[0]:
        assert plain[0][1] == ours[0][1] + b"no\n" and ours[0][0] == 2
        assert sentence in ours[1] and ours[1].endswith("plain python can\n")


def test_why_says_what_took_long(tmp_path):
    source = changed(wild_scripts.FLAT, "class Value:", "@lambda c: c\nclass Value:")
    (tmp_path / "script.py").write_text(source)
    said = timed("-m", "isograd", "run", "--why", "script.py", "80", cwd=tmp_path)[1]
    assert "left alone, it is decorated" in said
    assert "isograd: remedy: write the class without them" in said
    assert "ran as plain Python, about 100% of the time" in said


def changed(source, old, new):
    return wild_scripts.changed(source, [(old, new)])
