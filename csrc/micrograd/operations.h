/* The operations: what each computes, and what its node hands on.
 *
 * Those that make a node return a new reference, or NULL with the exception set that the reference
 * raises. Operands are borrowed and may be of a subclass; results are always plain Values.
 */
#ifndef ISOGRAD_OPERATIONS_H
#define ISOGRAD_OPERATIONS_H

#include "scalar.h"

Scalar *operation_add(Scalar *a, Scalar *b);
Scalar *operation_mul(Scalar *a, Scalar *b);
Scalar *operation_pow(Scalar *a, Number exponent);
Scalar *operation_relu(Scalar *a);
Scalar *operation_tanh(Scalar *a);
Scalar *operation_exp(Scalar *a);
Scalar *operation_log(Scalar *a);
Scalar *operation_sigmoid(Scalar *a);

/* The node's own `_backward()`, which is not one of FUSED kind. 0, or -1 with an exception set. */
int operation_hand_on(Scalar *n);

/* What `_op` is for a node of that kind, by itself; a new reference, or NULL with MemoryError set.
 */
PyObject *operation_name(const Scalar *n);

#endif
