/* Forward and backward of every operation, for vectors of WIDTH doubles, STAGES being the name of
 * the table at the end. Layouts are those of pass.h.
 *
 * The order of every sum is part of the contract: "ascending" and "descending" below are what the
 * scalar graph does, see the reference. Sums start at 0.0, which also makes -0.0 of a first term 0.0.
 */
#include "lanes.h"
#include "libm.h"
#include "numerics/exp_many.h"
#include "numerics/pow_many.h"

/* Independent sums carried at once: enough to hide the latency of an addition, and no more than the
 * registers hold. Columns lie side by side in memory; two cache lines of them are worth it. */
#define ROWS (WIDTH == 8 ? 8 : WIDTH == 4 ? 4 : WIDTH == 2 ? 2 : 1)
#define COLUMNS_AT_ONCE (WIDTH == 8 ? 16 : ROWS)
#define PANELS_AT_ONCE (WIDTH == 8 ? 2 : 1)

#define EACH(i, n)                                                                                 \
    UNROLL                                                                                         \
    for (int i = 0; i < (n); i++)

/* Runs the statement with a constant R for all of `n` rows or columns, `at` being the first of R:
 * `most` at a time, then what is left. */
#define IN_BLOCKS(most, at, n, ...)                                                                \
    do {                                                                                           \
        size_t at = 0;                                                                             \
        IN_BLOCKS_OF(most, at, n, __VA_ARGS__);                                                    \
        if ((most) > 8)                                                                            \
            IN_BLOCKS_OF(8, at, n, __VA_ARGS__);                                                   \
        if ((most) > 4)                                                                            \
            IN_BLOCKS_OF(4, at, n, __VA_ARGS__);                                                   \
        if ((most) > 2)                                                                            \
            IN_BLOCKS_OF(2, at, n, __VA_ARGS__);                                                   \
        IN_BLOCKS_OF(1, at, n, __VA_ARGS__);                                                       \
    } while (0)
#define IN_BLOCKS_OF(size, at, n, ...)                                                             \
    {                                                                                              \
        enum { R = size };                                                                         \
        for (; at + R <= (n); at += R)                                                             \
            __VA_ARGS__;                                                                           \
    }

/* ---- threads ---- */

typedef struct {
    size_t from, to;
} Range;

/* A worker's share of n things, in units of `grain`. Alone it does not divide: the divisions of a
 * step would take as long as an rmsnorm. */
INLINE Range share_of(const Worker *me, size_t n, size_t grain) {
    if (me->n == 1)
        return (Range){0, n};
    const size_t units = (n + grain - 1) / grain;
    const size_t from = units * me->number / me->n * grain;
    const size_t to = units * (me->number + 1) / me->n * grain;
    return (Range){from < n ? from : n, to < n ? to : n};
}

INLINE Range panels_of(const Worker *me, const Pass *p) { return share_of(me, p->n_panels, 1); }

INLINE Range heads_of(const Worker *me, const Sizes *s) { return share_of(me, s->H, 1); }

/* Of the n results of a linear layer, or the n gradients that it hands back. */
INLINE Range rows_of(const Worker *me, size_t n) { return share_of(me, n, COLUMNS_AT_ONCE); }

INLINE Lanes add_product(Lanes sum, double w, Lanes x) { return add(sum, mul(splat(w), x)); }

/* ---- linear: y = W x, W (n_out, n_in), for a range of its rows, backward of its columns ---- */

/* R rows of P panels of y; the next R rows are fetched meanwhile, a cache line at a time. */
INLINE void linear_rows(const int R, const int P, double *y, const double *w, const double *x,
                        size_t n_out, size_t n_in) {
    Lanes sum[ROWS][PANELS_AT_ONCE];
    EACH(r, R) EACH(p, P) sum[r][p] = splat(0.0);
    for (size_t i = 0; i < n_in; i++) {
        Lanes xi[PANELS_AT_ONCE];
        prefetch(w, (n_in + i) * (size_t)R);
        EACH(p, P) xi[p] = load(x + (i + (size_t)p * n_in) * LANES);
        EACH(r, R) EACH(p, P) sum[r][p] = add_product(sum[r][p], w[(size_t)r * n_in + i], xi[p]);
    }
    EACH(r, R) EACH(p, P) store(y + ((size_t)r + (size_t)p * n_out) * LANES, sum[r][p]);
}

static void linear_forward(double *y, const double *w, const double *x, size_t n_out, size_t n_in,
                           size_t n_panels, Range rows) {
    y += rows.from * LANES;
    w += rows.from * n_in;
    IN_BLOCKS(ROWS, o, rows.to - rows.from, {
        size_t p = 0;
        for (; p + PANELS_AT_ONCE <= n_panels; p += PANELS_AT_ONCE)
            linear_rows(R, PANELS_AT_ONCE, y + (p * n_out + o) * LANES, w + o * n_in,
                        x + p * n_in * LANES, n_out, n_in);
        for (; p < n_panels; p++)
            linear_rows(R, 1, y + (p * n_out + o) * LANES, w + o * n_in, x + p * n_in * LANES,
                        n_out, n_in);
    });
}

