/* See pace.h. A trial together costs as long as the system puts a thread aside, some milliseconds;
 * pauses of thirty times what it took, and more, keep that far below a tenth. */
#include "pace.h"

#include <assert.h>

#define TRIAL 0.01         /* seconds, of a way that is only tried */
#define SETTLED 0.5        /* of a way that has proved faster */
#define LEAST_JUDGED 0.002 /* what is enough for a judgement */
#define MUCH 0.1           /* lost, of the time */
#define PAUSES 30.0        /* as long as the trial before */
#define LONGEST_PAUSE 4.0

static Pace stretch(Pace pace, int is_together, double length) {
    pace.is_together = is_together;
    pace.length = length;
    pace.seconds = pace.positions = pace.lost = 0.0;
    return pace;
}

Pace pace_start(int cautious) {
    const Pace new = {0};
    return cautious ? stretch(new, 0, TRIAL) : stretch(new, 1, SETTLED);
}

void pace_add(Pace *pace, double seconds, double positions, double lost) {
    if (seconds > 0.0) { /* or the clock was put back */
        pace->seconds += seconds;
        pace->positions += positions;
        pace->lost += lost;
    }
}

static int has_lost_much(const Pace *pace) { return pace->lost > MUCH * pace->seconds; }

int pace_is_over(const Pace *pace) {
    return pace->seconds >= pace->length ||
           (pace->is_together && pace->seconds >= LEAST_JUDGED && has_lost_much(pace));
}

void pace_choose(Pace *pace) {
    if (!pace_is_over(pace))
        return;
    assert(pace->seconds > 0.0);
    const double speed = pace->positions / pace->seconds;
    if (!pace->is_together) {
        pace->alone = speed;
        *pace = stretch(*pace, 1, TRIAL);
        return;
    }
    pace->together = speed;
    if (pace->alone > 0.0 ? speed >= pace->alone : !has_lost_much(pace)) {
        if (pace->seconds >= SETTLED) /* a trial may have been lucky */
            pace->pause = 0.0;
        *pace = stretch(*pace, 1, SETTLED);
        return;
    }
    const double least = PAUSES * pace->seconds, longer = 2.0 * pace->pause;
    const double pause = longer > least ? longer : least;
    pace->pause = pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
    *pace = stretch(*pace, 0, pace->pause);
}
