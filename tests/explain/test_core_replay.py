"""The page's replay without a graph is the run: losses, weights and moments after every step."""

import pytest
from node import doubles, read_doubles, run_node
from runs import RUNS, payload, recorded, run_named

pytestmark = [pytest.mark.once, pytest.mark.javascript]


@pytest.mark.parametrize("name", RUNS)
def test_losses_weights_and_moments_after_every_step_are_those_of_train(name):
    states = run_named(name).all_states[1:]
    numbers = run_node("replay.mjs", given=payload(name))
    size = 8 * (1 + 3 * len(states[0][2]))
    assert len(numbers) == size * len(states)
    for i, (step, loss, *arrays) in enumerate(states):
        expected = doubles([loss, *(float(x) for numbers in arrays for x in numbers)])
        actual = numbers[i * size : (i + 1) * size]
        if actual != expected:
            pairs = zip(read_doubles(expected), read_doubles(actual))
            place, (a, b) = next((j, pair) for j, pair in enumerate(pairs) if pair[0] != pair[1])
            pytest.fail(f"step {step}, number {place}: expected {a.hex()}, actual {b.hex()}")


@pytest.mark.parametrize("name", RUNS)
def test_the_recording_is_of_the_run_that_train_makes(name):
    states, recording = run_named(name).all_states, recorded(name)
    assert recording.weights == states[0][2]
    assert recording.losses == [loss for _, loss, *_ in states[1:]]
    assert recording.order == run_named(name).order[: len(recording.order)]
