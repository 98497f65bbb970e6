"""What to do about a thing that was left alone, in words. docs/run.md says the same at length."""

from __future__ import annotations

import re
from functools import cache

# Remedies, each with the reasons that it is for. These are written as where they are given, without
# what `bare` takes away; a test compares them with all that the sources of this folder can say.
REMEDIES: dict[str, tuple[str, ...]] = {
    "run it with --any-order, or keep the children in a tuple": (
        "keeps its children in a set, whose order depends on memory addresses, so plain Python "
        "itself promises no bits; --any-order takes the order of insertion",
    ),
    "write the class in the script or in a module beside it; "
    "with isograd.Value there is nothing to do": (
        "defines no class with a backward() at its top level",
    ),
    "keep one such class in the script": ("has a backward(), too",),
    "install isograd where there is a C compiler": ("this isograd runs without its C extension",),
    "break long expressions into statements": ("is nested too deeply to be looked through",),
    # ---- imports and names ----
    "put what is imported into the script": ("imports from a package of its own",),
    "import the names that are used": ("imports * from {}",),
    "do without the import, or do that part in a script of its own": (
        "imports {}",
        "imports {} from {}",
    ),
    "import its names at the top of the script, as they are": (
        "imports from {} in another way than by names at the top",
    ),
    "convert with float() or .tolist() before a Value is made of it": (
        "uses {} for a number that may not be a Python float; convert with float() or .tolist()",
    ),
    "give what that line defines another name": (
        "gives {} another meaning",
        "gives its name another meaning",
        "defines {}() again",
    ),
    "only make Values with it, and ask isinstance()": (
        "uses the class {} other than to make a {}",
    ),
    "call it where it is used": (
        "uses {} other than in a call",
        "uses .{} other than as .{}()",
    ),
    "name the part that is used, as in math.exp": (
        "uses the module {} other than for a part of it",
    ),
    "use another part of the module, or none": ("uses {}.{}",),
    "do without it": (
        "uses {}",
        "uses what gc.collect() found",
        "uses {} with a name that is computed",
        "deletes .{}",
        "shows a type",
        "matches a class",
        "has a string with two underscores",
        "has the name of an edge in a string",
        "has a format that shows an attribute",
        "gives it a {}(), which ours does not have",
        "its nodes keep more than numbers, and something has a __del__()",
    ),
    "give it another name": (
        "uses {}, which its class calls otherwise",
        "{}() in line {} has a name that ours uses otherwise",
        "something sets .{}, which the class has for all its objects",
        "its edges have the name of something else",
        "its attributes have names that Python changes",
        "{} is the name of something else in it",
    ),
    "set it to a number": ("sets .{} to what is no number",),
    "write a function or a method instead": ("sets .{}", "makes a class with type()"),
    "let each operation write one text of its own into it, or read it not": (
        "something reads .{}, which its operations set; ours does not",
    ),
    # ---- the class ----
    "write the tuples out in the call": (
        "{} with a starred argument",
        "{} whose edges are not written out",
    ),
    "make results in methods of the class, each with its closure": ("{} with children",),
    "let it have one base in the same file, which nothing else names": ("has bases or keywords",),
    "write the class without them": ("has type parameters", "is decorated"),
    "write the method without the decorator": ("{}() in line {} is decorated",),
    "let the class hold methods and constants, no more": ("is no method",),
    "let it assign data, 0, children and local gradients, no more": (
        "has no __init__()",
        "its __init__() in line {} has unusual parameters",
        "its __init__() in line {} has unusual defaults",
        "its __init__() in line {} assigns an attribute twice",
        "of its __init__() is none that we know",
        "its __init__() keeps its first parameter nowhere",
        "its __init__() keeps the children nowhere",
        "its __init__() keeps neither local gradients nor a closure",
        "what its __init__() keeps as {} is none that we know",
        "which attribute is the gradient, that begins at 0, is not clear",
        "none of its methods makes one with children",
        "its __slots__ are not what its __init__() assigns",
    ),
    "write the method out": ("{} = {} is nothing we know",),
    "write the walk as micrograd does": ("its backward() in line {} is none that we know",),
    "write its closure as self.grad += derivative * out.grad, a line for each child in turn": (
        "is no product with the result's gradient",
        "hands its gradient to other children",
        "hands its gradient on in another order",
        "has not one local gradient for each child",
        "has its children in another order",
        "makes a result without derivatives",
        "makes a result of other children",
        "does not return what it makes",
    ),
    "write that part in arithmetic on numbers": (
        "is none that we know",
        "reads what is no number",
        "makes a result that is true or false",
        "makes a derivative that is true or false",
    ),
    "write ** or pow() for math.pow": ("calls math.pow, which is not **",),
    "write it as the original does; as it is, it runs as Python": (
        "is another one: see line {}",
        "the class's sums and products are not ours alone",
        "the class has no {}() that we know",
    ),
    # ---- loops over parameters ----
    "do without the operators of the other class, or keep it in a script of its own": (
        "another class has operators",
    ),
    "run over params, enumerate(params) or range(len(params))": ("runs over nothing that we know",),
    "write what stands in its else after the loop": ("has an else",),
    "do that before the loop, or in another one": ("calls {}(), which is no arithmetic",),
    "keep it in a variable, or in a list beside the parameters by the loop's index, as m[i]": (
        "uses {}, which is neither the parameter's data or grad nor in a list by the loop's index",
    ),
    "write the loop's body as arithmetic, assignments and ifs": ("is no arithmetic that we know",),
    "give the variable in the body another name": ("assigns the loop's own variable",),
    "assign it in every turn": (
        "assigns {} in some turns only",
        "reads {}, which some turns do not assign",
    ),
    "assign to a variable of the loop's own function": ("assigns {}, which is global or nonlocal",),
    "leave it out": ("changes nothing",),
    "assign it a number before the loop": ("changes {}, which may not be there",),
    "keep a number instead": ("keeps what is true or false",),
    "compute it in the loop": ("stores what Python has computed before",),
    "part it in two": ("takes too many numbers",),
}


def remedy(why: str) -> str:
    """What to do about the reason `why`; an empty text where we know of nothing."""
    fitting = [(fixed, text) for pattern, fixed, text in patterns() if pattern.fullmatch(bare(why))]
    return max(fitting, default=(0, ""))[1]


def bare(why: str) -> str:
    """The reason without its line, the method that it is in, and what follows from it."""
    why = why.removesuffix("; without it nothing else can be compiled")
    return re.sub(r"^(line \S+|it) | in its \w+\(\)$", "", why)


@cache
def patterns() -> list[tuple[re.Pattern[str], int, str]]:
    """Of each reason: what it looks like, how many of its letters are its own, and the remedy."""
    parts = [(reason.split("{}"), text) for text, whys in REMEDIES.items() for reason in whys]
    return [
        (re.compile(".+".join(map(re.escape, fixed))), len("".join(fixed)), text)
        for fixed, text in parts
    ]
