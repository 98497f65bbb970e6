/* Forward operators: what each computes, and its derivative beside it. */
#include "operators.h"

#include "arena.h"
#include "operation.h"
#include "recording.h"

/* A new reference, to be tagged. */
static inline uintptr_t child(Node *n) {
    assert(is_taggable(n) && Py_REFCNT((PyObject *)n) > 0);
    Py_INCREF((PyObject *)n);
    return (uintptr_t)n;
}

/* new_node where nothing is recorded: the operands are let go, the result is a leaf. */
NOINLINE static PyObject *unrecorded(Number data, uintptr_t first, uintptr_t second) {
    Py_XDECREF((PyObject *)(first & ~TAG_BITS));
    Py_XDECREF((PyObject *)(second & ~TAG_BITS));
    return value_leaf(data);
}

/* Steals the references in `first` and `second`; lets go of them when out of memory. */
static inline PyObject *new_node(Number data, uintptr_t first, uintptr_t second, double local0,
                                 double local1) {
    if (recording_is_off() && first != (LEAF | MARK))
        return unrecorded(data, first, second);
    Node *n = arena_pop();
    if (UNLIKELY(n == NULL)) {
        Py_XDECREF((PyObject *)(first & ~TAG_BITS));
        Py_XDECREF((PyObject *)(second & ~TAG_BITS));
        return NULL;
    }
    n->data = data.x;
    n->grad = 0.0;
    n->first = first;
    n->second = second | GRAD_INT | flag_if(data.is_int, DATA_INT);
    n->local[0] = local0;
    n->local[1] = local1;
    return (PyObject *)n;
}

PyObject *value_leaf(Number data) {
    PyObject *leaf = new_node(data, LEAF | MARK, 0, 0.0, 0.0);
    if (leaf)
        ((Node *)leaf)->row = NULL;
    return leaf;
}

PyObject *value_add(Node *a, Node *b) {
    Number sum = number_add(node_data(a), node_data(b));
    return new_node(sum, child(a) | ADD, child(b), 1.0, 1.0);
}

PyObject *value_mul(Node *a, Node *b) {
    Number product = number_mul(node_data(a), node_data(b));
    uintptr_t ints = (b->second & DATA_INT) * LOCAL0_INT | (a->second & DATA_INT) * LOCAL1_INT;
    return new_node(product, child(a) | BINARY, child(b) | ints, b->data, a->data);
}

PyObject *value_add_const(Node *a, Number c) {
    Number sum = number_add(node_data(a), c);
    return new_node(sum, child(a) | ADD_CONST, flag_if(c.is_int, LOCAL0_INT), c.x, 1.0);
}

PyObject *value_mul_const(Node *a, Number c) {
    Number product = number_mul(node_data(a), c);
    uintptr_t ints = flag_if(c.is_int, LOCAL0_INT) | (a->second & DATA_INT) * LOCAL1_INT;
    return new_node(product, child(a) | MUL_CONST, ints, c.x, a->data);
}

PyObject *value_div_const(Node *a, Number c) {
    Number inverse;
    if (number_pow(c, an_int(-1), &inverse) < 0)
        return NULL;
    return value_mul_const(a, inverse);
}

/* ---- of one operand ---- */

/* The flags of `second` come with the node; which operation it is follows, for nobody may take that
 * for a child. */
static PyObject *unary(Node *a, enum Operation operation, Number data, Number local) {
    PyObject *y = new_node(data, child(a) | UNARY, flag_if(local.is_int, LOCAL0_INT), local.x, 0.0);
    if (y && node_kind((Node *)y) == UNARY)
        ((Node *)y)->second |= (uintptr_t)operation << OPERATION_SHIFT;
    return y;
}

PyObject *value_pow(Node *a, Number exponent) {
    Number power, lower;
    if (number_pow(node_data(a), exponent, &power) < 0 ||
        number_pow(node_data(a), number_add(exponent, an_int(-1)), &lower) < 0)
        return NULL;
    return value_known_pow(a, exponent, power, number_mul(exponent, lower));
}

PyObject *value_known_pow(Node *a, Number exponent, Number power, Number local) {
    PyObject *y = unary(a, OPERATION_pow, power, local);
    if (y && node_kind((Node *)y) == UNARY) {
        ((Node *)y)->local[1] = exponent.x;
        ((Node *)y)->second |= flag_if(exponent.is_int, LOCAL1_INT);
    }
    return y;
}

PyObject *value_log(Node *a) {
    Number data;
    if (number_log(node_data(a), &data) < 0)
        return NULL;
    return unary(a, OPERATION_log, data, a_float(1.0 / a->data));
}

PyObject *value_exp(Node *a) {
    Number power;
    if (number_exp(node_data(a), &power) < 0)
        return NULL;
    return unary(a, OPERATION_exp, power, power);
}

PyObject *value_relu(Node *a) {
    int positive = a->data > 0.0;
    return unary(a, OPERATION_relu, positive ? node_data(a) : an_int(0), a_float(positive));
}
