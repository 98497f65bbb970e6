/* Ending the process; see the header. */
#include "script_stop.h"

#include <stdlib.h>

/* Set once, by script_stop_by, and kept until the process ends. */
static PyObject *stop_process;

void script_stop_by(PyObject *stop) {
    Py_INCREF(stop);
    Py_XSETREF(stop_process, stop);
    number_lost_int = 0.0;
}

/* Whatever comes back from Python (a KeyboardInterrupt, say) must not reach the script. */
void script_stop(PyObject *held) {
    PyErr_Clear();
    PyObject *none = PyObject_CallOneArg(stop_process, held);
    Py_XDECREF(none);
    _Exit(2);
}

void script_lost_int(void) {
    Number lost = a_float(number_lost_int);
    number_lost_int = 0.0;
    if (stop_process == NULL)
        return;
    PyErr_Clear();
    PyObject *held = number_as_object(lost);
    script_stop(held ? held : Py_None);
}
