/* softmax as arrays that its probabilities share, and a node for each probability in use.
 *
 * For n logits the reference makes shifted logits s_i = logit_i - max, exponentials e_i = exp(s_i),
 * partial sums t_0 = e_0 + 0, t_i = t_(i-1) + e_i, and for each probability an inverse of its own,
 * inv_k = t_(n-1)**-1, and p_k = e_k * inv_k. Only the p_k can be seen from outside; the others are
 * arrays here, and every power of the total is computed once.
 *
 * Exactness. The first p_k that a walk meets brings the terms of all logits along: the walk goes
 * below logit_k and places s_k, e_k. Then inv_k leads it down to t_0 and back up: below logit_0,
 * s_0, e_0, t_0, below logit_1, s_1, e_1, t_1, .. (without s_k, e_k, which it has met), then inv_k,
 * p_k. A p_k met later only adds inv_k, p_k. The order list takes these steps in pieces, cut
 * wherever the walk descends:
 *
 *      softmax_exp        s_k, e_k
 *      softmax_terms      s_i, e_i, t_i for a range of i
 *      softmax_result     inv_k, p_k
 *
 * The hidden gradients are kept after the sweep. A second sweep would add to them, and a look at
 * the edges shows them, so both first unfold the softmax, and the p_k concerned, into the
 * reference's nodes.
 */
#ifndef ISOGRAD_SOFTMAX_H
#define ISOGRAD_SOFTMAX_H

#include "wide.h"

/* Of n logits from 1 to DOT_MAX_TERMS, exact Values; a new reference, or NULL with an exception
 * set: MemoryError, or what exp and pow raise. */
Softmax *softmax_new(Node *const *logits, Py_ssize_t n);

/* Probability k as a new node; NULL with MemoryError set. */
PyObject *softmax_probability(Softmax *softmax, Py_ssize_t k);

/* Turns a probability, and its softmax if need be, into the reference's nodes. 0, or -1 with an
 * exception set, the node unchanged. */
int softmax_unfold(Node *p);

/* The sweep's three steps. */
void softmax_hand_on_exp(Node *p);
void softmax_hand_on_terms(Node *p, Py_ssize_t from, Py_ssize_t to);
void softmax_hand_on_result(Node *p);

#endif
