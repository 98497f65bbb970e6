/* The operators: each makes one node from its operands and stores its local derivatives.
 *
 * Every function returns a new reference, or NULL with an exception set and nothing changed.
 * Operands are borrowed and may be of a subclass; results are always plain Values, as in the
 * reference.
 */
#ifndef ISOGRAD_OPERATORS_H
#define ISOGRAD_OPERATORS_H

#include "node.h"
#include "unary_methods.h"

PyObject *value_leaf(Number data);
PyObject *value_add(Node *a, Node *b);
PyObject *value_mul(Node *a, Node *b);
PyObject *value_add_const(Node *a, Number c);
PyObject *value_mul_const(Node *a, Number c);
/* a * c**-1 */
PyObject *value_div_const(Node *a, Number c);
PyObject *value_pow(Node *a, Number exponent);
/* The node of a ** exponent from a time when it was `power` and its derivative `local`: a's number
 * may be another one by now. */
PyObject *value_known_pow(Node *a, Number exponent, Number power, Number local);

#define PROTOTYPE(name, doc) PyObject *value_##name(Node *a);
UNARY_METHODS(PROTOTYPE)
#undef PROTOTYPE

#endif
