"""Which run a page is about: the options and documents given, or those of a checkpoint."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from random import Random
from typing import Any, NamedTuple, TypeAlias

from ..checkpoint import Checkpoint, docs_sha256
from ..checks import check_whole
from ..files import check_end
from ..options import ALWAYS_KEPT, AT_WILL, RunOptions, no_option, stored_options
from ..runs import documents_of, split
from ..text import NAMES, CharTokenizer, load_docs
from .digest import digest_of
from .page import Packed, found_in
from .payload import About, read_header
from .record import Recording
from .times import microseconds_a_step

Data: TypeAlias = "str | os.PathLike[str] | Sequence[str] | None"


class Plan(NamedTuple):
    """A run to be recorded, and the checkpoint that lies on its way, if it comes from one."""

    options: RunOptions
    texts: list[str]
    name: str | None  # of the file of documents; None for the names that come with the package
    checkpoint: Checkpoint | None
    path: str | None = None  # of the checkpoint's file

    def check_validation(self) -> None:
        """Raises OSError or ValueError if there are no documents for the validation loss."""
        _, held_out = split(self.options, self.texts, Random())
        CharTokenizer(self.texts).encode_beginnings(held_out, self.options.block_size)

    def check_same_run(self, recording: Recording) -> None:
        """Raises ValueError if the checkpoint does not lie on the way of the recorded run."""
        if self.checkpoint:
            check_losses(self.checkpoint, recording)
            check_weights(self.checkpoint, recording)

    def about(self, recording: Recording, withhold: bool, times: bool) -> About:
        """What the page says beside the numbers."""
        return About(
            data=self.name or os.path.basename(NAMES),
            sha256=docs_sha256(self.texts),
            command=self.command(withhold, times),
            withhold=withhold,
            times=microseconds_a_step(recording) if times else None,
        )

    def command(self, withhold: bool, times: bool) -> str:
        """What one would type to get this page."""
        words = ["isograd", "explain"]
        words += [] if self.name is None else ["--data", self.name]
        if self.options.extended:
            words.append(self.path or "run.safetensors")  # no option says how it was extended
        words += words_of(self.options, AT_WILL if self.options.extended else None)
        words += ["--withhold-documents"] * withhold + ["--times"] * times
        return shlex.join(words)


def words_of(options: RunOptions, names: Collection[str] | None = None) -> Iterator[str]:
    """Those of the options, or of `names`, that are not as usual, as the command takes them."""
    for field in fields(options):
        value = getattr(options, field.name)
        if value == field.default or (names is not None and field.name not in names):
            continue
        yield f"--{field.name.replace('_', '-')}"
        if isinstance(value, str):
            yield os.path.basename(value)
        elif value is not True:
            yield str(value)


def plan_of(
    checkpoint: Checkpoint | None,
    data: Data,
    given: Mapping[str, Any],
    path: str | os.PathLike[str] | None = None,
) -> Plan:
    """The run of `checkpoint`, which is in the file `path`, or else of the options `given`.

    Raises what `explain` does.
    """
    check_options(given)
    if checkpoint:
        chosen = with_those_of(checkpoint, given)
        data = data_of(checkpoint) if data is None else data
    else:
        chosen = RunOptions(**given)
    check_whole("steps", chosen.steps, 1)
    if data is None or isinstance(data, (str, os.PathLike)):
        texts, name = load_docs(data), None if data is None else os.path.basename(data)
    else:
        texts, name = list(data), "documents"
    if checkpoint:
        check_documents(checkpoint, texts, chosen)
    return Plan(chosen, texts, name, checkpoint, os.path.basename(path) if path else None)


def check_options(given: Mapping[str, Any]) -> None:
    """Raises TypeError for what is no option of a run."""
    names = [field.name for field in fields(RunOptions)]
    for name in given:
        if name not in names:
            raise TypeError(no_option(name, names))


def payload_in(path: str | os.PathLike[str]) -> Packed:
    """The run in the page `path`. Raises OSError, or ValueError if there is none to be read."""
    with open(path, encoding="utf-8", errors="replace") as file:
        check_end(file)
        page = file.read()
    try:
        other, payload = found_in(page)
        read_header(payload)
    except ValueError as error:
        raise ValueError(f"cannot compare with {os.fspath(path)!r}: {error}") from None
    return other


def with_those_of(checkpoint: Checkpoint, given: Mapping[str, Any]) -> RunOptions:
    """All options of the checkpoint's run. Raises ValueError for `given` ones that contradict."""
    missing = {name: given[name] for name in ALWAYS_KEPT if name in given}
    stored = stored_options({**missing, **checkpoint.options}, checkpoint.model.config)
    for name, value in given.items():
        if name not in AT_WILL and value != getattr(stored, name):
            raise ValueError(
                f"{name} {value!r} contradicts the checkpoint, "
                f"whose run has {getattr(stored, name)!r}"
            )
    return replace(stored, **given)


def data_of(checkpoint: Checkpoint) -> str | None:
    """The file that the checkpoint's run learned from; None for the names."""
    path = checkpoint.options.get("data", "")
    if path is None or (isinstance(path, str) and path):
        return path
    raise ValueError("the checkpoint names no file as its data; say which it is")


def check_documents(checkpoint: Checkpoint, texts: list[str], options: RunOptions) -> None:
    """Raises ValueError if `texts` are not what the checkpoint's run learned from."""
    others = () if options.validation_file else None
    docs, held_out = split(options, texts, Random(options.seed), others)
    if docs_sha256(documents_of(options, docs, held_out)) != checkpoint.docs_sha256:
        raise ValueError("these are not the documents that the checkpoint was trained on")


def check_losses(checkpoint: Checkpoint, recording: Recording) -> None:
    for step, loss in enumerate(checkpoint.state.losses, 1):
        if recording.losses[step - 1 : step] != [loss]:
            raise ValueError(f"trained again, the checkpoint's run has another loss at step {step}")


def check_weights(checkpoint: Checkpoint, recording: Recording) -> None:
    steps = checkpoint.state.steps
    if steps % recording.digest_every:
        return
    end = 8 * (steps // recording.digest_every)
    expected = recording.digests[end - 8 : end] if steps else digest_of(recording.weights)
    if digest_of(checkpoint.model.read_data()) != expected:
        raise ValueError("trained again, the checkpoint's run has other weights there")
