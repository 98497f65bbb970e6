"""Files that appear as a whole or not at all; what is in them is decided elsewhere."""

import errno
import os
from contextlib import suppress


def write_atomically(path: "str | os.PathLike[str]", content: bytes) -> None:
    """Make or replace the file `path` with all of `content`; any exception leaves it unchanged."""
    path = os.path.realpath(path)
    part = part_of(path)
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
    with suppress(OSError):  # Windows opens no folders, and some file systems sync none
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_writable(path: "str | os.PathLike[str]") -> None:
    """Raises OSError if `write_atomically` cannot write a file `path`."""
    path = os.path.realpath(path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    with open(part_of(path), "wb"):
        pass
    os.unlink(part_of(path))


def part_of(path: str) -> str:
    """The name under which this process writes the file before it gets its own."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{os.getpid()}.part")
