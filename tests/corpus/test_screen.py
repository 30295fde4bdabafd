"""On-screen text and shots, against what the tests draw themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from tests.corpus.screen_clips import (
    WHITE,
    YELLOW,
    Cue,
    chinese_font,
    drawn,
    film,
    font,
    scenery,
    slid,
    write,
)
from zhufeng.base import parse
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Media, ScreenLine, Span, Watched
from zhufeng.corpus.screen import Reader, ScreenConfig, screen_hashes, watch
from zhufeng.corpus.screen._models import Model, denormals_as_zero, model_file
from zhufeng.corpus.screen._rect import Rect
from zhufeng.corpus.screen._rows import rows
from zhufeng.corpus.screen._shots import Shots
from zhufeng.corpus.screen._strokes import BRIGHT, DARK, strokes, strokes_within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

SHARED = Path(__file__).parents[3] / "shared" / "data" / "corpus"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(ScreenConfig())


def watched(path: Path, reader: Reader, t0: float = 0.0, t1: float | None = None) -> Watched:
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        seconds = float((stream.duration or 0) * (stream.time_base or 0))
        media = Media(
            container="mp4",
            codecs=("h264",),
            duration_s=seconds,
            video=True,
            audio=False,
            width=stream.width,
            height=stream.height,
            fps=float(stream.average_rate or 0),
        )
    return watch(path, media, Span(t0=t0, t1=seconds if t1 is None else t1), reader, Meter())


def edits(a: str, b: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


def judged(cues: Sequence[Cue], lines: Sequence[ScreenLine]) -> tuple[float, int, list[float]]:
    """Character error, lines missed, and by how much each line's start is off.

    A line of a cue is what overlaps it in time and is nearest to it in text; it is missed if
    half of its characters are wrong.
    """
    wrong = characters = missed = 0
    late = []
    for cue in cues:
        for text in cue.text.split("\n"):
            found = [one for one in lines if min(one.t1, cue.t1) > max(one.t0, cue.t0)]
            best = min(
                found,
                key=lambda one: (edits(text, one.text), abs(one.t0 - cue.t0)),
                default=None,
            )
            distance = len(text) if best is None else min(len(text), edits(text, best.text))
            wrong, characters = wrong + distance, characters + len(text)
            if best is None or 2 * distance >= len(text):
                missed += 1
            else:
                late.append(abs(best.t0 - cue.t0))
    return wrong / characters, missed, late


FILM = (
    Cue(0.5, 1.5, "Where are we going?"),
    Cue(1.5, 2.2, "To the harbour"),
    Cue(2.24, 3.2, "This is line 1"),
    Cue(3.2, 4.2, "This is line 2"),
    Cue(4.7, 6.0, "Two lines of text that\nstand over one another"),
    Cue(6.3, 7.2, "I told you so."),
    Cue(7.7, 8.6, "I told you so."),
)


def test_subtitles_over_a_moving_picture(tmp_path: Path, reader: Reader) -> None:
    film(tmp_path / "f.mp4", FILM, 9, seed=3, height=360, width=640, size=26, speed=70)
    seen = watched(tmp_path / "f.mp4", reader)
    error, missed, late = judged(FILM, seen.lines)
    assert missed == 0
    assert error <= 0.01
    assert np.median(late) <= 0.1
    assert max(late) <= 0.4
    # Each cue is told apart from the next, however alike they are.
    for text, times in (("This is line 1", 1), ("This is line 2", 1), ("I told you so.", 2)):
        assert [one.text for one in seen.lines].count(text) == times
    assert not any(one.static for one in seen.lines if len(one.text) > 5)
    for one in seen.lines:
        assert one.text not in FILM[0].text or abs((one.bbox[0] + one.bbox[2]) / 2 - 0.5) < 0.02


def test_chinese_and_yellow_at_the_top(tmp_path: Path, reader: Reader) -> None:
    if chinese_font() is None:
        pytest.skip("no font with Chinese letters")
    cues = (
        Cue(0.4, 1.6, "第一个问题是什么"),
        Cue(1.6, 2.8, "第二个问题是什么"),
        Cue(2.84, 3.6, "使用 GPU 训练模型"),
    )
    film(
        tmp_path / "f.mp4",
        cues,
        4,
        seed=5,
        height=360,
        width=640,
        size=26,
        speed=70,
        chinese=True,
        top=True,
        colour=YELLOW,
    )
    # The recogniser tells no space beside Chinese.
    close = [Cue(cue.t0, cue.t1, cue.text.replace(" ", "")) for cue in cues]
    error, missed, late = judged(close, watched(tmp_path / "f.mp4", reader).lines)
    assert missed == 0
    assert error <= 0.01
    assert np.median(late) <= 0.1


def slide(title: str, bullets: Sequence[str], note: str) -> Picture:
    picture: Picture = np.full((720, 1280, 3), 248, np.uint8)
    picture = write(picture, title, (640, 70), font(44, bold=True), colour=(20, 20, 90))
    for number, bullet in enumerate(bullets):
        place = (100, 170 + 70 * number)
        picture = write(picture, bullet, place, font(30), colour=(30, 30, 30), anchor="lm")
    return write(picture, note, (100, 660), font(16), colour=(70, 70, 70), anchor="lm")


def test_slides_that_build_up_beside_a_camera(tmp_path: Path, reader: Reader) -> None:
    first = [
        slide("What it takes", points, "Figures of March 2024, rounded to 5%")
        for points in (
            ("Hours of public video",),
            ("Hours of public video", "One careful measurement"),
        )
    ]
    second = slide(
        "What it costs", ("Decoding takes an eighth", "Speech the rest"), "Rehearsed twice"
    )
    camera = scenery(9, 300, 400)

    def draw(t: float) -> Picture:
        share = min(1.0, max(0.0, (t - 5) / 0.6))
        before = first[int(t >= 2)]
        picture = (before * (1 - share) + second * share).astype(np.uint8)
        picture[540:700, 1040:1260] = slid(
            camera, 160, 220, 60 + 40 * np.sin(3 * t), 60 + 30 * np.cos(4 * t)
        )
        x, y = int(400 + 300 * np.sin(t)), int(420 + 60 * np.cos(t))
        picture[y : y + 14, x : x + 8] = 0
        return picture

    drawn(tmp_path / "s.mp4", draw, 8, fps=8)
    seen = watched(tmp_path / "s.mp4", reader)
    truth = {
        "What it takes": (0.0, 5.3),
        "Hours of public video": (0.0, 5.3),
        "One careful measurement": (2.0, 5.3),
        "Figures of March 2024, rounded to 5%": (0.0, 5.3),
        "What it costs": (5.3, 8.0),
        "Decoding takes an eighth": (5.3, 8.0),
        "Speech the rest": (5.3, 8.0),
        "Rehearsed twice": (5.3, 8.0),
    }
    found = {one.text: one for one in seen.lines}
    assert found.keys() == truth.keys()
    for text, (t0, t1) in truth.items():
        assert found[text].t0 == pytest.approx(t0, abs=0.5)
        assert found[text].t1 == pytest.approx(t1, abs=0.5)
        assert found[text].static
    # A line is not read anew when another comes under it, and a dissolve is one change of shot.
    assert found["One careful measurement"].t0 == pytest.approx(2, abs=0.1)
    assert len(seen.shots) == 2
    assert seen.shots[1][0] == pytest.approx(5.3, abs=0.4)


def test_credits_that_roll(tmp_path: Path, reader: Reader) -> None:
    names = ("Directed by", "Maria Gonzalez", "Edited by", "Jon Whitfield", "Music", "Aiko Tanaka")
    paper: Picture = np.zeros((720 + 45 * len(names), 640, 3), np.uint8)
    for number, name in enumerate(names):
        paper = write(paper, name, (320, 400 + 45 * number), font(26), colour=WHITE)
    speed = 60
    seconds = (len(paper) - 360) / speed
    drawn(tmp_path / "c.mp4", lambda t: paper[int(speed * t) :][:360], seconds, fps=24)
    lines = watched(tmp_path / "c.mp4", reader).lines
    assert [one.text for one in lines] == list(names)
    for number, one in enumerate(lines):
        # From when the middle of the line comes in at the lower end until it goes at the upper.
        assert one.t0 == pytest.approx((40 + 45 * number) / speed, abs=0.6)
        assert one.t1 == pytest.approx((400 + 45 * number) / speed, abs=0.8)


def test_a_slide_may_be_one_frame_only(tmp_path: Path, reader: Reader) -> None:
    with av.open(str(tmp_path / "v.mp4"), "w") as file:
        stream: Any = file.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for second, text in (
            (0, "One frame"),
            (4, "Another frame"),
            (9, "The last frame"),
            (12, "The last frame"),
        ):
            blank: Picture = np.full((360, 640, 3), 240, np.uint8)
            picture = write(blank, text, (320, 180), font(36), colour=(10, 10, 10))
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = 30 * second
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    lines = watched(tmp_path / "v.mp4", reader).lines
    assert [(one.text, one.static) for one in lines] == [
        ("One frame", True),
        ("Another frame", True),
        ("The last frame", True),
    ]
    assert [round(one.t0) for one in lines] == [0, 4, 9]


def test_spans_and_runs_agree(tmp_path: Path, reader: Reader) -> None:
    cues = (Cue(0.5, 2.5, "Before the border"), Cue(3.0, 4.6, "Over the border"))
    film(tmp_path / "f.mp4", cues, 5, seed=8, height=240, width=426, size=22, speed=50)
    whole = watched(tmp_path / "f.mp4", reader)
    assert whole == watched(tmp_path / "f.mp4", reader)
    parts = [watched(tmp_path / "f.mp4", reader, t0, t1) for t0, t1 in ((0.0, 3.8), (3.8, 5.0))]
    text = [[one.text for one in part.lines] for part in parts]
    assert text == [["Before the border", "Over the border"], ["Over the border"]]
    assert parts[0].shots[-1][1] == pytest.approx(3.8, abs=0.1)
    assert parts[1].shots[0][0] == 3.8
    assert all(one.t0 >= 3.8 for one in parts[1].lines)


def test_sound_alone_shows_nothing(reader: Reader) -> None:
    media = Media(container="wav", codecs=("pcm",), duration_s=3, video=False, audio=True)
    seen = watch(Path("none.wav"), media, Span(t0=0, t1=3), reader, Meter())
    assert seen == Watched()


@pytest.mark.parametrize("size", [(16, 16), (50, 34), (360, 202), (90, 640)])
def test_pictures_of_any_size(tmp_path: Path, reader: Reader, size: tuple[int, int]) -> None:
    height, width = size
    view = scenery(1, height + 40, width + 40)
    drawn(tmp_path / "x.mp4", lambda t: slid(view, height, width, 10 * t, 5), 1, fps=12)
    seen = watched(tmp_path / "x.mp4", reader)
    assert seen.problems == ()
    assert seen.shots[0][0] == 0


class Scenes:
    """Feeds `Shots` with pictures that are drawn."""

    def __init__(self, fps: float = 12) -> None:
        self.shots = Shots(0.0)
        self.number = 0
        self.fps = fps

    def show(self, pictures: Sequence[NDArray[Any]]) -> float:
        """When the first of the pictures was shown."""
        begin = self.number / self.fps
        for picture in pictures:
            self.shots.add(self.number / self.fps, picture.astype(np.uint8))
            self.number += 1
        return begin

    def begins(self) -> list[float]:
        return [begin for begin, _ in self.shots.shots(self.number / self.fps)]


def moving(seed: int, count: int, speed: float = 6) -> list[NDArray[np.uint8]]:
    view = scenery(seed, 400, 640 + int(speed * count) + 20)
    return [slid(view, 360, 640, 5 + speed * number, 10)[:, :, 1] for number in range(count)]


def test_cuts_are_found_and_flashes_are_not() -> None:
    scenes = Scenes()
    scenes.show(moving(1, 30))
    cut = scenes.show(moving(2, 30))
    flashed = moving(3, 40)
    flashed[20:22] = [np.full_like(flashed[0], 250)] * 2
    second = scenes.show(flashed)
    begins = [begin for begin in scenes.begins() if abs(begin - second - 20 / 12) > 0.2]
    assert begins == pytest.approx([0, cut, second], abs=0.01)
    assert len(scenes.begins()) == 3


@pytest.mark.parametrize("fps", [0.5, 1, 2, 3])
def test_cuts_are_found_among_few_frames(fps: float) -> None:
    scenes = Scenes(fps)
    scenes.show(moving(1, 8, 3))
    cut = scenes.show(moving(2, 8, 3))
    assert scenes.begins() == pytest.approx([0, cut], abs=0.01)


def test_a_fade_through_black_is_one_change() -> None:
    scenes = Scenes()
    first, second = moving(4, 40), moving(5, 40)
    fading = np.concatenate((np.ones(30), np.linspace(1, 0, 10)))
    scenes.show([picture * share for picture, share in zip(first, fading, strict=True)])
    black = scenes.show([np.zeros((360, 640))] * 5)
    scenes.show([picture * share for picture, share in zip(second, fading[::-1], strict=True)])
    begins = scenes.begins()
    assert len(begins) == 2
    assert begins[1] == pytest.approx(black + 0.4, abs=0.3)


def test_what_is_added_to_a_slide_begins_no_shot() -> None:
    points = ("Hours of public video", "One careful measurement", "A night of patience")
    built = [slide("What it takes", points[: 1 + n], "Rehearsed twice")[:, :, 1] for n in range(3)]
    other = slide("Questions?", ("Write to us",), "Thank you")[:, :, 1]
    scenes = Scenes()
    for one in built:
        scenes.show([one] * 24)
    begin = scenes.show([other] * 24)
    assert scenes.begins() == pytest.approx([0, begin], abs=0.1)


def hats(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Strokes by their definition: morphology with a square of 9, windows cut at the border."""
    values = picture.astype(int)

    def over(source: NDArray[Any], worst: int, choose: Any) -> NDArray[Any]:
        padded = np.pad(source, 4, constant_values=worst)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9))
        return np.asarray(choose(windows, axis=(2, 3)))

    low, high = over(values, 999, np.min), over(values, -999, np.max)
    opened, closed = over(low, -999, np.max), over(high, 999, np.min)
    margin = np.rint(0.6 * (high - low))
    bright = (values > np.minimum(opened + 24, 255)) & (values > np.minimum(low + margin, 255))
    dark = (values < np.maximum(closed - 24, 0)) & (values < high - margin)
    return np.asarray(BRIGHT * bright + DARK * dark, np.uint8)


