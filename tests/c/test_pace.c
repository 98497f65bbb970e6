/* csrc/gpt/pace.h on machines that are made up: quiet, crowded, or one after the other.
 *
 * No clock runs: a step takes what the machine says. Prints OK, or what is wrong.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gpt/pace.h"

typedef struct {
    double alone, together; /* seconds a step */
    double aside;           /* for how long a partner is put aside once in a while; 0 if never */
    int every;              /* so many steps */
} Machine;

static const Machine quiet = {1e-4, 0.6e-4, 0.0, 1};
static const Machine small = {1e-5, 2e-5, 0.0, 1}; /* a model for which threads do not pay */
static const Machine crowded = {2e-4, 1.2e-4, 4e-3, 3};
static const Machine rather_crowded = {2e-4, 1.2e-4, 4e-3, 100};

/* Seconds that so many steps take. */
static double run(Pace *pace, const Machine *machine, int n_steps) {
    double seconds = 0.0;
    for (int i = 0; i < n_steps; i++) {
        double lost = 0.0, step = machine->alone;
        if (pace->is_together) {
            lost = machine->aside > 0.0 && i % machine->every == 0 ? machine->aside : 0.0;
            step = machine->together + lost;
        }
        pace_add(pace, step, 10.0, lost / 2.0);
        seconds += step;
        if (pace_is_over(pace))
            pace_choose(pace);
    }
    return seconds;
}

static void must(int condition, const char *what, double seconds, double at_most) {
    if (!condition) {
        printf("NOT OK: %s: %g s, should be %g\n", what, seconds, at_most);
        exit(1);
    }
}

static void at_most(const char *what, double seconds, double limit) {
    must(seconds <= limit, what, seconds, limit);
}

int main(void) {
    const int n = 100000;
    Pace pace = pace_start(0);
    at_most("together from the first step on", run(&pace, &quiet, n), n * quiet.together * 1.0001);
    at_most("a crowd comes", run(&pace, &crowded, n), n * crowded.alone * 1.05);
    at_most("and goes", run(&pace, &quiet, n), n * quiet.together * 1.4 + 5.0);
    at_most("together again", run(&pace, &quiet, n), n * quiet.together * 1.0001);

    pace = pace_start(0);
    at_most("crowded from the beginning", run(&pace, &crowded, 2000), 2000 * crowded.alone * 1.1);
    pace = pace_start(0);
    at_most("worth while in spite of a crowd", run(&pace, &rather_crowded, n),
            n * rather_crowded.alone * 0.95);

    pace = pace_start(1);
    at_most("a small model", run(&pace, &small, n), n * small.alone * 1.05);
    pace = pace_start(1);
    at_most("a large one", run(&pace, &quiet, n), n * quiet.together * 1.05);
    pace = pace_start(1);
    at_most("a large one in a crowd", run(&pace, &crowded, n), n * crowded.alone * 1.05);

    pace = pace_start(0);
    pace_add(&pace, -5.0, 10.0, 0.0);
    must(pace.seconds == 0.0, "a clock that was put back", pace.seconds, 0.0);
    puts("OK");
    return 0;
}
