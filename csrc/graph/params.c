/* Adam's step over parameters that are nodes: gathers what lies scattered, updates, puts back. */
#include "params.h"

#include <math.h>
#include <string.h>

#include "gradient.h"
#include "graph.h"
#include "unfold.h"

#define AT_ONCE 512 /* parameters: 20 KB of numbers, gradients and moments */

static int check_value(PyObject *const *params, Py_ssize_t i) {
    if (LIKELY(Value_CheckExact(params[i])) || Value_Check(params[i]))
        return 0;
    PyErr_Format(PyExc_TypeError, "params[%zd] must be a Value, not '%.200s'", i,
                 class_name(Py_TYPE(params[i])));
    return -1;
}

int params_check(PyObject *const *params, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++)
        if (check_value(params, i) < 0)
            return -1;
    return 0;
}

/* The update in Python's arithmetic, for what stops adam_update: a large int gradient, or an error,
 * which then is raised here. */
static int update_in_python(Node *p, double *m, double *v, const AdamRates *r) {
    Number grad = node_grad(p), square, root;
    *m = r->beta1 * *m + r->rest1 * grad.x;
    if (number_pow(grad, an_int(2), &square) < 0)
        return -1;
    *v = r->beta2 * *v + r->rest2 * square.x;
    double divisor = 0.0;
    if (r->correction1 != 0.0 && r->correction2 != 0.0) {
        if (number_pow(a_float(*v / r->correction2), a_float(0.5), &root) < 0)
            return -1;
        divisor = root.x + r->eps;
    }
    if (divisor == 0.0) {
        PyErr_SetString(PyExc_ZeroDivisionError, "float division by zero");
        return -1;
    }
    p->data -= r->lr * (*m / r->correction1) / divisor;
    p->second &= ~DATA_INT;
    return 0;
}

/* Fills w and g from the first of at most n parameters, up to one that is no Value or needs Python.
 * How many. */
static Py_ssize_t gather(PyObject *const *params, Py_ssize_t n, double *w, double *g) {
    Py_ssize_t i = 0;
    for (; i < n && (Value_CheckExact(params[i]) || Value_Check(params[i])); i++) {
        const Node *p = (const Node *)params[i];
        if (UNLIKELY(p->second & GRAD_INT) && fabs(p->grad) > MAX_SQUARED_INT)
            break;
        w[i] = p->data;
        g[i] = p->grad;
    }
    return i;
}

/* Writes what became of w to the first of n parameters, up to one whose number is no longer the one
 * in w: it stands twice among them, and its second update starts from the first one's result. How
 * many. */
static Py_ssize_t scatter(PyObject *const *params, Py_ssize_t n, const double *w,
                          const double *updated) {
    Py_ssize_t i = 0;
    for (; i < n; i++) {
        Node *p = (Node *)params[i];
        if (UNLIKELY(memcmp(&p->data, &w[i], sizeof *w) != 0))
            break;
        p->data = updated[i];
        p->second &= ~DATA_INT;
    }
    return i;
}

int params_adam_update(PyObject *const *params, double *m, double *v, Py_ssize_t n,
                       const AdamRates *rates) {
    double w[AT_ONCE], updated[AT_ONCE], g[AT_ONCE], old_m[AT_ONCE], old_v[AT_ONCE];
    graph.data_version++;
    for (Py_ssize_t i = 0; i < n;) {
        Py_ssize_t gathered = gather(params + i, n - i < AT_ONCE ? n - i : AT_ONCE, w, g);
        memcpy(updated, w, (size_t)gathered * sizeof *w);
        memcpy(old_m, m + i, (size_t)gathered * sizeof *m);
        memcpy(old_v, v + i, (size_t)gathered * sizeof *v);
        Py_ssize_t done =
            (Py_ssize_t)adam_update(updated, g, m + i, v + i, (size_t)gathered, rates, NULL);
        Py_ssize_t kept = scatter(params + i, done, w, updated);
        memcpy(m + i + kept, old_m + kept, (size_t)(gathered - kept) * sizeof *m);
        memcpy(v + i + kept, old_v + kept, (size_t)(gathered - kept) * sizeof *v);
        i += kept;
        if (i < n && kept == done && done < AT_ONCE) {
            if (check_value(params, i) < 0 ||
                update_in_python((Node *)params[i], &m[i], &v[i], rates) < 0)
                return -1;
            i++;
        }
    }
    return 0;
}

/* An int's square is rounded here as Python rounds it to add it to a float. */
int params_clip_gradients(PyObject *const *params, Py_ssize_t n, double norm) {
    double total = 0.0;
    if (params_check(params, n) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < n; i++) {
        const double grad = node_grad((Node *)params[i]).x;
        total += grad * grad;
    }
    const double length = sqrt(total);
    if (!(length > norm))
        return 0;
    const double scale = norm / length;
    for (Py_ssize_t i = 0; i < n; i++) {
        Node *p = (Node *)params[i];
        if (node_set_grad(p, a_float(node_grad(p).x * scale)) < 0)
            return -1;
    }
    return 0;
}

int params_scale_data(PyObject *const *params, Py_ssize_t n, double factor) {
    graph.data_version++;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (check_value(params, i) < 0)
            return -1;
        Node *p = (Node *)params[i];
        p->data *= factor;
        p->second &= ~DATA_INT;
    }
    return 0;
}

int params_zero_grad(PyObject *const *params, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++) {
        Node *p = (Node *)params[i];
        if (LIKELY(Value_CheckExact(params[i]) && node_kind(p) == LEAF))
            node_put_grad(p, an_int(0));
        else if (check_value(params, i) < 0 || node_set_grad(p, an_int(0)) < 0)
            return -1;
    }
    return 0;
}

int params_read_data(PyObject *const *params, double *out, Py_ssize_t n) {
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
