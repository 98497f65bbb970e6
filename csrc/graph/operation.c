/* Which operation made a node; see the header. */
#include "operation.h"

static PyObject *unary_operation(const Node *n) {
#define NAME(name, doc) #name,
    static const char *const names[] = {"own", "pow", UNARY_METHODS(NAME)};
#undef NAME
    uintptr_t operation = n->second >> OPERATION_SHIFT;
    assert(operation < N_OPERATIONS);
    if (operation != OPERATION_pow)
        return PyUnicode_FromString(names[operation]);
    PyObject *exponent = number_as_object(node_local(n, 1));
    PyObject *name = exponent ? PyUnicode_FromFormat("**%S", exponent) : NULL;
    Py_XDECREF(exponent);
    return name;
}

PyObject *operation_of(const Node *n) {
    switch (node_kind(n)) {
    case LEAF:
        return PyUnicode_FromString("");
    case UNARY:
        return unary_operation(n);
    case MUL_CONST:
    case BINARY:
        return PyUnicode_FromString("*");
    case SEEN_CONST:
        return PyUnicode_FromString(n->second & IS_PRODUCT ? "*" : "+");
    case WIDE:
        if (!node_is_fused(n))
            return PyUnicode_FromString("own");
        return PyUnicode_FromString(fused_is_dot(n) ? "+" : "*");
    }
    return PyUnicode_FromString("+");
}
