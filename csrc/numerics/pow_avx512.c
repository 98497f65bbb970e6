/* Small powers of eight numbers at a time.
 *
 * Measured on a 2.5 GHz Xeon (Cascade Lake), glibc 2.36, in ns a value, seven at a time, where libm
 * takes 20.4: x**-0.5 and x**-1.5 10.4, x**-1 8.3, x**-2 8.4.
 *
 * Model of libm: pow rounds, to nearest, a value less than 0.02 ulp off the exact one, as long as |y
 * * log(x)| <= 190, as it is from LOWEST_BASE to HIGHEST_BASE (see adam_paths.h). The power is
 * computed as the sum of two doubles, high + low, where high is nearest to the sum. If a bit more
 * than 0.02 ulp either way rounds to the same double, that is libm's, else libm is asked, for some 4
 * % of the numbers. The ulp is that of high; if high is a power of two, it is the larger one of the
 * two around it.
 *
 * 1/x: r = fl(1/x), e = 1 - r*x exactly, and 1/x = r * (1 + e + e**2 ..), e**2 <= 2**-106.
 * 1/sqrt(x): r = fl(1 / fl(sqrt(x))) is good to 2**-52, e = 1 - x*r**2 to 2**-104, as the product
 * x*r is exact in two doubles, and 1/sqrt(x) = r * (1 + e/2 + 3/8 e**2 ..), e <= 2**-51. r**2 and
 * r**3 are exact in two doubles but for 2**-104, and grow by the factors 1 + 2e and 1 + 3/2 e; what
 * is left out is below 4 e**2 <= 2**-100. So high + low is good to 2**-99, and MARGIN to 0.02 ulp
 * and a little.
 */
#include "pow_many.h"

#include <math.h>

#include "vector_unit.h"

#if HAVE_X86_PATHS
#include <immintrin.h>

#define MARGIN (0.02 * 0x1p-52 + 0x1p-80)
#define LOWEST_BASE 0x1p-128
#define HIGHEST_BASE 0x1p+128
#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define LANES 8

/* A number as the sum of two doubles. */
typedef struct {
    __m512d high, low;
} Sum;

INLINE __m512d all(double x) { return _mm512_set1_pd(x); }

INLINE Sum product(__m512d a, __m512d b) {
    __m512d high = _mm512_mul_pd(a, b);
    return (Sum){high, _mm512_fmsub_pd(a, b, high)};
}

INLINE Sum power_of(__m512d x, Power p) {
    int whole = p == POW_MINUS_1 || p == POW_MINUS_2;
    __m512d r = _mm512_div_pd(all(1.0), whole ? x : _mm512_sqrt_pd(x)), e;
    if (whole) {
        e = _mm512_fnmadd_pd(r, x, all(1.0));
    } else {
        Sum xr = product(x, r);
        e = _mm512_fnmadd_pd(xr.low, r, _mm512_fnmadd_pd(xr.high, r, all(1.0)));
    }
    if (p == POW_MINUS_1)
        return (Sum){r, _mm512_mul_pd(r, e)};
    if (p == POW_MINUS_HALF)
        return (Sum){r, _mm512_mul_pd(r, _mm512_mul_pd(e, all(0.5)))};
    Sum square = product(r, r);
    if (p == POW_MINUS_2)
        return (Sum){square.high, _mm512_fmadd_pd(square.high, _mm512_add_pd(e, e), square.low)};
    Sum cube = product(square.high, r);
    __m512d low = _mm512_fmadd_pd(square.low, r, cube.low);
    return (Sum){cube.high, _mm512_fmadd_pd(cube.high, _mm512_mul_pd(e, all(1.5)), low)};
}

INLINE void powers(double *power, const double *x, size_t n, Power p) {
    for (size_t i = 0; i < n; i += LANES) {
        __mmask8 here = n - i < LANES ? (__mmask8)((1u << (n - i)) - 1) : 0xff;
        __m512d base = _mm512_mask_loadu_pd(all(1.0), here, x + i);
        Sum sum = power_of(base, p);
        __m512d high = _mm512_add_pd(sum.high, sum.low);
        __m512d low = _mm512_sub_pd(sum.low, _mm512_sub_pd(high, sum.high));
        __m512d power_of_2 = _mm512_and_pd(high, all(INFINITY));
        __m512d down = _mm512_add_pd(high, _mm512_fnmadd_pd(power_of_2, all(MARGIN), low));
        __m512d up = _mm512_add_pd(high, _mm512_fmadd_pd(power_of_2, all(MARGIN), low));
        unsigned undecided = _mm512_cmp_pd_mask(down, up, _CMP_NEQ_UQ);
        undecided |= _mm512_cmp_pd_mask(base, all(LOWEST_BASE), _CMP_NGE_UQ);
        undecided |= _mm512_cmp_pd_mask(base, all(HIGHEST_BASE), _CMP_NLE_UQ);
        double lanes[LANES];
        _mm512_storeu_pd(lanes, base);
        _mm512_mask_storeu_pd(power + i, here, down);
        for (undecided &= here; undecided; undecided &= undecided - 1) {
            int j = __builtin_ctz(undecided);
            power[i + (size_t)j] = pow_libm(lanes[j], p);
        }
    }
}

TARGET void pow_many_avx512(double *power, const double *x, size_t n, Power p) {
    switch (p) {
    case POW_MINUS_HALF:
        powers(power, x, n, POW_MINUS_HALF);
        break;
    case POW_MINUS_3_HALVES:
        powers(power, x, n, POW_MINUS_3_HALVES);
        break;
    case POW_MINUS_1:
        powers(power, x, n, POW_MINUS_1);
        break;
    case POW_MINUS_2:
        powers(power, x, n, POW_MINUS_2);
        break;
    }
}
#endif
