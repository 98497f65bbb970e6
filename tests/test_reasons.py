"""The reasons that `isograd run --why` gives, and what to do about each."""

import ast
import re
from pathlib import Path

import pytest
import wild_scripts

import isograd
import isograd.run
from isograd.run.remedies import REMEDIES, bare, remedy

if isograd.backend == "c":
    from isograd.run.recognise import recognise

FLAT = wild_scripts.FLAT
CLASS = "import math\n" + FLAT[FLAT.index("class Value:") : FLAT.index("n_layer, n_embd")]


def said_by(node):
    """The text of an expression, with {} for what is put into it; none if it is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return [text] if text else []
        case ast.JoinedStr(values=parts):
            return [
                "".join(
                    getattr(part, "value", "") if isinstance(part, ast.Constant) else "{}"
                    for part in parts
                )
            ]
        case ast.IfExp(body=body, orelse=orelse):
            return said_by(body) + said_by(orelse)
    return []


def reasons_in(tree):
    """All that a module can give as the reason why something is left alone."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Different" | "without_changes"), args=[why]):
                yield from said_by(why)
            case ast.Call(func=ast.Name(id="left_alone"), args=[_, _, why]):
                yield from said_by(why)
            case ast.Call(func=ast.Name(id="Unknown"), args=[_, *whys]):
                yield from said_by(*whys) if whys else ["is none that we know"]
            case ast.Assign(targets=[ast.Name(id="none")], value=why):
                yield from said_by(why)
            case ast.FunctionDef(name=name) if re.match("of(_|$)|hazard_|why_not$", name):
                for part in ast.walk(node):
                    if isinstance(part, ast.Return):
                        yield from said_by(part.value)


def all_reasons():
    folder = Path(isograd.run.__file__).parent
    trees = [ast.parse(file.read_text("utf-8")) for file in folder.glob("*.py")]
    found = {bare(why) for tree in trees for why in reasons_in(tree)}
    return sorted(found - {"{}", "{} {}", "{} in its {}()"})  # these hand another one on


def test_each_reason_in_the_sources_has_a_remedy_and_each_remedy_a_reason():
    known = [reason for reasons in REMEDIES.values() for reason in reasons]
    assert sorted(known) == all_reasons()


@pytest.mark.parametrize(("text", "reasons"), REMEDIES.items())
def test_a_reason_gets_its_own_remedy_whatever_the_script_calls_things(text, reasons):
    for reason in reasons:
        for name in ("loop", "imports", "__len__", "3"):
            why = reason.replace("{}", name)
            ends = ("", "; without it nothing else can be compiled", f" in its {name}()")
            for whole in (f"{begin}{why}{end}" for begin in ("", "it ", "line 3 ") for end in ends):
                assert remedy(whole) == text, whole


@pytest.mark.parametrize("why", ["", "line 3 does what nobody has thought of"])
def test_no_remedy_for_what_nobody_has_thought_of(why):
    assert remedy(why) == ""


ADAM_OF_LISTS = """\
m, v = [0.0] * len(params), [0.0] * len(params)
for i, p in enumerate(params):
    m[i] = 0.9 * m[i] + 0.1 * p.grad
    v[i] = 0.99 * v[i] + 0.01 * p.grad ** 2
    p.data -= 0.1 * (m[i] / 0.1) / ((v[i] / 0.01) ** 0.5 + 1e-8)
    p.grad = 0
"""
SHARED = """\
def f(params):
    global last
    for p in params:
        last = p.grad
        p.grad = 0
"""
NEITHER = "which is neither the parameter's data or grad nor in a list by the loop's index"
BY_INDEX = "keep it in a variable, or in a list beside the parameters by the loop's index, as m[i]"
APART = "do that before the loop, or in another one"


@pytest.mark.skipif(isograd.backend != "c", reason="needs the C extension")
@pytest.mark.parametrize(
    ("changes", "why", "what_to_do"),
    [
        ([("[i]", "[p]")], f"uses m[p], {NEITHER}", BY_INDEX),
        ([("m[i]", "p.m")], f"uses p.m, {NEITHER}", BY_INDEX),
        (
            [("    m[i] =", "    print(i)\n    m[i] =")],
            "calls print(), which is no arithmetic",
            APART,
        ),
        (
            [("    p.grad = 0", "    kept.append(p)")],
            "calls kept.append(), which is no arithmetic",
            APART,
        ),
        (
            [("    p.grad = 0", "    p.grad = zero()")],
            "calls zero(), which is no arithmetic",
            APART,
        ),
        ([("    p.grad = 0", "    p.kept = 0")], f"uses p.kept, {NEITHER}", BY_INDEX),
        (
            [(ADAM_OF_LISTS, SHARED)],
            "assigns last, which is global or nonlocal",
            "assign to a variable of the loop's own function",
        ),
        (
            [("    p.grad = 0\n", "    p.grad = 0\nelse:\n    print()\n")],
            "has an else",
            "write what stands in its else after the loop",
        ),
        (
            [("    p.grad = 0", "    while p.grad: p.grad = 0")],
            "is no arithmetic that we know",
            "write the loop's body as arithmetic, assignments and ifs",
        ),
        (
            [("i, p in enumerate(params)", "p, i in zip(params, range(9))")],
            "runs over nothing that we know",
            "run over params, enumerate(params) or range(len(params))",
        ),
    ],
)
def test_a_loop_that_is_left_alone_has_its_own_reason(changes, why, what_to_do):
    source = CLASS + wild_scripts.changed(ADAM_OF_LISTS, changes)
    findings = recognise(ast.parse(source), ".").findings
    (finding,) = (each for each in findings if each.what == "loop over parameters")
    assert not finding.replaced and bare(finding.why) == why
    assert remedy(finding.why) == what_to_do


@pytest.mark.skipif(isograd.backend != "c", reason="needs the C extension")
@pytest.mark.parametrize("source", ["print(1)", "from isograd import Value\nprint(Value(1) + 2)"])
def test_a_script_without_a_class_is_told_of_none(source):
    (finding,) = recognise(ast.parse(source), ".").findings
    assert finding.what == "the script" and "class Value" not in str(finding)
    assert "nothing to do" in remedy(finding.why)
