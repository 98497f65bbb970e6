/* Cuts a batch into pieces of a few documents, the last documents first.
 *
 * A piece is what a Pass holds at once. This is arithmetic on lengths alone: batch.c says which
 * thread takes which piece, and what it does with it.
 */
#ifndef ISOGRAD_GPT_PIECES_H
#define ISOGRAD_GPT_PIECES_H

#include "documents.h"
#include "model.h"
#include "shares.h"

/* A batch on its way from the last document to the first. */
typedef struct {
    const Sizes *s;
    const Documents *docs;
    size_t capacity; /* positions that a piece may have */
    size_t n;        /* pieces planned; there are more if not all documents fit */
    size_t n_begun;
    Range piece;        /* documents of the one begun last; all below piece.from are left */
    size_t n_positions; /* of the documents left */
} Pieces;

/* Plans about as few pieces as hold the batch, but as many for each of n_threads. No document may
 * have more than `capacity` positions, a multiple of 8. */
Pieces pieces_of(const Sizes *s, const Documents *docs, size_t capacity, size_t n_threads);

/* Goes on to the piece of that number, from 0, which is not below that of the last call; its
 * documents are pieces->piece. 0 if there is no such piece. */
int go_to_piece(Pieces *pieces, size_t number);

/* The positions of the batch's documents in `range`. */
size_t positions_in(const Sizes *s, const Documents *docs, Range range);

#endif
