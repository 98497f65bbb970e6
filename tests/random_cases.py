"""What tests/fuzz.py compares: random cases of several kinds, each made from its seed alone.

A kind makes the case of a seed, says in what the case differs between those that are to be equal,
and proposes smaller cases. Unlike the strategies of Hypothesis in test_random_programs.py, which
find a short program at once, these make the same case under any version of anything, and ten times
as many in a second.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import pickle
import random
import struct
import tempfile
from array import array
from dataclasses import asdict, fields, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import test_micrograd
import test_native
import test_options
import test_random_micrograd
import test_random_programs
from bits import bits, first_difference
from conftest import TWINS
from test_no_grad import NO_GRAD
from test_random_programs import big_ints, is_beyond

import isograd
from isograd import _native
from isograd._core import unary_methods
from isograd.model import TIERS
from isograd.options import RunOptions


class NothingSaid(Exception):
    """The case cannot be compared: a script was too slow under plain Python."""


# ---- random numbers and operands ----

SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e-310, 1e154, -1e308, 745.0, float("inf")]


def a_float(rng):
    match rng.randrange(4):
        case 0:
            return rng.choice(SPECIAL)
        case 1:  # any double
            return struct.unpack("<d", rng.randbytes(8))[0]
    return rng.uniform(-4, 4)


def python_number(rng):
    match rng.randrange(6):
        case 0:
            return rng.randint(-(2**20), 2**20)
        case 1 | 2:
            return rng.randint(-3, 3)
    return a_float(rng)


def foreign_number(rng):
    match rng.randrange(4):
        case 0:
            return np.float32(rng.uniform(-4, 4))
        case 1:
            return np.float64(rng.uniform(-4, 4))
        case 2:
            return np.int16(rng.randint(-5, 5))
    return Fraction(rng.randint(-9, 9), rng.randint(1, 9))


def number(rng):
    match rng.randrange(8):
        case 0:
            return foreign_number(rng)
        case 1:
            return rng.random() < 0.5
    return python_number(rng)


def exponent(rng):
    match rng.randrange(4):
        case 0:
            return rng.randint(-4, 20)
        case 1:
            return rng.choice([0.5, -0.5, 2.0])
        case 2:
            return a_float(rng)
    return foreign_number(rng)


def constant(rng):
    return "c", number(rng)


def index(rng):
    return rng.randrange(31)


def several(rng, least, most, make=index):
    return [make(rng) for _ in range(rng.randint(least, most))]


def neighbours(rng, n):
    """n neighbours: as networks have them, for what is done to whole vectors at once."""
    first = rng.randrange(21)
    return list(range(first, first + n))


def some(rng):
    return neighbours(rng, rng.randint(8, 11)) if rng.random() < 0.3 else several(rng, 0, 4)


# ---- programs ----


def arithmetic(rng):
    a, b = rng.choice([(index, index), (index, index), (index, constant), (constant, index)])
    return rng.choice(["add", "sub", "mul", "div"]), a(rng), b(rng)


def a_layer(rng):
    if rng.random() < 0.5:
        return "linear", several(rng, 0, 4), [several(rng, 0, 4) for _ in range(rng.randint(0, 3))]
    n = rng.randint(8, 11)
    return "linear", neighbours(rng, n), [neighbours(rng, n) for _ in range(rng.randint(1, 8))]


def an_attention(rng):
    squares = [[several(rng, 4, 4) for _ in range(rng.randint(0, 3))] for _ in range(2)]
    return "attention", several(rng, 4, 4), *squares, rng.randint(0, 4)


def set_below(rng):
    attribute = rng.choice(["data", "grad"])
    return "set below", index(rng), several(rng, 1, 4), attribute, python_number(rng)


COMMON = [  # to both classes
    lambda rng: ("leaf", number(rng)),
    *[arithmetic] * 3,
    lambda rng: ("pow", index(rng), exponent(rng)),
    lambda rng: ("sum", several(rng, 0, 6)),
    *[lambda rng: ("backward", index(rng))] * 2,
    lambda rng: ("set data", index(rng), python_number(rng)),
    lambda rng: ("set grad", index(rng), python_number(rng)),
    lambda rng: ("look", index(rng)),
    lambda rng: ("child", index(rng), index(rng)),
]
INSTRUCTIONS = [
    *COMMON,
    lambda rng: (rng.choice(["neg", *unary_methods]), index(rng)),
    lambda rng: (
        "own",
        python_number(rng),
        several(rng, 0, 4),
        several(rng, 0, 4, python_number),
    ),
    *[lambda rng: (rng.choice(["softmax", "rmsnorm", "relu of"]), some(rng))] * 2,
    lambda rng: ("add entries", some(rng), some(rng)),
    lambda rng: ("cross entropy", some(rng), rng.randint(-1, 5)),
    *[a_layer] * 2,
    an_attention,
    lambda rng: ("update", index(rng), rng.uniform(-4, 4)),
]
MORE = [
    lambda rng: (rng.choice(["own leaf", "odd leaf"]), python_number(rng)),
    lambda rng: ("no grad", *rng.choice(INSTRUCTIONS)(rng)),
    *[lambda rng: ("drop", index(rng))] * 2,
    set_below,
    lambda rng: ("copy", index(rng), rng.choice(list(COPIES))),
]
OF_MICROGRAD = [
    *COMMON,
    lambda rng: (rng.choice(test_random_micrograd.METHODS), index(rng)),
    lambda rng: ("own", python_number(rng), several(rng, 0, 4)),
    lambda rng: (
        "network",
        several(rng, 1, 3, lambda rng: rng.randint(1, 3)),
        rng.randint(1, 3),
        rng.random() < 0.5,
    ),
    *[lambda rng: ("call", index(rng), [rng.choice([index, constant])(rng) for _ in "abc"])] * 3,
    lambda rng: ("update", rng.uniform(-4, 4)),
    lambda rng: ("step", index(rng)),
    lambda rng: ("tie", index(rng), index(rng)),
    lambda rng: ("label", index(rng)),
    set_below,
]


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
}


def subclasses(Value, place):
    """A plain subclass, and one with another sum; pickle finds them at this place."""
    own = {"__qualname__": f"{place}.Own"}
    odd = {"__qualname__": f"{place}.Odd", "__add__": lambda a, b: Value.__mul__(a, b)}
    return SimpleNamespace(Own=type("Own", (Value,), own), Odd=type("Odd", (Value,), odd))


OF_PYTHON = subclasses(TWINS["python"], "OF_PYTHON")
OF_C = subclasses(TWINS["c"], "OF_C")
SUBCLASSES = {"python": OF_PYTHON, "c": OF_C}


class Run(test_random_programs.Run):
    """One twin executing a program, with more that can be done to Values."""

    def __init__(self, twin):
        super().__init__(twin)
        self.no_grad = NO_GRAD[twin]
        self.classes = SUBCLASSES[twin]

    def perform(self, name, *operands):
        if name == "own leaf":
            return self.classes.Own(operands[0])
        if name == "odd leaf":
            return self.classes.Odd(operands[0])
        if name == "no grad":
            with self.no_grad():
                return self.perform(*operands)
        if name == "drop":
            if len(self.values) > 2:
                del self.values[operands[0] % len(self.values)]
            return None
        if name == "set below":
            return assign_below(self, "_children", *operands)
        if name == "copy":
            return COPIES[operands[1]](self.pick(operands[0]))
        return super().perform(name, *operands)


class MicrogradRun(test_random_micrograd.Run):
    def perform(self, name, *operands):
        if name == "set below":
            return assign_below(self, "_prev", *operands)
        return super().perform(name, *operands)


def assign_below(run, edges, start, turns, attribute, number):
    """Assigns to the node that a way down these edges leads to."""
    node = run.pick(start)
    for turn in turns:
        children = getattr(node, edges)
        node = children[turn % len(children)] if children else node
    setattr(node, attribute, number)


class Programs:
    """Programs of Values and vector functions, on both twins."""

    name = "programs"
    block = 200
    instructions = INSTRUCTIONS + MORE
    reference = TWINS["python"]
    has_large_slopes = staticmethod(lambda run: False)  # they show

    def make(self, seed):
        rng = random.Random(seed)
        return [rng.choice(self.instructions)(rng) for _ in range(rng.randint(1, 30))]

    run = Run

    def difference(self, program):
        return None if self.are_equal(program) else self.first_difference(program)

    def are_equal(self, program):
        """Whether the twins run it alike. May say no where they do, never yes where they do not."""
        results = []
        for run in map(self.run, TWINS):
            for instruction in program:
                known = len(run.values)
                run.execute(instruction)
                if any(is_beyond(value.data) for value in run.values[known:]):
                    return False  # powers of such an int may take hours
            results.append(run.packed())
        return None not in results and results[0] == results[1]

    def first_difference(self, program):
        """Up to the instruction at which a documented difference begins."""
        reference = self.run("python")
        if (done := self.execute(reference, program)) < len(program):
            return self.difference(program[:done])
        compiled = self.run("c")
        for instruction in program:
            compiled.execute(instruction)
        return first_difference(reference.result(), compiled.result())

    def execute(self, run, program):
        """Returns how many instructions it came to before an int was too large."""
        with big_ints(self.reference) as beyond:
            for done, instruction in enumerate(program):
                run.execute(instruction)
                if beyond or self.has_large_slopes(run):
                    return done
        return len(program)

    def smaller(self, program):
        """Without a half, a quarter, ... an instruction."""
        n = len(program)
        while n > 1:
            n = (n + 1) // 2
            for start in range(0, len(program), n):
                yield program[:start] + program[start + n :]

    def text(self, program):
        lines = "".join(f"    {instruction!r},\n" for instruction in program)
        return as_test(self.name, f"[\n{lines}]")


class Micrograd(Programs):
    """Programs of micrograd's class and networks, on both twins."""

    name = "micrograd"
    instructions = OF_MICROGRAD
    reference = test_micrograd.TWINS["python"][0]
    has_large_slopes = staticmethod(test_random_micrograd.has_large_slopes)
    run = MicrogradRun


