"""How much the study measures, how long that will take, and how far it has come."""

import sys
from random import Random
from time import monotonic
from typing import NamedTuple

import steps
from pyperf import perf_counter
from report import fresh

from isograd import GPT, GPTConfig, train


class Plan(NamedTuple):
    """One of the sizes of the study."""

    name: str
    rounds: int  # turns of everything
    seconds: float  # that a turn lasts where steps are fast
    reference_steps: int  # of the default run, in a turn of the reference
    value_steps: int  # in a turn of tier value
    batch_size: int
    patience: float  # the most seconds that a step may take where sizes grow
    widths: tuple[int, ...]
    layers: tuple[int, ...]
    positions: tuple[int, ...]
    steps: tuple[int, ...]
    peers: int  # how many of the sizes of peers.py
    dtypes: tuple[str, ...]
    threads: tuple[int, ...]  # that other libraries are tried with
    left_out: str


FULL = Plan(
    "full",
    rounds=7,
    seconds=0.3,
    reference_steps=40,
    value_steps=400,
    batch_size=32,
    patience=4.0,
    widths=(16, 32, 64, 128, 256),
    layers=(1, 2, 4, 8),
    positions=(8, 16, 64, 256, 1024),
    steps=(1, 10, 100, 1_000, 10_000, 60_000),
    peers=5,
    dtypes=("float64", "float32"),
    threads=(1, 2),
    left_out="",
)
QUICK = FULL._replace(
    name="quick",
    rounds=3,
    seconds=0.1,
    reference_steps=10,
    value_steps=100,
    patience=0.9,
    widths=(16, 64, 256),
    layers=(1, 2, 4),
    positions=(8, 64, 256),
    steps=(1, 10, 100, 1_000, 10_000),
    peers=2,
    dtypes=("float64",),
    threads=(1,),
    left_out="This is the quick study. It left out: four of seven turns of everything and most of "
    "the reference's steps; widths, layers and positions in between and beyond; runs of 60,000 "
    "steps; other libraries in float32, on two threads, and at widths of 128 and more.",
)
TINY = QUICK._replace(
    name="tiny",
    rounds=1,
    seconds=0.01,
    reference_steps=2,
    value_steps=4,
    batch_size=3,
    patience=0.0,
    widths=(16, 32),
    layers=(1, 2),
    positions=(8, 16),
    steps=(1, 10),
    peers=1,
    left_out="This is the study as the tests run it. It left out nearly everything.",
)


class Pace(NamedTuple):
    """What this machine takes, in seconds."""

    step: float  # of the reference
    start: float  # of a process that measures


def first_step():
    """Seconds of a short run of the reference, for one step."""
    model, _, docs, _ = steps.set_up("reference")
    start = perf_counter()
    train(model, docs, 2)
    return (perf_counter() - start) / 2


def start_up():
    """What every process that measures does first."""
    GPT(GPTConfig(steps.VOCAB_SIZE), rng=Random(1))


def measure_pace():
    start = perf_counter()
    fresh(start_up)
    return Pace(fresh(first_step), perf_counter() - start)


def clock(seconds):
    """`seconds` as minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


class Progress:
    """Says on standard error what is being measured and how long the rest will take.

    `expected` has the seconds of each section, in their order. What has been slower or faster than
    expected so far corrects what is left.
    """

    def __init__(self, expected):
        self.expected, self.started = expected, monotonic()
        self.section = next(iter(expected))

    def begin(self, section):
        self.section = section

    def left(self, share):
        """Seconds, when a share of the present section is done."""
        names = list(self.expected)
        before = names[: names.index(self.section)]
        done = sum(self.expected[name] for name in before) + share * self.expected[self.section]
        total, taken = sum(self.expected.values()), monotonic() - self.started
        weight = done / total  # the more is done, the more it says about the rest
        pace = 1 + weight * (taken / done - 1) if done else 1
        return (total - done) * pace

    def turns(self, n, title):
        """Yields the numbers of `n` turns; says so before each."""
        for i in range(n):
            left = clock(self.left(i / n))
            message = f"{self.section}: {title}, {i + 1} of {n}; {left} left"
            print(message, file=sys.stderr, flush=True)
            yield i
