"""The performance study: pure Python, the `reference` tier, against a compiled one, in Markdown.

`python bench/run.py [--quick] [--tier value] [whole] [parts] [scaling] [op] ..`. steps.py
and nodes.py measure; this file decides on sizes and rounds, compares and prints. It is no test of
speed: it fails only if the tiers differ in a number.

The machine is assumed to be noisy. So the tiers take turns, each in a process of its own, and a
ratio is the median of the ratios of the rounds, with the lowest and the highest beside it.
"""

import argparse
import subprocess
import sys
from itertools import product
from multiprocessing.managers import BaseManager
from pathlib import Path
from statistics import median

import nodes
import steps
from pyperf import perf_counter
from report import SPAWN, announced, fresh, machine, note, ratio, table

import isograd
from isograd import __version__
from isograd._backend import backend

TIERS = ("reference", "value")
TURNS = 2  # in which the tiers train
COMPILED_LAPS = 15  # makes the compiled tier's share of `parts` long enough to time
PROGRAM = Path(__file__).parent.parent / "tests" / "programs" / "names_gpt.py"
NAMES = Path(isograd.__file__).parent / "data" / "names.txt"
REFERENCE_NODES = 10**5  # as far as `backward` times pure Python: beyond, it takes too long


class Worker(BaseManager):
    """A process that keeps a `steps.Run` between calls."""


Worker.register("Run", steps.Run)


def check_equal(what, reference, value):
    """Ends the study if the tiers differ: their speed would mean nothing."""
    for i, (r, v) in enumerate(zip(reference, value, strict=True)):
        if r != v:
            sys.exit(f"{what} {i} differs: reference {r!r}, value {v!r}")


def add(tuples):
    """The sum of pairs (reference, value)."""
    return tuple(map(sum, zip(*tuples)))


def comparison(rounds, unit, tier):
    """Print the table of `rounds`, each of them {label: (reference, tier)}."""
    rows = [("", f"reference, {unit}", f"{tier}, {unit}", f"reference / {tier}")]
    for label in rounds[0]:
        reference, value = zip(*(measured[label] for measured in rounds))
        figures = f"{median(reference):.3f}", f"{median(value):.3f}"
        rows.append((label, *figures, ratio(reference, value)))
    table(*rows)


def whole(quick, tier):
    """The default run; the reference trains for its first `n` steps only."""
    n, rounds = (10, 1) if quick else (40, 3)
    operations = fresh(steps.operations)
    longer = sum(operations) / sum(operations[:n])
    measured = []
    for _ in announced(rounds, "whole"):
        with Worker(ctx=SPAWN) as one, Worker(ctx=SPAWN) as other:
            reference, value = one.Run("reference"), other.Run(tier)
            set_up = reference.set_up(), value.set_up()
            first, training = train_in_turns(reference, value, n)
            samples = sample_in_turns(reference, value)
        training = first * longer, training
        measured.append(
            {
                "set-up": set_up,
                f"{steps.STEPS:,} steps (reference extrapolated)": training,
                f"{steps.SAMPLES} samples": samples,
                "whole run (reference extrapolated)": add([set_up, training, samples]),
            }
        )
    print(f"## The default run: seed {steps.SEED}, {steps.STEPS:,} steps, {steps.SAMPLES} samples")
    comparison(measured, "s", tier)
    note(
        f"The {tier} tier runs all of it. The reference's {steps.STEPS:,} steps are an "
        f"extrapolation from its first {n}: their seconds for each of the {sum(operations[:n]):,} "
        f"operations in their graphs, times the {sum(operations):,} in all {steps.STEPS:,} graphs. "
        f"Set-up and samples are measured on both tiers, the samples with the weights after step "
        f"{steps.STEPS:,}. {n // TURNS} steps of the reference and {steps.STEPS // TURNS} of the "
        f"other take turns. The losses of the first {n} steps and all samples are equal (`==`)."
    )


