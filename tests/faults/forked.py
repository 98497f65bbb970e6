"""The command `isograd` in a process of its own that has imported everything: some milliseconds."""

import os
import signal
import sys
import tempfile
from typing import NamedTuple

from isograd.commands import cli

SECONDS = 1  # of a processor, after which a command is taken to go on as it was asked to
MEMORY = 4 << 30


class Ending(NamedTuple):
    status: int  # negative for a signal
    output: bytes
    errors: bytes

    @property
    def goes_on(self):
        return self.status == -signal.SIGXCPU


def limit(resource):
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def start(arguments, folder, files, begin=None):
    """Starts it, with the descriptors `files` as standard output and error; returns its number.

    It calls `begin` first.
    """
    child = os.fork()
    if child:
        return child
    try:
        import resource

        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for descriptor, file in enumerate(files, 1):
            os.dup2(file, descriptor)
        sys.stdout, sys.stderr = (open(i, "w", encoding="utf-8", closefd=False) for i in (1, 2))
        limit(resource)
        if begin:
            begin()
        sys.argv = ["isograd", *arguments]
        status = 0
        try:
            cli.main()
        except SystemExit as leaving:
            status = leaving.code or 0
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(99)


def ended(arguments, folder, begin=None, meanwhile=None):
    """How the command with these arguments, in this folder, has ended.

    Calls `meanwhile`, with the number of the process, while it runs.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = start(arguments, folder, [output.fileno(), errors.fileno()], begin)
        if meanwhile:
            meanwhile(child)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = (os.pread(file.fileno(), 1 << 20, 0) for file in (output, errors))
        return Ending(status, *texts)
