/* The paths of adam_update, for each other: an x86 path hands what is rare to the plain one.
 *
 * What the x86 paths have in common:
 *
 * Model of libm: pow(x, 2.0) and pow(x, 0.5) round, to nearest, a value that is less than 0.045
 * units in the last place (ulp) off the exact one, pow(x, 0.5) even less than 0.02 for x from
 * 2**-316 to 2**316. (The pow that glibc, musl and others share states its errors: of exp 0.511 ulp
 * in all, of the logarithm 1.5 * 2**-68, which |y * log(x)| multiplies and 2**53 turns into ulp.
 * That makes 0.54 ulp at the far end of all doubles, and 0.517 ulp where |y * log(x)| <= 110.) So
 * pow returns the double nearest to the exact value, unless that lies within 0.045 or 0.02 ulp of
 * the middle of two doubles; then it may return either.
 *
 * Square. s = fl(g*g), and e = g*g - s exactly, by one fused multiply-add. With K = 0.5 / 0.455,
 * the other candidate is s2 = fl(s + K*e): where |e| < 0.455 ulp it is s itself; where |e| is more,
 * up to the 0.5 ulp that it can be, K*e is more than half and less than one ulp, and s2 is the
 * neighbour on e's side. This holds at powers of two as well, where the spacing on e's side is what
 * counts. So pow(g, 2.0) is s or s2, and where v comes out the same from both it is not asked.
 *     e is exact for |g| >= 2**-450. Below, g*g and both candidates are under 2**-899, and rest2 <=
 * 2**60 times that under 2**-838. As the new v is at least 2**-256, beta2*v is as well, to within
 * that, and adding so little to it gives beta2*v itself, for s, s2 and pow alike. If s or s2 is
 * infinite, v is out of range; if only s2 is, the two outcomes differ.
 *
 * Root. r is the one candidate, the other is a neighbouring double or r; the paths say how. The
 * step q = fl(lr*m_hat / d) comes from d = fl(r + eps). From the other candidate, d is the same, or
 * a neighbour, or the next but one: if r + eps is the middle of two doubles, and so is the other
 * sum, both may go to the even neighbour, the one down and the other up. So d differs by a factor
 * within 1 +- 2 * 2**-52, and q, rounded twice, by a factor within 1 +- 3.01 * 2**-52. Rounding is
 * monotonic: if w - q*(1 - 3.5 * 2**-52) and w - q*(1 + 4 * 2**-52) round to the same double, then
 * so does w - q from either candidate, and pow is not asked. Where r is the smaller candidate, the
 * other q is not larger in magnitude, and w - q itself serves for the second of the two. For most
 * eps, narrower_of finds that 2.5 will do instead of 3.5.
 *
 * Range. Lanes whose new v is in [MIN_V, MAX_V] and whose new m, but for its sign, is in [MIN_M,
 * MAX_M] go on; with the bounds on the rates (adam_update.c) nothing above overflows or becomes
 * subnormal then. So do lanes with m = +0, where q is 0 whatever the root is, and lanes with v = +0
 * from g = 0, where the root is 0 and d = eps: they take about 2**-450 for the root, which eps >=
 * 2**-300 absorbs. A group of lanes where g, m and v are all +0, such as the embedding of a token
 * not yet seen, is left alone: m and v stay +0, q is +0 because neither lr nor eps is negative, and
 * w - 0 is w, also for w = -0. NaN, infinities, the other zeros and tiny numbers are for the plain
 * path. (AVX-512, which tests both by their highest bits, has [2**-500, 2**524) for m: q is still
 * below 2**(524 + 60 + 60 + 300).) v / correction2, of which the root is taken, is from 2**-316 to
 * 2**316.
 *
 * Division by the invariant c (Markstein 1990). Let z = fl(1/c) and z2 = fl(1/c - z). q0 = fl(x*z +
 * fl(x*z2)) rounds a value within 2**-104 of x/c, relatively, thus q0 is one of the doubles around
 * x/c. Then t = x - q0*c is exact, being a multiple of ulp(q0)*ulp(c) and less than 2**53 of it,
 * and q = fl(q0 + t*z) is the double nearest to x/c:
 *     scale c to [1, 2), so that |z - 1/c| <= ulp(z)/2 = 2**-54 (for c = 1 it is 0). x/c is never
 * the middle h of two doubles, and q can be wrong only if such an h lies between x/c and q0 + t*z.
 * With u the spacing of doubles on that side of q0, h = q0 +- u/2, and x - h*c is a multiple of
 * u*ulp(c)/2, say the k-th one, k > 0. So x/c is k*u*2**-53/c away from h, and q0 + t*z is |t| *
 * 2**-54 at most away from x/c, where |t| = c * |x/c - q0| <= c*u/2 + k*u*2**-53. That this is less
 * comes down to c**2 + k*c*2**-52 < 4*k, which c <= 2 - 2**-52 meets for every k >= 1.
 */