def test_strokes_are_what_morphology_says() -> None:
    picture = scenery(6, 64, 90)[:, :, 1]
    picture = write(np.dstack([picture] * 3), "Strokes", (45, 30), font(18), outline=1)[:, :, 0]
    found = strokes(picture)
    assert np.array_equal(found, hats(picture))
    assert set(np.unique(found)) == {0, BRIGHT, DARK}
    where = Rect(20, 15, 60, 50)
    assert np.array_equal(strokes_within(picture, 0, where), where.of(found))


def test_pieces_of_a_line_are_joined_and_columns_are_not() -> None:
    line = [Rect(0, 10, 100, 40), Rect(101, 12, 180, 41)]
    column = Rect(230, 10, 300, 40)
    below = Rect(0, 45, 100, 75)
    large = Rect(182, 0, 300, 90)
    assert rows([column, below, *line]) == [Rect(0, 10, 180, 41), column, below]
    assert rows([*line, large]) == [large, Rect(0, 10, 180, 41)]


def test_models_are_known_by_their_bytes() -> None:
    hashes = screen_hashes(ScreenConfig())
    assert len(hashes) == 2
    for name, digest in hashes.items():
        assert digest == hashlib.sha256(model_file(name).read_bytes()).hexdigest()


def test_denormals_are_zero_within_the_block_alone() -> None:
    tiny = np.float32(1e-38)
    with denormals_as_zero():
        inside = tiny * np.float32(0.1)
    outside = tiny * np.float32(0.1)
    assert outside > 0
    # Where the processor cannot be told, it is as before.
    assert inside in {0, outside}


