/* The end of a run whose script would hold a number that Value cannot: an int from 2**53 on, which
 * goes on as a float here, or what is no real number at all. No output is better than another one,
 * so the process ends there and then, and nothing of the script runs any more.
 */
#ifndef ISOGRAD_SCRIPT_STOP_H
#define ISOGRAD_SCRIPT_STOP_H

#include "graph/number.h"
#include "numerics/compiler.h"

/* From now on the process ends as soon as it must; before it does, say(number) tells why. */
void script_stop_after(PyObject *say);

/* Ends the process, with status 2; `held` is what the script's class would hold. Only after
 * script_stop_after. */
_Noreturn void script_stop(PyObject *held);

/* The same for another reason, a sentence in ASCII. */
_Noreturn void script_stop_saying(const char *why);

/* script_keep_ints where some int has been lost. Does nothing but forget it before script_stop_after. */
NOINLINE void script_lost_int(void);

/* Ends the process if an int has been lost in whatever was computed last. To be called before the
 * script sees anything of that. */
static inline void script_keep_ints(void) {
    if (UNLIKELY(number_lost_int != 0.0))
        script_lost_int();
}

#endif
