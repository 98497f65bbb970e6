"""What the changed script calls: the compiled class and functions, and what stands around loops.

Whatever ours cannot do, the script's own code is asked to do, so errors are its own.
"""

from __future__ import annotations

import array
import operator
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import _core
from .plan import Plan
from .rewriting import name_of_ours
from .stop import SayWhy


def provide(plan: Plan, variables: dict[str, Any], say: SayWhy) -> None:
    """Puts what the changed tree names among the script's `variables`."""
    provided: dict[str, Callable[..., object]] = {
        "class": lambda original: adopt(original, plan, say),
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
    for kind, function in provided.items():
        variables[name_of_ours(kind)] = function


# ---- the class ----


def adopt(original: Any, plan: Plan, say: SayWhy) -> type:
    """The compiled class in the place of `original`, with what that has beyond it.

    The script's variables own what refers to them, as they do its own class: at the end of the
    program all are freed together, and destructors run.
    """
    variables = original.__init__.__globals__
    methods = {name: original.__dict__[name] for name in plan.extra}
    replay = Replay(original, variables)
    _core.adopt_class(original.__name__, plan.absent, methods, replay, say)
    variables[name_of_ours("members")] = _core.hand_over_members()
    return _core.Value


class Replay:
    """Does an operation once more, with the script's own class, to raise what that raises."""

    def __init__(self, original: type, variables: dict[str, Any]) -> None:
        self.original = original
        self.variables = variables

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
        _core.stop_script(getattr(result, "data", result))

    def own_class(self, variables: dict[str, Any]) -> type:
        """The script's class again, whose methods mean it by its name, among the `variables`."""
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


# ---- loops ----


def adam(iterator: Iterator[Any], values: Callable[[], tuple[Any, ...]]) -> Iterator[Any]:
    """Updates parameters as the loop over `iterator` would; an iterator over those that are left.

    The last one always is, so that the loop's variables are what they would be. `values()` are the
    parameters, their moments, the rates and whether the loop resets the gradients.
    """
    try:
        params, m, v, *rates, resets = values()
        if type(params) not in (list, tuple) or not all(map(is_number, rates)):
            return iterator
        n = _core.adam_but_last(tuple(params), m, v, tuple(rates), resets)
    except Exception:  # which the loop will raise itself, nothing having been updated
        return iterator
    return enumerate(after(params, n), n) if n else iterator


def is_number(x: object) -> bool:
    return type(x) is float or (type(x) is int and abs(x) < 2**53)


def zero(params: Iterable[Any]) -> Iterable[Any]:
    """Resets the gradients of all but the last; an iterable over what is left."""
    if type(params) is not list and type(params) is not tuple:
        return params
    n = _core.zero_grad_but_last(tuple(params))
    return after(params, n) if n else params


def after(params: list[Any] | tuple[Any, ...], n: int) -> Iterator[Any]:
    """An iterator over `params` that has passed n of them."""
    iterator = iter(params)
    operator.methodcaller("__setstate__", n)(iterator)
    return iterator


def moments(zeros: list[float]) -> object:
    """A list of zeros that nobody but Adam sees, as an array."""
    return array.array("d", zeros) if type(zeros) is list else zeros
