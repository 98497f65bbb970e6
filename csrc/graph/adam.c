/* Adam (Kingma and Ba 2015), operation by operation as the reference's Python does it. */
#include "adam.h"

#include "dot.h"
#include "graph.h"
#include "numerics/powers.h"
#include "ops.h"

/* Python's grad**2 as a double; an int's square is rounded once, as Python rounds it in a product. */
static int squared(Number grad, double *out) {
    double magnitude = fabs(grad.x);
    if (LIKELY(magnitude >= SAFE_MIN && magnitude <= SAFE_MAX && !grad.is_int)) {
        *out = pow_2(grad.x);
        return 0;
    }
    if (grad.x == 0.0) {
        *out = 0.0;
        return 0;
    }
    Number two = {2.0, 1}, square;
    if (number_pow(grad, two, &square) < 0)
        return -1;
    *out = square.x;
    return 0;
}

static int root_of(double x, double *out) {
    if (LIKELY(x >= SAFE_MIN && x <= SAFE_MAX)) {
        *out = pow_half(x);
        return 0;
    }
    if (x == 0.0) {
        *out = 0.0;
        return 0;
    }
    Number half = {0.5, 0}, root;
    if (number_pow((Number){x, 0}, half, &root) < 0)
        return -1;
    *out = root.x;
    return 0;
}

static int update(Node *p, double *m, double *v, const AdamRates *r) {
    Number grad = node_grad(p);
    double square, root;
    *m = r->beta1 * *m + r->rest1 * grad.x;
    if (squared(grad, &square) < 0)
        return -1;
    *v = r->beta2 * *v + r->rest2 * square;
    double m_hat = *m / r->correction1, v_hat = *v / r->correction2;
    if (root_of(v_hat, &root) < 0)
        return -1;
    double divisor = root + r->eps;
    if (divisor == 0.0) {
        PyErr_SetString(PyExc_ZeroDivisionError, "float division by zero");
        return -1;
    }
    p->data -= r->lr * m_hat / divisor;
    p->second &= ~DATA_INT;
    return 0;
}

static int check_value(PyObject *const *params, Py_ssize_t i) {
    if (Value_Check(params[i]))
        return 0;
    PyErr_Format(PyExc_TypeError, "params[%zd] must be a Value, not '%.200s'", i,
                 Py_TYPE(params[i])->tp_name);
    return -1;
}

int adam_step(PyObject *const *params, double *m, double *v, Py_ssize_t n, const AdamRates *rates) {
    graph_data_version++;
    for (Py_ssize_t i = 0; i < n; i++)
        if (check_value(params, i) < 0 || update((Node *)params[i], &m[i], &v[i], rates) < 0)
            return -1;
    return 0;
}

int adam_zero_grad(PyObject *const *params, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++)
        if (check_value(params, i) < 0 || node_set_grad((Node *)params[i], (Number){0.0, 1}) < 0)
            return -1;
    return 0;
}

int adam_read_data(PyObject *const *params, double *out, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++) {
        if (check_value(params, i) < 0)
            return -1;
        Number data = node_data((const Node *)params[i]);
        if (data.is_int)
            return 0;
        out[i] = data.x;
    }
    return 1;
}
