/* What Value has of the script's class: its methods that ours does not have or that replace ours,
 * and the callable that asks the class itself.
 *
 * All of them refer to the script's variables. These must die when the program ends, as a script's
 * destructors then run; the type Value does not die. So they belong to one object, which the
 * script's variables may own: the collector frees it along with them. Value looks them up.
 */
#ifndef ISOGRAD_SCRIPT_MEMBERS_H
#define ISOGRAD_SCRIPT_MEMBERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Keeps `replay` and the dict `methods`. 0, or -1 with an exception set. */
int script_members_keep(PyObject *replay, PyObject *methods);

/* Lets go of them: a new reference to the object that they belong to, on which their life depends
 * from now on. NULL with RuntimeError set where nothing is kept (any more). */
PyObject *script_members_hand_over(void);

/* `replay`; borrowed, NULL without an exception when it is no more. */
PyObject *script_members_replay(void);
/* The method of that name; borrowed, NULL if there is none, or with an exception set. */
PyObject *script_member(const char *name);
/* The same for a str. */
PyObject *script_member_called(PyObject *name);

/* What is to stand in Value's dict for the method that is called `name`, a str. A new reference, or
 * NULL with an exception set. */
PyObject *script_member_stand_in(PyObject *name);

#endif
