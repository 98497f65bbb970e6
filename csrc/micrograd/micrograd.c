/* What the rest of the house may ask of this room. */
#include "micrograd.h"

#include "network.h"
#include "scalar_attributes.h"
#include "scalar_type.h"

PyObject *micrograd_type(void) {
    if (number_init() < 0 || network_init() < 0 || scalar_attributes_init() < 0)
        return NULL;
    return scalar_type_ready();
}

Py_ssize_t micrograd_live_count(void) { return scalar_live_count(); }

void micrograd_know(PyObject *neuron, PyObject *layer) {
    network_know((PyTypeObject *)neuron, (PyTypeObject *)layer);
}

PyObject *micrograd_call(PyObject *of, PyObject *x) { return network_call(of, x); }
