/* Fetching, noting, borrowing and returning. The idea stands in operands.h. */
#include "operands.h"

#include <string.h>

#include "graph.h"

uint64_t graph_data_version;

/* ---- fetching ---- */

/* Keys, values and inputs of the positions of one layer; a clash costs a fetch. */
#define N_PLACES 256
static Operands *places[N_PLACES];

static Operands **place_of(const Node *first) {
    return &places[(uintptr_t)first / sizeof(Node) % N_PLACES];
}

static Operands *operands_allocate(Py_ssize_t n) {
    size_t bytes = sizeof(Operands) + (size_t)n * (sizeof(Node *) + 2 * sizeof(double) + 1);
    Operands *o = PyMem_Malloc(bytes);
    if (o == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *o = (Operands){.n_owners = 1, .n = n, .data_version = graph_data_version};
    o->data = (double *)(o + 1);
    o->grad = o->data + n;
    o->at = (Node **)(o->grad + n);
    o->is_int = (unsigned char *)(o->at + n);
    return o;
}

static int is_leaf(const Node *n) {
    return Value_CheckExact((PyObject *)n) && node_kind(n) == LEAF;
}

/* The vector noted for its first node, if it is this one; a new reference, or NULL. */
static Operands *noted(Node *const *at, Py_ssize_t n) {
    Operands *o = is_leaf(at[0]) ? at[0]->row : *place_of(at[0]);
    if (o == NULL || o->n != n || o->data_version != graph_data_version ||
        memcmp(o->at, at, (size_t)n * sizeof *at) != 0)
        return NULL;
    o->n_owners++;
    return o;
}

void operands_forget(Operands *o) {
    if (o->home)
        o->home->row = NULL;
    if (o->place)
        *o->place = NULL;
    o->home = NULL;
    o->place = NULL;
}

static void note(Operands *o) {
    Node *first = o->at[0];
    Operands **place = is_leaf(first) ? &first->row : place_of(first);
    if (*place)
        operands_forget(*place);
    *place = o;
    if (is_leaf(first))
        o->home = first;
    else
        o->place = place;
}

Operands *operands_gather(Node *const *at, Py_ssize_t n) {
    Operands *o = operands_allocate(n);
    int all_leaves = 1;
    uintptr_t ints = 0, lowest = UINTPTR_MAX, highest = 0;
    for (Py_ssize_t i = 0; o && i < n; i++) {
        Node *node = at[i];
        if (UNLIKELY(!Value_CheckExact((PyObject *)node))) {
            o->n = i;
            operands_release(o);
            return NULL;
        }
        Py_INCREF((PyObject *)node);
        o->at[i] = node;
        o->data[i] = node->data;
        o->is_int[i] = (unsigned char)(node->second & DATA_INT);
        all_leaves &= node_kind(node) == LEAF;
        ints |= node->second;
        lowest = (uintptr_t)node < lowest ? (uintptr_t)node : lowest;
        highest = (uintptr_t)node > highest ? (uintptr_t)node : highest;
    }
    if (o) {
        o->all_leaves = all_leaves;
        o->some_ints = (ints & DATA_INT) != 0;
        o->lowest = (const Node *)lowest;
        o->highest = (const Node *)highest;
    }
    return o;
}

Operands *operands_new(Node *const *at, Py_ssize_t n) {
    Operands *o = noted(at, n);
    if (o == NULL && (o = operands_gather(at, n)))
        note(o);
    return o;
}

/* ---- borrowing ---- */

static Operands **borrowers; /* by the number of their loan; NULL once returned */
static uint32_t n_loans, loans_capacity;

#define LOAN_NAN ((uint64_t)0xfff8d07a << 32) /* and the loan's number in the lower half */

static double nan_of_loan(uint32_t loan) {
    uint64_t bits = LOAN_NAN | loan;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Who has this node's gradient; NULL if it has it itself. */
static Operands *borrower_of(const Node *n) {
    uint64_t bits;
    memcpy(&bits, &n->grad, sizeof bits);
    return (bits & ~(uint64_t)UINT32_MAX) == LOAN_NAN ? borrowers[(uint32_t)bits] : NULL;
}

static void return_grads(Operands *o) {
    for (Py_ssize_t i = 0; i < o->n; i++)
        o->at[i]->grad = plain_nan(o->grad[i]);
    borrowers[o->loan] = NULL;
    o->loan = 0;
}

/* A free number; 0 if there is no memory for it, and the sweep goes on without. */
static uint32_t new_loan(void) {
    if (n_loans + 1 >= loans_capacity) {
        uint32_t capacity = loans_capacity ? 2 * loans_capacity : 1024;
        Operands **grown = capacity > loans_capacity
                               ? PyMem_RawRealloc(borrowers, capacity * sizeof *grown)
                               : NULL;
        if (grown == NULL)
            return 0;
        borrowers = grown;
        loans_capacity = capacity;
    }
    return ++n_loans;
}

int operands_borrow_grads(Operands *o) {
    if (o->loan)
        return 1;
    if (o->has_twins || (o->loan = new_loan()) == 0)
        return 0;
    double mine = nan_of_loan(o->loan);
    borrowers[o->loan] = o;
    for (Py_ssize_t i = 0; i < o->n; i++) {
        Node *n = o->at[i];
        if (UNLIKELY(n->grad != n->grad)) {
            Operands *other = borrower_of(n);
            if (other == o) {
                /* What was an int stays without its flag: a float is added to it next. */
                o->has_twins = 1;
                while (--i >= 0)
                    o->at[i]->grad = o->grad[i];
                borrowers[o->loan] = NULL;
                o->loan = 0;
                return 0;
            }
            if (other)
                return_grads(other);
        }
        o->grad[i] = n->grad;
        n->grad = mine;
        n->second &= ~GRAD_INT;
    }
    return 1;
}

void operands_return_grads(void) {
    for (; n_loans > 0; n_loans--)
        if (borrowers[n_loans])
            return_grads(borrowers[n_loans]);
}

void node_reclaim_grad(Node *n) {
    Operands *o = borrower_of(n);
    if (o)
        return_grads(o);
}

void node_add_nan(Node *n, double contribution) {
    node_reclaim_grad(n);
    n->grad = plain_nan(n->grad + contribution);
}
