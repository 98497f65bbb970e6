"""no_grad on both twins: the same data, no graph, for one thread."""

import threading

import pytest
from bits import bits, describe, first_difference
from conftest import TWINS, VECTOR

import isograd
import isograd._core
import isograd.reference

NO_GRAD = {"python": isograd.reference.no_grad, "c": isograd._core.no_grad}


@pytest.fixture(params=TWINS)
def world(request):
    return TWINS[request.param], VECTOR[request.param], NO_GRAD[request.param]


def everything(Value, fn):
    """One result of every operation there is."""
    x = [Value(0.5 + i) for i in range(8)]
    a, b = x[0], x[1]
    scalars = [
        a + b,
        a * b,
        a - 1,
        2 / b,
        -a,
        a**2,
        *(getattr(a, method)() for method in isograd._core.unary_methods),
        Value(3, (a,), (1,)),
    ]
    probs = [fn.cross_entropy(x, 1), *fn.softmax(x)]
    vectors = [
        *fn.linear(x, [x, x[::-1]] * 3),
        *fn.rmsnorm(x),
        *fn.add(x, x),
        *fn.relu(x),
    ]
    return scalars + probs + vectors + fn.attention(x, [x, x[::-1]], [x] * 2, 2)


def test_results_have_the_same_data_and_no_children(world):
    Value, fn, no_grad = world
    with no_grad():
        inside = everything(Value, fn)
    outside = everything(Value, fn)
    assert [bits(v.data) for v in inside] == [bits(v.data) for v in outside]
    assert all(len(v._children) == len(v._local_grads) == 0 for v in inside)
    assert all(len(v._children) > 0 for v in outside)


def test_graphs_from_outside_are_whole_inside():
    graphs = []
    for twin, Value in TWINS.items():
        made = everything(Value, VECTOR[twin])
        with NO_GRAD[twin]():
            sum_of_all = made[0]
            sum_of_all.backward()
            for v in made:
                v.backward()
            graphs.append(describe(made))
    assert first_difference(*graphs) is None, first_difference(*graphs)


def test_it_nests_decorates_and_ends_with_an_exception(world):
    Value, _, no_grad = world
    a = Value(2.0)

    @no_grad()
    def double():
        return a + a

    with no_grad():
        with no_grad():
            pass
        assert (a + a)._children == ()
    assert double()._children == ()
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (a + a)._children == (a, a)


def test_other_threads_go_on_recording(world):
    Value, fn, no_grad = world
    results = []
    with no_grad():
        thread = threading.Thread(target=lambda: results.extend(everything(Value, fn)))
        thread.start()
        thread.join()
        assert (Value(1.0) + 1)._children == ()
    assert all(len(v._children) > 0 for v in results)


def test_one_context_is_for_both_twins():
    with isograd._core.no_grad():
        assert all((Value(1.0) * 2)._children == () for Value in TWINS.values())
    assert isograd.no_grad in NO_GRAD.values()


def test_leaving_what_was_not_entered_is_an_error(world):
    _, _, no_grad = world
    with pytest.raises((KeyError, RuntimeError)):
        no_grad().__exit__(None, None, None)


def test_leaving_on_another_thread_is_an_error(world):
    _, _, no_grad = world
    context, errors = no_grad(), []

    def leave():
        try:
            context.__exit__(None, None, None)
        except (KeyError, RuntimeError) as error:
            errors.append(error)

    with context:
        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()
    assert len(errors) == 1


def test_embedding_is_the_row_itself(world):
    Value, fn, _ = world
    table = [[Value(1.0)], [Value(2.0)]]
    assert fn.embedding(1, table) is table[1]
    for token in (-1, 2):
        with pytest.raises(ValueError, match=f"token must be from 0 to 1, not {token}"):
            fn.embedding(token, table)
