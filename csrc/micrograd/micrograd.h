/* What the rest of the house may ask of this room. */
#ifndef ISOGRAD_MICROGRAD_H
#define ISOGRAD_MICROGRAD_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Readies the type Value; a new reference to it, or NULL with an exception set. */
PyObject *micrograd_type(void);

/* How many Values live now: for the tests of leaks. */
Py_ssize_t micrograd_live_count(void);

/* See network_know and network_call in network.h. */
void micrograd_know(PyObject *neuron, PyObject *layer);
PyObject *micrograd_call(PyObject *of, PyObject *x);

#endif
