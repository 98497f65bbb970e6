"""Documents and their characters: reading a text file, turning documents into tokens and back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TypeVar

from .files import check_end

T = TypeVar("T")

SHOWN = 200  # characters of a document at most in an error
NAMES = os.path.join(os.path.dirname(__file__), "data", "names.txt")


def load_docs(path: str | os.PathLike[str] | None = None) -> list[str]:
    """Read the documents in a UTF-8 text file: its lines, stripped, without the empty ones.

    Without `path`, these are the 32,033 names that come with the package, in the file's order. A
    byte order mark at the beginning, which some editors write, is no part of the first line.
    Raises OSError if the file cannot be read, ValueError if it is not UTF-8, holds no document or
    is a device.
    """
    path = NAMES if path is None else path
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"path must be that of a text file, not {path!r:.{SHOWN}}")
    try:
        with open(path, encoding="utf-8") as file:
            check_end(file)
            docs = [next(file, "").removeprefix("\ufeff").strip()]
            docs += [line.strip() for line in file]
    except UnicodeDecodeError:
        raise ValueError(f"{os.fspath(path)!r} is not UTF-8 text") from None
    docs = [doc for doc in docs if doc]
    if not docs:
        raise ValueError(f"{os.fspath(path)!r} holds no documents: expected one a line")
    return docs


def hold_out(docs: Sequence[T], share: float) -> tuple[list[T], list[T]]:
    """Part `docs` in those to learn from and those to validate with: a `share`, evenly spread.

    Draws no random number: runs with other seeds are judged by the same documents. Raises
    ValueError if `share` is not between 0 and 1, or leaves none to learn from.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share to hold out must be between 0 and 1, not {share!r}")
    n, n_held_out = len(docs), max(1, round(len(docs) * share))
    if n_held_out >= n:
        raise ValueError(f"a share of {share} of {n} documents leaves none to learn from")
    parts: tuple[list[T], list[T]] = ([], [])
    for i, doc in enumerate(docs):
        parts[(i + 1) * n_held_out // n - i * n_held_out // n].append(doc)
    return parts


class CharTokenizer:
    """A token for each distinct character of `docs`, in sorted order, and one more: BOS.

    BOS, the last id, stands before and after every document.
    Raises ValueError if there is no character at all.
    """

    def __init__(self, docs: Iterable[str]) -> None:
        if isinstance(docs, str):
            raise TypeError("CharTokenizer takes a list of documents, not a single string")
        self.chars: list[str] = sorted(set().union(*docs))
        if not self.chars:
            raise ValueError("a CharTokenizer needs at least one character in its documents")
        self._ids = {char: i for i, char in enumerate(self.chars)}

    @property
    def bos(self) -> int:
        """The id of the token that begins and ends a document."""
        return len(self.chars)

    @property
    def vocab_size(self) -> int:
        """The number of tokens, BOS included."""
        return len(self.chars) + 1

    def encode(self, doc: str) -> list[int]:
        """[BOS, ids of the characters, BOS]. Raises ValueError for a character it does not know."""
        try:
            return [self.bos, *map(self._ids.__getitem__, doc), self.bos]
        except KeyError as error:
            raise self._unknown(doc, error.args[0]) from None
        except TypeError:
            raise TypeError(f"doc must be a text, not {doc!r:.{SHOWN}}") from None

    def encode_prompt(self, text: str) -> list[int]:
        """[BOS, ids of the characters]: the beginning of a document, for a model to go on from.

        Raises ValueError for a character it does not know.
        """
        return self.encode(text)[:-1]

    def encode_beginnings(self, docs: Iterable[str], block_size: int) -> list[list[int]]:
        """What `encode` gives, without what a model of `block_size` positions makes no use of.

        A long document costs little more than its characters then. Raises ValueError for one that
        holds a character, be it beyond that, which the tokenizer does not know.
        """
        tokens, known = [], self._ids.keys()
        for doc in docs:
            if len(doc) > block_size and not known >= (chars := set(doc)):
                raise self._unknown(doc, next(char for char in doc if char in chars - known))
            tokens.append(self.encode(doc[:block_size]))
        return tokens

    def _unknown(self, doc: str, char: str) -> ValueError:
        beginning = doc if len(doc) <= SHOWN else doc[:SHOWN] + "..."
        return ValueError(
            f"{beginning!r} holds the character {char!r}, which is not among the "
            f"{len(self.chars)} of the vocabulary"
        )

    def decode(self, ids: Iterable[int]) -> str:
        """The characters of `ids` without BOS. Raises ValueError for an id that is no token."""
        try:
            tokens = list(ids)
            for i in tokens:
                if not 0 <= i < self.vocab_size:
                    raise ValueError(f"{i} is no token: the vocabulary has 0 to {self.bos}")
            return "".join(self.chars[i] for i in tokens if i != self.bos)
        except TypeError:
            raise TypeError(
                f"ids must be tokens, whole numbers from 0 to {self.bos}, not {ids!r:.{SHOWN}}"
            ) from None

    def __repr__(self) -> str:
        return f"CharTokenizer([{''.join(self.chars)!r}])"
