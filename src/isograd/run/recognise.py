"""Finds in a script what is provably the same program as ours, and puts ours in its place.

A definition must be one of those that known.py knows, and nothing else in the script may make the
same text mean something else or show whose class it is. Where in doubt, a thing is left alone, with
the reason and its line. Here is the order in which things are looked for; each has its own file.
"""

from __future__ import annotations

import ast
import os

from .._core import unary_methods
from .assembly import Assembled, assembled_classes, classes_of_one_piece
from .beside import modules_beside
from .expressions import look_at_expression
from .facts import Facts, name_of
from .functions import is_backward, look_at_function
from .loops import look_at_loop
from .modules import modules_of
from .plan import Adoption, Different, Finding, Plan, compiled, left_alone
from .rewriting import call, decorate, name_of_ours
from .safety import another_class_has_operators, check_rest
from .value_class import ScriptClass, has_sums, is_candidate, read_class


def recognise(tree: ast.Module, folder: str, any_order: bool = False) -> Plan:
    """What can be replaced in the script `tree`, whose imports are looked up from `folder`.

    The plan's tree is `tree` itself, changed. Without the class nothing is.
    """
    modules = modules_beside(tree, folder)
    scripts = [Facts(place) for place in [*[module.tree for module in modules], tree]]
    found = [(each, script) for script in scripts for each in classes_in(script, not modules)]
    if not found:
        none = "it defines no class with a backward() at its top level"
        return Plan(tree, [left_alone(tree, "the script", none)])
    (assembled, home), *others = found
    node = assembled.node
    forks = any(map(may_fork, scripts))
    names = {module.name for module in modules}
    try:
        for other, _ in others:
            raise Different(f"line {other.node.lineno} has a backward(), too")
        klass = read_class(assembled, home, any_order)
        for script in scripts:
            take_backward_functions(script, klass, assembled)
            check_rest(script, klass, folder, names)
    except Different as difference:
        why = f"{difference}; without it nothing else can be compiled"
        return Plan(tree, [left_alone(node, f"class {node.name}", why)], forks=forks)
    replace_class(assembled, home.tree)
    if klass.reads_edges:
        klass.absent += ["real leaves", *(["signs"] if klass.read & {*klass.givers} else [])]
    findings: list[Finding] = []
    files = [*[os.path.basename(module.file) for module in modules], ""]
    for script, file in zip(scripts, files):
        own = look_at_class(klass) if script is home else []
        own = sorted([*own, *look_at_rest(script, klass)], key=lambda finding: finding.line)
        for finding in own:
            finding.file = file
        findings += own
    return Plan(tree, findings, adoption_of(klass), klass.loops, modules, forks)


def classes_in(script: Facts, is_alone: bool) -> list[Assembled]:
    """Those that may be the class: with sums and products if there are such.

    Where modules might import parts of it, it must stand in one piece.
    """
    classes = assembled_classes(script) if is_alone else classes_of_one_piece(script)
    candidates = [each for each in classes if is_candidate(each.node)]
    return [each for each in candidates if has_sums(each.node)] or candidates


def replace_class(assembled: Assembled, tree: ast.Module) -> None:
    """Puts ours in its place as soon as it is complete."""
    last = assembled.last
    if last is None:
        decorate(assembled.written, "class")
        return
    name = assembled.node.name
    complete = ast.copy_location(ast.Name(name, ast.Load()), last)
    made = call("class", [complete], complete)
    after = ast.Assign([ast.Name(name, ast.Store())], made)
    ast.fix_missing_locations(ast.copy_location(after, last))
    tree.body.insert(tree.body.index(last) + 1, after)


def look_at_class(klass: ScriptClass) -> list[Finding]:
    """The class that ours replaces, and which of its methods are others than ours."""
    node = klass.node
    own = [name for name in klass.extra if name not in klass.lines]
    kept = f"with its own {', '.join(own)}" if own else ""
    findings = [compiled(node, f"class {node.name}", kept)]
    methods = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
    for name, line in klass.lines.items():
        place = methods.get(name, node)
        findings.append(left_alone(place, f"{name}()", f"it is another one: see line {line}"))
    return findings


def may_fork(script: Facts) -> bool:
    """Whether it may make processes that are copies of this one."""
    for node in script.nodes:
        match node:
            case ast.Import() | ast.ImportFrom():
                if {*modules_of(node)} & {"multiprocessing", "concurrent", "pty"}:
                    return True
            case ast.Attribute(attr="fork" | "forkpty") | ast.alias(name="fork" | "forkpty"):
                return True
    return False


def take_backward_functions(script: Facts, klass: ScriptClass, assembled: Assembled) -> None:
    """Functions of the module that are backward(), which ours replaces."""
    for node in script.tree.body:
        if not isinstance(node, ast.FunctionDef) or node in assembled.functions:
            continue
        if is_backward(node, script, klass):
            klass.core.append(node)
            klass.backwards.add(node)


def adoption_of(klass: ScriptClass) -> Adoption:
    """Of attributes that are assigned: which are read, and which may be dropped."""
    has_dict = "__slots__" in klass.absent
    names = {*klass.shape.extras, *(klass.stored if has_dict else ())}
    kept = {name: "read" if name in klass.read else "dropped" for name in sorted(names)}
    return Adoption(
        tuple(dict.fromkeys(klass.absent)),
        tuple(klass.extra),
        klass.kernels,
        klass.shape,
        kept,
        klass.texts,
    )


def replace_method(node: ast.Attribute, klass: ScriptClass) -> None:
    """Puts what can be called as the script's function in the place of `Value.relu`."""
    if node.attr in unary_methods and klass.has_as_we_know_it(node.attr):
        node.attr = name_of_ours(f"method {node.attr}")


def look_at_rest(script: Facts, klass: ScriptClass) -> list[Finding]:
    """Replaces functions and loops, then expressions in what of the script is still run."""
    findings: list[Finding] = []
    not_run: list[ast.AST] = [*klass.core]
    core = {part for node in not_run for part in ast.walk(node)} - klass.backwards
    for node in script.nodes:
        finding = None
        if node in core or node in klass.frame:
            continue
        if isinstance(node, ast.FunctionDef):
            finding = look_at_function(node, script, klass)
            if finding and finding.replaced:
                not_run.append(node)
        elif isinstance(node, ast.For):
            finding = look_at_loop(node, script, klass)
        elif isinstance(node, ast.Attribute) and name_of(node.value) == klass.name:
            replace_method(node, klass)
        findings += filter(None, [finding])
    if another_class_has_operators(script, klass) or not klass.may_be_fused:
        return findings
    skipped = {part for node in not_run for part in ast.walk(node)}
    for node in script.nodes:
        if isinstance(node, (ast.Call, ast.ListComp)) and node not in skipped:
            findings += filter(None, [look_at_expression(node, script, klass)])
    return findings
