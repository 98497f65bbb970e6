/* Sampling: one position at a time, with the keys and values of those before kept. */
#ifndef ISOGRAD_GPT_DECODE_H
#define ISOGRAD_GPT_DECODE_H

#include "model.h"
#include "numerics/calls.h"

/* Keys and values of the positions so far, and the logits for what comes next. */
typedef struct {
    size_t T;
    double *logits, *probabilities; /* (V) */
    double *keys, *values;          /* (L, block_size, C) */
    double *scratch;
    Calls *calls; /* where the calls of libm are noted, or NULL; the caller's */
} Decoder;

/* For models of these sizes, noting no calls; NULL without memory. */
Decoder *decoder_new(const Sizes *s);
void decoder_free(Decoder *d);

/* Appends `token`, below V, at position d->T < block_size; fills d->logits. Fails with GPT_POW_RANGE
 * where the square of a relu overflows; then the decoder is of no more use. */
GptError decoder_append(Decoder *d, const GPT *g, size_t token);

/* d->probabilities = softmax(d->logits / temperature), for temperature > 0. */
GptError decoder_softmax(Decoder *d, const Sizes *s, double temperature);

/* The draw of random.choices with weights d->probabilities: first their total, which has to be
 * checked before a number is drawn, then the token for `random` in [0, 1). */
GptError decoder_total(const Decoder *d, const Sizes *s, double *total);
size_t decoder_draw(const Decoder *d, const Sizes *s, double total, double random);

/* The first of the largest logits. */
size_t decoder_argmax(const Decoder *d, const Sizes *s);

#endif
