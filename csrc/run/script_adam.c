/* Which updates of Adam cannot fail; see the header. */
#include "script_adam.h"

#include <math.h>

#include "graph/graph.h"
#include "graph/params.h"

/* Squares, roots and quotients raise for none of these; a NaN ends the count. Nor do they differ:
 * the product of a rate and an int's square is rounded once in Python, twice here if the square is
 * no double. */
Py_ssize_t script_adam_count(PyObject *const *params, const double *v, Py_ssize_t n) {
    Py_ssize_t i = 0;
    for (; i < n; i++) {
        Number grad = node_grad((Node *)params[i]);
        assert(Value_CheckExact(params[i]));
        if (!(fabs(grad.x) <= (grad.is_int ? MAX_SQUARED_INT : 1e150) && v[i] >= 0.0))
            break;
    }
    return i;
}