#ifndef ISOGRAD_ADAM_PATHS_H
#define ISOGRAD_ADAM_PATHS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "adam_update.h"

#define SECOND_CANDIDATE (0.5 / 0.455)
#define WIDER (1.0 + 4.0 * 0x1p-52)
#define MIN_V 0x1p-256
#define MAX_V 0x1p+256
#define MAX_SQUARE 0x1p+900 /* pow does not overflow below */
#define ABSORBED_V 0x1p-900
#define MIN_M 0x1p-500
#define MAX_M 0x1p+300

size_t adam_update_plain(double *restrict w, const double *restrict g, double *restrict m,
                         double *restrict v, size_t n, const AdamRates *rates);

/* Only for rates that adam_update has found ordinary. */
size_t adam_update_avx2(double *restrict w, const double *restrict g, double *restrict m,
                        double *restrict v, size_t n, const AdamRates *rates);
size_t adam_update_avx512(double *restrict w, const double *restrict g, double *restrict m,
                          double *restrict v, size_t n, const AdamRates *rates);

/* Ask pow for the lanes (bits) `doubtful` of a group and put right what depends on it. */
void adam_settle_v(unsigned doubtful, double *new_v, const double *g, const double *old_v,
                   const AdamRates *rates);
void adam_settle_w(unsigned doubtful, double *new_w, const double *old_w, const double *step,
                   const double *v_hat, double eps);

/* The reciprocal of c as the sum of two doubles. */
typedef struct {
    double high, low;
} Reciprocal;

static inline Reciprocal reciprocal_of(double c) {
    double high = 1.0 / c;
    return (Reciprocal){high, fma(-high, c, 1.0) / c};
}

/* 1 - 3.5 * 2**-52, or 1 - 2.5 * 2**-52 where that is enough.
 *
 * It is if d is the same or a neighbour. Otherwise, let eps = M * 2**j with M odd. Both sums are
 * middles only if the candidates' distance is the ulp of the sums, and eps an odd multiple of half
 * of it. So it is 2 * 2**j, and the smaller candidate r >= 2**53 * 2**j. The larger d is twice that
 * ulp above d = r + eps - 2**j, and larger by a factor of 1 + 4 / (2**53 + M - 1) at most. If that
 * is 1 + 1.5 * 2**-52 at most, 2.5 is still enough: if 3 * (M - 1) >= 2**53, as for the default eps
 * of 1e-8. */
static inline double narrower_of(double eps) {
    uint64_t mantissa;
    memcpy(&mantissa, &eps, sizeof eps);
    mantissa = (mantissa & 0x000fffffffffffffu) | 0x0010000000000000u;
    const uint64_t lowest = mantissa & -mantissa; /* bit: M = mantissa / lowest */
    const int close = lowest <= 2 && 3 * (mantissa - lowest) >= lowest << 53;
    return close ? 1.0 - 2.5 * 0x1p-52 : 1.0 - 3.5 * 0x1p-52;
}

#endif
