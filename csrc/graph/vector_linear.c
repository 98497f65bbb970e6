/* The matrix-vector product: a fused node for each row, four rows at a time. */
#include "vector_linear.h"

#include "dot.h"
#include "numerics/sums_of_products.h"
#include "operands.h"
#include "release.h"
#include "vector_pieces.h"

/* The larger part of a forward pass is to fetch the weights. So a list is read in place, which runs
 * no Python code, even where the list is refused. */
int vector_read_operands(PyObject *sequence, const char *name, Py_ssize_t n, Operands **out) {
    if (PyList_CheckExact(sequence) && PyList_GET_SIZE(sequence) == n && n <= DOT_MAX_TERMS) {
        Node **at = (Node **)((PyListObject *)sequence)->ob_item;
        *out = operands_new(at, n);
        if (*out || PyErr_Occurred())
            return *out ? READ : FAILED;
        return vector_check(&(Vector){NULL, at, n}, name);
    }
    Vector v;
    int status = vector_read_row(sequence, name, n, &v);
    if (status == READ)
        *out = operands_new(v.at, n);
    vector_clear(&v);
    return status == READ && *out == NULL ? FAILED : status;
}

/* The sums of up to N_ROWS rows, as items i.. of `out`. */
static int put_few_rows(Operands *x, Operands *const *rows, Py_ssize_t n_rows, PyObject *out,
                        Py_ssize_t i) {
    double sums[N_ROWS];
    int one_by_one = n_rows < N_ROWS;
    for (Py_ssize_t j = 0; j < n_rows; j++)
        one_by_one |= dot_is_int(rows[j], 0, x, 0, x->n);
    if (!one_by_one) {
        const double *data[] = {rows[0]->data, rows[1]->data, rows[2]->data, rows[3]->data};
        sums_of_products(data, x->data, (size_t)x->n, sums);
    }
    for (Py_ssize_t j = 0; j < n_rows; j++) {
        PyObject *y = one_by_one ? dot_new(rows[j], 0, x, 0, x->n)
                                 : dot_of_sum(sums[j], rows[j], 0, x, 0, x->n);
        if (y == NULL)
            return FAILED;
        PyList_SET_ITEM(out, i + j, y);
    }
    return READ;
}

static int put_all_rows(Operands *x, PyObject *const *rows, PyObject *out) {
    Py_ssize_t n_rows = PyList_GET_SIZE(out);
    int status = READ;
    for (Py_ssize_t i = 0; i < n_rows && status == READ; i += N_ROWS) {
        Operands *few[N_ROWS];
        Py_ssize_t n = 0;
        while (n < N_ROWS && i + n < n_rows && status == READ) {
            status = vector_read_operands(rows[i + n], "a row of w", x->n, &few[n]);
            n += status == READ;
        }
        if (status == READ)
            status = put_few_rows(x, few, n, out, i);
        while (n > 0)
            release_operands(few[--n]);
    }
    return status;
}

/* Whether the list w holds lists of n, so that to read it can run no Python code. */
static int holds_lists(PyObject *w, Py_ssize_t n) {
    assert(PyList_CheckExact(w));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(w); i++) {
        PyObject *row = PyList_GET_ITEM(w, i);
        if (!PyList_CheckExact(row) || PyList_GET_SIZE(row) != n)
            return 0;
    }
    return 1;
}

/* `out`, if it is not NULL, has an entry for each row. */
static int put_linear(const Vector *x, PyObject *const *rows, PyObject *out) {
    Operands *operands = out ? operands_new(x->at, x->n) : NULL;
    if (operands == NULL)
        return FAILED;
    int status = put_all_rows(operands, rows, out);
    release_operands(operands);
    return status;
}

static int linear_in_place(PyObject *x, PyObject *w, PyObject *out) {
    Vector v = {NULL, (Node **)((PyListObject *)x)->ob_item, PyList_GET_SIZE(x)};
    int status = vector_check(&v, "x");
    return status == READ ? put_linear(&v, ((PyListObject *)w)->ob_item, out) : status;
}

static int linear_of_copies(PyObject *x, PyObject *w, PyObject **out) {
    Vector v;
    int status = vector_read(x, "x", &v);
    PyObject *rows = status == READ ? PySequence_Tuple(w) : NULL;
    if (rows) {
        *out = PyList_New(PyTuple_GET_SIZE(rows));
        status = put_linear(&v, &PyTuple_GET_ITEM(rows, 0), *out);
    } else if (status == READ)
        status = FAILED;
    vector_clear(&v);
    Py_XDECREF(rows);
    return status;
}

PyObject *vector_linear(PyObject *x, PyObject *w) {
    PyObject *out = PyList_CheckExact(w) ? PyList_New(PyList_GET_SIZE(w)) : NULL;
    int status;
    if (out && PyList_CheckExact(x) && holds_lists(w, PyList_GET_SIZE(x)) &&
        PyList_GET_SIZE(w) == PyList_GET_SIZE(out))
        status = linear_in_place(x, w, out);
    else {
        Py_CLEAR(out);
        status = PyErr_Occurred() ? FAILED : linear_of_copies(x, w, &out);
    }
    if (status == READ)
        return out;
    Py_XDECREF(out);
    return vector_refusal(status);
}
