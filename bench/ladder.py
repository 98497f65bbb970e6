"""The ladder from pure Python to native code: the default run on every rung, in turns.

Each rung is a process of its own. A turn of a slow rung trains for its first steps only; what it
would take for a step of the whole run follows from the number of scalar operations, which the
lengths of the documents fix. Every run's losses and last weights are compared with the reference's;
runs too long for the reference, with those of tier fused, which has been compared.
"""

from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

import steps
from document import Section
from programs import Script
from pyperf import perf_counter
from report import figure, fresh, kept, ratio, spread
from same import bits_of, check

from isograd import train
from isograd._native import set_vector_unit
from isograd.training import processors

UNITS = {"plain": "plain C", "avx2": "AVX2", "avx512": "AVX-512"}
STEPS = steps.STEPS


class Rung(NamedTuple):
    """One way to take the same steps."""

    name: str
    tier: str
    what: str  # has changed, seen from the rung before
    unit: str | None = None
    threads: int = 1
    batched: bool = False


class Trainer:
    """The default run on one rung, over and over, in the present process."""

    def __init__(self, rung, batch_size):
        if rung.unit:
            set_vector_unit(rung.unit)
        self.options = {"batch_size": batch_size if rung.batched else 1}
        if rung.threads > 1:
            self.options["threads"] = rung.threads
        self.model, _, self.docs, _ = steps.set_up(rung.tier)
        self.first = list(self.model.read_data())

    def run(self, n):
        """Seconds and Bits of a run of `n` steps."""
        self.model.weights.write(self.first)
        start = perf_counter()
        losses = train(self.model, self.docs, n, steps.LR, **self.options)
        seconds = perf_counter() - start
        return seconds, bits_of(losses, self.model.read_data())

    def turn(self, n, seconds):
        """The median of the runs of `n` steps that fit into `seconds`, and the Bits of the last."""
        laps, end = [], perf_counter() + seconds
        while not laps or perf_counter() < end:
            lap, bits = self.run(n)
            laps.append(lap)
        return median(laps), bits


def has_unit(unit):
    """Whether this processor has the vector unit `unit`."""
    try:
        set_vector_unit(unit)
    except ValueError:
        return False
    return True


WITH_GRAPHS = (
    Rung("interpreter", "reference", "pure Python: an object and a method call for each number"),
    Rung("class", "value", "the class is compiled; Python still asks for every operation"),
    Rung(
        "script as it is",
        "script",
        "`isograd run` finds class, vector functions and Adam in a script and compiles them",
    ),
    Rung(
        "fused functions",
        "fused",
        "vector functions and Adam are imported; a sum of products is one node of the graph",
    ),
)
WITHOUT = {
    "plain": "no graph: forward, backward and Adam are loops in C over arrays of doubles",
    "avx2": "four numbers an instruction, side by side, never along a sum",
    "avx512": "eight numbers an instruction; `exp` and powers without libm",
}


def rungs(batch_size):
    """All that this machine has."""
    units = [unit for unit in UNITS if fresh(has_unit, unit)]
    found = [Rung(f"native, {UNITS[unit]}", "native", WITHOUT[unit], unit) for unit in units]
    widest, most = found[-1], processors()
    for n in sorted({2, most} - {1}) if most > 1 else []:
        words = f"{n} threads share a document, where and as long as that is faster"
        found.append(widest._replace(name=f"{n} threads", what=words, threads=n))
    words = f"{batch_size} documents a step, so other losses; one Adam for all of them"
    batches = widest._replace(name=f"batches of {batch_size}", what=words, batched=True)
    found.append(batches)
    if most > 1:
        words = f"{most} threads share the documents of a batch"
        found.append(batches._replace(name=f"batches, {most} threads", what=words, threads=most))
    return [*WITH_GRAPHS, *found]


def trainer_of(stack, rung, batch_size):
    """Who trains on this rung: a process, or a script that starts one for every run."""
    if rung.tier == "script":
        return stack.enter_context(Script(["-m", "isograd", "run"]))
    return kept(stack, Trainer, rung, batch_size)


