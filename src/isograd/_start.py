"""Ctrl-C while the command `isograd` loads its modules: it ends the process without a traceback.

A process that was not started as the command keeps its signals, and so does one that ignores this.
"""

import os
import signal
import sys


def is_the_command() -> bool:
    """Whether this process was started as `isograd` or `python -m isograd`."""
    script = sys.argv[0] if sys.argv else ""
    if script == "-m":  # for as long as Python looks for the module
        words = sys.orig_argv
        return "isograd" in words[words.index("-m") + 1 :][:1] if "-m" in words else False
    return os.path.basename(script) in ("isograd", "isograd.exe")


def loaded() -> None:
    """From now on Ctrl-C is an exception again."""
    if quiet:
        signal.signal(signal.SIGINT, signal.default_int_handler)


quiet = is_the_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
if quiet:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
