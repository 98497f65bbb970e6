"""The programs that we know, and when a piece of Python is one of them; used by recognise.py.

Everything is a comparison of syntax trees: a definition of the script, with docstrings, annotations
and positions dropped and local names numbered, must equal one of the forms below. Forms that are
equal for reasons of arithmetic (`node.grad * local_grad` for `local_grad * node.grad`, say) are
written out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

# The class, method by method; several forms where a name comes more than once.
VALUE = """
class Value:
    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n):
        return Value(self.data**n, (self,), (n * self.data ** (n - 1),))

    def __pow__(self, n):
        assert isinstance(n, (int, float))
        return Value(self.data**n, (self,), (n * self.data ** (n - 1),))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def log(self):
        return Value(math.log(self.data), (self,), (1.0 / self.data,))

    def exp(self):
        return Value(math.exp(self.data), (self,), (math.exp(self.data),))

    def exp(self):
        power = math.exp(self.data)
        return Value(power, (self,), (power,))

    def relu(self):
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

    def relu(self):
        return Value(max(0, self.data), (self,), (1.0 if self.data > 0 else 0.0,))

    def relu(self):
        return Value(self.data if self.data > 0 else 0, (self,), (float(self.data > 0),))

    def relu(self):
        return Value(
            self.data if self.data > 0 else 0, (self,), (1.0 if self.data > 0 else 0.0,)
        )

    def __neg__(self):
        return self * -1

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __rsub__(self, other):
        return (-self) + other

    def __truediv__(self, other):
        return self * other**-1

    def __rtruediv__(self, other):
        return other * self**-1

    def __rtruediv__(self, other):
        return self**-1 * other

    def backward(self):
        order = []
        met = set()
        def visit(node):
            if node not in met:
                met.add(node)
                for child in node._children:
                    visit(child)
                order.append(node)
        visit(self)
        self.grad = 1
        for node in reversed(order):
            for child, local_grad in zip(node._children, node._local_grads):
                child.grad += local_grad * node.grad
"""

BACKWARD = """
def backward(self):""" + VALUE.split("def backward(self):")[1].replace("\n    ", "\n")

# Other ways of writing parts of `backward`; the products commute, int or float.
BACKWARD_PARTS = [
    ("reversed(order)", "order[::-1]"),
    ("local_grad * node.grad", "node.grad * local_grad"),
]
EARLY_RETURN = (
    """if node not in met:
            met.add(node)
            for child in node._children:
                visit(child)
            order.append(node)""",
    """if node in met:
            return
        met.add(node)
        for child in node._children:
            visit(child)
        order.append(node)""",
)

# Without these there is no replacing the class; without the others it is ours less a method.
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
# What a script may write differently: then its own method joins the compiled class.
REPLACEABLE = ("log", "exp", "relu")

FUNCTIONS = {
    "linear": """
def linear(x, w):
    return [sum([wi * xi for wi, xi in zip(row, x)]) for row in w]

def linear(x, w):
    out = []
    for row in w:
        out.append(sum([wi * xi for wi, xi in zip(row, x)]))
    return out
""",
    "linear_swapped": """
def linear(w, x):
    return [sum([wi * xi for wi, xi in zip(row, x)]) for row in w]

def linear(w, x):
    out = []
    for row in w:
        out.append(sum([wi * xi for wi, xi in zip(row, x)]))
    return out
""",
    "softmax": """
def softmax(logits):
    largest = max([logit.data for logit in logits])
    exps = [(logit - largest).exp() for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]
""",
    "rmsnorm": """
def rmsnorm(x):
    mean_square = sum([xi * xi for xi in x]) / len(x)
    scale = (mean_square + 1e-5) ** -0.5
    return [xi * scale for xi in x]
