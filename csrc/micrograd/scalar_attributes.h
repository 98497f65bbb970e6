/* The attributes of micrograd's Value: data, grad, _prev, _op, label, _backward, and any of one's
 * own.
 */
#ifndef ISOGRAD_SCALAR_ATTRIBUTES_H
#define ISOGRAD_SCALAR_ATTRIBUTES_H

#include "scalar.h"

extern PyGetSetDef scalar_attributes[];

/* The type's tp_getattro and tp_setattro. */
PyObject *scalar_getattro(PyObject *self, PyObject *name);
int scalar_setattro(PyObject *self, PyObject *name, PyObject *value);

/* `children` as `_prev` has them: a new tuple of Values, each once; NULL with an exception set:
 * TypeError where one of them is no Value. */
PyObject *scalar_distinct(PyObject *children);

/* Attributes as objects; new references, or NULL with an exception set. */
PyObject *scalar_op(Scalar *n);
PyObject *scalar_label(Scalar *n);
PyObject *scalar_dict(Scalar *n); /* those of one's own */

/* Once, before anything else here. 0, or -1 with MemoryError set. */
int scalar_attributes_init(void);

#endif
