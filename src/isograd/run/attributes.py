"""What the compiled class has besides numbers and edges, as the script's class would have it.

Attributes such as a label lie in a table beside the nodes; one that nothing reads is dropped.
Whoever would take a node apart (a copy, a pickle, sys.getsizeof) gets what the script's class
gives, or ends the run.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .. import _core
from .plan import Adoption
from .stop import Sentence

MAX_KEPT = 1_000_000
FEW = 16
LIMIT = 2**53


class Table:
    """What is kept of each node. Nodes that nothing else refers to are let go now and then."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[Any, dict[str, Any]]] = {}
        self.limit = FEW
        alone = (_core.Value(0), self)
        self.alone = sys.getrefcount(alone[0])

    def row(self, node: Any) -> dict[str, Any]:
        found = self.rows.get(id(node))
        return found[1] if found else {}

    def put(self, node: Any, name: str, value: Any) -> None:
        if id(node) not in self.rows:
            if len(self.rows) >= self.limit:
                self.let_go()
            if len(self.rows) >= MAX_KEPT:
                _core.stop_script(Sentence(f"keeps .{name} of more nodes than there is room for"))
            self.rows[id(node)] = (node, {})
        self.rows[id(node)][1][name] = value

    def let_go(self) -> None:
        alone = [i for i, row in self.rows.items() if sys.getrefcount(row[0]) <= self.alone]
        for i in alone:
            del self.rows[i]
        self.limit = max(FEW, 2 * len(self.rows))


class Kept:
    """An attribute, in a table by node."""

    def __init__(self, name: str, class_name: str, default: tuple[Any, ...], table: Table) -> None:
        self.name = name
        self.class_name = class_name
        self.default = default  # its value, if it has one
        self.table = table

    def __get__(self, node: Any, kind: Any = None) -> Any:
        row = self.table.row(node)
        if self.name in row:
            return row[self.name]
        if not self.default:
            raise AttributeError(
                f"{self.class_name!r} object has no attribute {self.name!r}",
                name=self.name,
                obj=node,
            )
        return self.default[0]

    def __set__(self, node: Any, value: Any) -> None:
        self.table.put(node, self.name, value)

    def __delete__(self, node: Any) -> None:
        _core.stop_script(Sentence(f"deletes .{self.name}, which the compiled class cannot"))


class Sign(Kept):
    """One that operations write a text into: which, the node tells by how it was made."""

    def __init__(
        self,
        name: str,
        class_name: str,
        default: tuple[Any, ...],
        table: Table,
        texts: Mapping[str | int | None, tuple[str | None, ...]],
    ) -> None:
        super().__init__(name, class_name, default, table)
        self.texts = texts

    def __get__(self, node: Any, kind: Any = None) -> Any:
        if self.name in self.table.row(node):
            return super().__get__(node, kind)
        made, number = _core.made_by(node)
        parts = self.texts.get(made)
        if parts is None:
            return super().__get__(node, kind)
        return "".join(str(number) if part is None else part for part in parts)


class Distinct:
    """The children that a set would keep, in the order of insertion."""

    def __init__(self, children: Callable[[Any], tuple[Any, ...]]) -> None:
        self.children = children

    def __get__(self, node: Any, kind: Any = None) -> Any:
        return tuple(dict.fromkeys(self.children(node)))

    def __set__(self, node: Any, value: Any) -> None:
        raise AssertionError("no script assigns children")


class Dropped:
    """An attribute that nothing reads."""

    def __set__(self, node: Any, value: Any) -> None:
        pass

    def __delete__(self, node: Any) -> None:
        _core.stop_script(Sentence("deletes an attribute, which the compiled class cannot"))


