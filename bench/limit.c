/* What a vector unit can do at best with products and sums, for limit.py: a loop that does nothing else.
 *
 * Compiled once for each unit, with LANES doubles a vector; with FUSED, a product and its sum are one
 * instruction, which rounds once, as Python does not. The chains are independent of each other and
 * many enough to keep all ports busy. Needs GCC's or Clang's vector types.
 */
#include <stddef.h>

#define CHAINS 12 /* with two constants they fit into 16 registers */

typedef double Vector __attribute__((vector_size(8 * LANES)));

/* x is (CHAINS * LANES,): each element becomes x * c + d, n times. */
void pairs(double *x, double c, double d, size_t n) {
    Vector at[CHAINS], factor = c - (Vector){0}, summand = d - (Vector){0};
    for (size_t i = 0; i < CHAINS; i++)
        for (size_t lane = 0; lane < LANES; lane++)
            at[i][lane] = x[i * LANES + lane];
    for (size_t step = 0; step < n; step++) {
#pragma GCC unroll 12
        for (size_t i = 0; i < CHAINS; i++)
            at[i] = at[i] * factor + summand;
    }
    for (size_t i = 0; i < CHAINS; i++)
        for (size_t lane = 0; lane < LANES; lane++)
            x[i * LANES + lane] = at[i][lane];
}
