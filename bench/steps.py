"""The default training run: how it begins, its steps taken apart, the operations in its graphs.

It is seed 42, 1,000 steps on the bundled names, then 20 samples. The caller gives every function
call a fresh process; nothing here compares tiers or prints.
"""

import gc
from operator import sub
from random import Random
from statistics import fmean

from pyperf import perf_counter

from isograd import GPT, CharTokenizer, GPTConfig, load_docs
from isograd.model import GRAPH_TIERS
from isograd.reference.value import topological_order

SEED, STEPS, LR, SAMPLES = 42, 1000, 0.01, 20
VOCAB_SIZE = 27
PARTS = ("forward", "backward", "Adam", "deallocation")


def set_up(tier):
    """What the default run has before its first step: model, tokenizer, documents, generator."""
    rng = Random(SEED)
    docs = load_docs()
    rng.shuffle(docs)
    tokenizer = CharTokenizer(docs)
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size), rng=rng, tier=tier)
    return model, tokenizer, [tokenizer.encode(doc) for doc in docs[:STEPS]], rng


class Collecting:
    """Adds up the seconds of Python's cyclic garbage collector inside a `with`."""

    def __enter__(self):
        self.seconds = 0.0
        gc.callbacks.append(self)
        return self

    def __exit__(self, *exception):
        gc.callbacks.remove(self)

    def __call__(self, phase, info):
        if phase == "start":
            self.start = perf_counter()
        else:
            self.seconds += perf_counter() - self.start


def step_parts(tier, steps, laps):
    """Mean seconds of each of PARTS, of the garbage collector's share in them, and all losses.

    An untimed step comes first, then the `steps` next documents, `laps` times. Each step is
    `training_step`, taken apart.
    """
    model, _, docs, _ = set_up(tier)
    optimizer = GRAPH_TIERS[tier].adam(model.parameters())
    losses, clocks = [], []
    with Collecting() as collector:
        for step, doc in enumerate(docs[:1] + laps * docs[1 : steps + 1]):
            clock = [perf_counter()]
            loss = model.loss(doc)
            clock.append(perf_counter())
            loss.backward()
            clock.append(perf_counter())
            optimizer.step(LR * (1 - step / STEPS))
            optimizer.zero_grad()
            clock.append(perf_counter())
            losses.append(loss.data)
            del loss
            clock.append(perf_counter())
            clocks.append(clock)
    marks = list(zip(*clocks[1:]))
    parts = [fmean(map(sub, end, start)) for start, end in zip(marks, marks[1:])]
    return dict(zip(PARTS, parts)), collector.seconds / len(losses), losses


def operations():
    """The number of operations in each step's graph; it follows from the document's length."""
    model, _, docs, _ = set_up("value")
    one_of_each_length = {len(doc): doc for doc in docs}
    count = {n: len(topological_order(model.loss(doc))) for n, doc in one_of_each_length.items()}
    return [count[len(doc)] for doc in docs]
