/* How far exp and pow of this machine's libm are trusted: the model and its margins, for all files.
 *
 * This file holds no code. What is computed instead of a call, and how well, is proved where it is
 * computed: powers.h, pow_avx512.c, exp-inl.h, adam-inl.h.
 *
 * The question. The exact value of exp(x) or pow(x, y) is hardly ever a double; it lies between two
 * doubles that are neighbours. If libm always returned the nearer one, anybody could compute the
 * same bits in a way of their own. Libm does not promise that. It computes a value very close to
 * the exact one, then rounds that value to the nearest double. Far from the middle between the
 * neighbours this comes to the same. Near the middle, a tiny error can move the value across it:
 *
 *          a                     middle                      b
 *          |------------------------|------------------------|        a, b: doubles, neighbours
 *           libm returns a      ? ? | ? ?      libm returns b
 *                              <--->|<--->
 *                             margin margin
 *
 * So whoever knows the exact value well enough to see that it is outside of the margin has libm's
 * result without calling libm. Only for values within the margin, a few per cent, libm is called.
 *
 * The model. An ulp (unit in the last place) of a number is the distance of the two doubles around
 * it. Let f be the exact value, and R what libm returns. Then R is a value y, rounded to nearest,
 * and y is less than `margin` ulp of f away from f.
 *     Rounding never changes the order of two numbers. So R lies from L to H, where L is
 * f - margin * ulp rounded, and H is f + margin * ulp rounded. These two are equal or neighbours,
 * as they round numbers that are less than half an ulp apart. Two conclusions follow, and the
 * proofs in the other files use nothing else:
 *     (1) If L = H, then R is that double. Libm need not be called.
 *     (2) If not, R is L or H: these are the candidates. Libm need not be called if both lead to
 *         the same in the end, for instance in a sum with a larger number.
 * Let r be the double nearest to f, and no power of two. Then L = H = r is the same as
 * |f - r| <= (0.5 - margin) ulp. If f is only known to within d, add d to the margin.
 *
 * Powers of two. At 2**k the distance of doubles changes: below, it is half as large. (1) and (2)
 * do not mind, because the processor rounds to L and H, and knows both distances. It only matters
 * that the margin is not smaller than `margin` ulp of f. So a test may take the ulp of r for that
 * of f. They differ only if r = 2**k and f is below; then the ulp of r is twice that of f, and the
 * margin is wider than necessary. But a test that compares |f - r| with half an ulp of r is wrong
 * for f < r = 2**k, because the middle is nearer there. Such tests exclude r = 2**k, or show that
 * no f is just below it.
 *
 * What libm states. glibc from 2.28 on and musl from 1.1.23 on have the same exp and pow. Their
 * sources state the errors of the results. Without fused multiply-adds, which is the worse case,
 * they are, in ulp:
 *     exp    0.511
 *     pow    0.511 + |y * log(x)| * 1.5 * 2**-68 * 2**53, or 0.54 for the largest and the smallest
 * Both functions end in one rounded addition. Half an ulp is the error of that; the rest is what y
 * of the model is off. Pow is the exp of y * log(x), so its first term is exp's error. In the
 * second, 1.5 * 2**-68 is the relative error of its logarithm. 2**53 turns a relative error into
 * ulp: into the smallest ulp that a number of its size can have, which is that just below a power
 * of two. |y * log(x)| is the logarithm of the result, small if the result is not too far from 1.
 *     Without the half ulp this leaves 0.011 for exp. For pow it leaves 0.0198 for results from
 * 2**-274 to 2**274, where |y * log(x)| <= 190, and 0.0436 for all normal results, where it
 * is <= 710. The margins are a little wider. (In 20 million measured results, 0.008 was the most.)
 *
 * Others may be as good but do not state it. With them every exp and pow that the graph has is a
 * call: slower, but with the same bits whatever libm does. Musl does not let itself be recognised;
 * on Linux it is what is no other.
 */
#ifndef ISOGRAD_LIBM_MARGINS_H
#define ISOGRAD_LIBM_MARGINS_H

#include <math.h> /* says whose it is */

#ifndef KNOWN_LIBM /* set by the tests, to 0 */
#if !defined(__linux__) || defined(__ANDROID__) || defined(__UCLIBC__)
#define KNOWN_LIBM 0
#elif defined(__GLIBC__)
#define KNOWN_LIBM __GLIBC_PREREQ(2, 28)
#else
#define KNOWN_LIBM 1
#endif
#endif

/* Margins in ulp, for normal results. */
#define EXP_MARGIN 0.02
#define POW_MARGIN 0.045
#define NEAR_POW_MARGIN 0.02 /* of pow, if the result is from 2**-NEAR_EXPONENT to .. */
#define NEAR_EXPONENT 274    /* .. 2**NEAR_EXPONENT */

#endif
