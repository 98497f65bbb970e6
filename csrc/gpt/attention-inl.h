/* Attention, forward and backward, for a range of heads.
 *
 * In each of the panels of qkv (panels, 3 C, 8), head h has its queries at features h D and its
 * keys and values C and 2 C further on. A panel of 8 positions, a lane for each, sees one or
 * several panels, a block for each; a head's exps, attention_weights and dscores of a panel are its
 * blocks below one another, (rows, 8), a row for each position seen:
 *
 *                 lane   0  1  2  3  4  5  6  7       two documents of 4 and 5 positions, in the
 *      row 0 (pos 0)     x  x  x  x  .  .  .  .       first panel's block: x is what the mask lets
 *          1 (pos 1)     .  x  x  x  .  .  .  .       through
 *          2 (pos 2)     .  .  x  x  .  .  .  .
 *          3 (pos 3)     .  .  .  x  .  .  .  .
 *          4 (pos 0)     .  .  .  .  x  x  x  x
 *          5 (pos 1)     .  .  .  .  .  x  x  x
 *          6 (pos 2)     .  .  .  .  .  .  x  x
 *          7 (pos 3)     .  .  .  .  .  .  .  x
 *
 * The graph has no term for what the mask does not let through. Sums over positions add 0.0 in its
 * place, which changes no sum that started at 0.0. ORDER.md derives the orders.
 */
#ifndef ISOGRAD_GPT_ATTENTION_INL_H
#define ISOGRAD_GPT_ATTENTION_INL_H

#include <math.h>

#include "blocks-inl.h"
#include "exps-inl.h"
#include "pass.h"
#include "softmax-inl.h"

typedef enum { ASCENDING, DESCENDING } Direction;

/* What a panel of positions sees. */
typedef struct {
    size_t first_panel, n_blocks; /* of the panels seen, of which the last is the panel itself */
    size_t n_rows;                /* positions in them, without those past the last */
    size_t n_lanes;               /* positions in the panel itself */
    size_t begin;                 /* of its blocks in arrays with heads */
    const int64_t *mask;          /* (8 n_blocks, 8) */
} View;

INLINE View view_of(const Pass *p, size_t panel) {
    const size_t first = p->first_seen[panel], end = (panel + 1) * LANES;
    assert(panel < p->n_panels && first <= panel);
    return (View){
        .first_panel = first,
        .n_blocks = panel + 1 - first,
        .n_rows = (end < p->T ? end : p->T) - first * LANES,
        .n_lanes = (end < p->T ? end : p->T) - panel * LANES,
        .begin = p->first_block[panel] * p->s.H * LANES * LANES,
        .mask = p->mask + p->first_block[panel] * LANES * LANES,
    };
}

/* ---- kernels ---- */

/* out is (R, 8), a and x are (n, 8): out[row][lane] = the sum over j of a[j][row] * x[j][lane]. */
INLINE void dots_block(const size_t R, double *out, const double *a, const double *x, size_t n,
                       Direction direction) {
    Lanes sum[ROWS];
    EACH(r, R) sum[r] = splat(0.0);
    for (size_t k = 0; k < n; k++) {
        size_t j = direction == ASCENDING ? k : n - 1 - k;
        Lanes xj = load(x + j * LANES);
        EACH(r, R) sum[r] = add_product(sum[r], a[j * LANES + r], xj);
    }
    EACH(r, R) store(out + r * LANES, sum[r]);
}

/* out is (8, 8), a and x are (n, 8): the inner products of all columns of a with those of x. */
INLINE void dots(double *out, const double *a, const double *x, size_t n, Direction direction) {
    IN_BLOCKS(ROWS, r, (size_t)LANES, dots_block(R, out + r * LANES, a + r, x, n, direction));
}

/* Features of positions in consecutive panels, which lie `stride` doubles apart. */
typedef struct {
    const double *x;
    size_t stride;
} Panels;

/* Rows that belong to these positions, one after the other. */
typedef struct {
    const double *weights; /* (n, 8) */
    const int64_t *mask;   /* (n, 8) */
    size_t n;
} MaskedRows;

/* out is (R, 8): out[j][lane] = the sum over rows of feature j there times rows.weights[row][lane],
 * where the mask lets it through. */