""",
}
NEEDED_METHODS = {
    "linear": (),
    "linear_swapped": (),
    "softmax": ("exp", "__sub__", "__truediv__"),
    "rmsnorm": ("__truediv__",),
}

# The loop over parameters: names are captured where they begin with N_, expressions of names and
# numbers where they begin with E_. One form of each statement must be there, apart from the last.
ADAM_HEADER = "for N_i, N_p in enumerate(N_params): pass"
ADAM = {
    "m": ["N_m[N_i] = E_beta1 * N_m[N_i] + E_rest1 * N_p.grad"],
    "v": ["N_v[N_i] = E_beta2 * N_v[N_i] + E_rest2 * N_p.grad ** 2"],
    "m_hat": ["N_mhat = N_m[N_i] / E_correction1"],
    "v_hat": ["N_vhat = N_v[N_i] / E_correction2"],
    "data": [
        "N_p.data -= E_lr * N_mhat / (N_vhat ** 0.5 + E_eps)",
        "N_p.data = N_p.data - E_lr * N_mhat / (N_vhat ** 0.5 + E_eps)",
    ],
    "zero": ["N_p.grad = 0"],
}
# What must come before what.
ADAM_ORDER = [
    ("m", "m_hat"),
    ("v", "v_hat"),
    ("m_hat", "data"),
    ("v_hat", "data"),
    ("m", "zero"),
    ("v", "zero"),
]
ADAM_RATES = ("lr", "beta1", "beta2", "rest1", "rest2", "correction1", "correction2", "eps")
ZEROING = "for N_p in N_params: N_p.grad = 0"


# ---- names and their scopes ----


class Scope:
    """Where names are bound: a module, class, function or comprehension."""

    def __init__(self, kind: str, parent: Scope | None) -> None:
        self.kind = kind
        self.parent = parent
        self.bound: set[str] = set()
        self.elsewhere: dict[str, str] = {}  # name: "global" or "nonlocal"

    def owner(self, name: str) -> Scope | None:
        """The scope that `name` means here; None for a builtin."""
        scope: Scope | None = self
        if self.elsewhere.get(name) == "global":
            while scope and scope.parent:
                scope = scope.parent
        while scope:
            visible = scope is self or scope.kind != "class"
            if visible and name in scope.bound and name not in scope.elsewhere:
                return scope
            scope = scope.parent
        return None


FUNCTION_NODES = (ast.FunctionDef, ast.AsyncFunctionDef)


class Names(ast.NodeVisitor):
    """Writes `scope` on every node that names something, and lists all bindings."""

    def __init__(self, tree: ast.AST) -> None:
        self.bindings: list[tuple[str, Scope, int]] = []
        self.scope = Scope("module", None)
        self.module = self.scope
        self.visit(tree)

    def bind(self, name: str, node: ast.AST) -> None:
        scope = self.scope
        while scope.kind == "comprehension" and isinstance(node, ast.NamedExpr) and scope.parent:
            scope = scope.parent
        scope.bound.add(name)
        self.bindings.append((name, scope, getattr(node, "lineno", 0)))

    def inside(self, kind: str, nodes: Iterable[ast.AST]) -> None:
        outer, self.scope = self.scope, Scope(kind, self.scope)
        for node in nodes:
            self.visit(node)
        self.scope = outer

    def generic_visit(self, node: ast.AST) -> None:
        node.scope = self.scope  # type: ignore[attr-defined]
        for name in ("name", "rest"):  # `except .. as name`, patterns of `match`
            bound = getattr(node, name, None)
            if isinstance(bound, str) and not isinstance(node, ast.alias):
                self.bind(bound, node)
        super().generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        node.scope = self.scope  # type: ignore[attr-defined]
        if not isinstance(node.ctx, ast.Load):
            self.bind(node.id, node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.bind(node.target.id, node)
        scope = self.scope
        while scope.kind == "comprehension" and scope.parent:
            scope = scope.parent
        node.scope = node.target.scope = scope  # type: ignore[attr-defined]

    def visit_alias(self, node: ast.alias) -> None:
        self.bind(node.asname or node.name.split(".")[0], node)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        kind = "global" if isinstance(node, ast.Global) else "nonlocal"
        for name in node.names:
            self.scope.elsewhere[name] = kind
            self.bindings.append((name, self.scope, node.lineno))

    visit_Nonlocal = visit_Global  # type: ignore[assignment]

    def visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        node.scope = self.scope  # type: ignore[union-attr]
        self.bind(node.name, node)
        for outer in [
            *node.decorator_list,
            *self.defaults(node.args),
            *filter(None, [node.returns]),
        ]:
            self.visit(outer)
        self.inside("function", [*self.parameters(node.args), *node.body])

    visit_FunctionDef = visit_AsyncFunctionDef = visit_function  # type: ignore[assignment]

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for outer in self.defaults(node.args):
            self.visit(outer)
        self.inside("function", [*self.parameters(node.args), node.body])

    def visit_arg(self, node: ast.arg) -> None:
        node.scope = self.scope  # type: ignore[attr-defined]
        self.bind(node.arg, node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bind(node.name, node)
        for outer in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(outer)
        self.inside("class", node.body)

    def visit_comprehension_expression(self, node: ast.AST) -> None:
        node.scope = self.scope  # type: ignore[attr-defined]
        first = node.generators[0]  # type: ignore[attr-defined]
        self.visit(first.iter)
        results = [getattr(node, part) for part in ("elt", "key", "value") if hasattr(node, part)]
        rest: list[ast.AST] = [first.target, *first.ifs]
        for generator in node.generators[1:]:  # type: ignore[attr-defined]
            rest += [generator.target, generator.iter, *generator.ifs]
        self.inside("comprehension", [*rest, *results])

    visit_ListComp = visit_SetComp = visit_comprehension_expression
    visit_DictComp = visit_GeneratorExp = visit_comprehension_expression

    @staticmethod
    def parameters(args: ast.arguments) -> list[ast.arg]:
        extra = [arg for arg in (args.vararg, args.kwarg) if arg]
        return [*args.posonlyargs, *args.args, *args.kwonlyargs, *extra]

    def defaults(self, args: ast.arguments) -> list[ast.expr]:
        annotations = [arg.annotation for arg in self.parameters(args) if arg.annotation]
        return [*args.defaults, *filter(None, args.kw_defaults), *annotations]


# ---- normal forms ----


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return body
    return body[1:] if isinstance(first.value.value, str) else body


def copied(node: Any) -> Any:
    """A deep copy of a tree with the lines and scopes written on it."""
    if isinstance(node, list):
        return [copied(part) for part in node]
    if not isinstance(node, ast.AST):
        return node
    copy = type(node)(**{name: copied(getattr(node, name)) for name in node._fields})
    for name in ("lineno", "col_offset", "end_lineno", "end_col_offset", "scope"):
        if hasattr(node, name):
            setattr(copy, name, getattr(node, name))
    return copy


class Normalise(ast.NodeTransformer):
    """Drops what has no meaning and brings a few equal ways of writing into one."""

    def __init__(self, class_name: str, parameters: list[str]) -> None:
        self.class_name = class_name
        self.parameters = parameters  # of the class's __init__, less self

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = node.type_comment = None
        node.body = self.block(without_docstring(node.body))
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
        self.generic_visit(node)
        node.type_comment = None
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

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("sum", "max") and len(node.args) == 1 and not node.keywords:
            if isinstance(node.args[0], ast.GeneratorExp):
                node.args[0] = ast.ListComp(node.args[0].elt, node.args[0].generators)
        if name == self.class_name:
            by_name = {keyword.arg: keyword.value for keyword in node.keywords}
            missing = self.parameters[len(node.args) :]
            if set(by_name) == set(missing[: len(by_name)]):
                node.args += [by_name[parameter] for parameter in missing[: len(by_name)]]
                node.keywords = []
            for i in range(1, len(node.args)):
                arg = node.args[i]
                if isinstance(arg, ast.List):
                    node.args[i] = ast.Tuple(arg.elts, arg.ctx)
        return node

    def visit_If(self, node: ast.If) -> ast.stmt:
        """`if not isinstance(x, C): x = C(x)` is `x = x if isinstance(x, C) else C(x)`."""
        self.generic_visit(node)
        if (
            isinstance(node.test, ast.UnaryOp)
            and isinstance(node.test.op, ast.Not)
            and isinstance(node.test.operand, ast.Call)
            and len(node.body) == 1
            and not node.orelse
            and isinstance(node.body[0], ast.Assign)
            and len(node.body[0].targets) == 1
            and isinstance(node.body[0].targets[0], ast.Name)
        ):
            assign = node.body[0]
            same = copied(assign.targets[0])
            same.ctx = ast.Load()
            choice = ast.IfExp(node.test.operand, same, assign.value)
            return ast.copy_location(ast.Assign(assign.targets, choice), node)
        return node

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        body = [part for statement in body for part in split(statement)]
        body = [statement for statement in body if not isinstance(statement, ast.Pass)]
        return inlined(in_order(body)) or [ast.Pass()]


def split(statement: ast.stmt) -> list[ast.stmt]:
    """`a, b = [], set()` as two assignments; other statements as they are."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            fresh = all(is_empty(item) for item in value.elts)
            names = all(isinstance(item, ast.Name) for item in target.elts)
            if fresh and names and len(target.elts) == len(value.elts):
                return [
                    ast.copy_location(ast.Assign([a], b), statement)
                    for a, b in zip(target.elts, value.elts)
                ]
    return [statement]


