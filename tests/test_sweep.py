"""Sweeps: the same table and the same bits, whoever runs the trials and however often they die."""

import contextlib
import csv
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bits import bits

import isograd
from isograd.commands.cli import cli
from isograd.options import RunOptions
from isograd.runs import new_run
from isograd.sweep.plan import Search, plan_of
from isograd.sweep.space import Draws, Grid, Range, axes_of
from isograd.sweep.trials import Outcome

optuna = pytest.importorskip("optuna")
from isograd.sweep.books import Ticket  # noqa: E402
from isograd.sweep.study import InStudy  # noqa: E402

DOCS = ["ana", "bea", "abe", "ada", "dab", "b", "cab", "dede", "eda", "bade", "acceded", "bed"]
SMALL = {"n_layer": 1, "n_embd": 4, "n_head": 2, "block_size": 4, "steps": 20}
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def small(space, **others):
    """A sweep over a few documents."""
    options = {name: x for name, x in SMALL.items() if name not in space} | others
    return isograd.sweep(space, DOCS, **options)


def table(rows):
    """Rows as text that is equal where the bits are, without the time that they took."""
    return [
        {
            name: bits(x) if isinstance(x, float) else x
            for name, x in row.items()
            if name != "seconds"
        }
        for row in rows
    ]


def invoke(*arguments, status=0):
    """What the command prints, and complains."""
    process = subprocess.run(
        [sys.executable, "-m", "isograd", *map(str, arguments)], capture_output=True, text=True
    )
    assert process.returncode == status, process.stderr
    return process.stdout, process.stderr


# What is tried.


def test_a_grid_goes_through_all_combinations_the_last_option_fastest():
    grid = Grid(axes_of({"n_embd": [8, 16], "lr": {"low": 0.1, "high": 0.3, "step": 0.1}}))
    tried = [grid.at(i) for i in range(grid.size)]
    assert tried == [{"n_embd": n, "lr": lr} for n in (8, 16) for lr in (0.1, 0.2, 0.3)]


def test_draws_depend_on_seed_and_index_alone_and_stay_in_their_range():
    space = {
        "lr": {"low": 1e-3, "high": 0.1, "log": True},
        "n_embd": {"low": 4, "high": 16, "step": 4},
        "batch_size": {"low": 1, "high": 900, "log": True},
        "eps": {"low": 0.0, "high": 1.0},
        "schedule": ["linear", "cosine"],
    }
    draws = Draws(axes_of(space), 300, 7)
    drawn = [draws.at(i) for i in range(300)]
    assert [draws.at(i) for i in reversed(range(300))] == drawn[::-1]
    assert drawn != [Draws(draws.axes, 300, 8).at(i) for i in range(300)]
    assert {row["n_embd"] for row in drawn} == {4, 8, 12, 16}
    assert all(1e-3 <= row["lr"] <= 0.1 and type(row["batch_size"]) is int for row in drawn)
    assert 100 < sum(row["lr"] < 0.01 for row in drawn) < 200
    assert drawn[0] == {
        "lr": drawn[0]["lr"],
        "n_embd": drawn[0]["n_embd"],
        "batch_size": drawn[0]["batch_size"],
        "eps": float(f"{drawn[0]['eps']:.6g}"),
        "schedule": drawn[0]["schedule"],
    }


