/* Operators of the script's class, see the header.
 *
 * One of the class's own that we know is ours, and touched up where the class has traits. Whatever
 * ours refuses is asked of the class once more, by `replay`. One that we do not know is called. One
 * that the class lacks is asked of it as well, which raises.
 */
#include "script_operators.h"

#include <string.h>

#include "graph/operators.h"
#include "script_members.h"
#include "script_signs.h"
#include "script_stop.h"
#include "script_traits.h"

enum {
    ADD_OP,
    SUB_OP,
    MUL_OP,
    DIV_OP,
    POW_OP,
    FLOOR_OP,
    MOD_OP,
    MATMUL_OP,
    N_BINARY,
    N_OURS = FLOOR_OP
};
enum { NEG_OP, POS_OP, ABS_OP, INVERT_OP, INT_OP, FLOAT_OP, INDEX_OP, N_UNARY };
enum { N_COMPARISONS = 6 };

/* The operators' names, as Python's module operator has them, and the slots as they were.
 *
 * holds     of each operator, whether the class lacks it, and its own method's name if that is to
 *           be called, NULL otherwise
 * changes   once, when script_wrap_operators fills it
 * read by   the wrappers below, which are in Value's slots from then on
 * is the process's because the type is: see script_class.c */
static const char *const binary_names[N_BINARY] = {"add", "sub",      "mul", "truediv",
                                                   "pow", "floordiv", "mod", "matmul"};
static const char *const unary_names[N_UNARY] = {"neg", "pos",   "abs",  "invert",
                                                 "int", "float", "index"};
static const char *const comparisons[N_COMPARISONS] = {"lt", "le", "eq", "ne", "gt", "ge"};
static struct {
    PyNumberMethods number;
    int lacks[N_BINARY], lacks_reflected[N_BINARY], lacks_negative;
    PyObject *own[N_BINARY], *own_reflected[N_BINARY], *own_in_place[N_BINARY];
    PyObject *own_unary[N_UNARY], *own_comparison[N_COMPARISONS], *own_bool;
} operators;

/* ---- asking the script's class ---- */

static int is_plain_int(PyObject *o) {
    int overflow;
    if (!PyLong_CheckExact(o))
        return 0;
    long long n = PyLong_AsLongLongAndOverflow(o, &overflow);
    return !overflow && n > -(long long)INT_LIMIT && n < (long long)INT_LIMIT;
}

int script_is_number(PyObject *o) { return PyFloat_CheckExact(o) || is_plain_int(o); }

static inline int is_operand(PyObject *o) {
    return Value_CheckExact(o) || script_is_number(o) || PyBool_Check(o) ||
           (script_traits.float_data && PyLong_CheckExact(o));
}

PyObject *script_replay(const char *name, PyObject *args, PyObject *kwargs) {
    PyObject *error = NULL, *ask = script_members_replay();
    number_lost_int = 0.0; /* the script's class decides */
    if (args && ask) {
        PyErr_Clear();
        error = PyObject_CallFunction(ask, "sOO", name, args, kwargs ? kwargs : Py_None);
    } else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "the script's class is no more");
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return NULL;
}

int script_is_final(PyObject *result) {
    if (result)
        return result != Py_NotImplemented;
    return !PyErr_ExceptionMatches(PyExc_ArithmeticError) &&
           !PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_TypeError);
}

/* The script's own method of that name, called; NotImplemented when it is no more. */
static PyObject *call_own(PyObject *name, PyObject *a, PyObject *b) {
    PyObject *method = script_member_called(name);
    if (method == NULL)
        Py_RETURN_NOTIMPLEMENTED;
    PyObject *args[] = {a, b};
    return PyObject_Vectorcall(method, args, b ? 2 : 1, NULL);
}

/* ---- special classes ---- */

static PyObject *add(PyObject *a, PyObject *b);
static PyObject *negative(PyObject *a);
static PyObject *power(PyObject *a, PyObject *b, PyObject *modulus);

static PyObject *touched_up(PyObject *result) {
    if (result) {
        script_touch_up((Node *)result);
        script_note_operand((Node *)result);
    }
    return result;
}

/* A number as an operand: `*c`, and a new reference to its leaf or NULL if it needs none. -1 with an
 * exception set if it is no number. */
