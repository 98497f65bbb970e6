/* Forward and backward of every operation, for vectors of WIDTH doubles, STAGES being the name of
 * the table at the end. Layouts are those of pass.h.
 *
 * The order of every sum is part of the contract: "ascending" and "descending" below are what the
 * scalar graph does, see the reference. Sums start at 0.0, which makes a first term of -0.0 a 0.0.
 */
#include "blocks-inl.h"
#include "libm.h"
#include "numerics/exp_many.h"
#include "numerics/lanes-inl.h"
#include "numerics/pow_many.h"
#include "pass.h"
#include "shares.h"

#include "attention.h"
#include "linear.h"

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