@pytest.mark.parametrize(
    "space, options, sentence",
    [
        ({}, {}, "nothing is tried"),
        ({"width": [1]}, {}, "'width' is no option of a run"),
        ({"lr": 0.1}, {}, "lr must be a list of choices or a range"),
        ({"lr": "0.1"}, {}, "lr must be a list of choices or a range"),
        ({"lr": []}, {}, "lr has no choices"),
        ({"lr": [0.1, 0.1]}, {}, "lr has the choice 0.1 twice"),
        ({"lr": ["fast"]}, {}, "lr must be a number, not 'fast'"),
        ({"n_embd": [1.5]}, {}, "n_embd must be a whole number, not 1.5"),
        ({"tie_weights": [1]}, {}, "tie_weights must be true or false, not 1"),
        ({"schedule": ["lineal"]}, {}, "schedule must be one of linear, cosine, constant"),
        ({"schedule": {"low": 0, "high": 1}}, {}, "schedule is no number"),
        ({"lr": {"low": 1}}, {}, "the range of lr has low and high"),
        ({"lr": {"low": 1, "high": 1}}, {}, "must rise from low to high"),
        ({"lr": {"low": 0, "high": 1, "log": True}}, {}, "the range of lr is logarithmic"),
        ({"lr": {"low": 0, "high": 1, "log": "yes"}}, {}, "log of lr must be true or false"),
        ({"lr": {"low": 0, "high": 1, "step": 0}}, {}, "step of lr must be above 0"),
        ({"lr": {"low": 0, "high": 1}}, {}, "a grid needs to know which lr to try"),
        ({"validation": [0.1]}, {}, "validation cannot be tried"),
        ({"samples": [1]}, {}, "samples cannot be tried"),
        ({"lr": [0.1]}, {"lr": 0.2}, "lr is both tried and given"),
        ({"lr": [0.1]}, {"width": 2}, "'width' is no option of a run"),
        ({"lr": [0.1]}, {"trials": 3}, "a grid has as many trials"),
        ({"lr": [0.1]}, {"seeds": 0}, "seeds must be a whole number from 1 on"),
        ({"lr": [0.1]}, {"sampler": "tea"}, "sampler must be one of grid, random, tpe"),
        ({"lr": [0.1]}, {"judge_by": "worst"}, "judge_by must be one of mean, best"),
        ({"lr": [0.1]}, {"prune": True}, "prune goes by the validation loss"),
        ({"lr": [0.1]}, {"prune": 1, "validation": 0.2}, "prune must be true or false"),
        ({"lr": [0.1]}, {"workers": 0}, "workers must be a whole number from 1 on"),
        ({"lr": [-1.0, -2.0]}, {}, "no trial can be run: lr must be a finite number"),
        ([], {}, "there are no configurations"),
        ([0.1], {}, "configuration 0 must be a mapping"),
        ([{"lr": 0.1}], {"sampler": "random"}, "a list of configurations is all that is tried"),
        (7, {}, "a space is a mapping"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(space, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        isograd.sweep(space, DOCS, **options)


# What is found.


@pytest.mark.parametrize("validation", [None, 0.3, "file"])
def test_each_seed_has_the_loss_of_its_run(tmp_path, validation):
    options = {**SMALL, "validation": validation, "eval_every": 7}
    if validation == "file":
        options["validation"] = validation = str(tmp_path / "others.txt")
        Path(validation).write_text("bead\ncab\n")
    result = isograd.sweep({"lr": [0.01, 0.3]}, DOCS, seeds=2, seed=5, **options)
    assert [row["index"] for row in result] == [0, 1]
    for row in result:
        losses = []
        for seed in (5, 6):
            chosen = RunOptions(**options | {"lr": row["lr"], "seed": seed})
            run = new_run(chosen, DOCS)
            run.train(chosen)
            last = math.fsum(run.state.losses[-2:]) / 2  # a tenth of 20 steps
            losses.append(run.state.validation[-1][1] if validation else last)
        assert [row["loss_1"], row["loss_2"]] == losses
        assert row["loss"] == math.fsum(losses) / 2
        assert row["best_seed"] == 5 + (losses[1] < losses[0])
        assert row["steps_done"] == 40 and row["reason"] == ""


def test_judged_by_the_best_seed_and_trained_again():
    result = small({"seed": [1, 10]}, seeds=3, judge_by="best", validation=0.3, keep="best")
    losses = {row["seed"] + k: row[f"loss_{k + 1}"] for row in result for k in range(3)}
    best = result.best
    assert best.loss == min(losses.values()) == losses[best.seed]
    run = result.best_run()
    assert run.state.validation[-1][1] == best.loss
    assert bytes(result.best_model().read_data()) == bytes(run.model.read_data())
    assert f"seed {best.seed}" in repr(result)


def test_what_diverges_or_cannot_be_is_a_row_with_the_reason():
    result = small({"lr": [0.01, 1e300], "n_head": [2, 3]})
    impossible = "n_embd must be divisible by n_head, but 4 is not by 3"
    assert [row["reason"] == impossible for row in result] == [False, True, False, True]
    assert result.rows[2]["loss"] == math.inf
    assert result.rows[2]["reason"].startswith("diverged with seed 42 in step ")
    assert math.isnan(result.rows[1]["loss"]) and result.best.index == 0
    nothing = small({"lr": [1e300]})
    assert nothing.best is None and "none with a loss" in repr(nothing)
    with pytest.raises(ValueError, match="no trial has a loss"):
        nothing.best_model()


def test_a_run_of_no_steps_has_no_loss():
    assert small({"steps": [0, 1]}).rows[0]["reason"] == "a run of 0 steps has no loss"


def test_a_table_of_numpy_numbers_is_a_list_of_configurations():
    numpy = pytest.importorskip("numpy")

    class Frame:
        def to_dict(self, how):
            assert how == "records"
            lrs, sizes = numpy.array([0.01, 0.02, math.nan]), numpy.array([4.0, 8.0, 4.0])
            return [{"lr": lr, "n_embd": size} for lr, size in zip(lrs, sizes)]

    options = {name: x for name, x in SMALL.items() if name != "n_embd"}
    result = isograd.sweep(Frame(), DOCS, **options)
    assert [(row["lr"], row["n_embd"]) for row in result] == [(0.01, 4), (0.02, 8), (0.01, 4)]
    assert all(type(row["n_embd"]) is int for row in result)
    assert result.rows[0]["key"] == result.rows[2]["key"] != result.rows[1]["key"]
    json.dumps(result.rows)


def test_a_callback_sees_rows_and_may_stop():
    seen = []
    result = small(
        {"lr": [0.01, 0.02, 0.03]}, callback=lambda row: seen.append(row) or len(seen) < 2
    )
    assert table(seen) == table(result.rows) and len(result) == 2


def test_lines_of_the_table_are_read_back_as_the_same_floats(tmp_path):
    result = small({"lr": [0.01, 0.02], "schedule": ["linear", "cosine"]}, seeds=2)
    result.to_csv(tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss_2"]) for row in rows] == [row["loss_2"] for row in result]
    assert list(rows[0]) == list(result.rows[0])


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_plot_of_any_sweep(tmp_path, kind):
    pytest.importorskip("matplotlib")
    random = {
        "lr": {"low": 1e-3, "high": 1e9, "log": True},
        "n_embd": [4, 6, 7],
        "clip_norm": [None, 1],
        "batch_size": {"low": 1, "high": 9},
        "tie_weights": [True, False],
    }
    options = {name: x for name, x in SMALL.items() if name != "n_embd"}
    found = isograd.sweep(random, DOCS, sampler="random", trials=20, seeds=2, **options)
    one, none = small({"lr": [0.01]}), small({"lr": [1e300, 1e299]})
    for i, result in enumerate([found, one, none]):
        result.plot(tmp_path / f"{i}.{kind}")
        assert (tmp_path / f"{i}.{kind}").stat().st_size > 5000


# Who runs the trials.

SPACE = {"lr": {"low": 1e-3, "high": 1.0, "log": True}, "n_embd": [4, 6, 7], "warmup": [0, 9]}


def swept(**others):
    options = {name: x for name, x in SMALL.items() if name != "n_embd"}
    search = {"sampler": "random", "trials": 12, "seeds": 2}
    return isograd.sweep(SPACE, DOCS, **search | options | others)


def test_the_table_does_not_depend_on_workers_or_storage(tmp_path):
    alone = table(swept().rows)
    assert table(swept(workers=2).rows) == alone
    assert table(swept(storage=tmp_path / "one.log").rows) == alone
    assert table(swept(storage=tmp_path / "two.log", workers=2).rows) == alone
    assert table(swept(storage=tmp_path / "two.log").rows) == alone  # nothing is left to do
    assert table(swept(storage=tmp_path / "two.log", trials=15).rows)[:12] == alone
    assert [path for path in os.listdir(tmp_path) if path.endswith(".alive")] == []
    assert len(small({"lr": [0.1]}, workers=2)) == 1  # the other has nothing to do


def test_there_are_no_more_workers_than_trials(tmp_path, monkeypatch):
    """As many as were asked for once started, which a machine does not survive."""
    from isograd.sweep import workers

    started = []

    class Counted(workers.Worker):
        def __init__(self, about):
            started.append(self)
            assert len(started) <= 3
            super().__init__(about)

    monkeypatch.setattr(workers, "Worker", Counted)
    table = isograd.sweep([{"lr": x} for x in (0.1, 0.2, 0.3)], DOCS, steps=1, workers=2**31)
    assert len(table) == len(started) == 3


def test_tpe_with_one_worker_repeats_even_where_it_was_interrupted(tmp_path):
    options = {"sampler": "tpe", "trials": 14, "validation": 0.3, "prune": True, "eval_every": 5}
    whole = table(swept(**options).rows)
    seen = []
    stop = {"callback": lambda row: seen.append(row) or len(seen) < 12}
    part = swept(storage=tmp_path / "s.log", **options, **stop)
    assert len(part) == 12
    assert table(swept(storage=tmp_path / "s.log", **options).rows) == whole


def test_hopeless_trials_are_pruned():
    lrs = [0.01 + 0.001 * i for i in range(6)] + [1e-9]
    result = small(
        {"lr": lrs}, prune=True, validation=0.3, eval_every=5, seeds=2, schedule="constant"
    )
    last = result.rows[-1]
    assert last["reason"].startswith("pruned in step 5, its validation loss ")
    assert math.isnan(last["loss"]) and last["steps_done"] == 5
    assert result.best.index < 6
    again = {"prune": True, "validation": 0.3, "eval_every": 5, "workers": 2}
    rows = small({"lr": lrs}, **again).rows
    assert len(rows) == 7 and all(row["loss"] > 0 or "pruned" in row["reason"] for row in rows)


def test_a_storage_of_something_else_is_refused(tmp_path):
    path = tmp_path / "s.log"
    swept(storage=path)
    for others, sentence in [
        ({"steps": 21}, "its run has another steps"),
        ({"seeds": 3}, "its search has another seeds"),
    ]:
        with pytest.raises(ValueError, match=f"another sweep: {sentence}"):
            swept(storage=path, **others)
    with pytest.raises(ValueError, match="a sweep over other documents"):
        isograd.sweep({"lr": [0.1]}, ["other"], storage=path)
    with pytest.raises(ValueError, match="its space has another lr"):
        isograd.sweep({"lr": [0.1]}, DOCS, storage=path)
    for content in ["text\n", "text", '{"a": 1}\n', "[]\n"]:
        path.write_text(content)
        with pytest.raises(ValueError, match="is no storage of a sweep"):
            swept(storage=path)
        assert path.read_text() == content
    with pytest.raises(OSError):
        swept(storage=tmp_path)


def test_another_study_and_another_list_are_refused(tmp_path):
    path = str(tmp_path / "s.log")
    small([{"lr": 0.1}], storage=path)
    with pytest.raises(ValueError, match="holds another sweep; name another file"):
        small([{"lr": 0.2}], storage=path)
    backend = optuna.storages.journal.JournalFileBackend(path + "2")
    optuna.create_study(storage=optuna.storages.JournalStorage(backend), study_name="mine")
    with pytest.raises(ValueError, match="holds a study that is none of isograd sweep"):
        small([{"lr": 0.1}], storage=path + "2")


def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch):
    def acquire(self, *arguments, **others):
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    with pytest.raises(ValueError, match=r"'.*s\.log' has no locks, which a sweep needs"):
        small({"lr": [0.1]}, storage=str(tmp_path / "s.log"))


def test_part_of_a_line_is_dropped(tmp_path):
    path = tmp_path / "s.log"
    alone = table(swept(storage=path).rows)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert table(swept(storage=path).rows) == alone


def test_trials_of_a_lost_command_run_again_and_those_of_one_alive_do_not(tmp_path):
    plan = plan_of({"lr": [0.01, 0.02, 0.03]}, DOCS, Search(), SMALL)
    path = str(tmp_path / "s.log")
    one, other = InStudy(plan, path), InStudy(plan, path)
    first, second = one.take(), one.take()
    third = other.take()
    assert [first.index, second.index, third.index] == [0, 1, 2]
    assert other.take() is None and other.lost == []
    one.finish(first, Outcome([1.0]))
    one.alive.lock.release()  # as the system does for a process that was killed
    again = other.take()
    assert again.index == second.index and again.tried == second.tried
    assert "was lost, its trial 1 runs again" in other.lost[0]
    assert other.take() is None
    one.finish(second, Outcome([2.0]))  # it was not lost after all, and has nothing more to say
    assert not one.fail(one.trials()[1])  # somebody was faster
    other.finish(again, Outcome([3.0]))
    other.give_back(third)
    assert other.take().index == 2
    assert {i: outcome.losses for i, (_, outcome) in one.done().items()} == {0: [1.0], 1: [3.0]}
    one.close()
    other.close()
    assert isinstance(again, Ticket)


def test_who_is_slower_at_the_last_trial_leaves_it(tmp_path, monkeypatch):
    plan = plan_of({"lr": [0.01]}, DOCS, Search(), SMALL)
    one, other = (InStudy(plan, str(tmp_path / "s.log")) for _ in range(2))
    assert one.take().index == 0
    seen = [[]]  # as it was a moment ago
    trials = other.trials
    monkeypatch.setattr(other, "trials", lambda: seen.pop() if seen else trials())
    assert other.take() is None
    one.close()
    other.close()


def test_what_tpe_has_suggested_is_tried_again_where_it_was_lost(tmp_path):
    space = {"lr": {"low": 0.01, "high": 0.1}, "n_embd": {"low": 2, "high": 8, "step": 2}}
    search = Search("tpe", 2, prune=True)
    plan = plan_of(space, DOCS, search, {"n_head": 2, "steps": 4, "validation": 0.3})
    one, other = (InStudy(plan, str(tmp_path / "s.log")) for _ in range(2))
    first, second = one.take(), other.take()
    assert first.tried != second.tried and type(first.tried["n_embd"]) is int
    one.alive.lock.release()
    again = other.take()
    assert (again.index, again.tried) == (0, first.tried)
    assert one.goes_on(first, 1, 2.0)  # what others took for lost is not theirs to judge
    one.close()
    other.close()


FILE = """
[run]
data = "docs.txt"
steps = 400
n_embd = 8
n_head = 2
validation = 0.2

[space]
lr = [{lrs}]
clip_norm = ["none", 1]

[search]
seeds = 2
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a sweep of 40 trials, to be in."""
    monkeypatch.chdir(tmp_path)
    Path("docs.txt").write_text("\n".join(DOCS * 10))
    Path("space.toml").write_text(FILE.format(lrs=", ".join(f"{i / 100}" for i in range(1, 21))))
    return tmp_path


def csv_rows(path):
    """The lines of a table, without the seconds."""
    return [line.rpartition(",")[0] for line in Path(path).read_text().splitlines()]


def begin(*arguments):
    """Start the command in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "isograd", "sweep", "space.toml", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_trials(n, path="s.log", states=":1,"):
    """Wait until `n` trials have ended in the storage."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        text = Path(path).read_text() if os.path.exists(path) else ""
        if text.count('"values":[') >= n:
            return
        time.sleep(0.002)
    raise AssertionError("no trials")


@POSIX
def test_killed_twice_and_started_again_ends_with_the_same_table_and_weights(folder):
    invoke("sweep", "space.toml", "--workers=1", "--csv=alone.csv", "--best=alone.safetensors")
    for n in (5, 15):
        process = begin("--workers=2", "--storage=s.log", "--csv=killed.csv")
        wait_for_trials(n)
        process.kill()
        process.communicate()  # which ends when its workers have ended, too
        assert not os.path.exists("killed.csv")
    process = begin("--workers=2", "--storage=s.log", "--csv=t.csv", "--best=b.safetensors")
    other = begin("--workers=1", "--storage=s.log", "--csv=other.csv")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    other.communicate(timeout=60)
    assert csv_rows("t.csv") == csv_rows("alone.csv") == csv_rows("other.csv")
    assert Path("b.safetensors").read_bytes() == Path("alone.safetensors").read_bytes()
    assert "40 of 40 trials" in output
    assert not [path for path in os.listdir() if path.endswith(".alive")]


@POSIX
def test_a_killed_worker_costs_its_trial_only(folder):
    if not os.path.isdir("/proc/self"):
        pytest.skip("children are found in /proc")
    process = begin("--workers=2", "--storage=s.log", "--csv=t.csv")
    wait_for_trials(3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert f"the worker process {children[0]} ended by signal 9, trial " in output
    invoke("sweep", "space.toml", "--workers=1", "--csv=alone.csv")
    assert csv_rows("t.csv") == csv_rows("alone.csv")


@POSIX
def test_without_workers_the_command_ends_and_so_it_does_on_ctrl_c(folder):
    process = begin("--workers=1", "--storage=s.log", "--csv=t.csv")
    wait_for_trials(3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "isograd: interrupted after " in errors
    assert "of 40 trials; the same command goes on there" in errors
    done = len(csv_rows("t.csv")) - 1
    assert 3 <= done < 40
    process = begin("--workers=2", "--storage=s.log", "--csv=t.csv")
    wait_for_trials(done + 3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    invoke("sweep", "space.toml", "--workers=2", "--storage=s.log", "--csv=t.csv")
    assert len(csv_rows("t.csv")) == 41


# The command.


def test_the_command_writes_what_the_library_finds(folder):
    result = isograd.sweep("space.toml", steps=30)
    Path("space.toml").write_text(Path("space.toml").read_text().replace("400", "30"))
    output, _ = invoke("sweep", "space.toml", "--workers=1", "--csv=t.csv", "--best=b.safetensors")
    result.to_csv("library.csv")
    assert csv_rows("t.csv") == csv_rows("library.csv")
    best = isograd.load_checkpoint("b.safetensors")
    assert bytes(best.model.read_data()) == bytes(result.best_model().read_data())
    assert output.splitlines()[0].startswith("trial 0: lr=0.01 clip_norm=None: loss ")
    assert f"b.safetensors: the model of trial {result.best.index} with seed" in output
    assert len(invoke("sample", "b.safetensors", "--samples=3")[0].splitlines()) == 3
    invoke("sweep", "space.toml", "--csv=t.csv", "--best=b.safetensors")  # both may be replaced
    _, errors = invoke("sweep", "space.toml", "--csv=t.csv", "--best=t.csv", status=2)
    assert "--csv, --plot and --best must be different files" in errors
    for option in ("--csv=docs.txt", "--best=docs.txt"):
        _, errors = invoke("sweep", "space.toml", option, status=2)
        assert "'docs.txt' exists and is " in errors


@POSIX
def test_a_terminal_shows_the_best_so_far(folder):
    pytest.importorskip("matplotlib")
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "isograd", "sweep", "space.toml", "--storage=s.log", "--plot=p.png"],
        stdout=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # how Linux reports the end
        while piece := os.read(ours, 1000):
            output += piece
    os.close(ours)
    assert process.wait() == 0
    text = output.decode()
    assert "the best so far" in text and "a second here" in text
    assert "40 of 40 trials" in text and "p.png: the sweep as a picture" in text


def test_a_terminal_tells_of_lost_workers_and_of_waiting(folder, capsys):
    from rich.console import Console

    from isograd.commands.sweep import Lines, LiveTable
    from isograd.sweep.plan import read_plan
    from isograd.sweep.sweeping import Lost, Sweep, Waiting

    sweep = Sweep(read_plan("space.toml"))
    lines, live = Lines(sweep), LiveTable(sweep)
    for show in (lines, live):
        with show:
            show.tell(Lost("somebody was lost"))
            show.due = 0.0
            show.tell(Waiting(3))
    sentences = "somebody was lost\nwaiting for 3 trials that others run\n"
    assert capsys.readouterr().out.startswith(sentences)
    shown = Console(width=120)
    with shown.capture() as capture:
        shown.print(live.live.renderable)
    assert sentences in "\n".join(map(str.rstrip, capture.get().split("\n")))


def test_the_end_says_how_many_have_no_loss(folder, capsys):
    from isograd.commands.sweep import make_sweep

    text = Path("space.toml").read_text().replace("400", "5").replace("seeds = 2", "seeds = 6")
    Path("space.toml").write_text(text.replace("[0.01,", "[1e300,"))
    files = {"data": None, "workers": 1, "storage": None, "csv": None, "plot": None, "best": None}
    make_sweep("space.toml", **files)
    output = capsys.readouterr().out
    assert "\n40 of 40 trials, 2 without a loss; 40 here in " in output
    assert re.search(r"\nindex +lr +clip_norm +loss +best_seed\n", output)


def test_without_any_worker_left_the_command_says_so(folder, monkeypatch, capsys):
    from isograd.commands import sweep as command
    from isograd.sweep.sweeping import Sweep
    from isograd.sweep.workers import LostWorker

    def events(self):
        raise LostWorker("the worker process 7 ended by signal 9")
        yield

    monkeypatch.setattr(Sweep, "events", events)
    files = {"data": None, "workers": 2, "storage": None, "csv": None, "plot": None, "best": None}
    with pytest.raises(SystemExit) as ending:
        command.make_sweep("space.toml", **files)
    assert ending.value.code == 1
    sentence = "no worker is left: the worker process 7 ended by signal 9 after 0 of 40 trials"
    assert sentence in capsys.readouterr().err


@POSIX
def test_the_last_worker_ends_the_sweep(folder):
    from isograd.sweep.plan import read_plan
    from isograd.sweep.sweeping import Lost, Sweep
    from isograd.sweep.workers import LostWorker, Worker

    killed = []

    class Dying(Worker):
        def __init__(self, about):
            super().__init__(about)
            self.process.kill()
            killed.append(self)

    sweep = Sweep(read_plan("space.toml"), workers=2)
    events = []
    with pytest.MonkeyPatch.context() as patch, pytest.raises(LostWorker):
        patch.setattr("isograd.sweep.workers.Worker", Dying)
        events.extend(sweep.events())
    for worker in killed:
        with pytest.raises(LostWorker, match=f"{worker.process.pid} ended by signal 9"):
            worker.run({}, None)
        with pytest.raises(LostWorker, match=worker.ended):
            worker.run({}, None)
    assert len(killed) == 2 and len(sweep.result()) == 0
    assert sum(1 for _ in sweep.events()) >= 40  # with others in their place
    assert len(sweep.result()) == 40
    assert all(isinstance(event, Lost) for event in events) and events


@pytest.mark.parametrize(
    "content, sentence",
    [
        ("[space", "'space.toml' is no TOML file: "),
        ("[run]\n", "'space.toml': the table [space] is missing"),
        ("[spaces]\n", "'space.toml': there is no 'spaces'"),
        ("space = 1\n", "'space.toml': space must be a table"),
        ("[space]\nwidth = [1]\n", "'space.toml': 'width' is no option of a run"),
        ("[space]\nlr = [0.1]\n[search]\nk = 2\n", "'space.toml': 'k' is no key of [search]"),
        ("[space]\nlr = [0.1]\n[run]\ndata = 7\n", "'space.toml': data must be the path"),
        ("[space]\nlr = [0.1]\n[run]\ndata = 'x'\n", "cannot read 'x': No such file"),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence(tmp_path, monkeypatch, content, sentence):
    from click.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    Path("space.toml").write_text(content)
    result = CliRunner().invoke(cli, ["sweep", "space.toml"])
    assert result.exit_code == 2 and sentence in result.output


def test_without_optuna_the_sentence_names_the_extra(tmp_path):
    code = (
        "import sys; sys.modules['optuna'] = None; import isograd\n"
        "assert len(isograd.sweep([{'lr': 0.1}], ['ab'], steps=1)) == 1\n"
        "try: isograd.sweep([{'lr': 0.1}], ['ab'], steps=1, storage='s.log')\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert process.stdout == (
        "this needs optuna, which is not installed: pip install 'isograd[sweep]'\n"
    )


def test_a_whole_range():
    assert Range(1, 9, False, 3).listed() == range(1, 10, 3)
    assert Range(1.0, 2.0, False, 0.25).listed() == [1.0, 1.25, 1.5, 1.75, 2.0]
