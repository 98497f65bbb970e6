/* The Python type `Value`: how Python reaches the graph. */
#ifndef ISOGRAD_VALUE_H
#define ISOGRAD_VALUE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Readies the type; a new reference to it, or NULL with an exception set. */
PyObject *value_type_ready(void);

/* The names in unary_methods.h, a new tuple; NULL with MemoryError set. */
PyObject *value_unary_methods(void);

/* What `operation_of` says of a Value; NotImplemented for any other object. */
PyObject *value_operation(PyObject *o);

/* Live nodes: exact Values and instances of subclasses. For the tests of leaks. */
Py_ssize_t value_live_count(void);

#endif
