"""The end of a run whose script would hold a number that the compiled class cannot.

It comes at once, from wherever the script is: no handler, `finally`, atexit function or destructor
of the script runs after it. What the script has printed by then is written, by Python's own code
alone.
"""

from __future__ import annotations

import gc
import io
import sys

PLAIN = (bool, int, float, complex, str, type(None))  # whose repr() is not the script's code


class Sentence(str):
    """What a run that stops says, where it is not about a number."""


class SayWhy:
    """Called with that number before C ends the process, says in which line of the script."""

    def __init__(self, path: str, file: str) -> None:
        self.path = path  # as the script was called
        self.file = file  # as its code names it

    def __call__(self, held: object, why: str = "") -> None:
        flush_files()
        what = f"makes a Value of {shown(held)}, which the compiled class cannot hold"
        if why or type(held) is Sentence:
            what = why or str(held)
        why = f"isograd: line {self.line()} of {self.path} {what}; plain python can"
        if sys.__stderr__:
            print(why, file=sys.__stderr__, flush=True)

    def line(self) -> int | str:
        """The line of the script that runs now."""
        frame = sys._getframe()
        while frame.f_back and frame.f_code.co_filename != self.file:
            frame = frame.f_back
        return frame.f_lineno if frame.f_code.co_filename == self.file else "?"


def shown(held: object) -> str:
    if type(held) not in PLAIN:
        return f"<{type(held).__name__}>"
    try:
        return repr(held)
    except ValueError:  # an int of more digits than Python writes
        return "an int of many digits"


def flush_files() -> None:
    """Writes what waits in the buffers of files that consist of Python's own classes."""
    for file in [sys.__stdout__, *gc.get_objects()]:
        try:
            buffer = file.buffer if type(file) is io.TextIOWrapper else file
            plain = type(buffer) in (io.BufferedWriter, io.BufferedRandom)
            if plain and type(buffer.raw) is io.FileIO:
                file.flush()
        except (OSError, ValueError):  # it is full, closed or detached
            pass
