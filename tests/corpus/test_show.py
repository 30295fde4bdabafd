"""A corpus looked at: what is listed, what is printed, and the file behind a document."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urljoin, urlparse

import fsspec
import pytest

from tests.conftest import Answer
from zhufeng.base import expand
from zhufeng.corpus import SOURCES, Medium, read_sources
from zhufeng.corpus.show import (
    choose,
    find_media,
    media_url,
    plain,
    read_document,
    read_heads,
    transcript_lines,
)
from zhufeng.records import Document, Segment, read_parquet, write_jsonl, write_parquet

Call = Callable[..., Answer]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def text_document(number: int, **others: object) -> Document:
    fields = {
        "doc_id": sha(str(number).encode()),
        "source_uri": f"texts/{number:05}.txt",
        "content_sha256": sha(b"content"),
        "bytes": 10 + number,
        "text": f"text {number}",
        "n_tokens": number,
    }
    return Document(**{**fields, **others})  # type: ignore[arg-type]


def talk(content: bytes = b"a video", **others: object) -> Document:
    speech = Segment(t0=12.3, t1=15.8, kind="speech", text="hidden", suppressed_by="subtitle at 12")
    subtitle = Segment(t0=12.31, t1=15.8, kind="subtitle", text="shown")
    slide = Segment(t0=1.0, t1=60.0, kind="slide", text="a title\nits points")
    fields = {
        "doc_id": "f" * 64,
        "source_uri": "talk.mp4",
        "content_sha256": sha(content),
        "bytes": len(content),
        "container": "mov,mp4",
        "codecs": ("h264", "aac"),
        "duration_s": 61.0,
        "width": 640,
        "height": 360,
        "fps": 25.0,
        "lang": "en",
        "quality": {"words": 4.0},
        "pii": {"email": 2},
        "segments": (speech, subtitle, slide),
        "shots": ((0.0, 61.0),),
    }
    return Document(**{**fields, **others})  # type: ignore[arg-type]


def run_of(folder: Path, documents: Sequence[Document], inputs: Sequence[str] = ("media",)) -> Path:
    run = folder / "run"
    (run / "corpus").mkdir(parents=True)
    recipe = {"name": "r", "base": str(folder)}
    head = "".join(f"{name} = {json.dumps(value)}\n" for name, value in recipe.items())
    (run / "run.toml").write_text(f"version = 1\n{head}[corpus]\ninputs = {json.dumps(inputs)}\n")
    write_parquet(run / "corpus" / "documents.parquet", documents)
    return run


def test_rows_are_those_of_the_file_in_any_form(tmp_path: Path) -> None:
    """Across row groups, and against the reader of whole files."""
    documents = [text_document(number) for number in range(1030)] + [talk()]
    write_parquet(tmp_path / "d.parquet", documents)
    write_jsonl(tmp_path / "d.jsonl", documents)
    whole = list(read_parquet(tmp_path / "d.parquet"))
    for name in ("d.parquet", "d.jsonl"):
        heads = read_heads(tmp_path / name)
        assert [(h.row, h.doc_id, h.source_uri, h.n_tokens) for h in heads] == [
            (row, one.doc_id, one.source_uri, one.n_tokens) for row, one in enumerate(whole)
        ]
        for row in (0, 1023, 1024, 1030):
            assert read_document(tmp_path / name, row) == whole[row]


def test_a_document_is_named_by_id_name_or_part(tmp_path: Path) -> None:
    documents = [text_document(7), talk(), text_document(8, source_uri="other/talk.mp4.txt")]
    write_parquet(tmp_path / "d.parquet", documents)
    heads = read_heads(tmp_path / "d.parquet")
    for wanted, row in (
        ("talk.mp4", 1),  # a name in full before a part of another
        ("f" * 64, 1),
        ("fffff", 1),
        (documents[0].doc_id[:9], 0),
        ("7.txt", 0),
        ("other/", 2),
    ):
        assert choose(heads, wanted, Path("r")).row == row, wanted


def test_the_list(zhufeng: Call, tmp_path: Path) -> None:
    many = [text_document(number) for number in range(130)]
    failed = [text_document(500, status="failed", reason="not UTF-8", text="", n_tokens=None)]
    run = run_of(tmp_path, [*many, *failed, talk(status="partial")])
    for place in (run, run / "corpus"):
        told = zhufeng("corpus", "show", place)
        assert told.code == 0
        assert len(re.findall(r"texts/\d+\.txt", told.out)) == 100
        assert "and 32 more" in told.out
        assert "132 inputs = 130 ok + 1 partial + 0 no_text + 1 failed + 0 filtered" in told.out
    everything = zhufeng("corpus", "show", run, "--all").out
    assert len(re.findall(r"texts/\d+\.txt", everything)) == 131
    only = zhufeng("corpus", "show", run, "--status", "failed").out
    assert re.findall(r"texts/\d+\.txt", only) == ["texts/00500.txt"]
    assert "not UTF-8" in only
    table = json.loads(zhufeng("corpus", "show", run, "--json").out)
    assert len(table["documents"]) == 132
    assert table["statuses"] == {"ok": 130, "failed": 1, "partial": 1}


def test_a_document_with_times(zhufeng: Call, tmp_path: Path) -> None:
    run = run_of(tmp_path, [talk()])
    told = zhufeng("corpus", "show", run, "talk").out
    for fact in ("640 x 360", "25 pictures a second", "mov,mp4: h264, aac", "words 4", "2 email"):
        assert fact in told
    assert "0:12.3-0:15.8 subtitle  shown\n" in told
    assert "0:01.0-1:00.0 slide     a title\n                        its points\n" in told
    assert "hidden" not in told
    assert "1 suppressed segments are left out: --all prints them" in told
    everything = zhufeng("corpus", "show", run, "talk", "--all").out
    assert "0:12.3-0:15.8 speech    hidden  [left out: subtitle at 12]\n" in everything
    assert "are left out" not in everything
    assert (
        json.loads(zhufeng("corpus", "show", run, "talk", "--json").out)["source_uri"] == "talk.mp4"
    )


def test_lines_are_in_time_order() -> None:
    starts = [line.text.split("-")[0] for line in transcript_lines(talk(), everything=True)]
    assert starts == ["0:01.0", "0:12.3", "0:12.3"]


def test_a_text_is_printed_as_text(zhufeng: Call, tmp_path: Path) -> None:
    run = run_of(tmp_path, [text_document(1, text="one\n\ntwo")])
    assert zhufeng("corpus", "show", run, "1.txt").out.endswith("\n\none\n\ntwo\n")


def test_nothing_draws_on_the_terminal(zhufeng: Call, tmp_path: Path) -> None:
    evil = "a\x1b]0;owned\x07\x1b[2J\r\x9b31m\x00b\u3000c[bold]\td"
    segment = Segment(t0=0, t1=1, kind="slide", text=evil, suppressed_by=evil)
    hostile = talk(segments=(segment,), licence=evil, container=evil, source_uri=evil, reason=evil)
    run = run_of(tmp_path, [hostile, text_document(1, text=evil)])
    for arguments in ((), ("fff", "--all"), ("1.txt",)):
        out = zhufeng("corpus", "show", run, *arguments).out
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out)
        assert "owned" in out
    assert plain("a\u3000b\tc\nd") == "a\u3000b c\nd"


def test_a_line_of_the_list_is_one_line(zhufeng: Call, tmp_path: Path) -> None:
    named = talk(source_uri="a\nb\u2028c\x85d.mp4", status="failed", reason="one\ntwo")
    run = run_of(tmp_path, [named])
    for arguments in ((), ("fff",)):
        out = zhufeng("corpus", "show", run, *arguments).out
        assert len([line for line in out.splitlines() if "a\ufffdb\ufffdc\ufffdd.mp4" in line]) == 1
        assert "one\ufffdtwo" in out


@pytest.mark.parametrize("inputs", [["media"], ["nowhere", "media/*.mp4"], ["media/b.mp4"]])
def test_the_source_is_known_by_its_content(tmp_path: Path, inputs: list[str]) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media/a.mp4").write_bytes(b"another")
    (tmp_path / "media/b.mp4").write_bytes(b"a video")  # renamed since
    assert find_media(talk(), inputs, tmp_path, tmp_path / "run") == tmp_path / "media/b.mp4"
    (tmp_path / "media/b.mp4").write_bytes(b"changed")
    assert find_media(talk(), inputs, tmp_path, tmp_path / "run") is None


def test_of_copies_the_one_of_the_name_is_taken(tmp_path: Path) -> None:
    for name in ("a.mp4", "talk.mp4", "z.mp4"):
        (tmp_path / name).write_bytes(b"a video")
    found = find_media(talk(), [str(tmp_path)], tmp_path, tmp_path / "run")
    assert found == tmp_path / "talk.mp4"


@pytest.mark.parametrize("uri", ["talk 1.film", "file://talk%201.film", "../deep/talk 1.film"])
@pytest.mark.parametrize("inputs", [["*.jsonl", "deep/list.jsonl"], ["."]])
def test_the_source_that_a_list_names(tmp_path: Path, uri: str, inputs: list[str]) -> None:
    """By the name that reading the list has given, of two lists that say the same."""
    for folder in (tmp_path, tmp_path / "deep"):
        folder.mkdir(exist_ok=True)
        (folder / "list.jsonl").write_text(json.dumps({"uri": uri}))
    film = tmp_path / "deep" / "talk 1.film"
    film.write_bytes(b"a video")
    sources = expand(inputs, tmp_path, SOURCES, "")
    (listed,) = (one for one in read_sources(sources) if isinstance(one, Medium))
    document = talk(source_uri=listed.given.name)
    found = find_media(document, inputs, tmp_path, tmp_path / "run")
    assert found is not None
    assert found.samefile(film)
    film.write_bytes(b"changed")
    assert find_media(document, inputs, tmp_path, tmp_path / "run") is None


def test_a_list_of_a_corpus_built_before_rows_had_their_lists_name(tmp_path: Path) -> None:
    (tmp_path / "talk.mp4").write_bytes(b"a video")
    (tmp_path / "list.jsonl").write_text('{"uri": "talk.mp4"}')
    found = find_media(talk(), ["list.jsonl"], tmp_path, tmp_path / "run")
    assert found == tmp_path / "talk.mp4"


def test_the_source_that_a_list_behind_a_url_names(tmp_path: Path) -> None:
    for name, content in (("l.jsonl", b'{"uri": "talk.mp4"}'), ("talk.mp4", b"a video")):
        with fsspec.open(f"memory://talks/{name}", "wb") as file:
            file.write(content)
    inputs = ["memory://talks/l.jsonl"]
    (listed,) = read_sources(expand(inputs, tmp_path, SOURCES, ""))
    assert isinstance(listed, Medium)
    given = listed.given
    document = talk(source_uri=given.name, content_sha256=given.content)
    found = find_media(document, inputs, tmp_path, tmp_path / "run")
    assert found is not None
    assert found.read_bytes() == b"a video"


@pytest.mark.parametrize(
    "name", ["talk.mp4", "a b#c?d%20.mp4", "视频/第一课.mp4", "a:b.mp4", "'\"<&>.mp4", "../up.mp4"]
)
def test_the_url_leads_from_the_page_to_the_file(tmp_path: Path, name: str) -> None:
    page, media = tmp_path / "pages" / "p.html", tmp_path / "pages" / name
    url = urlparse(urljoin(page.as_uri(), media_url(media, page)))
    assert (url.scheme, url.query, url.fragment) == ("file", "", "")
    assert Path(unquote(url.path)) == media.resolve()


def test_the_page(zhufeng: Call, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media/talk one.mp4").write_bytes(b"a video")
    run = run_of(tmp_path, [talk(), text_document(1)])
    page = tmp_path / "talk.html"
    answer = zhufeng("corpus", "show", run, "talk", "--page", page)
    assert answer.code == 0
    assert f"page: {page.as_uri()}" in answer.out
    html = page.read_text()
    assert 'src="./media/talk%20one.mp4"' in html
    assert html.count("<li ") == 3
    assert zhufeng("corpus", "show", run, "talk", "--page", page).code == 0  # replaces its own
    assert page.read_text() == html
    assert zhufeng("corpus", "show", run, "1.txt", "--page", tmp_path / "t.html").err == ""
    assert "text 1" in (tmp_path / "t.html").read_text()


@pytest.mark.parametrize("page", [".", "", "media"])
def test_a_page_is_no_folder(
    zhufeng: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    (tmp_path / "media").mkdir()
    run = run_of(tmp_path, [talk()])
    monkeypatch.chdir(tmp_path)
    answer = zhufeng("corpus", "show", run, "talk", "--page", page)
    assert answer.code == 2
    assert "is a folder" in answer.err


@pytest.mark.parametrize("where", ["run", "run/corpus"])
def test_a_page_without_its_video_says_so(zhufeng: Call, tmp_path: Path, where: str) -> None:
    run_of(tmp_path, [talk()])
    page = tmp_path / "talk.html"
    answer = zhufeng("corpus", "show", tmp_path / where, "talk", "--page", page)
    assert answer.code == 0
    assert "--video PATH" in answer.err
    assert "<video" not in page.read_text()
    assert "--video PATH" in page.read_text()
    assert "a title" in page.read_text()


def test_a_video_that_is_named_is_played_and_another_is_told(zhufeng: Call, tmp_path: Path) -> None:
    run, page = run_of(tmp_path, [talk()]), tmp_path / "talk.html"
    (tmp_path / "moved.mp4").write_bytes(b"a video")
    (tmp_path / "other.mp4").write_bytes(b"another")
    same = zhufeng("corpus", "show", run, "talk", "--page", page, "--video", tmp_path / "moved.mp4")
    assert 'src="./moved.mp4"' in page.read_text()
    assert same.err == ""
    told = zhufeng("corpus", "show", run, "talk", "--page", page, "--video", tmp_path / "other.mp4")
    assert 'src="./other.mp4"' in page.read_text()
    assert "not the one that this text was read from" in told.err
