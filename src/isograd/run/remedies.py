"""What to do about a thing that was left alone, in words. docs/run.md says the same at length."""

from __future__ import annotations

import re

# What the reason says, and what the remedy is; the first that fits.
REMEDIES = [
    (r"in a set, whose order", "run it with --any-order, or keep the children in a tuple"),
    (r"imports \* from", "import the names that are used"),
    (r"imports from a package of its own", "put what is imported into the script"),
    (r"imports", "do without the import, or do that part in a script of its own"),
    (r"convert with float", "convert with float() or .tolist() before a Value is made of it"),
    (r"gives \S+ another meaning", "give what that line defines another name"),
    (r"has a backward\(\), too", "keep one such class in the script"),
    (r"no class with a backward", "nothing can be compiled without such a class"),
    (r"bases or keywords", "let it have one base in the same file, which nothing else names"),
    (r"type parameters|is decorated", "write the class without them"),
    (r"something reads \.", "let each operation write one text of its own into it, or read it not"),
    (r"uses the class", "only make Values with it, and ask isinstance()"),
    (r"uses the module|uses \S+\.\S+", "use another part of the module, or none"),
    (r"uses (eval|exec|globals|locals|vars|dir|compile)", "write out what it does"),
    (r"uses \S+ other than as", "call the method"),
    (r"uses|deletes|shows a type|matches a class|string", "do without it"),
    (r"sets \.\S+ to what is no number", "set it to a number"),
    (r"sets", "write a function or a method instead"),
    (r"whose edges are not written out|with children", "write the tuples out in the call"),
    (r"has a \S+\(\), which ours does not have|ours uses otherwise", "call the method otherwise"),
    (r"__init__\(\)|__slots__", "let it assign data, 0, children and local gradients, no more"),
    (r"nested too deeply", "break long expressions into statements"),
    (r"without its C extension", "install isograd where there is a C compiler"),
    (r"see line", "write it as the original does; as it is, it runs as Python"),
    (r"that we know|sums and products", "write its parts as the original does; it runs as Python"),
    (r"line|loop|turns|runs over", "write the loop as arithmetic on p.data, p.grad and m[i]"),
]


def remedy(why: str) -> str:
    """What to do about the reason `why`."""
    for pattern, text in REMEDIES:
        if re.search(pattern, why):
            return text
    return "see docs/run.md"