static int constant(PyObject *o, Number *c, PyObject **leaf) {
    *leaf = NULL;
    if (number_from(o, c) != 1)
        return -1;
    if (script_traits.float_data) { /* which an int of any size becomes */
        c->is_int = 0;
        number_lost_int = 0.0;
    }
    if (script_traits.real_leaves)
        *leaf = touched_up(value_leaf(*c));
    return script_traits.real_leaves && *leaf == NULL ? -1 : 0;
}

/* a + b or a * b, where b may be a number. */
static PyObject *combine(int op, Node *a, PyObject *b) {
    Number c;
    PyObject *leaf = NULL, *result;
    if (!Value_CheckExact(b) && constant(b, &c, &leaf) < 0)
        return NULL;
    Node *other = Value_CheckExact(b) ? (Node *)b : (Node *)leaf;
    if (op == ADD_OP)
        result = other ? value_add(a, other) : value_add_const(a, c);
    else
        result = other ? value_mul(a, other) : value_mul_const(a, c);
    Py_XDECREF(leaf);
    if (result && op == ADD_OP && script_traits.float_ones)
        script_use_float_ones((Node *)result);
    return touched_up(result);
}

/* `function(a, made)`, taking over the reference to `made`. */
static PyObject *with_new(binaryfunc function, PyObject *a, PyObject *made) {
    PyObject *result = made ? function(a, made) : NULL;
    Py_XDECREF(made);
    return result;
}

static PyObject *multiply(PyObject *a, PyObject *b);

/* The operators as the reference derives them from sum, product and power. */
static PyObject *special(int op, PyObject *a, PyObject *b) {
    if (op == ADD_OP || op == MUL_OP)
        return Value_CheckExact(a) ? combine(op, (Node *)a, b) : combine(op, (Node *)b, a);
    if (op == SUB_OP)
        return with_new(add, a, PyNumber_Negative(b));
    PyObject *exponent = PyLong_FromLong(-1);
    PyObject *inverse = exponent ? PyNumber_Power(b, exponent, Py_None) : NULL;
    Py_XDECREF(exponent);
    return with_new(multiply, a, inverse);
}

/* ---- of two operands ---- */

static inline PyObject *ours(int op, binaryfunc compiled, PyObject *a, PyObject *b) {
    int lacks = Value_CheckExact(a) ? operators.lacks[op] : operators.lacks_reflected[op];
    if (LIKELY(!lacks && is_operand(a) && is_operand(b))) {
        PyObject *result = script_is_special ? special(op, a, b) : compiled(a, b);
        if (LIKELY(script_is_final(result))) {
            script_keep_ints();
            return result;
        }
        Py_XDECREF(result);
    }
    return script_replay(binary_names[op], PyTuple_Pack(2, a, b), NULL);
}

static inline PyObject *binary(int op, binaryfunc compiled, PyObject *a, PyObject *b) {
    PyObject *own = Value_CheckExact(a) ? operators.own[op] : operators.own_reflected[op];
    if (UNLIKELY(own != NULL))
        return Value_CheckExact(a) ? call_own(own, a, b) : call_own(own, b, a);
    if (compiled)
        return ours(op, compiled, a, b);
    Py_RETURN_NOTIMPLEMENTED;
}

static PyObject *add(PyObject *a, PyObject *b) {
    return binary(ADD_OP, operators.number.nb_add, a, b);
}
static PyObject *subtract(PyObject *a, PyObject *b) {
    return binary(SUB_OP, operators.number.nb_subtract, a, b);
}
static PyObject *multiply(PyObject *a, PyObject *b) {
    return binary(MUL_OP, operators.number.nb_multiply, a, b);
}
static PyObject *floor_divide(PyObject *a, PyObject *b) { return binary(FLOOR_OP, NULL, a, b); }
static PyObject *remainder_of(PyObject *a, PyObject *b) { return binary(MOD_OP, NULL, a, b); }
static PyObject *matrix_multiply(PyObject *a, PyObject *b) { return binary(MATMUL_OP, NULL, a, b); }

