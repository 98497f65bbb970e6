"""The study as a document: sections of text, tables and pictures, as one page and as Markdown.

Whoever measures fills a `Section`. Nothing is measured here. The page needs no other file: its
pictures are drawn inside it, once for wide screens and once for narrow ones.
"""

import csv
import re
import textwrap
from html import escape
from pathlib import Path

from report import as_markdown, wordy

CSS = Path(__file__).with_name("study.css")


class Section:
    """What is said of one question, and the command that measures it."""

    def __init__(self, key, title):
        self.key, self.title = key, title
        self.blocks, self.files = [], {}

    def say(self, text):
        self.blocks.append(("text", text))

    def table(self, rows):
        """`rows`, the first of them the heading; labels left, figures right."""
        self.blocks.append(("table", [list(map(str, row)) for row in rows]))

    def picture(self, alt, draw, *args):
        """What the function of plots.py named `draw` draws of `args`; `alt` says it in words."""
        self.blocks.append(("picture", (alt, draw, args)))

    def raw(self, name, rows):
        """The raw figures of the file `name`, the heading first."""
        self.files[name] = rows

    @property
    def command(self):
        return f"python bench/study.py {self.key}"


def markdown(title, lead, machine, sections):
    """The text and the tables, to be read as they are or pasted."""
    parts = [f"# {title}", *map(wrapped, lead), as_markdown(machine)]
    for section in sections:
        parts.append(f"## {section.title}")
        for kind, content in section.blocks:
            if kind == "text":
                parts.append(wrapped(content))
            elif kind == "table":
                parts.append(as_markdown(content))
        parts.append(f"`{section.command}`")
    return "\n\n".join(parts) + "\n"


def wrapped(text):
    return textwrap.fill(text, 110, break_on_hyphens=False, break_long_words=False)


def page(title, lead, machine, sections):
    """The whole study as one HTML page."""
    contents = " ".join(f'<a href="#{s.key}">{escape(s.title)}</a>' for s in sections)
    body = "\n".join(map(section_html, sections))
    opening = "\n".join(f'<p class="lead">{inline(text)}</p>' for text in lead)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{CSS.read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{opening}
<div class="scroll machine">{table_html(machine, headed=False)}</div>
<nav>{contents}</nav>
{body}
</main>
</body>
</html>
"""


def section_html(section):
    parts = [f'<section id="{section.key}">', f"<h2>{escape(section.title)}</h2>"]
    for i, (kind, content) in enumerate(section.blocks):
        if kind == "text":
            parts.append(f"<p>{inline(content)}</p>")
        elif kind == "table":
            parts.append(f'<div class="scroll">{table_html(content)}</div>')
        else:
            parts.append(picture_html(f"{section.key}{i}", *content))
    files = ", ".join(f'<a href="{name}">{name}</a>' for name in section.files)
    raw = f" Raw figures: {files}." if files else ""
    parts.append(f'<p class="source"><code>{section.command}</code>{raw}</p></section>')
    return "\n".join(parts)


def picture_html(name, alt, draw, args):
    """A drawing for each width of the screen; the style sheet shows one of them."""
    import plots  # late: in a process that measures, matplotlib would be in the way

    drawings = "".join(
        f'<div class="{width}">{plots.svg(f"{name}-{width}", width, draw, args)}</div>'
        for width in plots.WIDTHS
    )
    return f'<figure role="img" aria-label="{escape(alt)}">{drawings}</figure>'


def table_html(rows, headed=True):
    """`rows`, with columns of sentences marked."""
    are_words = wordy(rows)
    head = row_html(rows[0], "th", are_words) if headed else ""
    body = "".join(row_html(row, "td", are_words) for row in rows[headed:])
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def row_html(row, cell, are_words):
    cells = (
        f"<{cell}{' class=words' * is_wordy}>{inline(text)}</{cell}>"
        for text, is_wordy in zip(row, are_words)
    )
    return f"<tr>{''.join(cells)}</tr>"


def inline(text):
    """The two marks of Markdown that are used here: `code` and **bold**."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)


def write(folder, title, lead, machine, sections):
    """Write study.html, study.md and the raw figures; returns the page's path and the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(title, lead, machine, sections)
    (folder / "study.md").write_text(text, encoding="utf-8")
    for section in sections:
        for name, rows in section.files.items():
            with open(folder / name, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)
    path = folder / "study.html"
    path.write_text(page(title, lead, machine, sections), encoding="utf-8")
    return path, text
