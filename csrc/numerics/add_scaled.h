/* sum += scale * x, a vector: each product rounded, then each sum. */
#ifndef ISOGRAD_ADD_SCALED_H
#define ISOGRAD_ADD_SCALED_H

#include <stddef.h>

/* n each; they do not overlap. */
void add_scaled(double *restrict sum, const double *restrict x, double scale, size_t n);

#endif
