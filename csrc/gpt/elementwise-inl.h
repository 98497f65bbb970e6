/* Element by element: addition, and relu forward and backward. (The gradient of an addition is its
 * result's own: nothing to compute.) */
#ifndef ISOGRAD_GPT_ELEMENTWISE_INL_H
#define ISOGRAD_GPT_ELEMENTWISE_INL_H

#include "blocks-inl.h"
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

#endif
