/* The Python type `Value` of isograd.micrograd: how Python reaches the nodes. */
#ifndef ISOGRAD_SCALAR_TYPE_H
#define ISOGRAD_SCALAR_TYPE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Readies the type; a new reference to it, or NULL with an exception set. */
PyObject *scalar_type_ready(void);

#endif
