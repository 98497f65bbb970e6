/* Small powers of eight numbers at a time, for AVX-512 only: the method, its error, the code.
 *
 * Measured on a 2.5 GHz Xeon (Cascade Lake), glibc 2.36, in ns a value, seven at a time, where libm
 * takes 20.4: x**-0.5 and x**-1.5 10.4, x**-1 8.3, x**-2 8.4.
 *
 * The power is computed as the sum of two doubles, high + low, where high is nearest to the sum. If
 * a bit more than NEAR_POW_MARGIN ulp either way rounds to the same double, that is libm's
 * (libm_margins.h). Else libm is asked, for some 4 % of the numbers. The ulp is that of high.
 *
 * 1/x: r = fl(1/x), e = 1 - r*x exactly, and 1/x = r * (1 + e + e**2 ..), e**2 <= 2**-106.
 * 1/sqrt(x): r = fl(1 / fl(sqrt(x))) is good to 2**-52. e = 1 - x*r**2 is good to 2**-104, as the
 * product x*r is exact in two doubles, and 1/sqrt(x) = r * (1 + e/2 + 3/8 e**2 ..), |e| <= 2**-51.
 * r**2 and r**3 are exact in two doubles but for 2**-104, and grow by the factors 1 + 2e and
 * 1 + 3/2 e; what is left out is below 4 e**2 <= 2**-100. So high + low is good to 2**-99, and
 * MARGIN covers this error and NEAR_POW_MARGIN ulp.
 */
#include "vector_unit.h"

#if HAVE_X86_PATHS
#include <immintrin.h>

#include "compiler.h"
#include "pow_many.h"
#include "powers.h"

BEGIN_TARGET(AVX512_TARGET)
#define WIDTH 8
#include "lanes_x86-inl.h"

#define MARGIN (NEAR_POW_MARGIN * 0x1p-52 + 0x1p-80)

/* A number as the sum of two doubles. */
typedef struct {
    Lanes high, low;
} Sum;

INLINE Sum product(Lanes a, Lanes b) {
    Lanes high = mul(a, b);
    return (Sum){high, mul_sub(a, b, high)};
}

INLINE Sum power_of(Lanes x, Power p) {
    int whole = p == POW_MINUS_1 || p == POW_MINUS_2;
    Lanes r = quotient(splat(1.0), whole ? x : square_root(x)), e;
    if (whole) {
        e = neg_mul_add(r, x, splat(1.0));
    } else {
        Sum xr = product(x, r);
        e = neg_mul_add(xr.low, r, neg_mul_add(xr.high, r, splat(1.0)));
    }
    if (p == POW_MINUS_1)
        return (Sum){r, mul(r, e)};
    if (p == POW_MINUS_HALF)
        return (Sum){r, mul(r, mul(e, splat(0.5)))};
    Sum square = product(r, r);
    if (p == POW_MINUS_2)
        return (Sum){square.high, mul_add(square.high, add(e, e), square.low)};
    Sum cube = product(square.high, r);
    Lanes low = mul_add(square.low, r, cube.low);
    return (Sum){cube.high, mul_add(cube.high, mul(e, splat(1.5)), low)};
}

/* pow_many of n <= LANES of all numbers, from number `first` on. The other lanes are 0.0, and what
 * comes of them is not looked at. */
INLINE void group_powers(double *powers, const double *x, size_t first, size_t n, Power p,
                         const Noted *noted) {
    Lanes base = load_some(x + first, n);
    double *power = powers + first;
    Sum sum = power_of(base, p);
    Lanes high = add(sum.high, sum.low), low = sub(sum.low, sub(high, sum.high));
    Lanes margin = mul(power_of_2_in(high), splat(MARGIN));
    Lanes down = add(high, sub(low, margin)), up = add(high, add(low, margin));
    Mask outside = either(beyond(splat(RECIPROCAL_MIN), base), beyond(base, splat(RECIPROCAL_MAX)));
    unsigned undecided = lanes_in(either(unequal(down, up), outside)) & (ALL_LANES >> (LANES - n));
    double lanes[LANES];
    store_anywhere(lanes, base);
    store_some(power, down, n);
    for (; UNLIKELY(undecided); undecided &= undecided - 1) {
        int j = __builtin_ctz(undecided);
        power[j] = pow_libm(lanes[j], p);
        if (UNLIKELY(noted != NULL))
            pow_note(noted, first + (size_t)j, lanes[j], p, power[j]);
    }
}

/* pow_many for a p that the compiler knows. */
INLINE void powers(double *power, const double *x, size_t n, Power p, const Noted *noted) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        group_powers(power, x, i, LANES, p, noted);
    if (i < n)
        group_powers(power, x, i, n - i, p, noted);
}

void pow_many_avx512(double *power, const double *x, size_t n, Power p, const Noted *noted) {
    assert(KNOWN_LIBM);
    switch (p) {
    case POW_MINUS_HALF:
        powers(power, x, n, POW_MINUS_HALF, noted);
        break;
    case POW_MINUS_3_HALVES:
        powers(power, x, n, POW_MINUS_3_HALVES, noted);
        break;
    case POW_MINUS_1:
        powers(power, x, n, POW_MINUS_1, noted);
        break;
    default:
        assert(p == POW_MINUS_2);
        powers(power, x, n, POW_MINUS_2, noted);
        break;
    }
}
END_TARGET
#endif
