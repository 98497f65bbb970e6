/* Adam's update of eight parameters at a time, for both of x86's vector units: what limits it, why
 * the bits are pow's, the code.
 *
 * The file that includes this sets WIDTH and ADAM_UPDATE, the name of the function. The one part
 * that differs by WIDTH is how a root is found. What is rare goes to adam_update_plain.
 *
 * What limits it. 512-bit operations issue on two ports at most, one vdivpd occupies the divider
 * for 16 cycles and one vsqrtpd for 24 or more. So one division is left to the divider. Those by
 * the corrections are done by Markstein's method; that of m is not done at all once correction1 has
 * become 1, after 230 steps with the default beta1. In AVX-512 the root is Newton's, and a group of
 * eight costs some 45 operations. In AVX2 one vsqrtpd and one vdivpd for each four are what it
 * costs; all else fits beside them.
 *     A group's latency is some 120 cycles, more than the processor can look ahead. So four groups
 * are on their way at a time, each in a stage of its own: Corrected, Guess, Roots, finish. A
 * branch on whether w is up to pow would be mispredicted for every twelfth group, with all that has
 * been begun thrown away. So such groups are written down and settled later, first by the other
 * candidate for the root.
 *
 * Measured on a 2.5 GHz Xeon (Cascade Lake), shared, AVX-512: the default run's 4,192 parameters
 * 8.1 us, in its fast hours, against 13.5 with two stages and a branch; 53,000 parameters 124 us,
 * 137 without prefetching; 800,000 of them 2.1 ms against 2.4. Unaligned arrays cost half as much
 * again. In AVX2, on an EPYC (Zen 4), 4,192 parameters 6.7 us against 7.3 with two stages and a
 * branch. Not worth it: gradients handed over matrix by matrix while they are in the cache, and
 * stages that are loops of their own over blocks (8.7 us against 7.9).
 *
 * The proofs. libm_margins.h has the model of pow, and says what candidates are. fl(x) is x
 * rounded.
 *
 * Square. s = fl(g*g), and e = g*g - s exactly, by one fused multiply-add. Let u be the distance
 * from s to its neighbour on e's side, and K = 0.5 / (0.5 - POW_MARGIN). The other candidate is
 * s2 = fl(s + K*e). If |e| < (0.5 - POW_MARGIN) u, then it is s itself. If |e| is more, up to the
 * u / 2 that it can be, then K*e is more than u / 2 and less than u, and s2 is the neighbour. This
 * holds at powers of two as well, as u is the ulp of g*g. So pow(g, 2.0) is s or s2, and if v comes
 * out the same from both, pow is not asked.
 *     e is exact for |g| >= 2**-450. Below, g*g and both candidates are under 2**-899, and
 * rest2 <= 2**60 times that under 2**-838. If the new v is at least 2**ABSORBING_V, beta2*v is as
 * well, to within that, and adding so little to it gives beta2*v itself, for s, s2 and pow alike. If
 * s or s2 is infinite, v is out of range; if only s2 is, the two outcomes differ.
 *
 * Step. Let r be the smaller candidate for the root, and R the larger, its neighbour or r itself.
 * The step q = fl(lr*m_hat / d) comes from d = fl(r + eps), and Q from D = fl(R + eps). Q is not
 * larger than q in magnitude. It is not smaller than q * (1 - c * 2**-52), where `narrower_of` says
 * how c follows from eps. Rounding is monotonic: if w - q and w - q*(1 - c * 2**-52) round to the
 * same double, then so does w - Q, and pow is not asked.
 *
 * Range. Lanes go on as they are if their new v is from 2**LOWEST_V up to 2**-LOWEST_V, and their
 * new m, but for its sign, from 2**LOWEST_M up to 2**524. With the bounds on the rates
 * (adam_update.c) nothing above overflows or becomes subnormal then: q is below
 * 2**(524 + 60 + 60 + 300), and v / correction2, of which the root is taken, is from 2**-316 to
 * 2**316. The root is from 2**-158 to 2**158, and NEAR_POW_MARGIN is pow's. A group of lanes where
 * g, m and v are all +0, such as the embedding of a token not yet seen, is left alone: m and v stay
 * +0, q is +0 because neither lr nor eps is negative, and w - 0 is w, also for w = -0.
 *
 * Faint moments. A weight without gradients keeps its place, while m and v decay: m by 0.85 a step,
 * so that after 2,100 steps it is below 2**LOWEST_M, and after 4,400 subnormal. Long runs are full
 * of them, one lane here and two there: rare tokens, late positions, hidden units that have died.
 * So these lanes go on, too, if three things hold. New moments are exact in any case, as the
 * processor rounds subnormal numbers as Python does; only m for the step and v for the root are
 * replaced.
 *     Step: |m| < 2**LOWEST_M, and |w| >= least_w, which is 2**60 times the largest |q| that such an
 * m can lead to, where d >= eps. Then |q| is less than half the distance from w to its neighbours,
 * w - q is w, and +0 for m gives that. (w = 0 is less than least_w: -0 - -0 would be +0.) With
 * m = +0 itself w may be anything.
 *     Root: v < 2**LOWEST_V, and eps >= 2**LEAST_EPS. The root is less than 2**(LOWEST_V/2 + 31),
 * which is less than half the distance from eps to its neighbours. The root of any other such v
 * leads to the same d, that of ABSORBED_V, say, which stands for v = 0 and subnormal v. For v = 0
 * from g = 0, eps >= 2**-300 is enough, as ABSORBED_V itself has the root 2**-450.
 *     Square: if |g| is less than 2**-450, but not 0, and v not so large that it absorbs the square,
 * pow is asked. For g = 0 the square is 0; pow says so, too.
 * What else is out of range, such as NaN and infinities, is for the plain path.
 *
 * Division by the invariant c (Markstein 1990). Let z = fl(1/c) and z2 = fl(1/c - z).
 * q0 = fl(x*z + fl(x*z2)) rounds a value within 2**-104 of x/c, relatively, thus q0 is one of the
 * doubles around x/c. Then t = x - q0*c is exact, being a multiple of ulp(q0)*ulp(c) and less than
 * 2**53 of it, and q = fl(q0 + t*z) is the double nearest to x/c:
 *     scale c to [1, 2), so that |z - 1/c| <= ulp(z)/2 = 2**-54 (for c = 1 it is 0). x/c is never
 * the middle h of two doubles, and q can be wrong only if such an h lies between x/c and q0 + t*z.
 * With u the spacing of doubles on that side of q0, h = q0 +- u/2, and x - h*c is a multiple of
 * u*ulp(c)/2, say the k-th one, k > 0. So x/c is k*u*2**-53/c away from h, and q0 + t*z is
 * |t| * 2**-54 at most away from x/c, where |t| = c * |x/c - q0| <= c*u/2 + k*u*2**-53. That this
 * is less comes down to c**2 + k*c*2**-52 < 4*k, which c <= 2 - 2**-52 meets for every k >= 1.
 */
