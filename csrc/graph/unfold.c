/* Making explicit what a node only implies; see the header. */
#include "unfold.h"

#include "dot.h"
#include "gradient.h"
#include "graph.h"
#include "operators.h"
#include "recording.h"
#include "softmax.h"

/* ---- unfolding ---- */

static int has_constant(const Node *n, int *is_product) {
    unsigned kind = node_kind(n);
    *is_product = kind == MUL_CONST || (kind == SEEN_CONST && (n->second & IS_PRODUCT));
    return kind == ADD_CONST || kind == MUL_CONST || kind == SEEN_CONST;
}

/* What the sweeps so far have handed to the constant: nothing, or the last one's contribution. */
static Number constant_grad(const Node *n, int is_product) {
    if (node_kind(n) != SEEN_CONST)
        return an_int(0);
    Number local = is_product ? node_local(n, 1) : an_int(1);
    return number_add(an_int(0), number_mul(local, node_grad(n)));
}

static int make_constant_leaf(Node *n, int is_product) {
    Number grad = constant_grad(n, is_product);
    Node *leaf = (Node *)value_leaf(node_local(n, 0));
    if (leaf == NULL)
        return -1;
    node_put_grad(leaf, grad);
    n->first = (n->first & ~KIND_BITS) | (is_product ? BINARY : ADD);
    n->second = (n->second & TAG_BITS) | (uintptr_t)leaf;
    return 0;
}

/* For callers from outside: the walk has noted what kind each node is. */
static int unfold_outside_of_a_walk(Node *n) {
    int is_product;
    if (graph.is_walking && (node_is_fused(n) || has_constant(n, &is_product))) {
        PyErr_SetString(PyExc_RuntimeError, "this cannot be asked of a Value during backward()");
        return -1;
    }
    return node_unfold(n);
}

int node_set_grad(Node *n, Number grad) {
    int implied = node_kind(n) == SEEN_CONST || (node_is_fused(n) && (n->second & SEEN_FUSED));
    if (UNLIKELY(implied) && unfold_outside_of_a_walk(n) < 0)
        return -1;
    node_put_grad(n, grad);
    return 0;
}

static int unfold(Node *n) {
    int is_product;
    if (node_is_fused(n) && (fused_is_dot(n) ? dot_unfold(n) : softmax_unfold(n)) < 0)
        return -1;
    return has_constant(n, &is_product) ? make_constant_leaf(n, is_product) : 0;
}

/* What is unfolded has been recorded, even if nothing is now. */
int node_unfold(Node *n) {
    Py_ssize_t n_off = recording_n_off;
    recording_n_off = 0;
    int status = unfold(n);
    recording_n_off = n_off;
    return status;
}

/* ---- showing ---- */

static Py_ssize_t n_children(const Node *n) {
    switch (node_kind(n)) {
    case LEAF:
        return 0;
    case UNARY:
        return 1;
    case WIDE:
        return n->wide->n_children;
    }
    return 2;
}

static Node *child_at(const Node *n, Py_ssize_t i) {
    assert(i >= 0 && i < n_children(n));
    if (node_kind(n) == WIDE)
        return n->wide->children[i];
    return i == 0 ? node_first(n) : node_second(n);
}

/* A tuple of as many items as `count` says; allocating it may run Python code that gives the node
 * other edges, so `count` is asked again. */
static PyObject *tuple_for(const Node *n, Py_ssize_t (*count)(const Node *)) {
    for (;;) {
        PyObject *tuple = PyTuple_New(count(n));
        if (tuple == NULL || PyTuple_GET_SIZE(tuple) == count(n))
            return tuple;
        Py_DECREF(tuple);
    }
}

PyObject *node_children(Node *n) {
    if (unfold_outside_of_a_walk(n) < 0)
        return NULL;
    PyObject *tuple = tuple_for(n, n_children);
    for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *child = (PyObject *)child_at(n, i);
        Py_INCREF(child);
        PyTuple_SET_ITEM(tuple, i, child);
    }
    return tuple;
}

static Py_ssize_t n_locals(const Node *n) {
    if (node_is_custom(n))
        return n->wide->n_locals;
    return node_kind(n) == LEAF ? 0 : node_kind(n) == UNARY ? 1 : 2;
}

static Number local_at(const Node *n, Py_ssize_t i) {
    int is_product;
    if (node_is_custom(n))
        return (Number){n->wide->locals[i], n->wide->local_is_int[i]};
    if (node_kind(n) == ADD || (has_constant(n, &is_product) && !is_product))
        return an_int(1);
    return node_local(n, (int)i);
}

PyObject *node_local_grads(Node *n) {
    if (node_is_fused(n) && unfold_outside_of_a_walk(n) < 0)
        return NULL;
    PyObject *tuple = tuple_for(n, n_locals);
    for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *item = number_as_object(local_at(n, i));
        if (item == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, item);
    }
    return tuple;
}
