"""Which documents `isograd eval` asks a model about: those of a file, or of the model's own run."""

from __future__ import annotations

from random import Random

from ..checkpoint import Checkpoint, docs_sha256
from ..options import stored_options
from ..runs import documents_of, split
from ..text import load_docs
from .endings import refusing_bad_input


def groups_of(loaded: Checkpoint, checkpoint: str, data: str | None) -> list[tuple[str, list[str]]]:
    """Names of groups of documents, and these; the only group has no name."""
    if data is not None:
        with refusing_bad_input(data):
            return [("", load_docs(data))]
    data = loaded.options.get("data", "")
    with refusing_bad_input(data):
        if data is not None and not (isinstance(data, str) and data):
            raise ValueError(f"{checkpoint!r} names no file as its data; give one with --data")
        texts = load_docs(data)
    with refusing_bad_input():
        options = stored_options(loaded.options, loaded.model.config)
        rng = Random(options.seed)
    with refusing_bad_input(options.validation_file):
        docs, held_out = split(options, texts, rng)
        if docs_sha256(documents_of(options, docs, held_out)) != loaded.docs_sha256:
            raise ValueError(
                f"{data!r} no longer holds the documents that {checkpoint!r} was trained on; "
                "name a file with --data"
            )
    return [("learned from", docs), ("held out", held_out)] if held_out else [("", docs)]