# ---- models ----


def units():
    """The vector units of this machine."""
    return [unit for unit in ("plain", "avx2", "avx512") if test_native.has(unit)]


@contextlib.contextmanager
def on_unit(unit):
    chosen = _native.vector_unit()
    _native.set_vector_unit(unit)
    try:
        yield
    finally:
        _native.set_vector_unit(chosen)


def a_model(seed):
    rng = random.Random(seed)
    config, docs = test_native.random_case(rng, largest=rng.choice([1, 2, 2, 3]))
    kind = {"activation": rng.choice(["relu", "relu", "relu2"]), "tie_weights": rng.random() < 0.3}
    return {
        "seed": seed,
        "config": {**asdict(config), **kind},
        "docs": docs,
        "extreme": rng.choice([None] * 9 + list(test_native.EXTREMES)),
        "steps": rng.randint(1, 4),
        "batch_size": rng.choice([1, 1, 2, 5]),
        "threads": rng.choice([2, 3, 5]),
        "lr": rng.choice([0.01, 0.01, 1.0, 1e-30]),
    }


class Models:
    """Training of random models from random weights: C on every vector unit, alone and in threads,
    against the compiled graph."""

    name = "models"
    block = 4

    def make(self, seed):
        return a_model(seed)

    def difference(self, case):
        config = isograd.GPTConfig(**case["config"])
        options = {name: case[name] for name in ("batch_size", "lr")}

        @functools.cache
        def change(x):  # the same for a weight whenever it is asked
            extreme = case["extreme"]
            return test_native.EXTREMES[extreme](random.Random(x))(x) if extreme else x

        docs, steps, seed = case["docs"], case["steps"], case["seed"]
        weights = test_native.twins(config, seed, change)[2].weights
        expected = test_native.outcome_of_training(config, seed, docs, steps, change, **options)
        for unit in units():
            with on_unit(unit):
                for threads in (1, case["threads"]):
                    model = test_native.native(config)
                    model.weights[:] = weights
                    actual = self.outcome(model, docs, steps, threads=threads, **options)
                    if what := self.first_difference(expected, actual):
                        return f"{unit}, {threads} threads: {what}"

    def outcome(self, model, docs, steps, **options):
        """What test_native.outcome_of_training returns, of the native model."""
        losses, error = [], None
        try:
            model.train(docs, steps, step=0, steps=steps, losses=losses, **options)
        except test_native.ARITHMETIC as caught:
            error = type(caught)
        state = {"m": model.first_moments, "v": model.second_moments}
        return losses, model.weights, state, error

    def first_difference(self, expected, actual):
        expected, actual = self.arrays(*expected), self.arrays(*actual)
        if list(map(bytes, expected)) == list(map(bytes, actual)):
            return None  # known in a twentieth of the time; NaNs may have different bytes
        return first_difference(self.lines(expected), self.lines(actual))

    def arrays(self, losses, weights, state, error):
        known = losses, weights, state["m"], state["v"]
        return [str(error).encode(), *(array("d", numbers) for numbers in known)]

    def lines(self, arrays):
        error, *arrays = arrays
        named = zip(("loss", "weight", "m", "v"), arrays)
        return [error, *(f"{name} {i}: {bits(x)}" for name, xs in named for i, x in enumerate(xs))]

    def smaller(self, case):
        docs = case["docs"]
        if len(docs) > 1:
            yield from ({**case, "docs": docs[:i] + docs[i + 1 :]} for i in range(len(docs)))
        for i, doc in enumerate(docs):
            if len(doc) > 2:
                yield {**case, "docs": [*docs[:i], doc[:-1], *docs[i + 1 :]]}
        for name, least in {"steps": 1, "batch_size": 1, "extreme": None, "lr": 0.01}.items():
            if case[name] != least:
                yield {**case, name: least}
        if case["config"]["n_layer"] > 1:
            yield {**case, "config": {**case["config"], "n_layer": 1}}

    def text(self, case):
        return as_test(self.name, repr(case))


