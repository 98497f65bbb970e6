/* The type Value in the place of a script's own class, see script_class.h.
 *
 * The slots of the type are wrapped. Where all goes well the wrapping costs an indirect call.
 * Whatever Value refuses is asked of the script's class once more, by `replay`: so exceptions,
 * their texts and the lines of the script in their tracebacks are the script's own. Where the
 * script's class would go on with a number that Value cannot hold (a complex one, say), the run
 * ends: see script_stop.h.
 */
#include "script_class.h"

#include <string.h>

#include "graph/gradient.h"
#include "graph/operators.h"
#include "graph/unfold.h"
#include "numerics/compiler.h"
#include "script_members.h"
#include "script_operators.h"
#include "script_stop.h"
#include "script_traits.h"
#include "script_walk.h"

#define INDEX(name, doc) INDEX_OF_##name,
enum { UNARY_METHODS(INDEX) N_UNARY };
#undef INDEX

/* The state of `isograd run` in C, but for what ends the process and the script's own methods.
 *
 * holds     Value's slots and methods as they were, and what the script's class lacks
 * changes   once, when script_adopt fills it; before, it is empty. Nothing takes it back: Value
 *           stands for the class until the process ends
 * read by   the wrappers below, which are in Value's slots from then on, and script_adopt, which
 *           refuses a second class
 * is the process's because the type is: there is one Value, and a slot is given nothing but its
 *           operands */
static struct {
    vectorcallfunc construct;
    setattrofunc set_attribute;
    PyCFunction unary[N_UNARY], backward;
    int has_dict;           /* instances take any attribute */
    int is_canonical;       /* the constructor's first three parameters are ours */
    PyObject *name;         /* as script_adopt got it, owned */
    PyObject *by_signature; /* the name of the member that constructs, owned */
    PyObject *data, *grad;  /* what the script's class calls these, owned */
} adopted;

/* Whether Value keeps the local gradients in `o`. */
static int are_numbers(PyObject *o) {
    int status = PyTuple_CheckExact(o) || PyList_CheckExact(o);
    for (Py_ssize_t i = 0; status && i < PySequence_Fast_GET_SIZE(o); i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(o, i);
        status = script_is_number(item) || PyBool_Check(item);
    }
    return status;
}

/* ---- methods ---- */

static PyObject *unary(int index, PyObject *self);

#define WRAPPER(name, doc)                                                                         \
    static PyObject *name##_of(PyObject *self, PyObject *Py_UNUSED(none)) {                        \
        return unary(INDEX_OF_##name, self);                                                       \
    }
UNARY_METHODS(WRAPPER)
#undef WRAPPER

#define METHOD_DEF(name, doc) {#name, name##_of, METH_NOARGS, NULL},
static PyMethodDef unary_methods[N_UNARY] = {UNARY_METHODS(METHOD_DEF)};
#undef METHOD_DEF

static PyObject *unary(int index, PyObject *self) {
    PyObject *result = adopted.unary[index](self, NULL);
    if (LIKELY(script_is_final(result))) {
        script_keep_ints();
        if (result && script_is_special) {
            script_touch_up((Node *)result);
            script_note_operand((Node *)result);
        }
        return result;
    }
    return script_replay(unary_methods[index].ml_name, PyTuple_Pack(1, self), NULL);
}

/* A backward() that begins at 1.0: that of a node above `self` whose derivative this is. */
static PyObject *backward_from_float(PyObject *self) {
    Node *above = (Node *)value_relu((Node *)self);
    if (above == NULL || node_set_grad((Node *)self, a_float(0.0)) < 0) {
        Py_XDECREF((PyObject *)above);
        return NULL;
    }
    above->second &= ~LOCAL0_INT;
    above->local[0] = 1.0;
    script_note_operand(above);
    PyObject *result = adopted.backward((PyObject *)above, NULL);
    Py_DECREF((PyObject *)above);
    return result;
}

