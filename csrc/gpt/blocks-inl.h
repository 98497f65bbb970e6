/* Loops over rows or columns, several at a time, with the number at a time known to the compiler.
 *
 * A kernel that takes such a number as its first argument is inlined with a constant: R rows or
 * columns, P panels, G groups of 8 columns. Its sums then stay in registers.
 */
#ifndef ISOGRAD_GPT_BLOCKS_INL_H
#define ISOGRAD_GPT_BLOCKS_INL_H

#include "numerics/lanes-inl.h"

_Static_assert(LANES % WIDTH == 0 && LANES == 8, "lanes are whole registers; comments say 8");

/* How many independent sums a kernel carries at once: enough to hide the latency of an addition,
 * and no more than the registers hold. */
#define ROWS (WIDTH == 8 ? 8 : WIDTH == 4 ? 4 : WIDTH == 2 ? 2 : 1)

#define EACH(i, n)                                                                                 \
    UNROLL                                                                                         \
    for (size_t i = 0; i < (n); i++)

/* Runs the statement with a constant R for all of `n` rows or columns, `at` being the first of R:
 * `most` at a time, then what is left. */
#define IN_BLOCKS(most, at, n, ...)                                                                \
    do {                                                                                           \
        size_t at = 0;                                                                             \
        IN_BLOCKS_OF(most, at, n, __VA_ARGS__);                                                    \
        if ((most) > 8)                                                                            \
            IN_BLOCKS_OF(8, at, n, __VA_ARGS__);                                                   \
        if ((most) > 4)                                                                            \
            IN_BLOCKS_OF(4, at, n, __VA_ARGS__);                                                   \
        if ((most) > 2)                                                                            \
            IN_BLOCKS_OF(2, at, n, __VA_ARGS__);                                                   \
        IN_BLOCKS_OF(1, at, n, __VA_ARGS__);                                                       \
    } while (0)
#define IN_BLOCKS_OF(size, at, n, ...)                                                             \
    {                                                                                              \
        enum { R = size };                                                                         \
        for (; at + R <= (n); at += R)                                                             \
            __VA_ARGS__;                                                                           \
    }

/* Runs the statement once with a constant R, the least of 1, 2, 4, 6 and 8 that is n or more; but
 * no more than `most`. */
#define WITH_AT_LEAST(most, n, ...)                                                                \
    do {                                                                                           \
        if ((most) <= 1 || (n) <= 1)                                                               \
            WITH(1, __VA_ARGS__)                                                                   \
        else if ((most) <= 2 || (n) <= 2)                                                          \
            WITH(2, __VA_ARGS__)                                                                   \
        else if ((most) <= 4 || (n) <= 4)                                                          \
            WITH(4, __VA_ARGS__)                                                                   \
        else if ((n) <= 6)                                                                         \
            WITH(6, __VA_ARGS__)                                                                   \
        else                                                                                       \
            WITH(8, __VA_ARGS__)                                                                   \
    } while (0)
#define WITH(size, ...)                                                                            \
    {                                                                                              \
        enum { R = size };                                                                         \
        __VA_ARGS__;                                                                               \
    }

#endif
