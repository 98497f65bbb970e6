"""Long documents: a step of the default model at growing block sizes, and what it keeps.

`python bench/context.py [--sizes 64 256 1024 4096] [--rounds 5]` prints Markdown. Every measurement
is a process of its own.
"""

import argparse
import resource
import sys
from random import Random
from statistics import median

from pyperf import perf_counter
from report import announced, fresh, machine, note, table
from task import SEED, Task

from isograd import GPT, train

SECONDS = 1.0  # about how long a measurement is to take
HEADS = 4


def step(size):
    """Seconds of a step on `size` positions, and the bytes that this process has had at most."""
    task = Task(16, block_size=size, steps=4)
    model, docs = GPT(task.config, rng=Random(SEED)), task.docs()
    start = perf_counter()
    train(model, docs, 2)
    steps = max(2, int(2 * SECONDS / (perf_counter() - start)))
    start = perf_counter()
    train(model, docs, steps)
    seconds = (perf_counter() - start) / steps
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    parser = argparse.ArgumentParser(description="Measure long documents.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 1024, 4096])
    parser.add_argument("--rounds", type=int, default=5, help="turns")
    arguments = parser.parse_args()
    machine()
    rows = [("positions", "a step, us", "ns for each head and pair", "peak memory, MB")]
    for size in arguments.sizes:
        rounds = [fresh(step, size) for _ in announced(arguments.rounds, f"{size} positions")]
        seconds, peak = (median(column) for column in zip(*rounds))
        pairs = HEADS * size * (size + 1) / 2
        figures = f"{1e6 * seconds:,.0f}", f"{1e9 * seconds / pairs:.2f}", f"{peak / 2**20:.0f}"
        rows.append((f"{size:,}", *figures))
    table(*rows)
    note("The whole step is divided by the pairs of a position and one that it looks at.")


if __name__ == "__main__":
    main()
