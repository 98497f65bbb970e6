/* Sums of products: making, sweeping and unfolding them. The idea stands in dot.h. */
#include "dot.h"

#include "arena.h"
#include "gradient.h"
#include "numerics/add_scaled.h"
#include "numerics/sums_of_products.h"
#include "operands.h"
#include "operators.h"
#include "recording.h"
#include "release.h"

/* ---- making ---- */

PyObject *dot_of_sum(double sum, Operands *a, Py_ssize_t a_start, Operands *b, Py_ssize_t b_start,
                     Py_ssize_t n) {
    assert(n >= 1 && n <= DOT_MAX_TERMS);
    assert(a_start >= 0 && a_start + n <= a->n && b_start >= 0 && b_start + n <= b->n);
    if (recording_is_off())
        return value_leaf(a_float(sum));
    Node *node = arena_pop();
    if (node == NULL)
        return NULL;
    a->n_owners++;
    b->n_owners++;
    graph.n_hidden += DOT_ENTRIES(n);
    node->data = sum;
    node->grad = 0.0;
    node->first = (uintptr_t)a | WIDE;
    node->second = (uintptr_t)b | GRAD_INT;
    node->terms = (Terms){(uint32_t)n, (uint32_t)a_start, (uint32_t)b_start};
    return (PyObject *)node;
}

/* sum + m, or m + 0 where `sum` is NULL; takes over both references, of which `m` may be NULL with
 * an exception set. */
static PyObject *add_term(PyObject *sum, PyObject *m) {
    PyObject *next = NULL;
    if (m)
        next = sum ? value_add((Node *)sum, (Node *)m) : value_add_const((Node *)m, an_int(0));
    Py_XDECREF(sum);
    Py_XDECREF(m);
    return next;
}

static PyObject *dot_of_scalars(Node *const *a, Node *const *b, Py_ssize_t n) {
    PyObject *sum = NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        sum = add_term(sum, value_mul(a[i], b[i]));
        if (sum == NULL)
            return NULL;
    }
    return sum;
}

/* Adds up the terms before the first float, so that no int among their sums is lost unnoticed. */
int dot_is_int(const Operands *a, Py_ssize_t a_start, const Operands *b, Py_ssize_t b_start,
               Py_ssize_t n) {
    if (!a->some_ints || !b->some_ints)
        return 0;
    Number sum = an_int(0);
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!a->is_int[a_start + i] || !b->is_int[b_start + i])
            return 0;
        sum = number_add(sum, number_mul(operand(a, a_start + i), operand(b, b_start + i)));
    }
    return 1;
}

/* As soon as one factor is a float the sum is one, and a sum that starts at 0 is never -0.0, so the
 * signs that int zeros lack are lost in it anyway. */
PyObject *dot_new(Operands *a, Py_ssize_t a_start, Operands *b, Py_ssize_t b_start, Py_ssize_t n) {
    if (dot_is_int(a, a_start, b, b_start, n))
        return dot_of_scalars(a->at + a_start, b->at + b_start, n);
    return dot_of_sum(sum_of_products(a->data + a_start, b->data + b_start, (size_t)n), a, a_start,
                      b, b_start, n);
}

/* ---- sweeping ---- */

/* What a sum hands to a term: 0 + grad, as every hidden gradient starts at the int 0. */
static Number hidden_grad(const Node *n) { return number_add(an_int(0), node_grad(n)); }

/* An int gradient, which is rare: the root's 1. */
NOINLINE static void hand_on_int(Node *n, Py_ssize_t from, Py_ssize_t to) {
    const Operands *a = dot_a(n), *b = dot_b(n);
    Number grad = hidden_grad(n);
    for (Py_ssize_t i = to - 1; i >= from; i--) {
        Py_ssize_t j = n->terms.a_start + i, k = n->terms.b_start + i;
        node_add_product(a->at[j], operand(b, k), grad);
        node_add_product(b->at[k], operand(a, j), grad);
    }
}

