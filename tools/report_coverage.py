"""The end of `make coverage`: one report of Python, Cython and C, and what no test runs.

Joins what coverage.py and gcov have counted, by gcovr, into FOLDER/index.html. Ends with status 1
if a line was not run that tests/uncovered.txt does not list. Names those listed lines that were
run, as some may be by chance, or are gone.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
Lines = Counter[tuple[str, str]]  # a file, and the text of a line: how often it stands there


def join(folder: Path) -> Path:
    """Writes the report, and the counts of all lines as JSON; returns the path of that."""
    data, xml = f"--data-file={folder / 'data'}", folder / "python.xml"
    python = [sys.executable, "-m", "coverage"]
    subprocess.run([*python, "combine", "--quiet", data], cwd=ROOT, check=True)
    subprocess.run([*python, "xml", "--quiet", data, "-o", xml], cwd=ROOT, check=True)
    gcovr = [sys.executable, "-m", "gcovr", "--root", ROOT, "--filter", "src/", "--filter", "csrc/"]
    # Threads count without locks, so that gcov may see a branch taken -1 times.
    c = [folder, "--gcov-ignore-errors=all", "--gcov-ignore-parse-errors=all"]
    subprocess.run([*gcovr, *c, "--json", folder / "c.json"], cwd=ROOT, check=True)
    both = ["--add-tracefile", folder / "c.json", "--cobertura-add-tracefile", xml]
    reports = ["--html-details", folder / "index.html", "--json", folder / "all.json"]
    subprocess.run([*gcovr, *both, *reports, "--print-summary"], cwd=ROOT, check=True)
    return folder / "all.json"


def not_run(counts: Path) -> tuple[Lines, dict[tuple[str, str], list[int]]]:
    """The lines that were never run, and their numbers."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for file in json.loads(counts.read_text())["files"]:
        text = (ROOT / file["file"]).read_text(encoding="utf-8").splitlines()
        run: dict[int, int] = {}  # a line of a header or a macro may be counted more than once
        for line in file["lines"]:
            run[line["line_number"]] = run.get(line["line_number"], 0) + line["count"]
        for number, count in sorted(run.items()):
            if count == 0:
                key = file["file"], text[number - 1].strip()
                numbers.setdefault(key, []).append(number)
    return Counter({key: len(found) for key, found in numbers.items()}), numbers


def listed() -> Lines:
    """The lines that tests/uncovered.txt gives a reason for: those that are indented there."""
    text = (ROOT / "tests" / "uncovered.txt").read_text(encoding="utf-8")
    pairs = [line.strip().split(": ", 1) for line in text.splitlines() if line.startswith("    ")]
    return Counter((file, line) for file, line in pairs)


def main(folder: Path) -> int:
    lines, numbers = not_run(join(folder))
    known = listed()
    new, stale = lines - known, known - lines
    for (file, text), count in sorted(new.items()):
        where = ", ".join(map(str, numbers[file, text]))
        print(f"{file}:{where}: {count} not run: {text}")
    for (file, text), count in sorted(stale.items()):
        print(f"tests/uncovered.txt: {file}: {count} run by now, or gone: {text}")
    print(f"{lines.total()} lines not run; {known.total()} of them listed, with reasons")
    print(f"report: {folder / 'index.html'}")
    return bool(new)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
