/* The walk that finds the topological order. Its result and its buffer are described in walk.h.
 *
 * The walk as a machine, whose states are labels in topological_order. `node` is where it is. Going
 * down pushes it onto the path and enters a child that is open, which is one without a mark; a node
 * moves into the order when all that it was computed from is there.
 *
 *             .--------------------- go down: the child is the next node <-------------------.
 *             v                                                                              |
 *   root -> enter: mark; what a sweep has handed on from is unfolded first                   |
 *             |                                                                              |
 *             |-- plain --> first child open? -- yes: path <- node|IN_FIRST -----------------|
 *             |               | no                                                           |
 *             |             second: second child open? -- yes: path <- node|IN_SECOND -------|
 *             |               | no; a shallow one moves into the order here                  |
 *             |             leave: order <- node, then left                                  |
 *             |               ^ no                                                           |
 *             |-- custom -> wide: any child open? -- yes: path <- node|IN_WIDE --------------|
 *             |                                                                              |
 *             `-- fused --> fused: order <- piece; any operand open?                         |
 *                             | no             `-- yes: path <- pair, node|IN_FUSED ---------'
 *                             v
 *                           left: path -> entry, and on   in second  from IN_FIRST
 *                                                         in leave   from IN_SECOND
 *                                                         in wide    from IN_WIDE
 *                                                         in fused   from IN_FUSED, with its pair
 *                                                         nowhere    from BOTTOM: done
 */
#include "walk.h"

#include "graph.h"
#include "numerics/compiler.h"
#include "softmax.h"
#include "unfold.h"

/* Which walk this is: what is noted about an earlier one is out of date. */
static uint64_t walk_number;

/* ---- what is open ---- */

static inline int is_open(const Node *n) { return !(n->first & MARK); }

/* Whether the walk would leave the node as soon as it had entered it. */
static inline int is_shallow(const Node *n) {
    unsigned kind = node_kind(n);
    return kind < WIDE && !is_open(node_first(n)) && (kind < ADD || !is_open(node_second(n)));
}

/* Whether a sweep has handed its gradient on to what it hides, which a second one must not pass
 * over. */
static int is_seen(const Node *n) {
    if (!node_is_fused(n))
        return node_kind(n) == SEEN_CONST;
    if (fused_is_dot(n))
        return (n->second & SEEN_FUSED) != 0;
    return probability_softmax(n)->seen || probability_softmax(n)->unfolded;
}

static Node *next_open_child(Wide *w) {
    assert(w->cursor >= 0 && w->cursor <= w->n_children);
    while (w->cursor < w->n_children) {
        Node *child = w->children[w->cursor++];
        if (is_open(child))
            return child;
    }
    return NULL;
}

/* Whether nothing in it can be open. Leaves stay leaves, unless somebody calls `__init__` again. */
static inline int are_closed(const Operands *operands) {
    return operands->closed_in_walk == walk_number ||
           (operands->all_leaves && !graph.leaf_was_promoted);
}

/* The next open one of a_0, b_0, a_1, b_1, .. from the cursor on; NULL if there is none left. */
static Node *next_open_operand(const Node *n, Py_ssize_t *cursor) {
    Operands *a = dot_a(n), *b = dot_b(n);
    int a_closed = are_closed(a), b_closed = are_closed(b);
    Py_ssize_t end = a_closed && b_closed ? 0 : 2 * (Py_ssize_t)n->terms.n;
    Node *const *a_at = a->at + n->terms.a_start, *const *b_at = b->at + n->terms.b_start;
    assert(*cursor >= 0 && *cursor <= 2 * (Py_ssize_t)n->terms.n);
    for (Py_ssize_t i = *cursor; i < end; i++) {
        if (i % 2 ? b_closed : a_closed)
            continue;
        Node *operand = (i % 2 ? b_at : a_at)[i / 2];
        if (is_open(operand)) {
            *cursor = i + 1;
            return operand;
        }
    }
    if (n->terms.n == a->n)
        a->closed_in_walk = walk_number;
    if (n->terms.n == b->n)
        b->closed_in_walk = walk_number;
    return NULL;
}

