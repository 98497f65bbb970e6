/* Which updates of Adam cannot fail; see the header. */
#include "script_adam.h"

#include <math.h>

#include "graph/graph.h"

/* Squares, roots and quotients raise for none of these; a NaN ends the count. */
Py_ssize_t script_adam_count(PyObject *const *params, const double *v, Py_ssize_t n) {
    Py_ssize_t i = 0;
    while (i < n && fabs(((Node *)params[i])->grad) <= 1e150 && v[i] >= 0.0) {
        assert(Value_CheckExact(params[i]));
        i++;
    }
    return i;
}
