/* Training: steps of gradients (batch.h) and Adam, by several threads. */
#ifndef ISOGRAD_GPT_TRAIN_H
#define ISOGRAD_GPT_TRAIN_H

#include "documents.h"
#include "model.h"
#include "pace.h"

/* Steps first_step .. first_step + n_steps - 1 of a schedule of schedule_steps in all. Each learns
 * from the next batch_size documents; docs.first goes along, docs.n is not used. */
typedef struct {
    Documents docs;
    size_t first_step, n_steps, schedule_steps, batch_size, n_threads;
    double lr, beta1, beta2, eps;
    int (*is_unwanted)(void); /* as in batch.h */
    Pace *pace;               /* decides when threads work together; NULL: always */
    double seconds;           /* stop after the first step that ends later than this */
    double *losses;           /* out: of each step completed */
    size_t completed;         /* out */
} TrainingRun;

/* After an error, weights and moments are those of the last completed step. */
GptError gpt_train(GPT *g, TrainingRun *run);

#endif
