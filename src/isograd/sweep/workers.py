"""Who runs the trials of a sweep: this process, or some of its own, each on one thread.

A worker process is `python -c` with pipes, not one of multiprocessing, for three reasons. A script
that sweeps needs no `if __name__ == "__main__"`. The death of one worker leaves the others alone,
where a pool of processes would break. And a worker whose parent is gone finds its pipe closed and
ends in the middle of a trial, be that hours long.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from time import sleep
from typing import IO, Any, Protocol, TypeAlias

from .plan import Plan
from .trials import Documents, Outcome, Report, run_trial

# Ctrl-C is for the parent, who ends its workers; it may come before anything is imported.
START = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
import sys
sys.path[:] = {!r}
from isograd.sweep.workers import serve
serve()
"""


GRACE = 1.0  # seconds for a worker to end of itself, once its parent is gone


class LostWorker(Exception):
    """A worker process ended in the middle of a trial."""


Reporting: TypeAlias = "Report | None"


class Crew(Protocol):
    """Those who run the trials of one command."""

    @property
    def places(self) -> int:
        """How many trials run at a time; 0 once all workers are lost."""

    def submit(self, options: dict[str, Any], report: Reporting) -> Future[Outcome]:
        """Have a trial run, when one of them is free. Its future may raise LostWorker."""

    def close(self) -> None:
        """Let them go, those in the middle of a trial, too."""


def crew_of(plan: Plan, workers: int) -> Crew:
    """One worker is this process itself."""
    return Alone(plan) if workers == 1 else Processes(plan, workers)


class Alone:
    """Runs each trial at once, in this process."""

    places = 1

    def __init__(self, plan: Plan) -> None:
        self.seeds, self.documents = plan.search.seeds, Documents(plan.texts, plan.others)

    def submit(self, options: dict[str, Any], report: Reporting) -> Future[Outcome]:
        """The future of a trial that has run."""
        future: Future[Outcome] = Future()
        future.set_result(run_trial(options, self.seeds, self.documents, report))
        return future

    def close(self) -> None:
        """Nothing is left to do."""


class Processes:
    """Runs trials in processes, for each of which a thread waits."""

    def __init__(self, plan: Plan, workers: int) -> None:
        about = plan.search.seeds, plan.texts, plan.others
        self.free: SimpleQueue[Worker] = SimpleQueue()
        self.workers = [Worker(about) for _ in range(workers)]
        for worker in self.workers:
            self.free.put(worker)
        self.threads = ThreadPoolExecutor(workers)

    @property
    def places(self) -> int:
        """How many workers are left."""
        return sum(not worker.ended for worker in self.workers)

    def submit(self, options: dict[str, Any], report: Reporting) -> Future[Outcome]:
        """The future of a trial that the next free worker runs."""
        return self.threads.submit(self.run, options, report)

    def run(self, options: dict[str, Any], report: Reporting) -> Outcome:
        """Have the next free worker run a trial; raises LostWorker if that is lost."""
        worker = self.free.get()
        try:
            return worker.run(options, report)
        finally:
            if not worker.ended or not self.places:  # then the threads that wait hear of it
                self.free.put(worker)

    def close(self) -> None:
        """End the processes."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        for worker in self.workers:
            worker.end()
        self.threads.shutdown()


class Worker:
    """A process that runs one trial after the other. Messages are pickled, either way."""

    def __init__(self, about: tuple[Any, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", START.format(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.about: tuple[Any, ...] | None = about
        self.busy = False
        self.ended = ""  # how, in words, if it was lost

    def run(self, options: dict[str, Any], report: Reporting) -> Outcome:
        """Have a trial run; raises LostWorker if the process does not live to its end."""
        receive, send = self.process.stdout, self.process.stdin
        assert receive and send
        if self.ended:
            raise LostWorker(self.ended)
        self.busy = True
        try:
            if self.about:
                send_message(send, self.about)
                self.about = None
            send_message(send, (options, report is not None))
            while not isinstance(message := pickle.load(receive), Outcome):
                send_message(send, report is None or report(*message))
            self.busy = False
            return message
        except (EOFError, OSError, pickle.UnpicklingError):
            status = self.process.wait()
            how = f"by signal {-status}" if status < 0 else f"with status {status}"
            self.ended = f"the worker process {self.process.pid} ended {how}"
            raise LostWorker(self.ended) from None

    def end(self) -> None:
        """End the process, if it has not ended, be it in the middle of a trial."""
        if self.busy:
            self.process.kill()
        if self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()
        self.process.wait()


def send_message(pipe: IO[bytes], message: object) -> None:
    pickle.dump(message, pipe)
    pipe.flush()


def serve() -> None:
    """What a worker process does: run the trials that come, until the pipe is closed."""
    messages: SimpleQueue[Any] = SimpleQueue()
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints is not to get into the pipe
    Thread(target=receive, args=(sys.stdin.buffer, messages.put), daemon=True).start()
    run_all(messages, partial(send_message, pipe))


def run_all(messages: SimpleQueue[Any], send: Callable[[Any], None]) -> None:
    """Run the trials in `messages`, after what they have in common, until there is None."""
    about = messages.get()
    if about is None:
        return
    seeds, texts, others = about
    documents = Documents(texts, others)

    def report(step: int, loss: float) -> bool:
        send((step, loss))
        return bool(messages.get())

    while (message := messages.get()) is not None:
        options, reports = message
        send(run_trial(options, seeds, documents, report if reports else None))


def receive(pipe: IO[bytes], put: Callable[[Any], None]) -> None:
    """Put what comes from the parent, at last None; end a process that does not end then."""
    try:
        while True:
            put(pickle.load(pipe))
    except (EOFError, OSError, pickle.UnpicklingError):
        put(None)
    sleep(GRACE)
    os._exit(0)  # it is in the middle of a trial that nobody waits for
