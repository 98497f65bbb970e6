"""How near native code is to what this machine can do with exact arithmetic.

Python rounds a product and the sum it goes into, each by itself. So no fused multiply-add may take
their place, and the limit is how many unfused pairs a vector unit does in a second. limit.c is a
loop that does nothing else; it is compiled and timed here. The pairs that a step needs are counted.
"""

import ctypes
import platform
import shutil
import subprocess
import sysconfig
import tempfile
from array import array
from pathlib import Path
from statistics import median

from anatomy import NativeSteps, seconds_of, timed
from document import Section
from growth import products
from ladder import UNITS, has_unit
from report import figure, fresh, spread
from task import Task

from isograd._native import set_vector_unit

SOURCE = Path(__file__).with_name("limit.c")
LANES = {"plain": 2, "avx2": 4, "avx512": 8}
X86_FLAGS = {
    "plain": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f"],
}
CHAINS, TIMES = 12, 200_000
ADAM_OPERATIONS = 45  # for a vector of weights, as csrc/numerics/adam-inl.h counts them
DOCUMENTS = 96


def compiler():
    """The command of the C compiler that Python was made with, if it is there, or of another."""
    commands = (sysconfig.get_config_var("CC") or "cc").split()[0], "cc", "gcc", "clang"
    return next(filter(shutil.which, commands), "cc")


