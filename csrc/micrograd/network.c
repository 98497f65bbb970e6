/* Reading layers of neurons, and what they are made of; see the header. */
#include "network.h"

#include <string.h>

static PyObject *name_w, *name_b, *name_nonlin, *name_neurons;
static PyTypeObject *neuron_type, *layer_type;

void network_know(PyTypeObject *neuron, PyTypeObject *layer) {
    neuron_type = neuron;
    layer_type = layer;
}

int network_init(void) {
    Py_XSETREF(name_w, PyUnicode_InternFromString("w"));
    Py_XSETREF(name_b, PyUnicode_InternFromString("b"));
    Py_XSETREF(name_nonlin, PyUnicode_InternFromString("nonlin"));
    Py_XSETREF(name_neurons, PyUnicode_InternFromString("neurons"));
    return name_w && name_b && name_nonlin && name_neurons ? 0 : -1;
}

/* ---- reading ----
 *
 * Reads the layers' objects once. As long as they are what `known` is made of, that is all. From
 * the first difference on, and where nothing is known, it fills `sizes`, `param` and `relu`. */

typedef struct {
    const Network *known; /* or NULL */
    Py_ssize_t n_layers, n_neurons, n_params;
    Py_ssize_t sizes_size, param_size, relu_size;
    Py_ssize_t *sizes;
    Scalar **param; /* owned */
    unsigned char *relu;
} Reader;

enum { FAILED = -1, REFUSED = 0, READ = 1 };

static int room_for(void **items, Py_ssize_t n, Py_ssize_t *size, size_t item_size) {
    if (n <= *size)
        return READ;
    Py_ssize_t larger = n > 2 * *size ? n + 64 : 2 * *size;
    void *moved = PyMem_Realloc(*items, (size_t)larger * item_size);
    if (moved == NULL) {
        PyErr_NoMemory();
        return FAILED;
    }
    *items = moved;
    *size = larger;
    return READ;
}

static int take_parameter(Reader *r, PyObject *p, int is_weight) {
    if (!Scalar_CheckExact(p) || !scalar_is_plain((Scalar *)p) ||
        (is_weight && ((Scalar *)p)->word & DATA_INT))
        return REFUSED;
    Py_INCREF(p);
    r->param[r->n_params++] = (Scalar *)p;
    return READ;
}

static int take_neuron(Reader *r, PyObject *w, PyObject *b, int relu) {
    Py_ssize_t n = PyList_GET_SIZE(w);
    if (r->n_neurons == 0) {
        if (room_for((void **)&r->sizes, 1, &r->sizes_size, sizeof *r->sizes) < 0)
            return FAILED;
        r->sizes[0] = n;
    }
    if (n == 0 || n != r->sizes[r->n_layers])
        return REFUSED;
    if (r->known) {
        const Network *net = r->known;
        Scalar **at = net->param + r->n_params;
        if (r->n_params + n + 1 <= net->n_params && r->n_neurons < net->n_neurons &&
            memcmp(((PyListObject *)w)->ob_item, at, (size_t)n * sizeof *at) == 0 &&
            (PyObject *)at[n] == b && net->relu[r->n_neurons] == relu) {
            r->n_params += n + 1;
            r->n_neurons++;
            return READ;
        }
        return REFUSED;
    }
    if (room_for((void **)&r->param, r->n_params + n + 1, &r->param_size, sizeof *r->param) < 0 ||
        room_for((void **)&r->relu, r->n_neurons + 1, &r->relu_size, 1) < 0)
        return FAILED;
    r->relu[r->n_neurons++] = (unsigned char)relu;
    for (Py_ssize_t i = 0; i < n; i++)
        if (!take_parameter(r, PyList_GET_ITEM(w, i), 1))
            return REFUSED;
    return take_parameter(r, b, 0);
}

static int read_neuron(Reader *r, PyObject *neuron) {
    if (!Py_IS_TYPE(neuron, neuron_type))
        return REFUSED;
    PyObject *w = PyObject_GetAttr(neuron, name_w);
    PyObject *b = w ? PyObject_GetAttr(neuron, name_b) : NULL;
    PyObject *nonlin = b ? PyObject_GetAttr(neuron, name_nonlin) : NULL;
    int status = FAILED, relu = nonlin == Py_True;
    if (nonlin)
        status =
            PyList_CheckExact(w) && PyBool_Check(nonlin) ? take_neuron(r, w, b, relu) : REFUSED;
    Py_XDECREF(w);
    Py_XDECREF(b);
    Py_XDECREF(nonlin);
    return status;
}

/* The neurons at[0 .. n) are the next layer. */
static int read_neurons(Reader *r, PyObject *const *at, Py_ssize_t n) {
    int status = n > 0 ? READ : REFUSED;
    for (Py_ssize_t o = 0; o < n && status == READ; o++)
        status = read_neuron(r, at[o]);
    if (status != READ ||
        room_for((void **)&r->sizes, r->n_layers + 2, &r->sizes_size, sizeof *r->sizes) < 0)
        return status == READ ? FAILED : status;
    r->sizes[++r->n_layers] = n;
    return READ;
}

static int read_layer(Reader *r, PyObject *layer) {
    /* A layer of one neuron makes a Value and no list, which no further layer can read. */
    if (!Py_IS_TYPE(layer, layer_type) || (r->n_layers > 0 && r->sizes[r->n_layers] < 2))
        return REFUSED;
    PyObject *neurons = PyObject_GetAttr(layer, name_neurons);
    if (neurons == NULL)
        return FAILED;
    int status = REFUSED;
    if (PyList_CheckExact(neurons))
        status = read_neurons(r, ((PyListObject *)neurons)->ob_item, PyList_GET_SIZE(neurons));
    Py_DECREF(neurons);
    return status;
}

