"""Whether steps stay as fast as at the start: the default run, long, in blocks of steps.

`python bench/long.py [--steps 60000] [--seeds 0 1 2 3 4]` prints Markdown: microseconds a step of
the first 1,000 steps and of each tenth of the run. ISOGRAD_VECTOR_UNIT=avx2 or plain chooses
another path. Every seed has a process of its own.
"""

import argparse
import gc
from random import Random

from pyperf import perf_counter
from report import announced, fresh, machine, note, table
from steps import LR

from isograd import GPT, CharTokenizer, GPTConfig, TrainingState, load_docs, train

FIRST = 1000  # steps, with which the tenths are compared
WARM_UP = 200


def tenths(seed, steps):
    """Microseconds a step: of the first 1,000, then of each tenth."""
    rng, docs = Random(seed), load_docs()
    rng.shuffle(docs)
    tokenizer = CharTokenizer(docs)
    tokens = [tokenizer.encode(doc) for doc in docs]
    config = GPTConfig(tokenizer.vocab_size)
    train(GPT(config, rng=Random(seed)), tokens, WARM_UP)
    model = GPT(config, rng=rng)
    state = TrainingState(model.num_params)
    gc.disable()  # a collection of all documents takes 12 ms, in whichever tenth it comes
    ends = [FIRST, *(FIRST + (steps - FIRST) * i // 10 for i in range(1, 11))]
    microseconds = []
    for end in ends:
        n, start = end - state.steps, perf_counter()
        train(model, tokens, steps, LR, state=state, until=end)
        microseconds.append(1e6 * (perf_counter() - start) / n)
    return microseconds


def main():
    parser = argparse.ArgumentParser(description="Measure long runs.")
    parser.add_argument("--steps", type=int, default=60000, help="training steps")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5), help="one run each")
    arguments = parser.parse_args()
    machine()
    rows = [("seed", "first 1,000", "slowest tenth", "slowest / first", "all tenths")]
    for _, seed in zip(announced(len(arguments.seeds), "long"), arguments.seeds):
        first, *rest = fresh(tenths, seed, arguments.steps)
        figures = f"{first:.1f}", f"{max(rest):.1f}", f"{max(rest) / first:.2f}"
        rows.append((str(seed), *figures, " ".join(f"{x:.1f}" for x in rest)))
    table(*rows)
    note(f"Microseconds a step of the default model, {arguments.steps:,} steps.")


if __name__ == "__main__":
    main()
