/* The time of day, for how long something took. */
#ifndef ISOGRAD_GPT_CLOCK_H
#define ISOGRAD_GPT_CLOCK_H

#include <time.h>

/* In seconds. The clock may be put back: a difference of two such times may be negative. */
static inline double seconds_now(void) {
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#endif
