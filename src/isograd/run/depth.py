"""How deep Python may recur: as without us while a script runs, deeper while we look at it."""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeVar

from .._backend import backend

__all__ = ["compile_script", "execute_script", "with_room"]

Result = TypeVar("Result")

# Enough for the tree of any script that Python compiles: it is some thousands of nodes deep at
# most, each of which may take a handful of our frames, and a frame some hundred bytes of the stack.
FRAMES = 100_000
STACK = 1 << 29  # bytes, of which only what is used is paid for


def with_room(work: Callable[[], Result]) -> Result:
    """What work() returns or raises, with room for FRAMES frames: on a thread, as they take stack.

    Where there is no such thread to be had, it is called as it is.
    """
    results: list[Result] = []
    errors: list[BaseException] = []
    done = _thread.allocate_lock()

    def call() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.release()

    def call_deep() -> None:
        deepen(FRAMES)
        call()

    limit = sys.getrecursionlimit()
    done.acquire()
    try:
        stack = _thread.stack_size(STACK)
        try:
            sys.setrecursionlimit(FRAMES)
            _thread.start_new_thread(call_deep, ())
        finally:
            _thread.stack_size(stack)
    except (RuntimeError, ValueError):  # no thread, or none with such a stack
        sys.setrecursionlimit(limit)
        call()
    try:
        done.acquire()
    finally:
        sys.setrecursionlimit(limit)
    for error in errors:
        raise error
    return results[0]


def discount_our_frames() -> None:
    """Raises the recursion limit until a script can recur as deep as without us below it."""
    limit, probe = sys.getrecursionlimit(), {"n": 0}
    try:
        exec("def recur():\n global n\n n += 1\n recur()\nrecur()", probe)
    except RecursionError:
        sys.setrecursionlimit(2 * limit - 2 - probe["n"])


if TYPE_CHECKING or backend == "c":
    from .._core import compile_script, deepen, execute_script
else:

    def compile_script(source: bytes, file: str) -> CodeType:
        """The code of a script."""
        return compile(source, file, "exec", dont_inherit=True)

    def deepen(more: int) -> None:
        """Does nothing: what the pure twins need is not deep."""

    def execute_script(code: CodeType, variables: dict[str, Any]) -> None:
        """Runs the code of a script, nearly as deep as `python SCRIPT`: the limit is higher."""
        discount_our_frames()
        exec(code, variables)
