/* Linear layers, y = W x with W (n_out, n_in): forward for a range of its rows, backward for one of
 * its columns, and the gradients of weights. Included by passes.h. */

/* Columns lie side by side in memory; two cache lines of them are worth it. */
#define COLUMNS_AT_ONCE (WIDTH == 8 ? 16 : ROWS)
#define PANELS_AT_ONCE (WIDTH == 8 ? 2 : 1)

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
static void linear_backward(double *dx, const double *w, const double *dy, size_t n_out,
                            size_t n_in, const int32_t *order, size_t n_panels, Range columns) {
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
    IN_BLOCKS(
        ROWS, c, n_groups,
        linear_columns_at(R, dx + c * LANES * LANES, w + c * LANES, dy, n_out, n_in, order, lane));
    for (size_t i = n_groups * LANES; i < n_columns; i++) {
        double sum = 0.0;
        for (size_t k = 0; k < n_out; k++)
            sum += dy[(size_t)order[k] * LANES + lane] * w[(size_t)order[k] * n_in + i];
        dx[i * LANES + lane] = sum;
    }
}

/* R rows of dW and G groups of 8 columns, `n` <= 8 of them in the last. Positions go in descending
 * order; x is the input by position. */
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
              linear_weight_rows(R, dw + (from + o) * n_in, dy + (from + o) * LANES, x, n_out, n_in,
                                 T, begin));
}
