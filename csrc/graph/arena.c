/* Blocks of node slots: finding free ones, growing, trimming. See arena.h for the idea. */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <malloc.h>
#endif

/* Empty blocks kept back, 64 MB: a training loop drops its graph at every step, and fetching fresh
 * pages for the next one costs some 15 % of building it. Trimming starts at twice that. */
#define KEPT_EMPTY 32

/* A block is worth moving to when an eighth of it is free; sooner, a new one is added. */
#define WORTHWHILE (USABLE_SLOTS / 8)

Arena arena;
static Block **blocks; /* sorted by address */
static Py_ssize_t n_blocks, blocks_capacity;
static Block *current;
static Py_ssize_t next_word; /* of `current`: those before have been looked at */

/* ---- memory ---- */

static Block *block_allocate(void) {
#if defined(_WIN32)
    return _aligned_malloc(BLOCK_BYTES, BLOCK_BYTES);
#else
    return aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
#endif
}

static void block_free(Block *block) {
    for (Py_ssize_t i = HEADER_SLOTS; i < BLOCK_SLOTS; i++)
        UNPOISON((Node *)block + i);
#if defined(_WIN32)
    _aligned_free(block);
#else
    free(block);
#endif
}

static void mark_all_free(Block *block) {
    memset(block->free_bits, 0, sizeof block->free_bits);
    for (Py_ssize_t i = HEADER_SLOTS; i < BLOCK_SLOTS; i++)
        block->free_bits[i / 64] |= (uint64_t)1 << (i % 64);
    block->n_free = USABLE_SLOTS;
}

static int is_below(const void *a, const void *b) { return (uintptr_t)a < (uintptr_t)b; }

static void insert_block(Block *block) {
    Py_ssize_t i = n_blocks++;
    for (; i > 0 && is_below(block, blocks[i - 1]); i--) {
        blocks[i] = blocks[i - 1];
        blocks[i]->index = i;
    }
    blocks[i] = block;
    block->index = i;
}

static int reserve_list(void) {
    if (n_blocks < blocks_capacity)
        return 0;
    Py_ssize_t capacity = blocks_capacity ? 2 * blocks_capacity : 64;
    Block **grown = PyMem_RawRealloc(blocks, (size_t)capacity * sizeof *grown);
    if (grown == NULL)
        return -1;
    blocks = grown;
    blocks_capacity = capacity;
    return 0;
}

/* A new, empty block in the list; NULL with MemoryError set. */
static Block *grow(void) {
    Block *block = reserve_list() == 0 ? block_allocate() : NULL;
    if (block == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    mark_all_free(block);
    insert_block(block);
    arena.n_slots += USABLE_SLOTS;
    arena.n_empty++;
    return block;
}

/* ---- finding free slots ---- */

/* In parallel within pairs, nibbles, bytes, then summed: portable, and fast enough here. */
static int count_bits(uint64_t bits) {
    bits -= bits >> 1 & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return (int)(bits * 0x0101010101010101 >> 56);
}

/* Moves the next non-empty word of `current` into arena.bits; 0 if there is none. */
static int take_word(void) {
    for (; next_word < BLOCK_WORDS; next_word++) {
        uint64_t bits = current->free_bits[next_word];
        if (bits == 0)
            continue;
        current->free_bits[next_word] = 0;
        if (current->n_free == USABLE_SLOTS)
            arena.n_empty--;
        current->n_free -= count_bits(bits);
        assert(current->n_free >= 0);
        arena.bits = bits;
        arena.base = (Node *)current + 64 * next_word++;
        return 1;
    }
    return 0;
}

static void put_word_back(void) {
    if (arena.bits == 0)
        return;
    assert(next_word >= 1 && arena.base == (Node *)current + 64 * (next_word - 1));
    assert(!(current->free_bits[next_word - 1] & arena.bits));
    current->free_bits[next_word - 1] |= arena.bits;
    current->n_free += count_bits(arena.bits);
    if (current->n_free == USABLE_SLOTS)
        arena.n_empty++;
    arena.bits = 0;
}

/* The next block upwards, then from the bottom, with room enough; NULL if there is none. */
static Block *roomy_block(void) {
    Py_ssize_t start = current ? current->index + 1 : 0;
    for (Py_ssize_t i = 0; i < n_blocks; i++) {
        Block *block = blocks[(start + i) % n_blocks];
        if (block->n_free >= WORTHWHILE)
            return block;
    }
    return NULL;
}

int arena_refill(void) {
    assert(arena.bits == 0);
    if (current && take_word())
        return 0;
    Block *block = roomy_block();
    if (block == NULL && (block = grow()) == NULL)
        return -1;
    current = block;
    next_word = 0;
    take_word();
    assert(arena.bits);
    return 0;
}

void arena_rewind(const Node *lowest) {
    Block *block = block_of(lowest);
    Py_ssize_t word = (lowest - (Node *)block) / 64;
    if (is_below(current, block) || (block == current && word >= next_word))
        return;
    put_word_back();
    current = block;
    next_word = word;
}

/* ---- trimming ---- */

void arena_trim(void) {
    if (arena.n_empty <= 2 * KEPT_EMPTY)
        return;
    put_word_back();
    current = NULL;
    Py_ssize_t kept = 0, kept_empty = 0;
    for (Py_ssize_t i = 0; i < n_blocks; i++) {
        Block *block = blocks[i];
        if (block->n_free == USABLE_SLOTS && kept_empty++ >= KEPT_EMPTY) {
            block_free(block);
            arena.n_slots -= USABLE_SLOTS;
            arena.n_empty--;
        } else {
            block->index = kept;
            blocks[kept++] = block;
        }
    }
    n_blocks = kept;
}

Py_ssize_t arena_live_slots(void) {
    Py_ssize_t free_slots = count_bits(arena.bits);
    for (Py_ssize_t i = 0; i < n_blocks; i++)
        free_slots += blocks[i]->n_free;
    return arena.n_slots - free_slots;
}

int arena_is_live(const Node *n) {
    const Block *block = block_of(n);
    if (block->index < 0 || block->index >= n_blocks || blocks[block->index] != block)
        return 0;
    Py_ssize_t i = n - (const Node *)block;
    if (i < HEADER_SLOTS || i >= BLOCK_SLOTS || (block->free_bits[i / 64] >> (i % 64) & 1))
        return 0;
    uintptr_t taken = ((uintptr_t)n - (uintptr_t)arena.base) / sizeof(Node);
    return arena.bits == 0 || taken >= 64 || !(arena.bits >> taken & 1);
}
