# cython: language_level=3
"""What csrc/graph and csrc/run offer, as Python objects: Value, Adam's update, the vector
functions, and what `isograd run` needs. Thin: C checks arguments, except for arrays.
"""

from .reference import vector as reference_vector, no_grad as reference_no_grad

from cpython cimport array
from cpython.ref cimport PyObject

cdef extern from "graph/value.h":
    object value_type_ready()
    object value_unary_methods()
    object value_operation(object value)
    Py_ssize_t value_live_count()

cdef extern from "numerics/adam_update.h":
    ctypedef struct AdamRates:
        double lr, beta1, beta2, rest1, rest2, correction1, correction2, eps

cdef extern from "graph/params.h":
    int params_check(PyObject **params, Py_ssize_t n) except -1
    int params_adam_update(PyObject **params, double *m, double *v, Py_ssize_t n,
                           const AdamRates *rates) except -1
    int params_zero_grad(PyObject **params, Py_ssize_t n) except -1
    int params_clip_gradients(PyObject **params, Py_ssize_t n, double norm) except -1
    int params_scale_data(PyObject **params, Py_ssize_t n, double factor) except -1
    int params_read_data(PyObject **params, double *out, Py_ssize_t n) except -1

cdef extern from "graph/vector_linear.h":
    object vector_linear(object x, object w)

cdef extern from "graph/vector_attention.h":
    object vector_attention(object q, object keys, object values, Py_ssize_t n_head)

cdef extern from "graph/vector.h":
    object vector_softmax(object logits)
    object vector_rmsnorm(object x)
    object vector_add(object a, object b)
    object vector_relu(object x)
    object vector_cross_entropy(object logits, Py_ssize_t target)

cdef extern from "graph/recording.h":
    int recording_stop() except -1
    int recording_resume() except -1

cdef extern from "Python.h":
    PyObject **PySequence_Fast_ITEMS(object)

cdef extern from "numerics/vector_unit.h":
    const char *vector_unit_init()
    const char *vector_unit_name()

cdef extern from "numerics/compiler.h":
    const char *compiler_name()

cdef const char *complaint = vector_unit_init()
if complaint:
    raise ImportError(complaint.decode())
compiler = compiler_name().decode()
vector_unit = vector_unit_name().decode()

# ---- Value ----

Value = value_type_ready()
unary_methods = value_unary_methods()  # the names of Value's methods of one operand


def operation(value):
    """How `value` was made, "" if it is a leaf; NotImplemented if it is no Value of this class."""
    return value_operation(value)


def live_values():
    """How many Values exist now, the unseen leaves of constants left out."""
    return value_live_count()


class no_grad(reference_no_grad):
    __doc__ = reference_no_grad.__doc__

    def __enter__(self):
        recording_stop()
        try:
            return super().__enter__()
        except BaseException:
            recording_resume()
            raise

    # Without a tuple of arguments, and first of all: so far it needs no memory.
    def __exit__(self, kind=None, error=None, traceback=None):
        recording_resume()
        super().__exit__(kind, error, traceback)


# ---- Adam ----

cdef array.array DOUBLES = array.array("d")


def check_params(tuple params):
    """Raise TypeError naming the first of `params` that is no Value."""
    params_check(PySequence_Fast_ITEMS(params), len(params))


def adam_update(tuple params, array.array m, array.array v, double lr, double beta1, double beta2,
                double correction1, double correction2, double eps):
    """One update of `params` with moments `m` and `v`, arrays of doubles of the same length."""
    if not (m.typecode == v.typecode == "d" and len(m) == len(v) == len(params)):
        raise ValueError("m and v must be arrays of doubles, one for each parameter")
    cdef AdamRates rates = AdamRates(lr, beta1, beta2, 1 - beta1, 1 - beta2, correction1,
                                     correction2, eps)
    params_adam_update(PySequence_Fast_ITEMS(params), m.data.as_doubles, v.data.as_doubles,
                       len(params), &rates)


def clip_gradients(tuple params, double norm):
    """Scale the grads of `params` by one factor, if together they are longer than `norm`."""
    params_clip_gradients(PySequence_Fast_ITEMS(params), len(params), norm)


def scale_data(tuple params, double factor):
    """Multiply the data of every one of `params` by `factor`."""
    params_scale_data(PySequence_Fast_ITEMS(params), len(params), factor)


def zero_grad(tuple params):
    """Set the grad of every one of `params` to 0."""
    params_zero_grad(PySequence_Fast_ITEMS(params), len(params))


