"""Random scripts, under plain Python and under `isograd run`: random_scripts.py has them.

ISOGRAD_SCRIPTS sets how many.
"""

import os

import pytest
from conftest import n_cases

import isograd

pytest.importorskip("resource")
import random_scripts

SCRIPTS = int(os.environ.get("ISOGRAD_SCRIPTS") or n_cases(200))

pytestmark = [
    pytest.mark.skipif(isograd.backend != "c", reason="needs the C extension"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()"),
]


def test_random_scripts_print_what_they_print_under_plain_python():
    ends, wrong = random_scripts.compare(range(SCRIPTS))
    assert not wrong
    assert ends["equal"] >= ends.total() // 2


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ("print(1)", ("equal", "")),
        ("sys.exit(3)", ("equal", "")),
        ("print(sys.flags.isolated)", ("different", "printed something else")),
        ("sys.exit(sys.flags.isolated)", ("different", "status 0, not 1")),
        ("print('not for ours', file=sys.stderr)\nSTOP", ("stopped", "")),
        ("STOP", ("different", "stopped for no reason")),
        (
            "import sys\nprint(sys.flags.isolated)\nSTOP",
            ("different", "printed something else before it stopped"),
        ),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", ("slow", "")),
    ],
)
def test_what_a_comparison_says(monkeypatch, tmp_path, lines, end):
    stop = "print('plain python can', file=sys.stderr)\nsys.exit(0 if sys.flags.isolated else 2)"
    source = "import sys\n" + lines.replace("STOP", stop)
    monkeypatch.setattr(random_scripts.Writer, "script", lambda writer: (source, source))
    run = random_scripts.Runner()
    try:
        assert random_scripts.difference(0, run, tmp_path) == end
    finally:
        run.close()
