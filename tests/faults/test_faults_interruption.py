"""Processes killed, interrupted and out of disk at any moment: what is there afterwards is whole.

A run goes on from its checkpoint to the same bytes in every file. Sweeps are in test_sweep.py,
closed pipes in test_cli.py, Ctrl-C before any bytecode in test_training.py and test_options.py.
"""

import os
import random
import re
import signal
import time

import pytest
from amount import spread
from test_cli import MANY_COMMANDS

import isograd

pytest.importorskip("safetensors")
pytest.importorskip("matplotlib")
pytestmark = MANY_COMMANDS

SIZES = ["--n-embd=4", "--n-head=2", "--block-size=4", "--samples=1", "--data=../docs.txt"]
FILES = ["--checkpoint=run", "--history=run.csv", "--plot=run.svg"]
TRAIN = ["train", *SIZES, "--steps=60", "--batch-size=2", "--checkpoint-every=2", *FILES]
EXPLAIN = ["explain", *SIZES, "--steps=5", "-o", "page.html"]


class Whole:
    """The files of an undisturbed run, and how long it takes."""

    def __init__(self, folder, arguments):
        from forked import ended

        self.arguments, self.parent = arguments, folder
        (folder / "docs.txt").write_text("ann\nbob\ncrl\n")
        (folder / "whole").mkdir()
        for _ in range(2):  # the second time nothing is imported any more
            for path in (folder / "whole").iterdir():
                path.unlink()
            start = time.perf_counter()
            assert ended(arguments, folder / "whole")[::2] == (0, b"")
            self.seconds = time.perf_counter() - start
        self.files = {path.name: path.read_bytes() for path in (folder / "whole").iterdir()}

    def new_folder(self, name):
        (self.parent / str(name)).mkdir()
        return self.parent / str(name)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    # Ctrl-C while matplotlib's own C code is imported ends in its traceback.
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401

    return Whole(tmp_path_factory.mktemp("train"), TRAIN)


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    return Whole(tmp_path_factory.mktemp("explain"), EXPLAIN)


def send_after(seconds, number):
    def meanwhile(child):
        time.sleep(seconds)
        os.kill(child, number)

    return meanwhile


def check_and_go_on(whole, folder):
    """Checks what a run has left; returns whether it had come as far as a checkpoint."""
    from forked import ended

    left = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".part"}
    table = left.get("run.csv", b"")
    assert whole.files["run.csv"].startswith(table)
    assert table == b"" or table.endswith(b"\n"), "a row in part"
    if "run" not in left:
        return False
    steps = isograd.load_checkpoint(folder / "run").state.steps
    assert 0 < steps <= 60
    svg = left.get("run.svg", b"</svg>")
    assert b"</svg>" in svg
    ending = ended(["train", "--resume=run", *FILES], folder)
    assert (ending.status, ending.errors) == (0, b"")
    for name in ("run", "run.csv"):
        assert (folder / name).read_bytes() == whole.files[name], name
    assert sorted(os.listdir(folder)) == ["run", "run.csv", "run.svg"], "nothing is left behind"
    return True


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_a_run_that_a_signal_ends_goes_on_to_the_same_bytes(trained, name, counted):
    from forked import ended

    rng = random.Random(name)
    trials = spread(range(80), 3)
    n_over = n_gone_on = 0
    for i in trials:
        folder = trained.new_folder(f"{name}{i}")
        moment = rng.uniform(0, trained.seconds)
        ending = ended(TRAIN, folder, meanwhile=send_after(moment, getattr(signal, name)))
        expected = (130, -signal.SIGINT) if name == "SIGINT" else (-getattr(signal, name),)
        assert ending.status in (0, *expected), ending
        assert b"Traceback" not in ending.errors, ending.errors.decode()
        n_over += ending.status == 0
        n_gone_on += check_and_go_on(trained, folder)
    counted(
        f"{len(trials)} runs ended by {name}, {n_over} of them too late: {n_gone_on} had a "
        "checkpoint, and went on to the same bytes; no file in part"
    )


def test_a_page_is_whole_or_not_there(explained, counted):
    from forked import ended

    rng, trials = random.Random(1), spread(range(50), 2)
    n_there = 0
    for i in trials:
        folder = explained.new_folder(i)
        moment = rng.uniform(0, explained.seconds)
        ended(EXPLAIN, folder, meanwhile=send_after(moment, signal.SIGKILL))
        page = folder / "page.html"
        n_there += page.exists()
        assert not page.exists() or page.read_bytes().rstrip().endswith(b"</html>")
        assert ended(EXPLAIN, folder).status == 0
        assert os.listdir(folder) == ["page.html"]
    counted(f"{len(trials)} explanations killed: {n_there} pages, whole; the others not there")


def test_a_disk_that_is_full_at_any_byte(trained, explained, counted):
    """No file may grow beyond a limit: each writer meets its end at another byte."""
    import resource

    from forked import ended

    n_refused = n_done = 0
    for whole in (trained, explained):
        largest = max(map(len, whole.files.values()))
        for size in spread(range(0, largest + 400, max(1, largest // 100)), 5):
            folder = whole.new_folder(f"full{size}")

            reading, writing = os.pipe()  # which has room: what is printed is short

            def limit(size=size, writing=writing):
                os.dup2(writing, 1)
                os.dup2(writing, 2)
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

            ending = ended(whole.arguments, folder, begin=limit)
            os.close(writing)
            with os.fdopen(reading) as pipe:
                told = pipe.read()
            left = {path.name: path.read_bytes() for path in folder.iterdir()}
            assert all(len(content) <= size for content in left.values())
            assert "Traceback" not in told and ending.status in (0, 1, 2), told
            assert ending.status == 0 or re.search(
                r"(\A|\n)isograd: cannot write '[^\n]+\n\Z", told
            )
            n_done, n_refused = n_done + (ending.status == 0), n_refused + (ending.status != 0)
            for name, content in left.items():
                assert not name.endswith(".part"), "a part is left"
                if name.endswith(".csv"):
                    assert whole.files[name].startswith(content)
                    assert content == b"" or content.endswith(b"\n")
                elif name == "run":
                    assert isograd.load_checkpoint(folder / name).state.steps > 0
                else:
                    assert content.rstrip().endswith((b"</svg>", b"</html>")), name
    counted(
        f"{n_refused + n_done} disks that were full after so many bytes: {n_refused} runs ended in "
        f"a sentence, {n_done} had room; no file in part"
    )
