/* See pieces.h. */
#include "pieces.h"

#include "documents.h"
#include "numerics/lanes.h"

#include <assert.h>

size_t positions_in(const Sizes *s, const Documents *docs, Range range) {
    size_t T = 0;
    for (size_t i = range.from; i < range.to; i++)
        T += document_positions(s, docs, i);
    return T;
}

/* The first of the documents up to `end` that have `most` positions together, or are one alone. */
static size_t piece_start(const Pieces *pieces, size_t end, size_t most) {
    size_t start = end, T = 0;
    while (start > 0) {
        T += document_positions(pieces->s, pieces->docs, start - 1);
        if (T > most && start < end)
            break;
        start--;
    }
    return start;
}

/* Whether n pieces of `most` positions hold all documents up to `end`. */
static int fits(const Pieces *pieces, size_t end, size_t n, size_t most) {
    for (; end > 0 && n > 0; n--)
        end = piece_start(pieces, end, most);
    return end == 0;
}

Pieces pieces_of(const Sizes *s, const Documents *docs, size_t capacity, size_t n_threads) {
    assert(capacity % LANES == 0 && n_threads > 0);
    const size_t T = positions_in(s, docs, (Range){0, docs->n});
    const size_t fewest = (T + capacity - 1) / capacity;
    return (Pieces){
        .s = s,
        .docs = docs,
        .capacity = capacity,
        .n = (fewest + n_threads - 1) / n_threads * n_threads,
        .piece = {docs->n, docs->n},
        .n_positions = T,
    };
}

/* Of the pieces left, one has as many panels as the largest of them needs: so large pieces come
 * first, and threads that take turns have equal shares. */
static void begin_piece(Pieces *pieces) {
    const size_t n_left = pieces->n_begun < pieces->n ? pieces->n - pieces->n_begun : 1;
    const size_t end = pieces->piece.from, capacity = pieces->capacity;
    size_t most = ((pieces->n_positions + n_left - 1) / n_left + LANES - 1) / LANES * LANES;
    while (most < capacity && !fits(pieces, end, n_left, most))
        most += LANES;
    pieces->piece = (Range){piece_start(pieces, end, most < capacity ? most : capacity), end};
    const size_t T = positions_in(pieces->s, pieces->docs, pieces->piece);
    assert(pieces->piece.from < end && T <= capacity);
    pieces->n_positions -= T;
    pieces->n_begun++;
}

int go_to_piece(Pieces *pieces, size_t number) {
    assert(number + 1 >= pieces->n_begun);
    while (pieces->piece.from > 0 && pieces->n_begun <= number)
        begin_piece(pieces);
    return pieces->n_begun == number + 1;
}
