/* Training: steps of gradients (batch.h) and Adam, by several threads. */
#ifndef ISOGRAD_GPT_TRAIN_H
#define ISOGRAD_GPT_TRAIN_H

#include "documents.h"
#include "model.h"
#include "numerics/calls.h"
#include "numerics/digest.h"
#include "pace.h"

/* How the learning rate goes on once it has risen to lr, in n_warmup steps. */
typedef enum { FALLS_LINEARLY, FALLS_AS_COSINE, IS_CONSTANT } Decline;

/* Steps first_step .. first_step + n_steps - 1 of a schedule of schedule_steps in all. Each learns
 * from the next batch_size documents; docs.first goes along, docs.n is not used. */
typedef struct {
    Documents docs;
    size_t first_step, n_steps, schedule_steps, batch_size, n_threads;
    size_t n_warmup;
    Decline decline;
    double lr, beta1, beta2, eps, weight_decay;
    double clip_norm;         /* that all gradients have at most; 0: no matter */
    int (*is_unwanted)(void); /* as in batch.h */
    Pace *pace;               /* decides when threads work together; NULL: always */
    double seconds;           /* stop after the first step that ends later than this */
    Calls *calls;             /* where calls of libm are noted; NULL: nowhere. On one thread only */
    double *losses;           /* out: of each step completed */
    unsigned char *digests;   /* out: of the weights after it, DIGEST_SIZE each; or NULL */
    size_t completed;         /* out */
} TrainingRun;

/* After an error, weights and moments are those of the last completed step. */
GptError gpt_train(GPT *g, TrainingRun *run);

#endif
