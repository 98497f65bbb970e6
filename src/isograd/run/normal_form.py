"""The normal form of a function: without what has no meaning, and one for equal ways of writing.

Equal for every function, whatever it computes; what only some may exchange stands in programs.py.
statements.py treats statements, their order and their locals. meaning.py says what it is all for.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from .facts import copied, name_of, without_docstring
from .scopes import Scope
from .statements import in_order, inlined, positive, split, without_continue

Scopes = Mapping[ast.AST, Scope]


@dataclass(frozen=True)
class Vocabulary:
    """What a script calls its class, the parameters of its __init__(), and its edges."""

    class_name: str = "Value"
    parameters: tuple[str, ...] = ("data", "children", "local_grads")
    edges: Mapping[str, str] = field(default_factory=dict)  # the script's name: ours


OURS = Vocabulary()


def normal_form(
    function: ast.FunctionDef, vocabulary: Vocabulary, scopes: Scopes
) -> ast.FunctionDef:
    """A copy of `function`, which is left as it is, in normal form and in our vocabulary."""
    twins: dict[ast.AST, ast.AST] = {}
    form = copied(function, twins)
    form_scopes = {twin: scopes[node] for node, twin in twins.items() if node in scopes}
    Normalise(vocabulary, form_scopes).visit(form)
    rename = Rename(vocabulary, form_scopes, scopes[function])
    for part in (form.args, *form.body):
        rename.visit(part)
    if form.name == "__init__" and all(map(is_plain_store, form.body)):
        form.body.sort(key=ast.dump)
    return form


class Normalise(ast.NodeTransformer):
    """Drops annotations and the like, and brings equal expressions and statements into one form."""

    def __init__(self, vocabulary: Vocabulary, scopes: dict[ast.AST, Scope]) -> None:
        self.vocabulary = vocabulary
        self.scopes = scopes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = node.type_comment = None
        body = [part for statement in without_docstring(node.body) for part in split(statement)]
        body = [statement for statement in body if not isinstance(statement, ast.Pass)]
        node.body = inlined(in_order(body)) or [ast.Pass()]
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = node.type_comment = None
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        node.kind = None
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        self.generic_visit(node)
        node.type_comment = None
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        node.body = without_continue(node.body)
        self.generic_visit(node)
        node.type_comment = None
        return node

    def visit_While(self, node: ast.While) -> ast.While:
        node.body = without_continue(node.body)
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        self.generic_visit(node)
        node.msg = None  # where it fails, the script's own method is asked
        return node

    def visit_If(self, node: ast.If) -> ast.stmt:
        """Makes `x = x if isinstance(x, C) else C(x)` of `if not isinstance(x, C): x = C(x)`."""
        self.generic_visit(node)
        match node:
            case ast.If(
                test=ast.UnaryOp(op=ast.Not(), operand=ast.Call() as test),
                body=[ast.Assign(targets=[ast.Name() as target], value=value)],
                orelse=[],
            ):
                same = ast.copy_location(ast.Name(target.id, ast.Load()), target)
                self.scopes[same] = self.scopes[target]
                choice = ast.IfExp(test, same, value)
                return ast.copy_location(ast.Assign([target], choice), node)
        return positive(node)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        match node:
            case ast.Call(
                func=ast.Name(id="sum" | "max"), args=[ast.GeneratorExp() as terms], keywords=[]
            ):
                node.args = [ast.ListComp(terms.elt, terms.generators)]
        if name_of(node.func) == self.vocabulary.class_name:
            self.construct(node)
        return node

    def construct(self, node: ast.Call) -> None:
        """Makes keywords positional, and lists of edges tuples."""
        by_name = {keyword.arg: keyword.value for keyword in node.keywords}
        missing = self.vocabulary.parameters[len(node.args) :][: len(by_name)]
        if set(by_name) == set(missing):
            node.args += [by_name[parameter] for parameter in missing]
            node.keywords = []
        for i, arg in enumerate(node.args):
            if i > 0 and isinstance(arg, ast.List):
                node.args[i] = ast.Tuple(arg.elts, arg.ctx)


class Rename(ast.NodeVisitor):
    """Numbers local names in the order in which they come, and gives class and edges our names."""

    def __init__(self, vocabulary: Vocabulary, scopes: Scopes, outer: Scope) -> None:
        self.vocabulary = vocabulary
        self.scopes = scopes
        self.outer = outer  # where the function is defined
        self.numbers: dict[tuple[Scope, str], str] = {}

    def ours(self, name: str, node: ast.AST) -> str:
        owner = self.scopes[node].owner(name)
        if owner and owner.is_inside(self.outer):
            return self.numbers.setdefault((owner, name), f"local {len(self.numbers)}")
        if owner and owner.parent:
            return f"?{name}"  # of a function around this one
        return OURS.class_name if name == self.vocabulary.class_name else name

    def visit_Name(self, node: ast.Name) -> None:
        node.id = self.ours(node.id, node)

    def visit_arg(self, node: ast.arg) -> None:
        node.arg = self.ours(node.arg, node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        node.name = self.ours(node.name, node)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        node.attr = self.vocabulary.edges.get(node.attr, node.attr)


def is_plain_store(node: ast.stmt) -> bool:
    """Whether it is `self.name = name` or a constant: such statements may change places."""
    match node:
        case ast.Assign(targets=[ast.Attribute()], value=ast.Name() | ast.Constant()):
            return True
    return False
