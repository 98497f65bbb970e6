/* The memory of one forward and backward pass over T positions, and the functions that run it.
 *
 * Positions lie side by side in vector lanes: a vector of n features at T positions is stored as
 * ceil(T / 8) panels, each n rows of 8 positions,
 *
 *      x[panel][feature][lane]     for position 8 * panel + lane,
 *
 * so a linear layer takes a weight from where it lies, spreads it over the lanes, and multiplies it
 * with a row; no weight is ever transposed, and rows of a result are independent sums that hide the
 * latency of addition. Only gradients of weights are sums over positions: for them the inputs of
 * the linear layers are kept a second time with features in the lanes (x_by_position, (T, stride)).
 *
 * Documents follow one another without a gap; a lane sees those of its own document up to its own
 * position, which is what the masks say. Lanes past the last position hold numbers that reach no
 * result; at most they widen the bound on gradients.
 */
#ifndef ISOGRAD_GPT_PASS_H
#define ISOGRAD_GPT_PASS_H

#include "gpt.h"
#include "numerics/lanes.h"
#include "team.h"

/* One of the n threads that run a pass's stages together; alone, with n = 1, it has no team. */
typedef struct {
    Team *team;
    size_t number, n;
} Worker;

static inline void wait_for_others(const Worker *me) {
    if (me->n > 1)
        team_wait(me->team);
}

/* What a worker found in its share of the positions. */
typedef struct {
    GptError error;               /* of the forward stage */
    double largest_dy, largest_x; /* magnitudes, after the backward stage; NaN is left out */
} Outcome;

/* One layer's activations and gradients: panels of so many features unless said otherwise. After
 * the last layer comes one more entry, of which only the first line is used. */
typedef struct {
    double *x, *dx, *x_by_position; /* C: the input; by position only after the last layer */
    double *norm1, *norm2;          /* C: what rmsnorm made of x and of mid */
    double *scale1, *slope1;        /* 1: rmsnorm's factor, and its derivative by the mean square */
    double *scale2, *slope2;        /* 1 */
    double *qkv, *dqkv;             /* 3 C: queries, keys, values */
    double *attention, *attended;   /* blocks with heads: exponentials, and what they are divided */
    double *inverse, *slope;        /* H: total**-1 and -total**-2 of attention's softmax */
    double *heads;                  /* C: the output of attention */
    double *mid, *dmid;             /* C: x + wo heads */
    double *relu, *dhidden;         /* F */
    double *norm1_by_position, *heads_by_position, *norm2_by_position, *relu_by_position;
} Layer;

typedef struct Pass {
    size_t capacity; /* positions, a multiple of 8 */
    size_t T, n_panels, n_docs;
    int32_t *doc_starts;             /* n_docs */
    int32_t *token, *target, *place; /* of each position: token, next one, index in the document */
    double *seed, *loss;             /* of each position: gradient of its cross entropy, and that */
    double *probability;             /* of each position's target */

    /* A panel of positions sees the panels first_seen[panel] .. panel. For each of them there is a
     * block of 8 x 8, rows for what is seen, lanes for who sees; block_start[panel] is the number
     * of blocks before. With heads: H times as many, all blocks of one head together. Transposed:
     * rows for who sees, in the same place. */
    size_t *first_seen, *block_start;
    int64_t *mask, *mask_transposed; /* blocks: -1 where a position may look, else 0 */

    Layer *layers;                                                  /* L + 1 */
    double *embedded, *dembedded, *embedded_scale, *embedded_slope; /* C, C, 1, 1 */
    double *dembedded_by_position;
    double *logits, *dlogits; /* V; logits turn into exps */
    double *inverse, *slope;  /* 1: of the softmax */

    double *dscores;    /* blocks with heads */
    double *dtemporary; /* C */
    double *dtarget;    /* of each position: gradient of its target's logit */

    /* Orders of rows: all down to 0 (its last n entries for n rows), and those of wq, wk, wv below
     * each other as the graph hands gradients on: in general, and at the first position. */
    int32_t *descending, *qkv_order, *qkv_order_first;
    size_t n_descending;
    double width_inverse, root_inverse; /* C**-1, (D**0.5)**-1 */

    size_t n_workers;
    Outcome outcome[MOST_THREADS]; /* n_workers */

    /* For gpt.c: of all that one thread has had of a batch. */
    GptError batch_error;
    double batch_bound; /* the sum of pass_gradient_bound() */
} Pass;

/* One allocation with room for a document of `longest` positions at least; NULL without memory. */
Pass *pass_new(const Sizes *s, size_t longest);

/* Takes documents [from, to), of `capacity` positions at most, for n_workers; `share` is the
 * gradient of each document's loss. */
void pass_take(Pass *p, const Sizes *s, const Documents *docs, size_t from, size_t to, double share,
               size_t n_workers);

/* What the forward stage came to. */
GptError pass_error(const Pass *p);

/* No weight's gradient from this pass is larger in magnitude, unless it is NaN; NaN or infinite if
 * that is not known. */
double pass_gradient_bound(const Pass *p);

/* How many of its tokens the model predicts. */
size_t document_positions(const Sizes *s, const Documents *docs, size_t i);

/* Where the matrices begin in a flat array. */
typedef struct {
    size_t wte, wpe, lm_head, layers, layer_size;
    size_t qkv, wo, fc1, fc2; /* from a layer's begin */
} Offsets;

Offsets offsets_of(const Sizes *s);

/* The stages, compiled once for each vector unit from passes.h. One is over when all its workers
 * have returned. */
typedef struct {
    /* Fills p->loss, what the next stage needs, and the worker's p->outcome. */
    void (*forward)(Pass *p, const Sizes *s, const double *weights, const Worker *me);
    /* Gradients of all activations, and the worker's p->outcome. */
    void (*backward)(Pass *p, const Sizes *s, const double *weights, const Worker *me);
    /* Adds to the gradients of linear layers, or sets them where `begin`: rows [from, to) of all
     * their rows, counted as they lie in `gradients`. */
    void (*weights)(const Pass *p, const Sizes *s, double *gradients, int begin, size_t from,
                    size_t to);
    /* Adds to the gradients of wte and wpe, or sets them where `begin`. */
    void (*embeddings)(const Pass *p, const Sizes *s, double *gradients, int begin);
} Stages;

extern const Stages stages_plain, stages_avx2, stages_avx512;

#endif
