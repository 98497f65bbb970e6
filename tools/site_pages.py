"""What mkdocs.yml asks of MkDocs beyond its own: pages that lie outside of docs, and their links.

A link is written for the file where it stands, so that it works in a checkout and on GitHub. On the
site it leads to the page made of the file that it names. Source files have no page there, so their
links become plain text. For a link to a file that is not there it warns, which --strict makes an
error.
"""

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
OUTSIDE = {  # which file becomes which page
    "csrc/gpt/ORDER.md": "order.md",
    "bench/RESULTS.md": "results.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "src/isograd/data/README.md": "names.md",
}
FILES = {page: file for file, page in OUTSIDE.items()}
LINK = re.compile(r"(?<!!)\[((?:[^\[\]`]|`[^`]*`)+)\]\(([^()\s]+)\)")
PICTURE = re.compile(r"(!\[[^\]]*\])\(([^()\s]+)\)")

log = logging.getLogger("mkdocs.hooks.site_pages")


def on_files(files, config):
    for file, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / file).read_text("utf-8")))
    return files


def on_page_markdown(markdown, page, config, files):
    here = page.file.src_uri
    source = FILES.get(here, f"docs/{here}")

    def target(link):
        """The page or picture that the link means, seen from this page; None for another file."""
        path, mark, anchor = link.partition("#")
        if not path or ":" in path:
            return link
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        goal = OUTSIDE.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else "")
        if goal:
            return posixpath.relpath(goal, posixpath.dirname(here) or ".") + mark + anchor
        if not (ROOT / file).exists():
            log.warning("%s links to %s, which is not there", source, link)
        return None

    def link(match):
        goal = target(match[2])
        return match[1] if goal is None else f"[{match[1]}]({goal})"

    def picture(match):
        return f"{match[1]}({target(match[2])})"

    return with_one_title(PICTURE.sub(picture, LINK.sub(link, markdown)))


def with_one_title(markdown):
    """Where a page has several titles, those after the first become headings in its contents."""
    code = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)
    parts = code.split(markdown)  # text and code in turn
    text = "".join(parts[::2])
    if len(re.findall(r"^# ", text, re.MULTILINE)) < 2:
        return markdown
    parts[::2] = [re.sub(r"^#", "##", part, flags=re.MULTILINE) for part in parts[::2]]
    return "".join(parts).replace("## ", "# ", 1)


def on_page_content(html, page, config, files):
    """A notebook is HTML already when MkDocs sees it: its links to pages are left to us."""
    here = page.file.src_uri
    if not here.endswith(".ipynb"):
        return html

    def link(match):
        goal = posixpath.normpath(posixpath.join(posixpath.dirname(here), match[1]))
        if file := files.get_file_from_path(goal):
            return f'href="{file.url_relative_to(page.file)}{match[2] or ""}"'
        log.warning("docs/%s links to %s, which is not there", here, match[1])
        return match[0]

    return re.sub(r'href="([^":#]+\.md)(#[^"]*)?"', link, html)
