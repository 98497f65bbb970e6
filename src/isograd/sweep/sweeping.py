"""The work of a sweep: trials go from the books to the workers, and what became of them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from time import sleep
from typing import NamedTuple, TypeAlias

from .books import Books, InMemory, Ticket
from .plan import Plan
from .table import Result
from .trials import Outcome
from .workers import Crew, LostWorker, crew_of

PAUSE = 0.2  # seconds between two looks at what others do
AHEAD = 0.2  # seconds of work that wait for a worker, so that it need not wait for the books
MOST_AHEAD = 8  # trials


class Done(NamedTuple):
    """A trial has ended here."""

    ticket: Ticket
    outcome: Outcome


class Waiting(NamedTuple):
    """Nothing new; `trials` of other commands are still running."""

    trials: int


class Lost(NamedTuple):
    """A worker was lost, this command's or another's."""

    sentence: str


Event: TypeAlias = "Done | Waiting | Lost"


class Sweep:
    """A sweep that this process takes part in.

    `events` does the work; `result` may be asked for at any time. With `storage`, a file, others
    may take part, and the sweep may go on another day. Raises what `InStudy` does.
    """

    def __init__(self, plan: Plan, workers: int = 1, storage: str | None = None) -> None:
        self.plan, self.workers = plan, workers
        self.books: Books
        self.goes_on: Callable[[Ticket, int, float], bool] | None = None  # prunes
        if storage is None and plan.search.sampler != "tpe" and not plan.search.prune:
            self.books = InMemory(plan)
        else:
            try:
                from .study import InStudy
            except ModuleNotFoundError as error:
                sentence = f"this needs {error.name}, which is not installed: "
                sentence += "pip install 'isograd[sweep]'"
                raise ModuleNotFoundError(sentence, name=error.name) from None
            study = InStudy(plan, storage)
            self.books = study
            if plan.search.prune:
                self.goes_on = study.goes_on

    def events(self) -> Iterator[Event]:
        """Run trials until all are done, here or elsewhere, and tell what happens.

        Raises LostWorker if no worker is left. Whatever ends it, trials underway are given back.
        """
        if len(self.books.done()) == self.plan.candidates.size:
            return
        running: dict[Future[Outcome], Ticket] = {}
        crew = crew_of(self.plan, min(self.workers, self.plan.candidates.size))
        try:
            yield from self.work(crew, running)
        finally:
            crew.close()
            for ticket in running.values():
                self.books.give_back(ticket)

    def work(self, crew: Crew, running: dict[Future[Outcome], Ticket]) -> Iterator[Event]:
        """What `events` does, with these workers; `running` is kept up to date."""
        seconds = AHEAD  # that a trial takes, about
        while True:
            ahead = min(MOST_AHEAD, int(AHEAD / max(seconds, 1e-3))) if crew.places > 1 else 0
            while len(running) < crew.places * (1 + ahead) and self.start(crew, running):
                pass
            yield from self.lost()
            finished, _ = wait(running, PAUSE, FIRST_COMPLETED)
            for future in finished:
                ticket = running.pop(future)
                try:
                    outcome = future.result()
                except LostWorker as error:
                    self.books.give_back(ticket)
                    yield Lost(f"{error}, trial {ticket.index} runs again")
                    if not crew.places:
                        raise
                    continue
                seconds = outcome.seconds
                self.books.finish(ticket, outcome)
                yield Done(ticket, outcome)
            if not running and not finished:
                left = self.plan.candidates.size - len(self.books.done())
                if not left:
                    return
                yield Waiting(left)
                sleep(PAUSE)
            elif not finished:
                yield Waiting(0)

    def start(self, crew: Crew, running: dict[Future[Outcome], Ticket]) -> bool:
        """Have the next trial run; False if there is none."""
        ticket = self.books.take()
        if ticket is None:
            return False
        # Noted before it is run, for a worker that is this process may be interrupted in it.
        pending: Future[Outcome] = Future()
        running[pending] = ticket
        report = partial(self.goes_on, ticket) if self.goes_on else None
        future = crew.submit(self.plan.options(ticket.tried), report)
        running[future] = running.pop(pending)
        return True

    def lost(self) -> Iterator[Lost]:
        while self.books.lost:
            yield Lost(self.books.lost.pop(0))

    def result(self) -> Result:
        """The table of what is done."""
        return Result(self.plan, self.books.done())

    def close(self) -> None:
        """Let others have what is left to do."""
        self.books.close()
