"""Scripts as people write them under `isograd run`: the same output as plain Python's, and fast.

wild_scripts.py has them.
"""

import re
import subprocess
import sys

import pytest
import wild_scripts

import isograd

resource = pytest.importorskip("resource")

pytestmark = pytest.mark.skipif(isograd.backend != "c", reason="needs the C extension")


def timed(*line, cwd):
    """Status, output and complaints of a process, and its seconds of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *line], capture_output=True, cwd=cwd, timeout=100)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime
    return (done.returncode, done.stdout), done.stderr.decode(), seconds


def written(folder, wild):
    path = folder / "script.py"
    path.write_text(wild.source)
    return str(path)


def seconds_a_step(way, script, steps, cwd):
    """Seconds of the processor, the start left out."""
    longer = timed(*way, script, str(steps), cwd=cwd)[2]
    return (longer - timed(*way, script, "1", cwd=cwd)[2]) / (steps - 1)


@pytest.mark.parametrize("wild", wild_scripts.WILD, ids=lambda wild: wild.name)
def test_a_wild_script(tmp_path, wild):
    script = written(tmp_path, wild)
    plain = timed(script, "3", cwd=tmp_path)
    assert plain[0][0] == 0, plain[1]
    ours = timed("-m", "isograd", "run", "--why", script, "3", cwd=tmp_path)
    assert ours[0] == plain[0]
    assert re.search(r"class \w+: compiled", ours[1]), ours[1]


@pytest.mark.undisturbed
@pytest.mark.parametrize("wild", wild_scripts.WILD, ids=lambda wild: wild.name)
def test_a_wild_script_is_faster(tmp_path, wild):
    script = written(tmp_path, wild)
    slow = seconds_a_step([], script, wild.steps, tmp_path)
    fast = seconds_a_step(["-m", "isograd", "run"], script, 10 * wild.steps, tmp_path)
    print(f"{wild.name}: {slow / fast:.0f}")
    assert slow > wild.factor * fast, f"{slow / fast:.0f} times as fast"


@pytest.mark.parametrize("wild", wild_scripts.TWINS, ids=lambda wild: wild.name)
def test_a_twin_of_another_meaning(tmp_path, wild):
    script, steps = written(tmp_path, wild), str(wild.steps)
    plain = timed(script, steps, cwd=tmp_path)
    ours = timed("-m", "isograd", "run", script, steps, cwd=tmp_path)
    if ours[0] != plain[0]:  # then it has said why, before anything differed
        assert ours[0][0] == 2 and plain[0][1].startswith(ours[0][1]), ours[1]
        assert ours[1].endswith("plain python can\n") and len(ours[1].splitlines()) == 1


def test_a_set_of_children(tmp_path):
    """Plain Python's order is that of addresses, ours that of insertion: that of a tuple."""
    wild = wild_scripts.SETS
    twin = wild._replace(source=wild.source.replace("set(_children)", "tuple(_children)"))
    plain = timed(written(tmp_path, twin), "4", cwd=tmp_path)
    script = written(tmp_path, wild)
    ours = timed("-m", "isograd", "run", *wild.options, script, "4", cwd=tmp_path)
    assert ours[0] == plain[0]
    said = timed("-m", "isograd", "run", "--why", script, "1", cwd=tmp_path)[1]
    assert "left alone, it keeps its children in a set" in said and "--any-order" in said