def train_in_turns(reference, value, n):
    """The seconds that the reference takes for `n` steps and the value tier for all.

    In a few long turns: after each change of turn the caches are cold, as they are in no real run.
    """
    seconds, losses = [0, 0], [[], []]
    for _ in range(TURNS):
        for i, (run, total) in enumerate(((reference, n), (value, steps.STEPS))):
            more_seconds, more_losses = run.train(total // TURNS)
            seconds[i] += more_seconds
            losses[i] += more_losses
    check_equal("loss", losses[0], losses[1][:n])
    return seconds


def sample_in_turns(reference, value):
    """The seconds of all samples, (reference, value), with the weights of `value`."""
    reference.finish(value.finish())
    samples = [(reference.sample(), value.sample()) for _ in range(steps.SAMPLES)]
    check_equal("sample", *([name for _, name in tier] for tier in zip(*samples)))
    return tuple(sum(seconds for seconds, _ in tier) for tier in zip(*samples))


def parts(quick, tier):
    """What each part of a step costs, over the same documents on both tiers."""
    n, rounds = (5, 3) if quick else (10, 9)
    operations = sum(fresh(steps.operations)[1 : n + 1]) / n
    measured, collecting, floors = [], [], []
    for _ in announced(rounds, "parts"):
        reference, collector, losses = fresh(steps.step_parts, "reference", n, 1)
        value, value_collector, value_losses = fresh(steps.step_parts, tier, n, COMPILED_LAPS)
        check_equal("loss", losses, value_losses[: n + 1])
        ms = {part: (1e3 * reference[part], 1e3 * value[part]) for part in steps.PARTS}
        measured.append({**ms, "whole step": add(ms.values())})
        collecting.append((1e3 * collector, 1e3 * value_collector))
        floor = 1e3 * fresh(steps.float_products, n, COMPILED_LAPS)
        floors.append((floor, ms["forward"][1] / floor))
    print("## One step of one document")
    comparison(measured, "ms", tier)
    note(
        f"Means of {n} steps after an untimed one, {operations:,.0f} operations a step; the {tier} "
        f"tier goes over the same documents {COMPILED_LAPS} times. Python's garbage collector "
        f"takes {median(ms for ms, _ in collecting):.1f} ms of the reference's step and "
        f"{median(ms for _, ms in collecting):.1f} ms of the other's. A floor "
        f"for the forward pass: its matrix-vector products alone take the interpreter "
        f"{median(ms for ms, _ in floors):.3f} ms on built-in floats; the {tier} tier's whole "
        f"forward pass takes {median(times for _, times in floors):.2f} times that. The losses "
        f"are equal (`==`)."
    )


def op(quick, tier):
    """A scalar operation of each tier next to one of the built-in float."""
    rounds, seconds = (2, 0.3) if quick else (5, 0.8)
    kinds, lengths = ("float", "value", "reference"), (nodes.WIDTH, 1000)
    measured = {length: [] for length in lengths}
    for _ in announced(rounds, "op"):
        for length in lengths:
            ns = {kind: fresh(nodes.operation, kind, length, seconds) for kind in kinds}
            check_equal("sum", ns["reference"][2:], ns["value"][2:])
            measured[length].append(ns)
    rows = [("ns an operation", *kinds, "value / float", "reference / value")]
    for length in lengths:
        for i, results in enumerate(("kept", "dropped (deallocation included)")):
            floats, values, references = ([ns[k][i] for ns in measured[length]] for k in kinds)
            times = (f"{median(times):.1f}" for times in (floats, values, references))
            ratios = ratio(values, floats), ratio(references, values)
            rows.append((f"{length:,} terms, results {results}", *times, *ratios))
    print("## One scalar operation: `sum(w * x for w, x in zip(ws, xs))`")
    table(*rows)
    note(
        f"Two operations a term. About {nodes.OPERATIONS:,} of them are timed together, as many as "
        f"the graph of a document has; kept results are let go of after the time is taken. From "
        f"Python 3.12 on `sum` compensates the rounding of floats, which costs it time."
    )


def backward(quick, tier):
    """Whether backward() is linear in the size of the graph."""
    rounds, seconds, largest = (1, 0.2, 6) if quick else (3, 0.5, 7)
    sizes = [10**k for k in range(3, largest + 1)]
    graphs = ("v * c", "linear layers")
    times = {(graph, tier): {} for graph in graphs for tier in TIERS}
    for _ in announced(rounds, "backward"):
        for size, graph in product(sizes, graphs):
            for tier, ns in time_backward(graph, size, seconds).items():
                times[graph, tier].setdefault(size, []).append(ns)
    print("## `backward()`, ns a node")
    rows = [("nodes", *(f"`{graph}`: {tier}" for graph, tier in times))]
    for size in sizes:
        cells = (f"{median(ns[size]):.1f}" if size in ns else "-" for ns in times.values())
        rows.append((f"{size:,}", *cells))
    medians = [[median(ns) for ns in by_size.values()] for by_size in times.values()]
    rows.append(("max / min", *(f"**{max(ns) / min(ns):.2f}**" for ns in medians)))
    table(*rows)
    note(
        f"Every call is on a new graph. `v * c` is the chain `v = v * c`; `linear layers` are "
        f"{nodes.WIDTH} x {nodes.WIDTH} matrix-vector products, one on the other, rounded up to "
        f"whole layers. The reference is timed up to {REFERENCE_NODES:,} nodes, and there the "
        f"leaves' gradients are equal (`==`)."
    )


def time_backward(graph, size, seconds):
    """Nanoseconds a node, by tier; the reference only where it does not take too long."""
    tiers = TIERS if size <= REFERENCE_NODES else TIERS[1:]
    measured = {tier: fresh(nodes.backward, tier, graph, size, seconds) for tier in tiers}
    check_equal("gradient", measured[tiers[0]][1], measured["value"][1])
    return {tier: ns for tier, (ns, _) in measured.items()}


def memory(quick, tier):
    """By how much the process grows for each node."""
    rows = [("graph", "nodes", *(f"{tier}, {when}" for tier in TIERS for when in nodes.WHEN))]
    for size, graph in product([10**6] if quick else [10**6, 10**7], nodes.GRAPHS):
        print(f"memory: {graph}, {size:,} nodes", file=sys.stderr)
        cells = ["-"] * len(nodes.WHEN) if size > 10**6 else []
        for tier in TIERS if size == 10**6 else TIERS[1:]:
            cells += [f"{weight:.1f}" for weight in fresh(nodes.memory, tier, graph, size)]
        rows.append((f"`{graph}`", f"{size:,}", *cells))
    print("## Bytes a node")
    table(*rows)
    note(
        "Growth of the most memory that the process has held: when the graph is built, and at the "
        "end of its backward(), which needs working space. Each line and tier in a fresh process."
    )


SCALES = (  # n_embd, n_layer, positions: one grows at a time, the document fills the block
    *((n_embd, 1, 16) for n_embd in (16, 32, 64, 128)),
    *((32, n_layer, 16) for n_layer in (2, 3, 4)),
    *((32, 1, positions) for positions in (8, 32, 64)),
)


def scaling(quick, tier):
    """Whether a step is linear in the number of weights and of positions."""
    rounds, seconds = (1, 0.5) if quick else (3, 2)
    measured = {scale: [] for scale in SCALES}
    for _ in announced(rounds, "scaling"):
        for n_embd, n_layer, n in SCALES:
            sizes = {"n_embd": n_embd, "n_layer": n_layer, "block_size": n}
            measured[n_embd, n_layer, n].append(fresh(scaled_step, tier, n, seconds, sizes))
    print("## A step by size of the model and length of the document")
    rows = [("n_embd", "n_layer", "positions", "weights", "ms a step", "ns a weight and position")]
    for scale in sorted(SCALES):
        step, weights = min(measured[scale])
        cost = f"{1e9 * step / weights / scale[2]:.2f}"
        rows.append((*map(str, scale), f"{weights:,}", f"{1e3 * step:.3f}", cost))
    table(*rows)
    note(
        f"The {tier} tier on random documents that fill the block, {steps.VOCAB_SIZE} tokens, 4 "
        f"heads. The medians of {seconds} s of steps, of which the best of {rounds} rounds."
    )


def script(quick, tier):
    """A script that has never heard of isograd: plain Python against `isograd run`."""
    n, rounds = (20, 1) if quick else (1000, 3)
    program = [str(PROGRAM), str(NAMES), f"steps={n}"]
    print(f"script: {n} steps of plain Python", file=sys.stderr)
    plain, expected = timed_process(program)
    seconds = []
    for _ in announced(rounds, "script"):
        taken, output = timed_process(["-m", "isograd", "run", *program])
        check_equal("line", expected.splitlines(), output.splitlines())
        seconds.append(taken)
    print("## An unmodified script, process start and end included")
    heading = ("", "python SCRIPT, s", "isograd run SCRIPT, s", "python / isograd run")
    figures = f"{plain:.2f}", f"{median(seconds):.2f}"
    table(heading, (f"{n:,} steps, 20 samples", *figures, ratio(rounds * [plain], seconds)))
    note(f"`{PROGRAM.name}` as the tests have it, plain Python once. The outputs are equal (`==`).")


def timed_process(arguments):
    """Seconds and output of this Python with `arguments`."""
    start = perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return perf_counter() - start, done.stdout


def scaled_step(tier, positions, seconds, sizes):
    return steps.scaled_step(tier, positions, seconds, **sizes)


STUDY = {
    "whole": whole,
    "parts": parts,
    "scaling": scaling,
    "script": script,
    "op": op,
    "backward": backward,
    "memory": memory,
}


def main():
    parser = argparse.ArgumentParser(description="Measure isograd against pure Python.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(STUDY)}")
    parser.add_argument(
        "--tier", default="value", choices=["value", "fused", "native"], help="the compiled one"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller graphs")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in STUDY]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    if arguments.tier == "native":
        if arguments.parts not in ([], ["whole"]):
            parser.error("tier native has neither graph nor parts: only whole can be measured")
        arguments.parts = ["whole"]
    if backend != "c":
        parser.error("there is nothing to compare: this isograd runs without its C extension")
    print(f"# isograd {__version__}{', measured with --quick' if arguments.quick else ''}")
    machine()
    for part in arguments.parts or STUDY:
        STUDY[part](arguments.quick, arguments.tier)


if __name__ == "__main__":
    main()