/* R columns of one panel of dx, from `n` rows. */
INLINE void linear_columns(const int R, double *dx, const double *w, const double *dy, size_t n_in,
                           const int32_t *order, size_t n, int begin) {
    Lanes sum[COLUMNS_AT_ONCE];
    EACH(c, R) sum[c] = begin ? splat(0.0) : load(dx + c * LANES);
    for (size_t k = 0; k < n; k++) {
        const double *row = opaque(w + (size_t)order[k] * n_in);
        Lanes dyo = load(dy + (size_t)order[k] * LANES);
        EACH(c, R) sum[c] = add_product(sum[c], row[c], dyo);
    }
    EACH(c, R) store(dx + c * LANES, sum[c]);
}

/* dx = transposed W times dy, rows in the given order. A few rows at a time for all of dx, so that
 * weights stream through the cache once, whatever the number of panels. */
static void linear_backward(double *dx, const double *w, const double *dy, size_t n_out, size_t n_in,
                            const int32_t *order, size_t n_panels, Range columns) {
    const size_t rows_at_once = n_out * n_in <= 4096 ? n_out : 16;
    dx += columns.from * LANES;
    w += columns.from;
    for (size_t k = 0; k < n_out; k += rows_at_once) {
        const size_t n = n_out - k < rows_at_once ? n_out - k : rows_at_once;
        for (size_t p = 0; p < n_panels; p++)
            IN_BLOCKS(COLUMNS_AT_ONCE, i, columns.to - columns.from,
                      linear_columns(R, dx + (p * n_in + i) * LANES, w + i, dy + p * n_out * LANES,
                                     n_in, order + k, n, k == 0));
    }
}

/* R groups of columns, side by side in the lanes, of dx of one position. */
INLINE void linear_columns_at(const int R, double *dx, const double *w, const double *dy,
                              size_t n_out, size_t n_in, const int32_t *order, size_t lane) {
    Lanes sum[ROWS];
    EACH(c, R) sum[c] = splat(0.0);
    for (size_t k = 0; k < n_out; k++) {
        const double *row = opaque(w + (size_t)order[k] * n_in);
        double dyo = dy[(size_t)order[k] * LANES + lane];
        EACH(c, R) sum[c] = add_product(sum[c], dyo, load_anywhere(row + c * LANES));
    }
    EACH(c, R) {
        double columns[LANES];
        store_anywhere(columns, sum[c]);
        EACH(i, LANES) dx[(c * LANES + i) * LANES + lane] = columns[i];
    }
}

/* dx of one position alone: for the first of a document, where the graph meets rows in an order of
 * its own. */
static void linear_backward_at(double *dx, const double *w, const double *dy, size_t n_out,
                               size_t n_in, const int32_t *order, size_t lane, Range columns) {
    const size_t n_columns = columns.to - columns.from, n_groups = n_columns / LANES;
    dx += columns.from * LANES;
    w += columns.from;
    IN_BLOCKS(ROWS, c, n_groups, linear_columns_at(R, dx + c * LANES * LANES, w + c * LANES, dy,
                                                   n_out, n_in, order, lane));
    for (size_t i = n_groups * LANES; i < n_columns; i++) {
        double sum = 0.0;
        for (size_t k = 0; k < n_out; k++)
            sum += dy[(size_t)order[k] * LANES + lane] * w[(size_t)order[k] * n_in + i];
        dx[i * LANES + lane] = sum;
    }
}

/* The first `n` <= 8 lanes at x, which need not be followed by more. */
INLINE Lanes load_some(const double *x, size_t n) {
    if (n == LANES)
        return load_anywhere(x);
    double some[LANES] = {0};
    memcpy(some, x, n * sizeof *x);
    return load_anywhere(some);
}

INLINE void store_some(double *x, Lanes a, size_t n) {
    if (n == LANES) {
        store_anywhere(x, a);
        return;
    }
    double some[LANES];
    store_anywhere(some, a);
    memcpy(x, some, n * sizeof *x);
}

/* R rows of dW and G groups of 8 columns, `n` <= 8 of them in the last: positions in descending order.
 * x is the input by position. */
INLINE void linear_weight_block(const int R, const int G, double *dw, const double *dy,
                                const double *x, size_t n_out, size_t n_in, size_t n, size_t T,
                                int begin) {
    const size_t stride = (n_in + LANES - 1) / LANES * LANES;
    Lanes sum[ROWS][2];
    EACH(r, R) EACH(g, G) {
        double *at = dw + (size_t)r * n_in + g * LANES;
        sum[r][g] = begin ? splat(0.0) : load_some(at, g + 1 < G ? LANES : n);
    }
    for (size_t t = T; t-- > 0;) {
        const double *dyt = opaque(dy + t / LANES * n_out * LANES + t % LANES);
        Lanes xt[2];
        EACH(g, G) xt[g] = load(x + t * stride + g * LANES);
        EACH(r, R) EACH(g, G) sum[r][g] = add_product(sum[r][g], dyt[r * LANES], xt[g]);
    }
    EACH(r, R) EACH(g, G) {
        double *at = dw + (size_t)r * n_in + g * LANES;
        store_some(at, sum[r][g], g + 1 < G ? LANES : n);
    }
}