def read_data(tuple params):
    """The data of `params`: an array of doubles, or a list where there are ints among them.

    Takes 8 us for 4,192 of them, a thirtieth of what asking each one does.
    """
    cdef array.array out = array.clone(DOUBLES, len(params), zero=False)
    if params_read_data(PySequence_Fast_ITEMS(params), out.data.as_doubles, len(params)):
        return out
    # By append(), as everywhere here: where memory ends, Cython 3.3's comprehensions let go of an
    # element twice.
    data = []
    for p in params:
        data.append(p.data)
    return data


# ---- vector functions ----
#
# C hands back NotImplemented where an operand's class is not exactly Value: a subclass may have
# operators of its own, which only the reference's Python asks for.


def linear(x, w):
    """The matrix-vector product: `x` has n_in entries, `w` n_out rows of n_in; returns n_out."""
    y = vector_linear(x, w)
    return reference_vector.linear(x, w) if y is NotImplemented else y


embedding = reference_vector.embedding


def softmax(logits):
    """Probabilities proportional to exp(logit); the maximum is subtracted first, as a constant."""
    y = vector_softmax(logits)
    return reference_vector.softmax(logits) if y is NotImplemented else y


def rmsnorm(x):
    """`x` divided by its root mean square (Zhang and Sennrich 2019), without a learned gain."""
    y = vector_rmsnorm(x)
    return reference_vector.rmsnorm(x) if y is NotImplemented else y


def attention(q, keys, values, Py_ssize_t n_head):
    """Causal attention (Vaswani et al. 2017) of one position's query to the positions so far.

    `q` has n_embd entries, `keys` and `values` one such vector for each position; each of `n_head`
    heads sees its own n_embd / n_head entries. Returns the heads' outputs, n_embd entries.
    """
    y = vector_attention(q, keys, values, n_head)
    return reference_vector.attention(q, keys, values, n_head) if y is NotImplemented else y


def add(a, b):
    """`a` + `b`, entry by entry."""
    y = vector_add(a, b)
    return reference_vector.add(a, b) if y is NotImplemented else y


def relu(x):
    """The positive part of every entry of `x`."""
    y = vector_relu(x)
    return reference_vector.relu(x) if y is NotImplemented else y


def cross_entropy(logits, Py_ssize_t target):
    """-log softmax(logits)[target], in nats, a single Value."""
    y = vector_cross_entropy(logits, target)
    return reference_vector.cross_entropy(logits, target) if y is NotImplemented else y


# ---- isograd.micrograd ----

cdef extern from "micrograd/micrograd.h":
    object micrograd_type()
    Py_ssize_t micrograd_live_count()
    void micrograd_know(object neuron, object layer)
    object micrograd_call(object of, object x)

MicrogradValue = micrograd_type()


def live_micrograd_values():
    """How many of micrograd's Values exist now, those inside calls of networks left out."""
    return micrograd_live_count()


def know_network(type neuron, type layer):
    """From now on these two classes are the ones that `call_network` calls as a whole."""
    micrograd_know(neuron, layer)


def call_network(of, x):
    """What a neuron, a layer or a list of layers makes of `x`; NotImplemented for any other."""
    return micrograd_call(of, x)


# ---- isograd run ----
#
# Each is asked from inside a script, so it says None or 0 to what it cannot do exactly, and the
# script's own code goes on. csrc/run has the C side.

cdef extern from "run/script_class.h":
    int script_adopt(object name, object absent, object methods, object replay,
                     object say) except -1

cdef extern from "run/script_members.h":
    object script_members_hand_over()

cdef extern from "run/script_depth.h":
    object script_compile(bytes source, object file)
    int script_execute(object code, dict variables) except -1
    void script_deepen(int more)

cdef extern from "run/script_functions.h":
    object script_function(object original, const char *kind)
    object script_dot(object a, object b, object n, object column)
    object script_add(object a, object b)
    object script_relu(object a)

cdef extern from "run/script_signs.h":
    object script_made_by(object node)

cdef extern from "run/script_stop.h":
    void script_keep_ints()
    void script_stop(object held)

cdef extern from "run/script_adam.h":
    Py_ssize_t script_adam_count(PyObject **params, const double *v, Py_ssize_t n)


def compile_script(bytes source, str file):
    """The code of a script, compiled as deep as `python SCRIPT` would."""
    return compile(source, file, "exec") if b"\0" in source else script_compile(source, file)


