"""micrograd, compiled: its API, its algorithm, any depth.

Replace `from micrograd.engine import Value` by `from isograd.micrograd.engine import Value`, and
`micrograd.nn` by `isograd.micrograd.nn`. `isograd.reference.micrograd` says what is computed, bit
for bit; without the C extension it is what serves.
"""
