/* Signs of operations; see the header. */
#include "script_signs.h"

#include <string.h>

#include "script_stop.h"
#include "script_traits.h"

enum { MAX_EXPONENTS = 4096 };

/* holds     the exponents of powers so far, each once
 * changes   when a power has another one
 * read by   script_made_by
 * is the process's because the script's class is */
static struct {
    Number at[MAX_EXPONENTS];
    int n;
} exponents;

void script_sign(Node *n, uintptr_t sign) {
    if (script_traits.signs && (node_kind(n) == UNARY || node_is_custom(n)))
        n->second = (n->second & TAG_BITS) | sign << OPERATION_SHIFT;
}

static int same(Number a, Number b) {
    return a.is_int == b.is_int && memcmp(&a.x, &b.x, sizeof a.x) == 0;
}

void script_sign_power(Node *n, Number exponent) {
    int i = 0;
    while (i < exponents.n && !same(exponents.at[i], exponent))
        i++;
    if (i == MAX_EXPONENTS)
        script_stop_saying("has more exponents than the compiled class keeps signs of");
    if (i == exponents.n)
        exponents.at[exponents.n++] = exponent;
    script_sign(n, SIGNS_OF_EXPONENTS + (uintptr_t)i);
}

static PyObject *made_by_number(uintptr_t sign) {
#define NAME(name, doc) #name,
    static const char *const names[] = {"", "", UNARY_METHODS(NAME)};
#undef NAME
    if (sign >= SIGNS_OF_EXPONENTS) {
        PyObject *exponent = number_as_object(exponents.at[sign - SIGNS_OF_EXPONENTS]);
        return exponent ? Py_BuildValue("sN", "__pow__", exponent) : NULL;
    }
    if (sign > SIGNS_OF_KERNELS)
        return Py_BuildValue("iO", (int)(sign - SIGNS_OF_KERNELS), Py_None);
    if (sign > OPERATION_pow)
        return Py_BuildValue("sO", names[sign], Py_None);
    return Py_BuildValue("OO", Py_None, Py_None);
}

PyObject *script_made_by(PyObject *value) {
    const Node *n = (Node *)value;
    if (!Value_CheckExact(value)) {
        PyErr_SetString(PyExc_TypeError, "only a Value was made by a method");
        return NULL;
    }
    switch (node_kind(n)) {
    case ADD:
    case ADD_CONST:
        return Py_BuildValue("sO", "__add__", Py_None);
    case BINARY:
    case MUL_CONST:
        return Py_BuildValue("sO", "__mul__", Py_None);
    case SEEN_CONST:
        return Py_BuildValue("sO", n->second & IS_PRODUCT ? "__mul__" : "__add__", Py_None);
    }
    return made_by_number(node_kind(n) == LEAF ? 0 : n->second >> OPERATION_SHIFT);
}