class Runs:
    """Runs with random options on every tier, the native one on every vector unit."""

    name = "runs"
    block = 4

    def make(self, seed):
        return test_options.random_options(random.Random(seed)), 1 + seed % 3

    def difference(self, case):
        options, threads = case
        expected = test_options.outcome(options, "reference")
        for tier in TIERS:
            if tier == "reference":
                continue
            for unit in units() if tier == "native" else units()[:1]:
                with on_unit(unit):
                    actual = test_options.outcome(options, tier, threads=threads)
                for what, numbers in expected.items():
                    if actual[what] != numbers:
                        return f"{tier} on {unit}, {threads} threads: other {what}"

    def smaller(self, case):
        options, threads = case
        if options.steps > 1:
            yield replace(options, steps=options.steps - 1, warmup=0), threads
        for field in fields(RunOptions):
            usual = RunOptions(samples=2, steps=options.steps, n_embd=4, n_head=2)
            if getattr(options, field.name) != getattr(usual, field.name):
                with contextlib.suppress(ValueError):  # what cannot be
                    yield replace(options, **{field.name: getattr(usual, field.name)}), threads
        if threads > 1:
            yield options, 1

    def text(self, case):
        return as_test(self.name, repr(case))


# ---- scripts ----


class Scripts:
    """Scripts, under plain Python and under `isograd run`."""

    name = "scripts"
    block = 10

    def __init__(self):
        self.run = self.folder = None

    def make(self, seed):
        import random_scripts

        return random_scripts.Writer(seed).script()

    def difference(self, case):
        import random_scripts

        if not self.run:
            self.run, self.folder = random_scripts.Runner(), tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "script.py"
        end, why = random_scripts.judge(*case, path, self.run)
        if end == "slow":
            raise NothingSaid
        return why or None

    def smaller(self, case):
        """Without one of the statements; both texts end with the same."""
        source, watched = (ast.parse(text).body for text in case)
        for i in range(1, len(source) + 1):
            yield tuple(
                ast.unparse(ast.Module([*body[:-i], *body[len(body) - i + 1 :]], []))
                for body in (source, watched)
            )

    def text(self, case):
        return case[0]


HEADER = """\
from fractions import Fraction

import numpy as np
from random_cases import KINDS

import isograd
from isograd.options import RunOptions

inf, nan = float("inf"), float("nan")
CASE = """


def as_test(kind, case):
    return f"""{HEADER}{case}


def test_it():
    difference = KINDS["{kind}"].difference(CASE)
    assert difference is None, difference
"""


KINDS = {kind.name: kind for kind in (Programs(), Micrograd(), Models(), Runs(), Scripts())}
FAILURES = (Exception, pytest.fail.Exception)


def difference(kind, case):
    """What is different; an error that the comparison does not expect is, too."""
    try:
        return kind.difference(case)
    except NothingSaid:
        raise
    except FAILURES as error:
        return f"{type(error).__name__}: {error}"


def shrunk(kind, case, tries=500):
    """A case that is smaller and differs, too, if one is found."""
    proposed = kind.smaller(case)
    for _ in range(tries):
        smaller = next(proposed, None)
        if smaller is None:
            break
        with contextlib.suppress(NothingSaid):
            if difference(kind, smaller):
                case, proposed = smaller, kind.smaller(smaller)
    return case