static PyObject *backward(PyObject *self, PyObject *none) {
    if (script_traits.closures) {
        int current = script_check_operands((Node *)self);
        if (current == 0)
            script_stop_saying("calls backward() after data has changed that it reads, which the "
                               "compiled class cannot follow");
        if (current < 0)
            return NULL;
    }
    if (script_traits.mirrored) {
        Number seed = script_traits.float_seed ? a_float(1.0) : an_int(1);
        if (script_backward_mirrored((Node *)self, seed) < 0)
            return NULL;
        script_keep_ints();
        Py_RETURN_NONE;
    }
    /* The nodes that a sum of products hides begin at 0.0 as well: no int gets past them. */
    int is_hiding =
        script_traits.float_grad && !script_traits.float_seed && node_is_fused((Node *)self);
    PyObject *result = script_traits.float_seed || is_hiding ? backward_from_float(self)
                                                             : adopted.backward(self, none);
    if (result && is_hiding)
        node_put_grad((Node *)self, an_int(1));
    script_keep_ints();
    return result;
}

static PyMethodDef backward_method = {"backward", backward, METH_NOARGS, NULL};

static PyObject *keywords_as_dict(PyObject *const *values, PyObject *names) {
    PyObject *dict = PyDict_New();
    for (Py_ssize_t i = 0; dict && names && i < PyTuple_GET_SIZE(names); i++)
        if (PyDict_SetItem(dict, PyTuple_GET_ITEM(names, i), values[i]) < 0)
            Py_CLEAR(dict);
    return dict;
}

/* The arguments as a tuple and a dict for the script's own code; 0 without memory. */
static int pack(PyObject *const *args, Py_ssize_t n, PyObject *names, PyObject **tuple,
                PyObject **dict) {
    *dict = keywords_as_dict(args + n, names);
    *tuple = *dict ? PyTuple_New(n) : NULL;
    for (Py_ssize_t i = 0; *tuple && i < n; i++) {
        Py_INCREF(args[i]);
        PyTuple_SET_ITEM(*tuple, i, args[i]);
    }
    return *tuple != NULL;
}

static PyObject *touched_up(PyObject *made) {
    if (made && script_is_special)
        script_touch_up((Node *)made);
    return made;
}

/* What the script's constructor makes of other parameters than ours; see substitutes.py. */
static PyObject *construct_by_signature(PyObject *own, PyObject *const *args, Py_ssize_t n,
                                        PyObject *names) {
    PyObject *tuple, *dict, *result = NULL;
    if (pack(args, n, names, &tuple, &dict))
        result = PyObject_CallFunctionObjArgs(own, tuple, dict, NULL);
    Py_XDECREF(tuple);
    if (result != Py_NotImplemented) {
        Py_XDECREF(dict);
        return touched_up(result);
    }
    Py_DECREF(result);
    if (!pack(args, n, names, &tuple, &dict))
        Py_CLEAR(tuple);
    return script_replay("__init__", tuple, dict);
}

static PyObject *construct(PyObject *type, PyObject *const *args, size_t nargsf,
                           PyObject *keywords) {
    Py_ssize_t n = PyVectorcall_NARGS(nargsf), n_all = n;
    if (keywords)
        n_all += PyTuple_GET_SIZE(keywords);
    if (LIKELY(n == 1 && n_all == 1 && script_is_number(args[0])))
        return touched_up(adopted.construct(type, args, nargsf, keywords));
    PyObject *own = script_member_called(adopted.by_signature);
    if (own && (!adopted.is_canonical || n > 3 || keywords))
        return construct_by_signature(own, args, n, keywords);
    if (LIKELY(n_all >= 1 && script_is_number(args[0]) && (n < 3 || are_numbers(args[2])))) {
        PyObject *self = adopted.construct(type, args, nargsf, keywords);
        if (LIKELY(script_is_final(self)))
            return touched_up(self);
    }
    PyErr_Clear();
    if (own)
        return construct_by_signature(own, args, n, keywords);
    PyObject *dict, *positional;
    if (!pack(args, n, keywords, &positional, &dict))
        Py_CLEAR(positional);
    return script_replay("__init__", positional, dict);
}

static int is_called(PyObject *name, PyObject *other) {
    return name == other || PyUnicode_Compare(name, other) == 0;
}

