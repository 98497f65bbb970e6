/* The mirrored walk; see the header. Slower than the graph's own, and the same sums. */
#include "script_walk.h"

#include "graph/gradient.h"
#include "graph/graph.h"

/* Nodes on the way, each with how many of its children are left to visit; then the order. */
typedef struct {
    Node **order, **path;
    Py_ssize_t *left;
    Py_ssize_t n, depth, size;
} Mirrored;

static Py_ssize_t n_children(const Node *n) {
    switch (node_kind(n)) {
    case LEAF:
        return 0;
    case ADD:
    case BINARY:
        return 2;
    case WIDE:
        assert(node_is_custom(n));
        return n->wide->n_children;
    default:
        return 1;
    }
}

static Node *child_of(const Node *n, Py_ssize_t i) {
    if (node_kind(n) == WIDE)
        return n->wide->children[i];
    return i == 0 ? node_first(n) : node_second(n);
}

/* 0 without memory. */
static int grow(Mirrored *m) {
    Py_ssize_t size = m->size ? 2 * m->size : 4096;
    Node **order = PyMem_Realloc(m->order, (size_t)size * sizeof *order);
    m->order = order ? order : m->order;
    Node **path = order ? PyMem_Realloc(m->path, (size_t)size * sizeof *path) : NULL;
    m->path = path ? path : m->path;
    Py_ssize_t *left = path ? PyMem_Realloc(m->left, (size_t)size * sizeof *left) : NULL;
    m->left = left ? left : m->left;
    m->size = left ? size : m->size;
    return left != NULL;
}

/* Steps down to a node that was not met; leaves are, always. 0 without memory. */
static int enter(Mirrored *m, Node *n) {
    if (n->first & MARK)
        return 1;
    if (m->depth == m->size && !grow(m))
        return 0;
    n->first |= MARK;
    m->path[m->depth] = n;
    m->left[m->depth++] = n_children(n);
    return 1;
}

/* Appends a node whose children are done. 0 without memory. */
static int leave(Mirrored *m) {
    if (m->n == m->size && !grow(m))
        return 0;
    m->order[m->n++] = m->path[--m->depth];
    return 1;
}

static int walk(Mirrored *m, Node *root) {
    int ok = enter(m, root);
    while (ok && m->depth > 0) {
        Py_ssize_t *left = &m->left[m->depth - 1];
        ok = *left > 0 ? enter(m, child_of(m->path[m->depth - 1], --*left)) : leave(m);
    }
    return ok;
}

static Number local_of(const Node *n, Py_ssize_t i) {
    if (node_kind(n) == WIDE)
        return (Number){n->wide->locals[i], n->wide->local_is_int[i]};
    if (node_kind(n) == ADD || node_kind(n) == ADD_CONST)
        return an_int(1);
    return node_local(n, (int)i);
}

static void hand_on(const Node *n) {
    Py_ssize_t n_edges = n_children(n);
    if (node_kind(n) == WIDE && n->wide->n_locals < n_edges)
        n_edges = n->wide->n_locals;
    for (Py_ssize_t i = 0; i < n_edges; i++)
        node_add_product(child_of(n, i), local_of(n, i), node_grad(n));
}

int script_backward_mirrored(Node *root, Number seed) {
    Mirrored m = {0};
    int ok = walk(&m, root);
    for (Py_ssize_t i = 0; i < m.depth; i++)
        m.path[i]->first &= ~MARK;
    if (ok)
        node_put_grad(root, seed);
    for (Py_ssize_t i = m.n - 1; i >= 0; i--) {
        m.order[i]->first &= ~MARK;
        if (ok)
            hand_on(m.order[i]);
    }
    PyMem_Free(m.order);
    PyMem_Free(m.path);
    PyMem_Free(m.left);
    if (!ok)
        PyErr_NoMemory();
    return ok ? 0 : -1;
}
