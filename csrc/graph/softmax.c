/* softmax: making, sweeping and unfolding it. The idea stands in softmax.h. */
#include "softmax.h"

#include "arena.h"
#include "dot.h"
#include "gradient.h"
#include "operands.h"
#include "operators.h"
#include "recording.h"
#include "release.h"

/* Python's max(): the first of those that no later one exceeds. */
static Number max_operand(const Operands *o) {
    Py_ssize_t max = 0;
    for (Py_ssize_t i = 1; i < o->n; i++)
        if (o->data[i] > o->data[max])
            max = i;
    return operand(o, max);
}

static Softmax *softmax_allocate(Py_ssize_t n) {
    Softmax *s = PyMem_Calloc(1, sizeof *s + 2 * (size_t)n * sizeof(double));
    if (s == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    assert(is_taggable(s));
    s->n_owners = 1;
    s->e = (double *)(s + 1);
    s->e_grad = s->e + n;
    return s;
}

/* Fills e and the powers of the total. 0, or -1 with an exception set. */
static int exponentiate(Softmax *s) {
    double total = 0.0;
    Number power, inverse, lower;
    for (Py_ssize_t i = 0; i < s->logits->n; i++) {
        if (number_exp(number_add(operand(s->logits, i), s->minus_max), &power) < 0)
            return -1;
        s->e[i] = power.x;
        total += power.x;
    }
    if (number_pow(a_float(total), an_int(-1), &inverse) < 0 ||
        number_pow(a_float(total), an_int(-2), &lower) < 0)
        return -1;
    s->inverse = inverse.x;
    s->inverse_local = -1.0 * lower.x;
    return 0;
}

Softmax *softmax_new(Node *const *logits, Py_ssize_t n) {
    assert(n >= 1 && n <= DOT_MAX_TERMS);
    Softmax *s = softmax_allocate(n);
    if (s == NULL)
        return NULL;
    s->logits = operands_gather(logits, n);
    if (s->logits) {
        s->minus_max = number_neg(max_operand(s->logits));
        graph.n_hidden += SOFTMAX_ENTRIES(n);
    }
    if (s->logits == NULL || exponentiate(s) < 0) {
        release_softmax(s);
        return NULL;
    }
    return s;
}

PyObject *softmax_probability(Softmax *s, Py_ssize_t k) {
    assert(k >= 0 && k < s->logits->n);
    double probability = s->e[k] * s->inverse;
    if (recording_is_off())
        return value_leaf(a_float(probability));
    Node *p = arena_pop();
    if (p == NULL)
        return NULL;
    s->n_owners++;
    graph.n_hidden += PROBABILITY_ENTRIES;
    p->data = probability;
    p->grad = 0.0;
    p->first = (uintptr_t)s | WIDE;
    p->second = GRAD_INT;
    p->terms = (Terms){.n = 0, .a_start = (uint32_t)k};
    return (PyObject *)p;
}

/* ---- sweeping ---- */

/* Hidden gradients start at the int 0, so what comes first is added to 0. */

static void hand_on_exp(Softmax *s, Py_ssize_t i) {
    operands_add_float_grad(s->logits, i, 0.0 + s->e[i] * s->e_grad[i]);
}

void softmax_hand_on_exp(Node *p) { hand_on_exp(probability_softmax(p), probability_index(p)); }

void softmax_hand_on_terms(Node *p, Py_ssize_t from, Py_ssize_t to) {
    Softmax *s = probability_softmax(p);
    Py_ssize_t k = probability_index(p);
    assert(from >= 0 && to <= s->logits->n && !s->unfolded);
    double term_grad = 0.0 + s->total_grad;
    for (Py_ssize_t i = to - 1; i >= from; i--) {
        s->e_grad[i] += term_grad;
        if (i != k)
            hand_on_exp(s, i);
    }
}

void softmax_hand_on_result(Node *p) {
    Softmax *s = probability_softmax(p);
    Py_ssize_t k = probability_index(p);
    s->seen = 1;
    p->second |= SEEN_FUSED;
    s->e_grad[k] += s->inverse * p->grad;
    s->total_grad += s->inverse_local * (0.0 + s->e[k] * p->grad);
}

/* ---- unfolding ---- */

/* The nodes s_i and e_i with the numbers of the time when the softmax was made; e_i. */
static PyObject *unfolded_exp(const Softmax *s, Py_ssize_t i) {
    Number logit = operand(s->logits, i), shifted = number_add(logit, s->minus_max);
    Node *shift = (Node *)value_add_const(s->logits->at[i], s->minus_max);
    if (shift == NULL)
        return NULL;
    shift->data = shifted.x;
    shift->second = (shift->second & ~DATA_INT) | (shifted.is_int ? DATA_INT : 0);
    Node *e = (Node *)value_exp(shift);
    if (e && s->seen) {
        node_put_grad(shift, a_float(0.0 + s->e[i] * s->e_grad[i]));
        shift->first |= SEEN_CONST;
        node_put_grad(e, a_float(s->e_grad[i]));
    }
    Py_DECREF(shift);
    return (PyObject *)e;
}

static int unfold_shared(Softmax *s) {
    Py_ssize_t n = s->logits->n, i;
    Node **nodes = PyMem_Calloc((size_t)n + 1, sizeof *nodes);
    if (nodes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyObject *total = NULL;
    for (i = 0; i < n; i++) {
        PyObject *e = unfolded_exp(s, i);
        nodes[i] = (Node *)e;
        Py_XINCREF(e);
        Number grad = a_float(i == n - 1 ? s->total_grad : 0.0 + s->total_grad);
        total = dot_partial_sum(total, e, s->seen ? grad : an_int(0), s->seen);
        if (total == NULL)
            break;
    }
    nodes[n] = (Node *)total;
    if (i < n) {
        for (i = 0; i < n; i++)
            Py_XDECREF((PyObject *)nodes[i]);
        PyMem_Free(nodes);
        return -1;
    }
    s->unfolded = nodes;
    return 0;
}

int softmax_unfold(Node *p) {
    Softmax *s = probability_softmax(p);
    if (s->unfolded == NULL && unfold_shared(s) < 0)
        return -1;
    Node *e = s->unfolded[probability_index(p)];
    /* The numbers of the time: e's and the total's data may have been assigned to. */
    double exp_k = s->e[probability_index(p)];
    Node *inverse = (Node *)value_known_pow(s->unfolded[s->logits->n], an_int(-1),
                                            a_float(s->inverse), a_float(s->inverse_local));
    if (inverse == NULL)
        return -1;
    if (p->second & SEEN_FUSED)
        node_put_grad(inverse, a_float(0.0 + exp_k * p->grad));
    Py_INCREF((PyObject *)e);
    graph.n_hidden -= PROBABILITY_ENTRIES;
    p->first = (uintptr_t)e | BINARY | (p->first & MARK);
    p->second = (uintptr_t)inverse | (p->second & (DATA_INT | GRAD_INT));
    p->local[0] = s->inverse;
    p->local[1] = exp_k;
    release_softmax(s);
    return 0;
}
