"""What the corpus pipeline costs and how well it reads, beside the obvious way to do it.

On the videos of `--data`: one with a .json and .srt of its stem is measured against them, one
without is a lecture. Without `--data` one clip of each kind is made (`corpus_clips.py`). Ours is
``zhufeng corpus build`` as anyone runs it, with one worker; the naive pipeline
(`corpus_naive.py`) uses the same speech model. Each runs in processes of its own on one file.

- ms_per_video_s: CPU time per second of video, whole chain, less what the same command spends on a
  black and silent second (start_s: starting, loading models); the worst of the files. ms_STEP: of
  its steps. naive_ms_per_video_s: likewise, without loading its models.
- plain_decode_ms: CPU time per second of the last video for decoding all of its frames with PyAV as
  it comes, on one thread: how fast this machine is today.
- naive_over_ours: the ratio of the two, the least of the files.
- peak_gb, naive_peak_gb: the most memory that the processes held at once, in 10^9 bytes; pages that
  they share count in each.
- wer_pct: word error of the speech heard, against the cues that are said (`corpus_metrics.words`).
- subtitle_cer_pct, subtitles_missed, subtitles_spurious: letters wrong in burned-in subtitles, cues
  without a line, lines without a cue (`corpus_metrics.read_subtitles`).
- start_error_s: median distance between the start of a cue and of its line; start_error_mean_s;
  speech_start_error_s: of stretches of speech that begin with the words of a cue.
- join_error_over_best_source: word error of the document over that of the better single source,
  screen or speech, on the variant of the subtitled file (`corpus_variant.py`);
  join_error_untouched_over_best_source: on the file as it is.
- lecture_words_pct: of the distinct words that the naive pipeline reads on slides, which is twice
  in a row on the same line, those that ours reads too; lecture_words_kept_pct: those in the
  document's text; lecture_words_any_pct: of all that it ever reads, in motion and blurred too.
  E-mail addresses are passed over: ours leaves them out on purpose.
- lecture_speech_difference_pct: word distance of our speech from the same model on the whole file;
  lecture_speech_letters_difference_pct: of its letters, however they are parted into words.
- naive_wer_pct, naive_subtitle_cer_pct, naive_subtitles_missed: the naive pipeline's.

The naive pipeline runs once. Ours runs three times; with --quick once, and the naive pipeline reads
every tenth of its frames: their cost counts tenfold, and only the cues count at which it looked.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pyarrow.parquet as pq

from corpus_clips import HEIGHT, RATE, WIDTH, clips, encode
from corpus_metrics import (
    Line,
    Read,
    error_rate,
    in_order,
    known_words,
    read_subtitles,
    speech_starts,
    word_error,
    words,
)
from corpus_variant import make_variant, plan
from harness import Figure, Report, main, median
from zhufeng.base import read_json
from zhufeng.corpus.speech import SpeechConfig, find_model, speech_hashes

NAIVE = Path(__file__).with_name("corpus_naive.py")
VIDEOS = (".mp4", ".mkv", ".webm", ".mov", ".avi")
QUICK_EVERY = 10
SAMPLE_S = 0.2
SCREEN = ("subtitle", "slide")
_EMAIL = re.compile(r"\S+@\S+")


@dataclass(frozen=True)
class Spent:
    """What a command took, with all of its processes."""

    cpu_s: float
    peak_gb: float
    out: str


def spend(command: Sequence[str | Path]) -> Spent:
    """Run a command in processes of its own, on one thread each."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as talk:
        process = psutil.Popen(
            list(map(str, command)),
            stdout=out,
            stderr=talk,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        peak = _Peak(process)
        peak.start()
        _, status, used = os.wait4(process.pid, 0)
        peak.join()
        out.seek(0)
        talk.seek(0)
        if status:
            raise subprocess.CalledProcessError(status, list(map(str, command)), "", talk.read())
        return Spent(used.ru_utime + used.ru_stime, peak.bytes / 1e9, out.read())


class _Peak(threading.Thread):
    """Watches the memory of a process and its children."""

    def __init__(self, process: psutil.Popen) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.bytes = 0

    def run(self) -> None:
        """Until the process is gone."""
        while True:
            held = 0
            try:
                for one in (self.process, *self.process.children(recursive=True)):
                    held += one.memory_info().rss
            except psutil.NoSuchProcess:
                if not psutil.pid_exists(self.process.pid):
                    return
            except psutil.ZombieProcess:
                return
            self.bytes = max(self.bytes, held)
            time.sleep(SAMPLE_S)


@dataclass(frozen=True)
class Given:
    """A file to measure on."""

    path: Path
    duration_s: float
    cues: tuple[Line, ...] | None
    """None: a lecture."""

    @property
    def said(self) -> list[Line]:
        """The cues that are spoken."""
        return [one for one in self.cues or () if one.said]


def given(folder: Path) -> list[Given]:
    """The videos of a folder; other files are passed over."""
    found = []
    for path in sorted(one for one in folder.iterdir() if one.suffix.lower() in VIDEOS):
        truth, cues = path.with_suffix(".json"), None
        if truth.exists() and path.with_suffix(".srt").exists():
            rows = json.loads(truth.read_text("utf-8"))["cues"]
            cues = tuple(Line(row[0], row[1], row[2], "unsaid" not in row[4:]) for row in rows)
        found.append(Given(path, _duration(path), cues))
    return found


def _duration(path: Path) -> float:
    from zhufeng.corpus.media import probe  # noqa: PLC0415 (a name that measures elsewhere)

    return probe(path).duration_s


@dataclass(frozen=True)
class Ours:
    """What our pipeline made of a file."""

    document: Mapping[str, Any]
    spent: Spent
    steps: Mapping[str, float]
    """CPU ms by step."""

    def lines(self, *kinds: str) -> list[Line]:
        """All that was seen or heard of these kinds, but for what was taken for noise."""
        return [
            Line(one["t0"], one["t1"], one["text"])
            for one in self.document["segments"]
            if one["kind"] in kinds and _believed(one["suppressed_by"])
        ]

    @property
    def speech(self) -> str:
        """What was heard, as a text."""
        return in_order(self.lines("speech"))


def _believed(suppressed_by: str | None) -> bool:
    """Whether a segment is left out, if at all, because the other source says the same."""
    return suppressed_by is None or suppressed_by.startswith(("subtitle at", "speech at"))


def ours(path: Path) -> Ours:
    """``zhufeng corpus build`` on one file, from nothing."""
    with tempfile.TemporaryDirectory() as name:
        run, config = Path(name) / "run", Path(name) / "recipe.toml"
        config.write_text("[corpus]\nworkers = 1\n")
        program = (sys.executable, "-m", "zhufeng", "corpus", "build", path)
        spent = spend((*program, "-o", run, "--config", config))
        rows = pq.read_table(run / "corpus" / "documents.parquet").to_pylist()
        costs = read_json(run / "corpus.parts" / "costs.json")
        assert isinstance(costs, dict)
        return Ours(rows[0], spent, costs["cpu_ms"])


@dataclass(frozen=True)
class Naive:
    """What the naive pipeline made of a file."""

    found: Mapping[str, Any]
    spent: Spent

    @property
    def cpu_s(self) -> dict[str, float]:
        """By step, without loading; reading as if every frame had been read."""
        steps = {name: s for name, s in self.found["cpu_s"].items() if name != "load"}
        return {**steps, "read": steps["read"] * self.found["frames"] / len(self.read_at)}

    @property
    def read_at(self) -> list[float]:
        """When it looked."""
        return list(self.found["read_at"])

    @property
    def apart_s(self) -> float:
        """Between two looks."""
        return (self.read_at[-1] - self.read_at[0]) / (len(self.read_at) - 1)

    @cached_property
    def lines(self) -> list[Line]:
        """What it read on the screen; a line that it read once lasts until the next look."""
        return [Line(one["t0"], one["t1"], one["text"]) for one in self.found["lines"]]

    @cached_property
    def speech(self) -> str:
        """What it heard."""
        return " ".join(one["text"] for one in self.found["speech"])


def naive(path: Path, model: Path, every: int) -> Naive:
    """The naive pipeline on one file."""
    spent = spend((sys.executable, NAIVE, path, model, str(every)))
    return Naive(json.loads(spent.out), spent)


@dataclass(frozen=True)
class Pair:
    """Both pipelines on one file, ours several times."""

    given: Given
    ours: tuple[Ours, ...]
    naive: Naive
    start_s: float

    @property
    def ms(self) -> list[float]:
        """Ours per second of video, less the start."""
        rest = self.given.duration_s - 1.0
        return [1000 * (one.spent.cpu_s - self.start_s) / rest for one in self.ours]

    @property
    def naive_ms(self) -> float:
        """The naive pipeline's."""
        return 1000 * sum(self.naive.cpu_s.values()) / self.given.duration_s

    @property
    def ratio(self) -> Figure:
        """The naive pipeline's cost over ours."""
        return median([self.naive_ms / ms for ms in self.ms])

    @property
    def steps(self) -> dict[str, float]:
        """Ours by step, CPU ms per second of video; the median of the runs."""
        names = dict.fromkeys(name for one in self.ours for name in one.steps)
        return {
            name: statistics.median(one.steps.get(name, 0.0) for one in self.ours)
            / self.given.duration_s
            for name in names
        }


Quality = dict[str, float | None]


def reading(pair: Pair) -> Quality:
    """Of a subtitled file: speech and subtitles against the truth, ours and the naive ones."""
    cues, mine, other = pair.given.cues or (), pair.ours[0], pair.naive
    truth = in_order(pair.given.said)
    read = read_subtitles(mine.lines("subtitle"), cues)
    seen = [cue for cue in cues if any(cue.t0 <= t < cue.t1 for t in other.read_at)]
    theirs = read_subtitles(other.lines, seen)
    starts = speech_starts(mine.lines("speech"), cues)
    return {
        "wer_pct": 100 * word_error(mine.speech, truth),
        "naive_wer_pct": 100 * word_error(other.speech, truth),
        **_read(read),
        "naive_subtitle_cer_pct": 100 * theirs.error,
        "naive_subtitles_missed": theirs.missed,
        "start_error_s": statistics.median(read.start_errors_s) if read.start_errors_s else None,
        "start_error_mean_s": statistics.mean(read.start_errors_s) if read.start_errors_s else None,
        "speech_start_error_s": statistics.median(starts) if starts else None,
        "join_error_untouched_over_best_source": join_error(mine, cues),
    }


def _read(read: Read) -> Quality:
    return {
        "subtitle_cer_pct": 100 * read.error,
        "subtitles_missed": read.missed,
        "subtitles_spurious": read.spurious,
    }


def join_error(mine: Ours, truth: Sequence[Line]) -> float:
    """Word error of the document over that of the better single source.

    A source without error counts as one with a single wrong word.
    """
    whole = in_order(truth)
    sources = (in_order(mine.lines(*SCREEN)), mine.speech)
    best = min(word_error(one, whole) for one in sources)
    return word_error(mine.document["text"], whole) / max(best, 1 / len(words(whole)))


def on_variant(one: Given, seed: int) -> Quality:
    """The join where neither source is whole."""
    assert one.cues is not None
    planned = plan(one.cues, one.duration_s, seed)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "variant.mp4"
        make_variant(one.path, path, planned)
        return {"join_error_over_best_source": join_error(ours(path), planned.truth(one.cues))}


def lecture(pair: Pair) -> Quality:
    """Of a file without truth: against what the naive pipeline reads and hears."""
    mine, other = pair.ours[0], pair.naive
    slides = _words_of(one for one in other.lines if one.t1 - one.t0 > 1.5 * other.apart_s)
    ever = _words_of(other.lines)
    segments = [one["text"] for one in mine.document["segments"] if one["kind"] in SCREEN]
    read, kept = known_words(segments), known_words([mine.document["text"]])
    return {
        "lecture_words_pct": 100 * len(slides & read) / len(slides),
        "lecture_words_kept_pct": 100 * len(slides & kept) / len(slides),
        "lecture_words_any_pct": 100 * len(ever & read) / len(ever),
        "lecture_speech_difference_pct": 100 * word_error(mine.speech, other.speech),
        "lecture_speech_letters_difference_pct": 100
        * error_rate("".join(words(mine.speech)), "".join(words(other.speech))),
    }


def _words_of(lines: Iterable[Line]) -> set[str]:
    return known_words(_EMAIL.sub(" ", one.text) for one in lines)


def measure(quick: bool, seed: int, data: Path | None) -> Report:
    """All figures."""
    found = find_model(None)
    files = given(data or clips(seed))
    if not files:
        sys.exit(f"{data} holds no video: expected {', '.join(VIDEOS)}")
    runs, every = (1, QUICK_EVERY) if quick else (3, 1)
    starts = list(_starts(runs))
    start_s = statistics.median(starts)
    pairs = []
    for one in files:
        mine = tuple(ours(one.path) for _ in range(runs))
        pairs.append(Pair(one, mine, naive(one.path, found.folder, every), start_s))
    qualities = {
        pair.given.path: {**reading(pair), **on_variant(pair.given, seed)}
        if pair.given.cues
        else lecture(pair)
        for pair in pairs
    }
    beside = {
        "speech_model": {"name": found.name, "sha256": speech_hashes(SpeechConfig())[found.name]},
        "files": [_row(pair, qualities[pair.given.path]) for pair in pairs],
    }
    plain = Figure(plain_decode_ms(pairs[-1].given))
    figures = {**_costs(pairs, starts), "plain_decode_ms": plain}
    return Report({**figures, **_worst(list(qualities.values()))}, beside)


def plain_decode_ms(one: Given) -> float:
    """CPU ms per second of video for decoding every frame."""
    begin = time.process_time()
    with av.open(str(one.path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass
    return 1000 * (time.process_time() - begin) / one.duration_s


def _starts(runs: int) -> Iterator[float]:
    """CPU seconds for a black and silent second of video, once everything is in the cache."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "nothing.mp4"
        black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        encode(path, 1.0, lambda _: black, np.zeros(RATE, np.float32))
        ours(path)
        for _ in range(runs):
            yield ours(path).spent.cpu_s


def _costs(pairs: Sequence[Pair], starts: Sequence[float]) -> dict[str, Figure]:
    worst = max(pairs, key=lambda pair: statistics.median(pair.ms))
    return {
        "ms_per_video_s": median(worst.ms),
        "naive_over_ours": min((pair.ratio for pair in pairs), key=lambda one: one.value or 0.0),
        "naive_ms_per_video_s": Figure(worst.naive_ms),
        "start_s": median(starts),
        "peak_gb": Figure(max(one.spent.peak_gb for pair in pairs for one in pair.ours)),
        "naive_peak_gb": Figure(max(pair.naive.spent.peak_gb for pair in pairs)),
        **{f"ms_{name}": Figure(ms) for name, ms in worst.steps.items()},
    }


_BEST_IS_MOST = ("lecture_words_pct", "lecture_words_kept_pct", "lecture_words_any_pct")
_QUALITIES = (
    "wer_pct",
    "naive_wer_pct",
    "subtitle_cer_pct",
    "subtitles_missed",
    "subtitles_spurious",
    "naive_subtitle_cer_pct",
    "naive_subtitles_missed",
    "start_error_s",
    "start_error_mean_s",
    "speech_start_error_s",
    "join_error_over_best_source",
    "join_error_untouched_over_best_source",
    "lecture_words_pct",
    "lecture_words_kept_pct",
    "lecture_words_any_pct",
    "lecture_speech_difference_pct",
    "lecture_speech_letters_difference_pct",
)


def _worst(qualities: Sequence[Quality]) -> dict[str, Figure]:
    """Of each figure the worst of the files; None where no file is of its kind."""
    figures = {}
    for name in _QUALITIES:
        values = [one[name] for one in qualities if one.get(name) is not None]
        worst = min if name in _BEST_IS_MOST else max
        figures[name] = Figure(worst(v for v in values if v is not None) if values else None)
    return figures


def _row(pair: Pair, quality: Quality) -> dict[str, object]:
    rounded = {name: None if value is None else round(value, 4) for name, value in quality.items()}
    duration_s = pair.given.duration_s
    naive_steps = pair.naive.cpu_s
    return {
        "file": pair.given.path.name,
        "kind": "lecture" if pair.given.cues is None else "subtitled",
        "duration_s": round(duration_s, 2),
        "ms_per_video_s": round(statistics.median(pair.ms), 2),
        "naive_ms_per_video_s": round(pair.naive_ms, 2),
        "ms_by_step": {name: round(ms, 2) for name, ms in pair.steps.items()},
        "naive_ms_by_step": {k: round(1000 * s / duration_s, 2) for k, s in naive_steps.items()},
        **rounded,
    }


if __name__ == "__main__":
    main(
        "corpus",
        "Video into text: cost and quality, beside the naive pipeline.",
        measure,
        packages=("av", "faster-whisper", "rapidocr", "onnxruntime"),
        data="videos; with .json and .srt of the same stem where there is a truth",
    )
