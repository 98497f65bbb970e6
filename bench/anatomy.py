"""Where the time of a step goes, on the tiers with a graph and in native code.

A step with a graph is taken apart between its calls. Native code has no such seams: what it takes
for a loss, for a loss with its gradients and for a whole step is measured, and the parts are the
differences.
"""

from array import array
from statistics import median

import steps
from document import Section
from pyperf import perf_counter
from report import figure, fresh
from same import DifferentBits
from task import LR, SCHEDULE, Task

from isograd._native import NativeGPT

PARTS = steps.PARTS
LAPS = {"reference": 1, "value": 10, "fused": 40}
DOCUMENTS = 100  # that native code is measured on
SIZES = (16, 64, 256)  # of the native model


def seconds_of(laps, seconds):
    """By name, the median of what each of `laps` returns, seconds; they take turns for as long as
    is given to each, after one turn that does not count."""
    times, end = {name: [] for name in laps}, perf_counter() + seconds * len(laps)
    for lap in laps.values():
        lap()
    while len(times[next(iter(laps))]) < 3 or perf_counter() < end:
        for name, lap in laps.items():
            times[name].append(lap())
    return {name: median(taken) for name, taken in times.items()}


def timed(work, *args):
    """Seconds that `work(*args)` takes."""
    start = perf_counter()
    work(*args)
    return perf_counter() - start


class NativeSteps:
    """A native model with documents, in batches, that always starts from the same weights."""

    def __init__(self, task):
        config, names = task.config, ("vocab_size", "n_layer", "n_embd", "n_head", "block_size")
        self.model = NativeGPT(**{name: getattr(config, name) for name in names})
        self.docs, self.size, self.steps = task.docs(), task.batch_size, task.steps
        self.batches = [self.docs[i : i + self.size] for i in range(0, len(self.docs), self.size)]
        self.first = array("d", task.weights())
        self.model.weights[:] = self.first

    def losses(self):
        return timed(lambda: list(map(self.model.loss, self.batches)))

    def gradients(self):
        return timed(lambda: list(map(self.model.backward, self.batches)))

    def training(self):
        self.model.weights[:] = self.first
        zeros = array("d", bytes(8 * len(self.first)))
        self.model.first_moments[:] = self.model.second_moments[:] = zeros
        options = {"step": 0, "steps": SCHEDULE, "lr": LR, "batch_size": self.size, "losses": []}
        seconds = timed(lambda: self.model.train(self.docs, self.steps, **options))
        self.model.weights[:] = self.first
        return seconds


def native_parts(n_embd, seconds):
    """Microseconds a document of: a call, a loss, a loss with gradients, a step."""
    native = NativeSteps(Task(n_embd, steps=DOCUMENTS))
    least = NativeGPT(vocab_size=2, n_layer=1, n_embd=1, n_head=1, block_size=1)
    laps = {
        "call": lambda: timed(lambda: [least.loss([[0, 1]]) for _ in range(DOCUMENTS)]),
        "loss": native.losses,
        "backward": native.gradients,
        "step": native.training,
    }
    return {name: 1e6 * s / DOCUMENTS for name, s in seconds_of(laps, seconds).items()}


def native_shares(measured):
    """Microseconds by part, without the calls from Python."""
    forward = measured["loss"] - measured["call"]
    both = measured["backward"] - measured["call"]
    return dict(zip(PARTS, (forward, both - forward, measured["step"] - both, 0.0)))


def graph_parts(plan, turns):
    """By tier, for every turn: microseconds by part, and the garbage collector's share of all."""
    n = max(2, plan.reference_steps // 4)
    found = {tier: [] for tier in LAPS}
    for _ in turns(plan.rounds, "tiers with a graph"):
        expected = None
        for tier, laps in LAPS.items():
            seconds, collecting, losses = fresh(steps.step_parts, tier, n, laps)
            expected = expected or losses
            if losses[: len(expected)] != expected:
                raise DifferentBits(f"tier {tier} differs from the reference in a loss")
            us = {part: 1e6 * seconds[part] for part in PARTS}
            found[tier].append((us, collecting / sum(seconds.values())))
    return found


def measure(plan, turns):
    """The section."""
    found = graph_parts(plan, turns)
    native = {size: [] for size in SIZES}
    for _ in turns(plan.rounds, "native code"):
        for size in SIZES:
            native[size].append(fresh(native_parts, size, plan.seconds))
    section = Section("anatomy", "Where the time of a step goes")
    rows = [("", *(f"{part}, µs" for part in PARTS), "garbage collector")]
    pictured, raw = [], [("what", "turn", *PARTS)]
    for tier, rounds in found.items():
        add(rows, pictured, raw, tier, [us for us, _ in rounds])
        rows[-1] = (*rows[-1], f"{median(share for _, share in rounds):.0%}")
    for size, rounds in native.items():
        add(rows, pictured, raw, f"native, width {size}", list(map(native_shares, rounds)))
        rows[-1] = (*rows[-1][:-1], "-", "none")
    section.picture(
        "Shares of forward, backward, Adam and deallocation by tier", "stacked", pictured, PARTS
    )
    section.table(rows)
    section.say(
        f"Medians of {plan.rounds} turns; documents of the default run. Python's garbage "
        "collector works within the other parts: it looks through graphs in which there are no "
        "cycles to find; compiled nodes are not shown to it. In native code, forward is a loss, "
        "backward what a loss with its gradients takes beyond that, Adam what a step takes "
        f"beyond both; the call from Python, some {median(m['call'] for m in native[16]):.1f} µs "
        "on a model of width 1, is taken off. There is no graph there, so nothing to let go of."
    )
    section.raw("anatomy.csv", raw)
    return section


def add(rows, pictured, raw, name, rounds):
    """What `rounds` of microseconds by part come to: a row of the table, a bar, raw figures."""
    medians = [median(us[part] for us in rounds) for part in PARTS]
    total = sum(medians)
    rows.append((name, *map(figure, medians)))
    pictured.append((name, [part / total for part in medians], f"{figure(total)} µs"))
    raw += [(name, i + 1, *us.values()) for i, us in enumerate(rounds)]


def expected(plan, pace):
    graph = 1.6 * plan.reference_steps / 4 + 8
    native = len(SIZES) * (4 * plan.seconds + pace.start + 0.3)
    return plan.rounds * (graph * pace.step + 3 * pace.start + native)
