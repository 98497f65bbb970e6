"""The check for whoever doubts: every tier next to the reference, on this machine, as it is now.

Both train on the names from the same seed, step by step. After each step the loss, every gradient
and every weight are compared as bit patterns, so 0.0 and -0.0 differ; only NaNs count as equal
whatever their bits, as Python shows no difference between them. A tier that differs once is out.
The speed is that of the steps compared, which alternate with the reference's; comparing them does
not count.
"""

import platform
import struct
from array import array
from collections.abc import Iterator, Sequence
from random import Random
from time import perf_counter
from typing import NamedTuple, TypeAlias

from . import reference
from .model import GPT, GPTConfig, NativeWeights
from .text import CharTokenizer, load_docs
from .tiers import GRAPH_TIERS

SEED, STEPS, LR = 42, 1000, 0.01

Numbers: TypeAlias = "dict[str, array[float]]"  # a step's, by kind: "loss", "gradient", "weight"


class Configuration(NamedTuple):
    """What is trained, and which share of the time it gets."""

    name: str
    share: float
    config: GPTConfig
    batch_size: int = 1


CONFIGURATIONS = (
    Configuration("default", 0.5, GPTConfig(27)),
    Configuration(
        "2 layers, 8 features, 2 heads, batches of 3", 0.15, GPTConfig(27, 2, 8, 2, 8), 3
    ),
    Configuration("1 head, 5 features", 0.1, GPTConfig(27, n_embd=5, n_head=1)),
    Configuration("3 layers, 4 features, 4 heads, 6 positions", 0.05, GPTConfig(27, 3, 4, 4, 6)),
    Configuration(
        "tied weights, squared relu", 0.05, GPTConfig(27, activation="relu2", tie_weights=True)
    ),
    Configuration("32 features", 0.15, GPTConfig(27, n_embd=32)),
)


class Difference(NamedTuple):
    """The first number in which a tier differs from the reference."""

    configuration: str
    step: int
    kind: str  #: "loss", "gradient" or "weight"
    place: str  #: tensor and index, such as wte[3][5]; empty for the loss
    expected: float
    actual: float

    def __str__(self) -> str:
        return f"{self.kind} {self.place}".rstrip() + f", step {self.step}, {self.configuration}"


class Comparison:
    """How a tier has done so far: steps compared, seconds taken, and its first difference.

    `difference` is a text if the tier raised an exception and the reference did not.
    """

    def __init__(self, tier: str) -> None:
        self.tier = tier
        self.steps = 0
        self.seconds = self.reference_seconds = 0.0
        self.difference: Difference | str | None = None

    @property
    def speed(self) -> float:
        """How many times as fast as the reference the tier is; 0 before the first step."""
        return self.reference_seconds / self.seconds if self.seconds else 0.0


class GraphRun:
    """A training run, one step at a time, that shows its gradients."""

    def __init__(self, model: GPT, tier: str) -> None:
        self.model, self.config, self.vector = model, model.config, GRAPH_TIERS[tier].vector
        self.optimizer = GRAPH_TIERS[tier].adam(model.parameters())

    def step(self, docs: Sequence[Sequence[int]], step: int) -> tuple[float, Numbers]:
        """Seconds taken by step number `step`, from 0, and the numbers after it by kind."""
        weights, lr = self.model.state_dict(), reference.learning_rate(step, STEPS, LR)
        start = perf_counter()
        loss = reference.batch_loss(weights, self.config, docs, self.vector)
        loss.backward()
        seconds = perf_counter() - start
        numbers = {"loss": array("d", [loss.data])}
        numbers["gradient"] = array("d", [p.grad for p in self.optimizer.params])
        start = perf_counter()
        del loss
        self.optimizer.step(lr)
        self.optimizer.zero_grad()
        seconds += perf_counter() - start
        numbers["weight"] = array("d", self.model.read_data())
        return seconds, numbers


class NativeRun:
    """The same on tier native.

    Its training step shows no gradients, so `backward` computes them first, off the clock.
    """

    def __init__(self, weights: NativeWeights) -> None:
        self.native, self.config = weights.native, weights.config

    def step(self, docs: Sequence[Sequence[int]], step: int) -> tuple[float, Numbers]:
        self.native.backward(docs)
        gradients = array("d", self.native.gradients.tobytes())
        losses: list[float] = []
        start = perf_counter()
        self.native.train(
            docs, 1, step=step, steps=STEPS, lr=LR, batch_size=len(docs), losses=losses
        )
        seconds = perf_counter() - start
        weights = array("d", self.native.weights.tobytes())
        return seconds, {"loss": array("d", losses), "gradient": gradients, "weight": weights}


