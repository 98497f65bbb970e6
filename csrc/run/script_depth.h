/* Compiling and running a script at the depth at which `python SCRIPT` does, as if there were no
 * frames of ours below it: a recursion ends where it ends there, and sys.getrecursionlimit() says
 * the same.
 */
#ifndef ISOGRAD_SCRIPT_DEPTH_H
#define ISOGRAD_SCRIPT_DEPTH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* The code of the module whose text is in the bytes `source`, without null bytes, and whose file is
 * called `file`; a new reference, or NULL with an exception set. */
PyObject *script_compile(PyObject *source, PyObject *file);

/* Runs the code in the dict `variables`. 0, or -1 with the exception set that ended it. */
int script_execute(PyObject *code, PyObject *variables);

/* The process ends soon: what is called until then finds itself at that depth. */
void script_end_at_the_bottom(void);

/* Lets C code that calls itself do so `more` times more often than CPython allows on this thread,
 * whose stack the caller knows to be large enough. */
void script_deepen(int more);

#endif