#if PY_VERSION_HEX >= 0x030d0000
/* From CPython 3.13 on, a class with slots says more than one that has a setter of its own. */
static void add_that_there_is_no_dict(void) {
    PyObject *error = PyErr_GetRaisedException();
    PyObject *text = PyUnicode_FromFormat("%S and no __dict__ for setting new attributes", error);
    PyObject *args = text ? PyTuple_Pack(1, text) : NULL;
    if (args == NULL || PyObject_SetAttrString(error, "args", args) < 0)
        PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(args);
    PyErr_SetRaisedException(error);
}
#endif

/* Whether the type has something of that name that takes assignments. */
static int is_assignable(PyObject *name) {
    PyObject *found = PyDict_GetItemWithError(Value_Type.tp_dict, name);
    return found && Py_TYPE(found)->tp_descr_set;
}

static int set_attribute(PyObject *self, PyObject *name, PyObject *value) {
    int is_data = is_called(name, adopted.data);
    if (is_data || is_called(name, adopted.grad)) {
        if (UNLIKELY(value && !script_is_number(value)))
            script_stop(value);
        unsigned kind = node_kind((Node *)self);
        if (UNLIKELY(is_data && script_traits.closures && (kind == UNARY || kind == WIDE)))
            script_stop_saying(
                "assigns the data of a result, which backward() would read, which the "
                "compiled class cannot follow");
    } else if (UNLIKELY(value && adopted.has_dict && !is_assignable(name)))
        script_stop(value);
    int status = adopted.set_attribute(self, name, value);
    script_keep_ints();
#if PY_VERSION_HEX >= 0x030d0000
    if (status < 0 && value && PyErr_ExceptionMatches(PyExc_AttributeError) &&
        PyDict_Contains(Value_Type.tp_dict, name) == 0)
        add_that_there_is_no_dict();
#endif
    return status;
}

/* What the script's method makes of `self`; NULL without an exception if there is none. */
static PyObject *text_by_member(const char *name, PyObject *self) {
    PyObject *own = script_member(name);
    return own ? PyObject_CallOneArg(own, self) : NULL;
}

static PyObject *represent(PyObject *self) {
    PyObject *text = text_by_member("__repr__", self);
    if (text || PyErr_Occurred())
        return text;
    return PyUnicode_FromFormat("<__main__.%U object at %p>", adopted.name, self);
}

static PyObject *as_text(PyObject *self) {
    PyObject *text = text_by_member("__str__", self);
    return text || PyErr_Occurred() ? text : PyObject_Repr(self);
}

/* ---- adopting ---- */

static int is_absent(PyObject *absent, const char *name) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(absent); i++)
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(absent, i), name) == 0)
            return 1;
    return 0;
}

static void read_traits(PyObject *absent) {
    script_traits = (Traits){.float_data = is_absent(absent, "float data"),
                             .float_grad = is_absent(absent, "float grad"),
                             .float_seed = is_absent(absent, "float seed"),
                             .float_ones = is_absent(absent, "float ones"),
                             .real_leaves = is_absent(absent, "real leaves"),
                             .signs = is_absent(absent, "signs"),
                             .mirrored = is_absent(absent, "mirrored"),
                             .closures = is_absent(absent, "closures")};
    Traits none = {0};
    script_is_special = memcmp(&script_traits, &none, sizeof none) != 0;
    adopted.is_canonical = !is_absent(absent, "other parameters");
    adopted.has_dict = is_absent(absent, "__slots__");
}

/* Gives the attribute that the type calls `ours` the name that follows `prefix` in a trait. */
static int rename_attribute(PyObject *type_dict, PyObject *absent, const char *ours,
                            PyObject **name) {
    *name = PyUnicode_InternFromString(ours);
    PyObject *old = *name;
    for (Py_ssize_t i = 0; old && i < PyTuple_GET_SIZE(absent); i++) {
        const char *trait = PyUnicode_AsUTF8(PyTuple_GET_ITEM(absent, i));
        size_t n = strlen(ours);
        if (trait == NULL || strncmp(trait, ours, n) != 0 || trait[n] != '=')
            continue;
        PyObject *renamed = PyUnicode_InternFromString(trait + n + 1);
        PyObject *descriptor = renamed ? PyDict_GetItemWithError(type_dict, old) : NULL;
        if (descriptor == NULL || PyDict_SetItem(type_dict, renamed, descriptor) < 0 ||
            PyDict_DelItem(type_dict, old) < 0)
            return -1;
        Py_SETREF(*name, renamed);
        break;
    }
    return *name ? 0 : -1;
}

