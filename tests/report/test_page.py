"""The page: self-contained, and nothing that came from outside runs in it."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from zhufeng.base import InputError, parse, to_json
from zhufeng.corpus import CorpusSummary, corpus_section
from zhufeng.records import Document
from zhufeng.report import (
    Block,
    Code,
    Figures,
    Image,
    Page,
    PagePart,
    Plot,
    Quote,
    Section,
    Step,
    Table,
    Text,
    bars,
    format_cell,
    lines,
    plot,
    render,
    si,
)

ATTACKS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</pre></style></title><script src=//evil.example></script>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% include 'x' %}",
    "<svg onload=alert(1)>",
    "]]></svg><script>alert(1)</script>",
    "-->\"'`<!--",
]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "p", "h1", "nav", "ol",
    "li", "b", "a", "span", "main", "section", "h2", "figure", "pre", "figcaption",
    "blockquote", "dl", "div", "dt", "dd", "table", "caption", "thead", "tr", "th", "tbody",
    "td", "img", "details", "summary", "footer",
}  # fmt: skip


class Elements(HTMLParser):
    """Every element with its attributes, and the text between, as a browser would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(html: bytes) -> Elements:
    elements = Elements()
    elements.feed(html.decode())
    return elements


def blocks_of(text: str) -> tuple[Block, ...]:
    """Every kind of block with `text` wherever it may hold some."""
    return (
        Text(text=text),
        Code(text=text, caption=text),
        Quote(text=text, caption=text),
        Figures(figures={text: text}),
        Table(columns=(text, "n"), rows=((text, 1),), caption=text),
        bars({text: 1.0}, unit=text, alt=text, caption=text),
        Image.of(PNG, alt=text, caption=text),
    )


def page_of(section: Section, name: str = "x") -> bytes:
    part = PagePart("corpus", section, [(name, name)], [name])
    return render(Page(name, 0, [Step("corpus", name, "done")], [part]))


def ocr_text(text: str) -> Section:
    """A slide that says `text`, on its way through the corpus."""
    document = Document(
        doc_id="0", source_uri=text, content_sha256="0", bytes=1, text=text, n_tokens=3, reason=text
    )
    summary = CorpusSummary(tokenizer=text, statuses=Counter({"ok": 1}), tokens=3, shown=[document])
    return corpus_section(summary)


def tensor_name(text: str) -> Section:
    """A checkpoint whose tensor is called `text`, in tables, figures and drawings."""
    return Section(title="Workload", summary="s", blocks=blocks_of(text))


def module_name(text: str) -> Section:
    """RTL whose module is called `text`."""
    verilog = Code(text=f"module {text};\nendmodule", caption=text)
    return Section(title=text, summary=text, blocks=(verilog, *blocks_of(text)))


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("source", [ocr_text, tensor_name, module_name])
def test_what_media_models_and_rtl_say_stays_text(
    source: Callable[[str], Section], attack: str
) -> None:
    """A slide, a checkpoint and a netlist may all say <script>: they are shown, never run."""
    html = page_of(source(attack), attack)
    found = parsed(html)
    assert {tag for tag, _ in found.elements} <= ALLOWED
    for tag, attributes in found.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "href"):
            assert re.match(r"data:image/|#", attributes.get(name) or "#"), (tag, attributes)
    shown = [text for text in found.texts if attack in text]
    assert len(shown) >= 6, "the text itself is shown, in full"
    for svg in drawings(found):
        assert "<script" not in svg
        assert not re.search(r"<[^>]*\sonload=", svg)


def drawings(found: Elements) -> list[str]:
    prefix = "data:image/svg+xml;base64,"
    sources = [str(attributes["src"]) for tag, attributes in found.elements if tag == "img"]
    return [
        base64.b64decode(s.removeprefix(prefix)).decode() for s in sources if s.startswith(prefix)
    ]


