"""The end of `make coverage`: one report of Python, Cython and C, and what no test runs.

Joins what coverage.py and gcov have counted, by gcovr, into FOLDER/index.html. Ends with status 1
if more than a few lines were not run that tests/uncovered.txt does not list: which ones a busy
machine reaches is not the same every time. Names these, and listed lines that were run or are gone.
Ends so, too, if less of C and Cython was run than LEAST_OF_C.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEAST_OF_C = 98.0  # per cent of lines, listed ones among those that were not run
BY_CHANCE = 5  # lines that were not run and are not listed
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


def runs_of_lines(counts: Path) -> dict[str, Counter[int]]:
    """By file, how often each line was run: of a header or a macro it may be counted in parts."""
    files: dict[str, Counter[int]] = {}
    for file in json.loads(counts.read_text())["files"]:
        runs = files.setdefault(file["file"], Counter())
        for line in file["lines"]:
            runs[line["line_number"]] += line["count"]
    return files


def share_of_c(files: dict[str, Counter[int]]) -> float:
    """How many per cent of the lines of C and Cython were run."""
    runs = [n for name, lines in files.items() if not name.endswith(".py") for n in lines.values()]
    return 100 * sum(n > 0 for n in runs) / len(runs)


def not_run(files: dict[str, Counter[int]]) -> tuple[Lines, dict[tuple[str, str], list[int]]]:
    """The lines that were never run, and their numbers."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for file, runs in files.items():
        text = (ROOT / file).read_text(encoding="utf-8").splitlines()
        for number, count in sorted(runs.items()):
            if count == 0:
                key = file, text[number - 1].strip()
                numbers.setdefault(key, []).append(number)
    return Counter({key: len(found) for key, found in numbers.items()}), numbers


def listed() -> Lines:
    """The lines that tests/uncovered.txt gives a reason for: those that are indented there."""
    text = (ROOT / "tests" / "uncovered.txt").read_text(encoding="utf-8")
    pairs = [line.strip().split(": ", 1) for line in text.splitlines() if line.startswith("    ")]
    return Counter((file, line) for file, line in pairs)


def main(folder: Path) -> int:
    files = runs_of_lines(join(folder))
    lines, numbers = not_run(files)
    known = listed()
    new, stale = lines - known, known - lines
    for (file, text), count in sorted(new.items()):
        where = ", ".join(map(str, numbers[file, text]))
        print(f"{file}:{where}: {count} not run: {text}")
    for (file, text), count in sorted(stale.items()):
        print(f"tests/uncovered.txt: {file}: {count} run by now, or gone: {text}")
    print(f"{lines.total()} lines not run; {known.total()} of them listed, with reasons")
    c = share_of_c(files)
    print(f"{c:.2f} % of the lines of C and Cython run, of at least {LEAST_OF_C} %")
    print(f"report: {folder / 'index.html'}")
    return new.total() > BY_CHANCE or c < LEAST_OF_C


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
