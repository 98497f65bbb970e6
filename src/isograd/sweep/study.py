"""The books of a sweep in Optuna: in memory, or in a file that several machines may share.

Trials are numbered there one after the other, whoever begins them. So the number of a trial is the
index of its configuration, and nobody has to deal them out. A trial that was lost is marked as
failed, and its index begun again under a number beyond. Two may do that at once: bits repeat, so
both find the same, and the table has a row for each index.
"""

from __future__ import annotations

import random
import warnings
from contextlib import suppress
from hashlib import sha256
from typing import Any

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from .books import Ticket
from .plan import Plan, digest
from .space import Axis, Choices
from .storage import Alive, opened, other_sweep, readable
from .trials import Outcome, worth

FIRST_AT_RANDOM = 10  # trials of a TPE search that look at nothing found


class InStudy:
    """The books in an Optuna study, which is made or gone on with.

    Raises ValueError if the file `storage` is of another sweep or of none, OSError if it cannot be
    read or written.
    """

    def __init__(self, plan: Plan, storage: str | None) -> None:
        self.plan, self.size = plan, plan.candidates.size
        self.verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.lost: list[str] = []
        self.alive: Alive | None = None
        try:
            self.storage: BaseStorage = InMemoryStorage()
            if storage is not None:
                self.storage = opened(storage)
                self.alive = Alive(storage)
            self.study = self.study_of(plan, storage)
        except BaseException:
            self.close()
            raise
        self.study_id = self.study._study_id

    def study_of(self, plan: Plan, storage: str | None) -> Study:
        """The study of this sweep. Raises ValueError if the storage holds another one."""
        description = plan.description()
        name = f"isograd sweep {digest(description)[:16]}"
        with readable(storage):
            for study in self.storage.get_all_studies():
                if study.study_name != name:
                    raise ValueError(other_sweep(storage, study.user_attrs, description))
            study = optuna.create_study(
                storage=self.storage,
                study_name=name,
                direction="minimize",
                pruner=optuna.pruners.MedianPruner(),
                sampler=optuna.samplers.RandomSampler(),
                load_if_exists=True,
            )
            if "sweep" not in study.user_attrs:
                study.set_user_attr("sweep", description)
        return study

    def trials(self) -> list[FrozenTrial]:
        """All that anybody has begun."""
        trials: list[FrozenTrial] = self.storage.get_all_trials(self.study_id, deepcopy=False)
        return trials

    def take(self) -> Ticket | None:
        """The next trial by index, or else one that was lost."""
        if len(self.trials()) < self.size:
            number = self.begin({})
            trial = self.storage.get_trial(number)
            if trial.number < self.size:
                return self.ticket(trial.number, number)
            self.storage.set_trial_state_values(number, TrialState.FAIL)  # others were faster
        left = self.left()
        if not left:
            return None
        index = random.choice(left)  # others may be choosing, too
        return self.ticket(index, self.begin({"index": index}, self.suggested(index)))

    def begin(self, attributes: dict[str, Any], suggested: FrozenTrial | None = None) -> int:
        """Write that a trial runs here."""
        trial = create_trial(
            state=TrialState.RUNNING,
            user_attrs=attributes | ({"worker": self.alive.name} if self.alive else {}),
            params=suggested.params if suggested else {},
            distributions=suggested.distributions if suggested else {},
        )
        return int(self.storage.create_new_trial(self.study_id, trial))

    def left(self) -> list[int]:
        """The indices of trials that are neither done nor run by a process that lives."""
        taken, lives = set(), {self.alive.name: True} if self.alive else {}
        for trial in self.trials():
            if trial.state == TrialState.RUNNING:
                name = trial.user_attrs.get("worker")
                if name is not None and name not in lives and self.alive:
                    lives[name] = self.alive.is_held(name)
                if name is None or lives[name] or not self.fail(trial):
                    taken.add(index_of(trial))
                else:
                    self.lost.append(f"{name} was lost, its trial {index_of(trial)} runs again")
            elif trial.state != TrialState.FAIL:
                taken.add(index_of(trial))
        return [index for index in range(self.size) if index not in taken]

    def fail(self, trial: FrozenTrial) -> bool:
        """Mark a trial as failed; False if somebody was faster."""
        with suppress(RuntimeError):
            self.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            return True
        return False

    def ticket(self, index: int, number: int) -> Ticket:
        """The trial `index`, which has begun under the `number`."""
        if self.plan.search.sampler != "tpe":
            return Ticket(index, self.plan.candidates.at(index), number)
        trial = self.storage.get_trial(number)
        if trial.params.keys() == self.plan.axes.keys():
            return Ticket(index, dict(trial.params), number)
        return Ticket(index, self.suggest(index, number), number)

    def suggested(self, index: int) -> FrozenTrial | None:
        """An earlier trial of this index, for which TPE has suggested all options."""
        for trial in self.trials():
            if index_of(trial) == index and trial.params.keys() == self.plan.axes.keys():
                return trial
        return None

    def suggest(self, index: int, number: int) -> dict[str, Any]:
        """What TPE tries next. Its random numbers depend on seed and index."""
        seed = self.plan.options({})["seed"]
        drawn = int.from_bytes(sha256(f"{seed} {index}".encode()).digest()[:4], "big")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=drawn, n_startup_trials=FIRST_AT_RANDOM, constant_liar=True
            )
        # A study remembers the trials that it has seen, so this is one that has seen none.
        name = self.study.study_name
        study = optuna.load_study(study_name=name, storage=self.storage, sampler=sampler)
        trial = Trial(study, number)
        return {name: suggestion(trial, name, axis) for name, axis in self.plan.axes.items()}

    def finish(self, ticket: Ticket, outcome: Outcome) -> None:
        """Write what became of a trial, unless others took it for lost."""
        state = TrialState.PRUNED if outcome.pruned else TrialState.COMPLETE
        value = worth(outcome.judged(self.plan.search.judge_by))
        content = outcome._asdict() | {"tried": ticket.tried}
        with suppress(RuntimeError):
            self.storage.set_trial_user_attr(ticket.number, "outcome", content)
            self.storage.set_trial_state_values(
                ticket.number, state, None if outcome.pruned else [value]
            )

    def give_back(self, ticket: Ticket) -> None:
        """Mark a trial as failed, so that somebody runs it again."""
        with suppress(RuntimeError):
            self.storage.set_trial_state_values(ticket.number, TrialState.FAIL)

    def goes_on(self, ticket: Ticket, step: int, loss: float) -> bool:
        """Report the loss; False once it is worse than the median of others at this step."""
        with suppress(RuntimeError):
            trial = Trial(self.study, ticket.number)
            trial.report(loss, step)
            return not trial.should_prune()
        return True

    def done(self) -> dict[int, tuple[dict[str, Any], Outcome]]:
        """Of several trials of an index the first that was not pruned."""
        found: dict[int, tuple[dict[str, Any], Outcome]] = {}
        for trial in self.trials():
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                index = index_of(trial)
                if index < self.size and (index not in found or found[index][1].pruned):
                    content = dict(trial.user_attrs["outcome"])
                    found[index] = content.pop("tried"), Outcome(**content)
        return found

    def close(self) -> None:
        """Let go of the lock."""
        optuna.logging.set_verbosity(self.verbosity)
        if self.alive:
            self.alive.end()


def index_of(trial: FrozenTrial) -> int:
    """The index of the trial's configuration."""
    return int(trial.user_attrs.get("index", trial.number))


def suggestion(trial: Trial, name: str, axis: Axis) -> Any:
    """What the sampler suggests for the option `name`."""
    if isinstance(axis, Choices):
        return trial.suggest_categorical(name, axis.values)
    if axis.whole:
        step = int(axis.step or 1)
        return trial.suggest_int(name, int(axis.low), int(axis.high), step=step, log=axis.log)
    return trial.suggest_float(name, axis.low, axis.high, step=axis.step, log=axis.log)
