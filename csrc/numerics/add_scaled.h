/* sum += scale * x for vectors: each product rounded, then each sum. */
#ifndef ISOGRAD_ADD_SCALED_H
#define ISOGRAD_ADD_SCALED_H

#include <stddef.h>

/* sum_a += scale * a, then sum_b += scale * b; n each. The two sums may be the same; else nothing
 * that is written overlaps. */
void add_scaled(double *sum_a, const double *a, double *sum_b, const double *b, double scale,
                size_t n);

#endif
