"""The native training step next to other libraries.

task.py says what is computed. libraries.py and by_hand.py hold the steps. This file decides on
sizes and turns and checks the losses. A library that is not there is left out, with the reason.

The machine is assumed to be noisy. So each library has a process of its own for every number of
threads, and the processes take short turns. Each library is shown with the number of threads that
suits it better. Where others use the cores, two threads that wait for each other are slow.
"""

from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import version
from statistics import median

import libraries
from document import Section
from report import figure, fresh, kept, ratio
from task import SCHEDULE, Task

OURS = ("isograd", "float64")
PEERS = {  # the module to import for each column
    ("numpy", "float64"): "numpy",
    ("numba", "float64"): "numba",
    ("jax", "float64"): "jax",
    ("pytorch", "float64"): "torch",
    ("jax", "float32"): "jax",
    ("pytorch", "float32"): "torch",
}
NAMES = {"numpy": "NumPy", "numba": "Numba", "jax": "JAX", "torch": "PyTorch"}
ONE_THREAD = ("numba",)
TASKS = (
    Task(16, steps=1000),
    Task(64, steps=1000),
    Task(128, steps=200),
    Task(256, steps=50),
    Task(128, n_layer=4, block_size=64, steps=20),
)
TOLERANCE = {"float64": 1e-9, "float32": 1e-3}  # relative, of the losses of the first 5 steps
START_UP = {"numpy": 0.5, "numba": 9, "jax": 2.5, "torch": 4}  # seconds, with compilation


class AnotherComputation(Exception):
    """The losses of another library differ by more than is allowed."""


def label(task):
    layers = "1 layer" if task.n_layer == 1 else f"{task.n_layer} layers"
    return f"width {task.n_embd}, {layers}, block {task.block_size}"


def missing(module):
    """Why `module` cannot be imported, or None."""
    try:
        import_module(module)
    except ImportError as error:
        return str(error)
    return None


def missing_ones():
    """The libraries that cannot be imported, and why."""
    reasons = {module: fresh(missing, module) for module in dict.fromkeys(PEERS.values())}
    return {module: reason for module, reason in reasons.items() if reason is not None}


def difference(losses, ours):
    """The largest relative difference in the first 5 steps."""
    return max(abs(a - b) / b for a, b in zip(losses[:5], ours[:5]))


class Comparison:
    """What is compared: columns (library, dtype), at sizes, with numbers of threads."""

    def __init__(self, plan, columns):
        self.plan, self.columns, self.tasks = plan, [OURS, *columns], TASKS[: plan.peers]
        self.times = {}  # microseconds a step of each turn, by column, task, threads
        self.worst = dict.fromkeys(columns, 0.0)

    def threads(self, column):
        return (1,) if column[0] in ONE_THREAD else self.plan.threads

    def measure(self, turns):
        for task in self.tasks:
            variants = [(c, task, n) for c in self.columns for n in self.threads(c)]
            losses = {}
            with ExitStack() as stack:
                peers = {
                    (column, task, n): kept(stack, libraries.Peer, column[0], task, column[1], n)
                    for column, task, n in variants
                }
                for _ in turns(self.plan.rounds, label(task)):
                    for variant, peer in peers.items():
                        microseconds, losses[variant] = peer.turn(self.plan.seconds)
                        self.times.setdefault(variant, []).append(microseconds)
            for (column, _, _), theirs in losses.items():
                if column != OURS:
                    far = difference(theirs, losses[OURS, task, 1])
                    self.worst[column] = max(self.worst[column], far)
        for column, far in self.worst.items():
            if far > TOLERANCE[column[1]]:
                raise AnotherComputation(
                    f"{title(column)} is off by {far:.1e}: this is not the same computation"
                )

    def better(self, column, task):
        """The turns with the better number of threads, and that number."""
        by_threads = {n: self.times[column, task, n] for n in self.threads(column)}
        threads, times = min(by_threads.items(), key=lambda item: median(item[1]))
        return times, threads


def title(column):
    """A column's heading, such as "JAX float32"."""
    return "isograd" if column == OURS else f"{NAMES[PEERS[column]]} {column[1]}"


def measure(plan, turns):
    """The section."""
    section = Section("peers", "Next to other libraries")
    reasons = missing_ones()
    columns = [c for c, m in PEERS.items() if m not in reasons and c[1] in plan.dtypes]
    if reasons:
        names = "; ".join(f"{NAMES[module]} ({reason})" for module, reason in reasons.items())
        section.say(f"Left out: {names}. `make study PEERS=1` installs all of them.")
    if not columns:
        return section
    comparison = Comparison(plan, columns)
    comparison.measure(turns)
    pictured = [
        (label(task), {title(c): median(comparison.better(c, task)[0]) for c in comparison.columns})
        for task in comparison.tasks
    ]
    section.picture("Microseconds a step by library", "dots", pictured, "µs a step")
    section.table(rows_of(comparison))
    section.say(notes(plan, columns))
    section.table(agreement(comparison))
    raw = [("library", "size", "threads", "turn", "microseconds a step")]
    for (column, task, threads), times in comparison.times.items():
        name = title(column)
        raw += [(name, label(task), threads, i + 1, us) for i, us in enumerate(times)]
    section.raw("peers.csv", raw)
    return section


def rows_of(comparison):
    headings = map(title, comparison.columns)
    rows = [("µs a step", *headings, "best float64 peer / isograd")]
    for task in comparison.tasks:
        found = {c: comparison.better(c, task) for c in comparison.columns}
        cells = (f"{figure(median(times))} ({threads})" for times, threads in found.values())
        peers = [times for c, (times, _) in found.items() if c != OURS and c[1] == "float64"]
        best = min(peers, key=median, default=None)
        rows.append((label(task), *cells, ratio(best, found[OURS][0]) if best else "-"))
    return rows


def notes(plan, columns):
    versions = dict.fromkeys(f"{NAMES[m]} {version(m)}" for m in (PEERS[c] for c in columns))
    better = f"the better of {' and '.join(map(str, plan.threads))}"
    tried = better if len(plan.threads) > 1 else "always one in this study"
    return (
        f"{', '.join(versions)}. Medians of {plan.rounds} turns, one document a step; a turn "
        f"takes the first steps of a schedule of {SCHEDULE:,}, as often as fits. In brackets the "
        f"number of threads, {tried}; Numba has one. Ratios are taken turn by turn: "
        "the median, the lowest and the highest. Block 16: the first names, about 7 positions; "
        "block 64: names joined to 64 positions. Compilation and the making of tensors are not "
        "timed. Ours are the reference's bits; the others compute the same to within rounding:"
    )


def agreement(comparison):
    heading = "largest relative difference from isograd's losses, steps 1 to 5"
    rows = [("", heading, "allowed")]
    for column, far in comparison.worst.items():
        rows.append((title(column), f"{far:.1e}", f"{TOLERANCE[column[1]]:.0e}"))
    return rows


def expected(plan, pace):
    reasons = missing_ones()
    columns = [c for c, m in PEERS.items() if m not in reasons and c[1] in plan.dtypes]
    begin = sum(
        START_UP[PEERS[c]] * (1 if c[0] in ONE_THREAD else len(plan.threads)) for c in columns
    )
    turns = plan.rounds * len(columns) * len(plan.threads) * 2 * plan.seconds
    return plan.peers * (begin + turns) if columns else 0.1
