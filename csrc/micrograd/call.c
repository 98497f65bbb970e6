/* One pass of inputs through a network, and the way back; network.h has the idea. */
#include "network.h"

#include <string.h>

/* ---- making and letting go ---- */

static Call *call_new(Network *net) {
    size_t n = (size_t)net->sizes[0], m = (size_t)network_hidden(net);
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
    for (Py_ssize_t q = 0; c->unfolded && q < network_hidden(net); q++)
        Py_XDECREF((PyObject *)c->unfolded[q]);
    PyMem_Free(c->unfolded);
    weights_release(c->weights);
    weights_release(c->swept_weights);
    network_release(net);
    PyMem_Free(c);
}

int call_traverse(Call *c, visitproc visit, void *arg) {
    for (Py_ssize_t i = 0; c->n_owners == 1 && i < c->network->sizes[0]; i++)
        Py_VISIT((PyObject *)c->x[i]);
    return 0;
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
            c->is_tracked |= (x->word & TRACKED) != 0;
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
    const double *x = last > 0 ? c->h + network_hidden_place(net, last - 1) : c->x_data;
    Number data = forward(c->weights->x + network_place(net, last, k), x, net->sizes[last],
                          net->relu[network_neuron(net, last, k)]);
    Scalar *y = scalar_new(LEAF, data, NULL, NULL);
    if (y) {
        y->word |= FUSED;
        y->call = c;
        y->output = k;
        c->n_owners++;
        if (c->is_tracked)
            scalar_track(y);
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

/* call_forward for the numbers and Values at[0 .. n). */
static PyObject *call_with(Network *net, PyObject *const *at, Py_ssize_t n) {
    Call *c = n == net->sizes[0] ? call_new(net) : NULL;
    if (c == NULL) {
        if (PyErr_Occurred())
            return NULL;
        Py_RETURN_NOTIMPLEMENTED;
    }
    PyObject *y = NULL;
    int taken = c->weights->usable ? take_inputs(c, at) : 0;
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

/* Arrays, NumPy's and Python's, are read once; who knows what other sequences do when they are. */
PyObject *call_forward(Network *net, PyObject *x) {
    int is_array = PyObject_CheckBuffer(x) && PySequence_Check(x);
    if (!PyList_CheckExact(x) && !PyTuple_CheckExact(x) && !is_array)
        Py_RETURN_NOTIMPLEMENTED;
    PyObject *items = PySequence_Fast(x, "inputs must be a sequence");
    if (items == NULL)
        return NULL;
    PyObject *y = call_with(net, PySequence_Fast_ITEMS(items), PySequence_Fast_GET_SIZE(items));
    Py_DECREF(items);
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
    Py_ssize_t at = network_place(net, l, o), first = network_hidden_place(net, l - 1);
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
    Py_ssize_t first = l > 0 ? network_hidden_place(net, l - 1) : 0;
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