/* R whole rows of dW. */
INLINE void linear_weight_rows(const int R, double *dw, const double *dy, const double *x,
                               size_t n_out, size_t n_in, size_t T, int begin) {
    enum { GROUPS = WIDTH == 8 ? 2 : 1, COLUMNS = GROUPS * LANES };
    size_t i = 0;
    for (; i + COLUMNS <= n_in; i += COLUMNS)
        linear_weight_block(R, GROUPS, dw + i, dy, x + i, n_out, n_in, LANES, T, begin);
    for (; i < n_in; i += LANES)
        linear_weight_block(R, 1, dw + i, dy, x + i, n_out, n_in,
                            n_in - i < LANES ? n_in - i : LANES, T, begin);
}

/* Rows [from, to) of dW = the sum over positions of dy times x. */
static void linear_weights(double *dw, const double *dy, const double *x, size_t n_out, size_t n_in,
                           size_t from, size_t to, size_t T, int begin) {
    IN_BLOCKS(ROWS, o, to - from,
              linear_weight_rows(R, dw + (from + o) * n_in, dy + (from + o) * LANES, x, n_out,
                                 n_in, T, begin));
}

/* ---- rmsnorm: y = x * scale, scale = (mean of x**2 + 1e-5)**-0.5, of a range of panels ---- */

static void rmsnorm_forward(const Pass *p, double *y, double *scale, double *slope, const double *x,
                            size_t n, Range panels) {
    const size_t first = panels.from * LANES, n_positions = panels.to * LANES - first;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        Lanes sum = splat(0.0);
        for (size_t i = 0; i < n; i++) {
            Lanes xi = load(x + (panel * n + i) * LANES);
            sum = add(sum, mul(xi, xi));
        }
        Lanes mean_square = mul(sum, splat(p->width_inverse));
        store(slope + panel * LANES, add(mean_square, splat(1e-5)));
    }
    pow_many(scale + first, slope + first, n_positions, POW_MINUS_HALF);
    pow_many(slope + first, slope + first, n_positions, POW_MINUS_3_HALVES);
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        Lanes factor = load(scale + panel * LANES);
        store(slope + panel * LANES, mul(splat(-0.5), load(slope + panel * LANES)));
        for (size_t i = 0; i < n; i++) {
            size_t at = (panel * n + i) * LANES;
            store(y + at, mul(load(x + at), factor));
        }
    }
}

/* `residual` is what x receives first from beside the norm; NULL for nothing. */
static void rmsnorm_backward(const Pass *p, double *dx, const double *residual, const double *dy,
                             const double *scale, const double *slope, const double *x, size_t n,
                             Range panels) {
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        const size_t begin = panel * n * LANES;
        Lanes dscale = splat(0.0);
        for (size_t i = n; i-- > 0;)
            dscale = add(dscale, mul(load(x + begin + i * LANES), load(dy + begin + i * LANES)));
        Lanes dmean_square = mul(load(slope + panel * LANES), dscale);
        Lanes dsquare = mul(splat(p->width_inverse), dmean_square);
        Lanes factor = load(scale + panel * LANES);
        for (size_t i = 0; i < n; i++) {
            size_t at = begin + i * LANES;
            Lanes share = mul(load(x + at), dsquare);
            Lanes sum = residual ? load(residual + at) : splat(0.0);
            sum = add(sum, mul(factor, load(dy + at)));
            store(dx + at, add(add(sum, share), share));
        }
    }
}

/* ---- add, n features of a range of panels, and relu, a range of n features ---- */

static void add_forward(double *out, const double *a, const double *b, size_t n, Range panels) {
    for (size_t i = panels.from * n * LANES; i < panels.to * n * LANES; i += LANES)
        store(out + i, add(load(a + i), load(b + i)));
}

/* x where it is above 0, else 0: for NaN too. */
static void relu_forward(const Pass *p, double *x, size_t n, Range rows) {
    const Lanes zero = splat(0.0);
    for (size_t panel = 0; panel < p->n_panels; panel++, x += n * LANES)
        for (size_t i = rows.from * LANES; i < rows.to * LANES; i += LANES)
            store(x + i, larger(load(x + i), zero));
}

static void relu_backward(const Pass *p, double *dx, const double *relu, size_t n, Range rows) {
    for (size_t panel = 0; panel < p->n_panels; panel++, dx += n * LANES, relu += n * LANES)
        for (size_t i = rows.from * LANES; i < rows.to * LANES; i += LANES)
            store(dx + i, times_positive(load(relu + i), load(dx + i)));
}

/* ---- attention ---- */

/* A panel of positions and the blocks of those it sees. */
typedef struct {
    size_t first, n_blocks, n_rows; /* panels from `first` on; n_rows positions in them */
    size_t begin;                   /* of its blocks with heads, in doubles */
    const int64_t *mask;            /* of its blocks */
} Sight;

INLINE Sight sight_of(const Pass *p, const Sizes *s, size_t panel) {
    size_t first = p->first_seen[panel], end = (panel + 1) * LANES;
    return (Sight){
        .first = first,
        .n_blocks = panel + 1 - first,
        .n_rows = (end < p->T ? end : p->T) - first * LANES,
        .begin = p->block_start[panel] * s->H * LANES * LANES,
        .mask = p->mask + p->block_start[panel] * LANES * LANES,
    };
}

