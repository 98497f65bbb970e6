/* Small powers of many numbers: the plain path and the choice of the path. */
#include "pow_many.h"

#include <math.h>

#include "powers.h"
#include "vector_unit.h"

double pow_libm(double x, Power p) {
    static const double exponents[] = {-0.5, -1.5, -1.0, -2.0};
    return pow(x, exponents[p]);
}

static double one(double x, Power p) {
    if (x >= LOWEST_BASE && x <= HIGHEST_BASE && p == POW_MINUS_1)
        return pow_minus_1(x);
    if (x >= LOWEST_BASE && x <= HIGHEST_BASE && p == POW_MINUS_2)
        return pow_minus_2(x);
    return pow_libm(x, p);
}

void pow_many(double *power, const double *x, size_t n, Power p) {
#if HAVE_X86_PATHS
    if (KNOWN_LIBM && vector_unit() == AVX512 && n > 2) {
        pow_many_avx512(power, x, n, p);
        return;
    }
#endif
    for (size_t i = 0; i < n; i++)
        power[i] = one(x[i], p);
}
