"""The file that commands share, Optuna's journal, and how they know which of them are alive.

A journal does not tell a trial that runs from one whose process was killed. So each command holds a
lock on a file beside the journal for as long as it lives, and writes its name into what begins a
trial. The system takes the lock away from a process that ends in any way. The journal is guarded by
such a lock, too: that of Optuna is a file, which a killed process leaves behind, and the others
would wait half a minute for it.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ..files import check_end


def opened(path: str) -> JournalStorage:
    """The journal in the file `path`, which is made if there is none.

    Raises ValueError for a file that is something else, OSError for one that cannot be written.
    """
    if os.path.exists(path):
        with open(path, "rb") as file:
            check_end(file)
            line = file.readline(10_000)
        with readable(path):
            if line.endswith(b"\n") and "op_code" not in json.loads(line):
                raise ValueError(no_storage(path))
            if line and not line.endswith(b"\n") and not line.startswith(b'{"op_code"'):
                raise ValueError(no_storage(path))
    with open(path, "ab"):
        pass
    with readable(path):
        return JournalStorage(JournalFileBackend(path, lock_obj=JournalLock(path)))


def no_storage(path: str | None) -> str:
    return f"{path!r} is no storage of a sweep, or a damaged one; name another file"


@contextmanager
def readable(path: str | None) -> Iterator[None]:
    """Turns what Optuna says of a file that is no journal into one sentence."""
    try:
        yield
    except (AssertionError, LookupError, TypeError, json.JSONDecodeError):
        raise ValueError(no_storage(path)) from None
    except NotImplementedError:
        raise ValueError(f"the file system of {path!r} has no locks, which a sweep needs") from None


def other_sweep(path: str | None, found: Mapping[str, Any], description: Mapping[str, Any]) -> str:
    """What tells the sweep in the file `path`, of which it says `found`, from `description`."""
    there = found.get("sweep")
    if not isinstance(there, Mapping):
        return f"{path!r} holds a study that is none of isograd sweep; name another file"
    here = json.loads(json.dumps(description))
    if there.get("data") != here["data"]:
        return f"{path!r} holds a sweep over other documents; name another file"
    for part in ("space", "run", "search"):
        a, b = there.get(part), here[part]
        if a != b and isinstance(a, Mapping) and isinstance(b, Mapping):
            name = next(name for name in [*b, *a] if a.get(name) != b.get(name))
            return f"{path!r} holds another sweep: its {part} has another {name}; name another file"
    return f"{path!r} holds another sweep; name another file"


class JournalLock:
    """Guards the journal while somebody writes. Whoever has it finds whole lines only."""

    def __init__(self, path: str) -> None:
        self.path, self.lock = path, FileLock(path + ".lock", thread_local=False)

    def acquire(self) -> bool:
        """Wait for the lock; drop the part of a line that a lost writer has left."""
        self.lock.acquire(poll_interval=0.001)
        with open(self.path, "rb+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Let others write."""
        self.lock.release()


class Alive:
    """A lock that shows others, on machines that share the file `path`, that this process lives."""

    def __init__(self, path: str) -> None:
        self.path = path
        host = re.sub(r"\W", "-", socket.gethostname())
        self.name = f"{host}-{os.getpid()}-{uuid4().hex[:6]}"
        self.lock = FileLock(self.file(self.name), thread_local=False)
        with readable(path):
            self.lock.acquire()

    def file(self, name: str) -> str:
        """The file on which the process `name` holds its lock."""
        return f"{self.path}.{name}.alive"

    def is_held(self, name: str) -> bool:
        """Whether another process, `name`, is alive."""
        path = self.file(name)
        if not os.path.exists(path):
            return False
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            return True
        with suppress(OSError):
            os.unlink(path)
        return False

    def end(self) -> None:
        """Show that this process does no more."""
        self.lock.release()
        with suppress(OSError):
            os.unlink(self.file(self.name))
