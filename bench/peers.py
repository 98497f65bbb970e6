"""The native training step next to other libraries, in one run, in Markdown.

`python bench/peers.py [--quick]`. task.py says what is computed. libraries.py and by_hand.py hold
the steps. This file decides on sizes and rounds, checks the losses and prints. A library that is
not there is left out, with the reason.

The machine is assumed to be noisy. So each library has a process of its own for every number of
threads, the processes take short turns, and a figure is the median of the turns. Each library is
shown with the number of threads that suits it better. Run the study on a quiet machine: where
others use the cores, two threads that wait for each other are slow.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import version
from multiprocessing.managers import BaseManager
from statistics import median

import libraries
from report import SPAWN, announced, fresh, machine, note, ratio, table
from task import SCHEDULE, Task

OURS = ("isograd", "float64")
PEERS = {  # the module to import for each column
    ("pytorch", "float64"): "torch",
    ("pytorch", "float32"): "torch",
    ("jax", "float64"): "jax",
    ("jax", "float32"): "jax",
    ("numpy", "float64"): "numpy",
    ("numba", "float64"): "numba",
}
THREADS = {"isograd": (1, 2), "pytorch": (1, 2), "jax": (1, 2), "numpy": (1, 2), "numba": (1,)}
TASKS = (
    Task(16, steps=1000),
    Task(64, steps=1000),
    Task(128, steps=200),
    Task(256, steps=50),
    Task(128, n_layer=4, block_size=64, steps=20),
)
TOLERANCE = {"float64": 1e-9, "float32": 1e-3}  # relative, of the losses of the first 5 steps
BATCH_SIZE = 32


class Worker(BaseManager):
    """A process that keeps a Peer between its turns."""


Worker.register("Peer", libraries.Peer)


def label(task):
    layers = "1 layer" if task.n_layer == 1 else f"{task.n_layer} layers"
    return f"n_embd {task.n_embd}, {layers}, block {task.block_size}"


def missing(module):
    """Why `module` cannot be imported, or None."""
    try:
        import_module(module)
    except ImportError as error:
        return str(error)
    return None


def available():
    """The columns of PEERS whose library can be imported; says which cannot, and why."""
    reasons = {module: fresh(missing, module) for module in dict.fromkeys(PEERS.values())}
    for module, reason in reasons.items():
        if reason is not None:
            note(f"Left out: {module} ({reason}).")
    return [column for column, module in PEERS.items() if reasons[module] is None]


def take_turns(variants, rounds, seconds, title):
    """{(library, dtype, task, threads): ([microseconds a step in each round], losses)}."""
    measured = {variant: ([], None) for variant in variants}
    with ExitStack() as stack:
        peers = {}
        for library, dtype, task, threads in variants:
            worker = stack.enter_context(Worker(ctx=SPAWN))
            peers[library, dtype, task, threads] = worker.Peer(library, task, dtype, threads)
        for _ in announced(rounds, title):
            for variant, peer in peers.items():
                microseconds, losses = peer.turn(seconds)
                measured[variant] = ([*measured[variant][0], microseconds], losses)
    return measured


def difference(losses, ours):
    """The largest relative difference in the first 5 steps."""
    return max(abs(a - b) / b for a, b in zip(losses[:5], ours[:5]))


def better(measured, column, task):
    """The microseconds of each round with the better number of threads, and the table's cell."""
    by_threads = {threads: measured[(*column, task, threads)][0] for threads in THREADS[column[0]]}
    threads, times = min(by_threads.items(), key=lambda item: median(item[1]))
    return times, f"{median(times):,.0f} ({threads})"


def compare(rounds, seconds):
    """One document a step: the table of all sizes and libraries."""
    columns = available()
    titles = [f"{PEERS[column]} {version(PEERS[column])} {column[1]}" for column in columns]
    rows = [("µs a step", "isograd float64", *titles, "best float64 peer / isograd")]
    worst = dict.fromkeys(columns, 0.0)
    for task in TASKS:
        variants = [
            (*column, task, threads)
            for column in [OURS, *columns]
            for threads in THREADS[column[0]]
        ]
        measured = take_turns(variants, rounds, seconds, label(task))
        our_losses = measured[(*OURS, task, 1)][1]
        our_times, our_cell = better(measured, OURS, task)
        cells, best = [our_cell], None
        for column in columns:
            times, cell = better(measured, column, task)
            cells.append(cell)
            for threads in THREADS[column[0]]:
                losses = measured[(*column, task, threads)][1]
                worst[column] = max(worst[column], difference(losses, our_losses))
            if column[1] == "float64" and (best is None or median(times) < median(best)):
                best = times
        rows.append((label(task), *cells, ratio(best, our_times) if best else "-"))
        print(" | ".join(rows[-1]), file=sys.stderr)
    print("## One step of one document")
    table(*rows)
    note(
        f"Medians of {rounds} turns; a turn takes the first steps of a schedule of {SCHEDULE:,}, "
        "as often as fits. In brackets the number of threads, the better of 1 and 2; Numba has "
        "one. Ratios are taken turn by turn: the median, the lowest and the highest. "
        "Block 16: the first names, about 7 positions; block 64: names joined to 64 positions. "
        "Compilation and the making of tensors are not timed."
    )
    print("## The same computation")
    agreement = [("", "largest relative difference from isograd's losses, steps 1 to 5", "allowed")]
    for column, title in zip(columns, titles):
        agreement.append((title, f"{worst[column]:.1e}", f"{TOLERANCE[column[1]]:.0e}"))
    table(*agreement)
    return all(worst[column] <= TOLERANCE[column[1]] for column in columns)


def batches(rounds, seconds):
    """isograd alone: what a second thread does for a batch, and what a second process can do."""
    rows = [
        (
            "documents a second",
            "1 thread",
            "2 threads",
            "2 processes",
            "2 threads / 1 thread",
            "2 threads / 2 processes",
        )
    ]
    for task in TASKS:
        batch = task._replace(steps=max(1, task.steps // 10), batch_size=BATCH_SIZE)
        speeds = []  # of each round: with 1 thread, with 2, in 2 processes at the same time
        with ExitStack() as stack:
            workers = [stack.enter_context(Worker(ctx=SPAWN)) for _ in range(3)]
            one, other = (worker.Peer(OURS[0], batch, OURS[1], 1) for worker in workers[:2])
            both = workers[2].Peer(OURS[0], batch, OURS[1], 2)

            def speed(peer):
                return 1e6 * BATCH_SIZE / peer.turn(seconds)[0]

            at_once = stack.enter_context(ThreadPoolExecutor())
            for _ in announced(rounds, f"batch of {BATCH_SIZE}, {label(task)}"):
                speeds.append((speed(one), speed(both), sum(at_once.map(speed, (one, other)))))
        single, threads, processes = zip(*speeds)
        cells = (f"{median(each):,.0f}" for each in (single, threads, processes))
        rows.append((label(task), *cells, ratio(threads, single), ratio(threads, processes)))
    print(f"## isograd with batch_size={BATCH_SIZE}")
    table(*rows)
    note("Two processes at the same time, of one thread each, show what the machine has to give.")


def main():
    parser = argparse.ArgumentParser(description="Measure isograd next to other libraries.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    rounds, seconds = (2, 0.05) if parser.parse_args().quick else (5, 0.15)
    machine()
    agree = compare(rounds, seconds)
    batches(rounds, seconds)
    if not agree:
        sys.exit("the losses differ by more than is allowed: these are not the same computation")


if __name__ == "__main__":
    main()
