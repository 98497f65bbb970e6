/* Adam's update eight parameters at a time; adam_paths.h proves that the bits are pow's.
 *
 * What limits it: 512-bit operations issue on two ports here, one vdivpd occupies the divider for
 * 16 cycles and one vsqrtpd for 24 or more. So one division is left to the divider, those by the
 * corrections are done by Markstein's method (that of m not at all once correction1 has become 1,
 * after 230 steps with the default beta1), the root by Newton's, and a group of eight costs some 48
 * operations. The loop finishes one group while it starts the next, as a group's latency is some
 * 120 cycles, more than the processor can look ahead.
 *
 * Measured on a 2.5 GHz Xeon (Cascade Lake), 4,192 parameters, arrays on 64-byte boundaries: 8.9 us
 * (2.1 ns a parameter), of which 48 operations at the measured 0.28 ns are 7.0. AVX2 took 12.5 us,
 * the plain path 91. Not worth it: v's correction on the divider, too (10 us), no overlap of groups
 * (11.5 us). Unaligned arrays cost half as much again. pow is asked for some 10 of the 4,192 lanes.
 *
 * Root of x. y is 1/sqrt(x) to 2**-14. With s = x*y, h = y/2 and r = 1/2 - s*h, the third-order
 * step s*(1 + r + 1.5 r**2) is sqrt(x) to 2**-40, relatively, h*(1 + r) is 1 / (2 sqrt(x)) to
 * 2**-27, and s + (x - s**2) * h is sqrt(x) to 2**-66. That sum is rounded twice, with 0.046 *
 * 2**-52 of itself taken off or added, which is from 0.046 to 0.092 ulp. These are the two
 * candidates; where they are equal, no middle of two doubles is within 0.045 ulp of the root, and
 * pow gives the same.
 */
#include "adam_paths.h"
#include "vector_unit.h"

#if HAVE_X86_PATHS
#include <immintrin.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define LANES 8
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

typedef struct {
    __m512d lr, beta1, beta2, rest1, rest2, eps, correction1, correction2;
    __m512d high1, low1, high2, low2; /* the corrections' reciprocals */
} Rates;

/* A group whose w is still to come: step = lr * m_hat. */
typedef struct {
    double *w;
    __m512d step, v_hat;
} Rest;

INLINE __m512d all(double x) { return _mm512_set1_pd(x); }

INLINE __m512i bits_of(__m512d x) { return _mm512_castpd_si512(x); }

INLINE __mmask8 outside(__m512i bits, double low, double high, int times) {
    union {
        double x;
        int64_t bits;
    } from = {low}, to = {high};
    __m512i above = _mm512_sub_epi64(bits, _mm512_set1_epi64(times * from.bits));
    return _mm512_cmpgt_epu64_mask(above, _mm512_set1_epi64(times * (to.bits - from.bits)));
}

INLINE __mmask8 any_bit(__m512d x) { return _mm512_test_epi64_mask(bits_of(x), bits_of(x)); }

INLINE __m512d divide(__m512d x, __m512d c, __m512d high, __m512d low) {
    __m512d q = _mm512_fmadd_pd(x, high, _mm512_mul_pd(x, low));
    return _mm512_fmadd_pd(_mm512_fnmadd_pd(q, c, x), high, q);
}

TARGET static __attribute__((noinline)) void settle_w(__mmask8 doubtful, Rest rest, __m512d old_w,
                                                      double eps) {
    double old[LANES], step[LANES], v_hat[LANES];
    _mm512_storeu_pd(old, old_w);
    _mm512_storeu_pd(step, rest.step);
    _mm512_storeu_pd(v_hat, rest.v_hat);
    adam_settle_w(doubtful, rest.w, old, step, v_hat, eps);
}

INLINE void finish(Rest rest, const Rates *k, const AdamRates *rates) {
    __m512d x = rest.v_hat, y = _mm512_rsqrt14_pd(x);
    __m512d s = _mm512_mul_pd(x, y), h = _mm512_mul_pd(y, all(0.5));
    __m512d r = _mm512_fnmadd_pd(s, h, all(0.5));
    __m512d t = _mm512_mul_pd(r, _mm512_fmadd_pd(r, all(1.5), all(1.0)));
    s = _mm512_fmadd_pd(s, t, s);
    h = _mm512_fmadd_pd(h, r, h);
    __m512d d = _mm512_fnmadd_pd(s, s, x);
    __m512d margin = all(2.0 * 0.046 * 0x1p-52); /* twice, as h halves it */
    __m512d low = _mm512_fmadd_pd(_mm512_fnmadd_pd(margin, x, d), h, s);
    __m512d high = _mm512_fmadd_pd(_mm512_fmadd_pd(margin, x, d), h, s);

    __m512d q = _mm512_div_pd(rest.step, _mm512_add_pd(low, k->eps)), w = _mm512_loadu_pd(rest.w);
    __mmask8 doubtful = _mm512_cmp_pd_mask(low, high, _CMP_NEQ_UQ);
    __m512d new_w = _mm512_sub_pd(w, q); /* from `high`, q would be nearer to 0, if anything */
    doubtful = _mm512_mask_cmp_pd_mask(doubtful, new_w, _mm512_fnmadd_pd(q, all(NARROWER), w),
                                       _CMP_NEQ_UQ);
    _mm512_storeu_pd(rest.w, new_w);
    if (UNLIKELY(doubtful))
        settle_w(doubtful, rest, w, rates->eps);
}

