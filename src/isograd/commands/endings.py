"""How commands end: the sentence on standard error, and the exit status.

The status is 2 for what was asked wrongly, 1 for what went wrong, and 130 on Ctrl-C. The contexts
here turn exceptions into these; they compute nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

# What to install for what is missing.
EXTRAS = {
    "matplotlib": "'isograd[plot]'",
    **dict.fromkeys(("filelock", "optuna", "tomli"), "'isograd[sweep]'"),
}


@contextmanager
def refusing_bad_input(path: str | None = None, verb: str = "read") -> Iterator[None]:
    """Turns what the library says of unusable input into the command's one sentence."""
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"cannot {verb} {path!r}: {error.strerror}") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except MemoryError as error:
        sentence = f"there is not enough memory to {verb} {path!r}"
        raise click.UsageError(str(error) or sentence) from None
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        extra = EXTRAS.get(name, name)
        raise click.UsageError(
            f"this needs {name}, which is not installed: pip install {extra}"
        ) from None


@contextmanager
def ending_unwritable(path: str) -> Iterator[None]:
    """Ends the command with one sentence if the file `path` can no longer be written."""
    try:
        yield
    except OSError as error:
        end(f"cannot write {path!r}: {error.strerror}", 1)


@contextmanager
def giving_up(place: object) -> Iterator[None]:
    """Ends the command with one sentence on Ctrl-C, or if numbers or memory gave out."""
    try:
        yield
    except KeyboardInterrupt:
        end(f"interrupted in {place}", 130)
    except MemoryError as error:
        end(f"memory ran out in {place}: {str(error) or 'there is not enough of it'}", 1)
    except (ArithmeticError, ValueError) as error:
        found = error.__cause__ or error  # which `train` says with the step, and `place` does, too
        end(f"numbers left the finite in {place}: {found.args[-1]}", 1)


def end(sentence: str, status: int) -> NoReturn:
    """End the command with `sentence`, on a line of its own: output may have stopped within one."""
    flush()
    print(f"\nisograd: {sentence}", file=sys.stderr)
    sys.exit(status)


@contextmanager
def ending_the_process() -> Iterator[None]:
    """Ends the process, and says why, if a command ended in any way but by returning."""
    try:
        yield
        flush()
    except click.ClickException as error:
        print(f"isograd: {error.format_message()}", file=sys.stderr)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except UnicodeEncodeError as error:
        missing = error.object[error.start]
        print(f"isograd: the output's encoding has no {missing!a}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        # Nobody can read what is still to be written, so keep Python from trying at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"isograd: cannot write the output: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def flush() -> None:
    """Write out what has been printed, if there is a standard output."""
    if sys.stdout:
        sys.stdout.flush()
