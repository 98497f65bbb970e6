"""`isograd run`: a Python script as `python SCRIPT` would run it, with compiled definitions in the
place of those that recognise.py finds to be the same program.

The script's tree is changed where no line moves: the class and the functions get a decorator
each, which hands out ours; the loop over parameters gets an iterator that has done its work but for
the last one; lists of moments become arrays; an expression becomes `ours(..) or expression`. What
is put in is reached through builtins whose names no script can spell. Whatever ours cannot do, the
script's own code is asked to do, so errors are its own.
"""

from __future__ import annotations

import array
import ast
import builtins
import importlib.machinery
import operator
import os
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from ._backend import backend
from .recognise import Finding, Plan, recognise

if backend == "c":
    from . import _core


class CannotHold(BaseException):
    """The script's class would hold a number that ours cannot. Not for the script to catch."""


class Script:
    """A script that has been read, and what it is called with.

    OSError if the file cannot be read.
    """

    def __init__(self, path: str, args: tuple[str, ...]) -> None:
        self.path = path
        self.args = args
        with open(path, "rb") as file:
            self.source = file.read()
        self.file = os.path.join(os.getcwd(), path)
        self.folder = os.path.dirname(os.path.realpath(path))

    def run(self, explain: bool = False) -> NoReturn:
        """Run it as the program of this process, and end the process as it ends.

        With `explain`, what is compiled and what is not goes to standard error first.
        """
        main = self.enter()
        try:
            code = self.compile(main, explain)
            discount_our_frames()
            exec(code, main.__dict__)
        except SystemExit as leaving:
            raise leaving.with_traceback(None) from None
        except CannotHold as error:
            self.give_up(error)
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

    def compile(self, main: types.ModuleType, explain: bool) -> types.CodeType:
        code = compile(self.source, self.file, "exec", dont_inherit=True)
        plan = self.plan()
        if explain:
            for finding in plan.findings:
                print(f"isograd: {finding}", file=sys.stderr)
        if not plan.replaces:
            return code
        provide(plan, main)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they have been given
            return compile(plan.tree, self.file, "exec", dont_inherit=True)

    def plan(self) -> Plan:
        if backend != "c":
            why = "this isograd runs without its C extension"
            return Plan(ast.Module([], []), [Finding(1, "the script", False, why)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return recognise(ast.parse(self.source, self.file), self.folder)

    def give_up(self, error: CannotHold) -> NoReturn:
        sys.stdout.flush()
        lines = [line for frame, line in frames(error) if frame.f_code.co_filename == self.file]
        print(
            f"isograd: line {lines[-1] if lines else '?'} of {self.path} makes a Value of "
            f"{error.args[0]!r}, which the compiled class cannot hold; plain python can",
            file=sys.stderr,
        )
        sys.exit(2)


keep: list[object] = []  # the module that was `__main__`: our own frames need it

# What `python SCRIPT` has imported before the script begins.
PRELOADED = frozenset(
    "abc codecs encodings genericpath io linecache ntpath os posixpath site sitecustomize stat "
    "usercustomize zipimport".split()
)


def forget_shadowed_modules(folder: str) -> None:
    """A script may have modules beside it that are named as some that isograd has imported."""
    try:
        beside = {name.split(".")[0] for name in os.listdir(folder)}
    except OSError:
        return
    for name, module in list(sys.modules.items()):
        top = name.split(".")[0]
        if top in beside and top not in PRELOADED and top != "isograd":
            if getattr(getattr(module, "__spec__", None), "origin", None) not in (
                "built-in",
                "frozen",
            ):
                keep.append(module)
                del sys.modules[name]


# ---- how a script ends ----


def discount_our_frames() -> None:
    """Raises the recursion limit until a script can recur as deep as without us below it."""
    limit, probe = sys.getrecursionlimit(), {"n": 0}
    try:
        exec("def recur():\n global n\n n += 1\n recur()\nrecur()", probe)
    except RecursionError:
        sys.setrecursionlimit(2 * limit - 2 - probe["n"])


def frames(error: BaseException) -> Iterator[tuple[types.FrameType, int]]:
    entry = error.__traceback__
    while entry:
        yield entry.tb_frame, entry.tb_lineno
        entry = entry.tb_next


def without_ours(entry: types.TracebackType | None) -> types.TracebackType | None:
    """A traceback less the frames of this file and of the extension."""
    entries = []
    while entry:
        if not entry.tb_frame.f_code.co_filename.endswith((__file__, "_core.pyx")):
            entries.append(entry)
        entry = entry.tb_next
    rest = None
    for entry in reversed(entries):
        rest = types.TracebackType(rest, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rest


def end_with(error: BaseException) -> NoReturn:
    """Shows an exception as the interpreter shows one that nobody catches, and ends."""
    error.__traceback__ = without_ours(error.__traceback__)
    sys.excepthook(type(error), error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        # To be seen by the interpreter, which ends the process by the signal.
        sys.excepthook = lambda *shown: None
        raise error
    sys.exit(1)


# ---- what the changed script calls ----


def provide(plan: Plan, main: types.ModuleType) -> None:
    """Puts what the changed tree names among the builtins."""
    provided: dict[str, Callable[..., object]] = {
        "class": lambda original: adopt(original, plan, main.__dict__),
        "adam": adam,
        "zero": zero,
        "moments": moments,
        "dot": _core.dot_or_none,
        "lazy_dot": _core.lazy_dot_or_none,
        "add": _core.add_or_none,
        "relu": _core.relu_or_none,
    }
    for kind in ("linear", "linear_swapped", "softmax", "rmsnorm"):
        provided[kind] = lambda original, kind=kind: _core.compiled_function(original, kind)
    for name, function in provided.items():
        setattr(builtins, f"isograd {name}", function)


def adopt(original: type, plan: Plan, variables: dict[str, Any]) -> type:
    """The compiled class in the place of `original`, with what that has beyond it."""
    methods = {name: original.__dict__[name] for name in plan.extra}
    replay = Replay(original, variables)
    _core.adopt_class(original.__name__, plan.absent, methods, replay, CannotHold)
    return _core.Value


class Replay:
    """Does an operation once more, with the script's own class, to raise what that raises."""

    def __init__(self, original: type, variables: dict[str, Any]) -> None:
        self.original = original
        self.variables = variables

    def __call__(
        self, name: str, args: tuple[Any, ...], keywords: dict[str, Any] | None
    ) -> BaseException:
        own_class = self.own_class()
        args = tuple(self.own(own_class, arg) for arg in args)
        known: dict[str, Callable[..., object]] = {"__init__": own_class, "pow": pow}
        function = known.get(name) or getattr(operator, name, None) or getattr(own_class, name)
        try:
            result = function(*args, **(keywords or {}))
        except Exception as error:
            own_frame = error.__traceback__
            return error.with_traceback(own_frame.tb_next if own_frame else None)
        data = getattr(result, "data", result)
        raise CannotHold(data)

    def own_class(self) -> type:
        """The script's class again, whose methods mean it by its name."""
        variables = dict(self.variables)
        body = {
            name: copied(member, variables) if isinstance(member, types.FunctionType) else member
            for name, member in self.original.__dict__.items()
            if not isinstance(member, (types.MemberDescriptorType, types.GetSetDescriptorType))
        }
        own_class = type(self.original.__name__, (), body)
        own_class.__qualname__ = self.original.__qualname__
        variables[self.original.__name__] = own_class
        return own_class

    @staticmethod
    def own(own_class: Any, arg: Any) -> Any:
        if type(arg) is not _core.Value:
            return arg
        own = own_class(arg.data)
        own.grad = arg.grad
        return own


def copied(function: types.FunctionType, variables: dict[str, Any]) -> types.FunctionType:
    copy = types.FunctionType(
        function.__code__, variables, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    return copy


def after(params: list[Any] | tuple[Any, ...], n: int) -> Iterator[Any]:
    """An iterator over `params` that has passed n of them."""
    iterator = iter(params)
    iterator.__setstate__(n)  # type: ignore[attr-defined]
    return iterator


def adam(iterator: Iterator[Any], values: Callable[[], tuple[Any, ...]]) -> Iterator[Any]:
    """Updates parameters as the loop over `iterator` would; an iterator over those that are left.

    The last one always is, so that the loop's variables are what they would be. `values()` are the
    parameters, their moments, the rates and whether the loop resets the gradients.
    """
    try:
        params, m, v, *rates, zero = values()
        if type(params) not in (list, tuple) or not all(map(is_number, rates)):
            return iterator
        n = _core.adam_but_last(tuple(params), m, v, tuple(rates), zero)
    except Exception:  # which the loop will raise itself, nothing having been updated
        return iterator
    return enumerate(after(params, n), n) if n else iterator


def is_number(x: object) -> bool:
    return type(x) is float or (type(x) is int and abs(x) < 2**53)


def zero(params: Iterable[Any]) -> Iterable[Any]:
    """Resets the gradients of all but the last; an iterable over what is left."""
    if type(params) not in (list, tuple):
        return params
    n = _core.zero_grad_but_last(tuple(params))
    return after(params, n) if n else params  # type: ignore[arg-type]


def moments(zeros: list[float]) -> object:
    """A list of zeros that nobody but Adam sees, as an array."""
    return array.array("d", zeros) if type(zeros) is list else zeros