#include <assert.h>
#include <math.h>

#include "adam_notes.h"
#include "adam_update.h"
#include "lanes_x86-inl.h"
#include "libm_margins.h"

#define AHEAD (2048 / sizeof(double)) /* where the next numbers are fetched */
#define AT_ONCE 128                   /* doubtful groups are settled at a time; */
#define MOST_DOUBTS (AT_ONCE + 3)     /* three more are on their way when the loop ends */
#define LOWEST_M FAINT_M
#define LOWEST_V (-256)
#define ABSORBING_V (-780) /* adding a square below 2**-838 does not change it */
#define LEAST_EPS (-40)    /* a root below 2**(LOWEST_V/2 + 31) does not change it */
#define LOWEST_SQUARED (-450)
#define ABSORBED_V 0x1p-900
#define MAX_SQUARE 0x1p+900 /* pow does not overflow below */
#define SECOND_CANDIDATE (0.5 / (0.5 - POW_MARGIN))

/* What is divided by again and again: c, and 1/c as the sum of two doubles. */
typedef struct {
    Lanes c, high, low;
} Divisor;

typedef struct {
    Lanes lr, beta1, beta2, rest1, rest2, eps, narrower, least_w;
    Divisor correction1, correction2;
} Rates;

_Static_assert(LOWEST_V / 2 + 31 < LEAST_EPS - 53, "eps absorbs the root of a faint v");

INLINE Divisor divisor_of(double c) {
    double high = 1.0 / c;
    return (Divisor){splat(c), splat(high), splat(fma(-high, c, 1.0) / c)};
}

INLINE Lanes divide(Lanes x, Divisor by) {
    Lanes q = mul_add(x, by.high, mul(x, by.low));
    return mul_add(neg_mul_add(q, by.c, x), by.high, q);
}

