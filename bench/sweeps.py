"""What `isograd sweep` costs beside its trials' training, and a shell loop over `isograd train`.

    python bench/sweeps.py [--trials 1000]

First part: a list of configurations, swept in this process, in turns with a loop that only makes
each model and trains it, the documents shuffled and encoded once beforehand. Second part: the same
trials by `isograd sweep`, with and without a storage, and by the shell.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from random import Random
from statistics import median
from time import perf_counter, process_time

import isograd
from isograd.options import RunOptions

SHELL = 20  # trials of the shell loop: each takes as long as any other


def configurations(n: int) -> list[dict[str, float]]:
    """Learning rates, one for each trial."""
    return [{"lr": 0.001 * (1 + i % 20) + 1e-7 * i} for i in range(n)]


def loop(records: list[dict[str, float]]) -> float:
    """Processor time of the training alone."""
    docs = isograd.load_docs()
    rng = Random(42)
    rng.shuffle(docs)
    tokenizer = isograd.CharTokenizer(docs)
    tokens = [tokenizer.encode(doc) for doc in docs[:1000]]
    state = rng.getstate()
    config = RunOptions().config(tokenizer.vocab_size)
    start = process_time()
    for record in records:
        rng.setstate(state)
        isograd.train(isograd.GPT(config, rng=rng), tokens, **record)
    return process_time() - start


def swept(records: list[dict[str, float]]) -> float:
    """Processor time of the sweep, its beginning included."""
    start = process_time()
    isograd.sweep(records)
    return process_time() - start


def command(*arguments: str) -> float:
    """Seconds of a command of isograd."""
    start = perf_counter()
    subprocess.run(
        [sys.executable, "-m", "isograd", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    return perf_counter() - start


def beside_training(n: int, turns: int) -> None:
    """Print the first part."""
    records = configurations(n)
    pairs = [(loop(records), swept(records)) for _ in range(turns)]
    ratios = [b / a for a, b in pairs]
    print(f"{n} configurations in {turns} turns, ms of processor time each: training, sweep, ratio")
    for a, b in pairs:
        print(f"  {a / n * 1e3:6.2f} {b / n * 1e3:6.2f} {b / a:6.3f}")
    print(f"ratio: {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def beside_the_shell(n: int) -> None:
    """Print the second part."""
    with tempfile.TemporaryDirectory() as folder:
        space = os.path.join(folder, "space.toml")
        values = ", ".join(str(record["lr"]) for record in configurations(n))
        with open(space, "w", encoding="utf-8") as file:
            file.write(f"[run]\nsamples = 0\n[space]\nlr = [{values}]\n")
        start = perf_counter()
        for record in configurations(SHELL):
            command("train", "--samples=0", "--plain", f"--lr={record['lr']}")
        shell = SHELL / (perf_counter() - start)
        print(f"shell loop over isograd train: {shell:.1f} trials a second")
        for workers in (1, 2):
            for stored in (False, True):
                path = os.path.join(folder, f"{workers}.log")
                more = ["--storage", path] if stored else []
                rate = n / command("sweep", space, f"--workers={workers}", *more)
                how = f"isograd sweep, {workers} worker(s){', storage' if stored else ''}"
                print(f"{how}: {rate:.1f} trials a second, {rate / shell:.1f} times")


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    beside_training(arguments.trials, arguments.turns)
    beside_the_shell(arguments.trials)


if __name__ == "__main__":
    main()