/* Both vectors as a whole, their gradients side by side. No node occurs twice in one of them, and
 * none in both unless they are the same, so only the order of the two loops can matter. */
static int hand_on_whole(Node *n, double grad) {
    Operands *a = dot_a(n), *b = dot_b(n);
    if (a->n != b->n || !operands_borrow_grads(a) || !operands_borrow_grads(b) || !a->loan)
        return 0;
    add_scaled(a->grad, b->data, b->grad, a->data, grad, (size_t)a->n);
    return 1;
}

#define WORTH_BORROWING 8 /* terms */

void dot_hand_on(Node *n, Py_ssize_t from, Py_ssize_t to) {
    assert(from >= 0 && from < to && to <= n->terms.n);
    Operands *a = dot_a(n), *b = dot_b(n);
    double grad = 0.0 + n->grad;
    if (from == 0)
        n->second |= SEEN_FUSED;
    if (UNLIKELY(n->second & GRAD_INT)) {
        hand_on_int(n, from, to);
        return;
    }
    if (to - from >= WORTH_BORROWING && to - from == a->n && hand_on_whole(n, grad))
        return;
    for (Py_ssize_t i = to - 1; i >= from; i--) {
        Py_ssize_t j = n->terms.a_start + i, k = n->terms.b_start + i;
        operands_add_float_grad(a, j, b->data[k] * grad);
        operands_add_float_grad(b, k, a->data[j] * grad);
    }
}

/* ---- unfolding ---- */

/* The product of term i as a node of its own, with the numbers from when the sum was made. */
static PyObject *product(const Node *n, Py_ssize_t i, Number grad) {
    const Operands *a = dot_a(n), *b = dot_b(n);
    Py_ssize_t j = n->terms.a_start + i, k = n->terms.b_start + i;
    Number x = operand(a, j), y = operand(b, k);
    Node *m = (Node *)value_mul(a->at[j], b->at[k]);
    if (m) {
        Number data = number_mul(x, y);
        m->data = data.x;
        m->local[0] = y.x;
        m->local[1] = x.x;
        m->second &= ~TAG_BITS;
        m->second |= flag_if(data.is_int, DATA_INT) | flag_if(y.is_int, LOCAL0_INT) |
                     flag_if(x.is_int, LOCAL1_INT);
        node_put_grad(m, grad);
    }
    return (PyObject *)m;
}

PyObject *dot_partial_sum(PyObject *sum, PyObject *m, Number grad, int seen) {
    PyObject *next = add_term(sum, m);
    if (next) {
        node_put_grad((Node *)next, grad);
        if (seen && node_kind((Node *)next) == ADD_CONST)
            ((Node *)next)->first |= SEEN_CONST;
    }
    return next;
}

int dot_unfold(Node *n) {
    Operands *a = dot_a(n), *b = dot_b(n);
    int seen = (n->second & SEEN_FUSED) != 0;
    Number grad = seen ? hidden_grad(n) : an_int(0);
    PyObject *sum = NULL;
    for (Py_ssize_t i = 0; i < n->terms.n; i++) {
        sum = dot_partial_sum(sum, product(n, i, grad), grad, seen);
        if (sum == NULL)
            return -1;
    }
    /* The last sum is the node itself: it takes the edges over and keeps its own numbers. */
    Node *last = (Node *)sum;
    uintptr_t mark = n->first & MARK, ints = n->second & (DATA_INT | GRAD_INT);
    graph.n_hidden -= DOT_ENTRIES((Py_ssize_t)n->terms.n);
    n->first = last->first | mark;
    n->second = (last->second & ~(DATA_INT | GRAD_INT)) | ints;
    n->local[0] = last->local[0];
    n->local[1] = last->local[1];
    last->first = LEAF | MARK;
    last->second = 0;
    last->row = NULL;
    Py_DECREF(sum);
    release_operands(a);
    release_operands(b);
    return 0;
}
