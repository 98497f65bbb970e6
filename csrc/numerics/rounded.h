/* Correctly rounded functions: the double nearest to the exact value, on every machine, whatever
 * its libm does. For `isograd explain`, whose page computes the same in JavaScript.
 *
 * Nothing raises or sets errno. There is an infinity or NaN where C's libm has one.
 */
#ifndef ISOGRAD_ROUNDED_H
#define ISOGRAD_ROUNDED_H

double rounded_exp(double x);
double rounded_log(double x);

/* For |x| < 8, else NaN. */
double rounded_cos(double x);
double rounded_sin(double x);

double rounded_inverse(double x);            /* x**-1 */
double rounded_inverse_square(double x);     /* x**-2 */
double rounded_inverse_root(double x);       /* x**-0.5 */
double rounded_inverse_root_cubed(double x); /* x**-1.5 */
double rounded_root(double x);               /* x**0.5; 0 for -0, too */
double rounded_square(double x);             /* x**2 */

/* The function rounded_`name`; NULL if there is none. */
typedef double (*RoundedFunction)(double x);
RoundedFunction rounded_function(const char *name);

#endif