INLINE void weighted_sums_block(const size_t R, double *out, Panels features, MaskedRows rows,
                                Direction direction, int from_zero) {
    Lanes sum[ROWS];
    EACH(j, R) sum[j] = from_zero ? splat(0.0) : load(out + j * LANES);
    for (size_t k = 0; k < rows.n; k++) {
        size_t row = direction == ASCENDING ? k : rows.n - 1 - k;
        const double *x = features.x + row / LANES * features.stride + row % LANES;
        Lanes weights = load(rows.weights + row * LANES);
        EACH(j, R) {
            Lanes term = mul(splat(x[j * LANES]), weights);
            sum[j] = add(sum[j], keep(rows.mask + row * LANES, term));
        }
    }
    EACH(j, R) store(out + j * LANES, sum[j]);
}

/* out is (n, 8): the first n features of positions, weighted and summed; sums start from zero or go
 * on. */
INLINE void weighted_sums(double *out, size_t n, Panels features, MaskedRows rows,
                          Direction direction, int from_zero) {
    IN_BLOCKS(ROWS, j, n, {
        const Panels block = {features.x + j * LANES, features.stride};
        weighted_sums_block(R, out + j * LANES, block, rows, direction, from_zero);
    });
}

/* ---- forward ---- */

/* The larger functions are kept out of line: inlined in the stages, GCC runs out of registers in
 * their loops, which grow by up to a third. */

/* scores is (8 n_blocks, 8), q is (D, 8): one head's scores less their maximum; 0 where a position
 * does not look. `keys` points to the head's keys in the first panel seen. */
static void attention_scores(const Pass *p, const View *view, double *scores, const double *q,
                             const double *keys) {
    const size_t n = view->n_blocks * LANES * LANES;
    Lanes max = splat(-INFINITY), inverse_root = splat(p->inverse_root_of_D);
    for (size_t b = 0; b < view->n_blocks; b++)
        dots(scores + b * LANES * LANES, keys + b * 3 * p->s.C * LANES, q, p->s.D, ASCENDING);
    for (size_t i = 0; i < n; i += LANES) {
        Lanes score = mul(load(scores + i), inverse_root);
        store(scores + i, score);
        max = larger_where(view->mask + i, score, max);
    }
    Lanes minus_max = mul(max, splat(-1.0));
    for (size_t i = 0; i < n; i += LANES)
        store(scores + i, keep(view->mask + i, add(load(scores + i), minus_max)));
}

/* exps is (8 n_blocks, 8), one head's: sets those to 0 that the mask does not let through, and
 * returns the totals of the others. */
INLINE Lanes mask_and_total(const View *view, double *exps) {
    Lanes total = splat(0.0);
    for (size_t i = 0; i < view->n_blocks * LANES * LANES; i += LANES) {
        Lanes kept = keep(view->mask + i, load(exps + i));
        store(exps + i, kept);
        total = add(total, kept);
    }
    return total;
}

/* layer->heads is (panels, C, 8). exp and powers are taken of all heads at once: they are quicker
 * for many numbers. */
static NOINLINE void attention_forward(const Pass *p, const Layer *layer, Range heads) {
    const size_t C = p->s.C, D = p->s.D, stride = 3 * C * LANES, n_heads = heads.to - heads.from;
    for (size_t panel = 0; panel < p->n_panels; panel++) {
        const View view = view_of(p, panel);
        const size_t n = view.n_blocks * LANES * LANES, first_total = panel * p->s.H * LANES;
        const double *seen = layer->qkv + view.first_panel * stride;
        const double *q = layer->qkv + panel * stride;
        double *exps = layer->exps + view.begin, *weights = layer->attention_weights + view.begin;
        double *inverse = layer->totals.inverse + first_total;
        for (size_t h = heads.from; h < heads.to; h++)
            attention_scores(p, &view, exps + h * n, q + h * D * LANES, seen + (C + h * D) * LANES);
        exp_of_lanes((Rows){exps + heads.from * n, view.n_rows, n, n_heads}, view.n_lanes);
        for (size_t h = heads.from; h < heads.to; h++)
            store(inverse + h * LANES, mask_and_total(&view, exps + h * n));
        invert_totals(layer->totals, first_total + heads.from * LANES, n_heads * LANES);
        for (size_t h = heads.from; h < heads.to; h++) {
            const Lanes factor = load(inverse + h * LANES);
            for (size_t i = h * n; i < (h + 1) * n; i += LANES)
                store(weights + i, mul(load(exps + i), factor));
            weighted_sums(layer->heads + (panel * C + h * D) * LANES, D,
                          (Panels){seen + (2 * C + h * D) * LANES, stride},
                          (MaskedRows){weights + h * n, view.mask, view.n_rows}, ASCENDING, 1);
        }
    }
}