def is_empty(node: ast.expr) -> bool:
    if isinstance(node, ast.List):
        return not node.elts
    return isinstance(node, ast.Call) and ast.dump(node) == SET_CALL


SET_CALL = ast.dump(ast.parse("set()", mode="eval").body)


def rank(statement: ast.stmt) -> int:
    """Of statements whose order does not matter, which comes first; 9 for all others."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name) and is_empty(statement.value):
            return 0 if isinstance(statement.value, ast.List) else 1
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            if isinstance(statement.value, ast.Constant):
                return 4
    if isinstance(statement, ast.FunctionDef):
        return 2
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return 3
    return 9


def in_order(body: list[ast.stmt]) -> list[ast.stmt]:
    """`body` with the preparations of a walk in one order: list, set, function, call, grad.

    The call must come after what it uses; nothing else there depends on the order.
    """
    ranks = [rank(statement) for statement in body]
    n = ranks.index(9) if 9 in ranks else len(ranks)
    head = ranks[:n]
    if head.count(3) != 1 or any(r < 3 for r in head[head.index(3) :]):
        return body
    return [body[i] for i in sorted(range(n), key=lambda i: ranks[i])] + body[n:]


def inlined(body: list[ast.stmt]) -> list[ast.stmt]:
    """`body` with locals that only the next statement reads, and once, put where they are read."""
    i = 0
    body = list(body)
    while i + 1 < len(body):
        statement, following = body[i], body[i + 1]
        if (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
            and not is_empty(statement.value)
            and isinstance(following, (ast.Assign, ast.Return))
        ):
            name = statement.targets[0].id
            uses = [
                node
                for other in body[:i] + body[i + 1 :]
                for node in ast.walk(other)
                if (isinstance(node, ast.Name) and node.id == name)
                or (isinstance(node, ast.arg) and node.arg == name)
            ]
            if len(uses) == 1 and following.value and not mentions(statement.value, name):
                replace = ReplaceName(name, statement.value)
                value = replace.visit(following.value)
                if replace.done:
                    following.value = value
                    del body[i]
                    i = max(i - 1, 0)
                    continue
        i += 1
    return body


def mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


class ReplaceName(ast.NodeTransformer):
    """Puts `value` where `name` is read, unless that is evaluated more than once or later."""

    def __init__(self, name: str, value: ast.expr) -> None:
        self.name = name
        self.value = value
        self.done = False

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id != self.name or not isinstance(node.ctx, ast.Load):
            return node
        self.done = True
        return self.value

    def skip(self, node: ast.AST) -> ast.AST:
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = skip
    visit_Lambda = skip


class Rename(ast.NodeVisitor):
    """Numbers local names in the order in which they come, and gives class and edges our names."""

    def __init__(self, function: ast.FunctionDef, globals_: dict[str, str], edges: dict[str, str]):
        self.outer = function.scope  # type: ignore[attr-defined]
        self.globals = globals_
        self.edges = edges
        self.numbers: dict[tuple[int, str], str] = {}

    def number(self, name: str, scope: Scope) -> str:
        owner: Scope | None = scope.owner(name)
        inner = owner
        while inner and inner is not self.outer:
            inner = inner.parent
        if owner is None or owner is self.outer or inner is None:
            return self.globals.get(name, name) if owner is None or not owner.parent else f"?{name}"
        return self.numbers.setdefault((id(owner), name), f"local {len(self.numbers)}")

    def visit_Name(self, node: ast.Name) -> None:
        node.id = self.number(node.id, node.scope)  # type: ignore[attr-defined]

    def visit_arg(self, node: ast.arg) -> None:
        node.arg = self.number(node.arg, node.scope)  # type: ignore[attr-defined]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        node.name = self.number(node.name, node.scope)  # type: ignore[attr-defined]
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        node.attr = self.edges.get(node.attr, node.attr)


# Expressions with what computes them: a function of ours, its arguments, and whether these must not
# raise, as they belong to the expression's inner scope or come in another order. R_ is what can be
# read without changing anything.
EXPRESSIONS = [
    ("dot", "sum(N_a * N_b for N_a, N_b in zip(R_x, R_y))", "R_x, R_y", False),
    ("lazy_dot", "sum(N_b * N_a for N_a, N_b in zip(R_x, R_y))", "R_y, R_x, None, None", True),
    ("lazy_dot", "sum(N_a * N_b[R_j] for N_a, N_b in zip(R_x, R_y))", "R_x, R_y, None, R_j", True),
    ("lazy_dot", "sum(R_x[N_i] * R_y[N_i][R_j] for N_i in range(R_n))", "R_x, R_y, R_n, R_j", True),
    ("lazy_dot", "sum(R_x[N_i] * R_y[N_i] for N_i in range(R_n))", "R_x, R_y, R_n, None", True),
    ("add", "[N_a + N_b for N_a, N_b in zip(R_x, R_y)]", "R_x, R_y", False),
    ("relu", "[N_a.relu() for N_a in R_x]", "R_x,", False),
]


class Form:
    """A function in the form in which equal programs are equal texts: its signature, then its
    statements, each with its line."""

    def __init__(
        self,
        function: ast.FunctionDef,
        class_name: str,
        parameters: list[str],
        edges: dict[str, str],
    ) -> None:
        lineno, name = function.lineno, function.name
        function = Normalise(class_name, parameters).visit(copied(function))
        rename = Rename(function, {class_name: "Value"}, edges)
        rename.visit(function.args)
        for node in function.body:
            rename.visit(node)
        if name == "__init__" and all(map(is_plain_store, function.body)):
            function.body.sort(key=ast.dump)
        signature = " ".join(map(ast.dump, [function.args, *function.decorator_list]))
        self.texts = [signature, *map(ast.dump, function.body)]
        self.lines = [lineno, *(getattr(node, "lineno", lineno) for node in function.body)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Form) and self.texts == other.texts

    __hash__ = None  # type: ignore[assignment]

    def differs_from(self, known: list[Form]) -> int:
        """The line of the first statement that the nearest of the `known` forms does not have."""
        others = [
            [line for text, line in zip(self.texts, self.lines) if text not in form.texts]
            for form in known
        ]
        return min(min(others, key=len), default=self.lines[0])


def is_plain_store(node: ast.stmt) -> bool:
    """`self.name = name` or a constant: such statements may change places."""
    return (
        isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Attribute)
        and isinstance(node.value, (ast.Name, ast.Constant))
    )


def forms_of(source: str) -> dict[str, list[Form]]:
    """The forms of all functions in `source`, or in the class that it is, by name."""
    tree = ast.parse(source)
    Names(tree)
    first = tree.body[0]
    forms: dict[str, list[Form]] = {}
    for node in first.body if isinstance(first, ast.ClassDef) else tree.body:
        assert isinstance(node, ast.FunctionDef)
        form = Form(node, "Value", ["data", "children", "local_grads"], {})
        forms.setdefault(node.name, []).append(form)
    return forms


def value_forms() -> dict[str, list[Form]]:
    """The accepted forms of every method of the class."""
    sources = [BACKWARD, BACKWARD.replace(*EARLY_RETURN)]
    for old, new in BACKWARD_PARTS:
        sources += [source.replace(old, new) for source in sources]
    forms = forms_of(VALUE)
    forms["backward"] = [form for source in sources for form in forms_of(source)["backward"]]
    return forms


def function_forms() -> dict[str, list[Form]]:
    """The accepted forms of the vector functions, by the name of ours."""
    return {
        kind: [form for forms in forms_of(source).values() for form in forms]
        for kind, source in FUNCTIONS.items()
    }


# ---- statements with captured parts ----


def match(pattern: object, node: object, captured: dict[str, ast.expr]) -> bool:
    """Whether `node` is `pattern`, where names N_.. stand for names and E_.. for expressions."""
    if isinstance(pattern, ast.Name) and pattern.id[:2] in CAPTURES:
        fits = CAPTURES[pattern.id[:2]](node)
        if not fits or not isinstance(node, ast.expr):
            return False
        return text(captured.setdefault(pattern.id, node)) == text(node)
    if type(pattern) is not type(node):
        return False
    if isinstance(pattern, ast.AST):
        fields = [name for name in pattern._fields if name not in ("type_comment", "kind")]
        return all(match(getattr(pattern, f), getattr(node, f), captured) for f in fields)
    if isinstance(pattern, list):
        assert isinstance(node, list)
        return len(pattern) == len(node) and all(
            match(a, b, captured) for a, b in zip(pattern, node)
        )
    return pattern == node


def text(node: ast.expr) -> str:
    """The same for a name that is read and one that is assigned."""
    return node.id if isinstance(node, ast.Name) else ast.dump(node)


def is_pure(node: object) -> bool:
    """An expression of names, numbers and arithmetic: once or often evaluated, the same."""
    if isinstance(node, ast.BinOp):
        return is_pure(node.left) and is_pure(node.right)
    if isinstance(node, ast.UnaryOp):
        return is_pure(node.operand)
    return isinstance(node, ast.Name) or (
        isinstance(node, ast.Constant) and type(node.value) in (int, float)
    )


def is_readable(node: object) -> bool:
    """Names, constants, arithmetic, subscripts: what may be read once more with no effect."""
    if isinstance(node, ast.Subscript):
        return is_readable(node.value) and is_readable(node.slice)
    if isinstance(node, ast.Slice):
        return all(
            part is None or is_readable(part) for part in (node.lower, node.upper, node.step)
        )
    if isinstance(node, ast.BinOp):
        return is_readable(node.left) and is_readable(node.right)
    if isinstance(node, ast.JoinedStr):
        return all(is_readable(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return isinstance(node.value, ast.Name)
    if isinstance(node, ast.Call):
        is_len = isinstance(node.func, ast.Name) and node.func.id == "len" and not node.keywords
        return is_len and all(map(is_readable, node.args))
    return isinstance(node, (ast.Name, ast.Constant))


CAPTURES = {"N_": lambda node: isinstance(node, ast.Name), "E_": is_pure, "R_": is_readable}


def pattern_of(source: str) -> ast.stmt:
    return ast.parse(source).body[0]
