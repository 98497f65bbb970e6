"""Steps of the default training run, timed in the present process: the run and a step's four parts.

The default run is seed 42, 1,000 steps on the bundled names, then 20 samples. The caller gives
every `Run` and every function call a fresh process; nothing here compares tiers or prints.
"""

import gc
from operator import sub
from random import Random
from statistics import fmean, median

from pyperf import perf_counter

from isograd import (
    GPT,
    CharTokenizer,
    GPTConfig,
    TrainingState,
    load_docs,
    reference,
    sample,
    train,
)
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


class Run:
    """The default run, a slice at a time, for tiers that take turns; methods give seconds."""

    def __init__(self, tier):
        self.tier = tier

    def set_up(self):
        start = perf_counter()
        self.model, self.tokenizer, self.docs, self.rng = set_up(self.tier)
        self.state = TrainingState(self.model.num_params)
        return perf_counter() - start

    def train(self, steps):
        """The next `steps` steps: seconds, losses."""
        start = perf_counter()
        until = self.state.steps + steps
        losses = train(self.model, self.docs, STEPS, LR, state=self.state, until=until)
        return perf_counter() - start, losses

    def finish(self, trained=None):
        """End training, with the weights `trained` if a run went further; returns the weights."""
        if trained is not None:
            self.model.weights.write(trained)
        return list(self.model.read_data())

    def sample(self):
        """The next name: seconds, name."""
        start = perf_counter()
        name = sample(self.model, self.tokenizer, rng=self.rng)
        return perf_counter() - start, name


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


def scaled_step(tier, positions, seconds, **sizes):
    """Median seconds of a step of a model of these `sizes` on random documents of so many
    `positions`, and the model's number of weights."""
    rng = Random(SEED)
    model = GPT(GPTConfig(vocab_size=VOCAB_SIZE, **sizes), rng=rng, tier=tier)
    optimizer = GRAPH_TIERS[tier].adam(model.parameters())
    clocks, end = [], perf_counter() + seconds
    while len(clocks) < 4 or perf_counter() < end:
        doc = [rng.randrange(VOCAB_SIZE) for _ in range(positions + 1)]
        start = perf_counter()
        loss = model.loss(doc)
        loss.backward()
        optimizer.step(LR)
        optimizer.zero_grad()
        del loss
        clocks.append(perf_counter() - start)
    return median(clocks[1:]), model.num_params


def float_products(steps, laps):
    """Mean seconds of the matrix-vector products of those steps, run by `linear` on floats."""
    model, _, docs, _ = set_up("value")
    matrices = [
        [[p.data for p in row] for row in rows]
        for name, rows in model.state_dict().items()
        if name not in ("wte", "wpe")
    ]
    inputs = [[1.0] * len(rows[0]) for rows in matrices]
    start = perf_counter()
    for doc in laps * docs[1 : steps + 1]:
        for _ in doc[1 : model.config.block_size + 1]:
            for x, rows in zip(inputs, matrices):
                reference.linear(x, rows)
    return (perf_counter() - start) / (laps * steps)


def operations():
    """The number of operations in each step's graph; it follows from the document's length."""
    model, _, docs, _ = set_up("reference")
    docs = docs[:STEPS]
    one_of_each_length = {len(doc): doc for doc in docs}
    count = {n: len(topological_order(model.loss(doc))) for n, doc in one_of_each_length.items()}
    return [count[len(doc)] for doc in docs]
