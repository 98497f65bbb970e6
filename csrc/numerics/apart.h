/* Whether two arrays have nothing in common: for assertions. */
#ifndef ISOGRAD_APART_H
#define ISOGRAD_APART_H

#include <stddef.h>
#include <stdint.h>

/* n doubles each. */
static inline int are_apart(const double *a, const double *b, size_t n) {
    const uintptr_t from_a = (uintptr_t)a, from_b = (uintptr_t)b, size = n * sizeof *a;
    return from_a + size <= from_b || from_b + size <= from_a;
}

#endif
