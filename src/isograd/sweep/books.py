"""The books of a sweep: which trials are done, and which is next. Here, those in memory.

`study` keeps them in Optuna, for searches that look at what was found, and for files that several
machines share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from .plan import Plan
from .trials import Outcome


@dataclass(frozen=True)
class Ticket:
    """A trial that somebody is to run."""

    index: int
    tried: dict[str, Any]
    number: int  # in the books


class Books(Protocol):
    """What a sweep knows of its trials. `lost` says in words which were found lost."""

    lost: list[str]

    def take(self) -> Ticket | None:
        """The next trial; None if there is none, or only those that others run."""

    def finish(self, ticket: Ticket, outcome: Outcome) -> None:
        """Note what became of a trial."""

    def give_back(self, ticket: Ticket) -> None:
        """Leave a trial to others."""

    def done(self) -> dict[int, tuple[dict[str, Any], Outcome]]:
        """What was tried, and what became of it, by index, in any order."""

    def close(self) -> None:
        """Let go of everything."""


class InMemory:
    """Books of a grid, a random search or a list, which one process keeps for itself."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.next = plan, 0
        self.given_back: list[Ticket] = []
        self.lost: list[str] = []
        self.outcomes: dict[int, tuple[dict[str, Any], Outcome]] = {}

    def take(self) -> Ticket | None:
        """The next trial by index."""
        if self.given_back:
            return self.given_back.pop()
        if self.next == self.plan.candidates.size:
            return None
        self.next += 1
        index = self.next - 1
        return Ticket(index, self.plan.candidates.at(index), index)

    def finish(self, ticket: Ticket, outcome: Outcome) -> None:
        """Note what became of a trial."""
        self.outcomes[ticket.index] = ticket.tried, outcome

    def give_back(self, ticket: Ticket) -> None:
        """Have a trial run by the next that asks."""
        self.given_back.append(ticket)

    def done(self) -> dict[int, tuple[dict[str, Any], Outcome]]:
        """What was tried, and what became of it."""
        return self.outcomes

    def close(self) -> None:
        """Nothing is held."""
