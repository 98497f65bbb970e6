/* The functions whose bits are libm's, called in the places where Python's float calls them. */
#ifndef ISOGRAD_GPT_LIBM_H
#define ISOGRAD_GPT_LIBM_H

#include <errno.h>
#include <math.h>
#include <stdint.h>

#include "gpt.h"

/* Python's x**y for floats, x >= 0 or NaN, y not 0. */
static inline GptError python_pow(double x, double y, double *out) {
    if (isnan(x) || isinf(x) || x == 0.0) {
        *out = isnan(x) ? x : (isinf(x) == (y > 0.0)) ? INFINITY : 0.0;
        return x == 0.0 && y < 0.0 ? GPT_DIVISION : GPT_OK;
    }
    errno = 0;
    *out = pow(x, y);
    if (isinf(*out))
        errno = ERANGE;
    else if (errno == ERANGE && *out == 0.0)
        errno = 0;
    return errno ? GPT_POW_RANGE : GPT_OK;
}

/* Python's math.log(x). */
static inline GptError python_log(double x, double *out) {
    if (x <= 0.0)
        return GPT_LOG_DOMAIN;
    *out = log(x);
    return GPT_OK;
}

#endif
