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
    const int64_t *mask, *mask_transposed; /* (BLOCK_KINDS, 8, 8) */
    const int *is_full;                    /* (BLOCK_KINDS) */
} View;

INLINE View view_of(const Pass *p, size_t panel) {
    const size_t first = p->first_seen[panel], end = (panel + 1) * LANES;
    const size_t kinds = panel * BLOCK_KINDS;
    assert(panel < p->n_panels && first <= panel && panel + 1 - first <= p->most_seen);
    return (View){
        .first_panel = first,
        .n_blocks = panel + 1 - first,
        .n_rows = (end < p->T ? end : p->T) - first * LANES,
        .n_lanes = (end < p->T ? end : p->T) - panel * LANES,
        .begin = p->first_block[panel] * p->s.H * LANES * LANES,
        .mask = p->mask + kinds * LANES * LANES,
        .mask_transposed = p->mask_transposed + kinds * LANES * LANES,
        .is_full = p->is_full + kinds,
    };
}

INLINE BlockKind kind_of(const View *view, size_t block) {
    return block + 1 == view->n_blocks ? LAST_BLOCK : block == 0 ? FIRST_BLOCK : MIDDLE_BLOCK;
}

/* Consecutive blocks of a view, which go through the loops below at once. */
typedef struct {
    size_t from, to;     /* blocks */
    size_t n_rows;       /* in them, without those past the last position */
    const int64_t *mask; /* (8 blocks, 8); NULL if it lets everything through */
} Span;

/* One or two blocks are one span: the masks of the first and the last lie next to each other. Of
 * more, the first and the last are one each, and those between together if nothing is masked. */
INLINE size_t n_spans(const View *view) {
    if (view->n_blocks <= 2)
        return 1;
    return view->is_full[MIDDLE_BLOCK] ? 3 : view->n_blocks;
}

INLINE Span span_at(const View *view, size_t i, size_t n) {
    const size_t block = LANES * LANES, last = view->n_blocks - 1;
    const int64_t *first_mask = view->mask + FIRST_BLOCK * block;
    if (n == 1) /* whether it is full is not worth asking */
        return (Span){0, last + 1, view->n_rows, last ? first_mask : first_mask + block};
    if (i == 0)
        return (Span){0, 1, LANES, view->is_full[FIRST_BLOCK] ? NULL : first_mask};
    if (i == n - 1)
        return (Span){last, last + 1, view->n_rows - last * LANES, first_mask + block};
    if (view->is_full[MIDDLE_BLOCK])
        return (Span){1, last, (last - 1) * LANES, NULL};
    return (Span){i, i + 1, LANES, view->mask + MIDDLE_BLOCK * block};
}

_Static_assert(LAST_BLOCK == FIRST_BLOCK + 1, "two blocks have their masks one after the other");

/* Runs the statement for the spans of a view, in ascending or descending order of their rows: each
 * time with a `mask` that the compiler knows to be NULL, or not. */