INLINE size_t update(double *restrict w, const double *restrict g, double *restrict m,
                     double *restrict v, size_t n, const AdamRates *rates, int divide_m) {
    Reciprocal reciprocal1 = reciprocal_of(rates->correction1);
    Reciprocal reciprocal2 = reciprocal_of(rates->correction2);
    Rates k = {
        all(rates->lr),          all(rates->beta1),       all(rates->beta2),
        all(rates->rest1),       all(rates->rest2),       all(rates->eps),
        all(rates->correction1), all(rates->correction2), all(reciprocal1.high),
        all(reciprocal1.low),    all(reciprocal2.high),   all(reciprocal2.low),
    };
    Rest nothing = {w, all(0.0), all(1.0)}, rest = nothing;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m512d grad = _mm512_loadu_pd(g + i), old_m = _mm512_loadu_pd(m + i);
        __m512d old_v = _mm512_loadu_pd(v + i);
        __m512d new_m = _mm512_add_pd(_mm512_mul_pd(k.beta1, old_m), _mm512_mul_pd(k.rest1, grad));
        __m512d square = _mm512_mul_pd(grad, grad);
        __m512d residue = _mm512_fmsub_pd(grad, grad, square);
        __m512d other = _mm512_fmadd_pd(residue, all(SECOND_CANDIDATE), square);
        __m512d decayed = _mm512_mul_pd(k.beta2, old_v);
        __m512d new_v = _mm512_add_pd(decayed, _mm512_mul_pd(k.rest2, square));
        __m512d other_v = _mm512_add_pd(decayed, _mm512_mul_pd(k.rest2, other));

        __mmask8 doubtful = _mm512_cmp_pd_mask(new_v, other_v, _CMP_NEQ_UQ);
        __mmask8 odd_v = outside(bits_of(new_v), MIN_V, MAX_V, 1);
        __m512i twice_m = _mm512_add_epi64(bits_of(new_m), bits_of(new_m)); /* without the sign */
        __mmask8 odd_m = outside(twice_m, MIN_M, MAX_M, 2);
        if (UNLIKELY(doubtful | odd_v | odd_m)) {
            __m512d anything = _mm512_or_pd(_mm512_or_pd(grad, old_m), old_v);
            if (any_bit(anything) == 0)
                continue;
            __mmask8 grad_not_0 = _mm512_cmp_pd_mask(grad, all(0.0), _CMP_NEQ_UQ);
            odd_m &= any_bit(new_m);
            odd_v &= any_bit(new_v) | grad_not_0;
            odd_v |= _mm512_mask_cmp_pd_mask(doubtful, square, all(MAX_SQUARE), _CMP_NLT_UQ);
            if (odd_m | odd_v) {
                size_t done = adam_update_plain(w + i, g + i, m + i, v + i, LANES, rates);
                if (done < LANES) {
                    finish(rest, &k, rates);
                    return i + done;
                }
                continue;
            }
            if (doubtful) {
                double settled[LANES];
                _mm512_storeu_pd(settled, new_v);
                adam_settle_v(doubtful, settled, g + i, v + i, rates);
                new_v = _mm512_loadu_pd(settled);
            }
            _mm512_storeu_pd(v + i, new_v);
            new_v = _mm512_max_pd(new_v, all(ABSORBED_V));
        } else {
            _mm512_storeu_pd(v + i, new_v);
        }
        finish(rest, &k, rates);
        _mm512_storeu_pd(m + i, new_m);
        __m512d m_hat = divide_m ? divide(new_m, k.correction1, k.high1, k.low1) : new_m;
        __m512d v_hat = divide(new_v, k.correction2, k.high2, k.low2);
        rest = (Rest){w + i, _mm512_mul_pd(k.lr, m_hat), v_hat};
    }
    if (n >= LANES)
        finish(rest, &k, rates);
    size_t done = adam_update_plain(w + i, g + i, m + i, v + i, n - i, rates);
    return i + done;
}

TARGET size_t adam_update_avx512(double *restrict w, const double *restrict g, double *restrict m,
                                 double *restrict v, size_t n, const AdamRates *rates) {
    if (rates->correction1 == 1.0)
        return update(w, g, m, v, n, rates, 0);
    return update(w, g, m, v, n, rates, 1);
}
#endif
