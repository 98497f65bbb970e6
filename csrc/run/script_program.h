/* Straight-line arithmetic of a script, as a small program over Python's numbers.
 *
 * isograd/run/arithmetic.py writes programs; methods (script_kernel.h) and loops (script_loop.h) run
 * them, once for each node or parameter. Every instruction gives the number that Python gives, int
 * or float, or the program fails: then nothing has happened, and the script's own code is asked.
 */
#ifndef ISOGRAD_SCRIPT_PROGRAM_H
#define ISOGRAD_SCRIPT_PROGRAM_H

#include "graph/number.h"

enum { MAX_REGISTERS = 128 };

/* In the order of arithmetic.py. */
typedef enum {
    OP_END,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_POW,
    OP_NEG,
    OP_ABS,
    OP_FLOAT,
    OP_MAX, /* max(a, b): the first of equals */
    OP_MIN,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_EQ,
    OP_NE,
    OP_MOVE,
    OP_MATH,         /* function b of the list below */
    OP_JUMP_IF_ZERO, /* on register dst to instruction a + 256 b */
    OP_JUMP,
    N_OPS
} ProgramOp;

typedef struct {
    unsigned char op, dst, a, b;
} Instruction;

/* What a program consists of; `code` and `constants` are borrowed from two Python objects that the
 * owner of the program keeps. */
typedef struct {
    const Instruction *code;
    Py_ssize_t n;
    PyObject *constants; /* a tuple of numbers, which go to the registers from n_inputs on */
    Number values[MAX_REGISTERS];
    int n_inputs, n_constants;
} Program;

/* Checks and keeps what Python made: bytes and a tuple of numbers. 0, or -1 with ValueError set. */
int program_read(Program *p, PyObject *code, PyObject *constants, int n_inputs);

/* Puts the constants into MAX_REGISTERS registers, where they stay from run to run. */
void program_begin(const Program *p, Number *registers);

/* Runs it on the registers; inputs come first in them. 1; or 0 where Python would raise, would hold
 * an int from 2**53 on or a number that is not real, without an exception; or -1 with what no script
 * expects of arithmetic, such as KeyboardInterrupt. */
int program_run(const Program *p, Number *registers);

#endif
