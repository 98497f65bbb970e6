"""The class of a script that is not written in one piece: bases, methods from outside, type().

Such a class is read as if its methods stood in it. Nothing is moved: the script's own statements
put it together, and ours takes its place once they are done. Until then only statements run that
cannot make a Value, so that no program sees the class half done.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field

from .facts import Facts, name_of, without_docstring
from .scopes import evaluated_outside

# What types are written with.
GENERIC = frozenset(
    "list tuple dict set List Tuple Dict Set Sequence Iterable Optional Union Callable Any".split()
)


@dataclass(eq=False)
class Assembled:
    """A class, as one definition."""

    node: ast.ClassDef  # with all methods; the script's own where that is all
    pieces: list[ast.ClassDef]  # the script's definitions that it is made of
    functions: list[ast.FunctionDef] = field(default_factory=list)  # of the module: its methods
    statements: list[ast.stmt] = field(default_factory=list)  # that put it together
    slots: list[ast.stmt] = field(default_factory=list)  # its __slots__, where a base has none

    @property
    def written(self) -> ast.ClassDef:
        return self.pieces[0] if self.pieces else self.node

    @property
    def frame(self) -> set[ast.AST]:
        """What of the statements is no method: it names the class and its members."""
        frame = [*self.statements, *self.slots]
        whole = [part for statement in frame for part in ast.walk(statement)]
        lambdas = [part for part in whole if isinstance(part, ast.Lambda)]
        return {*whole} - {part for function in lambdas for part in ast.walk(function)}

    @property
    def last(self) -> ast.stmt | None:
        """The statement that completes it; None where it is complete as it is defined."""
        return self.statements[-1] if self.statements else None


def assembled_classes(script: Facts) -> list[Assembled]:
    """Those at the top level of a script, less those that are bases of others only."""
    found = [Assembly(script, place).assembled() for place in script.tree.body if is_class(place)]
    bases = {piece for each in found for piece in each.pieces[1:]}
    return [each for each in found if each.written not in bases]


def classes_of_one_piece(script: Facts) -> list[Assembled]:
    return [Assembled(n, [n]) for n in script.tree.body if isinstance(n, ast.ClassDef)]


def is_class(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ClassDef) or call_of_type(statement) is not None


def call_of_type(statement: ast.stmt) -> tuple[str, ast.Dict] | None:
    """The name and members in `C = type("C", (), {..})`."""
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(
                func=ast.Name(id="type"),
                args=[
                    ast.Constant(value=called),
                    ast.Tuple(elts=[] | [ast.Name(id="object")]),
                    ast.Dict() as members,
                ],
                keywords=[],
            ),
        ) if called == name:
            return name, members
    return None


class Assembly:
    """Puts one class together."""

    def __init__(self, script: Facts, place: ast.stmt) -> None:
        self.script = script
        self.place = place
        self.functions: list[ast.FunctionDef] = []
        self.statements: list[ast.stmt] = []
        self.slots: list[ast.stmt] = []
        self.defined = {n.name: n for n in script.tree.body if isinstance(n, ast.FunctionDef)}

    def assembled(self) -> Assembled:
        made = call_of_type(self.place)
        if made is not None:
            return self.of_type(*made)
        place = self.place
        assert isinstance(place, ast.ClassDef)
        pieces, body = [place], list(place.body)
        bases = [base for base in place.bases if name_of(base) != "object"]
        if bases and not (place.keywords or getattr(place, "type_params", None)):
            found = self.with_bases(place, bases)
            if found is not None:
                (pieces, body), bases = found, []
        later = self.assigned_later(place.name)
        if (len(pieces) == 1 and not later) or getattr(place, "type_params", None):
            return Assembled(place, pieces)
        node = ast.ClassDef(
            place.name, bases, place.keywords, body + later, [*place.decorator_list]
        )
        return Assembled(self.placed(node), pieces, self.functions, self.statements, self.slots)

    def placed(self, node: ast.ClassDef) -> ast.ClassDef:
        """The definition as one that stands where the script's does."""
        ast.copy_location(node, self.place)
        self.script.parents[node] = self.script.tree
        return node

    def of_type(self, name: str, members: ast.Dict) -> Assembled:
        body: list[ast.stmt] = []
        for key, value in zip(members.keys, members.values):
            member = None
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                member = self.member(key.value, value, self.place, "")
            if member is None:
                body = []  # which is no class of numbers
                break
            body.append(member)
        self.statements.append(self.place)
        node = ast.ClassDef(name, [], [], body + self.assigned_later(name), [])
        return Assembled(self.placed(node), [], self.functions, self.statements, self.slots)

    # ---- members from outside ----

    def assigned_later(self, name: str) -> list[ast.stmt]:
        """What `C.f = ..` adds, as members, where nothing before it can use the class."""
        members: list[ast.stmt] = []
        body = self.script.tree.body
        for statement in body[body.index(self.place) + 1 :]:
            match statement:
                case ast.Assign(
                    targets=[ast.Attribute(value=ast.Name(id=owner), attr=attr)], value=value
                ) if owner == name:
                    member = self.member(attr, value, statement, name)
                    if member is None:
                        break
                    members.append(member)
                    self.statements.append(statement)
                case _:
                    if not is_inert(statement, body):
                        break
        return members

    def member(self, name: str, value: ast.expr, place: ast.stmt, owner: str) -> ast.stmt | None:
        """A member as a statement of the class; None if it is none that can be one."""
        match value:
            case ast.Lambda():
                return self.assigned(name, value, place)
            case ast.Tuple() if name == "__slots__" and not owner:
                return self.assigned(name, value, place)
            case ast.Attribute(value=ast.Name(id=of), attr=other) if owner and of == owner:
                return self.assigned(name, ast.Name(other, ast.Load()), place)
            case ast.Name() if self.is_only_here(value):
                return self.method(name, self.defined[value.id])
        return None

    def assigned(self, name: str, value: ast.expr, place: ast.stmt) -> ast.stmt:
        made = ast.Assign([ast.Name(name, ast.Store())], value)
        for part in (made, made.targets[0], value):
            self.script.scopes.setdefault(part, self.script.scopes[place])
            if not hasattr(part, "lineno"):
                ast.copy_location(part, place)
        return made

    def method(self, name: str, function: ast.FunctionDef) -> ast.FunctionDef:
        self.functions.append(function)
        if function.name == name:
            return function
        made = ast.FunctionDef(name, function.args, function.body, function.decorator_list)
        ast.copy_location(made, function)
        self.script.scopes[made] = self.script.scopes[function]
        return made

    def is_only_here(self, name: ast.Name) -> bool:
        """Whether it is a function of the module that nothing else mentions."""
        function = self.defined.get(name.id)
        scopes = self.script.scopes
        if function is None or scopes[name].kind != "module" or function.decorator_list:
            return False
        bound = [b for b in self.script.bindings if b.name == name.id and b.scope.kind == "module"]
        return len(bound) == 1 and self.script.uses(name) == [name]

    # ---- bases ----

    def with_bases(
        self, place: ast.ClassDef, bases: list[ast.expr]
    ) -> tuple[list[ast.ClassDef], list[ast.stmt]] | None:
        """The definitions and members of the class and its base; None if it has others."""
        if len(bases) != 1 or not isinstance(bases[0], ast.Name):
            return None
        base = next((n for n in self.script.tree.body if is_base(n, bases[0].id)), None)
        if not isinstance(base, ast.ClassDef) or self.script.uses(bases[0]) != [bases[0]]:
            return None
        bound = [b for b in self.script.bindings if b.name == base.name]
        above = [other for other in base.bases if name_of(other) != "object"]
        found = self.with_bases(base, above) if above else ([base], list(base.body))
        if found is None or len(bound) != 1:
            return None
        pieces, inherited = found
        own = {name for statement in place.body for name in names_of(statement)}
        own |= {"__hash__"} if "__eq__" in own else set()  # which Python then sets to None
        kept = [
            statement
            for statement in without_docstring(inherited)
            if not {*names_of(statement)} & own and not isinstance(statement, ast.Pass)
        ]
        body = list(place.body)
        if not any("__slots__" in names_of(statement) for statement in inherited):
            self.slots += [part for part in body if "__slots__" in names_of(part)]
            body = [part for part in body if part not in self.slots]
        return [place, *pieces], [*body, *kept]


