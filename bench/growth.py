"""How the cost of a step grows with the model and the document, and that of a run with its steps.

One size grows at a time, from a model of one layer of width 16 on documents of 16 positions. A tier
is left out where a step would take longer than the plan has patience for.
"""

from contextlib import ExitStack
from math import log
from random import Random
from statistics import median

import steps
from document import Section
from pyperf import perf_counter
from report import fresh, kept, spread
from same import DifferentBits

from isograd import GPT, GPTConfig, TrainingState, train

TIERS = ("reference", "fused", "native")
QUICKER = {"reference": 1, "fused": 400, "native": 8000}  # than the reference, for a guess
BASE = (16, 1, 16)  # n_embd, n_layer, positions
SCHEDULE, RATE = 10**6, 1e-5  # a low rate, as a wide model on a few documents diverges
SHOWN = 2  # losses that are compared


def products(n_embd, n_layer, n, vocab_size=steps.VOCAB_SIZE):
    """The products of a step on `n` positions, each followed by an addition, without Adam's.

    Every weight of a linear layer once forward and twice backward, for each position; scores and
    weighted values once forward and twice backward, for each pair of positions.
    """
    linear = 12 * n_embd**2 * n_layer + vocab_size * n_embd
    pairs = n * (n + 1) // 2
    return 3 * linear * n + 6 * n_embd * pairs * n_layer


class Laps:
    """Times a run, which asks how many steps each lap has, and ends it after `seconds`.

    The first two laps, of a step and of three, count only where they take all the time there is.
    """

    def __init__(self, seconds):
        self.seconds, self.started = seconds, perf_counter()
        self.marks = [(0, self.started)]

    def length(self):
        if len(self.marks) < 3:
            return 2 * len(self.marks) - 1
        return max(1, round(self.seconds / 8 / self.times()[1]))

    def end(self, step, loss):
        """The callback of the run: False when it is time to stop."""
        self.marks.append((step, perf_counter()))
        return perf_counter() < self.started + self.seconds

    def times(self):
        """Seconds a step of each lap."""
        return [(b - a) / (j - i) for (i, a), (j, b) in zip(self.marks, self.marks[1:])]

    def step(self):
        """Seconds of a step."""
        times = self.times()
        return median(times[2:] or times)


class Grower:
    """Steps of one tier at any size, in the present process."""

    def __init__(self, tier):
        self.tier = tier

    def step(self, size, seconds):
        """Microseconds of a step, the median of the laps that fit, and the first losses as hex."""
        n_embd, n_layer, positions = size
        rng = Random(steps.SEED)
        config = GPTConfig(steps.VOCAB_SIZE, n_layer, n_embd, block_size=positions)
        model = GPT(config, rng=rng, tier=self.tier)
        docs = [[rng.randrange(steps.VOCAB_SIZE) for _ in range(positions + 1)] for _ in range(16)]
        state, laps = TrainingState(model.num_params), Laps(seconds)
        train(model, docs, SCHEDULE, RATE, laps.end, every=laps.length, state=state)
        return 1e6 * laps.step(), [loss.hex() for loss in state.losses[:SHOWN]]

    def whole_run(self, n):
        """Seconds of the default run with `n` steps, and the first losses as hex."""
        model, _, docs, _ = steps.set_up(self.tier)
        start = perf_counter()
        losses = train(model, docs, n, steps.LR)
        return perf_counter() - start, [loss.hex() for loss in losses[:SHOWN]]