def test_the_configuration_is_checked() -> None:
    assert parse(ScreenConfig, {"min_conf": 0.7}, "f").min_conf == 0.7


@pytest.mark.soak
def test_lines_are_read_as_rapidocr_reads_them(reader: Reader) -> None:
    """Of its whole chain only the models are ours: both must read a page alike."""
    from rapidocr import RapidOCR

    page = slide("What it takes", ("Hours of public video", "2,417 files"), "Rounded to 5%")
    theirs: Any = RapidOCR(params={"Global.log_level": "error"})(page, True, False, True)
    luma = (16 + page.mean(2) * 219 / 255).astype(np.uint8)
    ours = reader.read([box.of(luma) for box in rows(reader.detect(luma, 1.0))])
    assert {one.text for one in ours} == set(theirs.txts)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("speed", [15, 120, 220])
def test_many_films(tmp_path: Path, reader: Reader, seed: int, speed: float) -> None:
    top = bool(seed % 2)
    colour = YELLOW if seed > 1 else WHITE
    film(tmp_path / "f.mp4", FILM, 9, seed=seed, speed=speed, top=top, colour=colour, logo="N24")
    error, missed, late = judged(FILM, watched(tmp_path / "f.mp4", reader).lines)
    assert missed == 0
    assert error <= 0.03
    assert np.median(late) <= 0.1


@pytest.mark.soak
def test_the_film_with_known_subtitles(reader: Reader) -> None:
    if not (SHARED / "synth_subs.json").exists():
        pytest.skip(f"no {SHARED}/synth_subs.json")
    told = json.loads((SHARED / "synth_subs.json").read_text())["cues"]
    cues = [Cue(t0, t1, text) for t0, t1, text, _ in told]
    error, missed, late = judged(cues, watched(SHARED / "synth_subs.mp4", reader).lines)
    assert missed == 0
    assert error <= 0.01
    assert np.median(late) <= 0.1


@pytest.mark.soak
def test_a_model_gives_the_same_whoever_came_first() -> None:
    """Denormals are flushed by us, not by a session option that only a first session has."""
    values = np.random.default_rng(0).uniform(-1, 1, (1, 3, 64, 320)).astype(np.float32)
    name = "PP-OCRv6_det_small.onnx"
    first, second = Model(name, "cpu"), Model(name, "cpu")
    assert np.array_equal(first(values), second(values))
