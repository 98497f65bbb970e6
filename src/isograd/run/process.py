"""The process as `python SCRIPT` would have it: modules before, the end after.

Frames of this package and of the extension are kept out of what the script shows.
"""

from __future__ import annotations

import os
import sys
import types
from typing import NoReturn

HERE = os.path.dirname(__file__)

keep: list[object] = []  # modules that our own frames need, and that sys.modules has no more

# What `python SCRIPT` has imported before the script begins.
PRELOADED = frozenset(
    "abc codecs encodings genericpath io linecache ntpath os posixpath site sitecustomize stat "
    "usercustomize zipimport".split()
)


def forget_shadowed_modules(folder: str) -> None:
    """Forgets what isograd has imported under the name of a module beside the script."""
    try:
        beside = {name.split(".")[0] for name in os.listdir(folder)}
    except OSError:
        return
    for name, module in list(sys.modules.items()):
        top = name.split(".")[0]
        if top in beside and top not in PRELOADED and top != "isograd":
            origin = getattr(getattr(module, "__spec__", None), "origin", None)
            if origin not in ("built-in", "frozen"):
                keep.append(module)
                del sys.modules[name]


# ---- how a script ends ----


def end_with(error: BaseException) -> NoReturn:
    """Shows an exception as the interpreter shows one that nobody catches, and ends."""
    error.__traceback__ = without_ours(error.__traceback__)
    # Their frames live on until the end of the program, and what these hold with them.
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    sys.excepthook(type(error), error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        # To be seen by the interpreter, which ends the process by the signal.
        sys.excepthook = lambda *shown: None
        try:
            raise error
        finally:
            del error  # or it would hold the frame that holds it
    sys.exit(1)


def without_ours(entry: types.TracebackType | None) -> types.TracebackType | None:
    """A traceback less the frames of this package and of the extension."""
    entries = []
    while entry:
        if not is_ours(entry.tb_frame.f_code.co_filename):
            entries.append(entry)
        entry = entry.tb_next
    rest = None
    for entry in reversed(entries):
        rest = types.TracebackType(rest, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rest


def is_ours(file: str) -> bool:
    return os.path.dirname(file) == HERE or file.endswith("_core.pyx")
