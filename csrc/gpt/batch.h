/* The losses of a batch and its gradients, computed by all threads of a team together.
 *
 * A batch goes through in pieces (pieces.h), the last documents first: so the sums of weights'
 * gradients, which run over all positions of a batch from last to first, go on from piece to piece.
 * Threads take pieces as they get to them and add each one's gradients, one range of weights after
 * the other, as soon as the piece before has been there: so a thread reads no activations but its
 * own. With fewer documents than threads, all may share one piece after the other, and the weights.
 * Who does what shows in no bit.
 *
 * Training with the gradients is in train.c, computing those of a piece in stages.h.
 */
#ifndef ISOGRAD_GPT_BATCH_H
#define ISOGRAD_GPT_BATCH_H

#include "pass.h"
#include "shares.h"

typedef struct {
    GptError error;
    /* No gradient is larger in magnitude, unless it is NaN; NaN or infinite if not known. */
    double gradient_bound;
} BatchResult;

/* The memory that a model's batches are computed in; it grows with them. */
typedef struct Workspace {
    Pass **passes; /* (n_passes): one for each thread, of about the same capacity */
    size_t n_passes;
    double *losses; /* (n_losses): of a batch's documents */
    size_t n_losses;
    BatchResult results[MOST_THREADS]; /* what each thread found */
    double asked;                      /* when the caller was last asked whether to go on */
} Workspace;

/* Empty, one allocation; NULL without memory. */
Workspace *workspace_new(void);
void workspace_free(Workspace *workspace);

/* Room for n_threads, for the longest of all the documents, and for the losses of n_docs. */
GptError workspace_reserve(Workspace *workspace, const Sizes *s, size_t n_threads,
                           const Documents *docs, size_t n_docs);

/* A batch as one thread of the team sees it: all give the same but for `me`. */
typedef struct {
    GPT *g; /* with room reserved */
    const Documents *docs;
    int with_gradients;
    int (*is_unwanted)(void); /* NULL, or whether to stop: asked by thread 0 every few hundredths of
                               * a second, between pieces; then the error is GPT_INTERRUPTED */
    Calls *calls;             /* where calls of libm are noted, on one thread only; or NULL */
    Worker me;                /* of the team, alone too */
} Batch;

/* To be called by all threads of the team: fills the losses, and g->gradients if asked for, which
 * all may read after the next team_wait(). Each is given the same result. */
BatchResult batch_run(const Batch *batch);

/* The mean of the first n losses; of a single one, that itself. */
double batch_loss(const Workspace *workspace, size_t n);

#endif
