"""Make the demo's input: a narrated slide video of about a minute on what Zhufeng does.

    python docs/make_demo_video.py     # writes the package's zhufeng.mp4 and docs/demo_video.json

The slides are docs/demo_video.html as headless Chromium draws it; between them a drawn mountain
passes under burned-in subtitles. The voice is flite's "slt" (a program under a BSD-like licence,
its voice made from CMU ARCTIC, free for any use). The JSON beside this script is the truth: what
is said when, what the subtitles say, which lines stand on which slide. The same programs make the
same bytes.

    apt-get install chromium flite fonts-noto-cjk fonts-dejavu-core
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from zhufeng.base import sha256_file

DOCS = Path(__file__).parent
SLIDES = DOCS / "demo_video.html"
TRUTH = DOCS / "demo_video.json"
VIDEO = DOCS.parent / "src/zhufeng/route/demo/videos/zhufeng.mp4"

WIDTH, HEIGHT, FPS, RATE = 1280, 720, 25, 16_000
LEAD_S, PAUSE_S, FADE_S = 0.4, 0.5, 0.24
READING_S = 3.2  # a subtitle that nobody says
SUBTITLE_LETTERS = 48
FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"
FONT_SC = 2  # of the collection: simplified Chinese

Pixels = NDArray[np.uint8]
Sound = NDArray[np.float32]
Cue = tuple[float, float, str, str]
"""From, to, text, language."""


@dataclass(frozen=True)
class Scene:
    """A slide, or the film where `slide` is None, and what is said over it."""

    slide: str | None
    said: tuple[str, ...]
    unsaid: tuple[tuple[str, str], ...] = ()
    """Subtitles that nobody says, with their language."""


SCENES = (
    Scene(
        "title",
        (
            "This is one track from video to silicon.",
            "A mountain is climbed from camp to camp, and each camp passes its load to the next.",
        ),
    ),
    Scene(
        "video",
        (
            "First, a video becomes a text in the order of time.",
            "What was said, and what stood on the slides, is written down once.",
        ),
    ),
    Scene("models", ("Then several models of one family are merged into a single model.",)),
    Scene(
        "step",
        (
            "One step of its training is taken apart and recorded.",
            "Every matrix product is kept with its shape, its zeros and its bits.",
        ),
    ),
    Scene(
        None,
        (
            "Long ago, surveyors measured the highest mountain from six stations on the plains.",
            "They wrote down every angle, so that others could do the sum again.",
        ),
        (("数字要能重新算一遍", "zh"),),
    ),
    Scene(
        "hardware",
        ("Hardware is written as functions on arrays, and the same lines become a circuit.",),
    ),
    Scene(
        "chip",
        (
            "If six bits are enough, the chip gets multipliers of six bits.",
            "Blocks that are all zero are skipped, and the saved cycles are counted.",
        ),
    ),
    Scene(
        "cluster",
        (
            "A plan then says how long a thousand chips need, and what it costs.",
            "Afterwards, the measured time stands beside the predicted time.",
        ),
    ),
    Scene("close", ("Whoever doubts a number can run it again, and compare the bytes.",)),
)


@dataclass
class Timeline:
    """What happens when, in seconds; and the sound of it."""

    speech: list[Cue] = field(default_factory=list)
    subtitles: list[Cue] = field(default_factory=list)
    shown: list[tuple[float, str | None, int]] = field(default_factory=list)
    """From when, which slide (None: the film), at which step."""
    sounds: list[tuple[float, Sound]] = field(default_factory=list)
    end_s: float = 0.0

    def sound(self) -> Sound:
        """All of it, at `RATE`."""
        whole = np.zeros(round(self.end_s * RATE), np.float32)
        for t0, said in self.sounds:
            begin = round(t0 * RATE)
            whole[begin : begin + len(said)] += said
        return whole


def speak(text: str, folder: Path) -> Sound:
    """A sentence in flite's voice, without the silence around it."""
    path = folder / "said.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", path], check=True)
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE
        whole = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    loud = np.flatnonzero(np.abs(whole) > np.abs(whole).max() // 50)
    return (whole[loud[0] : loud[-1] + RATE // 50] / np.float32(32768)).astype(np.float32)


def pieces(t0: float, t1: float, text: str) -> Iterator[Cue]:
    """A sentence as subtitles of one line each, the time shared by their letters."""
    words, lines = text.split(), -(-len(text) // SUBTITLE_LETTERS)
    parts = [" ".join(part) for part in np.array_split(words, lines)]
    for number, part in enumerate(parts):
        before = sum(len(other) for other in parts[:number]) / sum(map(len, parts))
        after = sum(len(other) for other in parts[: number + 1]) / sum(map(len, parts))
        yield t0 + (t1 - t0) * before, t0 + (t1 - t0) * after - 0.04, part, "en"


def lay_out(folder: Path) -> Timeline:
    """Speak every scene, one after another."""
    line, t = Timeline(), 0.0
    for scene in SCENES:
        begin, t = t, t + LEAD_S
        for step, text in enumerate(scene.said, 1):
            said = speak(text, folder)
            if scene.slide or step == 1:
                line.shown.append((begin if step == 1 else t - 0.2, scene.slide, step))
            line.sounds.append((t, said))
            line.speech.append((t, t + len(said) / RATE, text, "en"))
            if scene.slide is None:
                line.subtitles += pieces(*line.speech[-1][:3])
            t += len(said) / RATE + PAUSE_S
        for text, lang in scene.unsaid:
            line.subtitles.append((t, t + READING_S, text, lang))
            t += READING_S + PAUSE_S
        t += LEAD_S
    line.end_s = round(t * FPS) / FPS
    return line


def photograph(slide: str, step: int, folder: Path) -> Image.Image:
    """A slide as Chromium draws it, transparent where nothing is."""
    picture = folder / "slide.png"
    command = [
        shutil.which("chromium") or "google-chrome",
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--hide-scrollbars"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--no-first-run", "--default-background-color=00000000"),
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={WIDTH},{HEIGHT}",
        f"--screenshot={picture}",
        f"{SLIDES.as_uri()}?step={step}#{slide}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(picture) as image:
        return image.convert("RGBA")


class Lines(HTMLParser):
    """The lines marked on every slide: (slide, from which step, text)."""

    VOID = ("meta", "link", "br", "img")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, int, str]] = []
        self._open: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a line that begins."""
        if tag in self.VOID:
            return
        self._open.append(dict(attrs))
        if "data-line" in self._open[-1]:
            slide = next(str(one["id"]) for one in self._open if "id" in one)
            step = next((one["data-from"] for one in self._open if "data-from" in one), None)
            self.found.append((slide, int(step or 1), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing: it holds no text."""

    def handle_endtag(self, tag: str) -> None:
        """Close what is open."""
        if tag not in self.VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Add to the line."""
        if any("data-line" in one for one in self._open):
            slide, step, text = self.found[-1]
            self.found[-1] = slide, step, text + data


class Film:
    """Mountain ridges that pass by at dawn, the nearer the faster: [h, w, rgb] at a time."""

    RIDGES = (  # height of the crest, its roughness in pixels, pixels a second, colour
        (330, 46, 9, (0.50, 0.59, 0.70)),
        (420, 60, 20, (0.36, 0.46, 0.58)),
        (510, 64, 38, (0.23, 0.33, 0.44)),
        (600, 58, 66, (0.12, 0.20, 0.28)),
    )
    SKY = ((0.22, 0.36, 0.56), (0.98, 0.82, 0.66))
    MIST = np.array((0.90, 0.87, 0.86), np.float32)
    SPAN = 2560

    def __init__(self, seed: int = 2026) -> None:
        stream = np.random.default_rng(seed)
        self.crests = [self._crest(stream, rough) for _, rough, _, _ in self.RIDGES]
        self.grain = self._grain(stream)
        self.rows = np.arange(HEIGHT, dtype=np.float32)[:, None]

    def _crest(self, stream: np.random.Generator, rough: float) -> Sound:
        x, crest = np.arange(self.SPAN) / self.SPAN, np.zeros(self.SPAN)
        for octave in range(2, 9):
            waves = stream.integers(2**octave // 2, 2**octave)
            crest += np.abs(np.sin(np.pi * (waves * x + stream.random()))) / 2 ** (octave - 2)
        rugged: Sound = (rough * (crest - crest.mean())).astype(np.float32)
        return rugged

    def _grain(self, stream: np.random.Generator) -> Sound:
        whole = np.zeros((HEIGHT, self.SPAN), np.float32)
        for size in (6, 18, 60):
            coarse = stream.normal(size=(HEIGHT // size + 2, self.SPAN // size)).astype(np.float32)
            image = Image.fromarray(coarse).resize((self.SPAN, HEIGHT), Image.Resampling.BICUBIC)
            whole += np.asarray(image) * size**0.25
        grain: Sound = whole / np.abs(whole).max()
        return grain

    def _peak(self, t: float) -> tuple[Sound, float]:
        """The highest mountain's crest at every column, and the column of its top."""
        top = 760.0 - 5 * t
        x = np.arange(WIDTH, dtype=np.float32)
        slope = np.where(x < top, 0.56 * (top - x), 0.74 * (x - top))
        rough = self.crests[0][(np.arange(WIDTH) + round(5 * t)) % self.SPAN]
        crest: Sound = np.float32(150) + slope + np.float32(0.8) * rough * (slope / 90).clip(0, 1)
        return crest, top

    def _moved(self, columns: float, first: int) -> Sound:
        whole, part = int(columns), np.float32(columns % 1)
        here = np.arange(whole, whole + WIDTH) % self.SPAN
        grain = self.grain[first:]
        beside = grain[:, (here + 1) % self.SPAN]
        moved: Sound = grain[:, here] + part * (beside - grain[:, here])
        return moved

    def at(self, t: float) -> Pixels:
        """The picture at a time since the film's beginning."""
        low, high = (np.array(colour, np.float32) for colour in self.SKY)
        sky = low + (high - low) * np.minimum(1, 1.7 * self.rows / HEIGHT)[..., None]
        picture = np.repeat(sky, WIDTH, axis=1)
        self._highest(picture, t)
        for (level, _, speed, colour), ridge in zip(self.RIDGES, self.crests, strict=True):
            columns = np.arange(WIDTH) + speed * t
            crest = level + np.interp(columns, np.arange(2 * self.SPAN), np.tile(ridge, 2))
            first = int(crest.min())
            ground = np.array(colour, np.float32)
            ground = ground * (1 + 0.28 * self._moved(speed * t, first)[..., None])
            self._raise(picture, first, crest.astype(np.float32), ground)
        return (255 * picture.clip(0, 1)).astype(np.uint8)

    def _highest(self, picture: Sound, t: float) -> None:
        """The mountain behind them all: snow above, rock through it below, lit from the left."""
        crest, top = self._peak(t)
        first = int(crest.min())
        grain = self._moved(5 * t, first)
        lit = np.where(np.arange(WIDTH) < top + 90 * grain, np.float32(1.0), np.float32(0.8))
        bare = ((self.rows[first:] - 225) / 60 + 3.2 * grain).clip(0, 1)[..., None]
        snow = np.array((0.98, 0.95, 0.95), np.float32)
        rock = np.array((0.58, 0.62, 0.70), np.float32)
        ground = (snow + (rock - snow) * bare) * (lit * (1 + 0.1 * grain))[..., None]
        self._raise(picture, first, crest, ground)

    def _raise(self, picture: Sound, first: int, crest: Sound, ground: Sound) -> None:
        """Put a mountain before the picture, whose foot stands in mist."""
        below = self.rows[first:] - crest
        thick = (below / 780).clip(0, 0.5)[..., None]
        seen = (below > 0)[..., None]
        picture[first:] = np.where(seen, ground + (self.MIST - ground) * thick, picture[first:])


class Show:
    """The picture at any time."""

    def __init__(self, line: Timeline, folder: Path) -> None:
        self.line = line
        self.logo = photograph("logo", 1, folder)
        self.stills = {
            (slide, step): self._branded(photograph(slide, step, folder))
            for _, slide, step in line.shown
            if slide
        }
        self.film = Film()
        self.font = ImageFont.truetype(FONT, 40, index=FONT_SC)

    def _branded(self, picture: Image.Image) -> Pixels:
        whole = picture.convert("RGBA")
        whole.alpha_composite(self.logo)
        return np.asarray(whole.convert("RGB"))

    def at(self, t: float) -> Pixels:
        """One slide fades into another; a step of the same slide just appears."""
        number = max(n for n, (t0, _, _) in enumerate(self.line.shown) if t0 <= t + 1e-6)
        t0, slide, _ = self.line.shown[number]
        picture = self._drawn(number, t)
        if number and t - t0 < FADE_S and self.line.shown[number - 1][1] != slide:
            part = (t - t0 + 1 / FPS) / (FADE_S + 1 / FPS)
            before = self._drawn(number - 1, t)
            picture = (before * (1 - part) + picture * part).round().astype(np.uint8)
        return picture

    def _drawn(self, number: int, t: float) -> Pixels:
        t0, slide, step = self.line.shown[number]
        if slide:
            return self.stills[slide, step]
        picture = Image.fromarray(self.film.at(t - t0))
        draw = ImageDraw.Draw(picture)
        for begin, end, text, _ in self.line.subtitles:
            if begin <= t + 1e-6 < end:
                draw.text(
                    (WIDTH // 2, HEIGHT - 62),
                    text,
                    "white",
                    self.font,
                    anchor="mm",
                    stroke_width=3,
                    stroke_fill="black",
                )
        return self._branded(picture)


def encode(show: Show, sound: Sound, path: Path) -> None:
    """H.264 and AAC as every browser plays them; one thread, and no clock in the file."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", options=options) as out:
        out.metadata["title"] = "From video to silicon"
        out.metadata["copyright"] = "Apache-2.0"
        video = out.add_stream("libx264", rate=FPS, options={"preset": "slow", "crf": "26"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.thread_count = 1
        video.codec_context.gop_size = 10 * FPS
        audio = out.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 40_000
        for number in range(round(show.line.end_s * FPS)):
            frame = av.VideoFrame.from_ndarray(show.at(number / FPS), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
            begin, end = (round(n * RATE / FPS) for n in (number, number + 1))
            block = av.AudioFrame.from_ndarray(sound[None, begin:end], "fltp", "mono")
            block.sample_rate, block.pts = RATE, begin
            out.mux(audio.encode(block))
        out.mux([*video.encode(None), *audio.encode(None)])


def slides(line: Timeline) -> Iterator[dict[str, object]]:
    """Which lines stand from when to when, in the order of the page."""
    marked = Lines()
    marked.feed(SLIDES.read_text("utf-8"))
    ends = [t0 for t0, _, _ in line.shown[1:]] + [line.end_s]
    for (t0, slide, step), t1 in zip(line.shown, ends, strict=True):
        if slide:
            stand = [text for name, since, text in marked.found if name == slide and since <= step]
            yield {"t0": round(t0, 3), "t1": round(t1, 3), "slide": slide, "lines": stand}


def told(cues: Sequence[Cue]) -> list[list[object]]:
    """Cues as the truth files hold them, to a millisecond."""
    return [[round(t0, 3), round(t1, 3), text, lang] for t0, t1, text, lang in cues]


def main() -> int:
    """Make the video and its truth."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=VIDEO)
    parser.add_argument("--truth", type=Path, default=TRUTH)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        line = lay_out(Path(name))
        show = Show(line, Path(name))
    sound = line.sound()
    flags.output.parent.mkdir(parents=True, exist_ok=True)
    encode(show, 0.8 * sound / np.abs(sound).max(), flags.output)
    truth = {
        "sha256": sha256_file(flags.output),
        "duration_s": line.end_s,
        "width": WIDTH,
        "height": HEIGHT,
        "fps": FPS,
        "logo": "珠峰 Zhufeng",
        "speech": told(line.speech),
        "subtitles": told(line.subtitles),
        "slides": list(slides(line)),
    }
    flags.truth.write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
