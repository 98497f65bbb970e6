/* One layer, forward and backward: attention and MLP, each after an rmsnorm and beside a residual.
 *
 * Workers share the results of linear layers and of relus row by row, attention head by head, and
 * what else there is panel by panel. They wait for each other before one reads what others have
 * written, or overwrites what they still read.
 */
#ifndef ISOGRAD_GPT_LAYER_INL_H
#define ISOGRAD_GPT_LAYER_INL_H

#include "attention-inl.h"
#include "elementwise-inl.h"
#include "linear-inl.h"
#include "pass.h"
#include "rmsnorm-inl.h"
#include "weights.h"

/* out is (panels, C, 8), from layer->x. Notes in `outcome` where a square overflows. */
static void layer_forward(const Pass *p, const Layer *layer, double *out, const LayerMatrices *m,
                          const Worker *me, Outcome *outcome) {
    const size_t C = p->s.C, F = p->s.F, n = p->n_panels;
    const Range panels = share_of_panels(me, n), rows = share_of_rows(me, C);
    const Range hidden = share_of_rows(me, F);
    rmsnorm_forward(p, &layer->attention_norm, panels);
    wait_for_others(me);
    linear_forward(layer->qkv, m->qkv, layer->attention_norm.y, n, share_of_rows(me, 3 * C));
    wait_for_others(me);
    attention_forward(p, layer, share_of_heads(me, p->s.H));
    wait_for_others(me);
    linear_forward(layer->x_mid, m->wo, layer->heads, n, rows);
    wait_for_others(me);
    add_forward(layer->x_mid, layer->x_mid, layer->x, C, panels);
    rmsnorm_forward(p, &layer->mlp_norm, panels);
    wait_for_others(me);
    linear_forward(layer->relu, m->fc1, layer->mlp_norm.y, n, hidden);
    relu_forward(layer->relu, F, n, hidden);
    if (p->s.squares_relu)
        square_forward(p, layer, hidden, &outcome->square_overflows);
    wait_for_others(me);
    linear_forward(out, m->fc2, layer->hidden, n, rows);
    wait_for_others(me);
    add_forward(out, out, layer->x_mid, C, panels);
}

/* layer->dx and dout are (panels, C, 8): the gradients of the layer's input and output. */
static void layer_backward(const Pass *p, const Layer *layer, const double *dout,
                           const LayerMatrices *m, const Worker *me) {
    const size_t C = p->s.C, F = p->s.F, n = p->n_panels;
    const Range panels = share_of_panels(me, n), columns = share_of_rows(me, C);
    const Range hidden = share_of_rows(me, F);
    const int32_t *order_of_C = descending_rows(p, C), *order_of_F = descending_rows(p, F);
    linear_backward(layer->dhidden, m->fc2, dout, order_of_C, p->T, hidden);
    if (p->s.squares_relu)
        square_backward(layer->dhidden, layer->relu, F, n, hidden);
    relu_backward(layer->dhidden, layer->relu, F, n, hidden);
    wait_for_others(me);
    linear_backward(p->dinput, m->fc1, layer->dhidden, order_of_F, p->T, columns);
    wait_for_others(me);
    rmsnorm_backward(p, layer->dx_mid, &layer->mlp_norm, p->dinput, dout, panels);
    wait_for_others(me);
    linear_backward(p->dinput, m->wo, layer->dx_mid, order_of_C, p->T, columns);
    wait_for_others(me);
    attention_backward(p, layer, p->dinput, share_of_heads(me, p->s.H));
    wait_for_others(me);
    linear_backward(p->dinput, m->qkv, layer->dqkv, p->qkv_order, p->T, columns);
    wait_for_others(me);
    rmsnorm_backward(p, layer->dx, &layer->attention_norm, p->dinput, layer->dx_mid, panels);
}

#endif
