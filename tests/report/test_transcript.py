"""The page of a document: nothing that came from outside runs in it, and everything is there."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhufeng.records import Document, Segment
from zhufeng.report import TRANSCRIPT_PAGE, Transcript, clock, render_transcript

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus=alert(1) '",
    "</style><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "<!--",
    "]]>&amp;\u2028",
)


class Read(HTMLParser):
    """What a browser would make of a page: elements with their attributes and texts."""

    def __init__(self, html: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def structure(self) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]

    @property
    def policy(self) -> dict[str, list[str]]:
        (content,) = (m["content"] for m in self.of("meta") if "http-equiv" in m)
        parts = [directive.split() for directive in (content or "").split(";")]
        return {name: values for name, *values in parts}


def document(*segments: Segment, **others: object) -> Document:
    head = {"doc_id": "1", "source_uri": "talk.mp4", "content_sha256": "2", "bytes": 3}
    video = {"container": "mov", "duration_s": 100.0, "width": 640, "height": 360}
    return Document(**{**head, **video, "segments": segments, **others})  # type: ignore[arg-type]


def said(t0: float, t1: float, text: str = "x", **others: object) -> Segment:
    fields = {"t0": t0, "t1": t1, "kind": "speech", "text": text, **others}
    return Segment(**fields)  # type: ignore[arg-type]


def page_of(one: Document, **others: object) -> Read:
    return Read(render_transcript(Transcript(one, [], **others)))  # type: ignore[arg-type]


PLAIN = page_of(document(said(1, 2)), media="talk.mp4")


def page_saying(text: str) -> Read:
    """With `text` wherever a document or a recipe may put one."""
    one = document(
        said(1, 2, text, suppressed_by=text),
        said(3, 4, text, kind="subtitle"),
        source_uri=text,
        text=text,
        lang=text,
        container=text,
        codecs=(text,),
    )
    return Read(render_transcript(Transcript(one, [(text, text)], "talk.mp4", [text])))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(text: str) -> None:
    """The page has the elements, attributes and script that it has with a harmless text."""
    hostile, harmless = page_saying(text), page_saying("harmless")
    assert hostile.structure == harmless.structure
    assert hostile.texts["script"] == harmless.texts["script"] == PLAIN.texts["script"]
    assert hostile.texts["style"] == harmless.texts["style"]
    assert hostile.policy == harmless.policy
    assert hostile.texts["p"].count(text) == harmless.texts["p"].count("harmless") > 2


def test_the_policy_allows_the_one_script_and_the_one_style_and_no_request() -> None:
    policy = PLAIN.policy
    for directive, tag in (("script-src", "script"), ("style-src", "style")):
        (text,) = PLAIN.texts[tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[directive] == [f"'sha256-{digest}'"]
        assert len(PLAIN.of(tag)) == 1
    assert policy["default-src"] == ["'none'"]
    assert policy["media-src"] == ["'self'", "file:"]
    assert policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert set(policy) == {
        *("default-src", "script-src", "style-src", "media-src", "base-uri", "form-action"),
    }


def test_nothing_is_named_but_the_video() -> None:
    named = [a[n] for _, a in PLAIN.elements for n in ("src", "href", "data", "action") if n in a]
    assert named == ["talk.mp4"]
    assert PLAIN.of("meta")[2]["name"] == "generator"
    html = render_transcript(Transcript(document(), []))
    assert TRANSCRIPT_PAGE in html
    assert not re.search(rb"https?://", html)


def test_every_segment_is_there_in_time_order() -> None:
    segments = (
        said(50, 60, "late"),
        said(1, 4, "early", suppressed_by="a logo"),
        said(1, 3, "earlier", kind="slide"),
    )
    page = page_of(document(*segments), media="x.mp4")
    assert [(row["data-t0"], row["data-t1"], row["class"]) for row in page.of("li")] == [
        ("1", "3", "slide"),
        ("1", "4", "speech suppressed"),
        ("50", "60", "speech"),
    ]
    spoken = [text for text in page.texts["p"] if text in ("late", "early", "earlier")]
    assert spoken == ["earlier", "early", "late"]
    assert "left out: a logo" in page.texts["span"]
    boxes = {box.get("value"): "checked" in box for box in page.of("input")}
    assert boxes == {"speech": True, "slide": True, "suppressed": False, None: True}


def test_sound_has_a_player_of_its_own_and_no_file_none() -> None:
    sound = page_of(document(said(1, 2), width=None), media="x.wav")
    assert len(sound.of("audio")) == 1
    assert not sound.of("video")
    without = page_of(document(said(1, 2)), notes=["it is gone"])
    assert not without.of("video")
    assert not without.of("audio")
    assert not without.of("button")
    assert without.policy["media-src"] == ["'none'"]
    assert "it is gone" in without.texts["p"]
    assert "x" in without.texts["p"]


def test_a_text_without_times_is_shown_whole() -> None:
    page = page_of(document(text="one\n\ntwo", container=None, duration_s=None))
    assert "one\n\ntwo" in page.texts["p"]
    assert not page.of("ol")


def test_the_strip_is_in_proportion() -> None:
    one = document(
        said(10, 20),
        said(50, 75, kind="slide"),
        said(90, 95, suppressed_by="x"),
        shots=((0.0, 25.0), (25.0, 100.0)),
    )
    paths = {path["class"]: path["d"] or "" for path in page_of(one).of("path")}
    spans = {
        name: [(float(a), float(b)) for a, b in re.findall(r"M([\d.]+) \d+H([\d.]+)", d)]
        for name, d in paths.items()
    }
    assert spans == {"shots": [], "speech": [(100, 200)], "slide": [(500, 750)]}
    assert [float(x) for x in re.findall(r"M([\d.]+)", paths["shots"])] == [0, 250]


def test_times_out_of_range_are_listed_and_not_drawn() -> None:
    odd = document(said(-3, 5), said(10, 1e9), said(float("inf"), float("inf")))
    page = page_of(odd)
    assert len(page.of("li")) == 3
    assert not page.of("path")


@given(st.floats(0, 360_000))
def test_a_clock_reads_back_to_the_nearest_tenth(seconds: float) -> None:
    told = clock(seconds)
    *head, rest = told.split(":")
    assert re.fullmatch(r"[0-5]\d\.\d", rest)
    assert all(re.fullmatch(r"[0-5]\d", part) for part in head[1:])
    units = [float(part) * 60 ** (len(head) - place) for place, part in enumerate(head)]
    assert abs(sum(units) + float(rest) - seconds) <= 0.0501


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0:00.0"), (12.3, "0:12.3"), (59.97, "1:00.0"), (3723.4, "1:02:03.4"), (-0.4, "-0:00.4")],
)
def test_clocks(seconds: float, told: str) -> None:
    assert clock(seconds) == told


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_is_javascript(tmp_path: Path) -> None:
    (script,) = PLAIN.texts["script"]
    (tmp_path / "page.js").write_text(script)
    checked = subprocess.run(
        ["node", "--check", tmp_path / "page.js"], check=False, capture_output=True
    )
    assert checked.returncode == 0, checked.stderr
