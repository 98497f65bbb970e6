/* What the softmaxes of attention and of the loss share: their totals to negative powers. */
#ifndef ISOGRAD_GPT_SOFTMAX_INL_H
#define ISOGRAD_GPT_SOFTMAX_INL_H

#include "blocks-inl.h"
#include "numerics/pow_many.h"
#include "pass.h"

/* Of softmaxes first .. first + n - 1, both multiples of 8: totals.inverse holds their totals at
 * first, and then what it is for. Which powers are noted, `noted` says. */
static void invert_totals(Totals totals, size_t first, size_t n, const Noted *noted) {
    double *inverse = totals.inverse + first, *slope = totals.slope + first;
    pow_many(slope, inverse, n, POW_MINUS_2, noted);
    pow_many(inverse, inverse, n, POW_MINUS_1, noted);
    for (size_t i = 0; i < n; i += LANES)
        store(slope + i, mul(splat(-1.0), load(slope + i)));
}

#endif
