"""Videos through the whole pipeline: every engine, changed settings, damaged files, URLs, lists."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpus.clips import Clip, write
from tests.corpus.damage import damaged_files
from tests.corpus.screen_clips import two_lines
from zhufeng.base import Source, expand, files_below
from zhufeng.corpus import SOURCES, CorpusConfig, CorpusSummary, _stages, build
from zhufeng.corpus._build import pipeline_of
from zhufeng.corpus.engine import Limits, _stage
from zhufeng.corpus.joining import JoinConfig
from zhufeng.corpus.planning import read_costs
from zhufeng.corpus.quality import QualityConfig
from zhufeng.corpus.speech import SpeechConfig
from zhufeng.records import Document, read_parquet

ROOT = Path(__file__).parents[2]
# A worker with its models takes less than 1 GB; what a damaged file adds must stay small.
LIMITS = Limits(wall_s=60.0, memory_gb=1.6)
CONFIG = CorpusConfig(inputs=("unused",), workers=1, limits=LIMITS)


def made(
    folder: Path, sources: tuple[Source, ...], config: CorpusConfig = CONFIG, parts: str = "parts"
) -> tuple[list[Document], CorpusSummary, dict[str, bytes]]:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    summary = build(config, sources, None, out, folder / parts)
    written = {name: (out / name).read_bytes() for name in files_below(out)}
    return list(read_parquet(out / "documents.parquet")), summary, written


def named(folder: Path, *patterns: str) -> tuple[Source, ...]:
    return expand(patterns or (str(folder),), folder, SOURCES, "test")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three films with text that is known, one of them twice, and one without a word."""
    folder = tmp_path_factory.mktemp("clips")
    two_lines(folder / "a.mp4", "Glacier camp")
    two_lines(folder / "b.mp4", "Northern ridge")
    shutil.copy(folder / "a.mp4", folder / "c.mp4")
    write(folder / "tone.wav", Clip(seconds=1.0, codec=None, audio="pcm_s16le"))
    return folder


def test_what_stands_on_the_screen_is_in_the_documents(clips: Path, tmp_path: Path) -> None:
    documents, summary, _ = made(tmp_path, named(clips))
    a, b, c, tone = documents
    assert "Glacier camp" in a.text, a.reason
    assert "Northern ridge" in b.text, b.reason
    assert (a.status, b.status, tone.status) == ("ok", "ok", "no_text")
    # The same file under another name is the same words: one of the two stays.
    assert (c.status, c.dup_cluster, a.dup_cluster) == ("filtered", a.doc_id, a.doc_id)
    assert summary.documents == 4
    assert summary.media_s["no_text"] == pytest.approx(1.0, abs=0.1)
    assert (a.width, a.height, a.container) == (640, 360, "mov,mp4,m4a,3gp,3g2,mj2")
    assert all(one.model for one in a.segments)
    costs = read_costs(tmp_path / "parts", tmp_path)
    assert costs.documents == 4
    assert {"decode", "text", "join", "tokens"} <= set(costs.cpu_ms)


