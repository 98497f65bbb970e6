/* Which method of the script's class made a node, where the script reads the sign that micrograd's
 * operations write into their results.
 *
 * Sums and products tell by their kind. Other nodes have a number for it in `second`, above the
 * flags, where operation.h has the number of the operation: one for each of the script's own methods
 * that programs compute, and after these one for each exponent of a power.
 */
#ifndef ISOGRAD_SCRIPT_SIGNS_H
#define ISOGRAD_SCRIPT_SIGNS_H

#include "graph/node.h"
#include "graph/operation.h"

enum { SIGNS_OF_KERNELS = N_OPERATIONS, SIGNS_OF_EXPONENTS = 1 << 20 };

/* Notes the number, if the script reads signs, in a node of one operand or of edges of its own. */
void script_sign(Node *n, uintptr_t sign);

/* The same for a power, where the script reads signs. Ends the run at more exponents than there is room for. */
void script_sign_power(Node *n, Number exponent);

/* (method, exponent): the method's name, the number of a kernel, or None for a leaf and what the
 * script made of edges; the exponent is None but of powers. A new reference, or NULL with TypeError
 * where `value` is no exact Value, or MemoryError set. */
PyObject *script_made_by(PyObject *value);

#endif
