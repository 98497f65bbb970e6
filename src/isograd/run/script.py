"""A Python script, read and run as `python SCRIPT` would run it, with ours in the place of its own.

recognise.py finds what takes whose place. Without the C extension nothing does.
"""

from __future__ import annotations

import ast
import builtins
import importlib.machinery
import os
import sys
import types
import warnings
from typing import NoReturn

from .._backend import backend
from .beside import install
from .depth import compile_script, execute_script, with_room
from .plan import Plan, left_alone
from .process import end_with, forget_shadowed_modules, keep
from .remedies import remedy
from .stop import SayWhy
from .watch import Watch, is_terminal, may_watch

if backend == "c":
    from .recognise import recognise
    from .substitutes import provide


class Script:
    """A script that has been read, and what it is called with.

    Raises OSError if the file cannot be read.
    """

    def __init__(self, path: str, args: tuple[str, ...], any_order: bool = False) -> None:
        self.path = path
        self.args = args
        self.any_order = any_order  # of children that are kept in a set
        with open(path, "rb") as file:
            self.source = file.read()
        self.watch: Watch | None = None
        self.codes: dict[str, tuple[str, types.CodeType]] = {}  # of modules beside it
        self.file = os.path.join(os.getcwd(), path)
        self.folder = os.path.dirname(os.path.realpath(path))

    def run(self, why: bool = False) -> NoReturn:
        """Run it as the program of this process, and end the process as it ends.

        With `why`, what is compiled and what is not goes to standard error first.
        """
        main = self.enter()
        try:
            code = self.compile(main, why)
            try:
                execute_script(code, main.__dict__)
            finally:
                if self.watch:
                    self.watch.say(why)
        except SystemExit as leaving:
            raise leaving.with_traceback(None) from None
        except BaseException as error:
            end_with(error)
        raise SystemExit(0)

    def enter(self) -> types.ModuleType:
        """Arranges sys and `__main__` as the interpreter does for a script."""
        sys.argv = [self.path, *self.args]
        if not getattr(sys.flags, "safe_path", False):
            sys.path[0] = self.folder
        forget_shadowed_modules(self.folder)
        main = types.ModuleType("__main__")
        loader = importlib.machinery.SourceFileLoader("__main__", self.file)
        main.__dict__.update(
            __loader__=loader, __builtins__=builtins, __file__=self.file, __cached__=None
        )
        if sys.version_info < (3, 14):
            main.__annotations__ = {}
        keep.append(sys.modules["__main__"])
        sys.modules["__main__"] = main
        return main

    def compile(self, main: types.ModuleType, why: bool) -> types.CodeType:
        """The code to run. Puts what it calls of ours among its variables."""
        code = compile_script(self.source, self.file)
        try:
            plan, changed = with_room(self.plan)
        except RecursionError:
            plan, changed = without_changes("it is nested too deeply to be looked through"), None
        if why:
            for finding in plan.findings:
                print(f"isograd: {finding}", file=sys.stderr)
                if not finding.replaced and (what_to_do := remedy(finding.why)):
                    print(f"isograd: remedy: {what_to_do}", file=sys.stderr)
        if (why or is_terminal()) and may_watch(plan):
            self.watch = Watch(self.file, plan)
            self.watch.start()
        if changed is None:
            return code
        say = SayWhy(self.path, self.file)
        provide(plan, main.__dict__, say)
        if self.codes:
            install(self.codes, lambda variables: provide(plan, variables, say))
        return changed

    def plan(self) -> tuple[Plan, types.CodeType | None]:
        """What to replace in the script, and its code then, if anything is.

        The script has been compiled: it has no syntax errors, and all warnings have been given.
        """
        if backend != "c":
            return without_changes("this isograd runs without its C extension"), None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plan = recognise(ast.parse(self.source, self.file), self.folder, self.any_order)
            if not plan.replaces:
                return plan, None
            self.codes = {
                module.name: (
                    module.file,
                    compile(module.tree, module.file, "exec", dont_inherit=True),
                )
                for module in plan.modules
            }
            return plan, compile(plan.tree, self.file, "exec", dont_inherit=True)


def without_changes(why: str) -> Plan:
    script = ast.Module([], [])
    return Plan(script, [left_alone(script, "the script", why)])
