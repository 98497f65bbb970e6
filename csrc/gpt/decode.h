/* Sampling, and what else is asked of one document: a position at a time, with the keys and values of
 * those before kept. */
#ifndef ISOGRAD_GPT_DECODE_H
#define ISOGRAD_GPT_DECODE_H

#include "model.h"
#include "numerics/calls.h"

/* Keys and values of the positions so far, and the logits for what comes next. */
typedef struct {
    size_t T, n_kept;
    double *logits, *probabilities; /* (V) and (n_kept), where that is at most V */
    size_t *kept;                   /* (n_kept) tokens, upwards */
    double *keys, *values;          /* (L, block_size, C) */
    double *scratch;
    Calls *calls; /* where the calls of libm are noted, or NULL; the caller's */
    /* Where the next position leaves its vectors, in the order of reference.questions, and what each
     * head takes from each of the positions so far; NULL for nowhere. The caller's. */
    double *vectors, *heads;
} Decoder;

/* For models of these sizes, noting no calls; NULL without memory. */
Decoder *decoder_new(const Sizes *s);
void decoder_free(Decoder *d);

/* Appends `token`, below V, at position d->T < block_size; fills d->logits. Where they are not NULL,
 * moves d->vectors on by n_vectors(), d->heads by L H (d->T + 1) numbers. Fails with GPT_POW_RANGE
 * where the square of a relu overflows; then the decoder is of no more use. */
GptError decoder_append(Decoder *d, const GPT *g, size_t token);

/* How many numbers the vectors of a position are. */
size_t n_vectors(const Sizes *s);

/* Keeps the `top_k` >= 1 likeliest tokens, the first of equals; all of V or fewer, and all where a
 * logit is not a number. Then d->probabilities = softmax(their logits / temperature), for
 * temperature > 0. */
GptError decoder_softmax(Decoder *d, const Sizes *s, double temperature, size_t top_k);

/* The draw of random.choices among d->kept with weights d->probabilities: first their total, which
 * has to be checked before a number is drawn, then the token for `random` in [0, 1). */
GptError decoder_total(const Decoder *d, double *total);
size_t decoder_draw(const Decoder *d, double total, double random);

/* The first of the largest logits. */
size_t decoder_argmax(const Decoder *d, const Sizes *s);

#endif
