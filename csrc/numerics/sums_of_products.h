/* Inner products in the order of Python's `sum`: from 0.0 upwards in index; each product is
 * rounded, then each sum. */
#ifndef ISOGRAD_SUMS_OF_PRODUCTS_H
#define ISOGRAD_SUMS_OF_PRODUCTS_H

#include <stddef.h>

/* a . b, n entries each. */
static inline double sum_of_products(const double *a, const double *b, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* sums[j] = rows[j] . x for N_ROWS rows, n entries each. Four at a time, because each addition has
 * to wait for the one before. */
#define N_ROWS 4
static inline void sums_of_products(const double *const *rows, const double *x, size_t n,
                                    double *sums) {
    const double *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    double sum_a = 0.0, sum_b = 0.0, sum_c = 0.0, sum_d = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum_a += a[i] * x[i];
        sum_b += b[i] * x[i];
        sum_c += c[i] * x[i];
        sum_d += d[i] * x[i];
    }
    sums[0] = sum_a, sums[1] = sum_b, sums[2] = sum_c, sums[3] = sum_d;
}

#endif
