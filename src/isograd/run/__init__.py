"""`isograd run SCRIPT`: a script as it is, with compiled definitions in the place of its own.

Read it in this order: `script` (one script, from reading to its end), `recognise` (what is looked
for in it, and in which order), `programs` (what is known), `meaning` (when a definition is one of
these); then what each finding needs: `value_class`, `safety`, `functions`, `loops`, `expressions`.
`rewriting` changes the tree, `substitutes` is what the changed script calls, `process` how it
begins and ends, `depth` how deep it recurs, and `stop` how it ends early. Only the command imports
this package.
"""

from .script import Script

__all__ = ["Script"]
