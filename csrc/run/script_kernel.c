/* Methods computed by programs; see the header. */
#include "script_kernel.h"

#include <stddef.h>

#include "graph/edges.h"
#include "graph/graph.h"
#include "graph/operators.h"
#include "script_program.h"
#include "script_signs.h"
#include "script_traits.h"

enum { MAX_CHILDREN = 2 };

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *method, *code, *constants, *defaults; /* owned; defaults is a tuple */
    Program program;
    int n_children, n_numbers, data, sign;
    int local[MAX_CHILDREN];
    Number registers[MAX_REGISTERS];
} Kernel;

/* ---- the node ---- */

/* Of two operands that backward() reads again: their data goes along, for script_check_operands. */
static Node *node_with_data(Number data, Node *const *child, const Number *local) {
    PyObject *children = PyTuple_Pack(2, child[0], child[1]), *locals = PyTuple_New(4);
    PyObject *number = number_as_object(data);
    Node *n = children && locals && number ? (Node *)value_leaf(an_int(0)) : NULL;
    for (int i = 0; n && i < 4; i++) {
        PyObject *x = number_as_object(i < 2 ? local[i] : node_data(child[i - 2]));
        if (x == NULL)
            Py_CLEAR(n);
        else
            PyTuple_SET_ITEM(locals, i, x);
    }
    if (n && node_initialise(n, number, children, locals) < 0)
        Py_CLEAR(n);
    Py_XDECREF(children);
    Py_XDECREF(locals);
    Py_XDECREF(number);
    return n;
}

static Node *make_node(const Kernel *k, Node *const *child) {
    Number data = k->registers[k->data], local[MAX_CHILDREN];
    for (int i = 0; i < k->n_children; i++)
        local[i] = k->registers[k->local[i]];
    if (k->n_children == 2 && script_traits.closures)
        return node_with_data(data, child, local);
    Node *n = (Node *)(k->n_children == 1 ? value_relu(child[0]) : value_mul(child[0], child[1]));
    number_lost_int = 0.0; /* by the product, which is not what it is to hold */
    if (n == NULL)
        return NULL;
    n->data = data.x;
    n->second &= ~(DATA_INT | LOCAL0_INT | LOCAL1_INT);
    n->second |= flag_if(data.is_int, DATA_INT) | flag_if(local[0].is_int, LOCAL0_INT);
    n->local[0] = local[0].x;
    if (k->n_children == 2) {
        n->second |= flag_if(local[1].is_int, LOCAL1_INT);
        n->local[1] = local[1].x;
    }
    return n;
}

/* ---- calling ---- */

static int is_small_number(PyObject *o, Number *out) {
    if (PyFloat_CheckExact(o)) {
        *out = a_float(PyFloat_AS_DOUBLE(o));
        return 1;
    }
    if (!PyLong_CheckExact(o) || number_from(o, out) != 1) {
        PyErr_Clear();
        return 0;
    }
    int fits = out->is_int;
    number_lost_int = 0.0;
    return fits;
}

/* The second operand, a new reference: `o`, or a leaf of the number that it is; or NULL without an
 * exception, or with MemoryError set. */
static Node *operand(PyObject *o) {
    Number x;
    if (Value_CheckExact(o)) {
        Py_INCREF(o);
        return (Node *)o;
    }
    if (!is_small_number(o, &x))
        return NULL;
    Node *leaf = (Node *)value_leaf(x);
    if (leaf)
        script_touch_up(leaf);
    return leaf;
}

/* Fills the registers of the numbers after the children; 0 if they are not what the method takes. */
static int read_numbers(Kernel *k, PyObject *const *args, Py_ssize_t n) {
    Py_ssize_t n_defaults = PyTuple_GET_SIZE(k->defaults);
    if (n > k->n_numbers || n < k->n_numbers - n_defaults)
        return 0;
    for (Py_ssize_t i = 0; i < k->n_numbers; i++) {
        PyObject *o =
            i < n ? args[i] : PyTuple_GET_ITEM(k->defaults, n_defaults - k->n_numbers + i);
        if (!is_small_number(o, &k->registers[k->n_children + i]))
            return 0;
    }
    return 1;
}

