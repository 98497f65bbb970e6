/* A GPT on flat arrays of doubles: loss, gradients, Adam and sampling without a graph.
 *
 * Every number is the one that the scalar graph of isograd.reference computes, to the bit: each sum
 * starts at 0.0 and takes its terms in the graph's order, which ORDER.md derives. Only independent
 * numbers run side by side in vector lanes, so no bit depends on the vector unit, on the number of
 * threads or on how a batch is cut into pieces.
 *
 * Symbols, everywhere in this folder:
 *   V vocabulary   L layers   C = n_embd   H heads   D = C / H   F = 4 C
 *   T positions at hand, of one document or of several in a row   dx is the gradient of x
 * and as indices t for a position, l a layer, h a head, o a row of a matrix, i and j features.
 * "x is (T, C)" says that it holds T rows of C numbers.
 *
 * Plain C11, no Python. The caller keeps a GPT to one thread at a time. Reading order: weights.h,
 * pass.h (layouts), stages.h and the -inl.h files (what is computed), batch.h (by whom), train.c.
 */
#ifndef ISOGRAD_GPT_H
#define ISOGRAD_GPT_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t V, L, C, H, D, F, block_size;
} Sizes;

/* A model; it owns all that it points to. Arrays are flat, in the order that weights.h shows. */
typedef struct GPT {
    Sizes s;
    size_t n_params;
    double *weights, *gradients, *first_moments, *second_moments; /* (n_params) */
    struct Workspace *workspace;                                  /* of batch.h */
} GPT;

/* What stopped a computation, and what Python raises in the same place. */
typedef enum {
    GPT_OK = 0,
    GPT_NO_MEMORY,
    GPT_LOG_DOMAIN,     /* ValueError: math domain error */
    GPT_POW_RANGE,      /* OverflowError: (34, 'Numerical result out of range') */
    GPT_POW_COMPLEX,    /* ValueError: a root of a negative number */
    GPT_DIVISION,       /* ZeroDivisionError: float division by zero */
    GPT_TOTAL_ZERO,     /* ValueError: Total of weights must be greater than zero */
    GPT_TOTAL_INFINITE, /* ValueError: Total of weights must be finite */
} GptError;

/* A batch: n of `total` documents, in order from number `first` on and round again. Document i is
 * tokens[starts[i] .. starts[i + 1]), at least two tokens below V. */
typedef struct {
    const int32_t *tokens;
    const size_t *starts;
    size_t total, first, n;
} Documents;

/* Steps first_step .. first_step + n_steps - 1 of a schedule of schedule_steps in all. Each learns
 * from the next batch_size documents; docs.first goes along, docs.n is not used. */
typedef struct {
    Documents docs;
    size_t first_step, n_steps, schedule_steps, batch_size, n_threads;
    double lr, beta1, beta2, eps;
    double seconds;   /* stop after the first step that ends later than this */
    double *losses;   /* out: of each step completed */
    size_t completed; /* out */
} TrainingRun;

/* Zero weights and moments; NULL without memory. C must be a multiple of H, all at least 1. */
GPT *gpt_new(size_t V, size_t L, size_t C, size_t H, size_t block_size);
void gpt_free(GPT *g);

/* *loss = (1 / n) * the sum of the documents' losses, for n = 1 the document's own. */
GptError gpt_loss(GPT *g, const Documents *docs, double *loss);

/* The same, and g->gradients as a fresh graph's backward leaves them. */
GptError gpt_backward(GPT *g, const Documents *docs, double *loss);

/* After an error, weights and moments are those of the last completed step. */
GptError gpt_train(GPT *g, TrainingRun *run);

/* Keys and values of the positions so far, and the logits for what comes next. */
typedef struct {
    size_t T;
    double *logits, *probabilities; /* (V) */
    double *keys, *values;          /* (L, block_size, C) */
    double *scratch;
} Decoder;

/* For models of these sizes; NULL without memory. */
Decoder *decoder_new(const Sizes *s);
void decoder_free(Decoder *d);

/* Appends `token`, below V, at position d->T < block_size; fills d->logits. */
void decoder_append(Decoder *d, const GPT *g, size_t token);

/* d->probabilities = softmax(d->logits / temperature), for temperature > 0. */
GptError decoder_softmax(Decoder *d, const Sizes *s, double temperature);

/* The draw of random.choices with weights d->probabilities: first their total, which has to be
 * checked before a number is drawn, then the token for `random` in [0, 1). */
GptError decoder_total(const Decoder *d, const Sizes *s, double *total);
size_t decoder_draw(const Decoder *d, const Sizes *s, double total, double random);

/* The first of the largest logits. */
size_t decoder_argmax(const Decoder *d, const Sizes *s);

#endif
