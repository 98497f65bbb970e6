/* One pass of inputs through a network, and the way back; network.h has the idea. */
#include "network.h"
#include "sweep.h"

#include <string.h>

static Py_ssize_t count_hidden(const Network *net) {
    return net->n_neurons - net->sizes[net->n_layers];
}

/* Where layer l's neurons begin in the arrays of hidden ones. */
static Py_ssize_t hidden_place(const Network *net, Py_ssize_t l) {
    return network_neuron(net, l, 0);
}

/* ---- making and letting go ---- */

static Call *call_new(Network *net) {
    size_t n = (size_t)net->sizes[0], m = (size_t)count_hidden(net);
    size_t size =
        sizeof(Call) + n * (sizeof(Scalar *) + sizeof(double) + 1) + m * (2 * sizeof(double) + 1);
    Call *c = PyMem_Malloc(size);
    if (c == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *c = (Call){.n_owners = 1, .network = net, .weights = network_weights(net)};
    if (c->weights == NULL) {
        PyMem_Free(c);
        return NULL;
    }
    net->n_owners++;
    c->x = (Scalar **)(c + 1);
    c->x_data = (double *)(c->x + n);
    c->h = c->x_data + n;
    c->dh = c->h + m;
    c->x_is_int = (unsigned char *)(c->dh + m);
    c->h_is_int = c->x_is_int + n;
    memset(c->x, 0, n * sizeof *c->x);
    memset(c->dh, 0, m * sizeof *c->dh);
    return c;
}

void call_release(Call *c) {
    if (--c->n_owners > 0)
        return;
    Network *net = c->network;
    for (Py_ssize_t i = 0; i < net->sizes[0]; i++)
        Py_XDECREF((PyObject *)c->x[i]);
    for (Py_ssize_t q = 0; c->unfolded && q < count_hidden(net); q++)
        Py_XDECREF((PyObject *)c->unfolded[q]);
    PyMem_Free(c->unfolded);
    weights_release(c->weights);
    weights_release(c->swept_weights);
    network_release(net);
    PyMem_Free(c);
}

/* 1; 0 if one of them is nothing for us; -1 with an exception set. */
static int take_inputs(Call *c, PyObject *const *at) {
    for (Py_ssize_t i = 0; i < c->network->sizes[0]; i++) {
        Number number;
        if (Scalar_CheckExact(at[i])) {
            Scalar *x = (Scalar *)at[i];
            if (x->word & IS_PARAM)
                return 0;
            Py_INCREF(at[i]);
            c->x[i] = x;
            number = scalar_data(x);
        } else if (PyFloat_Check(at[i]) || PyLong_CheckExact(at[i])) {
            if (number_from(at[i], &number) < 0)
                return -1;
        } else
            return 0;
        c->x_data[i] = number.x;
        c->x_is_int[i] = (unsigned char)number.is_int;
    }
    return 1;
}

/* ---- forward ---- */

/* The neuron whose parameters are the n + 1 numbers at `w`. */
static inline Number forward(const double *w, const double *x, Py_ssize_t n, int relu) {
    double s = w[n];
    for (Py_ssize_t i = 0; i < n; i++)
        s += w[i] * x[i];
    return relu && s < 0.0 ? an_int(0) : a_float(s);
}

static void forward_hidden(Call *c) {
    const Network *net = c->network;
    const double *w = c->weights->x, *x = c->x_data;
    Py_ssize_t q = 0;
    for (Py_ssize_t l = 0; l + 1 < net->n_layers; l++) {
        Py_ssize_t n = net->sizes[l], first = q;
        for (; q < first + net->sizes[l + 1]; q++, w += n + 1) {
            Number y = forward(w, x, n, net->relu[q]);
            c->h[q] = y.x;
            c->h_is_int[q] = (unsigned char)y.is_int;
        }
        x = c->h + first;
    }
}

static Scalar *new_output(Call *c, Py_ssize_t k) {
    const Network *net = c->network;
    Py_ssize_t last = net->n_layers - 1;
    const double *x = last > 0 ? c->h + hidden_place(net, last - 1) : c->x_data;
    Number data = forward(c->weights->x + network_place(net, last, k), x, net->sizes[last],
                          net->relu[network_neuron(net, last, k)]);
    Scalar *y = scalar_new(LEAF, data, NULL, NULL);
    if (y) {
        y->word |= FUSED;
        y->call = c;
        y->output = k;
        c->n_owners++;
    }
    return y;
}

static PyObject *outputs(Call *c) {
    Py_ssize_t n = c->network->sizes[c->network->n_layers];
    if (n == 1)
        return (PyObject *)new_output(c, 0);
    PyObject *list = PyList_New(n);
    for (Py_ssize_t k = 0; list && k < n; k++) {
        PyObject *y = (PyObject *)new_output(c, k);
        if (y == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, k, y);
    }
    return list;
}

PyObject *call_forward(Network *net, PyObject *x) {
    if (!PyList_CheckExact(x) && !PyTuple_CheckExact(x))
        Py_RETURN_NOTIMPLEMENTED;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(x);
    Call *c = n == net->sizes[0] ? call_new(net) : NULL;
    if (c == NULL) {
        if (PyErr_Occurred())
            return NULL;
        Py_RETURN_NOTIMPLEMENTED;
    }
    PyObject *y = NULL;
    int taken = c->weights->usable ? take_inputs(c, PySequence_Fast_ITEMS(x)) : 0;
    if (taken == 0) {
        y = Py_NotImplemented;
        Py_INCREF(y);
    } else if (taken > 0) {
        forward_hidden(c);
        y = outputs(c);
    }
    call_release(c);
    return y;
}

int call_output_is_relu(const Scalar *n) {
    const Network *net = n->call->network;
    return net->relu[network_neuron(net, net->n_layers - 1, n->output)];
}

/* ---- walking ---- */

int call_has_rest(const Scalar *n) { return n->call->network->n_layers > 1; }

Py_ssize_t call_inputs(const Scalar *n, uint64_t walk_number) {
    Call *c = n->call;
    if (!call_has_rest(n))
        return c->network->sizes[0];
    if (c->met_in_walk != walk_number) {
        c->met_in_walk = walk_number;
        c->lead = n;
    }
    return c->lead == n ? c->network->sizes[0] : 0;
}

Scalar *call_input(const Scalar *n, Py_ssize_t i) { return n->call->x[i]; }

/* ---- backward ---- */

/* The gradient that reaches all products of a neuron whose own is `g`. */
static double into_products(double g, int relu, int positive) {
    return 0.0 + (relu ? (positive ? g : 0.0 * g) : g);
}

/* Terms from .. to of neuron o of the first layer, whose products have the gradient `dm`. */
static void hand_on_to_inputs(Call *c, Py_ssize_t o, Py_ssize_t from, Py_ssize_t to, double dm) {
    const Network *net = c->network;
    Py_ssize_t at = network_place(net, 0, o);
    const double *w = c->swept_weights->x + at;
    for (Py_ssize_t i = to - 1; i >= from; i--) {
        Scalar *x = c->x[i];
        scalar_add_float(net->param[at + i], (x ? x->data : c->x_data[i]) * dm);
        if (x)
            scalar_add_float(x, w[i] * dm);
    }
}

/* All terms of neuron o of layer l, which is not the first. */
static void hand_on_to_hidden(Call *c, Py_ssize_t l, Py_ssize_t o, double dm) {
    const Network *net = c->network;
    Py_ssize_t at = network_place(net, l, o), first = hidden_place(net, l - 1);
    const double *w = c->swept_weights->x + at, *h = c->h + first;
    double *dh = c->dh + first;
    for (Py_ssize_t i = net->sizes[l] - 1; i >= 0; i--) {
        scalar_add_float(net->param[at + i], h[i] * dm);
        dh[i] += w[i] * dm;
    }
}

/* The bias takes what the first sum has: a neuron of one input without relu is that sum. */
static void hand_on_to_bias(Call *c, Py_ssize_t l, Py_ssize_t o, double g, int relu, double dm) {
    const Network *net = c->network;
    Py_ssize_t n = net->sizes[l];
    scalar_add_float(net->param[network_place(net, l, o) + n], n == 1 && !relu ? g : dm);
}

static void hand_on_hidden(Call *c, Py_ssize_t l, Py_ssize_t o, Py_ssize_t from, Py_ssize_t to) {
    Py_ssize_t q = network_neuron(c->network, l, o);
    int relu = c->network->relu[q];
    double g = c->dh[q], dm = into_products(g, relu, c->h[q] > 0.0);
    if (l > 0)
        hand_on_to_hidden(c, l, o, dm);
    else
        hand_on_to_inputs(c, o, from, to, dm);
    if (from == 0)
        hand_on_to_bias(c, l, o, g, relu, dm);
}

static void hand_on_rest(Call *c) {
    const Network *net = c->network;
    for (Py_ssize_t l = net->n_layers - 2; l >= 0; l--)
        for (Py_ssize_t o = net->sizes[l + 1] - 1; o >= (l == 0); o--)
            hand_on_hidden(c, l, o, 0, net->sizes[l]);
}

/* An int gradient, which is rare: the root's 1. */
NOINLINE static void hand_on_int(Scalar *n, Py_ssize_t from, Py_ssize_t to, int relu) {
    Call *c = n->call;
    const Network *net = c->network;
    Py_ssize_t l = net->n_layers - 1, at = network_place(net, l, n->output);
    Py_ssize_t first = l > 0 ? hidden_place(net, l - 1) : 0;
    const double *w = c->swept_weights->x + at;
    Number dm = scalar_grad(n);
    if (relu)
        dm = number_mul(an_int(n->data > 0.0), dm);
    for (Py_ssize_t i = to - 1; i >= from; i--) {
        Scalar *x = l > 0 ? NULL : c->x[i];
        Number number = {c->x_data[l > 0 ? 0 : i], c->x_is_int[l > 0 ? 0 : i]};
        if (l > 0)
            number = (Number){c->h[first + i], c->h_is_int[first + i]};
        scalar_add_product(net->param[at + i], x ? scalar_data(x) : number, dm);
        if (x)
            scalar_add_float(x, w[i] * dm.x);
        if (l > 0)
            c->dh[first + i] += w[i] * dm.x;
    }
    if (from == 0)
        scalar_add_product(net->param[at + net->sizes[l]], an_int(1), dm);
}

static void hand_on_output(Scalar *n, Py_ssize_t from, Py_ssize_t to) {
    Call *c = n->call;
    Py_ssize_t l = c->network->n_layers - 1;
    int relu = call_output_is_relu(n);
    int positive = n->data > 0.0;
    n->word = (n->word & ~SEEN_POSITIVE) | SEEN | scalar_flag(positive, SEEN_POSITIVE);
    if (UNLIKELY(n->word & GRAD_INT)) {
        hand_on_int(n, from, to, relu);
        return;
    }
    double dm = into_products(n->grad, relu, positive);
    if (l > 0)
        hand_on_to_hidden(c, l, n->output, dm);
    else
        hand_on_to_inputs(c, n->output, from, to, dm);
    if (from == 0)
        hand_on_to_bias(c, l, n->output, n->grad, relu, dm);
}

/* Whether a backward() that a `_backward` has called meanwhile was here before this piece. */
static int is_disturbed(const Scalar *n, Py_ssize_t from, Py_ssize_t to) {
    if (scalar_kind(n) != FUSED)
        return 1;
    if (from == PIECE_REST)
        return n->call->seen;
    int is_first = from == PIECE_OUTPUT ||
                   (n->call->network->n_layers == 1 && to == n->call->network->sizes[0]);
    return is_first && n->word & SEEN;
}

int call_hand_on(Scalar *n, Py_ssize_t from, Py_ssize_t to) {
    if (UNLIKELY(is_disturbed(n, from, to))) {
        PyErr_SetString(PyExc_RuntimeError,
                        "backward() cannot go through a network's output again within itself");
        return -1;
    }
    Call *c = n->call;
    Weights *now = network_weights(c->network);
    if (now == NULL)
        return -1;
    weights_release(c->swept_weights);
    c->swept_weights = now;
    if (from == PIECE_OUTPUT)
        hand_on_output(n, 0, c->network->sizes[c->network->n_layers - 1]);
    else if (!call_has_rest(n))
        hand_on_output(n, from, to);
    else {
        c->seen = 1;
        if (from == PIECE_REST)
            hand_on_rest(c);
        else
            hand_on_hidden(c, 0, 0, from, to);
    }
    return 0;
}

/* ---- unfolding ---- */

/* What unfolding makes of a neuron depends on these. */
typedef struct {
    Call *call;
    Py_ssize_t l, o;
    Number data, grad;
    int seen, positive;
} Neuron;

static Number forward_input(const Call *c, Py_ssize_t l, Py_ssize_t i) {
    if (l == 0)
        return (Number){c->x_data[i], c->x_is_int[i]};
    i += hidden_place(c->network, l - 1);
    return (Number){c->h[i], c->h_is_int[i]};
}

/* Input i of the neuron as a node, a new reference: that of a number is a leaf of this term's own.
 */
static Scalar *input_node(const Neuron *y, Py_ssize_t i, Number dm) {
    Call *c = y->call;
    Scalar *x = y->l > 0 ? c->unfolded[hidden_place(c->network, y->l - 1) + i] : c->x[i];
    if (x) {
        Py_INCREF((PyObject *)x);
        return x;
    }
    x = scalar_new(LEAF, forward_input(c, 0, i), NULL, NULL);
    if (x && y->seen)
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
    scalar_put_grad(m, dm);
    Scalar *s = scalar_new(ADD, number_add(sum_data, product), sum, m);
    if (s)
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

static int unfold_hidden(Call *c) {
    const Network *net = c->network;
    Py_ssize_t m = count_hidden(net), q = 0;
    if (m == 0 || c->unfolded)
        return 0;
    c->unfolded = PyMem_Calloc((size_t)m, sizeof *c->unfolded);
    if (c->unfolded == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t l = 0; l + 1 < net->n_layers; l++)
        for (Py_ssize_t o = 0; o < net->sizes[l + 1]; o++, q++) {
            Number data = {c->h[q], c->h_is_int[q]}, grad = {c->dh[q], !c->seen};
            Neuron y = {c, l, o, data, grad, c->seen, c->h[q] > 0.0};
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

static int unfold(Scalar *n) {
    Call *c = n->call;
    if (unfold_hidden(c) < 0)
        return -1;
    Neuron y = {c,
                c->network->n_layers - 1,
                n->output,
                scalar_data(n),
                scalar_grad(n),
                (n->word & SEEN) != 0,
                (n->word & SEEN_POSITIVE) != 0};
    Scalar *last = neuron_unfold(&y);
    if (last == NULL)
        return -1;
    take_operands(n, last);
    return 0;
}

/* No collection meanwhile: its finalizers might start a walk, and this may be part of one. */
static int unfold_undisturbed(Scalar *n) {
    int collects = PyGC_Disable();
    uint64_t version = scalar_version;
    int status = unfold(n);
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
    int usable = now->usable;
    weights_release(now);
    if (LIKELY(usable && !(n->word & SEEN) && !c->seen && !c->unfolded))
        return 0;
    return unfold_undisturbed(n);
}

int call_unfold(Scalar *n) {
    if (scalar_kind(n) != FUSED)
        return 0;
    if (sweep_is_running()) {
        PyErr_SetString(PyExc_RuntimeError, "this cannot be asked of a Value during backward()");
        return -1;
    }
    return unfold_undisturbed(n);
}

int call_before_new_grad(Scalar *n) {
    return scalar_kind(n) == FUSED && n->word & SEEN ? call_unfold(n) : 0;
}
