/* Which part of a stage is whose, when several threads run it together. */
#ifndef ISOGRAD_GPT_SHARES_H
#define ISOGRAD_GPT_SHARES_H

#include "pass.h"

/* Results of linear layers are dealt out in so many, so that the kernels' blocks stay whole. */
#define ROWS_AT_ONCE 16

typedef struct {
    size_t from, to;
} Range;

/* A worker's share of n things, in units of `grain`. Alone it does not divide: the divisions of a
 * step would take as long as an rmsnorm. */
static inline Range share_of(const Worker *me, size_t n, size_t grain) {
    if (me->n == 1)
        return (Range){0, n};
    const size_t units = (n + grain - 1) / grain;
    const size_t from = units * me->number / me->n * grain;
    const size_t to = units * (me->number + 1) / me->n * grain;
    return (Range){from < n ? from : n, to < n ? to : n};
}

static inline Range panels_of(const Worker *me, const Pass *p) {
    return share_of(me, p->n_panels, 1);
}

static inline Range heads_of(const Worker *me, const Sizes *s) { return share_of(me, s->H, 1); }

/* Of the n results of a linear layer, or the n gradients that it hands back. */
static inline Range rows_of(const Worker *me, size_t n) { return share_of(me, n, ROWS_AT_ONCE); }

#endif
