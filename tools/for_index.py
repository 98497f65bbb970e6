"""Makes this tree ready for the package index, which shows README.md alone: links become absolute.

`python tools/for_index.py https://github.com/OWNER/NAME` writes this address of the repository into
README.md, pyproject.toml and CITATION.cff. The workflow that publishes does so before it builds the
sdist; the address stands nowhere else, so a copy of the repository needs no change.
"""

import re
import sys
from pathlib import Path

RELATIVE = re.compile(r"(!?)\[([^]]*)\]\((?!https?:|#)([^)]+)\)")


def version_of(root):
    text = (root / "src" / "isograd" / "__init__.py").read_text("utf-8")
    return re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)[1]


def with_addresses(readme, repository, tag):
    """The text with its relative links leading to the repository's files as they are at `tag`."""

    def absolute(link):
        image, words, path = link.groups()
        return f"{image}[{words}]({repository}/{'raw' if image else 'blob'}/{tag}/{path})"

    return RELATIVE.sub(absolute, readme)


def urls(repository, tag):
    """The table of pyproject.toml."""
    return (
        "[project.urls]\n"
        f'Source = "{repository}"\n'
        f'Documentation = "{repository}/tree/{tag}/docs"\n'
        f'Changelog = "{repository}/blob/{tag}/CHANGELOG.md"\n'
        f'Issues = "{repository}/issues"\n\n'
    )


def prepare(root, repository):
    """Writes the address into the files below `root`. Raises ValueError if it stands there."""
    tag = f"v{version_of(root)}"
    project = (root / "pyproject.toml").read_text("utf-8")
    if "[project.urls]" in project:
        raise ValueError("pyproject.toml has [project.urls] already")
    project = project.replace("[project.scripts]\n", urls(repository, tag) + "[project.scripts]\n")
    readme = with_addresses((root / "README.md").read_text("utf-8"), repository, tag)
    citation = (root / "CITATION.cff").read_text("utf-8") + f"repository-code: {repository}\n"
    for name, text in [
        ("pyproject.toml", project),
        ("README.md", readme),
        ("CITATION.cff", citation),
    ]:
        (root / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not re.fullmatch(r"https://[^/]+/[^/]+/[^/]+", sys.argv[1]):
        sys.exit("usage: python tools/for_index.py https://github.com/OWNER/NAME")
    prepare(Path(__file__).parent.parent, sys.argv[1])
