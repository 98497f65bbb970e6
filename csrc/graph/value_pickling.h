/* A Value's state for copy and pickle: what Python makes of any object with slots, so that either
 * twin reads what the other has written.
 */
#ifndef ISOGRAD_VALUE_PICKLING_H
#define ISOGRAD_VALUE_PICKLING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* The methods __reduce__ and __setstate__. New references, or NULL with an exception set: TypeError
 * for what is not the state of a Value. */
PyObject *value_reduce(PyObject *self, PyObject *none);
PyObject *value_setstate(PyObject *self, PyObject *state);

/* Once, before anything else here. 0, or -1 with an exception set. */
int value_pickling_init(void);

#endif
