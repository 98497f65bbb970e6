/* Lending gradients and giving them back. The idea stands in gradient.h. */
#include "gradient.h"

#include <string.h>

static Operands **borrowers; /* by the number of their loan, from 1 on; NULL once returned */
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
    if ((bits & ~(uint64_t)UINT32_MAX) != LOAN_NAN)
        return NULL;
    assert((uint32_t)bits >= 1 && (uint32_t)bits <= n_loans);
    return borrowers[(uint32_t)bits];
}

static void end_loan(Operands *o) {
    assert(o->loan >= 1 && o->loan <= n_loans && borrowers[o->loan] == o);
    borrowers[o->loan] = NULL;
    o->loan = 0;
}

static void return_grads(Operands *o) {
    for (Py_ssize_t i = 0; i < o->n; i++) {
        assert(borrower_of(o->at[i]) == o);
        o->at[i]->grad = plain_nan(o->grad[i]);
    }
    end_loan(o);
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

/* After `o` has borrowed from the first n of its nodes and met one of them again. What was an int
 * stays without its flag: a float is added to it next. */
static void cancel_loan(Operands *o, Py_ssize_t n) {
    o->has_twins = 1;
    while (--n >= 0)
        o->at[n]->grad = o->grad[n];
    end_loan(o);
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
                cancel_loan(o, i);
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

void gradient_return_loans(void) {
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
