/* Loops over parameters, computed by programs. */
#ifndef ISOGRAD_SCRIPT_LOOP_H
#define ISOGRAD_SCRIPT_LOOP_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* A callable in the place of a loop's body; a new reference, or NULL with an exception set:
 * ValueError if `parts` are not what isograd/run/updates.py makes,
 *
 *     (code, constants, (n_vectors, n_carried, n_invariants), stores)
 *
 * The program's inputs are, in this order: the parameter's data, its grad, the index, an element of
 * each vector, what one turn carries to the next, the invariants. `stores` are registers, -1 where
 * nothing is stored: what becomes of data, grad and the vectors' elements, then of what is carried.
 *
 * It is called with (params, vectors, carried, invariants, first, keep), all but the last two lists
 * or tuples. It does the turns from number `first` on, but not the last `keep` of them, and returns
 * (how many, the carried numbers): it ends before the first turn that Python must do itself. */
PyObject *script_loop(PyObject *parts);

#endif