static inline void put_piece(const Node *n, Py_ssize_t from, Py_ssize_t to, uintptr_t **order) {
    assert(from <= to);
    *(*order)++ = pair(from, to);
    *(*order)++ = (uintptr_t)n | WIDE;
}

/* ---- not descending ----
 *
 * Below the operands of the first row of a matrix-vector product lie new nodes for every term, but
 * mostly just one or two, which need no path: they go into the order at once. Nor need they cut the
 * sum into pieces, unless they hand a gradient to one of its operands: only then would it matter
 * whether the sweep does that before or after the sum. Addresses tell: nodes made together lie
 * together. */

static inline int is_between(const Node *n, const Operands *o) {
    return (uintptr_t)n >= (uintptr_t)o->lowest && (uintptr_t)n <= (uintptr_t)o->highest;
}

static inline int are_apart(const Operands *x, const Operands *y) {
    return (uintptr_t)x->highest < (uintptr_t)y->lowest ||
           (uintptr_t)y->highest < (uintptr_t)x->lowest;
}

/* An open sum with nothing to find below it, and no operand among those of x and y. */
static int is_simple_dot(const Node *n, const Operands *x, const Operands *y) {
    if (!node_is_fused(n) || !fused_is_dot(n) || n->second & SEEN_FUSED)
        return 0;
    const Operands *a = dot_a(n), *b = dot_b(n);
    return are_closed(a) && are_closed(b) && are_apart(a, x) && are_apart(b, x) &&
           (x == y || (are_apart(a, y) && are_apart(b, y)));
}

static inline int is_simple_child(const Node *n, const Operands *x, const Operands *y) {
    return !is_between(n, x) && !is_between(n, y) && (!is_open(n) || is_simple_dot(n, x, y));
}

static void put_whole_dot(Node *n, uintptr_t **order) {
    n->first |= MARK;
    put_piece(n, 0, n->terms.n, order);
}

/* Puts the open node into the order, with what is open below it, if all that is simple and hands
 * nothing to the operands x and y. Whether it did. */
static int put_if_simple(Node *n, const Operands *x, const Operands *y, uintptr_t **order) {
    unsigned kind = node_kind(n);
    if (kind >= WIDE) {
        if (!is_simple_dot(n, x, y))
            return 0;
        put_whole_dot(n, order);
        return 1;
    }
    Node *first = node_first(n), *second = kind >= ADD ? node_second(n) : first;
    if (!is_simple_child(first, x, y) || !is_simple_child(second, x, y))
        return 0;
    if (is_open(first))
        put_whole_dot(first, order);
    if (is_open(second))
        put_whole_dot(second, order);
    n->first |= MARK;
    *(*order)++ = (uintptr_t)n | kind;
    return 1;
}

/* ---- fused nodes ----
 *
 * Both go on in a fused node from `cursor` and put pieces into the order as far as possible. They
 * return the open node to go below first, NULL when all is in the order. */

static inline Node *pass_terms(const Node *n, Py_ssize_t *cursor, Py_ssize_t *passed,
                               uintptr_t **order) {
    Node *next;
    do
        next = next_open_operand(n, cursor);
    while (next && put_if_simple(next, dot_a(n), dot_b(n), order));
    Py_ssize_t ready = next ? (*cursor - 1) / 2 : (Py_ssize_t)n->terms.n;
    assert(ready >= *passed && ready <= n->terms.n);
    if (ready > *passed)
        put_piece(n, *passed, ready, order);
    *passed = ready;
    return next;
}

