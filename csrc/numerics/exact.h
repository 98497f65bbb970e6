/* Correctly rounded exp, log, cos, sin and powers by integers: slow, and right for every argument.
 * rounded.c is quick, and asks here where it is in doubt or out of its range.
 *
 * Numbers are not negative and have 288 bits after the point; all functions are off by less than
 * 2**-278. That tells each result from the middle between two doubles, where rounding turns. For
 * the powers this is a theorem: let x**-1.5, say, be a middle m. Then m**2 * x**3 is 1. But it is
 * an integer of at most 267 bits times a power of two, so it is 1 only for powers of two, whose
 * powers are doubles, or else 2**-267 away at least. For the others Lefevre and Muller (2001) have
 * searched all doubles: the nearest to a middle is 2**-118 away, relatively. Arguments so small
 * that the result is next to 1 or to x round to that.
 *
 * Nothing raises or sets errno. There is an infinity or NaN where C's libm has one.
 */
#ifndef ISOGRAD_EXACT_H
#define ISOGRAD_EXACT_H

double exact_exp(double x);
double exact_log(double x);

/* For |x| < 8, else NaN. */
double exact_cos(double x);
double exact_sin(double x);

double exact_inverse_square(double x);     /* x**-2 */
double exact_inverse_root(double x);       /* x**-0.5 */
double exact_inverse_root_cubed(double x); /* x**-1.5 */

#endif
