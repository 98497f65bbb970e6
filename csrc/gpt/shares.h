/* Who does what of a stage that several threads run together: a range of its panels, of its heads
 * or of its rows each. The threads themselves are in team.h, what they compute in stages.h. */
#ifndef ISOGRAD_GPT_SHARES_H
#define ISOGRAD_GPT_SHARES_H

#include <assert.h>
#include <stddef.h>

#include "team.h"

/* Thread `number` of the n that run something together. Alone, with n = 1, it needs no team. */
typedef struct {
    Team *team;
    size_t number, n;
} Worker;

static inline void wait_for_others(const Worker *me) {
    if (me->n > 1)
        team_wait(me->team);
}

/* From `from` up to but not including `to`. */
typedef struct {
    size_t from, to;
} Range;

/* A worker's share of n things, cut at multiples of `grain`. Alone it does not divide: the
 * divisions of a step would take as long as an rmsnorm. */
static inline Range share_of(const Worker *me, size_t n, size_t grain) {
    assert(me->number < me->n && me->n <= MOST_THREADS);
    if (me->n == 1)
        return (Range){0, n};
    const size_t n_grains = (n + grain - 1) / grain;
    const size_t from = n_grains * me->number / me->n * grain;
    const size_t to = n_grains * (me->number + 1) / me->n * grain;
    return (Range){from < n ? from : n, to < n ? to : n};
}

static inline Range share_of_panels(const Worker *me, size_t n) { return share_of(me, n, 1); }

static inline Range share_of_heads(const Worker *me, size_t n) { return share_of(me, n, 1); }

/* Rows are shared in multiples of so many, so that the kernels' blocks stay whole. */
#define ROWS_IN_A_SHARE 16

/* Of the n results of a linear layer, or of the n gradients that it hands back. */
static inline Range share_of_rows(const Worker *me, size_t n) {
    return share_of(me, n, ROWS_IN_A_SHARE);
}

/* Into how many tasks n threads divide so many weights: tasks of `least` weights or more, if that
 * makes one for each thread. */
static inline size_t tasks_for(size_t n_threads, size_t n_weights, size_t least) {
    const size_t n = n_weights / least;
    if (n_threads == 1)
        return 1;
    return n < n_threads ? n_threads : n < 8 * n_threads ? n : 8 * n_threads;
}

#endif