#define FOR_SPANS(span, view, direction, ...)                                                      \
    for (size_t at_ = 0, n_ = n_spans(view); at_ < n_; at_++) {                                    \
        const Span span = span_at(view, (direction) == ASCENDING ? at_ : n_ - 1 - at_, n_);        \
        if (LIKELY(span.mask != NULL)) {                                                           \
            const int64_t *const mask = span.mask;                                                 \
            __VA_ARGS__                                                                            \
        } else {                                                                                   \
            const int64_t *const mask = NULL;                                                      \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* a where the mask lets it through, else 0.0. */
INLINE Lanes keep_seen(const int64_t *mask, size_t row, Lanes a) {
    return mask ? keep(mask + row * LANES, a) : a;
}

/* ---- kernels ---- */

/* sum is (R), a and x are (n, 8): sum[row] = the sum over j of a[j][row] * x[j]. */
INLINE void dots_of_rows(const size_t R, Lanes *sum, const double *a, const double *x, size_t n,
                         Direction direction) {
    EACH(r, R) sum[r] = splat(0.0);
    for (size_t k = 0; k < n; k++) {
        size_t j = direction == ASCENDING ? k : n - 1 - k;
        Lanes xj = load(x + j * LANES);
        EACH(r, R) sum[r] = add_product(sum[r], a[j * LANES + r], xj);
    }
}

/* out is (8, 8), a and x are (n, 8): the inner products of all columns of a with those of x. */
INLINE void dots(double *out, const double *a, const double *x, size_t n, Direction direction) {
    IN_BLOCKS(ROWS, r, (size_t)LANES, {
        Lanes sum[ROWS];
        dots_of_rows(R, sum, a + r, x, n, direction);
        EACH(i, R) store(out + (r + i) * LANES, sum[i]);
    });
}

/* Features of positions in consecutive panels, which lie `stride` doubles apart. */
typedef struct {
    const double *x;
    size_t stride;
} Panels;

/* Rows that belong to these positions, one after the other. */
typedef struct {
    const double *weights; /* (n, 8) */
    size_t n;
    const int64_t *mask; /* (n, 8); NULL: all count */
} MaskedRows;

/* out is (R, 8): out[j][lane] = the sum over rows of feature j there times the row's weight, times
 * factor[lane] unless that is NULL, where the mask lets it through. */
INLINE void weighted_sums_block(const size_t R, double *out, Panels features, MaskedRows rows,
                                const Lanes *factor, Direction direction, int from_zero) {
    Lanes sum[ROWS];
    EACH(j, R) sum[j] = from_zero ? splat(0.0) : load(out + j * LANES);
    for (size_t k = 0; k < rows.n; k++) {
        size_t row = direction == ASCENDING ? k : rows.n - 1 - k;
        const double *x = features.x + row / LANES * features.stride + row % LANES;
        Lanes weights = load(rows.weights + row * LANES);
        if (factor)
            weights = mul(weights, *factor);
        EACH(j, R) {
            Lanes term = mul(splat(x[j * LANES]), weights);
            sum[j] = add(sum[j], keep_seen(rows.mask, row, term));
        }
    }
    EACH(j, R) store(out + j * LANES, sum[j]);
}

/* out is (n, 8): the first n features of positions, weighted and summed; sums start from zero or go
 * on. */
INLINE void weighted_sums(double *out, size_t n, Panels features, MaskedRows rows,
                          const Lanes *factor, Direction direction, int from_zero) {
    IN_BLOCKS(ROWS, j, n, {
        const Panels block = {features.x + j * LANES, features.stride};
        weighted_sums_block(R, out + j * LANES, block, rows, factor, direction, from_zero);
    });
}

/* ---- forward ---- */

/* The larger functions are kept out of line: inlined in the stages, GCC runs out of registers in
 * their loops, which grow by up to a third. */

/* scores is (8, 8), keys and q are (D, 8): the scores of a block, and the larger of `max` and
 * those that the mask lets through. */
INLINE Lanes score_block(double *scores, const double *keys, const double *q, size_t D,
                         Lanes inverse_root, const int64_t *mask, Lanes max) {
    IN_BLOCKS(ROWS, r, (size_t)LANES, {
        Lanes sum[ROWS];
        dots_of_rows(R, sum, keys + r, q, D, ASCENDING);
        EACH(i, R) {
            const size_t at = (r + i) * LANES;
            Lanes score = mul(sum[i], inverse_root);
            store(scores + at, score);
            max = mask ? larger_where(mask + at, score, max) : larger(score, max);
        }
    });
    return max;
}

/* scores is (8 n_blocks, 8), q is (D, 8): one head's scores less their maximum; 0 where a position
 * does not look. `keys` points to the head's keys in the first panel seen. */
static void attention_scores(const Pass *p, const View *view, double *scores, const double *q,
                             const double *keys) {
    const size_t D = p->s.D, block = LANES * LANES, stride = 3 * p->s.C * LANES;
    Lanes max = splat(-INFINITY), inverse_root = splat(p->inverse_root_of_D);
    FOR_SPANS(span, view, ASCENDING, {
        for (size_t b = span.from; b < span.to; b++)
            max = score_block(scores + b * block, keys + b * stride, q, D, inverse_root,
                              mask ? mask + (b - span.from) * block : NULL, max);
    })
    Lanes minus_max = mul(max, splat(-1.0));
    FOR_SPANS(span, view, ASCENDING, {
        double *rows = scores + span.from * block;
        for (size_t row = 0; row < (span.to - span.from) * LANES; row++) {
            Lanes score = add(load(rows + row * LANES), minus_max);
            store(rows + row * LANES, keep_seen(mask, row, score));
        }
    })
}

/* exps is (8 n_blocks, 8), one head's: sets those to 0 that the mask does not let through, and
 * returns the totals of the others. */
INLINE Lanes mask_and_total(const View *view, double *exps) {
    Lanes total = splat(0.0);
    FOR_SPANS(span, view, ASCENDING, {
        double *rows = exps + span.from * LANES * LANES;
        for (size_t row = 0; row < (span.to - span.from) * LANES; row++) {
            Lanes kept = keep_seen(mask, row, load(rows + row * LANES));
            if (mask)
                store(rows + row * LANES, kept);
            total = add(total, kept);
        }
    })
    return total;
}

/* heads is (D, 8), exps is (8 n_blocks, 8): one head's values, weighted with exps * inverse and
 * summed. `values` are the head's in the first panel seen. */
INLINE void weigh_values(const View *view, double *heads, size_t D, Panels values,
                         const double *exps, Lanes inverse) {
    int from_zero = 1;
    FOR_SPANS(span, view, ASCENDING, {
        const Panels features = {values.x + span.from * values.stride, values.stride};
        const MaskedRows rows = {exps + span.from * LANES * LANES, span.n_rows, mask};
        weighted_sums(heads, D, features, rows, &inverse, ASCENDING, from_zero);
        from_zero = 0;
    })
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
        double *exps = layer->exps + view.begin, *inverse = layer->totals.inverse + first_total;
        for (size_t h = heads.from; h < heads.to; h++)
            attention_scores(p, &view, exps + h * n, q + h * D * LANES, seen + (C + h * D) * LANES);
        exp_of_lanes((Rows){exps + heads.from * n, view.n_rows, n, n_heads}, view.n_lanes,
                     p->calls);
        for (size_t h = heads.from; h < heads.to; h++)
            store(inverse + h * LANES, mask_and_total(&view, exps + h * n));
        const Noted lanes = {p->calls, LANES, view.n_lanes};
        invert_totals(layer->totals, first_total + heads.from * LANES, n_heads * LANES,
                      p->calls ? &lanes : NULL);
        for (size_t h = heads.from; h < heads.to; h++)
            weigh_values(&view, layer->heads + (panel * C + h * D) * LANES, D,
                         (Panels){seen + (2 * C + h * D) * LANES, stride}, exps + h * n,
                         load(inverse + h * LANES));
    }
}

/* ---- backward ---- */

/* dheads is (panels, C, 8). Of one panel and head, the gradients of its scores, (8 n_blocks, 8) in
 * `dscores`, and of its queries, (D, 8) in layer->dqkv. */
static NOINLINE void attention_backward_queries(const Pass *p, const Layer *layer, const View *view,
                                                const double *dheads, double *dscores, size_t panel,
                                                size_t h) {
    const size_t C = p->s.C, D = p->s.D, stride = 3 * C * LANES, block = LANES * LANES;
    const double *seen = layer->qkv + view->first_panel * stride;
    const double *exps = layer->exps + view->begin + h * view->n_blocks * block;
    const Lanes inverse = load(layer->totals.inverse + (panel * p->s.H + h) * LANES);
    const Lanes slope = load(layer->totals.slope + (panel * p->s.H + h) * LANES);
    for (size_t b = 0; b < view->n_blocks; b++)
        dots(dscores + b * block, seen + b * stride + (2 * C + h * D) * LANES,
             dheads + (panel * C + h * D) * LANES, D, DESCENDING);
    Lanes dtotal = splat(0.0);
    FOR_SPANS(span, view, DESCENDING, {
        const size_t at = span.from * block;
        for (size_t row = span.n_rows; row-- > 0;) {
            Lanes dinverse = mul(load(exps + at + row * LANES), load(dscores + at + row * LANES));
            dtotal = add(dtotal, keep_seen(mask, row, mul(slope, dinverse)));
        }
    })
    int from_zero = 1;
    FOR_SPANS(span, view, DESCENDING, {
        const size_t at = span.from * block;
        for (size_t row = 0; row < span.n_rows; row++) {
            const size_t i = at + row * LANES;
            Lanes dexp = add(mul(inverse, load(dscores + i)), dtotal);
            Lanes dscore = mul(splat(p->inverse_root_of_D), mul(load(exps + i), dexp));
            store(dscores + i, keep_seen(mask, row, dscore));
        }
        const Panels keys = {seen + span.from * stride + (C + h * D) * LANES, stride};
        weighted_sums(layer->dqkv + (panel * 3 * C + h * D) * LANES, D, keys,
                      (MaskedRows){dscores + at, span.n_rows, mask}, NULL, DESCENDING, from_zero);
        from_zero = 0;
    })
}

/* What of the gradients of one head's keys and values, (D, 8) each in layer->dqkv, comes from one
 * panel that sees them: added to that of the panels behind it. */
static NOINLINE void attention_backward_keys_values(const Pass *p, const Layer *layer,
                                                    const View *view, const double *dheads,
                                                    const double *dscores, size_t panel, size_t h) {
    const size_t C = p->s.C, D = p->s.D, n_left = p->T - panel * LANES, block = LANES * LANES;
    const double *exps = layer->exps + view->begin + h * view->n_blocks * block;
    const double *inverse = layer->totals.inverse + (panel * p->s.H + h) * LANES;
    const Panels queries = {layer->qkv + (panel * 3 * C + h * D) * LANES, 0}; /* one panel */
    const Panels dhead = {dheads + (panel * C + h * D) * LANES, 0};
    for (size_t b = 0; b < view->n_blocks; b++) {
        const size_t seen = view->first_panel + b;
        const int from_zero = panel + 1 == p->n_panels || p->first_seen[panel + 1] > seen;
        const BlockKind kind = kind_of(view, b);
        double *dkeys = layer->dqkv + (seen * 3 * C + C + h * D) * LANES;
        _Alignas(64) double dscores_transposed[LANES * LANES], weights[LANES * LANES];
        MaskedRows rows = {dscores_transposed, n_left < LANES ? n_left : LANES, NULL};
        transpose(dscores_transposed, LANES, dscores + b * block, LANES);
        transpose(weights, LANES, exps + b * block, LANES);
        for (size_t i = 0; i < LANES; i++)
            store(weights + i * LANES, mul(load(weights + i * LANES), splat(inverse[i])));
        if (view->is_full[kind]) {
            weighted_sums(dkeys, D, queries, rows, NULL, DESCENDING, from_zero);
            rows.weights = weights;
            weighted_sums(dkeys + C * LANES, D, dhead, rows, NULL, DESCENDING, from_zero);
        } else {
            rows.mask = view->mask_transposed + kind * block;
            weighted_sums(dkeys, D, queries, rows, NULL, DESCENDING, from_zero);
            rows.weights = weights;
            weighted_sums(dkeys + C * LANES, D, dhead, rows, NULL, DESCENDING, from_zero);
        }
    }
}

/* layer->dqkv is (panels, 3 C, 8), dheads is (panels, C, 8). Panels from the last to the first: each
 * hands on to the keys and values that it sees, while its dscores are in the cache. */
static void attention_backward(const Pass *p, const Layer *layer, const double *dheads,
                               Range heads) {
    double *dscores = p->dscores + heads.from * p->most_seen * LANES * LANES;
    for (size_t panel = p->n_panels; panel-- > 0;) {
        const View view = view_of(p, panel);
        for (size_t h = heads.from; h < heads.to; h++) {
            attention_backward_queries(p, layer, &view, dheads, dscores, panel, h);
            attention_backward_keys_values(p, layer, &view, dheads, dscores, panel, h);
        }
    }
}

#endif
