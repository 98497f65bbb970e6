/* Small powers of many numbers: the plain path and the choice of the path. */
#include "pow_many.h"

#include <assert.h>
#include <math.h>

#include "apart.h"
#include "powers.h"
#include "vector_unit.h"

double pow_libm(double x, Power p) {
    static const double exponents[] = {-0.5, -1.5, -1.0, -2.0, 2.0};
    return pow(x, exponents[p]);
}

void pow_note(const Noted *noted, size_t i, double x, Power p, double power) {
    static const Called called[] = {CALLED_INVERSE_ROOT, CALLED_INVERSE_ROOT_CUBED, CALLED_INVERSE,
                                    CALLED_INVERSE_SQUARE, CALLED_SQUARE};
    calls_note_one_of(noted, i, called[p], x, power);
}

static int in_range(double x) { return x >= RECIPROCAL_MIN && x <= RECIPROCAL_MAX; }

static double pow_one(double x, Power p) {
    if (p == POW_2 && (x == 0.0 || (x >= SQUARE_MIN && x <= SQUARE_MAX)))
        return x == 0.0 ? 0.0 : pow_2(x);
    if (p == POW_MINUS_1 && in_range(x))
        return pow_minus_1(x);
    if (p == POW_MINUS_2 && in_range(x))
        return pow_minus_2(x);
    return pow_libm(x, p);
}

static void pow_and_note(double *power, const double *x, size_t n, Power p, const Noted *noted) {
    for (size_t i = 0; i < n; i++) {
        const double result = pow_one(x[i], p);
        pow_note(noted, i, x[i], p, result);
        power[i] = result;
    }
}

void pow_many(double *power, const double *x, size_t n, Power p, const Noted *noted) {
    assert(power == x || are_apart(power, x, n));
#if HAVE_X86_PATHS
    if (KNOWN_LIBM && vector_unit() == AVX512 && n > 2 && p != POW_2) {
        pow_many_avx512(power, x, n, p, noted);
        return;
    }
#endif
    if (noted) {
        pow_and_note(power, x, n, p, noted);
        return;
    }
    for (size_t i = 0; i < n; i++)
        power[i] = pow_one(x[i], p);
}
