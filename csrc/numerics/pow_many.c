/* Small powers of many numbers: the plain path and the choice of the path. */
#include "pow_many.h"

#include <assert.h>
#include <math.h>

#include "apart.h"
#include "powers.h"
#include "vector_unit.h"

double pow_libm(double x, Power p) {
    static const double exponents[] = {-0.5, -1.5, -1.0, -2.0};
    return pow(x, exponents[p]);
}

static int in_range(double x) { return x >= RECIPROCAL_MIN && x <= RECIPROCAL_MAX; }

static double pow_one(double x, Power p) {
    if (p == POW_MINUS_1 && in_range(x))
        return pow_minus_1(x);
    if (p == POW_MINUS_2 && in_range(x))
        return pow_minus_2(x);
    return pow_libm(x, p);
}

void pow_many(double *power, const double *x, size_t n, Power p) {
    assert(power == x || are_apart(power, x, n));
#if HAVE_X86_PATHS
    if (KNOWN_LIBM && vector_unit() == AVX512 && n > 2) {
        pow_many_avx512(power, x, n, p);
        return;
    }
#endif
    for (size_t i = 0; i < n; i++)
        power[i] = pow_one(x[i], p);
}
