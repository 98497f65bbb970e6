/* Adam's update eight parameters at a time; adam_paths.h proves that the bits are pow's.
 *
 * What limits it: 512-bit operations issue on two ports here, one vdivpd occupies the divider for
 * 16 cycles and one vsqrtpd for 24 or more. So one division is left to the divider, those by the
 * corrections are done by Markstein's method (that of m not at all once correction1 has become 1,
 * after 230 steps with the default beta1), the root by Newton's, and a group of eight costs some 45
 * operations. A group's latency is some 120 cycles, more than the processor can look ahead, so four
 * groups are on their way at a time, each in a stage of its own; and a branch on whether w is up to
 * pow would be mispredicted for every twelfth group, with all that has been begun thrown away, so
 * such groups are written down and settled later, first by the other candidate for the root.
 *
 * Measured on a 2.5 GHz Xeon (Cascade Lake), shared: the default run's 4,192 parameters 8.1 us, in
 * its fast hours, against 13.5 with two stages and a branch; 53,000 parameters 124 us, 137 without
 * prefetching; 800,000 of them 2.1 ms against 2.4. Unaligned arrays cost half as much again. Not
 * worth it: gradients handed over matrix by matrix while they are in the cache, and stages that are
 * loops of their own over blocks (8.7 us against 7.9).
 *
 * Root of x. y is 1/sqrt(x) to 2**-14. With s = x*y, h = y/2 and r = 1/2 - s*h, the third-order
 * step s*(1 + r + 1.5 r**2) is sqrt(x) to 2**-40, relatively, h*(1 + r) is 1 / (2 sqrt(x)) to
 * 2**-27, and s + (x - s**2) * h is sqrt(x) to 2**-66. That sum is rounded twice, with MARGIN *
 * 2**-52 of itself taken off or added, which is from 1 to 2 times MARGIN ulp. These are the two
 * candidates; where they are equal, no middle of two doubles is within 0.02 ulp of the root, and
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
#define AT_ONCE 128 /* groups */
#define AHEAD 2048  /* bytes */
#define LOWEST_M (-500)
#define LOWEST_V (-256)
#define MARGIN 0.0205 /* 0.02 and the errors of the sum */
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

typedef struct {
    __m512d lr, beta1, beta2, rest1, rest2, eps, narrower, correction1, correction2;
    __m512d high1, low1, high2, low2; /* the corrections' reciprocals */
} Rates;

/* A group on its way, number `at` its first: step = lr * m_hat, then the root of v_hat. */
typedef struct {
    size_t at;
    __m512d step, v_hat;
} Moments;

typedef struct {
    size_t at;
    __m512d step, x, s, h, r; /* s about the root of x, h about 1 / (2 s), both off by r */
} Guess;

typedef struct {
    size_t at;
    __m512d step, low, high; /* the candidates for the root */
} Root;

/* Groups whose w is up to pow in some lane. Each group is written down after the last, to be
 * overwritten by the next unless it is doubtful: so no branch is mispredicted. */
typedef struct {
    size_t n, at[AT_ONCE + 4];
    double old_w[AT_ONCE + 4][LANES];
} Doubts;

INLINE __m512d all(double x) { return _mm512_set1_pd(x); }

/* What lies AHEAD bytes further, wherever that is. */
INLINE void prefetch(const double *x) {
    _mm_prefetch((const char *)((uintptr_t)x + AHEAD), _MM_HINT_T0);
}

INLINE __m512i bits_of(__m512d x) { return _mm512_castpd_si512(x); }

/* x plus this has the two highest bits 01 for x from 2**low up to 2**(low + 1024). */
INLINE __m512i shift(int low) { return _mm512_set1_epi64((1ll << 62) - ((low + 1023ll) << 52)); }

/* Lanes with v in range and m, but for its sign, too. v's range is half as wide, so that the third
 * highest bit is 0 as well. */