/* R rows of a block: out[r] = the sum over j of a[j][r] times x[j], up or down. */
INLINE void block_rows(const int R, double *out, const double *a, const double *x, size_t n,
                       int down) {
    Lanes sum[ROWS];
    EACH(r, R) sum[r] = splat(0.0);
    for (size_t k = 0; k < n; k++) {
        size_t j = down ? n - 1 - k : k;
        Lanes xj = load(x + j * LANES);
        EACH(r, R) sum[r] = add_product(sum[r], a[j * LANES + (size_t)r], xj);
    }
    EACH(r, R) store(out + r * LANES, sum[r]);
}

INLINE void block_products(double *out, const double *a, const double *x, size_t n, int down) {
    IN_BLOCKS(ROWS, r, (size_t)LANES, block_rows(R, out + r * LANES, a + r, x, n, down));
}

/* R features: out[j] = the sum over rows of a[j][row] times x[row], where the mask allows it. Rows
 * go through the n_rows of consecutive blocks; the panels of `a` lie `a_stride` doubles apart. */
INLINE void masked_rows(const int R, double *out, const double *a, size_t a_stride, const double *x,
                        const int64_t *mask, size_t n_rows, int down, int begin) {
    Lanes sum[ROWS];
    EACH(j, R) sum[j] = begin ? splat(0.0) : load(out + j * LANES);
    for (size_t k = 0; k < n_rows; k++) {
        size_t row = down ? n_rows - 1 - k : k;
        const double *ar = a + row / LANES * a_stride + row % LANES;
        Lanes xr = load(x + row * LANES);
        EACH(j, R) sum[j] = add(sum[j], keep(mask + row * LANES, mul(splat(ar[j * LANES]), xr)));
    }
    EACH(j, R) store(out + j * LANES, sum[j]);
}

INLINE void masked_products(double *out, const double *a, size_t a_stride, const double *x,
                            const int64_t *mask, size_t n_rows, size_t n, int down, int begin) {
    IN_BLOCKS(ROWS, j, n, masked_rows(R, out + j * LANES, a + j * LANES, a_stride, x, mask, n_rows,
                                      down, begin));
}

/* One head's scores less their maximum; 0 where a position does not look. */
static void attention_scores(const Pass *p, const Sizes *s, const Sight *sight, double *scores,
                             const double *q, const double *keys) {
    const size_t n = sight->n_blocks * LANES * LANES;
    Lanes max = splat(-INFINITY), root_inverse = splat(p->root_inverse);
    for (size_t b = 0; b < sight->n_blocks; b++)
        block_products(scores + b * LANES * LANES, keys + b * 3 * s->C * LANES, q, s->D, 0);
    for (size_t at = 0; at < n; at += LANES) {
        Lanes score = mul(load(scores + at), root_inverse);
        store(scores + at, score);
        max = larger_where(sight->mask + at, score, max);
    }
    Lanes minus_max = mul(max, splat(-1.0));
    for (size_t at = 0; at < n; at += LANES)
        store(scores + at, keep(sight->mask + at, add(load(scores + at), minus_max)));
}

/* Softmax divides by multiplying with total**-1, whose derivative is -total**-2. `inverse` holds n
 * totals at first. */
static void softmax_inverse(double *inverse, double *slope, size_t n) {
    pow_many(slope, inverse, n, POW_MINUS_2);
    pow_many(inverse, inverse, n, POW_MINUS_1);
    for (size_t i = 0; i < n; i += LANES)
        store(slope + i, mul(splat(-1.0), load(slope + i)));
}

static void attention_forward(const Pass *p, const Sizes *s, const Layer *layer, Range heads) {
    const size_t C = s->C, H = s->H, D = s->D, stride = 3 * C * LANES;
    for (size_t panel = 0; panel < p->n_panels; panel++) {
        const Sight sight = sight_of(p, s, panel);
        const double *seen = layer->qkv + sight.first * stride, *q = layer->qkv + panel * stride;
        double *inverse = layer->inverse + panel * H * LANES;
        double *slope = layer->slope + panel * H * LANES;
        const size_t n = sight.n_blocks * LANES * LANES, n_heads = heads.to - heads.from;
        for (size_t h = heads.from; h < heads.to; h++)
            attention_scores(p, s, &sight, layer->attention + sight.begin + h * n,
                             q + h * D * LANES, seen + (C + h * D) * LANES);
        exp_many(layer->attention + sight.begin + heads.from * n, n_heads * n);
        for (size_t h = heads.from; h < heads.to; h++) {
            double *e = layer->attention + sight.begin + h * n;
            Lanes total = splat(0.0);
            for (size_t at = 0; at < n; at += LANES) {
                Lanes kept = keep(sight.mask + at, load(e + at));
                store(e + at, kept);
                total = add(total, kept);
            }
            store(inverse + h * LANES, total);
        }
        softmax_inverse(inverse + heads.from * LANES, slope + heads.from * LANES, n_heads * LANES);
        for (size_t h = heads.from; h < heads.to; h++) {
            const double *e = layer->attention + sight.begin + h * n;
            double *weights = layer->attended + sight.begin + h * n;
            Lanes factor = load(inverse + h * LANES);
            for (size_t at = 0; at < n; at += LANES)
                store(weights + at, mul(load(e + at), factor));
            masked_products(layer->heads + (panel * C + h * D) * LANES,
                            seen + (2 * C + h * D) * LANES, stride, weights, sight.mask,
                            sight.n_rows, D, 0, 1);
        }
    }
}

