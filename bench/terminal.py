"""What the live view and the files of `isograd train` cost: the command against the library.

`python bench/terminal.py [--rounds 9] [--steps 60000]` prints Markdown. Both train the default
model and invent 20 names. The command writes to a pseudo-terminal and takes it for a real one;
every run is a process of its own, and all kinds take turns. It fails if the names differ.
"""

import argparse
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from pyperf import perf_counter
from report import announced, machine, note, ratio, table
from steps import LR, SAMPLES, SEED

LIBRARY = """
import random, sys, time, isograd

docs, rng = isograd.load_docs(), random.Random({seed})
rng.shuffle(docs)
tokenizer = isograd.CharTokenizer(docs)
model = isograd.GPT(isograd.GPTConfig(tokenizer.vocab_size), rng=rng)
tokens = [tokenizer.encode(doc) for doc in docs]
start = time.perf_counter()
isograd.train(model, tokens, {steps}, {lr})
print({steps}, "steps in", time.perf_counter() - start, "s")
for i in range({samples}):
    print(f"sample {{i + 1:2d}}:", isograd.sample(model, tokenizer, rng=rng))
"""


def on_a_terminal(arguments):
    """Run this Python with `arguments` on a pseudo-terminal; returns seconds and output."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    ours, theirs = pty.openpty()
    start = perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=theirs, env=environment)
    os.close(theirs)
    output = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # how Linux reports the end
            piece = b""
        if not piece:
            break
        output += piece
    os.close(ours)
    if process.wait() != 0:
        sys.exit(f"{arguments[:4]} failed: {output.decode()}")
    return perf_counter() - start, output.decode()


def measured(arguments):
    """Seconds of a process, seconds of its training, and the names that it invented."""
    seconds, output = on_a_terminal(arguments)
    said = re.search(r"\d+ steps in (?:(\d+) min )?([\d.]+) s", output)
    training = 60 * int(said.group(1) or 0) + float(said.group(2))
    return seconds, training, re.findall(r"sample +\d+: (\w*)", output)


def main():
    parser = argparse.ArgumentParser(description="Measure what a run shows and keeps.")
    parser.add_argument("--rounds", type=int, default=9, help="turns of every kind of run")
    parser.add_argument("--steps", type=int, default=60000, help="training steps")
    arguments = parser.parse_args()
    steps = arguments.steps
    library = LIBRARY.format(seed=SEED, lr=LR, steps=steps, samples=SAMPLES)
    command = ["-m", "isograd", "train", "--steps", str(steps)]
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        table_path, kept = Path(folder, "losses.csv"), Path(folder, "run.safetensors")
        kinds = {
            "the library": ["-c", library],
            "`isograd train`": command,
            "with `--history`": [*command, "--history", str(table_path)],
            "with `--checkpoint`, written every 1,000 steps": [
                *command,
                *("--checkpoint", str(kept), "--checkpoint-every", "1000"),
            ],
        }
        for _ in announced(arguments.rounds, "terminal"):
            rounds.append({})
            for kind, line in kinds.items():
                rounds[-1][kind] = measured(line)
                table_path.unlink(missing_ok=True)
                kept.unlink(missing_ok=True)
            if len({tuple(names) for _, _, names in rounds[-1].values()}) > 1:
                sys.exit("the runs differ in the names that they invent")
    print("# A terminal: what the live view and the files of a run cost")
    machine()
    rows = [("", "process, s", "/ library", "training, s", "/ library")]
    for kind in kinds:
        row = [kind]
        for which in range(2):
            seconds = [turn[kind][which] for turn in rounds]
            row += [
                f"{median(seconds):.3f}",
                ratio(seconds, [turn["the library"][which] for turn in rounds]),
            ]
        rows.append(row)
    table(*rows)
    note(
        f"{steps:,} steps of the default model and {SAMPLES} names, medians of {arguments.rounds} "
        f"turns. Process: from its start to its end, imports included. Training: what the library "
        f"takes for `train`, and what the command says at its end, with drawing and files."
    )


if __name__ == "__main__":
    main()
