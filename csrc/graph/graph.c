/* What all nodes share; see the header. */
#include "graph.h"

Graph graph;

PyTypeObject Value_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "isograd.Value",
    .tp_basicsize = sizeof(Node),
};
