/* See scarce_memory.h. */
#define SCARCE_MEMORY_ITSELF
#undef calloc
#undef realloc
#undef aligned_alloc
#undef pthread_create
#include "scarce_memory.h"

#include <errno.h>
#include <stdint.h>

static size_t n_left = SIZE_MAX;
static int failed;

void fail_request(size_t number) {
    n_left = number;
    failed = 0;
}

int has_failed(void) { return failed; }

static int fails(void) {
    const int now = n_left-- == 0;
    failed |= now;
    return now;
}

void *scarce_calloc(size_t n, size_t size) { return fails() ? NULL : calloc(n, size); }

void *scarce_realloc(void *memory, size_t size) { return fails() ? NULL : realloc(memory, size); }

void *scarce_aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : aligned_alloc(alignment, size);
}

int scarce_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument) {
    return fails() ? EAGAIN : pthread_create(thread, attributes, start, argument);
}
