/* Layers of neurons, called as a whole: what is computed is the reference's scalar operations, but
 * only the results are nodes.
 *
 *      neuron   s_0 = b + w_0 * x_0,  s_j = s_(j-1) + w_j * x_j,  y = s_(n-1) or its relu
 *
 * A Network is what the layers are made of: their weights, as nodes, and a copy of their numbers. A
 * Call is one pass of inputs through it: the outputs refer to it, everything in between is arrays.
 *
 * Exactness. The reference's walk enters an output and goes down term by term: below the first
 * hidden neuron of the last hidden layer, and so on down to the first neuron of the first layer,
 * whose terms it meets between the inputs. When it is through with that one, all inputs are in the
 * order, so whatever follows of this call follows without a gap. And within that, no order of
 * neurons is visible: each adds to weights of its own, and to its inputs in turn. So the order list
 * takes a call of several layers in these pieces,
 *
 *      from .. to     terms of the first neuron of the first layer, cut where the walk goes below an
 *                     input
 *      PIECE_REST     all other hidden neurons
 *      PIECE_OUTPUT   this output; any further one needs only this
 *
 * and one of a single layer in pieces from .. to of each output. The sweep goes through layers,
 * neurons and terms from last to first.
 *
 * That holds for weights that are distinct leaves and are not among the inputs. Anything else, and
 * any network of classes that are not exactly ours, is left to the scalar operations.
 *
 * The gradients of hidden sums follow from those of their neurons after one sweep. A second sweep
 * would make them differ, a look at `_prev` shows them; both first unfold the call, and the output
 * concerned, into the reference's nodes.
 */
#ifndef ISOGRAD_NETWORK_H
#define ISOGRAD_NETWORK_H

#include "scalar.h"

enum { PIECE_REST = -1, PIECE_OUTPUT = -2 };

/* The numbers of all parameters at one time, shared by the calls of that time. */
typedef struct {
    Py_ssize_t n_owners;
    uint64_t version; /* of scalar_version */
    int usable;       /* all of them plain leaves, and all weights floats */
    double x[];
} Weights;

struct Network {
    Py_ssize_t n_owners;
    Py_ssize_t n_layers, n_neurons, n_params;
    Py_ssize_t *sizes;   /* n_layers + 1: the inputs, then the neurons of each layer */
    Scalar **param;      /* n_params, owned: of each neuron its weights, then its bias */
    unsigned char *relu; /* n_neurons */
    Weights *weights;    /* the last copy, or NULL */
};

struct Call {
    Py_ssize_t n_owners; /* its outputs, and who is making it */
    Network *network;
    Weights *weights;       /* of the time of the call */
    Weights *swept_weights; /* of the time of the sweep, NULL before */
    uint64_t met_in_walk;
    const Scalar *lead; /* the output by which that walk came here */
    int is_tracked;     /* the garbage collector knows one of the inputs */
    int seen;           /* some sweep has been at the hidden neurons */
    Scalar **unfolded;  /* NULL; or the hidden neurons as nodes, owned */
    Scalar **x; /* the inputs, owned, NULL for one that is a plain number; arrays from here */
    double *x_data;
    double *h, *dh; /* of the hidden neurons of all layers, one after the other */
    unsigned char *x_is_int, *h_is_int;
};

/* ---- making ---- */

/* The classes that are exactly ours, for the following. Borrowed, for good. */
void network_know(PyTypeObject *neuron, PyTypeObject *layer);

/* What `x` becomes in `of`, a neuron, a layer or a list of layers: a new Value, or a list of them
 * where the last layer has several neurons. A new reference; to NotImplemented where this is not for
 * us; NULL with an exception set. */
PyObject *network_call(PyObject *of, PyObject *x);
/* The same in a network that has been read. */
PyObject *call_forward(Network *network, PyObject *x);

/* Once, before anything else here. 0, or -1 with MemoryError set. */
int network_init(void);

/* ---- for the walk and the sweep; n is an output ---- */

/* Unfolds the node if a sweep must not pass over what it hides. 0, or -1 with an exception set. */
int call_prepare(Scalar *n);
/* How many inputs this walk passes on its way through `n`, and input i, or NULL for a number. */
Py_ssize_t call_inputs(const Scalar *n, uint64_t walk_number);
Scalar *call_input(const Scalar *n, Py_ssize_t i);
int call_has_rest(const Scalar *n);
/* Hands on one piece. 0, or -1 with MemoryError set, or RuntimeError where another backward() has
 * been here since the walk. */
int call_hand_on(Scalar *n, Py_ssize_t from, Py_ssize_t to);
/* After an error that keeps the first `rest` terms from being handed on: unfolds the node if others
 * have been. 0, or -1 with MemoryError set. */
int call_stop(Scalar *n, Py_ssize_t rest);

/* ---- for everybody ---- */

/* Turns a FUSED node into the reference's; does nothing to any other. 0, or -1 with an exception
 * set and nothing changed: MemoryError, or RuntimeError during a backward(). */
int call_unfold(Scalar *n);
/* The same where some sweep has handed the node's gradient on, which is going to change. */
int call_before_new_grad(Scalar *n);

/* For the garbage collector: visits the inputs of a call that has but one output. Those of any
 * other belong to no output alone. */
int call_traverse(Call *call, visitproc visit, void *arg);

/* Whether an output is the relu of its neuron's sum. */
int call_output_is_relu(const Scalar *n);

/* The numbers of now; a new reference, or NULL with MemoryError set. */
Weights *network_weights(Network *network);
void weights_release(Weights *weights);
void network_release(Network *network);
void call_release(Call *call);

/* Where the parameters of neuron `o` of layer `l` begin. */
static inline Py_ssize_t network_place(const Network *net, Py_ssize_t l, Py_ssize_t o) {
    Py_ssize_t at = 0;
    for (Py_ssize_t i = 0; i < l; i++)
        at += net->sizes[i + 1] * (net->sizes[i] + 1);
    return at + o * (net->sizes[l] + 1);
}
/* Which neuron of the whole network that is. */
static inline Py_ssize_t network_neuron(const Network *net, Py_ssize_t l, Py_ssize_t o) {
    for (Py_ssize_t i = 0; i < l; i++)
        o += net->sizes[i + 1];
    return o;
}
/* How many hidden neurons there are, and where layer l's begin among them. */
static inline Py_ssize_t network_hidden(const Network *net) {
    return net->n_neurons - net->sizes[net->n_layers];
}
static inline Py_ssize_t network_hidden_place(const Network *net, Py_ssize_t l) {
    return network_neuron(net, l, 0);
}

#endif
