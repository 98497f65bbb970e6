/* The type Value in the place of a script's own class, for `isograd run`. What it computes stays as
 * it is; what a script can see of the class becomes the script's.
 */
#ifndef ISOGRAD_SCRIPT_CLASS_H
#define ISOGRAD_SCRIPT_CLASS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Lets Value stand for a script's class, for the rest of the process.
 *
 * name      the class's name, ASCII or UTF-8
 * absent    tuple of names: methods, operators and perhaps `__slots__` that the class does not have
 * methods   dict of further methods and of those that replace ours; `__repr__` and `__str__` too
 * replay    called as replay(name, args, kwargs) for what Value cannot do: the name of an operation
 *           and its arguments. Returns the exception that the script's class raises.
 * say       called as say(number) before the process ends over a number that the script's class would
 *           hold and Value cannot (script_stop.h)
 *
 * 0, or -1 with an exception set: RuntimeError if Value stands for a class already. Keeps
 * references to all but `absent`; script_members.h says how to let go of methods and replay. */
int script_adopt(PyObject *name, PyObject *absent, PyObject *methods, PyObject *replay,
                 PyObject *say);

#endif
