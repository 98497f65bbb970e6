"""Finds in a script what is provably the same program as ours, and puts ours in its place.

A definition must be one of those that known.py knows, and nothing else in the script may make the
same text mean something else or show whose class it is. Where in doubt, a thing is left alone, with
the reason and its line. Here is the order in which things are looked for; each has its own file.
"""

from __future__ import annotations

import ast

from .expressions import look_at_expression
from .facts import Facts
from .functions import look_at_function
from .loops import look_at_loop
from .plan import Different, Finding, Plan, compiled, left_alone
from .rewriting import decorate
from .safety import another_class_has_operators, check_rest
from .value_class import ScriptClass, is_candidate, read_class


def recognise(tree: ast.Module, folder: str) -> Plan:
    """What can be replaced in the script `tree`, whose imports are looked up from `folder`.

    The plan's tree is `tree` itself, changed. Without the class nothing is.
    """
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    candidates = list(filter(is_candidate, classes))
    if not candidates:
        why = "there is no class with a backward() at the top level"
        return Plan(tree, [left_alone(tree, "class Value", why)])
    node, *others = candidates
    script = Facts(tree)
    try:
        for other in others:
            raise Different(f"line {other.lineno} has a backward(), too")
        klass = read_class(node, script.scopes)
        check_rest(script, klass, folder)
    except Different as difference:
        why = f"{difference}; without it nothing else can be compiled"
        return Plan(tree, [left_alone(node, f"class {node.name}", why)])
    decorate(node, "class")
    kept = f"with its own {', '.join(klass.extra)}" if klass.extra else ""
    findings = [compiled(node, f"class {node.name}", kept), *look_at_rest(script, klass)]
    findings.sort(key=lambda finding: finding.line)
    return Plan(tree, findings, klass.absent, klass.extra)


def look_at_rest(script: Facts, klass: ScriptClass) -> list[Finding]:
    """Replaces functions and loops, then expressions in what of the script is still run."""
    findings: list[Finding] = []
    not_run: list[ast.AST] = [*klass.core]
    for node in script.nodes:
        finding = None
        if isinstance(node, ast.FunctionDef):
            finding = look_at_function(node, script, klass)
            if finding and finding.replaced:
                not_run.append(node)
        elif isinstance(node, ast.For):
            finding = look_at_loop(node, script, klass)
        findings += filter(None, [finding])
    if another_class_has_operators(script, klass):
        return findings
    skipped = {part for node in not_run for part in ast.walk(node)}
    for node in script.nodes:
        if isinstance(node, (ast.Call, ast.ListComp)) and node not in skipped:
            findings += filter(None, [look_at_expression(node, script, klass)])
    return findings
