"""Lines of text found on the screen, followed and read."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from zhufeng.corpus._parts import ScreenLine
from zhufeng.corpus.screen._field import Field
from zhufeng.corpus.screen._rect import Rect, around
from zhufeng.corpus.screen._rows import rows
from zhufeng.corpus.screen._strokes import halvings, reduced
from zhufeng.corpus.screen._track import Line

if TYPE_CHECKING:
    from zhufeng.corpus.screen._reader import Reader, Reading
    from zhufeng.corpus.screen._strokes import Luma
    from zhufeng.corpus.screen._track import Shown

# Around what calls for a look, in pixels of the reduced picture.
_MARGIN_X, _MARGIN_Y = 24, 14
# Looked at in one go if the calls cover so much of what is around all of them.
_TOGETHER = 0.4
# Share of a box's strokes that must stand for it to be text and not a thing that passes.
_STANDING = 0.3
_LEAST_STROKES = 12
# Boxes with so much in common are of the same line.
_SAME = 0.5
_AS_WIDE = 0.85
# Boxes less high than this, as the detector sees them, call for a closer look at still pictures.
_SMALL = 18
# A line read with less confidence is read once more, when it has stood for longer.
_DOUBTFUL = 0.85
_READ_AGAIN_S = 0.6
# Text found again where the same text ended so short a time ago has never been away.
_BLINK_S = 0.2
_RECENT_S = 1.5
# Mean levels of luma between crops of a line that tell a moving picture behind it.
_MOVES = 3.0
# A picture is still if no more of it than this changes from sample to sample.
_STILL = 0.05
_SETTLED = 2


class Text:
    """The lines on the screen of one stretch of video."""

    def __init__(self, reader: Reader, height: int, width: int) -> None:
        self._reader = reader
        self._whole = Rect(0, 0, width, height)
        self._times = 0
        self._field: Field | None = None
        self._shown: list[Line] = []
        self._gone: list[Line] = []
        self._motion = 0.0
        self._samples = 0
        self._changes: deque[float] = deque([1.0], maxlen=_SETTLED)

    def add(self, ring: Sequence[Shown]) -> None:
        """Take a sample: the last of `ring`, which holds the frames of the last second."""
        t, luma = ring[-1]
        if self._field is None:
            self._times = halvings(luma)
            small = reduced(luma, self._times)
            self._field = Field(*small.shape)
        else:
            small = reduced(luma, self._times)
        field = self._field
        field.add(t, small)
        self._changes.append(float(field.changed.mean()))
        self._samples += 1
        self._motion += self._changes[-1]
        self._follow(field, ring)
        calls = field.calls()
        if calls:
            doubted = [line for line in self._shown if line.doubted(t) and _within(line, calls)]
            for where in self._looks(field, t, calls):
                self._look(field, ring, where, doubted)
        self._read_again(ring)

    def lines(self, end: float) -> tuple[ScreenLine, ...]:
        """All lines; those still shown last until `end`."""
        for line in list(self._shown):
            line.t1 = end
            self._end(line)
        found = [self._told(line) for line in self._gone if self._is_text(line)]
        return tuple(sorted(found, key=lambda one: (one.t0, one.bbox[1], one.bbox[0], one.text)))

    def _follow(self, field: Field, ring: Sequence[Shown]) -> None:
        t = ring[-1][0]
        calm = not field.changed.any() and not field.judged
        if calm and not any(line.missed for line in self._shown):
            for line in self._shown:
                line.last_seen = t
            return
        for line in list(self._shown):
            changes = field.changes(line.small)
            line.stirred |= changes
            holds = line.holds(line.small.of(field.now)) if changes or line.missed else True
            if holds and not changes and field.judged:
                holds = not line.grew(line.small.of(field.standing))
            line.missed = 0 if holds else line.missed + 1
            if holds:
                line.last_seen = t
            elif line.lost:
                line.t1 = line.vanished(ring, self._times)
                self._end(line)
                field.forget(line.small)

    def _end(self, line: Line) -> None:
        motion, samples = line.since
        line.static = self._motion - motion < _STILL * max(1, self._samples - samples)
        self._shown.remove(line)
        self._gone.append(line)

    def _looks(self, field: Field, t: float, calls: Sequence[Rect]) -> list[Rect]:
        """Parts of the reduced picture to look at, for calls from it."""
        lines = [*self._shown, *(line for line in self._gone if line.t1 > t - _RECENT_S)]
        parts = []
        for call in calls:
            part = call.grown(_MARGIN_X, _MARGIN_Y, field.bounds)
            for line in lines:
                if part.common(line.small).area:
                    part = part.union(line.small.grown(4, 4, field.bounds))
            parts.append(part)
        whole = around(parts)
        if sum(part.area for part in parts) >= _TOGETHER * whole.area:
            return [whole]
        return _apart(parts)

    def _look(
        self, field: Field, ring: Sequence[Shown], where: Rect, doubted: Sequence[Line]
    ) -> None:
        boxes = self._detect(ring[-1][1], where)
        cut = [box for box in boxes if _cut(box, where, field.bounds, self._times)]
        if cut:
            for box in cut:
                small = box.scaled(0.5**self._times, field.bounds)
                where = where.union(small.grown(4 * small.height, 4, field.bounds))
            boxes = self._detect(ring[-1][1], where)
        lines = []
        known = False
        for box in boxes:
            small = box.scaled(0.5**self._times, field.bounds)
            if self._known(box, doubted):
                known = True
            elif _stands(field, small):
                lines.append(Line(box, small, field.standing))
        for line in lines:
            self._date(line, ring)
        for line, reading in zip(lines, self._read(lines, ring), strict=True):
            line.reading = reading
            line.reads = 1
            line.read_at = ring[-1][0]
            self._begin(line, ring[-1][0])
            known |= self._is_text(line)
        field.explain(where, text=known)

    def _detect(self, luma: Luma, where: Rect) -> list[Rect]:
        """Lines in a part of the reduced picture, in pixels of the picture."""
        full = Rect(*(side << self._times for side in where)).common(self._whole)
        config = self._reader.config
        if max(self._changes) >= _STILL:
            return rows(self._detect_at(luma, full, config.detect_px))
        found = self._detect_at(luma, full, config.detect_still_px)
        scale = config.detect_still_px / max(self._whole.width, self._whole.height)
        small = [box for box in found if box.height * scale < _SMALL]
        if not small or config.detect_small_px <= config.detect_still_px:
            return rows(found)
        dense = around(small)
        dense = dense.grown(2 * small[0].height, 2 * small[0].height, full)
        others = [box for box in found if 2 * box.common(dense).area < box.area]
        return rows([*others, *self._detect_at(luma, dense, config.detect_small_px)])

    def _detect_at(self, luma: Luma, where: Rect, long_side: int) -> list[Rect]:
        scale = min(1.0, long_side / max(self._whole.width, self._whole.height))
        return [box.moved(where.x0, where.y0) for box in self._reader.detect(where.of(luma), scale)]

    def _read(self, lines: Sequence[Line], ring: Sequence[Shown]) -> list[Reading]:
        assert self._field is not None
        since = self._field.stands_since
        margins = [self._reader.margin(line.box) for line in lines]
        boxes = [
            line.box.grown(0, margin, self._whole)
            for line, margin in zip(lines, margins, strict=True)
        ]
        return self._reader.read([_crop(box, ring, since) for box in boxes])

    def _known(self, box: Rect, doubted: Sequence[Line]) -> bool:
        return any(
            line.overlap(box) > _SAME
            and not line.missed
            and line not in doubted
            and _AS_WIDE < line.box.width / box.width < 1 / _AS_WIDE
            for line in self._shown
        )

    def _others(self, line: Line, t: float) -> tuple[list[Line], list[Line]]:
        """Lines at the place of `line`: those still shown, and those that have just gone."""
        shown = [other for other in self._shown if other.overlap(line.box) > _SAME]
        gone = [
            other
            for other in self._gone
            if other.t1 > t - _RECENT_S and other.overlap(line.box) > _SAME
        ]
        return shown, gone

    def _date(self, line: Line, ring: Sequence[Shown]) -> None:
        t = ring[-1][0]
        shown, gone = self._others(line, t)
        line.t0 = line.appeared(ring, self._times, [*shown, *gone])
        line.last_seen = t
        line.since = (self._motion, self._samples)

    def _begin(self, line: Line, t: float) -> None:
        """Show a line that has been read, in place of those that it overwrites or continues."""
        shown, gone = self._others(line, t)
        for other in shown:
            other.t1 = other.last_seen
            self._end(other)
        for other in [*shown, *gone]:
            if line.t0 - other.t1 <= _BLINK_S and _same(line, other):
                line.continues(other)
                self._gone.remove(other)
            else:
                other.t1 = max(other.t0, min(other.t1, line.t0))
        self._shown.append(line)

    def _read_again(self, ring: Sequence[Shown]) -> None:
        t = ring[-1][0]
        for line in self._shown:
            doubtful = line.reading.conf < _DOUBTFUL and line.reads == 1 and line.stirred
            if doubtful and t > line.t0 + _READ_AGAIN_S:
                line.reads += 1
                again = self._read([line], ring)[0]
                if again.conf > line.reading.conf:
                    line.reading = again

    def _is_text(self, line: Line) -> bool:
        said = any(character.isalnum() for character in line.reading.text)
        return said and line.reading.conf >= self._reader.config.min_conf

    def _told(self, line: Line) -> ScreenLine:
        width, height = self._whole.width, self._whole.height
        return ScreenLine(
            t0=round(line.t0, 3),
            t1=round(line.t1, 3),
            text=line.reading.text,
            conf=line.reading.conf,
            bbox=(
                round(line.box.x0 / width, 4),
                round(line.box.y0 / height, 4),
                round(line.box.x1 / width, 4),
                round(line.box.y1 / height, 4),
            ),
            static=line.static,
        )


def _stands(field: Field, small: Rect) -> bool:
    standing = np.count_nonzero(small.of(field.standing))
    return standing >= max(_LEAST_STROKES, _STANDING * np.count_nonzero(small.of(field.now)))


def _within(line: Line, calls: Sequence[Rect]) -> bool:
    """Whether what is new is at the line's place."""
    return any(2 * call.common(line.small).area > call.area for call in calls)


