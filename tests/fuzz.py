"""Random cases without end, each compared in bits: the kinds of random_cases.py, in turns.

    python tests/fuzz.py --minutes 5                            # all kinds, from seed 0 on
    python tests/fuzz.py --first 7000000 --minutes 60 --jobs 8  # from another seed on
    python tests/fuzz.py programs --first 400 --count 200       # these seeds of this kind
    python tests/fuzz.py programs --first 417 --count 1         # one, in this very process
    python tests/fuzz.py programs --first 417 --show            # its text

Ends with a table of what was compared. The first difference ends it with status 1: it is shrunk,
and what is left is written to build/fuzz as a program, which can become a test. So does a crash,
and a case without an end.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from random_cases import KINDS, NothingSaid, difference, shrunk, units

import isograd

FOLDER = Path(__file__).parent.parent / "build" / "fuzz"
NEWS = 30.0  # seconds from one line to the next
NO_END = 600  # seconds for some cases, after which one of them is taken to have no end


class Block(NamedTuple):
    """Some seeds of a kind; once compared, with what came of it."""

    kind: str
    seeds: range
    equal: int = 0
    different: tuple[int, ...] = ()
    seconds: float = 0.0  # of a process, by the clock


def start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    faulthandler.enable()  # a crash says where it was


def compare(block: Block) -> Block:
    faulthandler.dump_traceback_later(NO_END, exit=True, file=sys.__stderr__)
    kind, began = KINDS[block.kind], time.perf_counter()
    equal, different = 0, []
    for seed in block.seeds:
        try:
            if difference(kind, kind.make(seed)):
                different.append(seed)
            else:
                equal += 1
        except NothingSaid:
            pass
    faulthandler.cancel_dump_traceback_later()
    seconds = time.perf_counter() - began
    return block._replace(equal=equal, different=tuple(different), seconds=seconds)


class Campaign:
    """What is compared, and how far it is."""

    def __init__(self, kinds: list[str], first: int, count: int | None, seconds: float) -> None:
        self.first, self.last = first, None if count is None else first + count
        self.next = dict.fromkeys(kinds, first)
        self.ends = time.monotonic() + seconds
        self.equal: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.different: list[tuple[str, int]] = []

    def block(self) -> Block | None:
        """The next seeds, of the kind that has had the least time; None if it is enough."""
        if self.different or (self.last is None and time.monotonic() > self.ends):
            return None
        left = [kind for kind, seed in self.next.items() if self.last is None or seed < self.last]
        if not left:
            return None
        kind = min(left, key=lambda kind: self.seconds[kind])
        start = self.next[kind]
        stop = start + KINDS[kind].block
        self.next[kind] = stop = stop if self.last is None else min(stop, self.last)
        return Block(kind, range(start, stop))

    def add(self, block: Block) -> None:
        self.equal[block.kind] += block.equal
        self.seconds[block.kind] += block.seconds
        self.different += [(block.kind, seed) for seed in block.different]

    def run(self, jobs: int) -> list[Block]:
        """Compares until it is enough. Returns the blocks in which a process died, if one did."""
        news = time.monotonic() + NEWS
        running = {}
        with ProcessPoolExecutor(jobs, initializer=start_worker) as pool:
            try:
                while True:
                    while len(running) < jobs and (block := self.block()):
                        running[pool.submit(compare, block)] = block
                    if not running:
                        return []
                    for future in wait(running, news - time.monotonic(), FIRST_COMPLETED).done:
                        self.add(future.result())
                        del running[future]
                    if time.monotonic() >= news:
                        print(self.line(), flush=True)
                        news += NEWS
            except BrokenProcessPool:
                return list(running.values())
            except KeyboardInterrupt:
                print("stopped: what is running ends, then comes the table", flush=True)
                self.ends, self.last = 0, self.first
                for future in running:
                    self.add(future.result())
                return []

    def line(self) -> str:
        counts = ", ".join(f"{self.equal[kind]:,} {kind}" for kind in self.next)
        return f"{counts} equal; {len(self.different)} differences"

    def table(self) -> str:
        libc = " ".join(platform.libc_ver()).strip() or platform.system()
        lines = [
            f"isograd {isograd.__version__}, {platform.python_implementation()} "
            f"{platform.python_version()}, {libc}, {platform.machine()}, {', '.join(units())}",
            "",
            "| kind | seeds | equal | different | seconds |",
            "|---|---|---|---|---|",
        ]
        for kind, end in self.next.items():
            different = sum(name == kind for name, _ in self.different)
            lines.append(
                f"| {kind} | {self.first:,} to {end - 1:,} | {self.equal[kind]:,} | {different} "
                f"| {self.seconds[kind]:,.0f} |"
            )
        return "\n".join(lines)


def report(name: str, seed: int) -> None:
    """Shrinks the case, writes what is left, and says so."""
    kind = KINDS[name]
    case = kind.make(seed)
    print(f"{name} {seed} differs: {difference(kind, case)}", flush=True)
    case = shrunk(kind, case)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"test_{name}_{seed}.py"
    path.write_text(kind.text(case), encoding="utf-8")
    print(f"shrunk: {difference(kind, case)}\nwritten: {path}", flush=True)


def alone(name: str, seed: int) -> int:
    """The status of a process that compares one seed."""
    line = [
        sys.executable,
        "-X",
        "faulthandler",
        __file__,
        name,
        "--first",
        str(seed),
        "--count",
        "1",
    ]
    return subprocess.run(line, stdout=subprocess.DEVNULL).returncode


def find_death(blocks: list[Block]) -> None:
    print("a process died; looking for the case of which it did", flush=True)
    for block in blocks:
        for seed in block.seeds:
            status = alone(block.kind, seed)
            if status:
                print(f"{block.kind} {seed} ends with status {status}", flush=True)
                return
    print("none of these does it alone:", *(f"{b.kind} {b.seeds}" for b in blocks), flush=True)


def options(line: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares random cases, in bits.")
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)} (default all)")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default 5)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--count", type=int, help="how many seeds of each kind, however long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many processes")
    parser.add_argument("--show", action="store_true", help="print the case of the first seed")
    given = parser.parse_args(line)
    for name in given.kinds:
        if name not in KINDS:
            parser.error(f"kinds are {', '.join(KINDS)}, not {name!r}")
    if not hasattr(os, "fork"):
        KINDS.pop("scripts", None)  # which need it
    given.kinds = given.kinds or list(KINDS)
    return given


def main(line: list[str]) -> int:
    given = options(line)
    if given.show:
        for name in given.kinds:
            print(KINDS[name].text(KINDS[name].make(given.first)))
        return 0
    campaign = Campaign(given.kinds, given.first, given.count, 60 * given.minutes)
    if given.count == 1:
        while block := campaign.block():
            campaign.add(compare(block))
        died = []
    else:
        died = campaign.run(given.jobs)
    print(campaign.line(), campaign.table(), sep="\n\n", flush=True)
    if died:
        find_death(died)
    for name, seed in campaign.different:
        report(name, seed)
    return 1 if died or campaign.different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