/* 1 - c * 2**-52 of the proof above.
 *
 * r + eps and R + eps are at most one ulp apart. So D is d, or the next double, or, if both sums
 * are middles of two doubles, the next but one: the even neighbour may be below the one and above
 * the other. For the next double, D/d <= 1 + 2**-52. The roundings of the two quotients make that
 * 1 + 2.01 * 2**-52, and c = 2.5 is enough.
 *     For the next but one, let eps = M * 2**j with M odd. Both sums are middles only if R - r is
 * the ulp of the sums, and eps an odd multiple of half of it. So it is 2 * 2**j, and
 * r >= 2**53 * 2**j. D is twice that ulp above d = r + eps - 2**j, and
 * D/d <= 1 + 4 / (2**53 + M - 1). That is 1 + 2 * 2**-52 at most, and c = 3.5 is always enough. If
 * it is 1 + 1.5 * 2**-52 at most, c = 2.5 still is: if 3 * (M - 1) >= 2**53, as for the default eps
 * of 1e-8. The larger c costs more doubts. */
INLINE double narrower_of(double eps) {
    uint64_t mantissa;
    memcpy(&mantissa, &eps, sizeof eps);
    mantissa = (mantissa & 0x000fffffffffffff) | 0x0010000000000000;
    const uint64_t lowest = mantissa & -mantissa; /* bit: M = mantissa / lowest */
    const int close = lowest <= 2 && 3 * (mantissa - lowest) >= lowest << 53;
    return close ? 1.0 - 2.5 * 0x1p-52 : 1.0 - 3.5 * 0x1p-52;
}

INLINE Rates rates_of(const AdamRates *r) {
    return (Rates){
        .lr = splat(r->lr),
        .beta1 = splat(r->beta1),
        .beta2 = splat(r->beta2),
        .rest1 = splat(r->rest1),
        .rest2 = splat(r->rest2),
        .eps = splat(r->eps),
        .narrower = splat(narrower_of(r->eps)),
        .least_w = splat(adam_least_weight(r)),
        .correction1 = divisor_of(r->correction1),
        .correction2 = divisor_of(r->correction2),
    };
}

/* ---- moments ---- */

/* The new moments of a group. other_v is v from the square's other candidate. */
typedef struct {
    Lanes square, m, v, other_v;
} Moments;

/* beta * moments, where some are subnormal: decayed() of adam_update.c, but a fused multiply-add
 * rounds |beta| * k to an integer at once, beside 2**52. 0 is no exception. */
INLINE Lanes decayed(Lanes beta, Lanes moments) {
    const Lanes unit = splat(0x1p52);
    Mask subnormal = no_exponent(moments);
    Bits number = bits_of(moments), sign = bits_of(beta), one = bits_of(unit);
    EACH_PART {
        sign.part[i] = (sign.part[i] ^ number.part[i]) & 1ull << 63;
        number.part[i] = (number.part[i] & ~(1ull << 63)) | one.part[i];
    }
    Bits product = bits_of(mul_add(magnitude(beta), sub(doubles_of(number), unit), unit));
    EACH_PART product.part[i] = (product.part[i] - one.part[i]) | sign.part[i];
    return select(subnormal, doubles_of(product), mul(beta, zero_where(subnormal, moments)));
}

/* Where m is subnormal or 0, v may be, too, and hardly anywhere else. */
INLINE Moments moments_of(Lanes g, Lanes m, Lanes v, const Rates *k) {
    Lanes decayed_m, decayed_v;
    if (UNLIKELY(any(no_exponent(m)))) {
        decayed_m = decayed(k->beta1, m);
        decayed_v = decayed(k->beta2, v);
    } else {
        decayed_m = mul(k->beta1, m);
        decayed_v = mul(k->beta2, v);
    }
    Lanes square = mul(g, g), residue = mul_sub(g, g, square);
    Lanes other = mul_add(residue, splat(SECOND_CANDIDATE), square);
    return (Moments){
        .square = square,
        .m = add(decayed_m, mul(k->rest1, g)),
        .v = add(decayed_v, mul(k->rest2, square)),
        .other_v = add(decayed_v, mul(k->rest2, other)),
    };
}

/* Lanes with v not from 2**LOWEST_V up to 2**-LOWEST_V, or m, but for its sign, not from
 * 2**LOWEST_M up to 2**(LOWEST_M + 1024). NaN is outside.
 *
 * Bits are taken as integers. To those of m is added what makes 2**62 of those of 2**LOWEST_M. Then
 * the second highest bit is 1 in the range and 0 outside; the sign only shows in the highest bit.
 * The range of v is half as wide. To its bits is added what makes 3 * 2**61 of those of
 * 2**LOWEST_V. Then the sum is one of the 2**61 largest signed integers in the range, and less
 * outside. It also becomes less if its second highest bit is cleared, which is done where m's
 * is 0. */
