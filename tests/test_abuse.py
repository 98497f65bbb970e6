"""Programs that try to pull the rug from under the compiled Value: each once found a way to crash.

Numbers whose conversion runs code, finalisers, collectors and other threads that change a graph in
the middle of something. None may crash, leak, or leave anything half done.
"""

import copy
import gc
import subprocess
import sys
import threading
import time
import weakref
from contextlib import contextmanager

import pytest

from isograd._core import Value, linear, live_values


class Meddler:
    """A number that does something when it is read."""

    def __init__(self, action, number=1.0):
        self.action = action
        self.number = number

    def __float__(self):
        self.action()
        return self.number


class Sub(Value):
    pass


def test_local_grads_that_grow_while_they_are_read():
    local_grads = []
    local_grads.append(Meddler(lambda: local_grads.extend([2.0] * 100_000)))
    assert Value(1.0, [Value(1.0)], local_grads)._local_grads == (1.0,)


def test_children_that_vanish_while_local_grads_are_read():
    children = [Value(3.0)]
    v = Value(1.0, children, [Meddler(children.clear)])
    assert [child.data for child in v._children] == [3.0] and children == []


def test_a_state_that_vanishes_while_it_is_read():
    slots = {"data": 1.0, "_children": (), "_local_grads": ()}
    slots["grad"] = Meddler(slots.clear, 2.0)
    v = Value(5.0)
    v.__setstate__((None, slots))
    assert (v.data, v.grad) == (1.0, 2.0)


def test_a_state_with_a_key_that_is_no_name():
    state = {5: 1, "data": 1.0, "grad": 1.0, "_children": (), "_local_grads": ()}
    with pytest.raises(TypeError, match="not the state of a Value"):
        Value(1.0).__setstate__((None, state))


def test_slotnames_that_are_no_list():
    class Odd(Value):
        __slotnames__ = 5

    with pytest.raises(TypeError):
        copy.copy(Odd(1.0))


def test_initialising_what_is_about_to_be_freed():
    refused = []

    class Dying(Value):
        def __del__(self):
            other = waiting()
            if other is not None:
                try:
                    other.__init__(5.0)
                except RuntimeError:
                    refused.append(other.data)

    x = Value(1.0)
    references = sys.getrefcount(x)
    s = Sub(2.0, (x,), (1.0,))
    waiting = weakref.ref(s)
    d = Dying(3.0)
    root = Value(0.0, (s, d), (1.0, 1.0))
    del s, d, root
    assert refused in ([], [2.0])
    assert sys.getrefcount(x) == references


@contextmanager
def at_every_collection(action):
    """Calls `action` whenever the collector runs: in older Pythons on almost any allocation."""
    threshold = gc.get_threshold()
    gc.callbacks.append(action)
    gc.set_threshold(1)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(action)


def test_new_edges_while_a_tuple_is_allocated():
    """The collector may call `__init__` again."""
    v = Value(0.0, [Value(float(i)) for i in range(5)], [1.0] * 5)

    def shrink(phase, info):
        if phase == "start":
            v.__init__(1.0, [Value(7.0)], [2.0])

    with at_every_collection(shrink):
        seen = [[child.data for child in v._children] for _ in range(100)]
    assert all(data in ([0.0, 1.0, 2.0, 3.0, 4.0], [7.0]) for data in seen)


def test_a_matrix_that_vanishes_while_a_row_is_read():
    """At any moment, the collector takes the subclass out of the first row, and all rows away."""
    x = [Value(1.0)] * 30
    for moment in range(1, 8):
        row = [Sub(1.0), *(Value(1.0) for _ in range(29))]
        matrix = [row, *([Value(2.0)] * 30 for _ in range(500))]
        left = moment

        def vanish(phase, info, row=row, matrix=matrix):
            nonlocal left
            left -= phase == "start"
            if left == 0:
                row[0] = Value(5.0)
                matrix.clear()

        with at_every_collection(vanish):
            linear(x, matrix)


def test_recycled_memory_makes_no_immortals():
    """From CPython 3.12 on, a negative reference count in fresh memory means immortal."""
    numpy = pytest.importorskip("numpy")
    big = numpy.zeros(3 << 20)
    del big
    arrays = [numpy.full(2 << 20, -1) for _ in range(6)]
    keep = numpy.ones(1 << 17)
    del arrays
    before = live_values()
    values = [Value(float(i)) for i in range(10**6)]
    del values, keep
    assert live_values() == before


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX timers")

IN_A_HANDLER = """
import signal, threading, time
from isograd._core import Value, live_values

def chain():
    v = Value(1.0)
    for _ in range(3_000_000):
        v = v * 1.0
    return v

def during_backward(action):
    done = []
    def handler(number, frame):
        done.append(action())
    signal.signal(signal.SIGALRM, handler)
    while not done:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        v.backward()
        signal.setitimer(signal.ITIMER_REAL, 0)
    return done[0]

def error_of(action):
    try:
        action()
    except RuntimeError as error:
        return str(error)

v = chain()
"""


def in_a_handler(code):
    run = subprocess.run(
        [sys.executable, "-c", IN_A_HANDLER + code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@POSIX
def test_edges_stay_hidden_during_backward():
    in_a_handler("""
message = during_backward(lambda: error_of(lambda: v._children))
assert message in (None, "this cannot be asked of a Value during backward()"), message
leaf = v._children[1]
v.grad = 0
leaf.grad = 0
v.backward()
assert leaf.grad == 1.0
del v, leaf
assert live_values() == 0, live_values()
""")


@POSIX
def test_another_thread_waits_for_its_turn():
    in_a_handler("""
results = []
def work():
    x = Value(data=3.0)
    (x * x).backward()
    results.append(x.grad)

def start_and_sleep():
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.1)
    return thread

during_backward(start_and_sleep).join()
assert results == [6.0], results
""")


def test_edges_that_would_change_in_another_threads_backward():
    stop = threading.Event()
    values = [Value(float(i)) for i in range(50)]

    def meddle():
        while not stop.is_set():
            try:
                values[0].__init__(Meddler(lambda: time.sleep(0.0001)), (Value(1.0),), (1.0,))
            except RuntimeError:
                pass

    thread = threading.Thread(target=meddle)
    thread.start()
    for _ in range(300):
        sum(values).backward()
    stop.set()
    thread.join()
    assert values[1].grad == 300.0
