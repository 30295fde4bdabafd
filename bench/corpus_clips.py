"""Clips for `corpus.py` where no data is given: a subtitled film and a lecture, both drawn here.

Both speak with the voice of the demo's video, cut sentence by sentence where docs/demo_video.json
says it speaks, so that nothing needs to be fetched or synthesised. The film has burned-in
subtitles before a textured picture that moves, and its truth beside it (.json and .srt); the
lecture shows slides with a small moving picture in a corner. Chinese stands in both where a font
for it is installed. The same seed, fonts and packages make the same clips.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from corpus_metrics import Line
from zhufeng.base import cache_folder, sha256_file, sha256_json

ROOT = Path(__file__).parents[1]
VIDEO = ROOT / "src/zhufeng/route/demo/videos/zhufeng.mp4"
TRUTH = ROOT / "docs/demo_video.json"
WIDTH, HEIGHT, FPS, RATE = 1280, 720, 25, 16_000
SUBTITLE_LETTERS = 44
UNSAID = ("每个数字都能重新算出来", "从视频到芯片的一条路")
UNSAID_S = 2.6
SHOT_S = 9.0

Pixels = NDArray[np.uint8]
Sound = NDArray[np.float32]
Picture = Callable[[float], Pixels]


def clips(seed: int) -> Path:
    """The folder with both clips, made at the first call: film.mp4, .json, .srt, lecture.mp4."""
    made_of = [sha256_file(path) for path in (Path(__file__), VIDEO, TRUTH)]
    key = sha256_json([*made_of, seed, str(chinese_font())])
    folder = cache_folder("bench-clips") / key[:16]
    if not (folder / "lecture.mp4").exists():
        folder.mkdir(exist_ok=True)
        make_film(folder / "film.mp4", seed)
        unfinished = folder / "unfinished.mp4"
        make_lecture(unfinished, seed)
        unfinished.rename(folder / "lecture.mp4")
    return folder


@cache
def chinese_font() -> Path | None:
    """A font with simplified Chinese, if one is installed."""
    names = ("notosanscjk", "sourcehansans", "wqy", "pingfang", "hiragino sans gb", "msyh")
    found = sorted(map(Path, font_manager.findSystemFonts()), key=lambda path: path.name)
    fitting = (path for name in names for path in found if path.name.lower().startswith(name))
    return next(fitting, None)


@cache
def font(size: int, *, chinese: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib; or the font for Chinese."""
    if chinese:
        path = chinese_font()
        assert path is not None
        return ImageFont.truetype(path, size)
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def sentences() -> list[tuple[str, Sound]]:
    """What the demo's video says, each sentence with its sound."""
    with av.open(str(VIDEO)) as container:
        resampler = av.AudioResampler("fltp", "mono", RATE)
        frames = [*container.decode(audio=0), None]
        blocks = [b.to_ndarray()[0] for frame in frames for b in resampler.resample(frame)]
    whole = np.concatenate(blocks)
    truth = json.loads(TRUTH.read_text("utf-8"))
    return [(text, _cut(whole, t0, t1)) for t0, t1, text, _ in truth["speech"]]


def _cut(whole: Sound, t0: float, t1: float) -> Sound:
    margin = 0.05  # of silence, which the demo leaves between its sentences
    return whole[round((t0 - margin) * RATE) : round((t1 + margin) * RATE)]


