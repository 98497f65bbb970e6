/* The traits of a script's class; see the header. */
#include "script_traits.h"

Traits script_traits;
int script_is_special;

void script_use_float_ones(Node *n) {
    if (node_kind(n) == ADD) {
        n->first = (n->first & ~KIND_BITS) | BINARY;
        n->second &= ~(LOCAL0_INT | LOCAL1_INT);
        n->local[0] = n->local[1] = 1.0;
    }
}

/* ---- operands that are read late ---- */

typedef struct {
    Node **at;
    Py_ssize_t n, size;
} Nodes;

static int push(Nodes *nodes, Node *n) {
    if (n->first & MARK) /* seen, or a leaf */
        return 0;
    if (nodes->n == nodes->size) {
        Py_ssize_t size = nodes->size ? 2 * nodes->size : 1024;
        Node **at = PyMem_Realloc(nodes->at, (size_t)size * sizeof *at);
        if (at == NULL)
            return -1;
        nodes->at = at;
        nodes->size = size;
    }
    n->first |= MARK;
    nodes->at[nodes->n++] = n;
    return 0;
}

static int same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

/* The data of a custom node's children stand behind its local gradients: see script_class.c. */
static int check_wide(Nodes *nodes, const Wide *w) {
    for (Py_ssize_t i = 0; i < w->n_children; i++) {
        if (push(nodes, w->children[i]) < 0)
            return -1;
        if (w->n_locals != 2 * w->n_children ||
            !same(w->locals[w->n_children + i], w->children[i]->data))
            return 0;
    }
    return 1;
}

static int check(Nodes *nodes, Node *n) {
    unsigned kind = node_kind(n);
    if (node_is_custom(n))
        return check_wide(nodes, n->wide);
    if (kind == WIDE)
        return 0;
    Node *a = node_first(n), *b = kind == ADD || kind == BINARY ? node_second(n) : NULL;
    if (push(nodes, a) < 0 || (b && push(nodes, b) < 0))
        return -1;
    if (kind == UNARY)
        return same(n->local[1], a->data);
    if (kind == BINARY) { /* a product: float_ones and closures do not go together */
        n->local[0] = b->data;
        n->local[1] = a->data;
        n->second = (n->second & ~(LOCAL0_INT | LOCAL1_INT)) | (b->second & DATA_INT) * LOCAL0_INT |
                    (a->second & DATA_INT) * LOCAL1_INT;
    }
    return 1;
}

int script_check_operands(Node *root) {
    Nodes nodes = {NULL, 0, 0};
    int status = push(&nodes, root) < 0 ? -1 : 1;
    Py_ssize_t done = 0;
    while (status == 1 && done < nodes.n)
        status = check(&nodes, nodes.at[done++]);
    for (Py_ssize_t i = 0; i < nodes.n; i++)
        nodes.at[i]->first &= ~MARK;
    PyMem_Free(nodes.at);
    if (status < 0)
        PyErr_NoMemory();
    return status;
}
