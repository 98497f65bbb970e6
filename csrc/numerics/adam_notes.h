/* Which of Adam's calls of libm are noted (calls.h): those that matter.
 *
 * Nearly all squares and roots that libm does not round correctly are lost in what comes next: a
 * square in a second moment 100 times its size, a root in a step 100 times smaller than the weight.
 * The vector paths do not even ask libm then. So a square is noted if libm's is not the nearest
 * double and the nearest one would have led to another v; a root if libm's is not the nearest and
 * the nearest one would have led to another w. Whoever has these, and takes the nearest doubles
 * else, gets the bits of m, v and w; it does not depend on the path.
 */
#ifndef ISOGRAD_ADAM_NOTES_H
#define ISOGRAD_ADAM_NOTES_H

#include <math.h>

#include "adam_update.h"
#include "calls.h"

/* g**2 was `square`, which goes into v = decayed_v + rest2 * square. */
static inline void note_square(Calls *calls, double g, double square, double decayed_v,
                               double rest2) {
    const double nearest = g * g;
    if (square != nearest && decayed_v + rest2 * square != decayed_v + rest2 * nearest)
        calls_note(calls, CALLED_SQUARE, g, square);
}

/* v_hat**0.5 was `root`, which goes into w - step / (root + eps). */
static inline void note_root(Calls *calls, double v_hat, double root, double w, double step,
                             double eps) {
    const double nearest = sqrt(v_hat);
    if (root != nearest && w - step / (root + eps) != w - step / (nearest + eps))
        calls_note(calls, CALLED_ROOT, v_hat, root);
}

#endif
