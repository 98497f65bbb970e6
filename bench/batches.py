"""What a second thread does for a batch, next to two processes at once, which is all there is."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median

import libraries
from document import Section
from peers import OURS, TASKS, label
from report import figure, kept, ratio


def speeds(task, plan, turns):
    """Documents a second in each turn: with 1 thread, with 2, in 2 processes at the same time."""
    found = []
    with ExitStack() as stack:
        one, other, both = (
            kept(stack, libraries.Peer, OURS[0], task, OURS[1], threads) for threads in (1, 1, 2)
        )

        def speed(peer):
            return 1e6 * task.batch_size / peer.turn(plan.seconds)[0]

        at_once = stack.enter_context(ThreadPoolExecutor())
        for _ in turns(plan.rounds, label(task)):
            found.append((speed(one), speed(both), sum(at_once.map(speed, (one, other)))))
    return found


def measure(plan, turns):
    """The section."""
    section = Section("batches", "Two threads for a batch")
    size = plan.batch_size
    rows = [("documents a second", "1 thread", "2 threads", "2 processes", "2 threads / 1 thread",
             "2 threads / 2 processes")]  # fmt: skip
    raw = [("size", "turn", "1 thread", "2 threads", "2 processes")]
    for task in TASKS[: plan.peers]:
        batch = task._replace(steps=max(1, task.steps // 10), batch_size=size)
        found = speeds(batch, plan, turns)
        single, threads, processes = zip(*found)
        cells = (figure(median(each)) for each in (single, threads, processes))
        rows.append((label(task), *cells, ratio(threads, single), ratio(threads, processes)))
        raw += [(label(task), i + 1, *each) for i, each in enumerate(found)]
    section.table(rows)
    section.say(
        f"Batches of {size}, medians of {plan.rounds} turns. Two processes at the same time, of "
        "one thread each, show what the machine has to give."
    )
    section.raw("batches.csv", raw)
    return section


def expected(plan, pace):
    return plan.peers * (3 * pace.start + plan.rounds * 3.5 * plan.seconds + 1)