class Ladder:
    """What is measured on which rung, and for how many steps."""

    def __init__(self, plan):
        self.plan, self.rungs = plan, rungs(plan.batch_size)
        self.operations = []  # in the graph of each document
        self.known = {}  # Bits, by whether batched and the number of steps
        self.times = {rung: [] for rung in self.rungs}  # microseconds a document, by turn

    def steps_of(self, rung):
        """How many steps a turn takes."""
        if rung.batched:
            return max(1, STEPS // self.plan.batch_size)
        few = {"reference": self.plan.reference_steps, "value": self.plan.value_steps}
        return few.get(rung.tier, STEPS)

    def short(self, rung):
        """How many steps the reference is asked for."""
        return 1 if rung.batched else self.plan.reference_steps

    def microseconds(self, rung, seconds):
        """Of a document of the whole run, from the `seconds` of a turn."""
        n = self.steps_of(rung) * (self.plan.batch_size if rung.batched else 1)
        first = 1 if rung.tier == "script" else 0  # whose clock starts at the end of a step
        share = sum(self.operations[first:n]) / sum(self.operations)
        return 1e6 * seconds / share / STEPS

    def learn(self, batched):
        """The bits to compare with: the reference's as far as it goes, then those of tier fused."""
        like = [rung for rung in self.rungs if rung.batched is batched]
        short = self.short(like[0])
        with ExitStack() as stack:
            reference, fused = (
                kept(stack, Trainer, rung._replace(batched=batched), self.plan.batch_size)
                for rung in (WITH_GRAPHS[0], WITH_GRAPHS[-1])
            )
            self.known[batched, short] = reference.run(short)[1]
            check("tier fused", fused.run(short)[1], self.known[batched, short])
            for n in {*map(self.steps_of, like)} - {short}:
                self.known[batched, n] = fused.run(n)[1]

    def compare(self, rung, n, bits):
        whose = "the reference" if n == self.short(rung) else "tier fused"
        check(f"rung '{rung.name}'", bits, self.known[rung.batched, n], whose)

    def begin(self, stack, batched):
        """By rung, who trains on it; each has shown that it has the bits of a short run."""
        self.learn(batched)
        trainers = {}
        for rung in self.rungs:
            if rung.batched is batched:
                trainers[rung] = trainer_of(stack, rung, self.plan.batch_size)
                if rung.tier != "reference":
                    n = self.short(rung)
                    self.compare(rung, n, trainers[rung].run(n)[1])
        return trainers

    def climb(self, turns):
        with ExitStack() as stack:
            trainers = {**self.begin(stack, False), **self.begin(stack, True)}
            self.operations = fresh(steps.operations)
            for _ in turns(self.plan.rounds, "all rungs"):
                for rung, trainer in trainers.items():
                    n = self.steps_of(rung)
                    seconds, bits = trainer.turn(n, self.plan.seconds)
                    self.compare(rung, n, bits)
                    self.times[rung].append(self.microseconds(rung, seconds))


def measure(plan, turns):
    """The section."""
    ladder = Ladder(plan)
    ladder.climb(turns)
    times = ladder.times
    base = times[ladder.rungs[0]]
    section = Section("ladder", "The ladder, from pure Python to native code")
    section.say(
        "One document, one step: forward, backward, Adam. The default model (4,192 weights) on the "
        "bundled names, six letters or so each. All rungs but the batches compute the same numbers."
    )
    bars, rows = [], [("rung", "µs a document", "times as fast", "what changed")]
    for rung in ladder.rungs:
        faster = median(b / t for b, t in zip(base, times[rung]))
        texts = figure(faster), figure(median(times[rung]))
        bars.append((rung.name, faster, texts, group(rung)))
        rows.append((rung.name, spread(times[rung]), ratio(base, times[rung]), rung.what))
    section.picture(
        "Times as fast as pure Python, by rung; the table below has the figures",
        "bars", bars, "times as fast as pure Python, log scale", ("times", "µs a document"),
    )  # fmt: skip
    section.table(rows)
    section.say(notes(ladder))
    raw = [("rung", "turn", "microseconds a document")]
    raw += [(rung.name, i + 1, us) for rung in ladder.rungs for i, us in enumerate(times[rung])]
    section.raw("ladder.csv", raw)
    return section


def group(rung):
    """What has a colour in the picture."""
    if rung.tier == "native":
        return "batches" if rung.batched else "threads" if rung.threads > 1 else "native"
    return rung.tier if rung.tier in ("reference", "value") else "fused"


def notes(ladder):
    plan = ladder.plan
    return (
        f"Medians of {plan.rounds} turns, the lowest and the highest in brackets. A turn of the "
        f"interpreter is {plan.reference_steps} steps, of the class {plan.value_steps}, of the "
        f"rest {STEPS:,}, or {STEPS // plan.batch_size} batches; a short turn counts for a whole "
        f"run by the operations in its graphs ({sum(ladder.operations) / STEPS:,.0f} a step). "
        f"Equal, in bits: the losses and last weights of {plan.reference_steps} steps on all "
        "rungs (of one batch on those with batches) and of the longer runs of all compiled ones."
    )


def expected(plan, pace):
    reference = plan.reference_steps * (plan.rounds + 1) + 2 * plan.batch_size
    compiled = 0.04 * plan.value_steps * (plan.rounds + 1) + 6 * plan.rounds
    turns = plan.rounds * 7 * plan.seconds
    return pace.step * (reference + compiled + 25) + turns + 12 * pace.start
