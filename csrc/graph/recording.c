/* Who records; see the header. */
#include "recording.h"

#include <assert.h>
#include <stdint.h>

Py_ssize_t recording_n_off;
static Py_tss_t n_contexts = Py_tss_NEEDS_INIT; /* of this thread */

int recording_init(void) {
    if (PyThread_tss_create(&n_contexts) == 0)
        return 0;
    PyErr_NoMemory();
    return -1;
}

static intptr_t count(void) { return (intptr_t)PyThread_tss_get(&n_contexts); }

static int set_count(intptr_t n) {
    if (PyThread_tss_set(&n_contexts, (void *)n) == 0)
        return 0;
    PyErr_NoMemory();
    return -1;
}

int recording_is_off_here(void) { return count() > 0; }

int recording_stop(void) {
    intptr_t n = count();
    if (set_count(n + 1) < 0)
        return -1;
    recording_n_off += n == 0;
    return 0;
}

int recording_resume(void) {
    intptr_t n = count();
    if (n == 0) {
        PyErr_SetString(PyExc_RuntimeError, "no_grad was left on a thread that has not entered it");
        return -1;
    }
    if (set_count(n - 1) < 0)
        return -1;
    recording_n_off -= n == 1;
    assert(recording_n_off >= 0);
    return 0;
}
