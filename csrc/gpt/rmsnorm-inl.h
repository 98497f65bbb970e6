/* rmsnorm, y = x * scale with scale = (mean of x**2 + 1e-5)**-0.5, for a range of panels. */
#ifndef ISOGRAD_GPT_RMSNORM_INL_H
#define ISOGRAD_GPT_RMSNORM_INL_H

#include "blocks-inl.h"
#include "numerics/pow_many.h"
#include "pass.h"

/* norm->y is (panels, C, 8), norm->scale and norm->slope are (panels, 8). */
static void rmsnorm_forward(const Pass *p, const Norm *norm, Range panels) {
    const size_t C = p->s.C, first = panels.from * LANES, n = panels.to * LANES - first;
    const double *x = norm->x;
    double *y = norm->y, *scale = norm->scale, *slope = norm->slope;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        Lanes sum = splat(0.0);
        for (size_t i = 0; i < C; i++) {
            Lanes xi = load(x + (panel * C + i) * LANES);
            sum = add(sum, mul(xi, xi));
        }
        Lanes mean_square = mul(sum, splat(p->inverse_of_C));
        store(slope + panel * LANES, add(mean_square, splat(1e-5)));
    }
    const Noted positions = noted_positions(p, panels), *noted = p->calls ? &positions : NULL;
    pow_many(scale + first, slope + first, n, POW_MINUS_HALF, noted);
    pow_many(slope + first, slope + first, n, POW_MINUS_3_HALVES, noted);
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        Lanes factor = load(scale + panel * LANES);
        store(slope + panel * LANES, mul(splat(-0.5), load(slope + panel * LANES)));
        for (size_t i = panel * C * LANES; i < (panel + 1) * C * LANES; i += LANES)
            store(y + i, mul(load(x + i), factor));
    }
}

/* dx, dy and dresidual are (panels, C, 8). x receives first what comes from beside the norm,
 * dresidual or nothing if that is NULL; then from y = x * scale; last from the mean of x * x, once
 * for each of the two factors. */
static void rmsnorm_backward(const Pass *p, double *dx, const Norm *norm, const double *dy,
                             const double *dresidual, Range panels) {
    const size_t C = p->s.C;
    const double *x = norm->x;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        const size_t begin = panel * C * LANES, end = begin + C * LANES;
        Lanes dscale = splat(0.0);
        for (size_t i = end; i > begin; i -= LANES)
            dscale = add(dscale, mul(load(x + i - LANES), load(dy + i - LANES)));
        Lanes dmean_square = mul(load(norm->slope + panel * LANES), dscale);
        Lanes dsquare = mul(splat(p->inverse_of_C), dmean_square);
        Lanes scale = load(norm->scale + panel * LANES);
        for (size_t i = begin; i < end; i += LANES) {
            Lanes from_square = mul(load(x + i), dsquare);
            Lanes sum = dresidual ? load(dresidual + i) : splat(0.0);
            sum = add(sum, mul(scale, load(dy + i)));
            store(dx + i, add(add(sum, from_square), from_square));
        }
    }
}

#endif