def make_film(path: Path, seed: int) -> None:
    """All sentences in an order of their own, with subtitles; .json and .srt beside it."""
    stream = np.random.default_rng([seed, 1])
    said = sentences()
    order = stream.permutation(len(said))
    silent = set(order[[len(said) // 3, 2 * len(said) // 3]]) if chinese_font() else set()
    unsaid = iter(UNSAID)
    sounds: list[Sound] = []
    cues: list[Line] = []
    t = _pause(sounds, 0.6)
    for number in order:
        text, sound = said[number]
        sounds.append(sound)
        cues += _pieces(t, t + len(sound) / RATE, text)
        t += len(sound) / RATE
        t += _pause(sounds, stream.uniform(0.3, 0.9))
        if number in silent:
            cues.append(Line(t, t + UNSAID_S, next(unsaid), said=False))
            t += _pause(sounds, UNSAID_S + 0.4)
    write_truth(path, t, cues)
    encode(path, t, _film(cues, t, seed), np.concatenate(sounds))


def _pause(sounds: list[Sound], seconds: float) -> float:
    sounds.append(np.zeros(round(seconds * RATE), np.float32))
    return len(sounds[-1]) / RATE


def _pieces(t0: float, t1: float, text: str) -> Iterator[Line]:
    """A sentence as one-line subtitles, the time shared by their letters."""
    parts = np.array_split(text.split(), -(-len(text) // SUBTITLE_LETTERS))
    lines = [" ".join(part) for part in parts]
    letter_s = (t1 - t0) / sum(map(len, lines))
    for line in lines:
        end = t0 + letter_s * len(line)
        yield Line(t0, end - 0.04, line)
        t0 = end


def write_truth(path: Path, duration_s: float, cues: Sequence[Line]) -> None:
    """The .json and .srt of a clip; a cue that nobody says has a fifth entry, "unsaid"."""
    rows = [
        [one.t0, one.t1, one.text, "en" if one.text.isascii() else "zh"]
        + ([] if one.said else ["unsaid"])
        for one in cues
    ]
    told = json.dumps({"dur": duration_s, "cues": rows}, ensure_ascii=False, indent=1)
    path.with_suffix(".json").write_text(told + "\n", "utf-8")
    blocks = (
        f"{number}\n{_stamp(one.t0)} --> {_stamp(one.t1)}\n{one.text}\n"
        for number, one in enumerate(cues, 1)
    )
    path.with_suffix(".srt").write_text("\n".join(blocks), "utf-8")


def _stamp(t: float) -> str:
    ms = round(1000 * t)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


def texture(stream: np.random.Generator, width: int, height: int) -> Pixels:
    """Clouds and grain of a random colour: [h, w, rgb]."""
    luma = np.zeros((height, width), np.float32)
    for size, weight in ((160, 1.0), (40, 0.45), (8, 0.16)):
        coarse = stream.uniform(-1, 1, (height // size + 2, width // size + 2)).astype(np.float32)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        luma += weight * np.asarray(image)
    colour = stream.uniform(40, 150, 3)
    whole: Pixels = (colour + 46 * luma[..., None]).clip(0, 255).astype(np.uint8)
    return whole


def _film(cues: Sequence[Line], duration_s: float, seed: int) -> Picture:
    """Shots in which a textured picture passes by, under the subtitles."""
    stream = np.random.default_rng([seed, 2])
    shots = [texture(stream, 2 * WIDTH, HEIGHT + 80) for _ in range(int(duration_s / SHOT_S) + 1)]
    speeds = stream.uniform(30, 110, len(shots))
    drawn = [_subtitle(one.text) for one in cues]

    def at(t: float) -> Pixels:
        number = int(t / SHOT_S)
        x = int(speeds[number] * (t - number * SHOT_S))
        y = int(40 + 30 * np.sin(0.9 * t))
        picture = shots[number][y : y + HEIGHT, x : x + WIDTH]
        for one, (cover, ink) in zip(cues, drawn, strict=True):
            if one.t0 <= t < one.t1:
                return np.where(cover, ink, picture).astype(np.uint8)
        return picture

    return at


def _subtitle(text: str) -> tuple[NDArray[np.bool_], Pixels]:
    """Where a subtitle covers the picture, and with what."""
    face, place = font(38, chinese=not text.isascii()), (WIDTH // 2, HEIGHT - 56)
    cover, ink = Image.new("1", (WIDTH, HEIGHT)), Image.new("RGB", (WIDTH, HEIGHT))
    ImageDraw.Draw(cover).text(place, text, 1, face, "mm", stroke_width=3)
    ImageDraw.Draw(ink).text(place, text, "white", face, "mm")
    return np.asarray(cover)[..., None], np.asarray(ink)


def make_lecture(path: Path, seed: int) -> None:
    """All sentences in their order with pauses to think, over slides."""
    stream = np.random.default_rng([seed, 3])
    sounds: list[Sound] = []
    t = _pause(sounds, 1.0)
    begins = []
    for _, sound in sentences():
        begins.append(t)
        sounds.append(sound)
        t += len(sound) / RATE
        t += _pause(sounds, stream.uniform(1.2, 2.6))
    encode(path, t, _lecture(begins, seed), np.concatenate(sounds))


def _lecture(begins: Sequence[float], seed: int) -> Picture:
    """Slides that change between sentences, and the "camera" in a corner."""
    stream = np.random.default_rng([seed, 4])
    shown = json.loads(TRUTH.read_text("utf-8"))["slides"]
    last = {one["slide"]: one["lines"] for one in shown}
    slides = [_slide(lines) for lines in last.values()]
    changes = [begins[len(begins) * number // len(slides)] - 0.6 for number in range(len(slides))]
    room = texture(stream, 360, 240)

    def at(t: float) -> Pixels:
        number = max(sum(since <= t for since in changes) - 1, 0)
        picture = slides[number].copy()
        picture[HEIGHT - 150 : HEIGHT - 15, WIDTH - 255 : WIDTH - 15] = _camera(room, t)
        return picture

    return at


def _slide(lines: Sequence[str]) -> Pixels:
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, WIDTH, 14), "#0059a3")
    y = 64
    for number, line in enumerate(lines):
        if not line.isascii() and chinese_font() is None:
            continue
        size = 30 if number else 52
        face = font(size, chinese=not line.isascii())
        draw.text((90, y), line, "#1b1f24", face)
        y += 100 if not number else 56
    return np.asarray(picture)


def _camera(room: Pixels, t: float) -> Pixels:
    """A head that nods before a wall."""
    x, y = int(60 + 40 * np.sin(0.7 * t)), int(40 + 20 * np.sin(1.3 * t))
    picture = Image.fromarray(np.ascontiguousarray(room[y : y + 135, x : x + 240]))
    draw = ImageDraw.Draw(picture)
    middle, top = 120 + 14 * np.sin(1.1 * t), 34 + 6 * np.sin(2.3 * t)
    draw.ellipse((middle - 66, top + 66, middle + 66, top + 190), "#2c3e57")
    draw.ellipse((middle - 28, top, middle + 28, top + 74), "#c99a78")
    return np.asarray(picture)


def encode(path: Path, duration_s: float, picture: Picture, sound: Sound) -> None:
    """H.264 and AAC; one thread, for the same bytes every time."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as out:
        video = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "20"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.thread_count = 1
        audio = out.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 64_000
        for number in range(int(duration_s * FPS)):
            frame = av.VideoFrame.from_ndarray(picture(number / FPS), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
            begin, end = (n * RATE // FPS for n in (number, number + 1))
            block = av.AudioFrame.from_ndarray(sound[None, begin:end], "fltp", "mono")
            block.sample_rate, block.pts = RATE, begin
            out.mux(audio.encode(block))
        out.mux([*video.encode(None), *audio.encode(None)])
