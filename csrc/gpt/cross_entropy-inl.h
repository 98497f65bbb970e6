/* Cross entropy, -log softmax(logits)[target], and lm_head's backward pass. That differs from other
 * linear layers' since the graph meets the row of a position's target last of all (ORDER.md). */
#ifndef ISOGRAD_GPT_CROSS_ENTROPY_INL_H
#define ISOGRAD_GPT_CROSS_ENTROPY_INL_H

#include <math.h>

#include "blocks-inl.h"
#include "exps-inl.h"
#include "linear-inl.h"
#include "pass.h"
#include "softmax-inl.h"

/* p->logits is (panels, V, 8) and becomes exps; p->probability and p->loss are (T). Returns
 * the first position at which Python's math.log fails, or NOWHERE. */
static size_t cross_entropy_forward(const Pass *p, Range panels) {
    const size_t V = p->s.V, first = panels.from * LANES, end = panels.to * LANES;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        double *logits = p->logits + panel * V * LANES;
        Lanes max = splat(-INFINITY);
        for (size_t o = 0; o < V; o++)
            max = larger(load(logits + o * LANES), max);
        Lanes minus_max = mul(max, splat(-1.0));
        for (size_t o = 0; o < V; o++)
            store(logits + o * LANES, add(load(logits + o * LANES), minus_max));
        const size_t n_left = p->T - panel * LANES;
        exp_of_lanes((Rows){logits, V, V * LANES, 1}, n_left < LANES ? n_left : LANES, p->calls);
        Lanes total = splat(0.0);
        for (size_t o = 0; o < V; o++)
            total = add(total, load(logits + o * LANES));
        store(p->totals.inverse + panel * LANES, total);
    }
    const Noted positions = noted_positions(p, panels);
    invert_totals(p->totals, first, end - first, p->calls ? &positions : NULL);
    for (size_t t = first; t < end && t < p->T; t++) {
        const double *exps = p->logits + t / LANES * V * LANES + t % LANES;
        p->probability[t] = exps[(size_t)p->target_id[t] * LANES] * p->totals.inverse[t];
        if (p->probability[t] <= 0.0)
            return t;
        const double logarithm = log(p->probability[t]);
        if (UNLIKELY(p->calls != NULL))
            calls_note(p->calls, CALLED_LOG, p->probability[t], logarithm);
        p->loss[t] = logarithm * -1.0;
    }
    return NOWHERE;
}

static double *target_dlogit(const Pass *p, size_t t) {
    return p->dlogits + (t / LANES * p->s.V + (size_t)p->target_id[t]) * LANES + t % LANES;
}

/* p->dlogits is (panels, V, 8), but for the targets' logits, whose gradients go to p->dtarget, (T):
 * 0 in their place adds nothing to the sums of lm_head_backward, where they come last. */
static void cross_entropy_backward(const Pass *p, Range panels) {
    const size_t V = p->s.V;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        const double *exps = p->logits + panel * V * LANES;
        double dtotal[LANES] = {0};
        for (size_t lane = 0; lane < LANES && panel * LANES + lane < p->T; lane++) {
            const size_t t = panel * LANES + lane;
            double e = exps[(size_t)p->target_id[t] * LANES + lane];
            double dprobability = 1.0 / p->probability[t] * (-1.0 * p->dloss[t]);
            dtotal[lane] = p->totals.slope[t] * (e * dprobability);
            p->dtarget[t] = e * (p->totals.inverse[t] * dprobability + dtotal[lane]);
        }
        Lanes dexp = load_anywhere(dtotal);
        for (size_t o = 0; o < V; o++)
            store(p->dlogits + (panel * V + o) * LANES, mul(load(exps + o * LANES), dexp));
        for (size_t t = panel * LANES; t < (panel + 1) * LANES; t++)
            if (t < p->T)
                *target_dlogit(p, t) = 0.0;
            else
                p->dtarget[t] = 0.0;
    }
}

/* dx is (C, 8), of one panel: the given columns of lm_head's rows of the targets, each times its
 * gradient, are added. */
static void add_target_rows(const Pass *p, double *dx, Matrix lm_head, size_t panel,
                            Range columns) {
    const Lanes dtarget = load(p->dtarget + panel * LANES);
    const double *row[LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        const size_t t = panel * LANES + lane < p->T ? panel * LANES + lane : p->T - 1;
        row[lane] = lm_head.w + (size_t)p->target_id[t] * lm_head.n_in;
    }
    for (size_t i = columns.from; i < columns.to; i += LANES) {
        const size_t n = columns.to - i < LANES ? columns.to - i : LANES;
        _Alignas(64) double by_lane[LANES * LANES], by_column[LANES * LANES];
        for (size_t lane = 0; lane < LANES; lane++)
            store(by_lane + lane * LANES, load_some(row[lane] + i, n));
        transpose(by_column, LANES, by_lane, LANES);
        for (size_t j = 0; j < n; j++) {
            double *d = dx + (i + j) * LANES;
            store(d, add(load(d), mul(load(by_column + j * LANES), dtarget)));
        }
    }
}

/* dx is (panels, C, 8), the gradient of the last x: rows of lm_head from the last to the first, but
 * each position's target last of all. */
static void lm_head_backward(const Pass *p, double *dx, Matrix lm_head, Range columns) {
    linear_backward(dx, lm_head, p->dlogits, descending_rows(p, p->s.V), p->T, columns);
    for (size_t panel = 0; panel < p->n_panels; panel++)
        add_target_rows(p, dx + panel * p->s.C * LANES, lm_head, panel, columns);
}

/* p->dlogits is (panels, V, 8): puts the targets' gradients where they belong. */
static void complete_dlogits(const Pass *p, Range panels) {
    for (size_t t = panels.from * LANES; t < panels.to * LANES && t < p->T; t++)
        *target_dlogit(p, t) = p->dtarget[t];
}

#endif
