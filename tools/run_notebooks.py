"""Runs the notebooks of docs/notebooks and keeps what they show in them: tools/run_notebooks.py

It keeps nothing else that changes from run to run, such as times.
"""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent / "docs" / "notebooks"


def run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    here = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, kernel_name="python3", record_timing=False, resources=here).execute()
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        run(path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