def new_run(tier: str, config: GPTConfig) -> "GraphRun | NativeRun":
    model = GPT(config, rng=Random(SEED), tier=tier)
    weights = model.weights
    return NativeRun(weights) if isinstance(weights, NativeWeights) else GraphRun(model, tier)


def verify(comparisons: Sequence[Comparison], seconds: float) -> Iterator[str]:
    """Compare tiers with the reference for about `seconds`, keeping `comparisons` up to date.

    Yields the configuration's name after every step. Each configuration gets one step at least.
    """
    docs = load_docs()
    Random(SEED).shuffle(docs)
    tokenizer = CharTokenizer(docs)
    tokens = [tokenizer.encode(doc) for doc in docs[: 3 * STEPS]]
    deadline = perf_counter()
    for name, share, config, batch_size in CONFIGURATIONS:
        deadline += seconds * share
        expected = new_run("reference", config)
        runs = [(c, new_run(c.tier, config)) for c in comparisons if not c.difference]
        for step in range(STEPS):
            docs_now = reference.batch(tokens, step, batch_size)
            reference_seconds, numbers = expected.step(docs_now, step)
            for comparison, run in runs:
                if not comparison.difference:
                    compare(comparison, run, docs_now, step, reference_seconds, numbers, name)
            yield name
            if perf_counter() > deadline or all(c.difference for c in comparisons):
                break


def compare(
    comparison: Comparison,
    run: "GraphRun | NativeRun",
    docs: Sequence[Sequence[int]],
    step: int,
    reference_seconds: float,
    expected: Numbers,
    configuration: str,
) -> None:
    """Do a step of `run`, compare its numbers with those `expected`, and note the outcome."""
    try:
        seconds, actual = run.step(docs, step)
    except Exception as error:
        comparison.difference = f"raises {error!r}, step {step + 1}, {configuration}"
        return
    comparison.steps += 1
    comparison.seconds += seconds
    comparison.reference_seconds += reference_seconds
    for kind, numbers in expected.items():
        i = first_difference(numbers, actual[kind])
        if i is not None:
            place = "" if kind == "loss" else place_of(i, run.config)
            comparison.difference = Difference(
                configuration, step + 1, kind, place, numbers[i], actual[kind][i]
            )
            return


def first_difference(expected: "array[float]", actual: "array[float]") -> int | None:
    """The index of the first two doubles with different bits, unless both are NaN."""
    if expected.tobytes() == actual.tobytes():
        return None
    for i, (x, y) in enumerate(zip(expected, actual, strict=True)):
        if pattern(x) != pattern(y) and not (x != x and y != y):
            return i
    return None


def place_of(i: int, config: GPTConfig) -> str:
    """The i-th number of all weights by tensor, row and column."""
    for name, n_out, n_in in reference.weight_shapes(config):
        if i < n_out * n_in:
            return f"{name}[{i // n_in}][{i % n_in}]"
        i -= n_out * n_in
    raise IndexError(i)


def pattern(x: float) -> str:
    """The 64 bits of a double, in hexadecimal."""
    return struct.pack(">d", x).hex()


def table(comparisons: Sequence[Comparison]) -> list[tuple[str, str, str, str]]:
    """The outcome as rows of text; the first row is the heading."""
    rows = [("tier", "steps compared", "first difference", "speed (reference = 1)")]
    for c in comparisons:
        rows.append((c.tier, str(c.steps), str(c.difference or "none"), f"{c.speed:.1f}"))
    return rows


def complaint(comparison: Comparison) -> str:
    """What to report of a tier that differs: the number in all detail, and the platform."""
    difference = comparison.difference
    lines = [f"tier {comparison.tier} differs from the reference: {difference}"]
    if isinstance(difference, Difference):
        for name, x in [("reference", difference.expected), (comparison.tier, difference.actual)]:
            lines.append(f"  {name}: {x!r} = {x.hex()}, bits {pattern(x)}")
    lines.append(f"  platform: {platform.platform()}, libc: {' '.join(platform.libc_ver())}")
    lines.append("Please report these lines, and what `isograd --version` prints.")
    return "\n".join(lines)
