/* What raises in the place where Python's math.log does, with the bits of libm. */
#ifndef ISOGRAD_GPT_LIBM_H
#define ISOGRAD_GPT_LIBM_H

#include <math.h>

#include "gpt.h"

/* Python's math.log(x). */
static inline GptError python_log(double x, double *out) {
    if (x <= 0.0)
        return GPT_LOG_DOMAIN;
    *out = log(x);
    return GPT_OK;
}

#endif