def can_compile():
    """Whether limit.c can be compiled here, for every vector unit there is."""
    try:
        for unit in UNITS:
            if fresh(has_unit, unit):
                fresh(pairs_a_second, unit, False, 0.0)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def pairs_a_second(unit, is_fused, seconds):
    """Products with their sums, in a second, on one thread."""
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    contract = "-ffp-contract=fast" if is_fused else "-ffp-contract=off"
    flags = [*(X86_FLAGS[unit] if is_x86 else []), contract, f"-DLANES={LANES[unit]}"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "limit.so")
        command = [compiler(), "-O2", "-shared", "-fPIC", *flags, str(SOURCE), "-o", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        library = ctypes.CDLL(str(path))
    library.pairs.argtypes = [ctypes.c_void_p, ctypes.c_double, ctypes.c_double, ctypes.c_size_t]
    x = array("d", [1.0] * CHAINS * LANES[unit])
    address, _ = x.buffer_info()
    laps = {"pairs": lambda: timed(library.pairs, address, 0.5, 0.5, TIMES)}
    return CHAINS * LANES[unit] * TIMES / seconds_of(laps, seconds)["pairs"]


def native_cost(unit, n_embd, batch_size, seconds):
    """Microseconds a document of: forward and backward, Adam."""
    set_vector_unit(unit)
    native = NativeSteps(Task(n_embd, steps=DOCUMENTS // batch_size, batch_size=batch_size))
    taken = seconds_of({"both": native.gradients, "step": native.training}, seconds)
    both, step = (1e6 * taken[name] / len(native.docs) for name in ("both", "step"))
    return both, step - both


def needed(n_embd):
    """The pairs that a document's forward and backward pass need, the mean of the documents."""
    docs = Task(n_embd, steps=DOCUMENTS).docs()
    return sum(products(n_embd, 1, len(doc) - 1) for doc in docs) / len(docs)


class Limit:
    """Everything measured, by turn."""

    def __init__(self, plan):
        self.plan = plan
        self.units = [unit for unit in UNITS if fresh(has_unit, unit)]
        self.kinds = [  # a vector unit, and whether it fuses
            (unit, fused) for unit in self.units for fused in (False, True)[: 1 + (unit != "plain")]
        ]
        self.speeds = {kind: [] for kind in self.kinds}
        self.costs = {(size, batch): [] for size in plan.widths for batch in (1, plan.batch_size)}

    def measure(self, turns):
        for _ in turns(self.plan.rounds, "the vector unit and native code"):
            for kind, speeds in self.speeds.items():
                speeds.append(fresh(pairs_a_second, *kind, self.plan.seconds))
            for (size, batch), costs in self.costs.items():
                costs.append(fresh(native_cost, self.units[-1], size, batch, self.plan.seconds))

    def best(self):
        """Unfused pairs a second of the widest unit."""
        return median(self.speeds[self.units[-1], False])

    def least(self, size, batch):
        """Microseconds a document at the limit: forward and backward, Adam."""
        pairs, weights = needed(size), len(Task(size).weights())
        adam = ADAM_OPERATIONS * weights / 2 / batch
        return 1e6 * pairs / self.best(), 1e6 * adam / self.best()


def measure(plan, turns):
    """The section."""
    section = Section("limit", "The machine's limit for exact arithmetic")
    if not can_compile():
        section.say("Left out: there is no C compiler here, so what the vector unit can do at best "
                    "cannot be measured.")  # fmt: skip
        return section
    limit = Limit(plan)
    limit.measure(turns)
    section.say(
        "A product and the sum it goes into are rounded one by one, as Python rounds them, so a "
        "fused multiply-add is not allowed. A loop of independent products and sums, which needs "
        "no memory at all, shows what that leaves, on one thread:"
    )
    section.table(speed_rows(limit))
    section.say("And what native code makes of it, on one thread of the widest unit:")
    pictured = [
        (f"width {size}", {
            "limit": limit.least(size, 1)[0],
            "one document a step": median(both for both, _ in limit.costs[size, 1]),
            f"{plan.batch_size} documents a step":
                median(both for both, _ in limit.costs[size, plan.batch_size]),
        })
        for size in plan.widths
    ]  # fmt: skip
    section.picture(
        "Forward and backward by width: the limit, one document a step, batches",
        "dots", pictured, "forward and backward, µs a document",
    )  # fmt: skip
    section.table(cost_rows(limit))
    section.say(notes(limit))
    section.raw("limit.csv", raw_rows(limit))
    return section


def speed_rows(limit):
    rows = [("10⁹ pairs a second", "product, then sum", "fused", "fused / unfused")]
    for unit in limit.units:
        plain, fused = limit.speeds[unit, False], limit.speeds.get((unit, True))
        more = spread([f / p for f, p in zip(fused, plain)]) if fused else "-"
        cells = (spread([x / 1e9 for x in xs]) if xs else "-" for xs in (plain, fused))
        rows.append((f"{UNITS[unit]}, {LANES[unit]} numbers at a time", *cells, more))
    return rows


def cost_rows(limit):
    rows = [("width", "documents a step", "forward and backward, µs", "at the limit", "share",
             "Adam, µs", "at the limit", "share")]  # fmt: skip
    for (size, batch), costs in limit.costs.items():
        cells = []
        for measured, least in zip(zip(*costs), limit.least(size, batch)):
            share = median(least / us for us in measured)
            cells += [spread(measured), figure(least), f"{share:.0%}"]
        rows.append((size, batch, *cells))
    return rows


def notes(limit):
    widest = limit.plan.widths[-1]
    return (
        f"Microseconds a document, the mean of {DOCUMENTS} names, medians of {limit.plan.rounds} "
        "turns. The limit of forward and backward counts the products that the model needs, "
        f"{needed(16):,.0f} a document at width 16, {needed(widest):,.0f} at {widest}, and nothing "
        "else: no `exp`, no norm, no memory. A document of seven positions also leaves one of "
        f"eight lanes empty. Adam's {ADAM_OPERATIONS} operations for a vector of weights are "
        "counted in csrc/numerics/adam-inl.h, two of them as one pair. So nobody reaches 100 %."
    )


def raw_rows(limit):
    rows = [("what", "turn", "value", "unit")]
    for (unit, fused), speeds in limit.speeds.items():
        name = f"{unit} {'fused' if fused else 'unfused'}"
        rows += [(name, i + 1, x, "pairs a second") for i, x in enumerate(speeds)]
    for (size, batch), costs in limit.costs.items():
        for i, (both, adam) in enumerate(costs):
            name = f"width {size}, {batch} documents a step"
            rows += [(f"{name}, forward and backward", i + 1, both, "microseconds a document")]
            rows += [(f"{name}, Adam", i + 1, adam, "microseconds a document")]
    return rows


def expected(plan, pace):
    loops = 5 * (pace.start + 0.2 + plan.seconds)
    return plan.rounds * (loops + 2 * len(plan.widths) * (pace.start + 2 * plan.seconds))