def execute_script(code, dict variables):
    """Run the code of a script, as deep as `python SCRIPT` would."""
    script_execute(code, variables)


def deepen(int more):
    """Let C code recur `more` times more often on this thread, which has the stack for it."""
    script_deepen(more)


def adopt_class(str name, tuple absent, dict methods, replay, say):
    """Let Value stand for a script's class `name`, for the rest of the process."""
    script_adopt(name, absent, methods, replay, say)


def stop_script(held):
    """End the process at once: the adopted class would hold the number `held`."""
    script_stop(held)


def made_by(value):
    """Which method of the script's class made it, and the exponent if that was a power."""
    return script_made_by(value)


def hand_over_members():
    """The object on which the life of the script's methods and of `replay` depends from now on."""
    return script_members_hand_over()


def compiled_function(original, str kind):
    """`original`, computed by our function `kind` wherever that is the same."""
    return script_function(original, kind.encode())


def dot_or_none(a, b, n=None, column=None):
    """The sum of products over two lists of Values, or None where these are anything else."""
    return script_dot(a, b, n, column)


def lazy_dot_or_none(operands):
    """The same for what `operands()` returns; None if it raises."""
    try:
        a, b, n, column = operands()
    except Exception:
        return None
    return script_dot(a, b, n, column)


def add_or_none(a, b):
    """[x + y for x, y in zip(a, b)], or None where these are no lists of Values that fit."""
    return script_add(a, b)


def relu_or_none(a):
    """[x.relu() for x in a], or None where it is no list of Values."""
    return script_relu(a)


cdef bint are_values(tuple params):
    for p in params:
        if type(p) is not Value:
            return False
    return True


cdef tuple distinct_values = ()  # the params seen last: asking each time would take too long


cdef bint are_distinct_values(tuple params):
    global distinct_values
    cdef Py_ssize_t i
    cdef bint known = len(params) == len(distinct_values)
    for i in range(len(params) if known else 0):
        known = known and params[i] is distinct_values[i]
    if not known:
        if not are_values(params) or len(set(params)) != len(params):
            return False
        distinct_values = params
    return True


cdef array.array as_doubles(moments, Py_ssize_t n):
    """`moments`, n floats or more, as an array; None if they are anything else."""
    if type(moments) is list and len(moments) >= n and {*map(type, moments)} <= {float}:
        return array.array("d", moments)
    if isinstance(moments, array.array) and moments.typecode == "d" and len(moments) >= n:
        return moments
    return None


def adam_but_last(tuple params, m, v, tuple rates, bint zero):
    """Update the first of `params`, and their moments in the lists or arrays `m` and `v`.

    `rates` are lr, beta1, beta2, 1 - beta1, 1 - beta2, the two corrections and eps. With `zero`
    the grads are reset as well. Returns how many were updated: all but the last, or those before
    the first whose arithmetic might raise, or none where the arguments are of any other kind.
    """
    if not are_distinct_values(params):
        return 0
    cdef array.array m_doubles = as_doubles(m, len(params)), v_doubles = as_doubles(v, len(params))
    if m_doubles is None or v_doubles is None or m is v:
        return 0
    cdef AdamRates c_rates
    (c_rates.lr, c_rates.beta1, c_rates.beta2, c_rates.rest1, c_rates.rest2, c_rates.correction1,
     c_rates.correction2, c_rates.eps) = rates
    if not (c_rates.correction1 > 0 and c_rates.correction2 > 0 and c_rates.eps > 0 and
            c_rates.beta2 >= 0 and c_rates.rest2 >= 0):
        return 0
    cdef Py_ssize_t n = script_adam_count(PySequence_Fast_ITEMS(params), v_doubles.data.as_doubles,
                                          len(params) - 1)
    params_adam_update(PySequence_Fast_ITEMS(params), m_doubles.data.as_doubles,
                       v_doubles.data.as_doubles, n, &c_rates)
    if zero:
        params_zero_grad(PySequence_Fast_ITEMS(params), n)
        script_keep_ints()
    if m_doubles is not m:
        m[:n] = m_doubles[:n].tolist()
    if v_doubles is not v:
        v[:n] = v_doubles[:n].tolist()
    return n


def zero_grad_but_last(tuple params):
    """Reset the grads of all but the last of `params`. How many; 0 unless all are Values."""
    if not params or not are_values(params):
        return 0
    params_zero_grad(PySequence_Fast_ITEMS(params), len(params) - 1)
    script_keep_ints()
    return len(params) - 1
