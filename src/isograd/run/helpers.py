"""A backward() that leaves the walk to another function: the two as one.

`order = sort(root)` stands for the body of sort(), whose parameter is then the root. The names of
the two cannot be mixed up, as each keeps the scope that it had.
"""

from __future__ import annotations

import ast

from .facts import Facts, copied, name_of, without_docstring


def with_helper(
    function: ast.FunctionDef, script: Facts
) -> tuple[ast.FunctionDef, ast.FunctionDef | None]:
    """`function` with the body of the one that it calls, and that one; or itself and None."""
    me = function.args.args[0].arg if function.args.args else ""
    for i, statement in enumerate(function.body):
        call = call_in(statement)
        helper = helper_of(call, me, script) if call else None
        if call is None or helper is None or helper is function:
            continue
        *walk, ends = [renamed(part, helper, call.args[0], script) for part in body_of(helper)]
        assert isinstance(ends, ast.Return) and isinstance(ends.value, ast.Name)
        rest = function.body[i + 1 :]
        if isinstance(statement, ast.Assign):
            name = name_of(statement.targets[0])
            rest = [Named(name, ends.value, script).visit(copy(part, script)) for part in rest]
        else:
            rest = [Called(call, ends.value).visit(copy(statement, script)), *rest]
        body = [*function.body[:i], *walk, *rest]
        whole = ast.FunctionDef(function.name, function.args, body, function.decorator_list)
        ast.copy_location(whole, function)
        script.scopes[whole] = script.scopes[helper]  # the module's, around both
        return whole, helper
    return function, None


def is_called_once(helper: ast.FunctionDef, script: Facts) -> bool:
    """Whether nothing but the one call names it."""
    named = [n for n in script.nodes if isinstance(n, ast.Name) and n.id == helper.name]
    imported = [n for n in script.nodes if isinstance(n, ast.alias) and helper.name in n.name]
    return len(named) == 1 and not imported


def call_in(statement: ast.stmt) -> ast.Call | None:
    """The call in `order = f(x)` or `for node in reversed(f(x))`."""
    match statement:
        case ast.Assign(targets=[ast.Name()], value=ast.Call() as call):
            return call
        case ast.For(iter=ast.Call(func=ast.Name(id="reversed"), args=[ast.Call() as call])):
            return call
        case ast.For(iter=ast.Subscript(value=ast.Call() as call)):
            return call
    return None


def helper_of(call: ast.Call, me: str, script: Facts) -> ast.FunctionDef | None:
    """The function of the module that is called with the root, and ends with a list of its own."""
    match call:
        case ast.Call(func=ast.Name() as called, args=[ast.Name(id=root)], keywords=[]):
            pass
        case _:
            return None
    found = [n for n in script.tree.body if isinstance(n, ast.FunctionDef) and n.name == called.id]
    owner = script.scopes[called].owner(called.id)
    bound = [b for b in script.bindings if b.name == called.id and b.scope is owner]
    if root != me or len(found) != 1 or len(bound) != 1 or owner is not owner_of(found[0], script):
        return None
    (helper,) = found
    args = helper.args
    plain = not (args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs or args.defaults)
    if not plain or len(args.args) != 1 or helper.decorator_list:
        return None
    inside = script.scopes[args.args[0]]
    returns = [
        n for n in ast.walk(helper) if isinstance(n, ast.Return) and script.scopes[n] is inside
    ]
    ends = body_of(helper)[-1]
    named = isinstance(ends, ast.Return) and isinstance(ends.value, ast.Name)
    names = [n for n in ast.walk(helper) if isinstance(n, ast.Name) and n.id == args.args[0].arg]
    kept = all(isinstance(n.ctx, ast.Load) for n in names)
    return helper if named and returns == [ends] and kept else None


def owner_of(function: ast.FunctionDef, script: Facts) -> object:
    return script.scopes[function].owner(function.name)


def body_of(function: ast.FunctionDef) -> list[ast.stmt]:
    return without_docstring(function.body)


def copy(part: ast.stmt, script: Facts) -> ast.stmt:
    """A copy whose names are in the scopes that they were in."""
    twins: dict[ast.AST, ast.AST] = {}
    twin = copied(part, twins)
    for old, new in twins.items():
        if old in script.scopes:
            script.scopes[new] = script.scopes[old]
    return twin


def renamed(part: ast.stmt, helper: ast.FunctionDef, root: ast.expr, script: Facts) -> ast.stmt:
    """A copy of a statement of the helper, where the root stands for its parameter."""
    assert isinstance(root, ast.Name)
    twin: ast.stmt = Named(helper.args.args[0].arg, root, script, helper).visit(copy(part, script))
    return twin


class Named(ast.NodeTransformer):
    """Puts another variable where a name is read; that of `helper`'s own scope, if there is one."""

    def __init__(
        self, name: str, other: ast.Name, script: Facts, helper: ast.FunctionDef | None = None
    ) -> None:
        self.name = name
        self.other = other
        self.script = script
        self.owner = script.scopes[helper.args.args[0]] if helper else None

    def visit_Name(self, node: ast.Name) -> ast.Name:
        owner = self.script.scopes[node].owner(node.id)
        if node.id != self.name or (self.owner and owner is not self.owner):
            return node
        twin = ast.copy_location(ast.Name(self.other.id, node.ctx), node)
        self.script.scopes[twin] = self.script.scopes[self.other]
        return twin


class Called(ast.NodeTransformer):
    """Puts a variable where the call stands."""

    def __init__(self, call: ast.Call, name: ast.Name) -> None:
        self.text = ast.dump(call)
        self.name = name

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if ast.dump(node) == self.text:
            return self.name
        self.generic_visit(node)
        return node