static int rename_attributes(PyObject *type_dict, PyObject *absent) {
    PyObject *edges[2] = {NULL, NULL};
    int status = rename_attribute(type_dict, absent, "data", &adopted.data) |
                 rename_attribute(type_dict, absent, "grad", &adopted.grad) |
                 rename_attribute(type_dict, absent, "_children", &edges[0]) |
                 rename_attribute(type_dict, absent, "_local_grads", &edges[1]);
    Py_XDECREF(edges[0]);
    Py_XDECREF(edges[1]);
    return status;
}

/* Puts `wrapper` where the type has the method of its name, which goes to *wrapped. */
static int wrap_method(PyObject *type_dict, PyMethodDef *wrapper, PyCFunction *wrapped,
                       PyObject *absent) {
    PyObject *method = PyDict_GetItemString(type_dict, wrapper->ml_name);
    if (method == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    assert(PyObject_TypeCheck(method, &PyMethodDescr_Type));
    *wrapped = ((PyMethodDescrObject *)method)->d_method->ml_meth;
    if (is_absent(absent, wrapper->ml_name))
        return PyDict_DelItemString(type_dict, wrapper->ml_name);
    PyObject *descriptor = PyDescr_NewMethod(&Value_Type, wrapper);
    int status = descriptor ? PyDict_SetItemString(type_dict, wrapper->ml_name, descriptor) : -1;
    Py_XDECREF(descriptor);
    return status;
}

/* The same method under a name that no script can spell, for functions that stand for it. */
static int keep_backward(PyObject *type_dict) {
    PyObject *descriptor = PyDescr_NewMethod(&Value_Type, &backward_method);
    int status = descriptor ? PyDict_SetItemString(type_dict, "isograd backward", descriptor) : -1;
    Py_XDECREF(descriptor);
    return status;
}

static int put_stand_ins(PyObject *type_dict, PyObject *methods) {
    PyObject *name, *method;
    Py_ssize_t i = 0;
    int status = 0;
    while (status == 0 && PyDict_Next(methods, &i, &name, &method)) {
        PyObject *stand_in;
        if (Py_TYPE(method)
                ->tp_descr_set) /* an attribute, which refers to nothing of the script's */
            Py_INCREF(stand_in = method);
        else
            stand_in = script_member_stand_in(name);
        status = stand_in ? PyDict_SetItem(type_dict, name, stand_in) : -1;
        Py_XDECREF(stand_in);
    }
    return status;
}

static void wrap_slots(void) {
    adopted.construct = Value_Type.tp_vectorcall;
    adopted.set_attribute = Value_Type.tp_setattro;
    Value_Type.tp_vectorcall = construct;
    Value_Type.tp_setattro = set_attribute;
    Value_Type.tp_repr = represent;
    Value_Type.tp_str = as_text;
}

int script_adopt(PyObject *name, PyObject *absent, PyObject *methods, PyObject *replay,
                 PyObject *say) {
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL)
        return -1;
    if (adopted.name) {
        PyErr_SetString(PyExc_RuntimeError, "Value stands for a script's class already");
        return -1;
    }
    Py_INCREF(adopted.name = name);
    script_stop_after(say);
    if (script_members_keep(replay, methods) < 0)
        return -1;
    PyObject *type_dict = Value_Type.tp_dict;
    for (int index = 0; index < N_UNARY; index++)
        if (wrap_method(type_dict, &unary_methods[index], &adopted.unary[index], absent) < 0)
            return -1;
    if (wrap_method(type_dict, &backward_method, &adopted.backward, absent) < 0 ||
        keep_backward(type_dict) < 0)
        return -1;
    if ((adopted.by_signature = PyUnicode_InternFromString("isograd construct")) == NULL)
        return -1;
    if (rename_attributes(type_dict, absent) < 0 || put_stand_ins(type_dict, methods) < 0 ||
        script_wrap_operators(absent, methods) < 0)
        return -1;
    Value_Type.tp_name = text; /* lives as long as adopted.name */
    read_traits(absent);
    wrap_slots();
    PyType_Modified(&Value_Type);
    return 0;
}
