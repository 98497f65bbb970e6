"""Threads on a machine that has other work: two against one, alone and beside busy processes.

`python bench/crowded.py [--competitors 2] [--rounds 5]` prints Markdown. The competitors are
processes that count, one for each processor by default. One thread and two take turns.
"""

import argparse
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from random import Random

from pyperf import perf_counter
from report import announced, fresh, machine, note, ratio, table
from task import SEED, Task

from isograd import GPT, train

THREADS = 2
SECONDS = 3.0  # about how long a measurement takes: the system gives shares of a processor unevenly
CASES = {
    "n_embd 16": Task(16),
    "n_embd 64": Task(64),
    "n_embd 128": Task(128),
    "n_embd 16, batches of 32": Task(16, batch_size=32),
    "n_embd 64, batches of 32": Task(64, batch_size=32, steps=10),
}


def microseconds(task, threads):
    """Of a step of `task`, over a run of some seconds."""
    model, docs = GPT(task.config, rng=Random(SEED)), task.docs()
    start = perf_counter()
    train(model, docs, 10, batch_size=task.batch_size)
    steps = max(10, int(10 * SECONDS / (perf_counter() - start)))
    start = perf_counter()
    train(model, docs, steps, batch_size=task.batch_size, threads=threads)
    return 1e6 * (perf_counter() - start) / steps


@contextmanager
def competitors(n):
    """Runs `n` processes that do nothing but count."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for process in running:
            process.kill()


def main():
    parser = argparse.ArgumentParser(description="Measure threads beside other work.")
    parser.add_argument("--competitors", type=int, default=os.cpu_count(), help="busy processes")
    parser.add_argument("--rounds", type=int, default=5, help="turns")
    arguments = parser.parse_args()
    machine()
    for n in (0, arguments.competitors):
        rows = [(f"{n} competitors", "one, us", "two, us", "two / one")]
        with competitors(n):
            for name, task in CASES.items():
                one, two = zip(
                    *(
                        [fresh(microseconds, task, threads) for threads in (1, THREADS)]
                        for _ in announced(arguments.rounds, name)
                    )
                )
                times = f"{sorted(one)[len(one) // 2]:.1f}", f"{sorted(two)[len(two) // 2]:.1f}"
                rows.append((name, *times, ratio(two, one)))
        table(*rows)
    note("Microseconds a step, medians; ratios round by round.")


if __name__ == "__main__":
    main()
