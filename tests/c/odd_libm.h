/* Included before everything else: exp and pow are those of odd_libm.c. */
#ifndef ISOGRAD_ODD_LIBM_H
#define ISOGRAD_ODD_LIBM_H

#include <math.h>

double odd_exp(double x);
double odd_pow(double x, double y);

#define exp odd_exp
#define pow odd_pow

#endif
