/* Bounds the gradients of all weights, so that Adam knows before it begins whether a square may
 * overflow. The bound comes from the largest activation and the largest gradient of one, which is
 * quicker than to look at each weight's gradient. */
#ifndef ISOGRAD_GPT_GRADIENT_BOUND_INL_H
#define ISOGRAD_GPT_GRADIENT_BOUND_INL_H

#include "blocks-inl.h"
#include "pass.h"

/* x is (n): lane by lane the larger of `largest` and the magnitudes there, NaN left out. */
static Lanes largest_of(Lanes largest, const double *x, size_t n) {
    enum { N = 4 };
    Lanes rows[N] = {largest, largest, largest, largest};
    size_t i = 0;
    for (; i + N * LANES <= n; i += N * LANES)
        EACH(r, N) rows[r] = larger_magnitude(load(x + i + r * LANES), rows[r]);
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
static void find_largest(const Pass *p, Outcome *outcome, Range panels) {
    const size_t first = panels.from * LANES, n = panels.to * LANES - first;
    const size_t C = p->s.C, F = p->s.F, V = p->s.V, L = p->s.L;
    Lanes dy = largest_of(splat(0.0), p->dlogits + first * V, n * V);
    Lanes x = largest_of(splat(1.0), p->layers[L].x + first * C, n * C);
    dy = largest_of(dy, p->dembedded + first * C, n * C);
    for (size_t l = 0; l < L; l++) {
        const Layer *layer = &p->layers[l];
        dy = largest_of(dy, layer->dqkv + first * 3 * C, n * 3 * C);
        dy = largest_of(dy, layer->dx_mid + first * C, n * C);
        dy = largest_of(dy, layer->dhidden + first * F, n * F);
        dy = largest_of(dy, layer[1].dx + first * C, n * C);
        x = largest_of(x, layer->attention_norm.y + first * C, n * C);
        x = largest_of(x, layer->heads + first * C, n * C);
        x = largest_of(x, layer->mlp_norm.y + first * C, n * C);
        x = largest_of(x, layer->hidden + first * F, n * F);
    }
    outcome->largest_dy = largest_lane(dy);
    outcome->largest_x = largest_lane(x);
}

#endif