def test_the_page_fetches_nothing_and_forbids_scripts() -> None:
    html = page_of(tensor_name("plain")).decode()
    assert "default-src 'none'" in html
    assert "script-src" not in html
    outside = re.findall(r"https?://[^\s\"'<>]+", html)
    assert outside == []


def test_a_dollar_sign_in_a_name_is_no_mathematics() -> None:
    drawn = bars({"$weights$_{x": 1.0, r"\frac{": 2.0}, unit="n", alt="x")
    assert "$weights$_{x" in drawn.svg


def test_chinese_is_drawn_as_text_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    assert "珠峰" in bars({"珠峰": 1.0}, unit="米", alt="x").svg
    assert not recwarn.list


def test_the_same_plot_has_the_same_bytes() -> None:
    first, second = (
        lines([0, 1, 2], {"a": [1, 2, 3], "b": [3, 2, 1]}, x_label="x", y_label="y", alt="z")
        for _ in range(2)
    )
    assert first == second


def test_any_matplotlib_drawing_can_be_made() -> None:
    drawn = plot(lambda axes: axes.pcolormesh([[1, 2], [3, 4]]), alt="x")
    assert drawn.svg.startswith("<?xml")


def test_sections_read_back() -> None:
    section = Section(title="t", summary="s", blocks=blocks_of("x"))
    assert parse(Section, to_json(section), "section.json") == section


@pytest.mark.parametrize(
    "damaged",
    [
        {"title": "t"},
        {"title": "t", "summary": "s", "blocks": [{"kind": "script", "text": "x"}]},
        {
            "title": "t",
            "summary": "s",
            "blocks": [{"kind": "table", "columns": ["a"], "rows": [[1, 2]]}],
        },
        {
            "title": "t",
            "summary": "s",
            "blocks": [{"kind": "image", "media_type": "text/html", "base64": "", "alt": ""}],
        },
    ],
)
def test_a_damaged_section_is_refused(damaged: Any) -> None:
    with pytest.raises(InputError, match=r"section\.json"):
        parse(Section, damaged, "section.json")


def test_only_pictures_are_pictures() -> None:
    with pytest.raises(ValueError, match="PNG or JPEG"):
        Image.of(b"<svg onload=alert(1)>", alt="x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (1234567.0, "1,234,567"),
        (0.000123456, "0.0001235"),
        (1234.5678, "1,235"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ("x", "x"),
    ],
)
def test_cells(value: Any, text: str) -> None:
    assert format_cell(value) == text


def test_plots_are_never_markup_of_the_page() -> None:
    """Even a hostile SVG in a hand-made section only ever becomes an image."""
    hostile = Plot(svg="<svg onload=alert(1)><script>alert(1)</script></svg>", alt="x")
    section = Section(title="t", summary="s", blocks=(hostile,))
    html = render(Page("t", 0, [], [PagePart("p", section, [])])).decode()
    assert "<script>" not in html
    assert "onload" not in html


def test_what_xml_cannot_hold_is_replaced_in_drawings() -> None:
    drawn = bars({"a\x01b\uffff": 1.0, "long/" * 40 + "name.txt": 2.0}, unit="n", alt="x").svg
    ET.fromstring(drawn)
    assert "a\ufffdb\ufffd" in drawn
    assert "long/name.txt" in drawn


def test_the_users_matplotlibrc_changes_nothing() -> None:
    import matplotlib as mpl

    def draw() -> Plot:
        return lines([0, 1], {"a": [0, 1]}, x_label="x", y_label="y", alt="z")

    expected = draw()
    with mpl.rc_context({"lines.linewidth": 9.0, "axes.titlesize": 3.0, "font.size": 30.0}):
        assert draw() == expected
        assert mpl.rcParams["lines.linewidth"] == 9.0


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (999.4, "999"), (1000, "1 k"), (4.368e8, "437 M"), (999_600, "1 M"), (2e21, "2 Z")],
)
def test_large_numbers_have_prefixes(value: float, told: str) -> None:
    assert si(value) == told.replace(" ", "\N{NO-BREAK SPACE}")
