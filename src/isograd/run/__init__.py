"""`isograd run SCRIPT`: a script as it is, with compiled definitions in the place of its own.

Read it in this order: `script` (one script, from reading to its end), `recognise` (what is looked
for in it, and in which order). The class: `assembly` (where it is not in one piece),
`value_class`, `shape` (what it keeps), `derive` (what a method makes, by executing it on symbols),
`kernels` and `arithmetic` (the program that C runs for it), `attributes`. What must have the same
text: `programs` (what is known), `meaning`, `backwards` and `helpers`. The rest: `safety`,
`edge_uses`, `modules`, `arrays`; `functions`, `expressions`, `loops`, `updates`. `rewriting`
changes the tree, `substitutes` and `turns` are what the changed script calls, `process` how it
begins and ends, `depth` how deep it recurs, `stop` how it ends early, `watch` what took long. Only
the command imports this package.
"""

from .script import Script

__all__ = ["Script"]
