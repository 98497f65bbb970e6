"""Checkpoints: all that a run depends on, in one safetensors file.

The tensors are the weights, under their names in `state_dict`, Adam's moments under the same names
after `adam.m.` and `adam.v.`, `losses`, and `validation`, if there are any such losses: pairs of a
step and a loss. All are F64, in the shapes documented there. What is no tensor stands in the file's
metadata as JSON. So whoever has NumPy gets a weight matrix from
`safetensors.numpy.load_file(path)["wte"]`; isograd does without NumPy. The safetensors library does
the reading: it is made for files from strangers. The few lines of `_pack` do the writing: the
library's own writer wants NumPy or raw pointers, and changed its arguments with version 0.8.

A file appears under its name only when all of it is on the disk, so a process killed at any moment
leaves the file before. A checksum over header and tensors finds damage; the format alone does not.
A checkpoint of the default model has 119 kB after 1,000 steps. Writing one takes 3 ms without the
disk, reading one 20 ms.
"""

import hashlib
import json
import os
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from random import Random
from typing import Any, NamedTuple

from .arrange import matrices
from .checks import check_class, check_moments
from .files import check_end, write_atomically
from .model import DEFAULT_TIER, GPT, GPTConfig, check_tier
from .text import CharTokenizer
from .training import TrainingState

FORMAT = "isograd checkpoint"
VERSION = 1


class Checkpoint(NamedTuple):
    """A run at some step: what `save_checkpoint` writes and `load_checkpoint` reads.

    `random_state` is the generator's `getstate()`. `options` are those of the run, such as `steps`
    and `lr`: whatever JSON can hold comes back as it was. `docs_sha256` tells documents apart.
    """

    model: GPT
    tokenizer: CharTokenizer
    state: TrainingState
    random_state: tuple[Any, ...]
    options: dict[str, Any]
    docs_sha256: str

    def __repr__(self) -> str:
        return f"Checkpoint({self.model}, {self.state}, options={self.options})"


def docs_sha256(docs: Iterable[str]) -> str:
    """A checksum of documents, and of their order."""
    return hashlib.sha256("\n".join(docs).encode("utf-8", "surrogatepass")).hexdigest()


