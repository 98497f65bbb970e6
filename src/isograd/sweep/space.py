"""What a sweep tries: choices and ranges of options, or a list of configurations.

The configuration of a trial is a function of what is tried and of the trial's index alone. So the
table of a grid or a random search depends neither on how many work on it nor on who was first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Any, NamedTuple, TypeAlias

from ..checks import ACTIVATIONS, KEPT, SCHEDULES, check_choice, check_whole
from ..options import RunOptions, no_option

KINDS = {field.name: str(field.type).split(" | ") for field in fields(RunOptions)}
del KINDS["extended"]
WORDS = {"schedule": SCHEDULES, "activation": ACTIVATIONS, "keep": KEPT}
NOT_TRIED = {
    "validation": "losses on different documents do not compare",
    "temperature": "no loss depends on it",
    "samples": "no loss depends on it",
}
DIGITS = 6  # of a number drawn: short in tables, and the same where another libm rounds otherwise


class Choices(NamedTuple):
    """Values to choose from."""

    values: tuple[Any, ...]

    def draw(self, rng: Random) -> Any:
        """One of the values, all as likely."""
        return rng.choice(self.values)

    def listed(self) -> tuple[Any, ...] | None:
        """All values."""
        return self.values


class Range(NamedTuple):
    """Numbers from `low` to `high`, both included; whole ones if both are."""

    low: float
    high: float
    log: bool
    step: float | None

    @property
    def whole(self) -> bool:
        """Whether all numbers are whole."""
        return all(isinstance(x, int) for x in (self.low, self.high, self.step or 1))

    def draw(self, rng: Random) -> Any:
        """A number, all as likely; if `log`, as likely to have any order of magnitude."""
        listed = self.listed()
        if listed:
            return rng.choice(listed)
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        x = low + (high - low) * rng.random()
        x = float(f"{math.exp(x) if self.log else x:.{DIGITS}g}")
        return min(max(round(x) if self.whole else x, self.low), self.high)

    def listed(self) -> Sequence[Any] | None:
        """All numbers, where a step says which; None if it does not."""
        if self.log:
            return None
        if self.whole:
            return range(int(self.low), int(self.high) + 1, int(self.step or 1))
        if self.step is None:
            return None
        n = math.floor((self.high - self.low) / self.step + 1e-9)
        return [float(f"{self.low + i * self.step:.12g}") for i in range(n + 1)]


Axis: TypeAlias = "Choices | Range"


@dataclass(frozen=True)
class Grid:
    """Each combination of the axes' values once; those of the last axis change fastest."""

    axes: Mapping[str, Axis]

    @property
    def size(self) -> int:
        """The number of trials."""
        return math.prod(len(self.values(name)) for name in self.axes)

    @property
    def names(self) -> list[str]:
        """The options that are tried."""
        return list(self.axes)

    def values(self, name: str) -> Sequence[Any]:
        """The values of the option `name`. Raises ValueError if there is no end of them."""
        values = self.axes[name].listed()
        if values is None:
            raise ValueError(
                f"a grid needs to know which {name} to try: give a list, or low, high and step"
            )
        return values

    def at(self, index: int) -> dict[str, Any]:
        """The configuration of the trial `index`, counted from 0."""
        chosen = {}
        for name in reversed(list(self.axes)):
            values = self.values(name)
            index, i = divmod(index, len(values))
            chosen[name] = values[i]
        return {name: chosen[name] for name in self.axes}


@dataclass(frozen=True)
class Draws:
    """Random values of the axes; those of a trial depend on `seed` and on its index."""

    axes: Mapping[str, Axis]
    size: int
    seed: int

    @property
    def names(self) -> list[str]:
        """The options that are tried."""
        return list(self.axes)

    def at(self, index: int) -> dict[str, Any]:
        """The configuration of the trial `index`, counted from 0."""
        rng = Random(f"{self.seed} {index}")
        return {name: axis.draw(rng) for name, axis in self.axes.items()}


