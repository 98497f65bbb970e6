/* The documents of a batch, and how they are looked up. pieces.h cuts a batch up. */
#ifndef ISOGRAD_GPT_DOCUMENTS_H
#define ISOGRAD_GPT_DOCUMENTS_H

#include <assert.h>
#include <stdint.h>

#include "model.h"

/* A batch: n of `total` documents, in order from number `first` on and round again. Document i is
 * tokens[starts[i] .. starts[i + 1]), at least two tokens below V. */
typedef struct {
    const int32_t *tokens;
    const size_t *starts;
    size_t total, first, n;
} Documents;

/* The number, among all of them, of a batch's document i. */
static inline size_t document_number(const Documents *docs, size_t i) {
    const size_t number = docs->first + i;
    return number < docs->total ? number : number % docs->total;
}

static inline const int32_t *document_tokens(const Documents *docs, size_t i) {
    return docs->tokens + docs->starts[document_number(docs, i)];
}

/* How many of its tokens the model predicts. */
static inline size_t document_positions(const Sizes *s, const Documents *docs, size_t i) {
    const size_t *start = docs->starts + document_number(docs, i);
    assert(start[1] >= start[0] + 2);
    const size_t n = start[1] - start[0] - 1;
    return n < s->block_size ? n : s->block_size;
}

#endif
