"""What a sweep is asked to do: one record, made of a file or of Python's arguments."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, TypeAlias

from ..checkpoint import docs_sha256
from ..checks import check_choice, check_whole
from ..files import check_end
from ..options import RunOptions
from ..text import CharTokenizer, load_docs
from .space import (
    Axis,
    Candidates,
    Draws,
    Grid,
    Records,
    as_option,
    axes_of,
    check_known,
    records_of,
)

Data: TypeAlias = "str | os.PathLike[str] | Sequence[str] | None"
SAMPLERS = ("grid", "random", "tpe")
JUDGED_BY = ("mean", "best")
TRIALS = 100  # of a random search, unless one says otherwise
LOOKED_AT = 100  # configurations, one of which must be possible


class Search(NamedTuple):
    """How a sweep searches: the table `[search]`."""

    sampler: str = "grid"
    trials: int | None = None
    seeds: int = 1
    judge_by: str = "mean"
    prune: bool = False

    def check(self) -> None:
        """Raises ValueError for what cannot be."""
        check_choice("sampler", self.sampler, SAMPLERS)
        check_choice("judge_by", self.judge_by, JUDGED_BY)
        check_whole("seeds", self.seeds, 1)
        if self.trials is not None:
            check_whole("trials", self.trials, 1)
            if self.sampler == "grid":
                raise ValueError("a grid has as many trials as combinations: leave trials out")
        if not isinstance(self.prune, bool):
            raise ValueError(f"prune must be true or false, not {self.prune!r}")


DEFAULT_SEARCH = Search()


class Plan(NamedTuple):
    """A sweep: what its trials share, what they try, what they learn from."""

    run: dict[str, Any]  # options of all trials, by RunOptions' names
    candidates: Candidates
    search: Search
    texts: list[str]
    others: list[str] | None  # the documents of a file to validate with
    data: str | None  # the file of the texts; None for the names, or for a list
    sha256: str  # of the texts and the others

    @property
    def axes(self) -> Mapping[str, Axis]:
        """What is tried; nothing if the configurations are a list."""
        return {} if isinstance(self.candidates, Records) else self.candidates.axes

    def options(self, tried: Mapping[str, Any]) -> dict[str, Any]:
        """All options of a trial of the configuration `tried`, those by default, too.

        They may be impossible together.
        """
        return {**DEFAULTS, **self.run, **tried}

    def key(self, tried: Mapping[str, Any]) -> str:
        """What a trial of `tried` is known by: trials with one key have the same losses."""
        return digest([self.options(tried), self.search.seeds, self.sha256])[:16]

    def description(self) -> dict[str, Any]:
        """What a storage tells sweeps by. One of more trials is still the same sweep."""
        space = self.candidates
        tried: Any = {name: [*axis] for name, axis in self.axes.items()}
        if isinstance(space, Records):
            tried = digest(space.records)
        search = self.search._asdict() | {"trials": None}
        return {"run": DEFAULTS | self.run, "space": tried, "search": search, "data": self.sha256}


DEFAULTS = asdict(RunOptions())
del DEFAULTS["extended"]


def digest(content: Any) -> str:
    """A checksum of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def plan_of(space: Any, data: Data, search: Search, run: Mapping[str, Any]) -> Plan:
    """The sweep over `space`: axes by name, configurations, or a table of them.

    Raises ValueError for what cannot be, OSError for files that cannot be read.
    """
    search.check()
    for name in run:
        check_known(name)
    run = {name: as_option(name, value) for name, value in run.items()}
    candidates = candidates_of(space, search, run.get("seed", RunOptions.seed))
    for name in candidates.names:
        if name in run:
            raise ValueError(f"{name} is both tried and given for all trials: leave one out")
    if search.prune and run.get("validation") is None:
        raise ValueError("prune goes by the validation loss: give validation, too")
    texts, path = texts_of(data)
    others = None
    if isinstance(run.get("validation"), str):
        others = load_docs(run["validation"])
        CharTokenizer(texts).encode_beginnings(others, 1)
    sha256 = docs_sha256(texts) + (docs_sha256(others) if others else "")
    plan = Plan(run, candidates, search, texts, others, path, digest(sha256))
    check_possible(plan)
    return plan


def candidates_of(space: Any, search: Search, seed: int) -> Candidates:
    """The configurations that `space` asks for."""
    if hasattr(space, "to_dict"):  # a table of pandas
        space = space.to_dict("records")
    if isinstance(space, Mapping):
        axes = axes_of(space)
        if search.sampler != "grid":
            return Draws(axes, search.trials or TRIALS, seed)
        grid = Grid(axes)
        _ = grid.size
        return grid
    if isinstance(space, (str, bytes)) or not isinstance(space, Iterable):
        raise ValueError(
            f"a space is a mapping, a list of configurations or a table, not {space!r}"
        )
    if search.sampler != "grid" or search.trials is not None:
        raise ValueError("a list of configurations is all that is tried: no sampler, no trials")
    return records_of(space)


def texts_of(data: Data) -> tuple[list[str], str | None]:
    """The documents, and the path of their file if they have one of their own."""
    if data is None or isinstance(data, (str, os.PathLike)):
        return load_docs(data), None if data is None else os.fspath(data)
    return list(data), None


def check_possible(plan: Plan) -> None:
    """Raises ValueError if no trial can be run."""
    reasons = []
    for index in range(min(plan.candidates.size, LOOKED_AT)):
        try:
            RunOptions(**plan.options(plan.candidates.at(index)))
            return
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(f"no trial can be run: {reasons[0]}")


def read_plan(
    path: str | os.PathLike[str],
    data: Data = None,
    search: Search = DEFAULT_SEARCH,
    run: Mapping[str, Any] | None = None,
) -> Plan:
    """The sweep that the file `path` describes. What else is given goes before what stands there.

    Raises OSError for files that cannot be read, ValueError in a sentence that names the file.
    """
    tables = read_tables(path)
    options = tables.get("run", {}) | (run or {})
    stored = options.pop("data", None)
    given = {key: x for key, x in search._asdict().items() if x != Search._field_defaults[key]}
    try:
        if not isinstance(stored, str | None):
            raise ValueError(f"data must be the path of a file, not {stored!r}")
        data = stored if data is None else data
        search = Search(**tables.get("search", {}) | given)
        return plan_of(tables["space"], data, search, options)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)!r}: {error}") from None


def read_tables(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tables in the file `path`, by name."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    name = repr(os.fspath(path))
    try:
        with open(path, "rb") as file:
            check_end(file)
            tables: dict[str, Any] = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is no TOML file: {error}") from None
    for key, table in tables.items():
        if key not in ("run", "space", "search"):
            raise ValueError(f"{name}: there is no {key!r}; its tables are run, space and search")
        if not isinstance(table, dict):
            raise ValueError(f"{name}: {key} must be a table, [{key}]")
    if "space" not in tables:
        raise ValueError(f"{name}: the table [space] is missing, which says what is tried")
    for key in tables.get("search", {}):
        if key not in Search._fields:
            known = ", ".join(Search._fields)
            raise ValueError(f"{name}: {key!r} is no key of [search]; there are {known}")
    return tables