/* ---- backward ---- */

/* dheads is (panels, C, 8). Of one panel and head, the gradients of its scores, (8 n_blocks, 8) in
 * p->dscores, and of its queries, (D, 8) in layer->dqkv. */
static NOINLINE void attention_backward_queries(const Pass *p, const Layer *layer,
                                                const double *dheads, size_t panel, size_t h) {
    const size_t C = p->s.C, D = p->s.D, stride = 3 * C * LANES;
    const View view = view_of(p, panel);
    const size_t begin = view.begin + h * view.n_blocks * LANES * LANES;
    const double *seen = layer->qkv + view.first_panel * stride, *exps = layer->exps + begin;
    double *dscores = p->dscores + begin;
    const Lanes inverse = load(layer->totals.inverse + (panel * p->s.H + h) * LANES);
    const Lanes slope = load(layer->totals.slope + (panel * p->s.H + h) * LANES);
    for (size_t b = 0; b < view.n_blocks; b++)
        dots(dscores + b * LANES * LANES, seen + b * stride + (2 * C + h * D) * LANES,
             dheads + (panel * C + h * D) * LANES, D, DESCENDING);
    Lanes dtotal = splat(0.0);
    for (size_t row = view.n_rows; row-- > 0;) {
        Lanes dinverse = mul(load(exps + row * LANES), load(dscores + row * LANES));
        dtotal = add(dtotal, keep(view.mask + row * LANES, mul(slope, dinverse)));
    }
    for (size_t i = 0; i < view.n_rows * LANES; i += LANES) {
        Lanes dexp = add(mul(inverse, load(dscores + i)), dtotal);
        Lanes dscore = mul(load(exps + i), dexp);
        store(dscores + i, keep(view.mask + i, mul(splat(p->inverse_root_of_D), dscore)));
    }
    weighted_sums(layer->dqkv + (panel * 3 * C + h * D) * LANES, D,
                  (Panels){seen + (C + h * D) * LANES, stride},
                  (MaskedRows){dscores, view.mask, view.n_rows}, DESCENDING, 1);
}

/* dheads is (panels, C, 8). Of one panel and head, the gradients of its keys and values, (D, 8)
 * each in layer->dqkv: from all panels that see it, the last first. */
static NOINLINE void attention_backward_keys_values(const Pass *p, const Layer *layer,
                                                    const double *dheads, size_t seen, size_t h) {
    const size_t C = p->s.C, D = p->s.D;
    double *dqkv = layer->dqkv + (seen * 3 * C + h * D) * LANES;
    size_t panel = seen;
    while (panel + 1 < p->n_panels && p->first_seen[panel + 1] <= seen)
        panel++;
    for (int from_zero = 1; panel + 1 > seen; panel--, from_zero = 0) {
        const View view = view_of(p, panel);
        const size_t block = seen - view.first_panel, n_left = p->T - panel * LANES;
        const size_t begin = view.begin + (h * view.n_blocks + block) * LANES * LANES;
        _Alignas(64) double transposed[LANES * LANES];
        const MaskedRows rows = {
            .weights = transposed,
            .mask = p->mask_transposed + (p->first_block[panel] + block) * LANES * LANES,
            .n = n_left < LANES ? n_left : LANES,
        };
        const Panels queries = {layer->qkv + (panel * 3 * C + h * D) * LANES, 0}; /* one panel */
        const Panels dhead = {dheads + (panel * C + h * D) * LANES, 0};
        transpose(transposed, LANES, p->dscores + begin, LANES);
        weighted_sums(dqkv + C * LANES, D, queries, rows, DESCENDING, from_zero);
        transpose(transposed, LANES, layer->attention_weights + begin, LANES);
        weighted_sums(dqkv + 2 * C * LANES, D, dhead, rows, DESCENDING, from_zero);
    }
}

/* layer->dqkv is (panels, 3 C, 8), dheads is (panels, C, 8). */
static void attention_backward(const Pass *p, const Layer *layer, const double *dheads,
                               Range heads) {
    for (size_t panel = 0; panel < p->n_panels; panel++)
        for (size_t h = heads.from; h < heads.to; h++)
            attention_backward_queries(p, layer, dheads, panel, h);
    for (size_t panel = 0; panel < p->n_panels; panel++)
        for (size_t h = heads.from; h < heads.to; h++)
            attention_backward_keys_values(p, layer, dheads, panel, h);
}

#endif