def _cut(box: Rect, where: Rect, bounds: Rect, times: int) -> bool:
    """Whether a box, in pixels of the picture, goes on outside what was looked at."""
    near = 2 << times
    left = where.x0 > bounds.x0 and box.x0 <= (where.x0 << times) + near
    right = where.x1 < bounds.x1 and box.x1 >= (where.x1 << times) - near
    return left or right


def _same(line: Line, other: Line) -> bool:
    """Whether two readings at a place are of one text: but for spaces, marks and capitals."""
    return _plain(line.reading.text) == _plain(other.reading.text)


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _crop(box: Rect, ring: Sequence[Shown], since: float) -> Luma:
    """A line's picture; over a moving one the darkest of each pixel, which leaves the text.

    Text over moving pictures is bright, or bright around.
    """
    crops = [box.of(luma) for t, luma in ring if t >= since]
    last = crops[-1]
    if len(crops) > 1 and cv2.norm(last, crops[0], cv2.NORM_L1) > _MOVES * last.size:
        return np.minimum.reduce(crops)
    return last


def _apart(parts: Sequence[Rect]) -> list[Rect]:
    """The parts, those that overlap made one."""
    left: list[Rect] = []
    for part in parts:
        touching = [other for other in left if part.common(other).area]
        for other in touching:
            left.remove(other)
            part = part.union(other)
        left.append(part)
    return left if len(left) == len(parts) else _apart(left)
