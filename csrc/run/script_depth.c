/* Depth as CPython counts it; see the header. Each thread counts how deep it is, or how much of the
 * limit is left.
 */
#include "script_depth.h"

#include <stddef.h>

/* Frames that our own code needs when a script that has set a low limit ends. What is left of the
 * script then, atexit functions say, finds as many more under a limit that is lower than that. */
enum { MARGIN = 30 };

/* C code that calls itself is counted apart from CPython 3.12 on, and by its stack from 3.14 on. */
#define COUNTS_C (PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030e0000)

typedef struct {
    int python, c; /* the latter as much as is left */
} Depth;

static Depth depth_of(PyThreadState *thread) {
    Depth depth = {0, 0};
#if PY_VERSION_HEX < 0x030b0000
    depth.python = thread->recursion_depth;
#elif PY_VERSION_HEX < 0x030c0000
    depth.python = thread->recursion_limit - thread->recursion_remaining;
#else
    depth.python = thread->py_recursion_limit - thread->py_recursion_remaining;
#endif
#if COUNTS_C
    depth.c = thread->c_recursion_remaining;
#endif
    return depth;
}

static void set_depth(Depth depth) {
    PyThreadState *thread = PyThreadState_Get();
#if PY_VERSION_HEX < 0x030b0000
    thread->recursion_depth = depth.python;
#elif PY_VERSION_HEX < 0x030c0000
    thread->recursion_remaining = thread->recursion_limit - depth.python;
#else
    thread->py_recursion_remaining = thread->py_recursion_limit - depth.python;
#endif
#if COUNTS_C
    thread->c_recursion_remaining = depth.c;
#endif
}

/* The depth at which a program begins. 0, or -1 with MemoryError set. */
static int depth_at_the_bottom(Depth *depth) {
    *depth = (Depth){0, 0};
#if COUNTS_C
    /* How much C code may call itself is not told otherwise: releases differ. */
    PyThreadState *begun = PyThreadState_New(PyInterpreterState_Get());
    if (begun == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *depth = depth_of(begun);
    PyThreadState_Clear(begun);
    PyThreadState_Delete(begun);
#endif
    return 0;
}

/* Counts the running thread anew and says in *depth how deep it was. 0, or -1 with MemoryError set.
 */
static int enter_at_the_bottom(Depth *depth) {
    Depth bottom;
    if (depth_at_the_bottom(&bottom) < 0)
        return -1;
    *depth = depth_of(PyThreadState_Get());
    set_depth(bottom);
    return 0;
}

/* Goes on where enter_at_the_bottom was called; the limit may be another one now. */
static void leave_the_bottom(Depth depth) {
    int room = Py_GetRecursionLimit() - MARGIN;
    if (depth.python > room)
        depth.python = room;
    set_depth(depth);
}

void script_end_at_the_bottom(void) {
    Depth depth;
    if (enter_at_the_bottom(&depth) < 0)
        PyErr_Clear();
}

void script_deepen(int more) {
    PyThreadState *thread = PyThreadState_Get();
#if COUNTS_C
    thread->c_recursion_remaining += more;
#else
    (void)thread, (void)more; /* sys.setrecursionlimit() is enough */
#endif
}

/* CPython's compiler sometimes forgets to raise MemoryError. */
static void raise_something(void) {
    if (!PyErr_Occurred())
        PyErr_NoMemory();
}

PyObject *script_compile(PyObject *source, PyObject *file) {
    PyCompilerFlags flags = {PyCF_SOURCE_IS_UTF8, PY_MINOR_VERSION};
    Depth depth;
    if (enter_at_the_bottom(&depth) < 0)
        return NULL;
    PyObject *code =
        Py_CompileStringObject(PyBytes_AS_STRING(source), file, Py_file_input, &flags, -1);
    leave_the_bottom(depth);
    if (code == NULL)
        raise_something();
    return code;
}

int script_execute(PyObject *code, PyObject *variables) {
    Depth depth;
    if (enter_at_the_bottom(&depth) < 0)
        return -1;
    PyObject *none = PyEval_EvalCode(code, variables, variables);
    leave_the_bottom(depth);
    if (none == NULL)
        raise_something();
    Py_XDECREF(none);
    return none ? 0 : -1;
}