INLINE Mask outside(Lanes m, Lanes v) {
    const uint64_t lowest_m = (uint64_t)(1023 + LOWEST_M) << 52;
    const uint64_t lowest_v = (uint64_t)(1023 + LOWEST_V) << 52;
    const uint64_t second = 1ull << 62, third = 1ull << 61;
    Bits a = bits_of(m), b = bits_of(v);
    EACH_PART {
        a.part[i] += second - lowest_m;
        b.part[i] += second + third - lowest_v;
        b.part[i] &= a.part[i] | ~second;
    }
    return less(b, 3ll << 61);
}

INLINE Mask plus_0(Lanes a) { return no_bits(bits_of(a)); }

/* Whether |a| < 2**exponent, or NaN. */
INLINE Mask below_power(Lanes a, int exponent) {
    return beyond(splat(ldexp(1.0, exponent)), magnitude(a));
}

/* Whether |a| > 2**exponent, or NaN. */
INLINE Mask beyond_power(Lanes a, int exponent) {
    return beyond(magnitude(a), splat(ldexp(1.0, exponent)));
}

/* Lanes that only the plain path can take. */
INLINE Mask strange(Moments new, Lanes w, const Rates *k) {
    Mask large = either(beyond_power(new.m, LOWEST_M + 1023), beyond_power(new.v, -LOWEST_V - 1));
    Mask overflowing = both(unequal(new.v, new.other_v), beyond(new.square, splat(MAX_SQUARE)));
    Mask negative_v = beyond(splat(0.0), new.v);
    Mask m = without(below_power(new.m, LOWEST_M), plus_0(new.m));
    Mask v = without(below_power(new.v, LOWEST_V), plus_0(new.v));
    Mask moved = both(m, beyond(k->least_w, magnitude(w)));
    Mask rooted = both(v, beyond(splat(ldexp(1.0, LEAST_EPS)), k->eps));
    return either(either(either(large, overflowing), negative_v), either(moved, rooted));
}

/* Lanes whose new v depends on a square that `moments_of` has not found. */
INLINE Mask unsquared(Lanes g, Lanes new_v) {
    Mask faint = both(below_power(g, LOWEST_SQUARED), below_power(new_v, ABSORBING_V));
    return both(faint, unequal(g, splat(0.0)));
}

/* Puts pow's square into the new v of the doubtful lanes. On arrays and out of line: with a vector
 * as its result, the loop below takes 8 % longer in AVX2. */
static NOINLINE void settle_v(unsigned doubtful, double *new_v, const double *g, const double *v,
                              const AdamRates *rates, Calls *calls) {
    for (size_t i = 0; i < LANES; i++)
        if (doubtful >> i & 1) {
            const double square = pow(fabs(g[i]), 2.0), decayed_v = rates->beta2 * v[i];
            new_v[i] = decayed_v + rates->rest2 * square;
            if (UNLIKELY(calls != NULL))
                note_square(calls, g[i], square, decayed_v, rates->rest2);
        }
}

/* ---- roots ---- */

/* The stages of a group on its way: Corrected, Guess, Roots. `at` is the number of its first
 * parameter, and step is lr * m_hat. */
typedef struct {
    size_t at;
    Lanes step, v_hat;
} Corrected;

typedef struct {
    size_t at;
    Lanes step, low, high; /* the candidates for the root */
} Roots;

INLINE Corrected corrected(size_t at, Lanes m, Lanes v, const Rates *k, int divide_m) {
    Lanes m_hat = divide_m ? divide(m, k->correction1) : m;
    return (Corrected){at, mul(k->lr, m_hat), divide(v, k->correction2)};
}

#if WIDTH == 8

/* By Newton's method. y is 1/sqrt(x) to 2**-14. With s = x*y, h = y/2 and r = 1/2 - s*h, the
 * third-order step s*(1 + r + 1.5 r**2) is sqrt(x) to 2**-40, relatively, h*(1 + r) is
 * 1 / (2 sqrt(x)) to 2**-27, and s + (x - s**2) * h is sqrt(x) to 2**-66. That sum is rounded
 * twice, with MARGIN * 2**-52 of itself taken off or added, which is from 1 to 2 times MARGIN ulp.
 * These are the two candidates: MARGIN is NEAR_POW_MARGIN and more than the errors of the sum. */