/* From dheads to the gradients of scores and of q, for one panel and head. */
static void attention_backward_scores(const Pass *p, const Sizes *s, const Layer *layer,
                                      const double *dheads, size_t panel, size_t h) {
    const size_t C = s->C, D = s->D, stride = 3 * C * LANES;
    const Sight sight = sight_of(p, s, panel);
    const size_t begin = sight.begin + h * sight.n_blocks * LANES * LANES;
    const double *seen = layer->qkv + sight.first * stride, *e = layer->attention + begin;
    double *dscores = p->dscores + begin;
    const Lanes inverse = load(layer->inverse + (panel * s->H + h) * LANES);
    const Lanes slope = load(layer->slope + (panel * s->H + h) * LANES);
    for (size_t b = 0; b < sight.n_blocks; b++)
        block_products(dscores + b * LANES * LANES, seen + b * stride + (2 * C + h * D) * LANES,
                       dheads + (panel * C + h * D) * LANES, D, 1);
    Lanes dtotal = splat(0.0);
    for (size_t row = sight.n_rows; row-- > 0;) {
        Lanes dinverse = mul(load(e + row * LANES), load(dscores + row * LANES));
        dtotal = add(dtotal, keep(sight.mask + row * LANES, mul(slope, dinverse)));
    }
    for (size_t at = 0; at < sight.n_rows * LANES; at += LANES) {
        Lanes de = add(mul(inverse, load(dscores + at)), dtotal);
        Lanes dscore = mul(load(e + at), de);
        store(dscores + at, keep(sight.mask + at, mul(splat(p->root_inverse), dscore)));
    }
    masked_products(layer->dqkv + (panel * 3 * C + h * D) * LANES, seen + (C + h * D) * LANES,
                    stride, dscores, sight.mask, sight.n_rows, D, 1, 1);
}

/* The gradients of keys and values at one panel of positions: from all panels that see it. */
static void attention_backward_seen(const Pass *p, const Sizes *s, const Layer *layer,
                                    const double *dheads, size_t seen, size_t h) {
    const size_t C = s->C, D = s->D;
    size_t panel = seen;
    while (panel + 1 < p->n_panels && p->first_seen[panel + 1] <= seen)
        panel++;
    for (int begin = 1; panel + 1 > seen; panel--, begin = 0) {
        const Sight sight = sight_of(p, s, panel);
        const size_t block = seen - sight.first;
        const size_t at = sight.begin + (h * sight.n_blocks + block) * LANES * LANES;
        const int64_t *mask =
            p->mask_transposed + (p->block_start[panel] + block) * LANES * LANES;
        const size_t left = p->T - panel * LANES, n_rows = left < LANES ? left : LANES;
        double *dqkv = layer->dqkv + (seen * 3 * C + h * D) * LANES;
        _Alignas(64) double rows[LANES * LANES];
        transpose(rows, LANES, p->dscores + at, LANES);
        masked_products(dqkv + C * LANES, layer->qkv + (panel * 3 * C + h * D) * LANES, 0,
                        rows, mask, n_rows, D, 1, begin);
        transpose(rows, LANES, layer->attended + at, LANES);
        masked_products(dqkv + 2 * C * LANES, dheads + (panel * C + h * D) * LANES, 0, rows,
                        mask, n_rows, D, 1, begin);
    }
}

static void attention_backward(const Pass *p, const Sizes *s, const Layer *layer,
                               const double *dheads, Range heads) {
    for (size_t panel = 0; panel < p->n_panels; panel++)
        for (size_t h = heads.from; h < heads.to; h++)
            attention_backward_scores(p, s, layer, dheads, panel, h);
    for (size_t panel = 0; panel < p->n_panels; panel++)
        for (size_t h = heads.from; h < heads.to; h++)
            attention_backward_seen(p, s, layer, dheads, panel, h);
}

/* ---- embeddings ---- */

/* Positions past the last one are like it. */
static void embed_forward(const Pass *p, const Sizes *s, const double *weights, Range panels) {
    const Offsets at = offsets_of(s);
    const size_t C = s->C;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        double *x = p->embedded + panel * C * LANES;
        const double *token[LANES], *place[LANES];
        for (size_t lane = 0; lane < LANES; lane++) {
            const size_t t = panel * LANES + lane < p->T ? panel * LANES + lane : p->T - 1;
            token[lane] = weights + at.wte + (size_t)p->token[t] * C;
            place[lane] = weights + at.wpe + (size_t)p->place[t] * C;
        }
        size_t i = 0;
        for (; i + LANES <= C; i += LANES) {
            _Alignas(64) double rows[LANES * LANES];
            for (size_t lane = 0; lane < LANES; lane++)
                store(rows + lane * LANES,
                      add(load_anywhere(token[lane] + i), load_anywhere(place[lane] + i)));
            transpose(x + i * LANES, LANES, rows, LANES);
        }
        for (; i < C; i++)
            for (size_t lane = 0; lane < LANES; lane++)
                x[i * LANES + lane] = token[lane][i] + place[lane][i];
    }
}

