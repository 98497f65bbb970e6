"""Files that appear as a whole or not at all; what is in them is decided elsewhere.

A file is written beside its place, as `.NAME.part`, and then gets its name. A killed process leaves
its part behind, and the next one that writes the file removes it. It does not take a part that
another process is writing for one of those: there is a lock on that, which ends with its process.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, BinaryIO

POSIX = sys.platform != "win32"
if POSIX:
    import fcntl


def write_atomically(path: "str | os.PathLike[str]", content: bytes) -> None:
    """Make or replace the file `path` with all of `content`; any exception leaves it unchanged.

    Keeps the mode of a file that it replaces, and the owner where this process may.
    """
    path = resolved(path)
    with new_part(path) as part:
        if POSIX:
            take_over(part.fileno(), path)
        part.write(content)
        part.flush()
        os.fsync(part.fileno())
        if not POSIX:
            part.close()  # Windows renames no open file
        os.replace(part.name, path)
    with suppress(OSError):  # Windows opens no folders, and some file systems sync none
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_end(file: IO[Any]) -> None:
    """Raises ValueError if the open file is a device, such as /dev/zero, whose bytes never end."""
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not file.isatty()):
        raise ValueError(f"{os.fspath(file.name)!r} is a device; expected a file")


def check_writable(path: "str | os.PathLike[str]") -> None:
    """Raises OSError if `write_atomically` cannot write a file `path`."""
    path = resolved(path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    with new_part(path) as part:
        remove(part)


def resolved(path: "str | os.PathLike[str]") -> str:
    """`path` without links. Raises FileNotFoundError if it is empty, which is no folder's name."""
    if not os.fspath(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return os.path.realpath(path)


@contextmanager
def new_part(path: str) -> Iterator[BinaryIO]:
    """An empty file beside `path`, for this process alone; an exception removes it."""
    folder, name = os.path.split(path)
    # Windows has no lock to go by: there, processes keep to names of their own.
    name = f".{name}.part" if POSIX else f".{name}.{os.getpid()}.part"
    with empty(os.path.join(folder, name)) as part:
        try:
            yield part
        except BaseException:
            remove(part)
            raise


def empty(path: str) -> BinaryIO:
    """Open a new file `path`, or one that holds nothing, and lock it; waits if another has it."""
    while True:
        part = open(path, "ab", opener=open_no_link)
        if not POSIX:
            return part
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(part, fcntl.LOCK_EX)
        # Meanwhile it may have got its name, or have been removed.
        if is_in_place(part):
            if os.fstat(part.fileno()).st_size == 0:
                return part
            os.unlink(path)  # what a killed process has left, whose mode may be another
        part.close()


def open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def is_in_place(part: BinaryIO) -> bool:
    """Whether the open file still has the name under which it was opened."""
    try:
        return os.path.samestat(os.fstat(part.fileno()), os.lstat(part.name))
    except FileNotFoundError:
        return False


def remove(part: BinaryIO) -> None:
    """Remove the open file, if it still has its name."""
    with suppress(OSError):
        if not POSIX:
            part.close()
            os.unlink(part.name)
        elif is_in_place(part):
            os.unlink(part.name)


def take_over(descriptor: int, path: str) -> None:
    """Give an open file the mode of the file `path`, if there is one, and its owner if allowed."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        return
    for owner in [(old.st_uid, -1), (-1, old.st_gid)]:
        with suppress(OSError):
            os.fchown(descriptor, *owner)
    with suppress(OSError):  # some file systems have no modes
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
