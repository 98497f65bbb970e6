"""isograd.micrograd against its pure twin and, where it is installed, micrograd: the moons demo,
one point, one scalar operation. In turns; processor time; the median of the rounds.

    pip install micrograd
    python bench/moons.py [ROUNDS]
"""

import importlib
import math
import random
import statistics
import sys
import time

from isograd.micrograd import engine, nn
from isograd.reference import micrograd as reference

POINTS = 100


def classes():
    """Who takes part: the name, Value, MLP."""
    found = {"pure twin": (reference.Value, reference.MLP), "compiled": (engine.Value, nn.MLP)}
    try:
        original = (
            importlib.import_module("micrograd.engine"),
            importlib.import_module("micrograd.nn"),
        )
    except ModuleNotFoundError:
        return found
    return {"micrograd": (original[0].Value, original[1].MLP), **found}


def moons():
    rng = random.Random(1337)
    for i in range(POINTS):
        angle = rng.uniform(0, math.pi)
        x = [math.cos(angle), math.sin(angle)]
        yield (x, 1) if i % 2 else ([1 - x[0], 0.5 - x[1]], -1)


def demo_steps(Value, MLP, steps):
    """Full batches, max-margin loss, L2, SGD."""
    random.seed(1337)
    model, data = MLP(2, [16, 16, 1]), list(moons())
    for step in range(steps):
        scores = [model(list(map(Value, x))) for x, _ in data]
        margins = [(1 + -y * score).relu() for (_, y), score in zip(data, scores)]
        loss = sum(margins) * (1.0 / len(margins))
        loss = loss + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * step / 100) * p.grad


def one_point(Value, MLP, times):
    model = MLP(2, [16, 16, 1])
    for _ in range(times):
        model([Value(0.5), Value(-1.0)]).backward()


def scalar_operations(Value, MLP, times):
    for _ in range(times // 100):
        x = Value(0.5)
        y = x
        for _ in range(50):
            y = y * x + x
        y.backward()


# What is measured: the function, its unit, and how often for slow and for fast classes.
CASES = {
    "a step of the demo, ms": (demo_steps, 1e3, 2, 100),
    "one point, forward and backward, us": (one_point, 1e6, 30, 3000),
    "a scalar operation, forward and backward, ns": (scalar_operations, 1e9, 10_000, 200_000),
}


def seconds(function, Value, MLP, times):
    start = time.process_time()
    function(Value, MLP, times)
    return (time.process_time() - start) / times


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    names = classes()
    print("|  |", *[f"{name} |" for name in names], "pure twin / compiled |")
    print("|---|" + "---:|" * (len(names) + 1))
    for case, (function, unit, slow, fast) in CASES.items():
        found = {name: [] for name in names}
        for _ in range(rounds):
            for name, (Value, MLP) in names.items():
                times = fast if name == "compiled" else slow
                found[name].append(seconds(function, Value, MLP, times))
        ratios = sorted(a / b for a, b in zip(found["pure twin"], found["compiled"]))
        medians = [f"{statistics.median(times) * unit:,.4g} |" for times in found.values()]
        ratio = f"**{statistics.median(ratios):,.0f}** ({ratios[0]:,.0f} to {ratios[-1]:,.0f}) |"
        print(f"| {case} |", *medians, ratio)


if __name__ == "__main__":
    main()
