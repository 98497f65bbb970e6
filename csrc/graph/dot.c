/* Sums of products: making, sweeping and unfolding them. The idea stands in dot.h. */
#include "dot.h"

#include <string.h>

#include "arena.h"
#include "graph.h"
#include "ops.h"

uint64_t graph_data_version;

static Operands *operands_allocate(Py_ssize_t n) {
    size_t bytes = sizeof(Operands) + (size_t)n * (sizeof(Node *) + sizeof(double) + 1);
    Operands *o = PyMem_Malloc(bytes);
    if (o == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *o = (Operands){.n_owners = 1, .n = n, .data_version = graph_data_version};
    o->data = (double *)(o + 1);
    o->at = (Node **)(o->data + n);
    o->is_int = (unsigned char *)(o->at + n);
    return o;
}

static int is_leaf(const Node *n) {
    return Value_CheckExact((PyObject *)n) && node_kind(n) == LEAF;
}

/* The vector noted at its first node, if it is this one; a new reference, or NULL. */
static Operands *noted(Node *const *at, Py_ssize_t n) {
    Operands *o = is_leaf(at[0]) ? at[0]->row : NULL;
    if (o == NULL || o->n != n || o->data_version != graph_data_version ||
        memcmp(o->at, at, (size_t)n * sizeof *at) != 0)
        return NULL;
    o->n_owners++;
    return o;
}

static void note(Operands *o) {
    Node *home = o->at[0];
    if (!is_leaf(home))
        return;
    if (home->row)
        home->row->home = NULL;
    home->row = o;
    o->home = home;
}

Operands *operands_new(Node *const *at, Py_ssize_t n, Py_ssize_t *odd) {
    *odd = -1;
    Operands *o = noted(at, n);
    if (o)
        return o;
    o = operands_allocate(n);
    uintptr_t leaves = MARK, ints = DATA_INT;
    for (Py_ssize_t i = 0; o && i < n; i++) {
        Node *node = at[i];
        if (UNLIKELY(!Value_CheckExact((PyObject *)node))) {
            *odd = o->n = i;
            operands_release(o);
            return NULL;
        }
        Py_INCREF((PyObject *)node);
        o->at[i] = node;
        o->data[i] = node->data;
        o->is_int[i] = (unsigned char)(node->second & DATA_INT);
        leaves &= (node->first & KIND_BITS) == LEAF ? MARK : 0;
        ints &= node->second;
    }
    if (o) {
        o->all_leaves = leaves != 0;
        o->all_ints = ints != 0;
        note(o);
    }
    return o;
}

static Number operand(const Operands *o, Py_ssize_t i) { return (Number){o->data[i], o->is_int[i]}; }

/* The order of additions is the reference's. Ints need no care here: as soon as one factor is a
 * float the sum is one, and a sum that starts at 0 is never -0.0, so the signs that int zeros lack
 * are lost in it anyway. */
static double sum_of_products(const double *a, const double *b, Py_ssize_t n) {
    double sum = 0.0;
    for (Py_ssize_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

PyObject *dot_new(Operands *a, Operands *b) {
    PyObject *node = value_leaf((Number){sum_of_products(a->data, b->data, a->n), 0});
    Wide *w = node ? PyMem_Malloc(sizeof *w) : NULL;
    if (w == NULL) {
        if (node)
            PyErr_NoMemory();
        Py_XDECREF(node);
        return NULL;
    }
    a->n_owners++;
    b->n_owners++;
    arena.n_hidden += DOT_ENTRIES(a->n);
    *w = (Wide){.owner = (Node *)node, .a = a, .b = b};
    ((Node *)node)->first = WIDE;
    ((Node *)node)->wide = w;
    return node;
}

/* What a sum hands to a term: 0 + grad, as every hidden gradient starts at the int 0. */
static Number hidden_grad(const Node *n) { return number_add((Number){0.0, 1}, node_grad(n)); }

void dot_hand_on(Node *n, Py_ssize_t from) {
    Wide *w = n->wide;
    const Operands *a = w->a, *b = w->b;
    Number grad = hidden_grad(n);
    for (Py_ssize_t i = w->cursor - 1; i >= from; i--) {
        if (UNLIKELY(grad.is_int)) {
            node_add_grad(a->at[i], number_mul(operand(b, i), grad));
            node_add_grad(b->at[i], number_mul(operand(a, i), grad));
        }
        else {
            node_add_float_grad(a->at[i], b->data[i] * grad.x);
            node_add_float_grad(b->at[i], a->data[i] * grad.x);
        }
    }
    w->cursor = from;
    w->seen |= from == 0;
}

/* ---- unfolding ---- */

/* The product of term i as a node of its own, with the numbers of the time when the sum was made. */
static PyObject *product(const Wide *w, Py_ssize_t i, Number grad) {
    Number x = operand(w->a, i), y = operand(w->b, i);
    Node *m = (Node *)value_mul(w->a->at[i], w->b->at[i]);
    if (m) {
        Number data = number_mul(x, y);
        m->data = data.x;
        m->local[0] = y.x;
        m->local[1] = x.x;
        m->second &= ~TAG_BITS;
        m->second |= (data.is_int ? DATA_INT : 0) | (y.is_int ? LOCAL0_INT : 0) |
                     (x.is_int ? LOCAL1_INT : 0);
        node_put_grad(m, grad);
    }
    return (PyObject *)m;
}

/* sum + m, or m + 0 where there is no sum yet, with a gradient; takes over both references. */
static PyObject *partial_sum(PyObject *sum, PyObject *m, Number grad, int seen) {
    PyObject *next = NULL;
    if (m)
        next = sum ? value_add((Node *)sum, (Node *)m)
                   : value_add_const((Node *)m, (Number){0.0, 1});
    Py_XDECREF(sum);
    Py_XDECREF(m);
    if (next) {
        node_put_grad((Node *)next, grad);
        if (seen && node_kind((Node *)next) == ADD_CONST)
            ((Node *)next)->first |= SEEN_CONST;
    }
    return next;
}

int dot_unfold(Node *n) {
    Wide *w = n->wide;
    Number grad = w->seen ? hidden_grad(n) : (Number){0.0, 1};
    PyObject *sum = NULL;
    for (Py_ssize_t i = 0; i < w->a->n; i++) {
        sum = partial_sum(sum, product(w, i, grad), grad, w->seen);
        if (sum == NULL)
            return -1;
    }
    /* The last sum is the node itself: it takes the edges over and keeps its own numbers. */
    Node *last = (Node *)sum;
    uintptr_t mark = n->first & MARK, ints = n->second & (DATA_INT | GRAD_INT);
    n->first = last->first | mark;
    n->second = (last->second & ~(DATA_INT | GRAD_INT)) | ints;
    n->local[0] = last->local[0];
    n->local[1] = last->local[1];
    last->first = LEAF | MARK;
    last->second = 0;
    last->row = NULL;
    Py_DECREF(sum);
    arena.n_hidden -= DOT_ENTRIES(w->a->n);
    operands_release(w->a);
    operands_release(w->b);
    PyMem_Free(w);
    return 0;
}
