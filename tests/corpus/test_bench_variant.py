"""The bench's variant of a subtitled clip: what is painted over, silenced and shown."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import corpus_clips
import corpus_variant
from corpus_clips import RATE, encode, font
from corpus_metrics import Line
from corpus_variant import Plan, find_boxes, make_variant, plan

WIDTH, HEIGHT = 640, 360
SIZE, PLACE = 20, (WIDTH // 2, HEIGHT - 30)
CUES = (
    Line(0.3, 1.0, "the first line"),
    Line(1.4, 2.0, "a second one"),
    Line(2.4, 3.0, "and a third"),
    Line(3.4, 3.8, "what nobody says", said=False),
)
DURATION_S = 4.2
TEXT_ROWS = slice(HEIGHT - 45, HEIGHT - 15)


def _picture(t: float) -> NDArray[np.uint8]:
    ramp = np.linspace(40, 110, WIDTH).astype(np.uint8)
    picture = Image.fromarray(np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3)).copy())
    draw = ImageDraw.Draw(picture)
    for cue in CUES:
        if cue.t0 <= t < cue.t1:
            face = font(SIZE)
            draw.text(PLACE, cue.text, "white", face, "mm", stroke_width=2, stroke_fill="black")
    return np.asarray(picture)


@dataclass(frozen=True)
class Made:
    planned: Plan
    source: Path
    lumas: list[NDArray[np.uint8]]
    sound: NDArray[np.float32]

    def luma(self, one: Line) -> NDArray[np.uint8]:
        """In the middle of a cue."""
        return self.lumas[round((one.t0 + one.t1) / 2 * 25)]

    def level(self, one: Line) -> float:
        middle = self.sound[round((one.t0 + 0.1) * RATE) : round((one.t1 - 0.1) * RATE)]
        return float(np.abs(middle).mean())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("variant")
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(round(DURATION_S * RATE)) / RATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_clips, "WIDTH", WIDTH)
        patch.setattr(corpus_clips, "HEIGHT", HEIGHT)
        encode(folder / "film.mp4", DURATION_S, _picture, tone.astype(np.float32))
        patch.setattr(corpus_variant, "SIGN_S", 0.4)
        planned = plan(CUES, DURATION_S, seed=1)
    make_variant(folder / "film.mp4", folder / "variant.mp4", planned)
    with av.open(str(folder / "variant.mp4")) as container:
        lumas = [
            np.asarray(f.to_ndarray(format="gray"), np.uint8) for f in container.decode(video=0)
        ]
    with av.open(str(folder / "variant.mp4")) as container:
        blocks = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return Made(planned, folder / "film.mp4", lumas, np.concatenate(blocks).astype(np.float32))


def test_the_thirds_are_apart_and_of_what_is_said(made: Made) -> None:
    blanked, muted = made.planned.blanked, made.planned.muted
    assert (len(blanked), len(muted)) == (1, 1)
    assert not set(blanked) & set(muted)
    assert all(one.said for one in (*blanked, *muted))


def test_signs_come_between_cues(made: Made) -> None:
    assert len({one.text for one in made.planned.signs}) == 2
    for sign in made.planned.signs:
        assert not any(cue.t0 <= sign.t0 < cue.t1 for cue in CUES)


def test_the_box_is_where_the_letters_are(made: Made) -> None:
    box = find_boxes(made.source, CUES[:1])[CUES[0]]
    drawn = ImageDraw.Draw(Image.new("L", (WIDTH, HEIGHT)))
    letters = drawn.textbbox(PLACE, CUES[0].text, font(SIZE), "mm")
    margin = HEIGHT // 40 + 8
    assert all(abs(a - b) <= margin for a, b in zip(box, letters, strict=True))
    assert box[0] <= letters[0]
    assert box[1] <= letters[1]
    assert box[2] >= letters[2]
    assert box[3] >= letters[3]


def test_the_subtitle_is_gone_from_the_blanked_third_alone(made: Made) -> None:
    for cue in CUES:
        brightest = made.luma(cue)[TEXT_ROWS].max()
        assert (brightest < 130) == (cue in made.planned.blanked), cue


def test_the_blanked_picture_goes_on_as_around_it(made: Made) -> None:
    luma = made.luma(made.planned.blanked[0]).astype(int)
    assert np.abs(luma[HEIGHT - 30] - luma[HEIGHT // 2]).max() < 12


def test_the_sound_is_gone_from_the_muted_third_alone(made: Made) -> None:
    for cue in CUES:
        assert (made.level(cue) < 0.01) == (cue in made.planned.muted), cue


def test_signs_stand_at_the_top_for_their_time(made: Made) -> None:
    top = slice(HEIGHT // 12, HEIGHT // 5)
    for sign in made.planned.signs:
        assert made.luma(sign)[top].max() > 150
        assert made.lumas[round((sign.t0 - 0.12) * 25)][top].max() < 130
        assert made.lumas[round((sign.t1 + 0.12) * 25)][top].max() < 130


def test_pictures_keep_their_number(made: Made) -> None:
    assert len(made.lumas) == int(DURATION_S * 25)
