/* Linear layers, y = W x: forward for a range of the rows of W, backward for a range of its
 * columns, and the gradients of W.
 *
 * ORDER.md derives the order of each sum's terms: forward ascending in the input, backward in the
 * order of rows that the caller gives, gradients of W from the last position to the first. Backward,
 * columns lie in the lanes: they lie side by side in memory, and a panel costs what its positions do.
 */
#ifndef ISOGRAD_GPT_LINEAR_INL_H
#define ISOGRAD_GPT_LINEAR_INL_H

#include "blocks-inl.h"
#include "memory.h"
#include "shares.h"
#include "weights.h"

#define PANELS_AT_ONCE (WIDTH == 8 ? 2 : 1)
#define POSITIONS_AT_ONCE ROWS
#define GROUPS_AT_ONCE (WIDTH == 8 ? 2 : 1)
#define COLUMNS_AT_ONCE (GROUPS_AT_ONCE * LANES)

_Static_assert(ROWS_IN_A_SHARE % ROWS == 0 && ROWS_IN_A_SHARE % COLUMNS_AT_ONCE == 0,
               "a worker's share is whole blocks");

/* y is (P, n_out, 8), x is (P, n_in, 8): rows row .. row + R - 1 of y. The next R rows of weights
 * are fetched meanwhile, a cache line at a time. */
INLINE void linear_forward_block(const size_t R, const size_t P, double *y, Matrix m,
                                 const double *x, size_t row) {
    const double *w = m.w + row * m.n_in;
    Lanes sum[ROWS][PANELS_AT_ONCE];
    y += row * LANES;
    EACH(r, R) EACH(p, P) sum[r][p] = splat(0.0);
    for (size_t i = 0; i < m.n_in; i++) {
        Lanes xi[PANELS_AT_ONCE];
        prefetch(w, (m.n_in + i) * R);
        EACH(p, P) xi[p] = load(x + (i + p * m.n_in) * LANES);
        EACH(r, R) EACH(p, P) sum[r][p] = add_product(sum[r][p], w[r * m.n_in + i], xi[p]);
    }
    EACH(r, R) EACH(p, P) store(y + (r + p * m.n_out) * LANES, sum[r][p]);
}

/* y is (panels, n_out, 8), x is (panels, n_in, 8): the given rows of y = W x. */
static void linear_forward(double *y, Matrix m, const double *x, size_t n_panels, Range rows) {
    assert(rows.from <= rows.to && rows.to <= m.n_out);
    y += rows.from * LANES; /* from here on, row 0 is the range's first */
    m.w += rows.from * m.n_in;
    IN_BLOCKS(ROWS, o, rows.to - rows.from, {
        size_t p = 0;
        for (; p + PANELS_AT_ONCE <= n_panels; p += PANELS_AT_ONCE)
            linear_forward_block(R, PANELS_AT_ONCE, y + p * m.n_out * LANES, m,
                                 x + p * m.n_in * LANES, o);
        for (; p < n_panels; p++)
            linear_forward_block(R, 1, y + p * m.n_out * LANES, m, x + p * m.n_in * LANES, o);
    });
}

/* dx is (8, COLUMNS_AT_ONCE), dy is (n_out, 8), both from the first of some positions on, of which
 * there are R; the next ones, up to POSITIONS_AT_ONCE, become 0. G groups of 8 columns of dx =
 * transposed W times dy, `column` being the first; only n <= 8 of the last group's exist. */
INLINE void linear_backward_block(const size_t R, const size_t G, double *dx, Matrix m,
                                  const double *dy, const int32_t *order, size_t column, size_t n) {
    const double *w = m.w + column;
    Lanes sum[POSITIONS_AT_ONCE][GROUPS_AT_ONCE];
    EACH(t, POSITIONS_AT_ONCE) EACH(c, G) sum[t][c] = splat(0.0);
    for (size_t k = 0; k < m.n_out; k++) {
        const double *row = opaque(w + (size_t)order[k] * m.n_in);
        const double *dyo = opaque(dy + (size_t)order[k] * LANES);
        Lanes wo[GROUPS_AT_ONCE];
        EACH(c, G) wo[c] = load_some(row + c * LANES, c + 1 < G ? LANES : n);
        EACH(t, R) EACH(c, G) sum[t][c] = add_product(sum[t][c], dyo[t], wo[c]);
    }
    EACH(t, POSITIONS_AT_ONCE) EACH(c, G) store(dx + t * COLUMNS_AT_ONCE + c * LANES, sum[t][c]);
}

/* dx is (8 G, 8), dy is (n_out, 8), of a panel with n_positions: the same columns, one below the
 * other. */
INLINE void linear_backward_panel(const size_t G, double *dx, Matrix m, const double *dy,
                                  const int32_t *order, size_t column, size_t n,
                                  size_t n_positions) {
    _Alignas(ALIGNMENT) double by_position[LANES * COLUMNS_AT_ONCE];
    size_t t = 0;
    for (; t < n_positions; t += POSITIONS_AT_ONCE)
        WITH_AT_LEAST(POSITIONS_AT_ONCE, n_positions - t,
                      linear_backward_block(R, G, by_position + t * COLUMNS_AT_ONCE, m, dy + t,
                                            order, column, n));
    for (; t < LANES; t++)
        EACH(c, G) store(by_position + t * COLUMNS_AT_ONCE + c * LANES, splat(0.0));
    EACH(c, G)
    transpose(dx + c * LANES * LANES, LANES, by_position + c * LANES, COLUMNS_AT_ONCE);
}

