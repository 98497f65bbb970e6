/* The operators: each makes one node from its operands and stores its local derivatives.
 *
 * Every function returns a new reference, or NULL with an exception set and nothing changed.
 * Operands are borrowed and may be of a subclass; results are always plain Values, as in the
 * reference.
 */
#ifndef ISOGRAD_OPERATORS_H
#define ISOGRAD_OPERATORS_H

#include "node.h"

/* number_from for whatever is not exactly a float. */
int number_from_other(PyObject *o, Number *out);

/* 1 and *out filled if `o` is a real number; 0 if it is none; -1 with an exception set. */
static inline int number_from(PyObject *o, Number *out) {
    if (PyFloat_CheckExact(o)) {
        *out = (Number){PyFloat_AS_DOUBLE(o), 0};
        return 1;
    }
    return number_from_other(o, out);
}
/* The same as a new Python int or float. */
PyObject *number_as_object(Number a);

PyObject *value_leaf(Number data);
PyObject *value_add(Node *a, Node *b);
PyObject *value_mul(Node *a, Node *b);
PyObject *value_add_const(Node *a, Number c);
PyObject *value_mul_const(Node *a, Number c);
PyObject *value_pow(Node *a, Number exponent);
PyObject *value_log(Node *a);
PyObject *value_exp(Node *a);
PyObject *value_relu(Node *a);

/* Python's `a ** b`; -1 with Python's exception set, ValueError where the result is complex. */
int number_pow(Number a, Number b, Number *out);

/* math.exp; -1 with its exception set. */
int number_exp(Number a, Number *out);

/* Prepares math.log and math.exp, which decide the errors. 0, or -1 with an exception set. */
int operators_init(void);

#endif
