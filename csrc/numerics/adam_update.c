/* Adam's update: the plain path, its errors, and the choice of the path. */
#include "adam_update.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "adam_notes.h"
#include "apart.h"
#include "compiler.h"
#include "powers.h"
#include "vector_unit.h"

/* g**2. Returns 0, or -1 where Python raises OverflowError. */
INLINE int square_of(double g, double *square) {
    double magnitude = fabs(g);
    if (magnitude >= SQUARE_MIN && magnitude <= SQUARE_MAX) {
        *square = pow_2(g);
        return 0;
    }
    *square = magnitude;
    return g == 0.0 || !isfinite(g) ? 0 : checked_pow(magnitude, 2.0, square);
}

/* x**0.5. Returns 0, or -1 for a negative x. */
static int root_of(double x, double *root) {
    if (x >= SQUARE_MIN && x <= SQUARE_MAX) {
        *root = pow_half(x);
        return 0;
    }
    *root = fabs(x);
    if (x == 0.0 || !isfinite(x))
        return 0;
    return x < 0.0 ? -1 : checked_pow(x, 0.5, root);
}

/* beta * moment. Weights without gradients have subnormal moments in the end, which 0.85 times
 * themselves round to, and a product with one of them costs some processors 150 cycles. But a
 * subnormal number is an integer k times 2**-1074, and so is the result: |beta| * k, rounded twice,
 * which is wrong only if the first rounding leads to the middle of two integers. */
static double decayed(double beta, double moment) {
    uint64_t bits, sign, k;
    memcpy(&bits, &moment, sizeof bits);
    sign = (bits ^ (uint64_t)signbit(beta) << 63) & 1ull << 63;
    k = bits & ~(1ull << 63);
    if (LIKELY(k == 0 || k >= 1ull << 52))
        return beta * moment;
    const double product = fabs(beta) * (double)k;
    const double integer = (product + 0x1p52) - 0x1p52;
    if (!(product < 0x1p52) || fabs(product - integer) == 0.5)
        return beta * moment;
    bits = sign | (uint64_t)integer;
    memcpy(&moment, &bits, sizeof bits);
    return moment;
}

double adam_least_weight(const AdamRates *r) {
    if (!adam_rates_are_ordinary(r))
        return INFINITY;
    const double step = r->lr * (ldexp(1.0, FAINT_M) / r->correction1) / r->eps;
    return fmax(ldexp(step, 60), DBL_MIN); /* no 0: -0 - -0 is +0 */
}

/* Whether the step is too small to change w. */
static int is_faint(double w, double m, double v, double least_w) {
    return fabs(m) < ldexp(1.0, FAINT_M) && fabs(w) >= least_w && v >= 0.0 && v <= DBL_MAX;
}

/* adam_update_plain, for calls that the compiler may know to be NULL: asking for each parameter would
 * take 5 % longer. */
INLINE size_t update(double *restrict w, const double *restrict g, double *restrict m,
                     double *restrict v, size_t n, const AdamRates *r, Calls *calls) {
    const double least_w = adam_least_weight(r);
    for (size_t i = 0; i < n; i++) {
        double square, root;
        m[i] = decayed(r->beta1, m[i]) + r->rest1 * g[i];
        if (square_of(g[i], &square) < 0)
            return i;
        const double decayed_v = decayed(r->beta2, v[i]);
        v[i] = decayed_v + r->rest2 * square;
        if (calls)
            note_square(calls, g[i], square, decayed_v, r->rest2);
        if (is_faint(w[i], m[i], v[i], least_w))
            continue;
        if (r->correction1 == 0.0 || r->correction2 == 0.0)
            return i;
        double m_hat = m[i] / r->correction1, v_hat = v[i] / r->correction2;
        if (root_of(v_hat, &root) < 0)
            return i;
        double divisor = root + r->eps;
        if (divisor == 0.0)
            return i;
        if (calls)
            note_root(calls, v_hat, root, w[i], r->lr * m_hat, r->eps);
        w[i] -= r->lr * m_hat / divisor;
    }
    return n;
}

size_t adam_update_plain(double *restrict w, const double *restrict g, double *restrict m,
                         double *restrict v, size_t n, const AdamRates *r, Calls *calls) {
    return calls ? update(w, g, m, v, n, r, calls) : update(w, g, m, v, n, r, NULL);
}

AdamError adam_error(double g, double v, const AdamRates *r) {
    double unused;
    if (square_of(g, &unused) < 0)
        return ADAM_OVERFLOW;
    if (r->correction1 == 0.0 || r->correction2 == 0.0)
        return ADAM_ZERO_DIVISION;
    return root_of(v / r->correction2, &unused) < 0 ? ADAM_COMPLEX : ADAM_ZERO_DIVISION;
}

static int within(double x, double low, double high) { return x >= low && x <= high; }

int adam_rates_are_ordinary(const AdamRates *r) {
    return (r->lr == 0.0 ? !signbit(r->lr) : within(r->lr, 0x1p-60, 0x1p+60)) &&
           within(r->beta1, -1.0, 1.0) && within(r->beta2, -1.0, 1.0) &&
           within(r->rest1, 0x1p-60, 0x1p+60) && within(r->rest2, 0x1p-60, 0x1p+60) &&
           within(r->correction1, 0x1p-60, 0x1p+60) && within(r->correction2, 0x1p-60, 0x1p+60) &&
           within(r->eps, 0x1p-300, 0x1p+60);
}

/* Whether a learning rate below all ordinary ones moves no weight: then 0.0 does as well, which is
 * ordinary. The step is at most `largest`, and w - step is w if w is 2**60 times that. */
static int moves_nothing(const double *w, const double *g, const double *m, size_t n,
                         const AdamRates *r) {
    double most = 0.0, least = INFINITY;
    if (!(r->lr > 0.0 && r->lr < 0x1p-60))
        return 0;
    for (size_t i = 0; i < n; i++) {
        const double gradient = fabs(g[i]), moment = fabs(m[i]), weight = fabs(w[i]);
        if (!(gradient <= 0x1p+100 && moment <= 0x1p+100))
            return 0;
        most = fmax(most, fmax(gradient, moment));
        least = weight < least ? weight : least;
    }
    const double largest = r->lr * (2.0 * most * fmax(r->rest1, 1.0) / r->correction1 / r->eps);
    return least >= fmax(ldexp(largest, 60), 0x1p-1000);
}

size_t adam_update(double *restrict w, const double *restrict g, double *restrict m,
                   double *restrict v, size_t n, const AdamRates *rates, Calls *calls) {
    assert(are_apart(w, g, n) && are_apart(w, m, n) && are_apart(w, v, n));
    assert(are_apart(g, m, n) && are_apart(g, v, n) && are_apart(m, v, n));
#if HAVE_X86_PATHS
    if (KNOWN_LIBM && vector_unit() == AVX512 && adam_rates_are_ordinary(rates))
        return adam_update_avx512(w, g, m, v, n, rates, calls);
    if (KNOWN_LIBM && vector_unit() == AVX2 && adam_rates_are_ordinary(rates))
        return adam_update_avx2(w, g, m, v, n, rates, calls);
#endif
    AdamRates still = *rates;
    still.lr = 0.0;
    if (KNOWN_LIBM && vector_unit() != PLAIN && adam_rates_are_ordinary(&still) &&
        moves_nothing(w, g, m, n, rates))
        return adam_update(w, g, m, v, n, &still, calls);
    return adam_update_plain(w, g, m, v, n, rates, calls);
}