#define MARGIN (NEAR_POW_MARGIN + 0.0005)

typedef struct {
    size_t at;
    Lanes step, x, s, h, r; /* s about the root of x, h about 1 / (2 s), both off by r */
} Guess;

INLINE Guess guess_of(Corrected group) {
    Lanes x = group.v_hat, y = {{_mm512_rsqrt14_pd(x.part[0])}};
    Lanes s = mul(x, y), h = mul(y, splat(0.5));
    return (Guess){group.at, group.step, x, s, h, neg_mul_add(s, h, splat(0.5))};
}

INLINE Roots roots_of(Guess guess) {
    Lanes x = guess.x, r = guess.r;
    Lanes t = mul(r, mul_add(r, splat(1.5), splat(1.0)));
    Lanes s = mul_add(guess.s, t, guess.s), h = mul_add(guess.h, r, guess.h);
    Lanes d = neg_mul_add(s, s, x);
    Lanes margin = splat(2.0 * MARGIN * 0x1p-52); /* twice, as h halves it */
    return (Roots){guess.at, guess.step, mul_add(neg_mul_add(margin, x, d), h, s),
                   mul_add(mul_add(margin, x, d), h, s)};
}

#else

/* By the processor. r = fl(sqrt(x)) is the nearest double, d = x - r*r is exact, and the root is
 * r + d / (2r) less a term below r * 2**-106. If |d| <= 2r * (0.5 - NEAR_POW_MARGIN) ulp(r), pow
 * gives r, where ulp(r) is r's power of two times 2**-52. Else the neighbour on d's side is the
 * other candidate. At r = 2**k the spacing below is half ulp(r), but no root is just below and
 * rounds to r: the largest x below 4**k has the root 2**k * (1 - 2**-54 - ..), which rounds
 * down. */
typedef struct {
    size_t at;
    Lanes step, x, r;
} Guess;

INLINE Guess guess_of(Corrected group) {
    return (Guess){group.at, group.step, group.v_hat, square_root(group.v_hat)};
}

INLINE Roots roots_of(Guess guess) {
    Lanes r = guess.r, d = neg_mul_add(r, r, guess.x);
    Lanes limit = mul(power_of_2_in(r), mul(r, splat(2.0 * (0.5 - NEAR_POW_MARGIN) * 0x1p-52)));
    Mask below = beyond(negative(limit), d), above = beyond(d, limit);
    Bits low = bits_of(r), high = low;
    EACH_PART {
        low.part[i] += (ubits)below.part[i]; /* -1, so the next smaller double */
        high.part[i] -= (ubits)above.part[i];
    }
    return (Roots){guess.at, guess.step, doubles_of(low), doubles_of(high)};
}

#endif

/* ---- weights ---- */

/* Groups whose w is up to pow in some lane. Each group is written down after the last, to be
 * overwritten by the next unless it is doubtful: so no branch is mispredicted. */
typedef struct {
    Lanes old_w[MOST_DOUBTS];
    size_t at[MOST_DOUBTS], n;
} Doubts;

/* The last stage: w from the smaller root; in doubts if the larger might lead to another. */
INLINE void finish(Roots roots, double *all_w, const Rates *k, Doubts *doubts) {
    Lanes w = load_anywhere(all_w + roots.at);
    Lanes q = quotient(roots.step, add(roots.low, k->eps));
    Lanes new_w = sub(w, q), other = neg_mul_add(q, k->narrower, w);
    Mask doubtful = both(unequal(roots.low, roots.high), unequal(new_w, other));
    store_anywhere(all_w + roots.at, new_w);
    assert(doubts->n < MOST_DOUBTS);
    doubts->old_w[doubts->n] = w;
    doubts->at[doubts->n] = roots.at;
    doubts->n += (size_t)any(doubtful);
}

/* Asks pow where the other root leads to another w. w is updated; step and v_hat come again from m
 * and v. Lanes are listed first, so that no branch is mispredicted here either. */
