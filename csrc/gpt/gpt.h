/* A model's memory, and the loss and gradients of a batch on one thread. Training is in train.h,
 * sampling in decode.h. */
#ifndef ISOGRAD_GPT_GPT_H
#define ISOGRAD_GPT_GPT_H

#include "documents.h"
#include "model.h"

/* What kind of model it is to be, beside its sizes (model.h has them). */
typedef struct {
    int squares_relu, ties_weights;
} Kind;

/* Zero weights and moments; NULL without memory. C must be a multiple of H, all at least 1. */
GPT *gpt_new(size_t V, size_t L, size_t C, size_t H, size_t block_size, Kind kind);
void gpt_free(GPT *g);

/* *loss = (1 / n) * the sum of the documents' losses, for n = 1 the document's own. */
GptError gpt_loss(GPT *g, const Documents *docs, double *loss);

/* The same, and g->gradients as a fresh graph's backward leaves them. */
GptError gpt_backward(GPT *g, const Documents *docs, double *loss);

/* (n): the losses of the documents of the last gpt_loss or gpt_backward that ended well. */
const double *gpt_document_losses(const GPT *g);

#endif
