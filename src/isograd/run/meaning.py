"""What a definition computes, and whether that is what one of ours computes.

Methods and functions are compared by their Meaning and by nothing else. Today a Meaning is a text:
two definitions mean the same if their normal forms are equal, so what is equal for reasons of
arithmetic must be known one by one. Whoever derives meanings in another way replaces this class:
its users ask for equality, and for the line where two differ.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from .normal_form import Scopes, Vocabulary, normal_form


class Meaning:
    """What a function computes, in a script with this vocabulary and these scopes."""

    def __init__(self, function: ast.FunctionDef, vocabulary: Vocabulary, scopes: Scopes) -> None:
        form = normal_form(function, vocabulary, scopes)
        signature = " ".join(map(ast.dump, [form.args, *form.decorator_list]))
        self.texts = [signature, *map(ast.dump, form.body)]
        self.lines = [form.lineno, *(getattr(node, "lineno", form.lineno) for node in form.body)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Meaning) and self.texts == other.texts

    def line_unlike(self, known: Iterable[Meaning]) -> int:
        """The line of the first statement that the nearest of the `known` does not have."""
        unlike = [
            [line for text, line in zip(self.texts, self.lines) if text not in other.texts]
            for other in known
        ]
        return min(min(unlike, key=len), default=self.lines[0])