/* The node; NULL without an exception where the method must be asked. */
static PyObject *compute(Kernel *k, PyObject *const *args, Py_ssize_t n_args) {
    Node *child[MAX_CHILDREN] = {NULL, NULL}, *n = NULL;
    if (n_args < k->n_children || !Value_CheckExact(args[0]) ||
        !read_numbers(k, args + k->n_children, n_args - k->n_children))
        return NULL;
    child[0] = (Node *)args[0];
    if (k->n_children == 2 && (child[1] = operand(args[1])) == NULL)
        return NULL;
    for (int i = 0; i < k->n_children; i++)
        k->registers[i] = node_data(child[i]);
    if (program_run(&k->program, k->registers) == 1 && (n = make_node(k, child)) != NULL) {
        script_touch_up(n);
        script_sign(n, SIGNS_OF_KERNELS + (uintptr_t)k->sign);
        script_note_operand(n);
    }
    Py_XDECREF((PyObject *)child[1]);
    return (PyObject *)n;
}

static PyObject *kernel_call(PyObject *self, PyObject *const *args, size_t nargsf,
                             PyObject *keywords) {
    Kernel *k = (Kernel *)self;
    PyObject *result = keywords ? NULL : compute(k, args, PyVectorcall_NARGS(nargsf));
    if (result || PyErr_Occurred())
        return result;
    return PyObject_Vectorcall(k->method, args, nargsf, keywords);
}

static PyObject *kernel_bind(PyObject *self, PyObject *object, PyObject *Py_UNUSED(type)) {
    if (object)
        return PyMethod_New(self, object);
    Py_INCREF(self);
    return self;
}

static PyObject *kernel_attribute(PyObject *self, PyObject *name) {
    return PyObject_GetAttr(((Kernel *)self)->method, name);
}

/* ---- the type ---- */

static int kernel_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(((Kernel *)self)->method);
    return 0;
}

static int kernel_clear(PyObject *self) {
    Kernel *k = (Kernel *)self;
    Py_CLEAR(k->method);
    Py_CLEAR(k->code);
    Py_CLEAR(k->constants);
    Py_CLEAR(k->defaults);
    return 0;
}

static void kernel_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    kernel_clear(self);
    PyObject_GC_Del(self);
}

static PyTypeObject Kernel_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "function",
    .tp_basicsize = sizeof(Kernel),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_HAVE_GC |
                Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_vectorcall_offset = offsetof(Kernel, call),
    .tp_call = PyVectorcall_Call,
    .tp_getattro = kernel_attribute,
    .tp_descr_get = kernel_bind,
    .tp_traverse = kernel_traverse,
    .tp_dealloc = kernel_dealloc,
};

/* Whether the parts fit together. */
static int is_sound(const Kernel *k) {
    int sound = PyTuple_Check(k->defaults) && (k->n_children == 1 || k->n_children == 2) &&
                k->n_numbers >= 0 && k->sign > 0 && k->data >= 0 && k->data < MAX_REGISTERS;
    for (int i = 0; i < MAX_CHILDREN; i++)
        sound = sound && k->local[i] >= 0 && k->local[i] < MAX_REGISTERS;
    return sound;
}

PyObject *script_kernel(PyObject *parts) {
    Kernel read = {0};
    if (!PyTuple_Check(parts)) {
        PyErr_SetString(PyExc_ValueError, "a kernel is made of a tuple");
        return NULL;
    }
    if (!PyArg_ParseTuple(parts, "OOO(iii(ii))Oi", &read.method, &read.code, &read.constants,
                          &read.n_children, &read.n_numbers, &read.data, &read.local[0],
                          &read.local[1], &read.defaults, &read.sign) ||
        PyType_Ready(&Kernel_Type) < 0)
        return NULL;
    if (!is_sound(&read)) {
        PyErr_SetString(PyExc_ValueError, "a kernel's parts do not fit");
        return NULL;
    }
    if (program_read(&read.program, read.code, read.constants, read.n_children + read.n_numbers) <
        0)
        return NULL;
    Kernel *k = PyObject_GC_New(Kernel, &Kernel_Type);
    if (k == NULL)
        return NULL;
    memcpy((char *)k + sizeof(PyObject), (char *)&read + sizeof(PyObject),
           sizeof read - sizeof(PyObject));
    k->call = kernel_call;
    program_begin(&k->program, k->registers);
    Py_INCREF(k->method);
    Py_INCREF(k->code);
    Py_INCREF(k->constants);
    Py_INCREF(k->defaults);
    PyObject_GC_Track((PyObject *)k);
    return (PyObject *)k;
}
