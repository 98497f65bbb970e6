/* See dispatch.h. */
#include "dispatch.h"

PyObject *dispatched_negative(PyObject *a) {
    return combine_new(a, PyLong_FromLong(-1), PyNumber_Multiply);
}

PyObject *dispatched_reciprocal(PyObject *a) {
    PyObject *exponent = PyLong_FromLong(-1);
    PyObject *power = exponent ? PyNumber_Power(a, exponent, Py_None) : NULL;
    Py_XDECREF(exponent);
    return power;
}

PyObject *new_by_tuple(PyTypeObject *type, PyObject *const *args, Py_ssize_t n_args,
                       PyObject *kwnames) {
    PyObject *tuple = PyTuple_New(n_args), *dict = kwnames ? PyDict_New() : NULL;
    PyObject *self = NULL;
    if (tuple == NULL || (kwnames && dict == NULL))
        goto done;
    for (Py_ssize_t i = 0; i < n_args; i++) {
        Py_INCREF(args[i]);
        PyTuple_SET_ITEM(tuple, i, args[i]);
    }
    for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); i++)
        if (PyDict_SetItem(dict, PyTuple_GET_ITEM(kwnames, i), args[n_args + i]) < 0)
            goto done;
    self = type->tp_new(type, tuple, dict);
    if (self && type->tp_init(self, tuple, dict) < 0)
        Py_CLEAR(self);
done:
    Py_XDECREF(tuple);
    Py_XDECREF(dict);
    return self;
}