def test_pool_ray_and_this_process_give_the_same_bytes(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    *_, here = made(tmp_path / "here", named(clips), replace(CONFIG, engine="in-process"))
    *_, pool = made(tmp_path / "pool", named(clips), replace(CONFIG, workers=2))
    *_, ray = made(tmp_path / "ray", named(clips), replace(CONFIG, engine="ray", workers=2))
    assert here == pool == ray


def test_a_changed_setting_does_again_what_it_touches(clips: Path, tmp_path: Path) -> None:
    def stages() -> Counter[str]:
        return Counter(name.split("/")[0] for name in files_below(tmp_path / "parts"))

    # Three contents: two films and a tone.
    made(tmp_path, named(clips))
    first = stages()
    assert first == {"probe": 3, "watch": 2, "listen": 1, "compose": 3, "costs.json": 1}
    made(tmp_path, named(clips), replace(CONFIG, quality=QualityConfig(scrub=False)))
    assert stages() - first == {"compose": 3}


def test_costs_are_told_after_a_kill_too(clips: Path, tmp_path: Path) -> None:
    made(tmp_path, named(clips))
    costs = tmp_path / "parts" / "costs.json"
    first = read_costs(tmp_path / "parts", tmp_path)
    # All is there, and nobody knows how long it took: as if no core had waited.
    costs.unlink()
    made(tmp_path, named(clips))
    again = read_costs(tmp_path / "parts", tmp_path)
    steps = ("probe", "decode", "text", "speech", "join")
    for one in steps:
        assert again.cpu_ms.get(one, 0.0) == pytest.approx(first.cpu_ms.get(one, 0.0), abs=0.01)
    assert again.media_s == first.media_s
    assert again.wall_s >= sum(first.cpu_ms[one] for one in ("decode", "text")) / 1000
    # Another setting costs otherwise: what is told is of the last build.
    made(tmp_path, named(clips), replace(CONFIG, quality=QualityConfig(scrub=False)))
    third = read_costs(tmp_path / "parts", tmp_path)
    assert third.cpu_ms["quality"] != first.cpu_ms["quality"]
    assert third.cpu_ms["text"] == pytest.approx(first.cpu_ms["text"], abs=0.01)


def test_a_cut_off_film_with_words_is_partial(tmp_path: Path) -> None:
    whole = tmp_path / "films" / "whole.mkv"
    whole.parent.mkdir()
    two_lines(whole, "Glacier camp", seconds=4)
    (whole.parent / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size * 4 // 5])
    cut, _ = made(tmp_path, named(whole.parent))[0]
    assert cut.status == "partial", cut.reason
    assert "Glacier camp" in cut.text
    assert cut.reason


def test_every_stage_is_known_by_code_settings_and_models(monkeypatch: pytest.MonkeyPatch) -> None:
    line = pipeline_of(CONFIG).stages
    known = {stage.name: stage.fingerprint() for stage in line}
    assert list(known) == ["probe", "watch", "listen", "compose"]

    def changed(config: CorpusConfig = CONFIG) -> set[str]:
        stages = pipeline_of(config).stages
        return {one.name for one in stages if one.fingerprint() != known[one.name]}

    assert changed() == set()
    # A document tells what made it, so the last stage knows of all others.
    assert changed(replace(CONFIG, device="cuda")) == {"watch", "listen", "compose"}
    assert changed(replace(CONFIG, speech=SpeechConfig(beam=3))) == {"listen", "compose"}
    assert changed(replace(CONFIG, join=JoinConfig(paragraph_pause_s=9.0))) == {"compose"}
    with monkeypatch.context() as patch:
        patch.setattr(_stages, "screen_hashes", lambda _: {"another": "model"})
        assert changed() == {"watch", "compose"}
    rooms = {"watch": "screen", "listen": "speech", "compose": "joining"}
    for stage in line[1:]:
        assert f"zhufeng.corpus.{rooms[stage.name]}" in stage.code
        assert "zhufeng.corpus._parts" in stage.code


def test_code_is_known_by_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "kept_code"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = _stage._code_hash.__wrapped__(("kept_code",))
    assert _stage._code_hash.__wrapped__(("kept_code",)) == before
    (package / "inner.py").write_text("x = 2\n")
    assert _stage._code_hash.__wrapped__(("kept_code",)) != before


def test_urls_and_lists_name_videos_too(clips: Path, tmp_path: Path) -> None:
    import fsspec

    with fsspec.open("memory://shelf/b.mp4", "wb") as file:
        file.write((clips / "b.mp4").read_bytes())
    rows = [
        {"uri": str(clips / "a.mp4"), "licence": "CC0"},
        {"uri": "memory://shelf/b.mp4"},
        {"uri": "nowhere.mp4"},
    ]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    # The store lives in this process, so the work is done here.
    config = replace(CONFIG, engine="in-process")
    documents, *_ = made(tmp_path, named(tmp_path, "list.jsonl", "memory://shelf"), config)
    by_name = {document.source_uri: document for document in documents}
    assert "Glacier camp" in by_name[f"list.jsonl#{clips / 'a.mp4'}"].text
    assert by_name[f"list.jsonl#{clips / 'a.mp4'}"].licence == "CC0"
    assert "Northern ridge" in by_name["b.mp4"].text
    missing = by_name["list.jsonl#line 3"]
    assert missing.status == "failed"
    assert "'nowhere.mp4' is out of reach: No such file" in (missing.reason or "")


@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=pytest.mark.soak)])
def test_every_damaged_file_is_one_row(
    tmp_path: Path, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    names = [path.name for path in damaged_files(2026, count, folder)]
    config = replace(CONFIG, workers=2)
    documents, summary, _ = made(tmp_path, named(folder), config)
    assert [document.source_uri for document in documents] == sorted(f"damaged/{n}" for n in names)
    assert summary.statuses.total() == count
    assert all(document.reason for document in documents if document.status != "ok")
    # Damage is a reason that is worded, never an error of ours, and never a worker's death.
    reasons = "\n".join(document.reason or "" for document in documents)
    assert "Error" not in reasons
    assert "ended its worker" not in reasons
    assert str(tmp_path) not in reasons
    captured = capfd.readouterr()
    assert "Traceback" not in captured.err + captured.out
    assert read_costs(tmp_path / "parts", tmp_path).peak_gb < LIMITS.memory_gb