def attributes(original: Any, adoption: Adoption) -> dict[str, Any]:
    """Descriptors by name."""
    found: dict[str, Any] = {}
    defaults = defaults_of(original)
    table = Table()
    for name, way in adoption.kept.items():
        if way == "dropped":
            found[name] = Dropped()
            continue
        value = adoption.shape.extras.get(name)
        default: tuple[Any, ...] = ()
        parameter = getattr(value, "id", None)
        if parameter in defaults:
            default = (defaults[parameter],)
        elif value is not None and parameter is None:
            default = (ast.literal_eval(value),)
        texts = texts_of(adoption, name)
        made = (name, original.__name__, default, table)
        found[name] = Sign(*made, texts) if texts else Kept(*made)
    if adoption.shape.is_set:
        found[adoption.shape.children] = Distinct(_core.Value.__dict__["_children"].__get__)
    return found


def texts_of(adoption: Adoption, name: str) -> dict[str | int | None, tuple[str | None, ...]]:
    """The texts of one attribute by what made_by() gives; empty if no operation writes any."""
    found = {method: texts[name] for method, texts in adoption.texts.items() if name in texts}
    order = list(adoption.kernels)
    return {
        order.index(method) + 1 if method in adoption.kernels else method: parts
        for method, parts in found.items()
    }


def defaults_of(original: Any) -> dict[str, Any]:
    """The defaults of its constructor's parameters."""
    code = original.__init__.__code__
    names = code.co_varnames[: code.co_argcount]
    values = original.__init__.__defaults__ or ()
    return dict(zip(names[len(names) - len(values) :], values))


def constructor(original: Any, adoption: Adoption) -> Callable[..., Any]:
    """What makes a node of the script's own parameters, or NotImplemented where it must say why."""
    shape = adoption.shape
    roles = shape.roles
    extras = [
        (name, getattr(value, "id", ""))
        for name, value in shape.extras.items()
        if adoption.kept.get(name) == "read"
    ]

    def construct(args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        given = dict(zip(shape.parameters, args))
        if len(args) > len(shape.parameters) or given.keys() & keywords.keys():
            return NotImplemented
        given.update(keywords)
        if given.keys() - {*shape.parameters} or len(given) < shape.n_required:
            return NotImplemented
        by_role = {roles[name]: value for name, value in given.items() if name in roles}
        data: Any = by_role.get("data")
        if shape.float_data and type(data) in (int, bool) and abs(data) < 2**1000:
            data = float(data)
        local_grads = by_role.get("locals", ())
        if not is_number(data) or not all(map(is_number, local_grads)):
            return NotImplemented
        children = tuple(by_role.get("children", ()))
        if shape.closure and children:
            return NotImplemented
        made = make(data, children, tuple(local_grads))
        for name, parameter in extras:
            if parameter in given:
                setattr(made, name, given[parameter])
        return made

    return construct


def make(data: float, children: tuple[Any, ...], local_grads: tuple[Any, ...]) -> Any:
    """A node, past the constructor that stands for the script's."""
    made = _core.Value.__new__(_core.Value)
    _core.Value.__init__(made, data, children, local_grads)
    return made


def is_number(x: object) -> bool:
    return type(x) is float or (type(x) is int and -LIMIT < x < LIMIT)


# ---- who takes nodes apart ----


def guards(original: Any, adoption: Adoption) -> dict[str, Any]:
    """Special methods, by name."""
    size = size_of(original)
    children = _core.Value.__dict__["_children"].__get__
    names = [adoption.shape.data, adoption.shape.grad]
    names += [name for name, way in adoption.kept.items() if way == "read"]

    def copy(node: Any, memo: object = None) -> Any:
        if type(node) is not _core.Value or children(node):
            _core.stop_script(Sentence("copies a result, which the compiled class cannot"))
        twin = _core.Value.__new__(_core.Value)
        for name in names:
            if hasattr(node, name):
                setattr(twin, name, getattr(node, name))
        return twin

    def reduce(node: Any, protocol: object = None) -> Any:
        _core.stop_script(Sentence("pickles a node, which the compiled class cannot"))

    return {
        "__copy__": copy,
        "__deepcopy__": copy,
        "__reduce_ex__": reduce,
        "__reduce__": reduce,
        "__sizeof__": lambda node: size,
    }


def size_of(original: Any) -> int:
    """What sys.getsizeof() says of an instance."""
    try:
        return sys.getsizeof(original(1.0))
    except Exception:  # whatever its own code says
        return sys.getsizeof(original.__new__(original))
