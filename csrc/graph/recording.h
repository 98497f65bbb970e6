/* Which threads record graphs: all but those inside a no_grad, whose results are leaves.
 *
 * How many no_grads a thread is in is its own count. How many threads are in one is a global count,
 * guarded by the GIL, so that an operation that records pays for one load.
 */
#ifndef ISOGRAD_RECORDING_H
#define ISOGRAD_RECORDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "numerics/compiler.h"

extern HIDDEN Py_ssize_t recording_n_off;
int recording_is_off_here(void);

/* Whether this thread is inside a no_grad. */
static inline int recording_is_off(void) {
    return UNLIKELY(recording_n_off > 0) && recording_is_off_here();
}

/* Enters and leaves a no_grad on this thread. 0, or -1 with an exception set. */
int recording_stop(void);
int recording_resume(void);

/* Once, before anything else here. 0, or -1 with MemoryError set. */
int recording_init(void);

#endif