/* The cursor is 0 before logit_k and i + 1 before logit_i. */
static Node *pass_softmax(const Node *p, Py_ssize_t *cursor, Py_ssize_t *passed,
                          uintptr_t **order) {
    Softmax *s = probability_softmax(p);
    const Operands *logits = s->logits;
    Py_ssize_t n = logits->n, k = probability_index(p);
    assert(*cursor >= 0 && *cursor <= n + 1 && *passed >= 0 && *passed <= n);
    if (*cursor == 0) {
        if (s->met_in_walk == walk_number) {
            put_piece(p, n, n, order);
            return NULL;
        }
        s->met_in_walk = walk_number;
        *cursor = 1;
        if (is_open(logits->at[k]) && !put_if_simple(logits->at[k], logits, logits, order))
            return logits->at[k];
    }
    if (*cursor == 1)
        put_piece(p, k, k, order);
    Py_ssize_t i = *cursor - 1;
    while (i < n &&
           (!is_open(logits->at[i]) || put_if_simple(logits->at[i], logits, logits, order)))
        i++;
    if (i > *passed)
        put_piece(p, *passed, i, order);
    *passed = i;
    *cursor = i + 2;
    if (i < n)
        return logits->at[i];
    put_piece(p, n, n, order);
    return NULL;
}

/* Longer than other functions, as its labels are the states drawn above: `order` and `path` stay in
 * registers, and the usual way through a node is a straight line. */
int topological_order(Node *root, Walk *walk) {
    uintptr_t *order = walk->order, *path = walk->path_end;
    const uintptr_t *next_check = order + NODES_BETWEEN_SIGNAL_CHECKS;
    int status = 0;
    Node *node = root, *next;
    uintptr_t entry;
    Py_ssize_t cursor, passed; /* in a fused node: the next operand, and the terms in the order */
    walk_number++;
    *--path = BOTTOM;

enter:
    assert(is_open(node) && node_kind(node) != LEAF);
    if (UNLIKELY(node_kind(node) >= WIDE)) {
        if (is_seen(node) && (status = node_unfold(node)) < 0)
            goto done;
        if (node_is_fused(node)) {
            node->first |= MARK;
            cursor = passed = 0;
            goto fused;
        }
        if (node_kind(node) == WIDE) {
            node->first |= MARK;
            node->wide->cursor = 0;
            goto wide;
        }
    }
    node->first |= MARK;
    next = node_first(node);
    if (is_open(next)) {
        *--path = (uintptr_t)node | IN_FIRST;
        node = next;
        goto enter;
    }
second:
    if (node_kind(node) >= ADD) {
        next = node_second(node);
        if (is_open(next)) {
            if (!is_shallow(next)) {
                *--path = (uintptr_t)node | IN_SECOND;
                node = next;
                goto enter;
            }
            /* The rule in a dot product: the product of two numbers that were there before. */
            *order++ = (uintptr_t)next | node_kind(next);
            next->first |= MARK;
        }
    }
leave:
    *order++ = (uintptr_t)node | node_kind(node);
left:
    assert(order <= path);
    if (UNLIKELY(order > next_check)) {
        next_check = order + NODES_BETWEEN_SIGNAL_CHECKS;
        if ((status = PyErr_CheckSignals()) < 0)
            goto done;
    }
    entry = *path++;
    node = untagged(entry);
    if (LIKELY((entry & TAG_BITS) == IN_FIRST))
        goto second;
    if ((entry & TAG_BITS) == IN_SECOND)
        goto leave;
    if ((entry & TAG_BITS) == BOTTOM)
        goto done;
    if ((entry & TAG_BITS) == IN_FUSED) {
        entry = *path++;
        passed = pair_first(entry);
        cursor = pair_second(entry);
        goto fused;
    }
wide:
    next = next_open_child(node->wide);
    if (next == NULL)
        goto leave;
    *--path = (uintptr_t)node | IN_WIDE;
    node = next;
    goto enter;
fused:
    next = fused_is_dot(node) ? pass_terms(node, &cursor, &passed, &order)
                              : pass_softmax(node, &cursor, &passed, &order);
    if (next == NULL)
        goto left;
    *--path = pair(passed, cursor);
    *--path = (uintptr_t)node | IN_FUSED;
    node = next;
    goto enter;

done:
    assert(status < 0 || path == walk->path_end);
    walk->order_end = order;
    walk->path = path;
    return status;
}
