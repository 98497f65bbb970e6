"""The script's class: whether ours can take its place, and what of it stays.

It must have all REQUIRED methods as we know them. It may lack others, write those of one operand in
its own way, and have more. What the rest of the script does with it is safety.py's question.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from .._core import unary_methods
from . import known
from .facts import name_of, without_docstring
from .meaning import Meaning
from .normal_form import Scopes, Vocabulary
from .plan import Different

REQUIRED = (
    "__init__",
    "__add__",
    "__mul__",
    "__pow__",
    "__neg__",
    "__radd__",
    "__rmul__",
    "backward",
)
ALIASES = {"__radd__": "__add__", "__rmul__": "__mul__"}


@dataclass
class ScriptClass:
    """A class in whose place ours can stand."""

    node: ast.ClassDef
    vocabulary: Vocabulary
    core: list[ast.stmt]  # the statements that ours replaces
    absent: tuple[str, ...]  # what ours has and it has not
    extra: tuple[str, ...]  # what it goes on doing in its own way

    @property
    def name(self) -> str:
        return self.node.name

    def has_as_we_know_it(self, method: str) -> bool:
        return method not in self.absent and method not in self.extra


@dataclass
class Members:
    """What stands in a class."""

    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)  # other names for a method
    slots: set[str] | None = None
    assignments: list[ast.stmt] = field(default_factory=list)  # the statements of both


def is_candidate(node: ast.ClassDef) -> bool:
    return any(isinstance(part, ast.FunctionDef) and part.name == "backward" for part in node.body)


def read_class(node: ast.ClassDef, scopes: Scopes) -> ScriptClass:
    """What ours must know to take the place of the class; raises Different if it cannot."""
    if node.bases or node.keywords or getattr(node, "type_params", None):
        raise Different("it has bases, keywords or type parameters")
    if node.decorator_list:
        raise Different("it is decorated")
    members = read_members(node)
    if "__init__" not in members.methods:
        raise Different("it has no __init__()")
    vocabulary = read_vocabulary(node.name, members.methods["__init__"])
    if members.slots is not None and members.slots != {"data", "grad", *vocabulary.edges}:
        raise Different("its __slots__ are not data, grad, children and local gradients")
    absent = absences(members)
    extra, ours = compare_methods(members, vocabulary, scopes)
    if set(vocabulary.edges) & {*members.methods, *members.aliases, "data", "grad"}:
        raise Different("its edges have the name of something else")
    return ScriptClass(node, vocabulary, [*members.assignments, *ours], absent, extra)


def read_members(node: ast.ClassDef) -> Members:
    """Raises Different at a statement that is no method, alias, annotation or slots."""
    members = Members()
    for statement in without_docstring(node.body):
        match statement:
            case ast.FunctionDef(name=name):
                if name in members.methods:
                    raise Different(f"line {statement.lineno} defines {name}() again")
                members.methods[name] = statement
            case ast.Assign(targets=[ast.Name(id="__slots__"), *_], value=value):
                members.slots = strings_in(value)
                members.assignments.append(statement)
            case ast.Assign(targets=[target, *_], value=ast.Name(id=method)):
                members.aliases[name_of(target)] = method
                members.assignments.append(statement)
            case ast.AnnAssign(value=None) | ast.Pass():
                pass
            case _:
                raise Different(f"line {statement.lineno} is no method")
    return members


def strings_in(node: ast.expr) -> set[str]:
    parts = getattr(node, "elts", [])
    return {str(part.value) for part in parts if isinstance(part, ast.Constant)}


def read_vocabulary(class_name: str, init: ast.FunctionDef) -> Vocabulary:
    """Finds the attributes in which __init__() keeps its second and third parameter.

    Raises Different unless there is one for each.
    """
    parameters = tuple(arg.arg for arg in init.args.args[1:])
    edges = {}
    for node in ast.walk(init):
        match node:
            case (
                ast.Assign(targets=[ast.Attribute(attr=attribute), *_], value=ast.Name(id=name))
                | ast.AnnAssign(target=ast.Attribute(attr=attribute), value=ast.Name(id=name))
            ) if name in parameters[1:3]:
                edges[attribute] = ("_children", "_local_grads")[parameters.index(name) - 1]
    if len(edges) != 2:
        raise Different(f"its __init__() in line {init.lineno} is not one we know")
    return Vocabulary(class_name, parameters, edges)


def absences(members: Members) -> tuple[str, ...]:
    """What ours has and the class does not; raises Different if it cannot do without."""
    for alias, method in members.aliases.items():
        if ALIASES.get(alias) != method:
            raise Different(f"{alias} = {method} is nothing we know")
    absent = [
        name for name in known.methods() if name not in {**members.methods, **members.aliases}
    ]
    for name in absent:
        if name in REQUIRED:
            raise Different(f"it has no {name}()")
    return (*absent, "__slots__") if members.slots is None else tuple(absent)


def compare_methods(
    members: Members, vocabulary: Vocabulary, scopes: Scopes
) -> tuple[tuple[str, ...], list[ast.stmt]]:
    """The names of the methods that the class keeps, and the definitions that ours replaces.

    Raises Different where it can do neither.
    """
    extra: list[str] = []
    replaced: list[ast.stmt] = []
    for name, node in members.methods.items():
        ways = known.methods().get(name, [])
        meaning = Meaning(node, vocabulary, scopes) if ways else None
        if meaning and known.is_known(meaning, ways):
            replaced.append(node)
        elif meaning and name not in unary_methods:
            line = meaning.line_unlike(way.meaning for way in ways)
            raise Different(f"its {name}() is another one: see line {line}")
        else:
            check_extra(name, node)
            extra.append(name)
    return tuple(extra), replaced


def check_extra(name: str, node: ast.FunctionDef) -> None:
    """Raises Different unless ours can have the method, too."""
    if name.startswith("__") and name.endswith("__") and name not in ("__repr__", "__str__"):
        raise Different(f"line {node.lineno} gives it a {name}(), which ours does not have")
    for decorator in node.decorator_list:
        if name_of(decorator) not in ("property", "staticmethod"):
            raise Different(f"{name}() in line {node.lineno} is decorated")
    is_mangled = name.startswith("__") and not name.endswith("__")
    if name in ("data", "grad", "_children", "_local_grads") or is_mangled:
        raise Different(f"{name}() in line {node.lineno} has a name that ours uses otherwise")
