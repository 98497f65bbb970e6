"""What the recording of `isograd explain` costs: from the documents to it, or to a trained model.

`python bench/recording.py [--rounds 15]` prints Markdown. Both begin with a model of their own and
take turns, in a process for each vector unit.
"""

import argparse
from random import Random
from statistics import median

from ladder import UNITS, has_unit
from pyperf import perf_counter
from report import announced, fresh, machine, note, ratio, table

from isograd import GPT, CharTokenizer, load_docs, train
from isograd._native import set_vector_unit
from isograd.explain.record import record_run
from isograd.options import RunOptions

RUNS = {
    "default, 1,000 steps": RunOptions(samples=0),
    "one step": RunOptions(steps=1, samples=0),
    "100 steps of 8 documents, 2 layers of width 64": RunOptions(
        steps=100, batch_size=8, n_layer=2, n_embd=64, samples=0
    ),
}


def trained(texts, options):
    """Train as `record_run` does, and record nothing."""
    rng, texts = Random(options.seed), list(texts)
    rng.shuffle(texts)
    tokenizer = CharTokenizer(texts)
    model = GPT(options.config(tokenizer.vocab_size), rng=rng)
    used = texts[: options.steps * options.batch_size]
    tokens = tokenizer.encode_beginnings(used, options.block_size)
    train(model, tokens, options.steps, options.lr, batch_size=options.batch_size)


def turns(unit, options, rounds):
    """Milliseconds of training and of recording, in each turn."""
    set_vector_unit(unit)
    texts, found = load_docs(), ([], [])
    for i in range(rounds + 1):  # the first does not count
        for work, times in zip((trained, record_run), found):
            start = perf_counter()
            work(texts, options)
            if i:
                times.append(1e3 * (perf_counter() - start))
    return found


def main():
    parser = argparse.ArgumentParser(description="Measure what recording costs.")
    parser.add_argument("--rounds", type=int, default=15, help="turns")
    rounds = parser.parse_args().rounds
    machine()
    units = [unit for unit in UNITS if fresh(has_unit, unit)]
    rows = [("run", "training, ms", "recording, ms", "recording / training")]
    for name, options in RUNS.items():
        for _, unit in zip(announced(len(units), name), units):
            training, recording = fresh(turns, unit, options, rounds)
            figures = f"{median(training):.1f}", f"{median(recording):.1f}"
            rows.append((f"{name}, {UNITS[unit]}", *figures, ratio(recording, training)))
    table(*rows)
    note(f"Medians of {rounds} turns.")


if __name__ == "__main__":
    main()
