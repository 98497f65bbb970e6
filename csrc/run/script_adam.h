/* Adam's update in a script's own loop, as far as it may be done beforehand. */
#ifndef ISOGRAD_SCRIPT_ADAM_H
#define ISOGRAD_SCRIPT_ADAM_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* How many of the first n params, distinct exact Values, Adam can update without any exception and
 * as Python does, given their second moments v, a positive eps, and no negative rate of v. */
Py_ssize_t script_adam_count(PyObject *const *params, const double *v, Py_ssize_t n);

#endif