INLINE __mmask8 ordinary(__m512d m, __m512d v) {
    __m512i a = _mm512_add_epi64(bits_of(m), shift(LOWEST_M));
    __m512i b = _mm512_add_epi64(bits_of(v), shift(LOWEST_V));
    __m512i second = _mm512_set1_epi64(1ll << 62);
    /* second ? a & b : ~b, bit by bit */
    __m512i both = _mm512_ternarylogic_epi64(second, a, b, 0x85);
    return _mm512_cmpge_epu64_mask(both, _mm512_set1_epi64((long long)(7ull << 61)));
}

INLINE __mmask8 any_bit(__m512d x) { return _mm512_test_epi64_mask(bits_of(x), bits_of(x)); }

INLINE __m512d divide(__m512d x, __m512d c, __m512d high, __m512d low) {
    __m512d q = _mm512_fmadd_pd(x, high, _mm512_mul_pd(x, low));
    return _mm512_fmadd_pd(_mm512_fnmadd_pd(q, c, x), high, q);
}

INLINE Moments moments_of(size_t at, __m512d m, __m512d v, const Rates *k, int divide_m) {
    __m512d m_hat = divide_m ? divide(m, k->correction1, k->high1, k->low1) : m;
    return (Moments){at, _mm512_mul_pd(k->lr, m_hat), divide(v, k->correction2, k->high2, k->low2)};
}

INLINE Guess guess_of(Moments group) {
    __m512d x = group.v_hat, y = _mm512_rsqrt14_pd(x);
    __m512d s = _mm512_mul_pd(x, y), h = _mm512_mul_pd(y, all(0.5));
    return (Guess){group.at, group.step, x, s, h, _mm512_fnmadd_pd(s, h, all(0.5))};
}

INLINE Root root_of(Guess guess) {
    __m512d x = guess.x, r = guess.r;
    __m512d t = _mm512_mul_pd(r, _mm512_fmadd_pd(r, all(1.5), all(1.0)));
    __m512d s = _mm512_fmadd_pd(guess.s, t, guess.s), h = _mm512_fmadd_pd(guess.h, r, guess.h);
    __m512d d = _mm512_fnmadd_pd(s, s, x);
    __m512d margin = all(2.0 * MARGIN * 0x1p-52); /* twice, as h halves it */
    return (Root){guess.at, guess.step, _mm512_fmadd_pd(_mm512_fnmadd_pd(margin, x, d), h, s),
                  _mm512_fmadd_pd(_mm512_fmadd_pd(margin, x, d), h, s)};
}

INLINE void finish(Root root, double *all_w, const Rates *k, Doubts *doubts) {
    __m512d q = _mm512_div_pd(root.step, _mm512_add_pd(root.low, k->eps));
    __m512d w = _mm512_loadu_pd(all_w + root.at);
    __mmask8 doubtful = _mm512_cmp_pd_mask(root.low, root.high, _CMP_NEQ_UQ);
    __m512d new_w = _mm512_sub_pd(w, q); /* from `high`, q would be nearer to 0, if anything */
    doubtful =
        _mm512_mask_cmp_pd_mask(doubtful, new_w, _mm512_fnmadd_pd(q, k->narrower, w), _CMP_NEQ_UQ);
    _mm512_storeu_pd(all_w + root.at, new_w);
    doubts->at[doubts->n] = root.at;
    _mm512_storeu_pd(doubts->old_w[doubts->n], w);
    doubts->n += doubtful != 0;
}

/* Asks pow where the other root leads to another w. w is updated; step and v_hat come again from m
 * and v. Lanes are listed first, so that no branch is mispredicted here either. */
