"""Single nodes, pure Python against the compiled class: an operation, backward(), memory.

`python bench/scalars.py [--quick] [op] [backward] [memory]` prints Markdown. nodes.py measures,
each time in a process of its own; this file decides on sizes and turns and compares the numbers.
"""

import argparse
import sys
from itertools import product
from statistics import median

import nodes
from report import announced, fresh, machine, note, ratio, table

TIERS = ("reference", "value")
REFERENCE_NODES = 10**5  # as far as `backward` times pure Python: beyond, it takes too long


def check_equal(what, reference, value):
    """Ends the study if the tiers differ: their speed would mean nothing."""
    for i, (r, v) in enumerate(zip(reference, value, strict=True)):
        if r != v:
            sys.exit(f"{what} {i} differs: reference {r!r}, value {v!r}")


def op(quick):
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


def backward(quick):
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


def memory(quick):
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


PARTS = {"op": op, "backward": backward, "memory": memory}


def main():
    parser = argparse.ArgumentParser(description="Measure single nodes against pure Python.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller graphs")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    machine()
    for part in arguments.parts or PARTS:
        PARTS[part](arguments.quick)


if __name__ == "__main__":
    main()
