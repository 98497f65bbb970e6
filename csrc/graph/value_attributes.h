/* Value's attributes: data, grad, _children, _local_grads. */
#ifndef ISOGRAD_VALUE_ATTRIBUTES_H
#define ISOGRAD_VALUE_ATTRIBUTES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyGetSetDef value_attributes[];

/* The type's tp_getattro and tp_setattro. */
PyObject *value_getattro(PyObject *self, PyObject *name);
int value_setattro(PyObject *self, PyObject *name, PyObject *value);

/* Once, before anything else here. 0, or -1 with MemoryError set. */
int value_attributes_init(void);

#endif
