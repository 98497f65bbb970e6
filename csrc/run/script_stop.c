/* Ending the process; see the header. */
#include "script_stop.h"

#include <stdlib.h>

#include "script_depth.h"

#ifdef ISOGRAD_COVERAGE
void __gcov_dump(void);
#endif

/* Set once, by script_stop_after, and kept until the process ends. */
static PyObject *say_why;

void script_stop_after(PyObject *say) {
    Py_INCREF(say);
    Py_XSETREF(say_why, say);
    number_lost_int = 0.0;
}

/* Whatever Python raises here (a KeyboardInterrupt, say) must not reach the script. */
_Noreturn static void stop(PyObject *held, const char *why) {
    assert(say_why);
    PyErr_Clear();
    script_end_at_the_bottom();
    Py_XDECREF(PyObject_CallFunction(say_why, why ? "(Os)" : "(O)", held, why));
#ifdef ISOGRAD_COVERAGE
    __gcov_dump(); /* what has been counted, which is written only where a process ends orderly */
#endif
    _Exit(2);
}

void script_stop(PyObject *held) { stop(held, NULL); }

void script_stop_saying(const char *why) { stop(Py_None, why); }

void script_lost_int(void) {
    Number lost = a_float(number_lost_int);
    number_lost_int = 0.0;
    if (say_why) {
        PyErr_Clear();
        PyObject *held = number_as_object(lost);
        script_stop(held ? held : Py_None);
    }
}
