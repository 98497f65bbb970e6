/* Which calls of libm are not correctly rounded: those that another machine, or a browser, cannot
 * know. isograd.explain records them, so that its page computes this machine's bits.
 *
 * A call is a function, its argument x, and what this libm returns for it. Most results are the
 * double nearest to the exact value, which rounded.h computes anywhere. The few others are kept: x,
 * and how many doubles the result lies above the nearest one. They are in the order of the calls,
 * and one may be there twice.
 *
 * Who computes, notes: exp_many, pow_many, adam_update and csrc/gpt, for whoever hands them a Calls.
 * The vector paths know which results are the nearest doubles without asking libm, and have nothing
 * to note of them. Of Adam's calls only those are noted that matter: see adam_notes.h.
 */
#ifndef ISOGRAD_CALLS_H
#define ISOGRAD_CALLS_H

#include <stddef.h>

/* The functions of the page's payload; what Python calls is log, cos, sin, exp and pow. */
typedef enum {
    CALLED_EXP,
    CALLED_LOG,
    CALLED_COS,
    CALLED_SIN,
    CALLED_INVERSE,            /* x**-1 */
    CALLED_INVERSE_SQUARE,     /* x**-2 */
    CALLED_INVERSE_ROOT,       /* x**-0.5 */
    CALLED_INVERSE_ROOT_CUBED, /* x**-1.5 */
    CALLED_ROOT,               /* x**0.5 */
    CALLED_SQUARE,             /* x**2 */
    N_CALLED,
} Called;

typedef enum { CALLS_OK, CALLS_NO_MEMORY, CALLS_TOO_FAR } CallsError;

typedef struct {
    double *x;          /* (n) */
    signed char *above; /* (n): the result's bits minus the nearest double's */
    size_t n, capacity;
} Exceptions;

/* All 0 at first. `error` stays once it is set: memory ran out, or a result was more than 127
 * doubles away from the nearest one. One thread at a time. */
typedef struct Calls {
    Exceptions of[N_CALLED];
    CallsError error;
} Calls;

/* Releases what `calls` owns, not itself. */
void calls_free(Calls *calls);

/* Keeps the call f(x), which returned `result`, if that is not correctly rounded. */
void calls_note(Calls *calls, Called f, double x, double result);

/* Notes the calls that random.gauss makes of pairs of numbers drawn, (n, 2). */
void calls_note_draws(Calls *calls, const double *drawn, size_t n);

/* For functions of many numbers: call number i is to be noted if i % row < used. */
typedef struct {
    Calls *calls;
    size_t row, used;
} Noted;

/* Notes call number i of some, if it is to be noted. */
void calls_note_one_of(const Noted *noted, size_t i, Called f, double x, double result);

#endif
