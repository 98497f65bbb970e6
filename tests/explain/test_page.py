"""The page as text: what is joined, hashed and escaped, and what no document can break."""

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

import isograd
from isograd.explain import page
from isograd.explain.lines import SITES, reference_lines
from isograd.explain.payload import read_header

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<!-- <script>",
    "]]> {{page}} {{csp}} ${x} `",
    "a\u2028b\u2029c",
    "\u202eright to left",
    "x" * 10_000,
    "&quot;&amp;\"'",
]
TINY = {"steps": 3, "n_embd": 4, "n_head": 2, "block_size": 4, "samples": 2}
ASSETS = {
    "core/numbers.js": "export const ONE = 1;\n",
    "core/worker.js": 'import {ONE} from "./numbers.js";\nself.x = ONE;\n',
    "page/kit.js": "export function kit() {\n    return 1;\n}\nconst [first, second] = [1, 2];\n",
    "page/main.js": (
        'import {kit} from "./kit.js";\nimport {\n    ONE,\n} from "../core/numbers.js";\n'
        'import {TEXT} from "../text/words.js";\n'
        "export class Main {}\nkit(ONE, TEXT);\n"
    ),
    "text/words.js": 'export const TEXT = "</script><!-- <b>";\n',
    "page/style.css": ":root { --ink: black; }\n",
    "page/another.css": "p { color: var(--ink); }\n",
    "page/page.html": (
        '<!doctype html>\n<meta http-equiv="Content-Security-Policy" content="{{csp}}">'
        "<title>{{title}}</title><style>{{style}}</style>"
        '<script type="application/octet-stream" id="payload" data-sha256="{{sha256}}">'
        '{{payload}}</script>{{other}}<script type="application/json" id="lines">{{lines}}'
        '</script><script type="text/plain" id="core">{{core}}</script><script>{{page}}</script>\n'
    ),
}


@pytest.fixture
def assets(tmp_path, monkeypatch):
    """A small set of assets in place of the real ones."""
    for name, text in ASSETS.items():
        path = tmp_path / "assets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(page, "ASSETS", tmp_path / "assets")
    return tmp_path / "assets"


