/* The memory of one forward and backward pass over T positions. stages.h has what computes in it.
 *
 * Positions lie side by side in vector lanes: a vector of n features at T positions is stored as
 * ceil(T / 8) panels, each n rows of 8 positions. Such an x is (panels, n, 8):
 *
 *      x[panel][feature][lane]     for position 8 * panel + lane,
 *
 * so a linear layer takes a weight from where it lies, spreads it over the lanes, and multiplies it
 * with a row; no weight is ever transposed, and rows of a result are independent sums that hide the
 * latency of addition. (Backward, columns of the matrix lie in the lanes, and their sums are turned
 * into the panel: linear-inl.h.) Only gradients of weights are sums over positions: for them the
 * inputs of the linear layers are kept a second time with features in the lanes: x_by_position is
 * (T, stride), stride being n rounded up to a multiple of 8.
 *
 * Documents follow one another without a gap; a lane sees those of its own document up to its own
 * position, which is what the masks say. Lanes past the last position hold numbers that reach no
 * result; at most they widen the bound on gradients.
 */
#ifndef ISOGRAD_GPT_PASS_H
#define ISOGRAD_GPT_PASS_H

#include "documents.h"
#include "model.h"
#include "numerics/calls.h"
#include "numerics/lanes.h"
#include "shares.h"

/* One rmsnorm: y = x * scale, scale = (mean of x**2 + 1e-5)**-0.5. */
typedef struct {
    const double *x;           /* (panels, C, 8) */
    double *y, *y_by_position; /* (panels, C, 8), (T, stride) */
    double *scale, *slope;     /* (panels, 8): and its derivative by the mean square */
} Norm;

/* Softmax divides by multiplying with total**-1, whose derivative is -total**-2. */
typedef struct {
    double *inverse, *slope; /* (panels, softmaxes, 8): total**-1 and -total**-2 */
} Totals;

/* One layer's activations and gradients. After the last layer comes one more entry, of which only
 * x, dx and x_by_position are used: the input of lm_head. */
typedef struct {
    double *x, *dx;           /* (panels, C, 8): the layer's input */
    double *x_by_position;    /* (T, stride): only after the last layer */
    Norm attention_norm;      /* of x */
    double *qkv, *dqkv;       /* (panels, 3 C, 8): queries, keys, values, C each */
    double *exps;             /* blocks with heads: exp(score - max) */
    Totals totals;            /* (panels, H, 8): of these softmaxes */
    double *heads;            /* (panels, C, 8): outputs of the heads, next to one another */
    double *x_mid, *dx_mid;   /* (panels, C, 8): x + wo heads, between attention and MLP */
    Norm mlp_norm;            /* of x_mid */
    double *relu;             /* (panels, F, 8): its output */
    double *hidden, *dhidden; /* (panels, F, 8): that or its square; the gradient of relu's input */
    double *heads_by_position, *hidden_by_position; /* (T, stride) */
} Layer;

/* What a worker found in its share of the positions: of the forward stage, the first position at
 * which Python raises, NOWHERE for none. */
#define NOWHERE SIZE_MAX
typedef struct {
    size_t square_overflows, log_fails;
    double largest_dy, largest_x; /* magnitudes, after the backward stage; NaN is left out */
} Outcome;

typedef enum { MIDDLE_BLOCK, FIRST_BLOCK, LAST_BLOCK, BLOCK_KINDS } BlockKind;

typedef struct Pass {
    Sizes s;
    size_t capacity; /* positions, a multiple of 8 */
    size_t T, n_panels, n_docs;
    int32_t *doc_starts;                    /* (n_docs): the first position of each */
    int32_t *token_id, *target_id, *pos_id; /* (T): token, the next one, index in the document */
    double *loss, *dloss;                   /* (T): cross entropy, and the gradient of that */
    double *probability, *dtarget;          /* (T): of the target, and the gradient of its logit */

    /* A panel of positions sees the panels first_seen[panel] .. panel. For each of them there is a
     * block of 8 x 8, rows for what is seen, lanes for who sees; first_block[panel] is the number
     * of blocks before. In arrays "with heads" there are H times as many, a panel's blocks of one
     * head together.
     *     A mask is -1 where a position may look, else 0. A panel has three, for its first block,
     * for its last, and for all blocks between, whose rows belong to one document: that of lane 0.
     * A block that is both the first and the last has the last's. Transposed: rows for who sees. */
    size_t *first_seen, *first_block;
    int64_t *mask, *mask_transposed; /* (panels, BLOCK_KINDS, 8, 8) */
    int *is_full;                    /* (panels, BLOCK_KINDS): whether the mask is all -1 */

    Norm embedding_norm;                       /* of wte's row + wpe's row; y is layers[0].x */
    double *embedded;                          /* (panels, C, 8): its x */
    double *dembedded, *dembedded_by_position; /* (panels, C, 8), (T, stride) */
    Layer *layers;                             /* (L + 1) */
    double *logits, *dlogits;                  /* (panels, V, 8); logits turn into exps */
    Totals totals;                             /* (panels, 8): of the loss's softmax */

    double *dscores;  /* (H, most_seen, 8, 8): one panel's gradients of weights, then of scores */
    size_t most_seen; /* blocks of a panel, at most */
    double *dinput;   /* (panels, C, 8): gradient of the input of fc1, then of wo, then of qkv */

    /* Orders of rows (ORDER.md): from the last to the first, and those of wq, wk, wv below one
     * another as the graph hands gradients on. */
    int32_t *descending; /* (n_descending): n_descending - 1 .. 0 */
    size_t n_descending;
    int32_t *qkv_order;                     /* (3 C) */
    double inverse_of_C, inverse_root_of_D; /* C**-1, (D**0.5)**-1 */

    Calls *calls; /* where the forward stage notes those of libm; NULL: nowhere. For one worker */
    size_t n_workers;
    Outcome outcome[MOST_THREADS]; /* (n_workers) */
} Pass;

/* One allocation with room for a document of `longest` positions at least, to be given back by
 * free(); NULL without memory. */
Pass *pass_new(const Sizes *s, size_t longest);

/* Takes the batch's documents in `piece`, of `capacity` positions at most, for n_workers; `dmean`
 * is the gradient of each document's loss. */
void pass_take(Pass *p, const Documents *docs, Range piece, double dmean, size_t n_workers);

/* What the forward stage found: the error of the first position that has one, if any. */
GptError pass_error(const Pass *p);

/* No weight's gradient from this pass is larger in magnitude, unless it is NaN; NaN or infinite if
 * that is not known. */
double pass_gradient_bound(const Pass *p);

/* (n): the rows of a matrix of n rows from the last to the first. */
static inline const int32_t *descending_rows(const Pass *p, size_t n) {
    assert(n <= p->n_descending);
    return p->descending + (p->n_descending - n);
}

/* Of numbers for all lanes of these panels: the calls for positions are to be noted. */
static inline Noted noted_positions(const Pass *p, Range panels) {
    const size_t first = panels.from * LANES, n = panels.to * LANES - first;
    return (Noted){p->calls, n, n < p->T - first ? n : p->T - first};
}

#endif