/* An int of any size may divide: what is kept is its inverse, a float. */
static PyObject *divide(PyObject *a, PyObject *b) {
    PyObject *divisor = NULL;
    int is_ours = !operators.own[DIV_OP] && !operators.lacks[DIV_OP];
    if (UNLIKELY(PyLong_CheckExact(b) && !is_plain_int(b)) && is_ours &&
        (divisor = PyNumber_Float(b)) == NULL)
        PyErr_Clear(); /* the script's class raises it, too */
    PyObject *result = binary(DIV_OP, operators.number.nb_true_divide, a, divisor ? divisor : b);
    Py_XDECREF(divisor);
    return result;
}

/* True and False are no exponents to write into a text as numbers. */
static void sign_power(Node *n, PyObject *exponent) {
    Number k = {0.0, 0};
    if (PyBool_Check(exponent) || number_from(exponent, &k) != 1)
        script_stop_saying("raises to a truth value, of which the compiled class keeps no sign");
    script_sign_power(n, k);
}

static PyObject *power(PyObject *a, PyObject *b, PyObject *modulus) {
    PyObject *own = Value_CheckExact(a) ? operators.own[POW_OP] : operators.own_reflected[POW_OP];
    if (UNLIKELY(own != NULL) && modulus == Py_None)
        return Value_CheckExact(a) ? call_own(own, a, b) : call_own(own, b, a);
    int is_number = script_is_number(b) || PyBool_Check(b);
    if (Value_CheckExact(a) && is_number && modulus == Py_None && !operators.lacks[POW_OP]) {
        PyObject *result = operators.number.nb_power(a, b, modulus);
        if (LIKELY(script_is_final(result))) {
            script_keep_ints();
            if (script_traits.signs && result)
                sign_power((Node *)result, b);
            return script_is_special ? touched_up(result) : result;
        }
        Py_XDECREF(result);
    }
    return script_replay(
        "pow", modulus == Py_None ? PyTuple_Pack(2, a, b) : PyTuple_Pack(3, a, b, modulus), NULL);
}

#define IN_PLACE(function, op, otherwise)                                                          \
    static PyObject *function(PyObject *a, PyObject *b) {                                          \
        PyObject *own = Value_CheckExact(a) ? operators.own_in_place[op] : NULL;                   \
        return own ? call_own(own, a, b) : otherwise(a, b);                                        \
    }
IN_PLACE(add_in_place, ADD_OP, add)
IN_PLACE(subtract_in_place, SUB_OP, subtract)
IN_PLACE(multiply_in_place, MUL_OP, multiply)
IN_PLACE(divide_in_place, DIV_OP, divide)
#undef IN_PLACE

/* ---- of one operand ---- */

static PyObject *negative(PyObject *a) {
    PyObject *own = operators.own_unary[NEG_OP];
    if (UNLIKELY(own != NULL))
        return call_own(own, a, NULL);
    if (operators.lacks_negative)
        return script_replay("neg", PyTuple_Pack(1, a), NULL);
    if (!script_is_special)
        return operators.number.nb_negative(a);
    PyObject *factor = PyLong_FromLong(-1);
    PyObject *result = factor ? combine(MUL_OP, (Node *)a, factor) : NULL;
    Py_XDECREF(factor);
    return result;
}

#define OWN_UNARY(function, op)                                                                    \
    static PyObject *function(PyObject *a) { return call_own(operators.own_unary[op], a, NULL); }
OWN_UNARY(positive, POS_OP)
OWN_UNARY(absolute, ABS_OP)
OWN_UNARY(inverted, INVERT_OP)
OWN_UNARY(as_int, INT_OP)
OWN_UNARY(as_float, FLOAT_OP)
OWN_UNARY(as_index, INDEX_OP)
#undef OWN_UNARY

static int is_true(PyObject *a) {
    PyObject *truth = call_own(operators.own_bool, a, NULL);
    if (truth && !PyBool_Check(truth))
        PyErr_Format(PyExc_TypeError, "__bool__ should return bool, returned %s",
                     Py_TYPE(truth)->tp_name);
    int result = truth && PyBool_Check(truth) ? truth == Py_True : -1;
    Py_XDECREF(truth);
    return result;
}

static PyObject *compare(PyObject *a, PyObject *b, int op) {
    PyObject *own = operators.own_comparison[op];
    if (own)
        return call_own(own, a, b);
    if (op == Py_NE && operators.own_comparison[Py_EQ]) { /* as Python derives it */
        PyObject *equal = call_own(operators.own_comparison[Py_EQ], a, b);
        if (equal == NULL || equal == Py_NotImplemented)
            return equal;
        int truth = PyObject_IsTrue(equal);
        Py_DECREF(equal);
        return truth < 0 ? NULL : PyBool_FromLong(!truth);
    }
    return PyBaseObject_Type.tp_richcompare(a, b, op);
}

