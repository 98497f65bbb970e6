/* Running programs; see the header. */
#include "script_program.h"

#include <math.h>

#include "numerics/compiler.h"

/* Those for which C's function is Python's wherever the result is finite; in arithmetic.py's order.
 * The others are asked of the module math. */
typedef double (*Function)(double);
static const struct {
    const char *name;
    Function function;
} functions[] = {
    {"exp", NULL},   {"log", NULL},  {"sqrt", sqrt},  {"tanh", tanh},  {"sin", sin},
    {"cos", cos},    {"fabs", fabs}, {"atan", atan},  {"sinh", NULL},  {"cosh", NULL},
    {"tan", NULL},   {"erf", NULL},  {"log1p", NULL}, {"expm1", NULL}, {"log2", NULL},
    {"log10", NULL}, {"asin", NULL}, {"acos", NULL},  {"erfc", NULL},  {"asinh", NULL},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

static int refuse(const char *why) {
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

int program_read(Program *p, PyObject *code, PyObject *constants, int n_inputs) {
    if (!PyBytes_Check(code) || !PyTuple_Check(constants))
        return refuse("a program is made of bytes and a tuple of numbers");
    *p = (Program){.code = (const Instruction *)PyBytes_AS_STRING(code),
                   .n = PyBytes_GET_SIZE(code) / (Py_ssize_t)sizeof(Instruction),
                   .constants = constants,
                   .n_inputs = n_inputs,
                   .n_constants = (int)PyTuple_GET_SIZE(constants)};
    if (p->n < 1 || p->code[p->n - 1].op != OP_END || n_inputs + p->n_constants > MAX_REGISTERS)
        return refuse("a program is too long or has no end");
    for (Py_ssize_t i = 0; i < p->n; i++) {
        const Instruction *at = &p->code[i];
        int jumps = at->op == OP_JUMP || at->op == OP_JUMP_IF_ZERO;
        int target = at->a + 256 * at->b;
        if (at->op >= N_OPS || at->dst >= MAX_REGISTERS || (jumps && target >= p->n) ||
            (!jumps && (at->a >= MAX_REGISTERS || at->b >= MAX_REGISTERS)) ||
            (at->op == OP_MATH && at->b >= N_FUNCTIONS))
            return refuse("a program has an instruction that is none");
    }
    for (int i = 0; i < p->n_constants; i++)
        if (number_from(PyTuple_GET_ITEM(constants, i), &p->values[i]) != 1)
            return refuse("a program's constant is no number");
    return 0;
}

void program_begin(const Program *p, Number *registers) {
    for (int i = 0; i < MAX_REGISTERS; i++)
        registers[i] = a_float(0.0);
    for (int i = 0; i < p->n_constants; i++)
        registers[p->n_inputs + i] = p->values[i];
}

/* math's function number `i`: 1, or 0 with an exception set. */
static int call(unsigned i, Number x, Number *out) {
    if (i == 0)
        return number_exp(x, out) == 0;
    if (i == 1)
        return number_log(x, out) == 0;
    if (functions[i].function) {
        double y = functions[i].function(x.x);
        if (LIKELY(isfinite(y))) {
            *out = a_float(y);
            return 1;
        }
    }
    return number_from_math(functions[i].name, x, out) == 0;
}

static Number truth(int x) { return (Number){x, 1}; }

/* One instruction that is no jump: 1, or 0 where Python raises; an exception may be set. */
static inline int step(const Instruction *at, Number *r) {
    Number a = r[at->a], b = r[at->b];
    Number *out = &r[at->dst];
    switch (at->op) {
    case OP_ADD:
        *out = number_add(a, b);
        return 1;
    case OP_SUB:
        *out = a.is_int & b.is_int ? as_int_result(a.x - b.x) : a_float(a.x - b.x);
        return 1;
    case OP_MUL:
        *out = number_mul(a, b);
        return 1;
    case OP_DIV:
        *out = a_float(a.x / b.x);
        return b.x != 0.0;
    case OP_POW:
        return number_pow(a, b, out) == 0;
    case OP_NEG:
        *out = number_neg(a);
        return 1;
    case OP_ABS:
        *out = (Number){fabs(a.x), a.is_int};
        return 1;
    case OP_FLOAT:
        *out = a_float(a.x);
        return 1;
    case OP_MAX:
        *out = b.x > a.x ? b : a;
        return 1;
    case OP_MIN:
        *out = b.x < a.x ? b : a;
        return 1;
    case OP_LT:
        *out = truth(a.x < b.x);
        return 1;
    case OP_LE:
        *out = truth(a.x <= b.x);
        return 1;
    case OP_GT:
        *out = truth(a.x > b.x);
        return 1;
    case OP_GE:
        *out = truth(a.x >= b.x);
        return 1;
    case OP_EQ:
        *out = truth(a.x == b.x);
        return 1;
    case OP_NE:
        *out = truth(a.x != b.x);
        return 1;
    case OP_MATH:
        return call(at->b, a, out);
    default:
        *out = a;
        return 1;
    }
}

static int failed(void) {
    number_lost_int = 0.0;
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyErr_Clear();
    return 0;
}

int program_run(const Program *p, Number *r) {
    Py_ssize_t i = 0;
    while (p->code[i].op != OP_END) {
        const Instruction *at = &p->code[i++];
        if (at->op == OP_JUMP || (at->op == OP_JUMP_IF_ZERO && r[at->dst].x == 0.0))
            i = at->a + 256 * at->b;
        else if (at->op != OP_JUMP_IF_ZERO && UNLIKELY(!step(at, r)))
            return failed();
    }
    return UNLIKELY(number_lost_int != 0.0) ? failed() : 1;
}