TARGET static __attribute__((noinline)) void settle_w(Doubts *doubts, double *w, const double *m,
                                                      const double *v, const Rates *k) {
    double old_w[(AT_ONCE + 5) * LANES], step[(AT_ONCE + 5) * LANES], v_hat[(AT_ONCE + 5) * LANES];
    long long lane_at[(AT_ONCE + 5) * LANES];
    size_t n = 0;
    for (size_t i = 0; i < doubts->n; i++) {
        size_t at = doubts->at[i];
        __m512d new_m = _mm512_loadu_pd(m + at), old = _mm512_loadu_pd(doubts->old_w[i]);
        __m512d new_v = _mm512_max_pd(_mm512_loadu_pd(v + at), all(ABSORBED_V));
        Moments group = moments_of(at, new_m, new_v, k, 1);
        __m512d divisor = _mm512_add_pd(root_of(guess_of(group)).high, k->eps);
        __m512d other = _mm512_sub_pd(old, _mm512_div_pd(group.step, divisor));
        __mmask8 doubtful = _mm512_cmp_pd_mask(_mm512_loadu_pd(w + at), other, _CMP_NEQ_UQ);
        __m512i index = _mm512_add_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0),
                                         _mm512_set1_epi64((long long)at));
        _mm512_storeu_pd(old_w + n, _mm512_maskz_compress_pd(doubtful, old));
        _mm512_storeu_pd(step + n, _mm512_maskz_compress_pd(doubtful, group.step));
        _mm512_storeu_pd(v_hat + n, _mm512_maskz_compress_pd(doubtful, group.v_hat));
        _mm512_storeu_si512(lane_at + n, _mm512_maskz_compress_epi64(doubtful, index));
        n += (size_t)__builtin_popcount(doubtful);
    }
    for (size_t i = 0; i < n; i++)
        adam_settle_w(1, w + lane_at[i], old_w + i, step + i, v_hat + i, _mm512_cvtsd_f64(k->eps));
    doubts->n = 0;
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
    const Moments none = {0, all(0.0), all(1.0)};
    Moments moments = none;
    Guess guess = guess_of(none);
    Root root = root_of(guess);
    Doubts doubts;
    doubts.n = 0;
    size_t i = 0, done = LANES;
    for (; i + LANES <= n; i += LANES) {
        if (UNLIKELY(doubts.n >= AT_ONCE))
            settle_w(&doubts, w, m, v, &k);
        prefetch(g + i);
        prefetch(m + i);
        prefetch(v + i);
        prefetch(w + i);
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
        if (UNLIKELY(doubtful | (__mmask8)~ordinary(new_m, new_v))) {
            __m512d anything = _mm512_or_pd(_mm512_or_pd(grad, old_m), old_v);
            if (any_bit(anything) == 0)
                continue;
            __mmask8 grad_not_0 = _mm512_cmp_pd_mask(grad, all(0.0), _CMP_NEQ_UQ);
            __mmask8 odd_m = any_bit(new_m) & (__mmask8)~ordinary(new_m, all(1.0));
            __mmask8 odd_v = (any_bit(new_v) | grad_not_0) & (__mmask8)~ordinary(all(1.0), new_v);
            odd_v |= _mm512_mask_cmp_pd_mask(doubtful, square, all(MAX_SQUARE), _CMP_NLT_UQ);
            if (odd_m | odd_v) {
                done = adam_update_plain(w + i, g + i, m + i, v + i, LANES, rates);
                if (done < LANES)
                    break;
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
        _mm512_storeu_pd(m + i, new_m);
        finish(root, w, &k, &doubts);
        root = root_of(guess);
        guess = guess_of(moments);
        moments = moments_of(i, new_m, new_v, &k, divide_m);
    }
    if (n >= LANES) {
        finish(root, w, &k, &doubts);
        finish(root_of(guess), w, &k, &doubts);
        finish(root_of(guess_of(moments)), w, &k, &doubts);
        settle_w(&doubts, w, m, v, &k);
    }
    if (done < LANES)
        return i + done;
    return i + adam_update_plain(w + i, g + i, m + i, v + i, n - i, rates);
}

TARGET size_t adam_update_avx512(double *restrict w, const double *restrict g, double *restrict m,
                                 double *restrict v, size_t n, const AdamRates *rates) {
    if (rates->correction1 == 1.0)
        return update(w, g, m, v, n, rates, 0);
    return update(w, g, m, v, n, rates, 1);
}
#endif
