/* Reading arguments; see the header. */
#include "vector_pieces.h"

#include "dot.h"
#include "graph.h"
#include "numerics/compiler.h"

static int not_a_value(const char *name, Py_ssize_t i, PyObject *item) {
    PyErr_Format(PyExc_TypeError, "%s[%zd] must be a Value, not '%.200s'", name, i,
                 Py_TYPE(item)->tp_name);
    return FAILED;
}

int vector_check(const Vector *v, const char *name) {
    if (v->n == 0) {
        PyErr_Format(PyExc_ValueError, "%s is empty", name);
        return FAILED;
    }
    int status = v->n <= DOT_MAX_TERMS ? READ : REFUSED;
    for (Py_ssize_t i = 0; i < v->n; i++) {
        PyObject *item = (PyObject *)v->at[i];
        if (UNLIKELY(!Value_CheckExact(item))) {
            if (!Value_Check(item))
                return not_a_value(name, i, item);
            status = REFUSED;
        }
    }
    return status;
}

int vector_read(PyObject *sequence, const char *name, Vector *v) {
    *v = (Vector){PySequence_Tuple(sequence), NULL, 0};
    if (v->tuple == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s must be a sequence of Values, not '%.200s'", name,
                         Py_TYPE(sequence)->tp_name);
        return FAILED;
    }
    v->n = PyTuple_GET_SIZE(v->tuple);
    v->at = (Node **)&PyTuple_GET_ITEM(v->tuple, 0);
    return vector_check(v, name);
}

int vector_read_and_prepare(PyObject *sequence, const char *name, Vector *v, PyObject **out) {
    int status = READ, is_list = PyList_CheckExact(sequence);
    *v = (Vector){NULL, NULL, 0};
    *out = NULL;
    if (!is_list)
        status = vector_read(sequence, name, v);
    if (status == READ) {
        *out = PyList_New(is_list ? PyList_GET_SIZE(sequence) : v->n);
        status = *out ? READ : FAILED;
    }
    if (status == READ && is_list) {
        *v =
            (Vector){NULL, (Node **)((PyListObject *)sequence)->ob_item, PyList_GET_SIZE(sequence)};
        status = vector_check(v, name);
        if (status == READ && v->n != PyList_GET_SIZE(*out)) {
            PyErr_Format(PyExc_RuntimeError, "%s changed while it was read", name);
            status = FAILED;
        }
    }
    if (status != READ)
        Py_CLEAR(*out);
    return status;
}

int vector_read_row(PyObject *sequence, const char *name, Py_ssize_t n, Vector *v) {
    int status = vector_read(sequence, name, v);
    if (status != FAILED && v->n != n) {
        PyErr_Format(PyExc_ValueError, "%s has %zd entries where %zd are expected", name, v->n, n);
        return FAILED;
    }
    return status;
}

PyObject *vector_refusal(int status) {
    if (status == FAILED)
        return NULL;
    Py_RETURN_NOTIMPLEMENTED;
}
