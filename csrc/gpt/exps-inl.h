/* exp of rows of a panel, of which the first lanes only may hold a position. */
#ifndef ISOGRAD_GPT_EXPS_INL_H
#define ISOGRAD_GPT_EXPS_INL_H

#include "blocks-inl.h"
#include "numerics/exp_many.h"

#define FEW_LANES 4 /* up to which it pays to pack them */

/* n_rows rows of 8 at x, and at x + step, and so on, n_times. */
typedef struct {
    double *x;
    size_t n_rows, step, n_times;
} Rows;

/* exp of the first R lanes; the others become 1.0: no total of theirs is 0, which powers would take
 * long for. */
INLINE void exp_of_packed(const size_t R, Rows rows, const Noted *noted) {
    enum { MOST = 64 }; /* rows at a time */
    double packed[MOST * FEW_LANES + LANES], *from[MOST];
    size_t n = 0;
    for (size_t i = 0; i < rows.n_times; i++)
        for (size_t row = 0; row < rows.n_rows; row++) {
            from[n] = rows.x + i * rows.step + row * LANES;
            store_anywhere(packed + n * R, load(from[n]));
            n++;
            if (n < MOST && (row + 1 < rows.n_rows || i + 1 < rows.n_times))
                continue;
            exp_many(packed, n * R, noted);
            for (size_t k = 0; k < n; k++) {
                store(from[k], splat(1.0));
                store_some(from[k], load_anywhere(packed + k * R), R);
            }
            n = 0;
        }
}

/* exp of the first n_lanes lanes; the others hold nothing, and what becomes of them does not
 * matter. Notes the calls of the first ones in `calls`, unless that is NULL. */
static NOINLINE void exp_of_lanes(Rows rows, size_t n_lanes, Calls *calls) {
    Noted noted = {calls, LANES, n_lanes};
    if (n_lanes <= FEW_LANES)
        WITH_AT_LEAST(FEW_LANES, n_lanes, {
            noted.row = R;
            exp_of_packed(R, rows, calls ? &noted : NULL);
        });
    else
        exp_many(rows.x, rows.step * rows.n_times, calls ? &noted : NULL);
}

#endif