@dataclass(frozen=True)
class Records:
    """Configurations that somebody has written down."""

    records: Sequence[Mapping[str, Any]]

    @property
    def size(self) -> int:
        """The number of trials."""
        return len(self.records)

    @property
    def names(self) -> list[str]:
        """The options that are tried."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    def at(self, index: int) -> dict[str, Any]:
        """The configuration of the trial `index`, counted from 0."""
        return dict(self.records[index])


Candidates: TypeAlias = "Grid | Draws | Records"


def axes_of(space: Mapping[str, Any]) -> dict[str, Axis]:
    """The axes that `space` describes: lists, or mappings with low and high.

    Raises ValueError for what is none, and for options that do not exist or cannot be tried.
    """
    if not space:
        raise ValueError("nothing is tried: the space names no option")
    for name in space:
        check_tried(name)
    return {name: axis_of(name, values) for name, values in space.items()}


def axis_of(name: str, values: Any) -> Axis:
    """What is tried of the option `name`."""
    if isinstance(values, Mapping):
        return range_of(name, values)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise ValueError(
            f"{name} must be a list of choices or a range such as "
            f"{{low = 1, high = 9}}, not {values!r}"
        )
    choices = tuple(as_option(name, value) for value in values)
    if not choices:
        raise ValueError(f"{name} has no choices")
    twice = next((value for i, value in enumerate(choices) if value in choices[:i]), None)
    if twice is not None:
        raise ValueError(f"{name} has the choice {twice!r} twice")
    return Choices(choices)


def range_of(name: str, given: Mapping[str, Any]) -> Range:
    """The range of the option `name`."""
    unknown = given.keys() - {"low", "high", "log", "step"}
    if unknown or not {"low", "high"} <= given.keys():
        raise ValueError(
            f"the range of {name} has low and high, perhaps log or step, not {', '.join(given)}"
        )
    if not {"int", "float"} & {*KINDS[name]}:
        raise ValueError(f"{name} is no number, so it has no range: give a list of choices")
    low, high = as_option(name, given["low"]), as_option(name, given["high"])
    step = given.get("step")
    step = None if step is None else as_option(name, step)
    log = given.get("log", False)
    if not isinstance(log, bool):
        raise ValueError(f"log of {name} must be true or false, not {log!r}")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"the range of {name} must rise from low to high, not {low!r} to {high!r}")
    if log and (low <= 0 or step is not None):
        raise ValueError(f"the range of {name} is logarithmic: low is above 0, and has no step")
    if step is not None and not 0 < step <= high - low:
        raise ValueError(f"step of {name} must be above 0 and within its range, not {step!r}")
    return Range(low, high, log, step)


def records_of(records: Iterable[Mapping[str, Any]]) -> Records:
    """The configurations `records`; NaN, as tables have it, stands for an option's default."""
    found = []
    for i, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise ValueError(f"configuration {i} must be a mapping of options, not {record!r}")
        for name in record:
            check_tried(name)
        found.append(
            {
                name: as_option(name, value)
                for name, value in record.items()
                if not is_missing(value)
            }
        )
    if not found:
        raise ValueError("there are no configurations to try")
    return Records(tuple(found))


def is_missing(value: Any) -> bool:
    """Whether a table shows that it knows no value."""
    return type(value).__name__ in ("NAType", "NaTType") or (
        isinstance(value, float) and math.isnan(value)
    )


def check_tried(name: Any) -> None:
    """Raises ValueError if `name` is no option that a sweep can try."""
    check_known(name)
    if name in NOT_TRIED:
        raise ValueError(f"{name} cannot be tried, for {NOT_TRIED[name]}")


def check_known(name: Any) -> None:
    """Raises ValueError if `name` is no option of a run."""
    if name not in KINDS:
        raise ValueError(no_option(name, KINDS))


def as_option(name: str, value: Any) -> Any:
    """`value` as the option `name` has it: Python's own number, whole where that is whole.

    Raises ValueError for a value of another kind.
    """
    kinds = KINDS[name]
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        value = value.item()
    if "None" in kinds and (value is None or value == "none"):
        return None
    if isinstance(value, float) and "float" not in kinds and value.is_integer():
        value = int(value)
    kind = type(value).__name__
    if kind not in kinds and not (kind == "int" and "float" in kinds):
        expected = " or ".join(NOUNS[kind] for kind in kinds)
        raise ValueError(f"{name} must be {expected}, not {value!r}")
    if kind == "int" and "int" not in kinds:
        return float(value)
    if name in WORDS:
        check_choice(name, value, WORDS[name])
    if kind == "int" and kinds[0] == "int" and name != "seed":
        check_whole(name, value, 0)
    return value


NOUNS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a word",
    "None": "none",
}
