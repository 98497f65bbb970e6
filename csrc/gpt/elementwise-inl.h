/* Element by element: addition, relu and its square, forward and backward. (The gradient of an
 * addition is its result's own: nothing to compute.) */
#ifndef ISOGRAD_GPT_ELEMENTWISE_INL_H
#define ISOGRAD_GPT_ELEMENTWISE_INL_H

#include <math.h>

#include "blocks-inl.h"
#include "numerics/pow_many.h"
#include "pass.h"

/* out, a and b are (panels, n, 8): a range of panels of a + b; out may be a or b. */
static void add_forward(double *out, const double *a, const double *b, size_t n, Range panels) {
    for (size_t i = panels.from * n * LANES; i < panels.to * n * LANES; i += LANES)
        store(out + i, add(load(a + i), load(b + i)));
}

/* x is (panels, n, 8): in place, a range of features. What is not above 0 becomes 0, NaN too. */
static void relu_forward(double *x, size_t n, size_t n_panels, Range features) {
    const Lanes zero = splat(0.0);
    for (size_t panel = 0; panel < n_panels; panel++, x += n * LANES)
        for (size_t i = features.from * LANES; i < features.to * LANES; i += LANES)
            store(x + i, larger(load(x + i), zero));
}

/* dx and relu are (panels, n, 8): in place, from the gradient of relu's output to that of its
 * input. */
static void relu_backward(double *dx, const double *relu, size_t n, size_t n_panels,
                          Range features) {
    for (size_t panel = 0; panel < n_panels; panel++, dx += n * LANES, relu += n * LANES)
        for (size_t i = features.from * LANES; i < features.to * LANES; i += LANES)
            store(dx + i, times_positive(load(relu + i), load(dx + i)));
}

/* layer->hidden is (panels, F, 8): x**2 of layer->relu, a range of features. *overflows becomes the
 * first position at which Python's ** overflows, if it is before what stands there. */
static void square_forward(const Pass *p, const Layer *layer, Range features, size_t *overflows) {
    const size_t F = p->s.F, n = (features.to - features.from) * LANES;
    for (size_t panel = 0; panel < p->n_panels; panel++) {
        const size_t first = (panel * F + features.from) * LANES, n_left = p->T - panel * LANES;
        const Noted noted = {p->calls, LANES, n_left < LANES ? n_left : LANES};
        const double *x = layer->relu + first;
        double *square = layer->hidden + first;
        pow_many(square, x, n, POW_2, p->calls ? &noted : NULL);
        for (size_t i = 0; i < n; i++) {
            const size_t t = panel * LANES + i % LANES;
            if (UNLIKELY(isinf(square[i])) && !isinf(x[i]) && t < p->T && t < *overflows)
                *overflows = t;
        }
    }
}

/* dx and x are (panels, n, 8): in place, from the gradient of x**2 to that of x. */
static void square_backward(double *dx, const double *x, size_t n, size_t n_panels,
                            Range features) {
    const Lanes two = splat(2.0);
    for (size_t panel = 0; panel < n_panels; panel++, dx += n * LANES, x += n * LANES)
        for (size_t i = features.from * LANES; i < features.to * LANES; i += LANES)
            store(dx + i, mul(mul(two, load(x + i)), load(dx + i)));
}

#endif