/* Adds to the gradients of wte and wpe, or sets them where `begin`. */
static void embeddings(const Pass *p, const Sizes *s, double *gradients, int begin) {
    const Offsets at = offsets_of(s);
    const size_t C = s->C, stride = (C + LANES - 1) / LANES * LANES;
    if (begin)
        memset(gradients + at.wte, 0, (s->V + s->block_size) * C * sizeof *gradients);
    for (size_t t = p->T; t-- > 0;) {
        const double *dx = p->dembedded_by_position + t * stride;
        double *token = gradients + at.wte + (size_t)p->token[t] * C;
        double *place = gradients + at.wpe + (size_t)p->place[t] * C;
        for (size_t i = 0; i < C; i += LANES) {
            const size_t n = C - i < LANES ? C - i : LANES;
            Lanes d = load(dx + i);
            store_some(token + i, add(load_some(token + i, n), d), n);
            store_some(place + i, add(load_some(place + i, n), d), n);
        }
    }
}

/* ---- cross entropy ---- */

/* logits become exponentials. */
static GptError cross_entropy_forward(const Pass *p, const Sizes *s, Range panels) {
    const size_t V = s->V, first = panels.from * LANES, end = panels.to * LANES;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        double *logits = p->logits + panel * V * LANES;
        Lanes max = splat(-INFINITY);
        for (size_t o = 0; o < V; o++)
            max = larger(load(logits + o * LANES), max);
        Lanes minus_max = mul(max, splat(-1.0));
        for (size_t o = 0; o < V; o++)
            store(logits + o * LANES, add(load(logits + o * LANES), minus_max));
        exp_many(logits, V * LANES);
        Lanes total = splat(0.0);
        for (size_t o = 0; o < V; o++)
            total = add(total, load(logits + o * LANES));
        store(p->inverse + panel * LANES, total);
    }
    softmax_inverse(p->inverse + first, p->slope + first, end - first);
    for (size_t t = first; t < end && t < p->T; t++) {
        const double *e = p->logits + t / LANES * V * LANES + t % LANES;
        p->probability[t] = e[(size_t)p->target[t] * LANES] * p->inverse[t];
        double log_probability;
        GptError error = python_log(p->probability[t], &log_probability);
        if (error)
            return error;
        p->loss[t] = log_probability * -1.0;
    }
    return GPT_OK;
}

static double *target_gradient(const Pass *p, const Sizes *s, size_t t) {
    return p->dlogits + (t / LANES * s->V + (size_t)p->target[t]) * LANES + t % LANES;
}

/* Gradients of the logits, but for the targets', which go to p->dtarget: 0 in their place adds
 * nothing to the sums of head_backward, where they come last. */
static void cross_entropy_backward(const Pass *p, const Sizes *s, Range panels) {
    const size_t V = s->V;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        const double *e = p->logits + panel * V * LANES;
        double dtotal[LANES] = {0};
        for (size_t lane = 0; lane < LANES && panel * LANES + lane < p->T; lane++) {
            const size_t t = panel * LANES + lane;
            double et = e[(size_t)p->target[t] * LANES + lane];
            double dprobability = 1.0 / p->probability[t] * (-1.0 * p->seed[t]);
            dtotal[lane] = p->slope[t] * (et * dprobability);
            p->dtarget[t] = et * (p->inverse[t] * dprobability + dtotal[lane]);
        }
        Lanes de = load_anywhere(dtotal);
        for (size_t o = 0; o < V; o++)
            store(p->dlogits + (panel * V + o) * LANES, mul(load(e + o * LANES), de));
        for (size_t t = panel * LANES; t < (panel + 1) * LANES; t++)
            if (t < p->T)
                *target_gradient(p, s, t) = 0.0;
            else
                p->dtarget[t] = 0.0;
    }
}

/* dx += the rows of lm_head that belong to a panel's targets, times the gradients of those. */
static void add_target_rows(const Pass *p, const Sizes *s, size_t panel, double *dx,
                            const double *lm_head, Range rows) {
    const Lanes dtarget = load(p->dtarget + panel * LANES);
    const double *row[LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        const size_t t = panel * LANES + lane < p->T ? panel * LANES + lane : p->T - 1;
        row[lane] = lm_head + (size_t)p->target[t] * s->C;
    }
    for (size_t i = rows.from; i < rows.to; i += LANES) {
        const size_t n = rows.to - i < LANES ? rows.to - i : LANES;
        _Alignas(64) double block[LANES * LANES], columns[LANES * LANES];
        for (size_t lane = 0; lane < LANES; lane++)
            store(block + lane * LANES, load_some(row[lane] + i, n));
        transpose(columns, LANES, block, LANES);
        for (size_t j = 0; j < n; j++) {
            double *d = dx + (i + j) * LANES;
            store(d, add(load(d), mul(load(columns + j * LANES), dtarget)));
        }
    }
}

/* The gradient of the last x: rows of lm_head, each position's target last of all. */
static void head_backward(const Pass *p, const Sizes *s, double *dx, const double *lm_head,
                          Range rows) {
    const int32_t *order = p->descending + p->n_descending - s->V;
    linear_backward(dx, lm_head, p->dlogits, s->V, s->C, order, p->n_panels, rows);
    for (size_t panel = 0; panel < p->n_panels; panel++)
        add_target_rows(p, s, panel, dx + panel * s->C * LANES, lm_head, rows);
}