/* ---- wrapping ---- */

static int lacks(PyObject *absent, const char *format, const char *name) {
    char text[32];
    snprintf(text, sizeof text, format, name);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(absent); i++)
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(absent, i), text) == 0)
            return 1;
    return 0;
}

/* The name as an owned str in *out if `methods` has it; *out stays NULL otherwise. */
static int find(PyObject *methods, const char *format, const char *name, PyObject **out) {
    PyObject *text = PyUnicode_FromFormat(format, name);
    if (text == NULL)
        return -1;
    PyUnicode_InternInPlace(&text);
    int found = PyDict_Contains(methods, text);
    if (found == 1)
        *out = text;
    else
        Py_DECREF(text);
    return found < 0 ? -1 : 0;
}

static int find_all(PyObject *methods) {
    int status = find(methods, "__%s__", "bool", &operators.own_bool);
    for (int op = 0; op < N_BINARY && status == 0; op++) {
        status |= find(methods, "__%s__", binary_names[op], &operators.own[op]);
        status |= find(methods, "__r%s__", binary_names[op], &operators.own_reflected[op]);
        status |= find(methods, "__i%s__", binary_names[op], &operators.own_in_place[op]);
    }
    for (int op = 0; op < N_UNARY && status == 0; op++)
        status |= find(methods, "__%s__", unary_names[op], &operators.own_unary[op]);
    for (int op = 0; op < N_COMPARISONS && status == 0; op++)
        status |= find(methods, "__%s__", comparisons[op], &operators.own_comparison[op]);
    return status;
}

static void put_own_unary(PyNumberMethods *number) {
    const struct {
        int op;
        unaryfunc *slot, function;
    } slots[] = {
        {POS_OP, &number->nb_positive, positive},  {ABS_OP, &number->nb_absolute, absolute},
        {INVERT_OP, &number->nb_invert, inverted}, {INT_OP, &number->nb_int, as_int},
        {FLOAT_OP, &number->nb_float, as_float},   {INDEX_OP, &number->nb_index, as_index}};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        if (operators.own_unary[slots[i].op])
            *slots[i].slot = slots[i].function;
    if (operators.own_bool)
        number->nb_bool = is_true;
}

static void put_own_binary(PyNumberMethods *number) {
    const struct {
        int op;
        binaryfunc *slot, function;
    } slots[] = {{FLOOR_OP, &number->nb_floor_divide, floor_divide},
                 {MOD_OP, &number->nb_remainder, remainder_of},
                 {MATMUL_OP, &number->nb_matrix_multiply, matrix_multiply}};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        if (operators.own[slots[i].op] || operators.own_reflected[slots[i].op])
            *slots[i].slot = slots[i].function;
    if (operators.own_in_place[ADD_OP])
        number->nb_inplace_add = add_in_place;
    if (operators.own_in_place[SUB_OP])
        number->nb_inplace_subtract = subtract_in_place;
    if (operators.own_in_place[MUL_OP])
        number->nb_inplace_multiply = multiply_in_place;
    if (operators.own_in_place[DIV_OP])
        number->nb_inplace_true_divide = divide_in_place;
}

int script_wrap_operators(PyObject *absent, PyObject *methods) {
    PyNumberMethods *number = Value_Type.tp_as_number;
    operators.number = *number;
    for (int op = 0; op < N_OURS; op++) {
        operators.lacks[op] = lacks(absent, "__%s__", binary_names[op]);
        operators.lacks_reflected[op] = lacks(absent, "__r%s__", binary_names[op]);
    }
    operators.lacks_negative = lacks(absent, "__%s__", "neg");
    if (find_all(methods) < 0)
        return -1;
    number->nb_add = add;
    number->nb_subtract = subtract;
    number->nb_multiply = multiply;
    number->nb_true_divide = divide;
    number->nb_power = power;
    number->nb_negative = negative;
    put_own_unary(number);
    put_own_binary(number);
    for (int op = 0; op < N_COMPARISONS; op++)
        if (operators.own_comparison[op])
            Value_Type.tp_richcompare = compare;
    return 0;
}
