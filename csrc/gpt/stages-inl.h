/* The stages of stages.h, for vectors of WIDTH doubles, STAGES being the name of their table.
 *
 * Each operation's forward and backward stand side by side in an -inl.h of their own; here they are
 * put together. The order of every sum is part of the contract, and ORDER.md derives it.
 */
#include "cross_entropy-inl.h"
#include "embedding-inl.h"
#include "gradient_bound-inl.h"
#include "layer-inl.h"
#include "stages.h"

static void forward(Pass *p, const double *weights, const Worker *me) {
    const Sizes *s = &p->s;
    const Range panels = share_of_panels(me, p->n_panels);
    Outcome *outcome = &p->outcome[me->number];
    outcome->square_overflows = NOWHERE;
    embedding_forward(p, weights, panels);
    rmsnorm_forward(p, &p->embedding_norm, panels);
    for (size_t l = 0; l < s->L; l++) {
        const LayerMatrices m = layer_matrices_of(s, weights, l);
        layer_forward(p, &p->layers[l], p->layers[l + 1].x, &m, me, outcome);
    }
    wait_for_others(me);
    linear_forward(p->logits, lm_head_of(s, weights), p->layers[s->L].x, p->n_panels,
                   share_of_rows(me, s->V));
    wait_for_others(me);
    p->outcome[me->number].log_fails = cross_entropy_forward(p, panels);
}

/* out is (T, stride), x is (panels, n, 8): a range of panels, turned so that features lie side by
 * side. */
static void by_position(double *out, const double *x, size_t n, Range panels) {
    const size_t stride = (n + LANES - 1) / LANES * LANES;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        double *rows = out + panel * LANES * stride;
        const double *features = x + panel * n * LANES;
        size_t i = 0;
        for (; i + LANES <= n; i += LANES)
            transpose(rows + i, stride, features + i * LANES, LANES);
        for (; i < n; i++)
            for (size_t lane = 0; lane < LANES; lane++)
                rows[lane * stride + i] = features[i * LANES + lane];
    }
}

static void backward(Pass *p, const double *weights, const Worker *me) {
    const Sizes *s = &p->s;
    const Layer *top = &p->layers[s->L];
    const Range panels = share_of_panels(me, p->n_panels);
    cross_entropy_backward(p, panels);
    wait_for_others(me);
    lm_head_backward(p, top->dx, lm_head_of(s, weights), share_of_rows(me, s->C));
    by_position(top->x_by_position, top->x, s->C, panels);
    for (size_t l = s->L; l-- > 0;) {
        const Layer *layer = &p->layers[l];
        const LayerMatrices m = layer_matrices_of(s, weights, l);
        wait_for_others(me);
        layer_backward(p, layer, p->layers[l + 1].dx, &m, me);
        by_position(layer->attention_norm.y_by_position, layer->attention_norm.y, s->C, panels);
        by_position(layer->heads_by_position, layer->heads, s->C, panels);
        by_position(layer->mlp_norm.y_by_position, layer->mlp_norm.y, s->C, panels);
        by_position(layer->hidden_by_position, layer->hidden, s->F, panels);
    }
    rmsnorm_backward(p, p->dembedded, &p->embedding_norm, p->layers[0].dx, NULL, panels);
    by_position(p->dembedded_by_position, p->dembedded, s->C, panels);
    complete_dlogits(p, panels);
    find_largest(p, &p->outcome[me->number], panels);
}

/* Rows of all linear layers, as n_linear_rows() counts them, while matrix after matrix goes by. */
typedef struct {
    Range rows;
    size_t next; /* the first row of the next matrix */
    size_t T;
    int from_zero;
} RowsOfAll;

/* Computes the part of the next matrix that is in the range, if any. */
static void matrix_gradient(RowsOfAll *all, MatrixGradient g) {
    const size_t from = all->rows.from > all->next ? all->rows.from - all->next : 0;
    size_t to = all->rows.to > all->next ? all->rows.to - all->next : 0;
    all->next += g.n_out;
    if (to > g.n_out)
        to = g.n_out;
    if (from < to)
        linear_gradient(g, (Range){0, all->T}, (Range){from, to}, all->from_zero);
}

/* g is the gradient of wte, to which the embedding of each position adds after its logits: the given
 * rows. ORDER.md derives it. */
static void tied_gradient(const Pass *p, MatrixGradient g, Range rows, int from_zero) {
    for (size_t o = rows.from; o < rows.to; o++) {
        const Range row = {o, o + 1};
        size_t end = p->T;
        int is_first = from_zero;
        for (size_t t = p->T; t-- > 0;)
            if ((size_t)p->token_id[t] == o) {
                linear_gradient(g, (Range){t, end}, row, is_first);
                add_embedding(p, g.dw + o * g.n_in, t);
                end = t;
                is_first = 0;
            }
        linear_gradient(g, (Range){0, end}, row, is_first);
    }
}

/* The part of lm_head, the first matrix, that is in the range. */
static void lm_head_gradient(RowsOfAll *all, const Pass *p, double *gradients) {
    const MatrixGradient g = {gradients + offsets_of(&p->s).lm_head, p->dlogits,
                              p->layers[p->s.L].x_by_position, p->s.V, p->s.C};
    if (!p->s.ties_weights) {
        matrix_gradient(all, g);
        return;
    }
    const size_t to = all->rows.to < g.n_out ? all->rows.to : g.n_out;
    tied_gradient(p, g, (Range){all->rows.from, to}, all->from_zero);
    all->next = g.n_out;
}

static void weight_gradients(const Pass *p, double *gradients, Range rows, int from_zero) {
    const Offsets begin = offsets_of(&p->s);
    const size_t C = p->s.C, F = p->s.F;
    RowsOfAll all = {rows, 0, p->T, from_zero};
    lm_head_gradient(&all, p, gradients);
    for (size_t l = 0; l < p->s.L; l++) {
        const Layer *layer = &p->layers[l];
        double *dw = gradients + begin.layers + l * begin.layer_size;
        matrix_gradient(&all, (MatrixGradient){dw + begin.qkv, layer->dqkv,
                                               layer->attention_norm.y_by_position, 3 * C, C});
        matrix_gradient(
            &all, (MatrixGradient){dw + begin.wo, layer->dx_mid, layer->heads_by_position, C, C});
        matrix_gradient(&all, (MatrixGradient){dw + begin.fc1, layer->dhidden,
                                               layer->mlp_norm.y_by_position, F, C});
        matrix_gradient(
            &all, (MatrixGradient){dw + begin.fc2, layer[1].dx, layer->hidden_by_position, C, F});
    }
}

const Stages STAGES = {forward, backward, weight_gradients, embedding_gradients};
