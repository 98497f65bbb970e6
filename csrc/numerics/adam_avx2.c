/* Adam's update four parameters at a time; adam_paths.h proves that the bits are pow's.
 *
 * One vsqrtpd and one vdivpd a group are what it costs; all else fits beside them. The loop
 * finishes one group while it starts the next, as in adam_avx512.c.
 *
 * Root. r = fl(sqrt(x)) is the nearest double, d = x - r*r is exact, and the root is r + d / (2r)
 * less a term below r * 2**-106. Where |d| <= 2r * 0.48 ulp(r), pow gives r; ulp(r) is r's power
 * of two times 2**-52. At r = 2**k the spacing below is half that, but no root is just below and
 * rounds to it: the largest x below 4**k has the root 2**k * (1 - 2**-54 - ..), which rounds down.
 */
#include "adam_paths.h"
#include "vector_unit.h"

#if HAVE_X86_PATHS
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define LANES 4
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

typedef struct {
    __m256d lr, beta1, beta2, rest1, rest2, eps, narrower, correction1, correction2;
    __m256d high1, low1, high2, low2; /* the corrections' reciprocals */
} Rates;

/* A group whose w is still to come: step = lr * m_hat. */
typedef struct {
    double *w;
    __m256d step, v_hat;
} Rest;

INLINE __m256d all(double x) { return _mm256_set1_pd(x); }

/* NaN is outside, too. */
INLINE __m256d outside(__m256d x, double low, double high) {
    return _mm256_or_pd(_mm256_cmp_pd(x, all(low), _CMP_NGE_UQ),
                        _mm256_cmp_pd(x, all(high), _CMP_NLE_UQ));
}

INLINE __m256d any_bit(__m256d x) {
    __m256i none = _mm256_cmpeq_epi64(_mm256_castpd_si256(x), _mm256_setzero_si256());
    return _mm256_xor_pd(_mm256_castsi256_pd(none), _mm256_castsi256_pd(_mm256_set1_epi64x(-1)));
}

INLINE __m256d divide(__m256d x, __m256d c, __m256d high, __m256d low) {
    __m256d q = _mm256_fmadd_pd(x, high, _mm256_mul_pd(x, low));
    return _mm256_fmadd_pd(_mm256_fnmadd_pd(q, c, x), high, q);
}

TARGET static __attribute__((noinline)) void settle_w(unsigned doubtful, Rest rest, __m256d old_w,
                                                      double eps) {
    double old[LANES], step[LANES], v_hat[LANES];
    _mm256_storeu_pd(old, old_w);
    _mm256_storeu_pd(step, rest.step);
    _mm256_storeu_pd(v_hat, rest.v_hat);
    adam_settle_w(doubtful, rest.w, old, step, v_hat, eps);
}

INLINE void finish(Rest rest, const Rates *k, const AdamRates *rates) {
    __m256d x = rest.v_hat, r = _mm256_sqrt_pd(x), d = _mm256_fnmadd_pd(r, r, x);
    __m256d power_of_2 = _mm256_and_pd(r, all(INFINITY));
    __m256d limit = _mm256_mul_pd(power_of_2, _mm256_mul_pd(r, all(2.0 * 0.48 * 0x1p-52)));
    __m256d doubtful = _mm256_cmp_pd(_mm256_andnot_pd(all(-0.0), d), limit, _CMP_NLE_UQ);

    __m256d q = _mm256_div_pd(rest.step, _mm256_add_pd(r, k->eps)), w = _mm256_loadu_pd(rest.w);
    __m256d differ = _mm256_cmp_pd(_mm256_fnmadd_pd(q, all(WIDER), w),
                                   _mm256_fnmadd_pd(q, k->narrower, w), _CMP_NEQ_UQ);
    _mm256_storeu_pd(rest.w, _mm256_sub_pd(w, q));
    unsigned mask = (unsigned)_mm256_movemask_pd(_mm256_and_pd(doubtful, differ));
    if (UNLIKELY(mask))
        settle_w(mask, rest, w, rates->eps);
}