static int read_any(Reader *r, PyObject *of) {
    if (!PyList_CheckExact(of))
        return Py_IS_TYPE(of, layer_type) ? read_layer(r, of) : read_neurons(r, &of, 1);
    int status = PyList_GET_SIZE(of) > 0 ? READ : REFUSED;
    for (Py_ssize_t l = 0; status == READ && l < PyList_GET_SIZE(of); l++)
        status = read_layer(r, PyList_GET_ITEM(of, l));
    return status;
}

/* ---- networks ---- */

static void reader_clear(Reader *r) {
    for (Py_ssize_t i = 0; r->param && i < r->n_params; i++)
        Py_DECREF((PyObject *)r->param[i]);
    PyMem_Free(r->param);
    PyMem_Free(r->sizes);
    PyMem_Free(r->relu);
}

static int are_distinct(Scalar *const *param, Py_ssize_t n) {
    int distinct = 1;
    for (Py_ssize_t i = 0; i < n; i++) {
        distinct &= !(param[i]->word & MET);
        param[i]->word |= MET;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        param[i]->word &= ~MET;
    return distinct;
}

/* Takes over what the reader holds. NULL with MemoryError set. */
static Network *network_of(Reader *r) {
    Network *net = PyMem_Malloc(sizeof *net);
    if (net == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *net = (Network){1, r->n_layers, r->n_neurons, r->n_params, r->sizes, r->param, r->relu, NULL};
    *r = (Reader){.known = NULL};
    for (Py_ssize_t i = 0; i < net->n_params; i++)
        net->param[i]->word |= IS_PARAM;
    net->param[0]->network = net;
    return net;
}

static Network *noted(PyObject *of) {
    PyObject *w = NULL, *neurons = NULL;
    Network *net = NULL;
    PyObject *layer =
        PyList_CheckExact(of) && PyList_GET_SIZE(of) > 0 ? PyList_GET_ITEM(of, 0) : of;
    PyObject *neuron = layer;
    if (Py_IS_TYPE(layer, layer_type)) {
        neurons = PyObject_GetAttr(layer, name_neurons);
        neuron = neurons && PyList_CheckExact(neurons) && PyList_GET_SIZE(neurons) > 0
                     ? PyList_GET_ITEM(neurons, 0)
                     : NULL;
    }
    if (neuron && Py_IS_TYPE(neuron, neuron_type))
        w = PyObject_GetAttr(neuron, name_w);
    if (w && PyList_CheckExact(w) && PyList_GET_SIZE(w) > 0 &&
        Scalar_CheckExact(PyList_GET_ITEM(w, 0)) &&
        scalar_kind((Scalar *)PyList_GET_ITEM(w, 0)) == LEAF)
        net = ((Scalar *)PyList_GET_ITEM(w, 0))->network;
    Py_XDECREF(neurons);
    Py_XDECREF(w);
    PyErr_Clear();
    return net;
}

/* The network that `of` is made of, in *out, a new reference if READ. */
static int network_read(PyObject *of, Network **out) {
    Reader r = {.known = noted(of)};
    if (r.known) {
        Network *known = (Network *)r.known;
        known->n_owners++;
        int status = read_any(&r, of);
        if (status == READ && r.n_params == known->n_params && r.n_layers == known->n_layers &&
            memcmp(r.sizes, known->sizes, (size_t)(r.n_layers + 1) * sizeof *r.sizes) == 0) {
            reader_clear(&r);
            *out = known;
            return READ;
        }
        reader_clear(&r);
        network_release(known);
        if (status == FAILED)
            return FAILED;
        r = (Reader){.known = NULL};
    }
    int status = read_any(&r, of);
    if (status == READ)
        status = are_distinct(r.param, r.n_params) ? READ : REFUSED;
    if (status == READ && (*out = network_of(&r)) == NULL)
        status = FAILED;
    reader_clear(&r);
    return status;
}

void weights_release(Weights *weights) {
    if (weights && --weights->n_owners == 0)
        PyMem_Free(weights);
}

void network_release(Network *net) {
    if (--net->n_owners > 0)
        return;
    weights_release(net->weights);
    if (net->param[0]->network == net)
        net->param[0]->network = NULL;
    Reader rest = {NULL, 0, 0, net->n_params, 0, 0, 0, net->sizes, net->param, net->relu};
    PyMem_Free(net);
    reader_clear(&rest);
}

Weights *network_weights(Network *net) {
    Weights *weights = net->weights;
    if (weights == NULL || weights->version != scalar_version) {
        weights = PyMem_Malloc(sizeof *weights + (size_t)net->n_params * sizeof(double));
        if (weights == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        *weights = (Weights){1, scalar_version, 1};
        Py_ssize_t at = 0;
        for (Py_ssize_t l = 0; l < net->n_layers; l++)
            for (Py_ssize_t o = 0; o < net->sizes[l + 1]; o++)
                for (Py_ssize_t i = 0; i <= net->sizes[l]; i++, at++) {
                    const Scalar *p = net->param[at];
                    weights->x[at] = p->data;
                    weights->usable &=
                        scalar_is_plain(p) && (i == net->sizes[l] || !(p->word & DATA_INT));
                }
        weights_release(net->weights);
        net->weights = weights;
    }
    weights->n_owners++;
    return weights;
}

/* ---- calling ---- */

PyObject *network_call(PyObject *of, PyObject *x) {
    Network *net = NULL; /* which only GCC fears to read */
    int status = network_read(of, &net);
    if (status == REFUSED)
        Py_RETURN_NOTIMPLEMENTED;
    if (status == FAILED)
        return NULL;
    PyObject *y = call_forward(net, x);
    network_release(net);
    return y;
}
