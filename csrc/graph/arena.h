/* Where nodes come from: 2 MB blocks of slots with a bitmap of the free ones, first fit by address.
 *
 *      block    [ free_bits, n_free | slot slot slot ... ]      aligned to its size
 *
 * A free list would be simpler, but its order decays: after some graphs have come and gone, nodes
 * made one after the other lie apart, and each allocation waits for the line that holds the next
 * link. Here allocation goes upwards through memory and reads nothing but the bitmap; graphs stay
 * in the order in which they were made, which is close to the order in which they are walked.
 * Freeing rewinds to the lowest freed address, so that small graphs reuse warm lines.
 *
 * 64 slots at a time move from a block's bitmap into `arena.bits`. All of this runs under the GIL.
 */
#ifndef ISOGRAD_ARENA_H
#define ISOGRAD_ARENA_H

#include "graph.h"

#if defined(_MSC_VER)
#include <intrin.h>
#endif

/* Lets AddressSanitizer see the use of a freed slot. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(n) ASAN_POISON_MEMORY_REGION((n), sizeof(Node))
#define UNPOISON(n) ASAN_UNPOISON_MEMORY_REGION((n), sizeof(Node))
#else
#define POISON(n) ((void)(n))
#define UNPOISON(n) ((void)(n))
#endif

#define BLOCK_BYTES ((size_t)2 << 20)
#define BLOCK_SLOTS ((Py_ssize_t)(BLOCK_BYTES / sizeof(Node)))
#define BLOCK_WORDS ((BLOCK_SLOTS + 63) / 64)

typedef struct {
    uint64_t free_bits[BLOCK_WORDS];
    Py_ssize_t n_free;
    Py_ssize_t index; /* in the list of blocks, which is sorted by address */
} Block;

/* The slots that the header covers are never free. */
#define HEADER_SLOTS ((Py_ssize_t)((sizeof(Block) + sizeof(Node) - 1) / sizeof(Node)))
#define USABLE_SLOTS (BLOCK_SLOTS - HEADER_SLOTS)

_Static_assert((BLOCK_BYTES & (BLOCK_BYTES - 1)) == 0, "block_of masks addresses");
_Static_assert(sizeof(Block) <= HEADER_SLOTS * sizeof(Node), "the header fits before the slots");
_Static_assert(BLOCK_WORDS * 64 >= BLOCK_SLOTS, "a bit for every slot");

typedef struct {
    uint64_t bits; /* free slots at `base`, taken out of their block's bitmap */
    Node *base;
    Py_ssize_t n_slots; /* usable ones in all blocks */
    Py_ssize_t n_empty; /* blocks without a live node */
} Arena;

extern HIDDEN Arena arena;

/* Refills `arena.bits`, with a new block if need be. 0, or -1 with MemoryError set. */
int arena_refill(void);

/* Goes on allocating from `lowest` if that lies before the present place. */
void arena_rewind(const Node *lowest);

/* Gives blocks back to the system when many are empty. */
void arena_trim(void);

Py_ssize_t arena_live_slots(void);

/* Whether `n` is a slot of some block and not free: slow, for assertions. */
int arena_is_live(const Node *n);

static inline int lowest_bit(uint64_t bits) {
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctzll(bits);
#elif defined(_MSC_VER) && (defined(_M_X64) || defined(_M_ARM64))
    unsigned long i;
    _BitScanForward64(&i, bits);
    return (int)i;
#else
    int i = 0;
    while (!(bits >> i & 1))
        i++;
    return i;
#endif
}

/* A slot with type and a reference count of 1 set, everything else undefined; NULL with
 * MemoryError set. The caller owns it and must fill every field. */
static inline Node *arena_pop(void) {
    if (UNLIKELY(arena.bits == 0) && arena_refill() < 0)
        return NULL;
    Node *n = arena.base + lowest_bit(arena.bits);
    arena.bits &= arena.bits - 1;
    assert(is_taggable(n));
    UNPOISON(n);
#if defined(Py_GIL_DISABLED) || defined(Py_REF_DEBUG) || defined(Py_TRACE_REFS)
    PyObject_Init((PyObject *)n, &Value_Type);
#else
    Py_SET_TYPE((PyObject *)n, &Value_Type);
    /* Py_SET_REFCNT would keep what looks immortal in fresh memory. */
    ((PyObject *)n)->ob_refcnt = 1;
#endif
    return n;
}

static inline Block *block_of(const Node *n) {
    return (Block *)((uintptr_t)n & ~(uintptr_t)(BLOCK_BYTES - 1));
}

/* Takes back a slot whose children have been let go. */
static inline void arena_push(Node *n) {
    assert(arena_is_live(n));
    Block *block = block_of(n);
    Py_ssize_t i = n - (Node *)block;
    block->free_bits[i / 64] |= (uint64_t)1 << (i % 64);
    if (UNLIKELY(++block->n_free == USABLE_SLOTS))
        arena.n_empty++;
    assert(block->n_free <= USABLE_SLOTS);
    POISON(n);
}

#endif
