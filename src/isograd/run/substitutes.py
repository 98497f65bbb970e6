"""What the changed script calls: the compiled class and functions, and what stands around loops.

Whatever ours cannot do, the script's own code is asked to do, so errors are its own.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable
from typing import Any

from .. import _core
from .attributes import attributes, constructor, guards
from .plan import Adoption, Plan
from .rewriting import name_of_ours
from .stop import SayWhy
from .turns import adam, moments, turns, zero


def provide(plan: Plan, variables: dict[str, Any], say: SayWhy) -> None:
    """Puts what the changed tree names among the script's `variables`."""
    provided: dict[str, Callable[..., object]] = {
        "class": lambda original: adopt(original, plan.adoption, say),
        "backward": Backward,
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
    for i, (kind, parts) in enumerate(plan.loops):
        provided[f"loop {i}"] = turns(kind, parts)
    for kind, function in provided.items():
        variables[name_of_ours(kind)] = function


# ---- the class ----


def adopt(original: Any, adoption: Adoption | None, say: SayWhy) -> type:
    """The compiled class in the place of `original`, with what that has beyond it.

    The script's variables own what refers to them, as they do its own class: at the end of the
    program all are freed together, and destructors run.
    """
    assert adoption
    variables = original.__init__.__globals__
    replay = Replay(original, variables, adoption.shape.data, adoption.shape.grad)
    members = members_of(original)
    methods = {name: members[name] for name in adoption.extra}
    for sign, (name, kernel) in enumerate(adoption.kernels.items(), 1):
        method = members[name]
        fallback = Replayed(name, replay, method) if adoption.shape.closure else method
        defaults = method.__defaults__ or ()
        parts = (fallback, kernel.code, kernel.constants, kernel.layout, defaults, sign)
        methods[name] = _core.compiled_function(parts, "kernel")
        if isinstance(fallback, Replayed):
            fallback.kernel = methods[name]
    for name in _core.unary_methods:
        if isinstance(members.get(name), types.FunctionType):
            methods[name_of_ours(f"method {name}")] = Method(name, members[name], replay)
    methods |= attributes(original, adoption) | guards(original, adoption)
    methods["isograd construct"] = constructor(original, adoption)
    _core.adopt_class(original.__name__, adoption.absent, methods, replay, say)
    variables[name_of_ours("members")] = _core.hand_over_members()
    return _core.Value


def members_of(original: type) -> dict[str, Any]:
    """What it has itself or from bases of the script's."""
    classes = original.__mro__[:-1]  # all but object
    return {name: member for each in reversed(classes) for name, member in each.__dict__.items()}


class Replayed:
    """A method that can only be asked what it raises: its class has closures."""

    def __init__(self, name: str, replay: Replay, method: types.FunctionType) -> None:
        self.name = name
        self.replay = replay
        self.method = method
        self.names = method.__code__.co_varnames[: method.__code__.co_argcount]
        self.kernel: Callable[..., Any] | None = None

    def __call__(self, /, *args: Any, **keywords: Any) -> Any:
        named = self.names[len(args) : len(args) + len(keywords)]
        if keywords and self.kernel and {*named} == {*keywords}:
            return self.kernel(*args, *[keywords[name] for name in named])
        raise self.replay(self.name, args, keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.method, name)


class Method:
    """A method of ours, read from the class, as the function that the script has there."""

    def __init__(self, name: str, original: types.FunctionType, replay: Replay) -> None:
        self.name = name
        self.original = original
        self.replay = replay

    def __call__(self, /, *args: Any, **keywords: Any) -> Any:
        operands = [*args, *keywords.values()]
        named = {*keywords} <= {*self.original.__code__.co_varnames[:1]}
        if len(operands) == 1 and named and type(operands[0]) is _core.Value:
            return getattr(operands[0], self.name)()
        raise self.replay(self.name, args, keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class Backward:
    """A function of the script that is backward()."""

    def __init__(self, original: Callable[[Any], None]) -> None:
        self.original = original

    def __call__(self, /, *args: Any, **keywords: Any) -> None:
        compiled = getattr(_core.Value, name_of_ours("backward"), None)
        if compiled and len(args) == 1 and not keywords and type(args[0]) is _core.Value:
            return compiled(args[0])  # type: ignore[no-any-return]
        return self.original(*args, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class Replay:
    """Does an operation once more, with the script's own class, to raise what that raises."""

    def __init__(
        self,
        original: type,
        variables: dict[str, Any],
        data: str = "data",
        grad: str = "grad",
    ) -> None:
        self.original = original
        self.variables = variables
        self.data = data
        self.grad = grad

    def __call__(
        self, name: str, args: tuple[Any, ...], keywords: dict[str, Any] | None
    ) -> BaseException:
        variables = dict(self.variables)
        own_class = self.own_class(variables)
        args = tuple(self.own(own_class, arg) for arg in args)
        known: dict[str, Callable[..., object]] = {"__init__": own_class, "pow": pow}
        function = known.get(name) or getattr(operator, name, None) or getattr(own_class, name)
        try:
            result = function(*args, **(keywords or {}))
        except Exception as error:
            return without_first_frame(error)
        finally:
            variables.clear()  # or what they hold would live as long as the class, a cycle
        _core.stop_script(getattr(result, self.data, result))

    def own_class(self, variables: dict[str, Any]) -> type:
        """The script's class again, whose methods mean it by its name, among the `variables`."""
        body = {
            name: copied(member, variables) if isinstance(member, types.FunctionType) else member
            for name, member in members_of(self.original).items()
            if not isinstance(member, (types.MemberDescriptorType, types.GetSetDescriptorType))
        }
        if self.original.__dictoffset__:  # its base has no slots
            body.pop("__slots__", None)
        own_class = type(self.original.__name__, (), body)
        own_class.__qualname__ = self.original.__qualname__
        variables[self.original.__name__] = own_class
        return own_class

    def own(self, own_class: Any, arg: Any) -> Any:
        if type(arg) is not _core.Value:
            return arg
        own = own_class(getattr(arg, self.data))
        setattr(own, self.grad, getattr(arg, self.grad))
        return own


def without_first_frame(error: BaseException) -> BaseException:
    """The error, less where it was caught: no variable there may hold the frame that holds it."""
    entry = error.__traceback__
    return error.with_traceback(entry.tb_next if entry else None)


def copied(function: types.FunctionType, variables: dict[str, Any]) -> types.FunctionType:
    """A function of the same code, with other global variables."""
    copy = types.FunctionType(
        function.__code__, variables, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    return copy