INLINE size_t update(double *restrict w, const double *restrict g, double *restrict m,
                     double *restrict v, size_t n, const AdamRates *rates, int divide_m) {
    Reciprocal reciprocal1 = reciprocal_of(rates->correction1);
    Reciprocal reciprocal2 = reciprocal_of(rates->correction2);
    Rates k = {
        all(rates->lr),
        all(rates->beta1),
        all(rates->beta2),
        all(rates->rest1),
        all(rates->rest2),
        all(rates->eps),
        all(narrower_of(rates->eps)),
        all(rates->correction1),
        all(rates->correction2),
        all(reciprocal1.high),
        all(reciprocal1.low),
        all(reciprocal2.high),
        all(reciprocal2.low),
    };
    Rest rest = {w, all(0.0), all(1.0)};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256d grad = _mm256_loadu_pd(g + i), old_m = _mm256_loadu_pd(m + i);
        __m256d old_v = _mm256_loadu_pd(v + i);
        __m256d new_m = _mm256_add_pd(_mm256_mul_pd(k.beta1, old_m), _mm256_mul_pd(k.rest1, grad));
        __m256d square = _mm256_mul_pd(grad, grad);
        __m256d residue = _mm256_fmsub_pd(grad, grad, square);
        __m256d other = _mm256_fmadd_pd(residue, all(SECOND_CANDIDATE), square);
        __m256d decayed = _mm256_mul_pd(k.beta2, old_v);
        __m256d new_v = _mm256_add_pd(decayed, _mm256_mul_pd(k.rest2, square));
        __m256d other_v = _mm256_add_pd(decayed, _mm256_mul_pd(k.rest2, other));

        __m256d doubtful = _mm256_cmp_pd(new_v, other_v, _CMP_NEQ_UQ);
        __m256d odd_v = outside(new_v, MIN_V, MAX_V);
        __m256d odd_m = outside(_mm256_andnot_pd(all(-0.0), new_m), MIN_M, MAX_M);
        if (UNLIKELY(_mm256_movemask_pd(_mm256_or_pd(_mm256_or_pd(doubtful, odd_v), odd_m)))) {
            __m256d anything = any_bit(_mm256_or_pd(_mm256_or_pd(grad, old_m), old_v));
            if (_mm256_movemask_pd(anything) == 0)
                continue;
            __m256d grad_not_0 = _mm256_cmp_pd(grad, all(0.0), _CMP_NEQ_UQ);
            __m256d huge = _mm256_cmp_pd(square, all(MAX_SQUARE), _CMP_NLT_UQ);
            odd_m = _mm256_and_pd(odd_m, any_bit(new_m));
            odd_v = _mm256_and_pd(odd_v, _mm256_or_pd(any_bit(new_v), grad_not_0));
            odd_v = _mm256_or_pd(odd_v, _mm256_and_pd(doubtful, huge));
            if (_mm256_movemask_pd(_mm256_or_pd(odd_m, odd_v))) {
                size_t done = adam_update_plain(w + i, g + i, m + i, v + i, LANES, rates);
                if (done < LANES) {
                    finish(rest, &k, rates);
                    return i + done;
                }
                continue;
            }
            unsigned mask = (unsigned)_mm256_movemask_pd(doubtful);
            if (mask) {
                double settled[LANES];
                _mm256_storeu_pd(settled, new_v);
                adam_settle_v(mask, settled, g + i, v + i, rates);
                new_v = _mm256_loadu_pd(settled);
            }
            _mm256_storeu_pd(v + i, new_v);
            new_v = _mm256_max_pd(new_v, all(ABSORBED_V));
        } else {
            _mm256_storeu_pd(v + i, new_v);
        }
        finish(rest, &k, rates);
        _mm256_storeu_pd(m + i, new_m);
        __m256d m_hat = divide_m ? divide(new_m, k.correction1, k.high1, k.low1) : new_m;
        __m256d v_hat = divide(new_v, k.correction2, k.high2, k.low2);
        rest = (Rest){w + i, _mm256_mul_pd(k.lr, m_hat), v_hat};
    }
    if (n >= LANES)
        finish(rest, &k, rates);
    size_t done = adam_update_plain(w + i, g + i, m + i, v + i, n - i, rates);
    return i + done;
}

TARGET size_t adam_update_avx2(double *restrict w, const double *restrict g, double *restrict m,
                               double *restrict v, size_t n, const AdamRates *rates) {
    if (rates->correction1 == 1.0)
        return update(w, g, m, v, n, rates, 0);
    return update(w, g, m, v, n, rates, 1);
}
#endif