static void complete_dlogits(const Pass *p, const Sizes *s, Range panels) {
    for (size_t t = panels.from * LANES; t < panels.to * LANES && t < p->T; t++)
        *target_gradient(p, s, t) = p->dtarget[t];
}

/* ---- a layer ---- */

/* Workers share the results of linear layers and relus row by row, heads, and what else there is
 * panel by panel. They wait for each other before one reads what others have written, or overwrites
 * what they still read. */
static void layer_forward(const Pass *p, const Sizes *s, const Layer *layer, double *out,
                          const double *w, const Worker *me) {
    const Offsets at = offsets_of(s);
    const size_t C = s->C, F = s->F, P = p->n_panels;
    const Range panels = panels_of(me, p), rows = rows_of(me, C), hidden = rows_of(me, F);
    rmsnorm_forward(p, layer->norm1, layer->scale1, layer->slope1, layer->x, C, panels);
    wait_for_others(me);
    linear_forward(layer->qkv, w + at.qkv, layer->norm1, 3 * C, C, P, rows_of(me, 3 * C));
    wait_for_others(me);
    attention_forward(p, s, layer, heads_of(me, s));
    wait_for_others(me);
    linear_forward(layer->mid, w + at.wo, layer->heads, C, C, P, rows);
    wait_for_others(me);
    add_forward(layer->mid, layer->mid, layer->x, C, panels);
    rmsnorm_forward(p, layer->norm2, layer->scale2, layer->slope2, layer->mid, C, panels);
    wait_for_others(me);
    linear_forward(layer->relu, w + at.fc1, layer->norm2, F, C, P, hidden);
    relu_forward(p, layer->relu, F, hidden);
    wait_for_others(me);
    linear_forward(out, w + at.fc2, layer->relu, C, F, P, rows);
    wait_for_others(me);
    add_forward(out, out, layer->mid, C, panels);
}

/* dx is the gradient of the layer's input, dout that of its output. */
static void layer_backward(const Pass *p, const Sizes *s, const Layer *layer, double *dx,
                           const double *dout, const double *w, const Worker *me) {
    const Offsets at = offsets_of(s);
    const size_t C = s->C, F = s->F, P = p->n_panels;
    const Range panels = panels_of(me, p), rows = rows_of(me, C), hidden = rows_of(me, F);
    const int32_t *last = p->descending + p->n_descending;
    double *d = p->dtemporary; /* (C) of one thing after the other */
    linear_backward(layer->dhidden, w + at.fc2, dout, C, F, last - C, P, hidden);
    relu_backward(p, layer->dhidden, layer->relu, F, hidden);
    wait_for_others(me);
    linear_backward(d, w + at.fc1, layer->dhidden, F, C, last - F, P, rows);
    wait_for_others(me);
    rmsnorm_backward(p, layer->dmid, dout, d, layer->scale2, layer->slope2, layer->mid, C, panels);
    wait_for_others(me);
    linear_backward(d, w + at.wo, layer->dmid, C, C, last - C, P, rows);
    wait_for_others(me);
    attention_backward(p, s, layer, d, heads_of(me, s));
    wait_for_others(me);
    linear_backward(d, w + at.qkv, layer->dqkv, 3 * C, C, p->qkv_order, P, rows);
    for (size_t i = 0; i < p->n_docs && s->D > 1; i++) {
        const size_t panel = p->doc_starts[i] / LANES, lane = p->doc_starts[i] % LANES;
        linear_backward_at(d + panel * C * LANES, w + at.qkv, layer->dqkv + panel * 3 * C * LANES,
                           3 * C, C, p->qkv_order_first, lane, rows);
    }
    wait_for_others(me);
    rmsnorm_backward(p, dx, layer->dmid, d, layer->scale1, layer->slope1, layer->x, C, panels);
}

/* ---- the stages ---- */

static void forward(Pass *p, const Sizes *s, const double *weights, const Worker *me) {
    const Offsets at = offsets_of(s);
    const Range panels = panels_of(me, p);
    embed_forward(p, s, weights, panels);
    rmsnorm_forward(p, p->layers[0].x, p->embedded_scale, p->embedded_slope, p->embedded, s->C,
                    panels);
    for (size_t l = 0; l < s->L; l++)
        layer_forward(p, s, &p->layers[l], p->layers[l + 1].x,
                      weights + at.layers + l * at.layer_size, me);
    wait_for_others(me);
    linear_forward(p->logits, weights + at.lm_head, p->layers[s->L].x, s->V, s->C, p->n_panels,
                   rows_of(me, s->V));
    wait_for_others(me);
    p->outcome[me->number].error = cross_entropy_forward(p, s, panels);
}

/* x, n features in panels, as rows of positions. */
static void by_position(double *out, const double *x, size_t n, Range panels) {
    const size_t stride = (n + LANES - 1) / LANES * LANES;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        double *rows = out + panel * LANES * stride;
        const double *from = x + panel * n * LANES;
        size_t i = 0;
        for (; i + LANES <= n; i += LANES)
            transpose(rows + i, stride, from + i * LANES, LANES);
        for (; i < n; i++)
            for (size_t lane = 0; lane < LANES; lane++)
                rows[lane * stride + i] = from[i * LANES + lane];
    }
}

