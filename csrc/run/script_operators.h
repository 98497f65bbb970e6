/* What `a + b` and its like do where a or b is of the script's class. */
#ifndef ISOGRAD_SCRIPT_OPERATORS_H
#define ISOGRAD_SCRIPT_OPERATORS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Puts wrappers into Value's slots: around ours, for which the script's class lacks none of the
 * names in the tuple `absent`; and for the operators among the script's own `methods`, a dict, which
 * script_members.h keeps. 0, or -1 with MemoryError set. */
int script_wrap_operators(PyObject *absent, PyObject *methods);

/* Raises what the script's class raises, when asked for the operation `name` once more; a number
 * that it holds and Value cannot ends the run. Takes over `args`, or NULL with MemoryError set, and
 * `kwargs`, which may be NULL. Returns NULL. */
PyObject *script_replay(const char *name, PyObject *args, PyObject *kwargs);

/* Whether the script may see what a compiled operation returned. If not, its own class must be
 * asked. */
int script_is_final(PyObject *result);

/* A number that Value keeps as it is. */
int script_is_number(PyObject *o);

#endif
