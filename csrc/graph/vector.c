/* softmax, rmsnorm, and what goes entry by entry. The contract is in vector.h. */
#include "vector.h"

#include "dot.h"
#include "operands.h"
#include "operators.h"
#include "release.h"
#include "softmax.h"
#include "vector_pieces.h"

PyObject *vector_dot(Node *const *a, Node *const *b, Py_ssize_t n) {
    Operands *left = operands_new(a, n), *right = left ? operands_new(b, n) : NULL;
    PyObject *sum = right ? dot_new(left, 0, right, 0, n) : NULL;
    if (left)
        release_operands(left);
    if (right)
        release_operands(right);
    return sum;
}

/* ---- softmax ---- */

static PyObject *probability(const void *context, Py_ssize_t i) {
    return softmax_probability(*(Softmax *const *)context, i);
}

PyObject *vector_softmax_into(PyObject *out, Node *const *logits) {
    Softmax *s = out ? softmax_new(logits, PyList_GET_SIZE(out)) : NULL;
    if (s == NULL) {
        Py_XDECREF(out);
        return NULL;
    }
    out = list_filled(out, probability, &s);
    release_softmax(s);
    return out;
}

PyObject *vector_softmax(PyObject *logits) {
    Vector v;
    PyObject *out;
    int status = vector_read_and_prepare(logits, "logits", &v, &out);
    out = status == READ ? vector_softmax_into(out, v.at) : vector_refusal(status);
    vector_clear(&v);
    return out;
}

static PyObject *cross_entropy(Node *const *logits, Py_ssize_t n, Py_ssize_t target) {
    Softmax *s = softmax_new(logits, n);
    if (s == NULL)
        return NULL;
    PyObject *p = softmax_probability(s, target);
    release_softmax(s);
    return then_with(then(p, value_log), value_mul_const, an_int(-1));
}

PyObject *vector_cross_entropy(PyObject *logits, Py_ssize_t target) {
    Vector v;
    PyObject *out = NULL;
    int status = vector_read(logits, "logits", &v);
    if (status == READ && (target < 0 || target >= v.n))
        PyErr_Format(PyExc_ValueError, "target must be from 0 to %zd, not %zd", v.n - 1, target);
    else
        out = status == READ ? cross_entropy(v.at, v.n, target) : vector_refusal(status);
    vector_clear(&v);
    return out;
}

/* ---- rmsnorm ---- */

typedef struct {
    Node *const *x;
    Node *scale;
} Scaled;

static PyObject *scaled(const void *context, Py_ssize_t i) {
    const Scaled *s = context;
    return value_mul(s->x[i], s->scale);
}

PyObject *vector_rmsnorm(PyObject *x) {
    Vector v;
    PyObject *out;
    int status = vector_read_and_prepare(x, "x", &v, &out);
    if (status != READ)
        out = vector_refusal(status);
    else {
        PyObject *mean_square =
            then_with(vector_dot(v.at, v.at, v.n), value_div_const, an_int((double)v.n));
        PyObject *scale = then_with(then_with(mean_square, value_add_const, a_float(1e-5)),
                                    value_pow, a_float(-0.5));
        Scaled context = {v.at, (Node *)scale};
        if (scale)
            out = list_filled(out, scaled, &context);
        else
            Py_CLEAR(out);
        Py_XDECREF(scale);
    }
    vector_clear(&v);
    return out;
}

/* ---- entry by entry ---- */

typedef struct {
    Node *const *a, *const *b;
} Pair;

static PyObject *sum_of_pair(const void *context, Py_ssize_t i) {
    const Pair *pair = context;
    return value_add(pair->a[i], pair->b[i]);
}

PyObject *vector_add(PyObject *a, PyObject *b) {
    Vector va = {NULL, NULL, 0}, vb = {NULL, NULL, 0};
    int status = vector_read(a, "a", &va);
    int status_b = status == FAILED ? FAILED : vector_read_row(b, "b", va.n, &vb);
    status = status_b == READ ? status : status_b;
    Pair pair = {va.at, vb.at};
    PyObject *out =
        status == READ ? list_filled(PyList_New(va.n), sum_of_pair, &pair) : vector_refusal(status);
    vector_clear(&va);
    vector_clear(&vb);
    return out;
}

static PyObject *relu_of(const void *context, Py_ssize_t i) {
    return value_relu(((Node *const *)context)[i]);
}

PyObject *vector_relu(PyObject *x) {
    Vector v;
    PyObject *out;
    int status = vector_read_and_prepare(x, "x", &v, &out);
    out = status == READ ? list_filled(out, relu_of, v.at) : vector_refusal(status);
    vector_clear(&v);
    return out;
}