def save_checkpoint(path: "str | os.PathLike[str]", checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to the file `path`, replacing it as a whole or not at all.

    Raises OSError if the file cannot be written, ValueError if the state is of another model.
    """
    check_class("checkpoint", checkpoint, Checkpoint)
    model, tokenizer, state, random_state, options, sha256 = checkpoint
    check_moments(state, model.num_params)
    tensors = {
        prefix + name: (view.shape or (), view.tobytes())
        for prefix, numbers in [("", model.read_data()), ("adam.m.", state.m), ("adam.v.", state.v)]
        for name, view in matrices(model.config, _little(numbers)).items()
    }
    tensors["losses"] = (state.steps,), _little(state.losses).tobytes()
    if state.validation:
        pairs = [x for pair in state.validation for x in pair]
        tensors["validation"] = (len(state.validation), 2), _little(pairs).tobytes()
    metadata = {
        "config": asdict(model.config),
        "tokenizer": "".join(tokenizer.chars),
        "options": options,
        "random_state": random_state,
        "docs_sha256": sha256,
    }
    texts = {key: json.dumps(value) for key, value in metadata.items()}
    write_atomically(path, _pack(tensors, {"format": FORMAT, "version": str(VERSION), **texts}))


def load_checkpoint(path: "str | os.PathLike[str]", *, tier: str = DEFAULT_TIER) -> Checkpoint:
    """Read the checkpoint in the file `path`, with its model in tier `tier`.

    Raises OSError if the file cannot be read, ModuleNotFoundError without the safetensors library,
    and ValueError, in one sentence, if the file is anything but an undamaged checkpoint of this
    version of isograd or an older one.
    """
    check_tier(tier)
    with open(path, "rb") as file:
        check_end(file)
        content = file.read()
    name = repr(os.fspath(path))
    tensors, metadata = _unpack(content, name)
    try:
        return _restored(tensors, metadata, tier)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is no usable checkpoint: {error}") from None


def _restored(
    tensors: "dict[str, tuple[list[int], array[float]]]", metadata: Mapping[str, str], tier: str
) -> Checkpoint:
    """The checkpoint made of these. Raises any usual exception if they do not go together."""
    config = GPTConfig(**json.loads(metadata["config"]))
    tokenizer = CharTokenizer([json.loads(metadata["tokenizer"])])
    if tokenizer.vocab_size != config.vocab_size:
        raise ValueError(f"{tokenizer.vocab_size} tokens for a model of {config.vocab_size}")
    if config.n_layer > len(tensors):
        raise ValueError(f"{len(tensors)} tensors for a model of {config.n_layer} layers")
    shape, losses = tensors.pop("losses")
    if shape != [len(losses)]:
        raise ValueError("losses must be a row of numbers")
    validation = _pairs(tensors.pop("validation", ([0, 2], array("d"))), len(losses))
    groups: dict[str, dict[str, Any]] = {"": {}, "adam.m.": {}, "adam.v.": {}}
    for name, (shape, numbers) in tensors.items():
        prefix = name[:7] if name[:7] in groups else ""
        groups[prefix][name[len(prefix) :]] = memoryview(numbers).cast("B").cast("d", shape)
    # As weights of a model the moments go through the same checks of names and shapes.
    model, m, v = (
        GPT.from_state_dict(config, group, tier=tier if prefix == "" else "reference")
        for prefix, group in groups.items()
    )
    state = TrainingState(model.num_params)
    state.m, state.v = array("d", m.read_data()), array("d", v.read_data())
    state.losses, state.validation = losses.tolist(), validation
    check_moments(state, model.num_params)
    version, internal, gauss_next = json.loads(metadata["random_state"])
    random_state = version, tuple(internal), gauss_next
    Random().setstate(random_state)
    options, sha256 = json.loads(metadata["options"]), json.loads(metadata["docs_sha256"])
    if not isinstance(options, dict) or not isinstance(sha256, str):
        raise ValueError("options must be a mapping, docs_sha256 a string")
    return Checkpoint(model, tokenizer, state, random_state, options, sha256)


def _pairs(tensor: "tuple[list[int], array[float]]", steps: int) -> list[tuple[int, float]]:
    """The steps and validation losses in a tensor, which are of a run with `steps` done."""
    shape, numbers = tensor
    if shape != [len(numbers) // 2, 2]:
        raise ValueError("validation must be pairs of numbers")
    pairs = [(int(step), loss) for step, loss in zip(numbers[::2], numbers[1::2])]
    found = [step for step, _ in pairs]
    if (
        found != [*numbers[::2]]
        or found != sorted({*found})
        or not all(0 < x <= steps for x in found)
    ):
        raise ValueError("validation must be of steps done, in their order")
    return pairs


def _little(numbers: Sequence[float]) -> "array[float]":
    """An array of `numbers`, or of the doubles in bytes, least significant byte first."""
    doubles = array("d", numbers)
    if sys.byteorder == "big":
        doubles.byteswap()
    return doubles


def _pack(tensors: Mapping[str, tuple[Sequence[int], bytes]], metadata: dict[str, str]) -> bytes:
    """The content of a safetensors file with these F64 tensors: length of header, header, data."""
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, (shape, data) in tensors.items():
        start, end = end, end + len(data)
        header[name] = {"dtype": "F64", "shape": list(shape), "data_offsets": [start, end]}
    body = b"".join(data for _, data in tensors.values())
    metadata["sha256"] = _checksum(header, body)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def _unpack(
    content: bytes, name: str
) -> "tuple[dict[str, tuple[list[int], array[float]]], dict[str, str]]":
    """Shapes and numbers of the tensors by name, and the metadata.

    Raises ValueError naming `name` if `content` is anything but a checkpoint of this version.
    """
    import safetensors

    try:
        tensors = safetensors.deserialize(content)
    except safetensors.SafetensorError:
        raise ValueError(f"{name} is no safetensors file, or a damaged one") from None
    size = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:size])
    metadata = header.get("__metadata__") or {}
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{name} is a safetensors file, but no checkpoint of isograd")
    if metadata.get("version") != str(VERSION):
        raise ValueError(
            f"{name} is a checkpoint of version {metadata.get('version')}; "
            f"this isograd reads version {VERSION}"
        )
    if metadata.pop("sha256", None) != _checksum(header, content[size:]):
        raise ValueError(f"{name} is damaged, or was changed after isograd wrote it")
    for key, info in tensors:
        if info["dtype"] != "F64":
            raise ValueError(f"{name} is no usable checkpoint: {key} is {info['dtype']}, not F64")
    return {key: (info["shape"], _little(info["data"])) for key, info in tensors}, metadata


def _checksum(header: Mapping[str, Any], body: bytes) -> str:
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode() + body).hexdigest()