/* The larger of `largest` and the magnitudes of n numbers, lane by lane, NaN left out. */
static Lanes largest_of(Lanes largest, const double *x, size_t n) {
    enum { R = 4 };
    Lanes rows[R] = {largest, largest, largest, largest};
    size_t i = 0;
    for (; i + R * LANES <= n; i += R * LANES)
        EACH(r, R) rows[r] = larger_magnitude(load(x + i + r * LANES), rows[r]);
    for (; i < n; i += LANES)
        rows[0] = larger_magnitude(load(x + i), rows[0]);
    return larger(larger(rows[0], rows[1]), larger(rows[2], rows[3]));
}

static double largest_lane(Lanes a) {
    double lanes[LANES], largest = 0.0;
    store_anywhere(lanes, a);
    for (size_t lane = 0; lane < LANES; lane++)
        largest = lanes[lane] > largest ? lanes[lane] : largest;
    return largest;
}

/* The largest magnitudes among all x and dy of which products are gradients of weights, and among
 * the gradients of embeddings. */
static void find_largest(const Pass *p, const Sizes *s, Outcome *outcome, Range panels) {
    const size_t first = panels.from * LANES, n = panels.to * LANES - first, C = s->C, F = s->F;
    Lanes dy = largest_of(splat(0.0), p->dlogits + first * s->V, n * s->V);
    Lanes x = largest_of(splat(1.0), p->layers[s->L].x + first * C, n * C);
    dy = largest_of(dy, p->dembedded + first * C, n * C);
    for (size_t l = 0; l < s->L; l++) {
        const Layer *layer = &p->layers[l];
        dy = largest_of(dy, layer->dqkv + first * 3 * C, n * 3 * C);
        dy = largest_of(dy, layer->dmid + first * C, n * C);
        dy = largest_of(dy, layer->dhidden + first * F, n * F);
        dy = largest_of(dy, layer[1].dx + first * C, n * C);
        x = largest_of(x, layer->norm1 + first * C, n * C);
        x = largest_of(x, layer->heads + first * C, n * C);
        x = largest_of(x, layer->norm2 + first * C, n * C);
        x = largest_of(x, layer->relu + first * F, n * F);
    }
    outcome->largest_dy = largest_lane(dy);
    outcome->largest_x = largest_lane(x);
}

static void backward(Pass *p, const Sizes *s, const double *weights, const Worker *me) {
    const Offsets at = offsets_of(s);
    const Range panels = panels_of(me, p);
    cross_entropy_backward(p, s, panels);
    wait_for_others(me);
    head_backward(p, s, p->layers[s->L].dx, weights + at.lm_head, rows_of(me, s->C));
    by_position(p->layers[s->L].x_by_position, p->layers[s->L].x, s->C, panels);
    for (size_t l = s->L; l-- > 0;) {
        const Layer *layer = &p->layers[l];
        wait_for_others(me);
        layer_backward(p, s, layer, layer->dx, p->layers[l + 1].dx,
                       weights + at.layers + l * at.layer_size, me);
        by_position(layer->norm1_by_position, layer->norm1, s->C, panels);
        by_position(layer->heads_by_position, layer->heads, s->C, panels);
        by_position(layer->norm2_by_position, layer->norm2, s->C, panels);
        by_position(layer->relu_by_position, layer->relu, s->F, panels);
    }
    rmsnorm_backward(p, p->dembedded, NULL, p->layers[0].dx, p->embedded_scale, p->embedded_slope,
                     p->embedded, s->C, panels);
    by_position(p->dembedded_by_position, p->dembedded, s->C, panels);
    complete_dlogits(p, s, panels);
    find_largest(p, s, &p->outcome[me->number], panels);
}

/* A matrix's share of a range of rows that goes through all matrices; *row is its first row. */
static void matrix_weights(const Pass *p, double *dw, const double *dy, const double *x,
                           size_t n_out, size_t n_in, size_t *row, size_t from, size_t to,
                           int begin) {
    size_t first = from > *row ? from - *row : 0, end = to > *row ? to - *row : 0;
    *row += n_out;
    if (end > n_out)
        end = n_out;
    if (first < end)
        linear_weights(dw, dy, x, n_out, n_in, first, end, p->T, begin);
}

static void weights(const Pass *p, const Sizes *s, double *gradients, int begin, size_t from,
                    size_t to) {
    const Offsets at = offsets_of(s);
    const size_t C = s->C, F = s->F;
    size_t row = 0;
    matrix_weights(p, gradients + at.lm_head, p->dlogits, p->layers[s->L].x_by_position, s->V, C,
                   &row, from, to, begin);
    for (size_t l = 0; l < s->L; l++) {
        const Layer *layer = &p->layers[l];
        double *dw = gradients + at.layers + l * at.layer_size;
        matrix_weights(p, dw + at.qkv, layer->dqkv, layer->norm1_by_position, 3 * C, C, &row, from,
                       to, begin);
        matrix_weights(p, dw + at.wo, layer->dmid, layer->heads_by_position, C, C, &row, from, to,
                       begin);
        matrix_weights(p, dw + at.fc1, layer->dhidden, layer->norm2_by_position, F, C, &row, from,
                       to, begin);
        matrix_weights(p, dw + at.fc2, layer[1].dx, layer->relu_by_position, C, F, &row, from, to,
                       begin);
    }
}

const Stages STAGES = {forward, backward, weights, embeddings};