/* dx is (panels, n_in, 8), dy is (panels, n_out, 8) of T positions: G groups of whole columns. */
INLINE void linear_backward_columns(const size_t G, double *dx, Matrix m, const double *dy,
                                    const int32_t *order, size_t column, size_t T) {
    for (size_t t = 0; t < T; t += LANES)
        linear_backward_panel(G, dx + t * m.n_in + column * LANES, m, dy + t * m.n_out, order,
                              column, LANES, T - t < LANES ? T - t : LANES);
}

/* The same of the last n < 8 columns: of the last 8, if there are so many, since they are quicker
 * to load. */
static void linear_backward_rest(double *dx, Matrix m, const double *dy, const int32_t *order,
                                 size_t n, size_t T) {
    const size_t n_loaded = m.n_in < LANES ? m.n_in : LANES, n_skipped = n_loaded - n;
    for (size_t t = 0; t < T; t += LANES) {
        _Alignas(ALIGNMENT) double columns[LANES * LANES];
        linear_backward_panel(1, columns, m, dy + t * m.n_out, order, m.n_in - n_loaded, n_loaded,
                              T - t < LANES ? T - t : LANES);
        memcpy(dx + (t + LANES) * m.n_in - n * LANES, columns + n_skipped * LANES,
               n * LANES * sizeof *columns);
    }
}

/* dx is (panels, n_in, 8), dy is (panels, n_out, 8) of T positions, order is (n_out): the given
 * columns of dx = transposed W times dy, terms in the order of rows that `order` gives. A few
 * columns at a time for all panels, so that weights stream through the cache once. */
static void linear_backward(double *dx, Matrix m, const double *dy, const int32_t *order, size_t T,
                            Range columns) {
    assert(columns.from <= columns.to && columns.to <= m.n_in);
    size_t i = columns.from;
    for (; i + COLUMNS_AT_ONCE <= columns.to; i += COLUMNS_AT_ONCE)
        linear_backward_columns(GROUPS_AT_ONCE, dx, m, dy, order, i, T);
    for (; COLUMNS_AT_ONCE > LANES && i + LANES <= columns.to; i += LANES)
        linear_backward_columns(1, dx, m, dy, order, i, T);
    assert(i == columns.to || columns.to == m.n_in); /* shares are whole groups */
    if (i < columns.to)
        linear_backward_rest(dx, m, dy, order, columns.to - i, T);
}

/* The gradient of a matrix: dw += the sum over positions of dy times x. */
typedef struct {
    double *dw;       /* (n_out, n_in) */
    const double *dy; /* (panels, n_out, 8) */
    const double *x;  /* (T, stride): by position */
    size_t n_out, n_in;
} MatrixGradient;

/* R rows of dw from `row` on, and G groups of 8 columns from `column` on, the last of which has but
 * n <= 8. Positions go from the last of the range to the first. */
INLINE void linear_gradient_block(const size_t R, const size_t G, MatrixGradient g, Range positions,
                                  size_t row, size_t column, size_t n, int from_zero) {
    const size_t n_out = g.n_out, n_in = g.n_in, stride = (n_in + LANES - 1) / LANES * LANES;
    double *dw = g.dw + row * n_in + column;
    const double *x = g.x + column;
    const double *dy = opaque(g.dy + row * LANES); /* or GCC adds row * LANES at every position */
    Lanes sum[ROWS][GROUPS_AT_ONCE];
    EACH(r, R) EACH(c, G) {
        double *group = dw + r * n_in + c * LANES;
        sum[r][c] = from_zero ? splat(0.0) : load_some(group, c + 1 < G ? LANES : n);
    }
    for (size_t t = positions.to; t-- > positions.from;) {
        const double *dyt = opaque(dy + t / LANES * n_out * LANES + t % LANES);
        Lanes xt[GROUPS_AT_ONCE];
        EACH(c, G) xt[c] = load(x + t * stride + c * LANES);
        EACH(r, R) EACH(c, G) sum[r][c] = add_product(sum[r][c], dyt[r * LANES], xt[c]);
    }
    EACH(r, R) EACH(c, G) {
        double *group = dw + r * n_in + c * LANES;
        store_some(group, sum[r][c], c + 1 < G ? LANES : n);
    }
}

/* R whole rows of dw from `row` on. */
INLINE void linear_gradient_rows(const size_t R, MatrixGradient g, Range positions, size_t row,
                                 int from_zero) {
    enum { COLUMNS = GROUPS_AT_ONCE * LANES };
    size_t i = 0;
    for (; i + COLUMNS <= g.n_in; i += COLUMNS)
        linear_gradient_block(R, GROUPS_AT_ONCE, g, positions, row, i, LANES, from_zero);
    for (; i < g.n_in; i += LANES) {
        const size_t n_left = g.n_in - i;
        linear_gradient_block(R, 1, g, positions, row, i, n_left < LANES ? n_left : LANES,
                              from_zero);
    }
}

/* The given rows of dw, from a range of positions; sums start from zero or go on. */
static void linear_gradient(MatrixGradient g, Range positions, Range rows, int from_zero) {
    assert(rows.from <= rows.to && rows.to <= g.n_out);
    g.dw += rows.from * g.n_in; /* from here on, row 0 is the range's first */
    g.dy += rows.from * LANES;
    IN_BLOCKS(ROWS, o, rows.to - rows.from, linear_gradient_rows(R, g, positions, o, from_zero));
}

#endif