class Elements(HTMLParser):
    """Name, attributes and text of each element that has text, as a browser would see them."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append([tag, dict(attributes), ""])
        self.open.append(self.found[-1])

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if self.open:
            self.open[-1][2] += data


def elements(text, tag):
    return [tuple(rest) for name, *rest in Elements(text).found if name == tag]


def test_modules_become_one_script(assets):
    script = page.bundle("page/main.js")
    assert script.startswith('(() => {\n"use strict";\nfunction kit() {')
    assert script.index("const ONE") < script.index("class Main")
    assert not re.search(r"^(import|export)", script, re.MULTILINE)
    assert r'const TEXT = "\x3c/script>\x3c!-- <b>";' in script


@pytest.mark.parametrize(
    ["text", "sentence"],
    [
        ("export const ONE = 2;\n", "modules of page/main.js have the same name: ONE"),
        ("let {second} = {};\n", "modules of page/main.js have the same name: second"),
        ("export default 1;\n", "has a line that cannot be joined: export default 1;"),
        ('import x from "./kit.js";\n', "has a line that cannot be joined: import x from"),
    ],
)
def test_modules_that_cannot_be_joined(assets, text, sentence):
    path = assets / "text" / "words.js"
    path.write_text(path.read_text() + text)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        page.bundle("page/main.js")


def test_documents_never_become_markup(assets):
    explanation = isograd.explain(data=HOSTILE, **TINY)
    tags = [name for name, _, _ in Elements(explanation.html).found]
    assert tags == ["meta", "title", "style", "script", "script", "script", "script"]
    _, payload = page.found_in(explanation.html)
    size = int.from_bytes(payload[:4], "little")
    assert json.loads(payload[4 : 4 + size])["texts"] == HOSTILE


def test_a_title_never_becomes_markup(assets, tmp_path):
    path = tmp_path / "<b>&{{page}}.txt"
    path.write_text("anna\nbob\n")
    explanation = isograd.explain(data=path, **TINY)
    ((_, title),) = elements(explanation.html, "title")
    assert title == "isograd explain: <b>&{{page}}.txt, 3 steps, seed 42"
    assert str(tmp_path) not in explanation.html
    assert str(tmp_path).encode() not in page.found_in(explanation.html)[1]


def test_the_policy_admits_this_script_and_this_style(assets):
    text = isograd.explain(data=["anna"], **TINY).html
    ((attributes, _),) = elements(text, "meta")
    policy = dict(rule.split(" ", 1) for rule in attributes["content"].split("; "))
    assert policy["default-src"] == "'none'" and policy["worker-src"] == "blob:"
    for kind, (_, content) in [
        ("script", elements(text, "script")[-1]),
        ("style", elements(text, "style")[0]),
    ]:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy[f"{kind}-src"] == f"'sha256-{digest}'"


def test_the_payload_comes_back_and_damage_is_found(assets):
    text = isograd.explain(data=["anna"], **TINY).html
    packed, payload = page.found_in(text)
    assert hashlib.sha256(payload).hexdigest() == packed.sha256
    for damaged in [
        text.replace(packed.text, packed.text[:-8]),
        text.replace(packed.sha256, packed.sha256[::-1]),
    ]:
        with pytest.raises(ValueError, match="its payload is damaged"):
            page.found_in(damaged)
    with pytest.raises(ValueError, match="it is no page of isograd explain"):
        page.found_in("<p>hello</p>")


def test_another_page_to_compare_with(assets, tmp_path):
    other = isograd.explain(data=["anna"], **TINY, seed=1)
    other.save(tmp_path / "other.html")
    text = isograd.explain(data=["anna"], **TINY, compare=tmp_path / "other.html").html
    scripts = {attributes.get("id"): content for attributes, content in elements(text, "script")}
    assert scripts["payload-other"] == page.found_in(other.html)[0].text
    assert page.found_in(text)[0] != page.found_in(other.html)[0]


@pytest.mark.parametrize(
    "header, sentence",
    [
        (b'{"format": "isograd run", "version": 7}', "its payload is 'isograd run' of version 7"),
        (b"{}", "its payload is damaged"),
        (b"", "its payload is damaged"),
    ],
)
def test_a_payload_that_cannot_be_read(header, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_header(len(header).to_bytes(4, "little") + header)


def test_the_name_of_the_function_is_that_of_the_package():
    script = "import isograd; print(isograd.explain.__name__, callable(isograd.explain))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "isograd.explain True\n", done.stderr


def test_the_same_run_gives_the_same_page(assets):
    first, second = (isograd.explain(data=HOSTILE, **TINY) for _ in range(2))
    assert first.html == second.html
    assert sum(first.sizes.values()) == len(first.html.encode())


def test_in_a_notebook_it_is_a_frame_of_its_own(assets):
    explanation = isograd.explain(data=HOSTILE, **TINY)
    ((name, attributes, _),) = Elements(explanation._repr_html_()).found
    assert name == "iframe"
    assert attributes["srcdoc"] == explanation.html
    assert attributes["sandbox"] == "allow-scripts"  # and so no origin that it could share
    assert html.unescape(explanation._repr_html_()).count("<iframe") == 1


def test_each_site_is_a_line_of_the_reference():
    lines = reference_lines()
    assert set(lines["sites"]) == set(SITES)
    for site, place in lines["sites"].items():
        text = lines["sources"][place["file"]].splitlines()[place["line"] - 1]
        assert text.strip() == place["text"], site


def test_the_sites_are_those_of_the_model():
    model = page.read("core/model.js")
    listed = re.search(r"export const SITES = \[(.*?)\];", model, re.DOTALL)[1]
    assert set(re.findall(r'"([\w.]+)"', listed)) == {*SITES, "expression"}


def test_all_assets_are_in_the_page():
    entries = ("core/worker.js", "page/main.js")
    names = {name for entry in entries for name, _ in page.in_order(entry, set())}
    files = {path.relative_to(page.ASSETS).as_posix() for path in page.ASSETS.rglob("*.js")}
    assert names == files


def test_the_default_page_is_small():
    explanation = isograd.explain()
    assert len(explanation.html.encode()) <= 1_200_000, explanation.summary()
