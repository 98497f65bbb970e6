/* Numbers as sums of two doubles. Nothing here may be contracted into fused multiply-adds. */
#ifndef ISOGRAD_PAIR_H
#define ISOGRAD_PAIR_H

typedef struct {
    double high, low;
} Pair;

/* a * b exactly (Dekker 1971); no part may be too large or too small for a double. */
static inline Pair product_of(double a, double b) {
    double scaled_a = 134217729.0 * a, scaled_b = 134217729.0 * b, high = a * b; /* 2**27 + 1 */
    double a1 = scaled_a - (scaled_a - a), a2 = a - a1;
    double b1 = scaled_b - (scaled_b - b), b2 = b - b1;
    return (Pair){high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2};
}

/* a + b exactly (Knuth). */
static inline Pair sum_of(double a, double b) {
    double high = a + b, virtual_b = high - a;
    return (Pair){high, (a - (high - virtual_b)) + (b - virtual_b)};
}

/* The same where |a| >= |b|, or a = 0 (Dekker). */
static inline Pair quick_sum_of(double a, double b) {
    double high = a + b;
    return (Pair){high, b - (high - a)};
}

#endif
