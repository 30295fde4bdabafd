"""The demo's video is what docs/demo_video.json says, and the pipeline reads and hears it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from zhufeng.base import sha256_file
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Span
from zhufeng.corpus.joining import JoinConfig, join
from zhufeng.corpus.media import probe
from zhufeng.corpus.screen import Reader, ScreenConfig, watch
from zhufeng.corpus.speech import Listener, SpeechConfig, listen

ROOT = Path(__file__).parents[2]
VIDEO = ROOT / "src/zhufeng/route/demo/videos/zhufeng.mp4"
SLIDES = ROOT / "docs/demo_video.html"
RATE = 16_000
# A slide, the film with its subtitles, and a slide: enough of each, and not all of it.
SEEN = Span(t0=21.0, t1=50.0)


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((ROOT / "docs/demo_video.json").read_text("utf-8"))
    return told


@pytest.fixture(scope="module")
def metrics() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "bench"))
        import corpus_metrics
    return corpus_metrics


def test_it_is_small_and_the_file_that_the_truth_is_of(truth: dict[str, Any]) -> None:
    assert VIDEO.stat().st_size < 3_000_000
    assert sha256_file(VIDEO) == truth["sha256"], "make both with docs/make_demo_video.py"


def test_its_head_says_what_the_truth_says(truth: dict[str, Any]) -> None:
    with av.open(str(VIDEO)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(truth["duration_s"], abs=0.1)
        assert (picture.width, picture.height) == (truth["width"], truth["height"])
        assert picture.average_rate == truth["fps"]
        assert picture.frames == round(truth["duration_s"] * truth["fps"])
        # What browsers play.
        assert (picture.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        assert picture.codec_context.pix_fmt == "yuv420p"


def test_the_truth_s_times_follow_one_another(truth: dict[str, Any]) -> None:
    for cues in (truth["speech"], truth["subtitles"]):
        times = [t for t0, t1, _, _ in cues for t in (t0, t1)]
        assert times == sorted(times)
        assert times[-1] <= truth["duration_s"]
    said = {text for _, _, text, _ in truth["speech"]}
    shown = " ".join(text for _, _, text, lang in truth["subtitles"] if lang == "en")
    assert shown in " ".join(text for _, _, text, _ in truth["speech"])
    assert len(said) == len(truth["speech"]), "a sentence said twice"
    assert {lang for *_, lang in truth["subtitles"]} == {"en", "zh"}


def test_the_lines_of_the_truth_are_those_of_the_slides(truth: dict[str, Any]) -> None:
    drawn = SLIDES.read_text("utf-8").replace("<b>", "").replace("</b>", "")
    for slide in truth["slides"]:
        assert len(slide["lines"]) >= 1
        for line in slide["lines"]:
            assert f">{line}<" in drawn
    assert any(not line.isascii() for slide in truth["slides"] for line in slide["lines"])


def test_it_speaks_when_the_truth_says_and_is_silent_between(truth: dict[str, Any]) -> None:
    with av.open(str(VIDEO)) as container:
        resampler = av.AudioResampler("fltp", "mono", RATE)
        frames = [*container.decode(audio=0), None]
        sound = np.concatenate([b.to_ndarray()[0] for f in frames for b in resampler.resample(f)])
    t, loud, silent = 0.0, [], []
    for t0, t1, _, _ in truth["speech"]:
        loud.append(_level(sound, t0, t1))
        silent.append(_level(sound, t + 0.1, t0 - 0.1))
        t = t1
    assert min(loud) > 30 * max(silent)


def _level(sound: np.ndarray[Any, Any], t0: float, t1: float) -> float:
    return float(np.sqrt(np.mean(sound[round(t0 * RATE) : round(t1 * RATE)] ** 2)))


def test_the_pipeline_reads_its_slides_and_subtitles(truth: dict[str, Any], metrics: Any) -> None:
    media = probe(VIDEO)
    watched = watch(VIDEO, media, SEEN, Reader(ScreenConfig()), Meter())
    read = {metrics.letters(one.text) for one in watched.lines}
    slides = [one for one in truth["slides"] if SEEN.t0 < one["t0"] and one["t1"] < SEEN.t1]
    lines = {metrics.letters(line) for one in slides for line in one["lines"]}
    assert len(slides) >= 3
    # Lines that stand beside one another may be read as one.
    together = "\n".join(read)
    unread = {line for line in lines if line not in together}
    assert len(unread) <= 0.05 * len(lines), unread
    cues = [metrics.Line(*cue[:3]) for cue in truth["subtitles"]]
    low = [one for one in watched.lines if one.bbox[1] > 0.75]
    moving = [metrics.Line(one.t0, one.t1, one.text) for one in low]
    subtitles = metrics.read_subtitles(moving, cues)
    assert subtitles.missed == 0
    assert subtitles.error <= 0.01
    assert max(subtitles.start_errors_s) < 0.3
    assert metrics.letters(truth["logo"]) in read
    joined = join(media, (), (watched,), (), JoinConfig())
    told = {metrics.letters(one.text) for one in joined.segments if one.kind == "subtitle"}
    assert told == {metrics.letters(cue.text) for cue in cues}


def test_the_pipeline_hears_its_narration(truth: dict[str, Any], metrics: Any) -> None:
    span = Span(t0=0.0, t1=16.5)
    heard = listen(VIDEO, probe(VIDEO), span, Listener(SpeechConfig()), Meter())
    end = heard.utterances[-1].t1
    assert end > 15  # the border of a span moves to where nobody speaks
    said = " ".join(text for t0, _, text, _ in truth["speech"] if t0 < end)
    found = " ".join(one.text for one in heard.utterances)
    assert metrics.word_error(found, said) <= 0.05
    assert {one.lang for one in heard.utterances} == {"en"}
