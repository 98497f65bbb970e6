/* See calls.h. */
#include "calls.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rounded.h"

static double (*const nearest[N_CALLED])(double) = {
    [CALLED_EXP] = rounded_exp,
    [CALLED_LOG] = rounded_log,
    [CALLED_COS] = rounded_cos,
    [CALLED_SIN] = rounded_sin,
    [CALLED_INVERSE] = rounded_inverse,
    [CALLED_INVERSE_SQUARE] = rounded_inverse_square,
    [CALLED_INVERSE_ROOT] = rounded_inverse_root,
    [CALLED_INVERSE_ROOT_CUBED] = rounded_inverse_root_cubed,
    [CALLED_ROOT] = rounded_root,
    [CALLED_SQUARE] = rounded_square,
};

void calls_free(Calls *calls) {
    for (int f = 0; f < N_CALLED; f++) {
        free(calls->of[f].x);
        free(calls->of[f].above);
    }
    memset(calls, 0, sizeof *calls);
}

/* Room for one more. Returns 0, or -1 without memory; then nothing has changed. */
static int reserve(Exceptions *e) {
    if (e->n < e->capacity)
        return 0;
    const size_t capacity = e->capacity ? 2 * e->capacity : 64;
    double *x = realloc(e->x, capacity * sizeof *x);
    if (x == NULL)
        return -1;
    e->x = x;
    signed char *above = realloc(e->above, capacity);
    if (above == NULL)
        return -1;
    e->above = above;
    e->capacity = capacity;
    return 0;
}

static int64_t bits_of(double x) {
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

void calls_note(Calls *calls, Called f, double x, double result) {
    const double expected = nearest[f](x);
    if (result == expected || (result != result && expected != expected))
        return;
    const int64_t above = bits_of(result) - bits_of(expected);
    Exceptions *e = &calls->of[f];
    if (above < -127 || above > 127)
        calls->error = CALLS_TOO_FAR;
    else if (reserve(e) < 0)
        calls->error = CALLS_NO_MEMORY;
    else {
        e->x[e->n] = x;
        e->above[e->n++] = (signed char)above;
    }
}

void calls_note_one_of(const Noted *noted, size_t i, Called f, double x, double result) {
    if (i % noted->row < noted->used)
        calls_note(noted->calls, f, x, result);
}

#define TAU 6.283185307179586 /* math.tau */

/* One loop for each function: side by side, compilers make one call of cos and sin, of a function
 * that Python does not call. */
void calls_note_draws(Calls *calls, const double *drawn, size_t n) {
    for (size_t i = 0; i < n; i++)
        calls_note(calls, CALLED_LOG, 1.0 - drawn[2 * i + 1], log(1.0 - drawn[2 * i + 1]));
    for (size_t i = 0; i < n; i++)
        calls_note(calls, CALLED_COS, drawn[2 * i] * TAU, cos(drawn[2 * i] * TAU));
    for (size_t i = 0; i < n; i++)
        calls_note(calls, CALLED_SIN, drawn[2 * i] * TAU, sin(drawn[2 * i] * TAU));
}