static NOINLINE void settle_w(Doubts *doubts, double *w, const double *m, const double *v,
                              const Rates *k, double eps, Calls *calls) {
    enum { MOST = MOST_DOUBTS * LANES };
    double old_w[MOST], step[MOST], v_hat[MOST];
    int64_t at[MOST];
    size_t n = 0;
    assert(doubts->n <= MOST_DOUBTS);
    for (size_t i = 0; i < doubts->n; i++) {
        const size_t first = doubts->at[i];
        Lanes old = doubts->old_w[i], new_m = load_anywhere(m + first);
        Lanes new_v = larger(load_anywhere(v + first), splat(ABSORBED_V));
        Corrected group = corrected(first, new_m, new_v, k, 1);
        Lanes divisor = add(roots_of(guess_of(group)).high, k->eps);
        Lanes other = sub(old, quotient(group.step, divisor));
        unsigned doubtful = lanes_in(unequal(load_anywhere(w + first), other));
        list_numbers(old_w + n, doubtful, old);
        list_numbers(step + n, doubtful, group.step);
        list_numbers(v_hat + n, doubtful, group.v_hat);
        list_places(at + n, doubtful, first);
        n += number_of(doubtful);
    }
    for (size_t i = 0; i < n; i++) {
        const double root = pow(v_hat[i], 0.5);
        if (UNLIKELY(calls != NULL))
            note_root(calls, v_hat[i], root, old_w[i], step[i], eps);
        w[at[i]] = old_w[i] - step[i] / (root + eps);
    }
    doubts->n = 0;
}

/* adam_update with a divide_m that the compiler knows. */
INLINE size_t update(double *restrict w, const double *restrict g, double *restrict m,
                     double *restrict v, size_t n, const AdamRates *rates, Calls *calls,
                     int divide_m) {
    const Rates k = rates_of(rates);
    const Corrected none = {0, splat(0.0), splat(1.0)}; /* leaves w as it is */
    Corrected group = none;
    Guess guess = guess_of(none);
    Roots roots = roots_of(guess);
    Doubts doubts;
    doubts.n = 0;
    size_t i = 0, done = LANES;
    for (; i + LANES <= n; i += LANES) {
        if (UNLIKELY(doubts.n >= AT_ONCE))
            settle_w(&doubts, w, m, v, &k, rates->eps, calls);
        prefetch(g + i, AHEAD);
        prefetch(m + i, AHEAD);
        prefetch(v + i, AHEAD);
        prefetch(w + i, AHEAD);
        Lanes grad = load_anywhere(g + i), old_m = load_anywhere(m + i);
        Lanes old_v = load_anywhere(v + i);
        Moments new = moments_of(grad, old_m, old_v, &k);
        Lanes step_m = new.m, root_v = new.v;
        Mask doubtful = unequal(new.v, new.other_v);
        if (UNLIKELY(any(either(doubtful, outside(new.m, new.v))))) {
            if (lanes_in(both(both(plus_0(grad), plus_0(old_m)), plus_0(old_v))) == ALL_LANES)
                continue;
            if (any(strange(new, load_anywhere(w + i), &k))) {
                done = adam_update_plain(w + i, g + i, m + i, v + i, LANES, rates, calls);
                if (done < LANES)
                    break;
                continue;
            }
            doubtful = either(doubtful, unsquared(grad, new.v));
            if (any(doubtful)) {
                double settled[LANES];
                store_anywhere(settled, new.v);
                settle_v(lanes_in(doubtful), settled, g + i, v + i, rates, calls);
                new.v = load_anywhere(settled);
            }
            step_m = zero_where(below_power(new.m, LOWEST_M), new.m);
            root_v = larger(new.v, splat(ABSORBED_V));
        }
        store_anywhere(v + i, new.v);
        store_anywhere(m + i, new.m);
        finish(roots, w, &k, &doubts);
        roots = roots_of(guess);
        guess = guess_of(group);
        group = corrected(i, step_m, root_v, &k, divide_m);
    }
    if (n < LANES)
        return adam_update_plain(w, g, m, v, n, rates, calls);
    finish(roots, w, &k, &doubts);
    finish(roots_of(guess), w, &k, &doubts);
    finish(roots_of(guess_of(group)), w, &k, &doubts);
    settle_w(&doubts, w, m, v, &k, rates->eps, calls);
    if (done < LANES)
        return i + done;
    return i + adam_update_plain(w + i, g + i, m + i, v + i, n - i, rates, calls);
}

size_t ADAM_UPDATE(double *restrict w, const double *restrict g, double *restrict m,
                   double *restrict v, size_t n, const AdamRates *rates, Calls *calls) {
    assert(KNOWN_LIBM && adam_rates_are_ordinary(rates));
    if (rates->correction1 == 1.0)
        return update(w, g, m, v, n, rates, calls, 0);
    return update(w, g, m, v, n, rates, calls, 1);
}