class Growth:
    """Everything measured: {(what grows, tier): {its size: [figure of each turn]}}."""

    def __init__(self, plan, usual):
        self.plan, self.usual = plan, usual  # `usual`: seconds of the reference's default step
        self.found = {}
        self.known = {}  # losses, by size, from the slowest tier that was measured

    def fits(self, tier, size):
        """Whether a step of that size is likely to take no longer than there is patience for."""
        guess = self.usual * products(*size) / products(16, 1, 7) / QUICKER[tier]
        return size == BASE or guess <= self.plan.patience or tier == "native"

    def keep(self, grows, tier, at, size, measured):
        value, losses = measured
        known = self.known.setdefault((grows == "steps", size), losses)
        shared = min(len(known), len(losses))
        if losses[:shared] != known[:shared]:
            raise DifferentBits(f"tier {tier} differs from a slower one in a loss at {grows} {at}")
        self.found.setdefault((grows, tier), {}).setdefault(at, []).append(value)

    def of(self, grows, tier):
        """{size: [figure of each turn]}, which may be empty."""
        return self.found.get((grows, tier), {})

    def sizes(self):
        """(what grows, to how much, the size)."""
        for n in self.plan.widths:
            yield "width", n, (n, 1, 16)
        for n in self.plan.layers:
            yield "layers", n, (16, n, 16)
        for n in self.plan.positions:
            yield "positions", n, (16, 1, n)

    def measure(self, growers, turns):
        for _ in turns(self.plan.rounds, "sizes and steps"):
            done = {}  # as some sizes belong to several lines
            for grows, at, size in self.sizes():
                for tier, grower in growers.items():
                    if self.fits(tier, size):
                        if (tier, size) not in done:
                            done[tier, size] = grower.step(size, self.plan.seconds)
                        self.keep(grows, tier, at, size, done[tier, size])
            for n in self.plan.steps:
                for tier, grower in growers.items():
                    if self.usual * n / QUICKER[tier] <= max(self.plan.patience, 2 * self.usual):
                        self.keep("steps", tier, n, n, grower.whole_run(n))


def measure(plan, turns):
    """The section."""
    growth = Growth(plan, fresh(usual_step))
    with ExitStack() as stack:
        growth.measure({tier: kept(stack, Grower, tier) for tier in TIERS}, turns)
    section = Section("growth", "How the cost grows")
    titles = {
        "width": "width (n_embd), ms a step",
        "layers": "layers of width 16, ms a step",
        "positions": "positions, ms a step",
        "steps": "steps, s a run",
    }
    panels = []
    for grows, title in titles.items():
        scale = 1 if grows == "steps" else 1e-3
        series = {
            tier: [(at, scale * median(us)) for at, us in growth.of(grows, tier).items()]
            for tier in TIERS
        }
        panels.append((title, series))
    section.picture("Cost by width, layers, positions, steps", "lines", panels, TIERS)
    heading, *widths = table(growth, "width")
    section.table([heading, *widths, *table(growth, "layers")[1:], *table(growth, "positions")[1:]])
    section.table(table(growth, "steps"))
    section.say(
        f"Medians of {plan.rounds} turns. One thing grows at a time, from one layer of width 16 "
        "and documents of 16 random letters that fill the block. The last column is the power with "
        "which the native cost grew since the line before: 1 is linear, 2 square. What every step "
        "or run costs whatever its size keeps it low, what no longer fits into a cache makes it "
        "higher. A dash: this study has no patience for it. Equal, in bits: the first losses of "
        "all tiers at every size."
    )
    raw = [("grows", "tier", "at", "turn", "microseconds a step, or seconds a run")]
    for (grows, tier), by_size in growth.found.items():
        raw += [(grows, tier, at, i + 1, x) for at, xs in by_size.items() for i, x in enumerate(xs)]
    section.raw("growth.csv", raw)
    return section


def table(growth, grows):
    unit = "s a run" if grows == "steps" else "µs a step"
    rows = [(grows if grows == "steps" else "", *(f"{tier}, {unit}" for tier in TIERS), "power")]
    before = None
    for at, native in growth.of(grows, "native").items():
        cells = [spread(xs) if (xs := growth.of(grows, tier).get(at)) else "-" for tier in TIERS]
        now = at, median(native)
        power = f"{log(now[1] / before[1]) / log(now[0] / before[0]):.2f}" if before else ""
        name = f"{at:,}" if grows == "steps" else f"{grows} {at:,}"
        rows.append((name, *cells, power))
        before = now
    return rows


def usual_step():
    """Seconds of a step of the reference, by two of them."""
    return Grower("reference").whole_run(2)[0] / 2


def expected(plan, pace):
    growth = Growth(plan, pace.step)
    ones = sum(
        min(plan.patience, pace.step * products(*size) / products(16, 1, 7)) + plan.seconds
        for _, _, size in growth.sizes()
        if growth.fits("reference", size)
    )
    quick = 2.5 * plan.seconds * len(list(growth.sizes())) + 2 * plan.patience + 0.5
    return plan.rounds * (ones + quick) + 3 * pace.start
