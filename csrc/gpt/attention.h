/* Attention, forward and backward, for a range of heads; and what every softmax needs. Included by
 * passes.h. */

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
    IN_BLOCKS(
        ROWS, j, n,
        masked_rows(R, out + j * LANES, a + j * LANES, a_stride, x, mask, n_rows, down, begin));
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
        const int64_t *mask = p->mask_transposed + (p->block_start[panel] + block) * LANES * LANES;
        const size_t left = p->T - panel * LANES, n_rows = left < LANES ? left : LANES;
        double *dqkv = layer->dqkv + (seen * 3 * C + h * D) * LANES;
        _Alignas(64) double rows[LANES * LANES];
        transpose(rows, LANES, p->dscores + at, LANES);
        masked_products(dqkv + C * LANES, layer->qkv + (panel * 3 * C + h * D) * LANES, 0, rows,
                        mask, n_rows, D, 1, begin);
        transpose(rows, LANES, layer->attended + at, LANES);
        masked_products(dqkv + 2 * C * LANES, dheads + (panel * C + h * D) * LANES, 0, rows, mask,
                        n_rows, D, 1, begin);
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
