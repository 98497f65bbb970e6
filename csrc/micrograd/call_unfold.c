/* Calls of networks turned into the reference's nodes: when somebody looks, and when a second sweep
 * comes by. network.h has the idea.
 */
#include "network.h"
#include "sweep.h"

/* What unfolding makes of a neuron depends on these. */
typedef struct {
    Call *call;
    Py_ssize_t l, o;
    Number data, grad;
    int seen, positive;
    Py_ssize_t rest; /* this many terms, the first ones, an error has kept from being handed on */
} Neuron;

static Number forward_input(const Call *c, Py_ssize_t l, Py_ssize_t i) {
    if (l == 0)
        return (Number){c->x_data[i], c->x_is_int[i]};
    i += network_hidden_place(c->network, l - 1);
    return (Number){c->h[i], c->h_is_int[i]};
}

/* Input i of the neuron as a node, a new reference: that of a number is a leaf of this term's own.
 */
static Scalar *input_node(const Neuron *y, Py_ssize_t i, Number dm) {
    Call *c = y->call;
    Scalar *x = y->l > 0 ? c->unfolded[network_hidden_place(c->network, y->l - 1) + i] : c->x[i];
    if (x) {
        Py_INCREF((PyObject *)x);
        return x;
    }
    x = scalar_new(LEAF, forward_input(c, 0, i), NULL, NULL);
    if (x && y->seen && i >= y->rest)
        scalar_add_product(x, a_float(c->swept_weights->x[network_place(c->network, 0, y->o) + i]),
                           dm);
    return x;
}

/* `sum` and the product of term i; takes over the reference to `sum`. */
static Scalar *next_sum(const Neuron *y, Scalar *sum, Number sum_data, Py_ssize_t i, Number dm) {
    Call *c = y->call;
    Py_ssize_t at = network_place(c->network, y->l, y->o) + i;
    Number product = number_mul(a_float(c->weights->x[at]), forward_input(c, y->l, i));
    Scalar *x = input_node(y, i, dm), *w = c->network->param[at], *m = NULL;
    if (x) {
        Py_INCREF((PyObject *)w);
        m = scalar_new(MUL, product, w, x);
    }
    if (m == NULL) {
        Py_DECREF((PyObject *)sum);
        return NULL;
    }
    if (i >= y->rest)
        scalar_put_grad(m, dm);
    Scalar *s = scalar_new(ADD, number_add(sum_data, product), sum, m);
    if (s && i + 1 >= y->rest)
        scalar_put_grad(s, dm);
    return s;
}

/* The neuron in the reference's nodes, a new reference to the last of them. */
static Scalar *neuron_unfold(const Neuron *y) {
    const Network *net = y->call->network;
    Py_ssize_t n = net->sizes[y->l], at = network_place(net, y->l, y->o);
    int relu = net->relu[network_neuron(net, y->l, y->o)];
    Number dm = an_int(0);
    if (y->seen)
        dm = number_add(dm, relu ? number_mul(an_int(y->positive), y->grad) : y->grad);
    Scalar *s = net->param[at + n];
    Number data = a_float(y->call->weights->x[at + n]);
    Py_INCREF((PyObject *)s);
    for (Py_ssize_t i = 0; s && i < n; i++) {
        s = next_sum(y, s, data, i, dm);
        data = s ? scalar_data(s) : data;
    }
    if (s && relu)
        s = scalar_new(RELU, y->data, s, NULL);
    if (s) {
        scalar_put_data(s, y->data);
        scalar_put_grad(s, y->grad);
    }
    return s;
}

static int unfold_hidden(Call *c, Py_ssize_t rest) {
    const Network *net = c->network;
    Py_ssize_t m = network_hidden(net), q = 0;
    if (m == 0 || c->unfolded)
        return 0;
    c->unfolded = PyMem_Calloc((size_t)m, sizeof *c->unfolded);
    if (c->unfolded == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t l = 0; l + 1 < net->n_layers; l++)
        for (Py_ssize_t o = 0; o < net->sizes[l + 1]; o++, q++) {
            Number data = {c->h[q], c->h_is_int[q]}, grad = {c->dh[q], c->swept_weights == NULL};
            Neuron y = {c, l, o, data, grad, c->seen, c->h[q] > 0.0, q == 0 ? rest : 0};
            if ((c->unfolded[q] = neuron_unfold(&y)) == NULL) {
                while (--q >= 0)
                    Py_DECREF((PyObject *)c->unfolded[q]);
                PyMem_Free(c->unfolded);
                c->unfolded = NULL;
                return -1;
            }
        }
    return 0;
}

/* Gives `n` the operands of `last`, which nobody else knows and which is let go. */
static void take_operands(Scalar *n, Scalar *last) {
    Call *c = n->call;
    n->word = (n->word & ~(KIND_BITS | SEEN | SEEN_POSITIVE)) | (last->word & KIND_BITS);
    n->a = last->a;
    n->b = last->b;
    last->word = (last->word & ~KIND_BITS) | LEAF;
    last->a = last->b = NULL;
    Py_DECREF((PyObject *)last);
    call_release(c);
}

/* The first `rest` terms of the first neuron have not been handed on. */
static int unfold(Scalar *n, Py_ssize_t rest) {
    Call *c = n->call;
    if (unfold_hidden(c, rest) < 0)
        return -1;
    Neuron y = {c,
                c->network->n_layers - 1,
                n->output,
                scalar_data(n),
                scalar_grad(n),
                (n->word & SEEN) != 0,
                (n->word & SEEN_POSITIVE) != 0,
                c->network->n_layers == 1 ? rest : 0};
    Scalar *last = neuron_unfold(&y);
    if (last == NULL)
        return -1;
    take_operands(n, last);
    return 0;
}

/* No collection meanwhile: its finalizers might start a walk, and this may be part of one. */
static int unfold_undisturbed(Scalar *n, Py_ssize_t rest) {
    int collects = PyGC_Disable();
    uint64_t version = scalar_version;
    int status = unfold(n, rest);
    scalar_version = version; /* only new nodes have got data */
    if (collects)
        PyGC_Enable();
    return status;
}

int call_prepare(Scalar *n) {
    Call *c = n->call;
    Weights *now = network_weights(c->network);
    if (now == NULL)
        return -1;
    /* One note of weights serves all outputs: what a number's leaf is due follows from it. */
    int usable = now->usable && (c->swept_weights == NULL || c->swept_weights == now);
    weights_release(now);
    if (LIKELY(usable && !(n->word & SEEN) && !c->seen && !c->unfolded))
        return 0;
    return unfold_undisturbed(n, 0);
}

int call_unfold(Scalar *n) {
    if (scalar_kind(n) != FUSED)
        return 0;
    if (sweep_is_running()) {
        PyErr_SetString(PyExc_RuntimeError, "this cannot be asked of a Value during backward()");
        return -1;
    }
    return unfold_undisturbed(n, 0);
}

int call_before_new_grad(Scalar *n) {
    return scalar_kind(n) == FUSED && n->word & SEEN ? call_unfold(n) : 0;
}

int call_stop(Scalar *n, Py_ssize_t rest) {
    if (scalar_kind(n) != FUSED)
        return 0;
    int is_begun = n->call->network->n_layers == 1 ? (n->word & SEEN) != 0 : n->call->seen;
    return is_begun ? unfold_undisturbed(n, rest) : 0;
}
