/* Methods of a script's class that make a node of one or two operands, computed by programs. */
#ifndef ISOGRAD_SCRIPT_KERNEL_H
#define ISOGRAD_SCRIPT_KERNEL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* A callable in the place of the method in `parts`; a new reference, or NULL with an exception set:
 * ValueError if `parts` are not what isograd/run/kernels.py makes,
 *
 *     (method, code, constants, (n_children, n_numbers, data, (local, ..)), defaults)
 *
 * where the program's inputs are the data of the children, then n_numbers more arguments, and what
 * it leaves in the registers `data` and `local` makes the node. The second operand may be a number,
 * of which a leaf is made. Where anything else is given, or the program fails, the method is called,
 * to raise what it raises or to make what it makes. */
PyObject *script_kernel(PyObject *parts);

#endif
