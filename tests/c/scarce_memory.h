/* Included before everything else: memory and threads come from scarce_memory.c. */
#ifndef ISOGRAD_SCARCE_MEMORY_H
#define ISOGRAD_SCARCE_MEMORY_H

#include <pthread.h>
#include <stdlib.h>

/* From now on the request with this number fails, counted from 0; no other does. */
void fail_request(size_t number);
/* Whether it has been made. */
int has_failed(void);

void *scarce_calloc(size_t n, size_t size);
void *scarce_realloc(void *memory, size_t size);
void *scarce_aligned_alloc(size_t alignment, size_t size);
int scarce_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

#ifndef SCARCE_MEMORY_ITSELF
#define calloc scarce_calloc
#define realloc scarce_realloc
#define aligned_alloc scarce_aligned_alloc
#define pthread_create scarce_pthread_create
#endif

#endif
