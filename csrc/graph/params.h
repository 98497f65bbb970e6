/* Adam's update of parameters that are nodes of the graph. */
#ifndef ISOGRAD_PARAMS_H
#define ISOGRAD_PARAMS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "numerics/adam_update.h"

/* The largest int whose square is a double: beyond, Python's int ** 2 is not libm's pow. */
#define MAX_SQUARED_INT 0x1p+26

/* 0, or -1 with TypeError set, naming the first of the n parameters that is no Value. */
int params_check(PyObject *const *params, Py_ssize_t n);

/* One step over n parameters with their moments m and v, in order. Borrows all three. 0, or -1 with
 * the reference's exception set, or TypeError for what is no Value; then the parameters before it
 * are updated, as the reference leaves them. */
int params_adam_update(PyObject *const *params, double *m, double *v, Py_ssize_t n,
                       const AdamRates *rates);

/* Multiplies every grad by norm / length, if the length of all grads, taken as one vector, is above
 * `norm`. 0, or -1 with an exception set, as params_zero_grad. */
int params_clip_gradients(PyObject *const *params, Py_ssize_t n, double norm);

/* Multiplies all data by `factor`: they become floats. 0, or -1 with TypeError set for what is no
 * Value. */
int params_scale_data(PyObject *const *params, Py_ssize_t n, double factor);

/* Sets every grad to the int 0. 0, or -1 with an exception set: TypeError for what is no Value, or
 * that of node_set_grad. */
int params_zero_grad(PyObject *const *params, Py_ssize_t n);

/* Writes the n parameters' data to `out`. 1; 0 where one of them holds an int, which a double would
 * not bring back; -1 with TypeError set for what is no Value. */
int params_read_data(PyObject *const *params, double *out, Py_ssize_t n);

#endif
