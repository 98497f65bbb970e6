"""Threads that do everything at once: each finds the bits that one finds alone; nothing hangs."""

import faulthandler
import gc
import os
import pickle
import random
import signal
import sys
import threading

import pytest
from amount import spread
from bits import bits, describe

import isograd
from isograd import _core
from isograd.micrograd import engine, nn

pytestmark = pytest.mark.once
if isograd.model.DEFAULT_TIER != "native":
    pytest.skip("pure Python has no threads of its own", allow_module_level=True)

TOKENIZER = isograd.CharTokenizer(["abcde"])
DOCS = [TOKENIZER.encode(doc) for doc in ["ab", "cabba", "", "c", "deed", "abcde"]]
CONFIG = isograd.GPTConfig(TOKENIZER.vocab_size, 1, 8, 2, 6)
HANGS = 240  # seconds, after which all threads show where they are


def scalars(seed, shared):
    """A graph over Values that all threads share; only its own are swept."""
    rng = random.Random(seed)
    v = [isograd.Value(rng.uniform(-2, 2)) for _ in range(4)] + shared
    with isograd.no_grad():
        hidden = isograd.softmax(isograd.linear(v[:4], [v[4:8], v[:4]]))
    y = sum(isograd.softmax(v)) * v[0] + (v[1] ** 2 + 1).log() + sum(x * x for x in shared)
    return bits(y.data), [bits(x.data) for x in hidden], [len(x._children) for x in hidden]


def swept(seed, shared):
    rng = random.Random(seed)
    v = [isograd.Value(rng.uniform(-2, 2)) for _ in range(8)]
    y = isograd.cross_entropy(isograd.relu(isograd.rmsnorm(v)), seed % 8)
    for _ in range(2):
        y.backward()
    return describe([pickle.loads(pickle.dumps(y))])


def trained(seed, shared):
    """Native models, on one to three threads each, in batches."""
    model = isograd.GPT(CONFIG, rng=random.Random(seed))
    state = isograd.TrainingState(model.num_params)
    for until in (2, 5):
        threads = [1, 2, 3, "auto"][(seed + until) % 4]
        isograd.train(model, DOCS, 5, 0.03, state=state, until=until, batch_size=3, threads=threads)
    return [bits(x) for x in model.read_data()], [*map(bits, state.losses)]


def asked(seed, shared):
    """One model, which every thread asks."""
    model, tokens = MODEL, DOCS[seed % 2][:3]
    answers = [model.logits(tokens), model.attention(tokens), *model.activations(tokens).values()]
    answers += [isograd.sample(model, TOKENIZER, rng=random.Random(seed), temperature=0.9)]
    return [a if isinstance(a, str) else a.tobytes() for a in answers]


def learned(seed, shared):
    model = nn.MLP(2, [3, 1])
    for i, p in enumerate(model.parameters()):
        p.data = ((seed * 31 + i * 17) % 19 - 9) / 7
    loss = (model([engine.Value(0.5), -1.25]) - 1) ** 2
    loss.backward()
    return [(bits(p.data), bits(p.grad)) for p in model.parameters()]


def drawn(seed, shared):
    y = sum(isograd.Value(float(i + seed)) * shared[0] for i in range(4))
    return str(isograd.draw(y))


def fused(seed, shared):
    model = isograd.GPT(CONFIG, rng=random.Random(seed), tier="fused")
    losses = isograd.train(model, DOCS, 2, 0.03)
    return [bits(x) for x in model.to("native").read_data()], [*map(bits, losses)]


MODEL = isograd.GPT(CONFIG, rng=random.Random(1))
WORK = [scalars, swept, trained, asked, learned, drawn, fused]


@pytest.fixture(autouse=True)
def no_hanging():
    faulthandler.dump_traceback_later(HANGS, exit=True)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)
    faulthandler.cancel_dump_traceback_later()


def done_by(tasks, n_threads, shared):
    """What each task finds, as `n_threads` threads take them in turn."""
    results, waiting, start = [None] * len(tasks), list(enumerate(tasks)), threading.Event()

    def work():
        start.wait()
        while True:
            try:
                i, (job, seed) = waiting.pop()
            except IndexError:
                return
            try:
                results[i] = job(seed, shared)
            except BaseException as error:
                results[i] = error

    threads = [threading.Thread(target=work) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    start.set()
    for thread in threads:
        thread.join()
    return results


def check(tasks, n_threads):
    shared = [isograd.Value(x) for x in (0.25, -0.5, 2.0, 1.5)]
    alone = [job(seed, shared) for job, seed in tasks]
    gc.collect()
    values = _core.live_values(), _core.live_micrograd_values()
    together = done_by(tasks, n_threads, shared)
    for (job, seed), expected, found in zip(tasks, alone, together):
        assert found == expected, f"{job.__name__}({seed})"
    del together
    gc.collect()
    assert (_core.live_values(), _core.live_micrograd_values()) == values


@pytest.mark.parametrize("job", WORK)
def test_threads_that_do_the_same(job, counted):
    seeds = spread(range(200), 6)
    check([(job, seed) for seed in seeds], 4)
    counted(f"{job.__name__}: {len(seeds):,} times on 4 threads, equal in bits")


def test_threads_that_do_everything(counted):
    tasks = spread([(WORK[seed % len(WORK)], seed) for seed in range(1400)], 40)
    random.Random(1).shuffle(tasks)
    check(tasks, 16)
    counted(f"everything at once: {len(tasks):,} tasks on 16 threads, equal in bits")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_a_child_of_a_process_whose_threads_are_at_work(counted):
    """Forked in the middle of other threads' training: the child computes on, and the parent."""
    shared = [isograd.Value(x) for x in (0.25, -0.5, 2.0, 1.5)]
    tasks = [(job, 3) for job in WORK]
    alone = [job(seed, shared) for job, seed in tasks]
    stop = threading.Event()

    def work():
        while not stop.is_set():
            trained(5, shared)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    forks = spread(range(200), 5)
    try:
        for _ in forks:
            child = os.fork()
            if child == 0:
                signal.alarm(HANGS // 4)
                same = [job(seed, shared) == found for (job, seed), found in zip(tasks, alone)]
                os._exit(0 if all(same) else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    counted(f"{len(forks):,} forks while threads train: each child finds the same bits")
