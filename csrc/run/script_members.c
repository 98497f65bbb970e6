/* The script's own methods and who owns them; see the header. */
#include "script_members.h"

/* ---- the owner ---- */

typedef struct {
    PyObject_HEAD
    PyObject *replay, *methods;
} Members;

static Members *members; /* borrowed once it is handed over, NULL when it is no more */
static int are_ours;     /* not handed over yet */

static int members_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(((Members *)self)->replay);
    Py_VISIT(((Members *)self)->methods);
    return 0;
}

static int members_clear(PyObject *self) {
    if ((PyObject *)members == self)
        members = NULL;
    Py_CLEAR(((Members *)self)->replay);
    Py_CLEAR(((Members *)self)->methods);
    return 0;
}

static void members_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    members_clear(self);
    PyObject_GC_Del(self);
}

static PyTypeObject Members_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "isograd.members",
    .tp_basicsize = sizeof(Members),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = members_traverse,
    .tp_clear = members_clear,
    .tp_dealloc = members_dealloc,
};

int script_members_keep(PyObject *replay, PyObject *methods) {
    assert(members == NULL);
    if (PyType_Ready(&Members_Type) < 0)
        return -1;
    Members *made = PyObject_GC_New(Members, &Members_Type);
    if (made == NULL)
        return -1;
    Py_INCREF(made->replay = replay);
    Py_INCREF(made->methods = methods);
    PyObject_GC_Track((PyObject *)made);
    members = made;
    are_ours = 1;
    return 0;
}

PyObject *script_members_hand_over(void) {
    if (!are_ours) {
        PyErr_SetString(PyExc_RuntimeError, "there is no script's class, or it is handed over");
        return NULL;
    }
    are_ours = 0;
    return (PyObject *)members;
}

PyObject *script_members_replay(void) { return members ? members->replay : NULL; }

PyObject *script_member(const char *name) {
    if (members == NULL)
        return NULL;
    PyObject *key = PyUnicode_FromString(name);
    PyObject *method = key ? PyDict_GetItemWithError(members->methods, key) : NULL;
    Py_XDECREF(key);
    return method;
}

PyObject *script_member_called(PyObject *name) {
    PyObject *method = members ? PyDict_GetItemWithError(members->methods, name) : NULL;
    if (method == NULL)
        PyErr_Clear();
    return method;
}

/* ---- standing in for a method ---- */

typedef struct {
    PyObject_HEAD
    PyObject *name;
} StandIn;

static PyObject *stand_in_get(PyObject *self, PyObject *object, PyObject *type) {
    PyObject *name = ((StandIn *)self)->name;
    PyObject *method = members ? PyDict_GetItemWithError(members->methods, name) : NULL;
    if (method == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetObject(PyExc_AttributeError, name);
        return NULL;
    }
    descrgetfunc get = Py_TYPE(method)->tp_descr_get;
    Py_INCREF(method);
    if (get == NULL)
        return method;
    PyObject *bound = get(method, object, type);
    Py_DECREF(method);
    return bound;
}

static void stand_in_dealloc(PyObject *self) {
    Py_DECREF(((StandIn *)self)->name);
    PyObject_Free(self);
}

static PyTypeObject StandIn_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "isograd.stand_in",
    .tp_basicsize = sizeof(StandIn),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_descr_get = stand_in_get,
    .tp_dealloc = stand_in_dealloc,
};

PyObject *script_member_stand_in(PyObject *name) {
    if (PyType_Ready(&StandIn_Type) < 0)
        return NULL;
    StandIn *made = PyObject_New(StandIn, &StandIn_Type);
    if (made)
        Py_INCREF(made->name = name);
    return (PyObject *)made;
}