def is_base(statement: ast.stmt, name: str) -> bool:
    """Whether it is a class of that name with nothing but methods and texts in it."""
    match statement:
        case ast.ClassDef(decorator_list=[], keywords=[]) if statement.name == name:
            return all(
                isinstance(part, (ast.FunctionDef, ast.Pass)) or is_text(part) or has_no_slots(part)
                for part in statement.body
            ) and not getattr(statement, "type_params", None)
    return False


def is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def has_no_slots(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id="__slots__")], value=ast.Tuple(elts=[])):
            return True
    return False


def names_of(statement: ast.stmt) -> list[str]:
    """What a statement of a class defines."""
    match statement:
        case ast.FunctionDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return list(map(name_of, targets))
    return []


# ---- statements that cannot use the class ----


def is_inert(statement: ast.stmt, script: list[ast.stmt]) -> bool:
    """Whether it runs no code of the script: it defines a function, a constant or a class."""
    match statement:
        case ast.FunctionDef(decorator_list=[]):
            return all(map(is_inert_value, evaluated(statement)))
        case ast.ClassDef(decorator_list=[], keywords=[], bases=bases, body=body):
            hooks = any("__init_subclass__" in names_of(part) for part in body)
            inert = all(is_inert(part, script) for part in body)
            return inert and not hooks and all(is_inert_base(base, script) for base in bases)
        case ast.Import(names=names):
            return {alias.name.split(".")[0] for alias in names} <= sys.stdlib_module_names
        case ast.ImportFrom(module=str(module), level=0):
            return module.split(".")[0] in sys.stdlib_module_names
        case ast.Assign(targets=[ast.Name()], value=value):
            return is_inert_value(value)
        case ast.Pass():
            return True
    return is_text(statement)


def is_inert_base(base: ast.expr, script: list[ast.stmt]) -> bool:
    """Whether it is a class of the script that does nothing when it gets a subclass."""
    name = name_of(base)
    found = [part for part in script if isinstance(part, ast.ClassDef) and part.name == name]
    return name == "object" or (bool(found) and all(is_inert(part, script) for part in found))


def evaluated(function: ast.FunctionDef) -> list[ast.expr]:
    """What a definition evaluates."""
    returns = [function.returns] if function.returns else []
    return [*evaluated_outside(function.args), *returns]


def is_inert_value(node: ast.expr) -> bool:
    match node:
        case ast.Lambda(args=args):
            return all(map(is_inert_value, evaluated_outside(args)))
        case ast.Subscript(value=ast.Name(id=name), slice=inner):
            return name in GENERIC and is_inert_value(inner)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return all(map(is_inert_value, parts))
        case ast.UnaryOp(operand=ast.Constant()):
            return True
    return isinstance(node, (ast.Constant, ast.Name))
