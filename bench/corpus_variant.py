"""A variant of a subtitled file in which neither source is whole, for the join of `corpus.py`.

On a third of the cues, drawn by the seed, the subtitle is painted over; on another third the
sound is silent; and at two moments between cues a sign stands at the top that nobody says. Where a
subtitle stands is found from the truth's times alone: the letters are the bright points of the
lower part that stay for the time of a cue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from corpus_clips import RATE, font
from corpus_metrics import Line

SIGNS = ("PLATFORM 9 CLOSED", "BAKERY OPENS AT NOON")
SIGN_S = 3.0
SIGN_GAP_S = 0.25  # between the cues between which a sign comes
LOWER = 0.6  # of the height: subtitles stand below
BRIGHT = 170  # luma that letters have at least
PARTS = 5  # pictures of a cue that are compared
EDGE_S = 0.08

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""


@dataclass(frozen=True)
class Plan:
    """What becomes of the cues."""

    blanked: tuple[Line, ...]
    muted: tuple[Line, ...]
    signs: tuple[Line, ...]

    def truth(self, cues: Sequence[Line]) -> list[Line]:
        """All that the variant says, one way or the other."""
        return [*cues, *self.signs]


def plan(cues: Sequence[Line], duration_s: float, seed: int) -> Plan:
    """Draw the thirds among the cues that are said, and the moments of the signs."""
    stream = np.random.default_rng([seed, 5])
    said = [one for one in cues if one.said]
    order, third = stream.permutation(len(said)), len(said) // 3
    gaps = [
        (one.t1 + other.t0) / 2
        for one, other in pairwise(cues)
        if other.t0 - one.t1 >= SIGN_GAP_S and other.t0 + SIGN_S < duration_s
    ]
    drawn = stream.choice(len(gaps), len(SIGNS), replace=False)
    begins = sorted(gaps[number] for number in drawn)
    return Plan(
        blanked=tuple(said[number] for number in sorted(order[:third])),
        muted=tuple(said[number] for number in sorted(order[third : 2 * third])),
        signs=tuple(
            Line(begin, begin + SIGN_S, text, said=False)
            for begin, text in zip(begins, SIGNS, strict=True)
        ),
    )


def make_variant(source: Path, path: Path, planned: Plan) -> None:
    """Write the variant; pictures keep their times."""
    boxes = find_boxes(source, planned.blanked)
    with av.open(str(source)) as given, av.open(str(path), "w") as out:
        pictures = given.streams.video[0]
        options = {"preset": "ultrafast", "crf": "20"}
        video = out.add_stream("libx264", rate=pictures.guessed_rate, options=options)
        video.width, video.height, video.pix_fmt = pictures.width, pictures.height, "yuv420p"
        assert pictures.time_base is not None
        video.codec_context.time_base = pictures.time_base
        audio = out.add_stream("aac", rate=RATE, layout="mono")
        resampler = av.AudioResampler("fltp", "mono", RATE)
        for frame in given.decode():
            if isinstance(frame, av.VideoFrame):
                out.mux(video.encode(_changed(frame, planned, boxes)))
            elif isinstance(frame, av.AudioFrame):
                for block in resampler.resample(frame):
                    out.mux(audio.encode(_muted(block, planned)))
        out.mux([*video.encode(None), *audio.encode(None)])


def find_boxes(source: Path, cues: Sequence[Line]) -> dict[Line, Box]:
    """Where each of these cues stands; of one that is not found, where the others stand."""
    found = {cue: _letters_box(_lumas(source, cue)) for cue in cues}
    known = np.array([box for box in found.values() if box])
    assert len(known), "subtitles that do not stay bright in the lower part of the picture"
    union = (*known[:, :2].min(0), *known[:, 2:].max(0))
    left, top, right, bottom = map(int, union)
    return {cue: box or (left, top, right, bottom) for cue, box in found.items()}


def _lumas(source: Path, cue: Line) -> list[Pixels]:
    wanted = np.linspace(cue.t0, cue.t1, PARTS + 2)[1:-1]
    lumas: list[Pixels] = []
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        container.seek(int(max(cue.t0 - 0.1, 0) / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if frame.time >= wanted[len(lumas)]:
                lumas.append(np.asarray(frame.to_ndarray(format="gray"), np.uint8))
                if len(lumas) == PARTS:
                    break
    return lumas


def _letters_box(lumas: Sequence[Pixels]) -> Box | None:
    """Around what stays bright beside something dark: letters with an outline, or on black."""
    stays = np.min(lumas, axis=0) >= BRIGHT
    dark = np.max(lumas, axis=0) < BRIGHT // 2
    first = int(LOWER * len(stays))
    near = np.zeros_like(stays)
    for step in range(1, 6):
        near[:, step:] |= dark[:, :-step]
        near[:, :-step] |= dark[:, step:]
    letters = (stays & near)[first:]
    rows = np.flatnonzero(letters.sum(1) >= 2)  # noqa: PLR2004 (one point is noise)
    columns = np.flatnonzero(letters.any(0))
    if not len(rows):
        return None
    height, width = stays.shape
    margin = height // 40
    return (
        max(int(columns[0]) - margin, 0),
        max(first + int(rows[0]) - margin, 0),
        min(int(columns[-1]) + margin, width),
        min(first + int(rows[-1]) + margin, height),
    )


def _changed(frame: av.VideoFrame, planned: Plan, boxes: dict[Line, Box]) -> av.VideoFrame:
    """The picture with its subtitle painted over, and with the sign."""
    t = frame.time or 0.0
    cue = next((one for one in planned.blanked if _within(t, one, EDGE_S)), None)
    sign = next((one for one in planned.signs if _within(t, one)), None)
    if cue is None and sign is None:
        return frame.reformat(format="yuv420p")
    picture = np.array(frame.to_ndarray(format="rgb24"), np.uint8)
    if cue is not None:
        _paint_over(picture, boxes[cue])
    if sign is not None:
        picture = _with_sign(picture, sign.text)
    changed = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    changed.pts, changed.time_base = frame.pts, frame.time_base
    return changed


def _within(t: float, one: Line, edge_s: float = 0.0) -> bool:
    return one.t0 - edge_s <= t < one.t1 + edge_s


def _paint_over(picture: Pixels, box: Box) -> None:
    """Each column between what stands above the box and what stands below it."""
    left, top, right, bottom = box
    above = picture[max(top - 4, 0) : top, left:right].mean(0)
    below = picture[bottom : bottom + 4, left:right].mean(0) if bottom < len(picture) else above
    part = np.linspace(0, 1, bottom - top)[:, None, None]
    picture[top:bottom, left:right] = (above + (below - above) * part).round()


def _with_sign(picture: Pixels, text: str) -> Pixels:
    height, width = picture.shape[:2]
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    face, middle = font(height // 16), (width // 2, height // 7)
    left, top, right, bottom = draw.textbbox(middle, text, face, "mm")
    margin = height // 40
    board = (left - margin, top - margin, right + margin, bottom + margin)
    draw.rectangle(board, "#f2c230", "#222222", width=3)
    draw.text(middle, text, "#111111", face, "mm")
    return np.asarray(image)


def _muted(block: av.AudioFrame, planned: Plan) -> av.AudioFrame:
    sound = np.array(block.to_ndarray(), np.float32)
    t = (block.time or 0.0) + np.arange(sound.shape[1]) / RATE
    for cue in planned.muted:
        sound[:, (t >= cue.t0) & (t < cue.t1)] = 0
    silent = av.AudioFrame.from_ndarray(sound, "fltp", "mono")
    silent.sample_rate, silent.pts, silent.time_base = RATE, block.pts, block.time_base
    return silent
