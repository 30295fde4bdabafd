"""Lines of text on the screen: found, read, followed until they go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from zhufeng.corpus._parts import ScreenLine
from zhufeng.corpus.screen._field import Field
from zhufeng.corpus.screen._looking import Looker
from zhufeng.corpus.screen._rect import Rect
from zhufeng.corpus.screen._scroll import Scroll
from zhufeng.corpus.screen._strokes import halvings, reduced
from zhufeng.corpus.screen._track import Line

if TYPE_CHECKING:
    from zhufeng.corpus.screen._reader import Reader, Reading
    from zhufeng.corpus.screen._strokes import Luma
    from zhufeng.corpus.screen._track import Shown

# Share of a box's strokes that must stand for it to be text and not a thing that passes.
_STANDING = 0.3
_LEAST_STROKES = 12
# Boxes with so much in common, and about as wide, are of the same line.
_SAME = 0.5
_AS_WIDE = 0.85
# Of a line's strokes when it was found, those that must be there when it is read.
_STAYS = 0.6
# Text that is fading in or being typed has so many times the strokes it had at the last sample;
# it is waited for, but not for ever. So is text whose strokes change their shade: one picture
# dissolves into another.
_GROWS = 1.3
_FADES = 3
_WAITS = 12
# A line read with less confidence is read once more, when it has stood for longer.
_DOUBTFUL = 0.85
_READ_AGAIN_S = 0.6
# Text found again where the same text ended so short a time ago has never been away.
_BLINK_S = 0.2
_RECENT_S = 1.5
# Mean levels of luma between crops of a line that tell a moving picture behind it.
_MOVES = 3.0
# A picture is still if no more of it than this changes from sample to sample: a speaker in a
# corner of a slide may move.
_STILL = 0.15
_SETTLED = 2


class Text:
    """The lines on the screen of one stretch of video."""

    def __init__(self, reader: Reader, luma: Luma) -> None:
        """`luma` is any picture of the stretch."""
        height, width = luma.shape
        self._reader = reader
        self._whole = Rect(0, 0, width, height)
        self._times = halvings(luma)
        self._looker = Looker(reader, self._whole, self._times)
        self._field = Field(height >> self._times, width >> self._times)
        self._scroll = Scroll(self._whole, self._times)
        self._smalls: deque[Luma] = deque(maxlen=2)
        self._found: list[Line] = []
        self._shown: list[Line] = []
        self._gone: list[Line] = []
        self._since = self._t = -float("inf")
        self._motion = 0.0
        self._samples = 0
        self._changes: deque[float] = deque([1.0], maxlen=_SETTLED)

    def add(self, ring: Sequence[Shown]) -> None:
        """Take a sample: the last of `ring`, which holds the frames of the last second."""
        t, luma = ring[-1]
        self._since, self._t = self._t, t
        small = reduced(luma, self._times)
        self._smalls.append(small)
        self._field.add(t, small)
        self._changes.append(float(self._field.changed.mean()))
        self._samples += 1
        self._motion += self._changes[-1]
        self._follow(ring)
        self._read_found(ring)
        if self._scroll.add(t, self._field):
            self._scroll.look(self._looker.survey(luma), self._read_rolling(luma))
        calls = self._field.calls(still=self._is_still())
        if calls:
            doubted = [line for line in self._shown if line.doubted(t) and line.called(calls)]
            lines = [*self._shown, *self._lately_gone(t)]
            for where in self._looker.parts(calls, [line.small for line in lines]):
                self._look(ring, where, doubted)
        self._read_again(ring)

    def lines(self, ring: Sequence[Shown], begin: float, end: float) -> tuple[ScreenLine, ...]:
        """All lines of the stretch from `begin` to `end`; those still shown last to its end."""
        for line in self._found:
            line.waited = _WAITS
        self._read_found(ring)
        for line in list(self._shown):
            line.t1 = end
            self._end(line)
        found = [
            self._told(line.t0, line.t1, line.reading, line.box, static=line.static)
            for line in self._gone
            if self._is_text(line.reading) and line.t0 < line.t1
        ]
        found += [
            self._told(max(begin, line.t0), min(end, line.t1), line.reading, line.box, static=False)
            for line in self._scroll.lines
            if self._is_text(line.reading)
        ]
        return tuple(sorted(found, key=lambda one: (one.t0, one.bbox[1], one.bbox[0], one.text)))

    def _follow(self, ring: Sequence[Shown]) -> None:
        """See which of the lines are still there."""
        t, field = ring[-1][0], self._field
        calm = not field.changed.any() and not field.judged
        for line in list(self._shown):
            if calm and not line.missed:
                line.last_seen = t
                continue
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

    def _lately_gone(self, t: float) -> list[Line]:
        return [line for line in self._gone if line.t1 > t - _RECENT_S]

    def _look(self, ring: Sequence[Shown], where: Rect, doubted: Sequence[Line]) -> None:
        """Find lines in a part of the reduced picture; they are read at the next sample.

        Until then it shows whether they stay: while one text follows another, what they have in
        common stands too.
        """
        where, boxes = self._looker.look(ring[-1][1], where, still=self._is_still())
        passing = []
        for box in boxes:
            small = self._looker.small(box)
            if self._is_known(box, doubted):
                continue
            if self._stands(small):
                self._found.append(self._line(box, small))
            else:
                passing.append(small)
        self._field.explain(where, text=bool(boxes))
        for small in passing:
            self._field.distrust(small)

    def _line(self, box: Rect, small: Rect) -> Line:
        line = Line(box, small, small.of(self._field.standing))
        line.first = small.of(self._field.now).copy()
        return line

    def _is_still(self) -> bool:
        return max(self._changes) < _STILL

    def _is_known(self, box: Rect, doubted: Sequence[Line]) -> bool:
        return any(
            line.overlap(box) > _SAME
            and not line.missed
            and line not in doubted
            and _AS_WIDE < line.box.width / box.width < 1 / _AS_WIDE
            for line in (*self._shown, *self._found)
        )

    def _stands(self, small: Rect) -> bool:
        standing, now = (
            np.count_nonzero(small.of(found)) for found in (self._field.standing, self._field.now)
        )
        return bool(standing >= max(_LEAST_STROKES, _STANDING * now))

    def _read_found(self, ring: Sequence[Shown]) -> None:
        """Read what was found at the last sample and is still there."""
        staying: list[Line] = []
        waiting: list[Line] = []
        for line in self._found:
            lately = line.small.of(self._field.lately)
            moves = self._field.changes(line.small) and line.passes(self._field.now)
            if moves or line.kept(lately) < _STAYS:
                self._field.distrust(line.small)
                continue
            now = line.redrawn(lately)
            now.waited = line.waited + 1
            now.first = line.small.of(self._field.now).copy()
            comes = now.strokes > _GROWS * line.strokes or self._fades(now)
            (waiting if comes and line.waited < _WAITS else staying).append(now)
        self._found = waiting
        for line, reading in zip(staying, self._read(staying, ring), strict=True):
            line.reading = reading
            line.reads = 1
            self._begin(line, ring)

    def _fades(self, line: Line) -> bool:
        """Whether the strokes of a line are not as bright or dark as at the last sample."""
        before, now = (line.small.of(small).astype(np.int16) for small in self._smalls)
        return float(np.median(np.abs(now - before)[line.mask > 0])) > _FADES

    def _read(self, lines: Sequence[Line], ring: Sequence[Shown]) -> list[Reading]:
        crops = []
        for line in lines:
            box = line.box.grown(0, self._reader.margin(line.box), self._whole)
            crops.append(_crop(box, ring, self._since))
        return self._reader.read(crops)

    def _at_place(self, line: Line, t: float) -> list[Line]:
        """Lines at the place of `line`, shown or just gone."""
        lines = [*self._shown, *self._lately_gone(t)]
        return [other for other in lines if other.overlap(line.box) > _SAME]

    def _begin(self, line: Line, ring: Sequence[Shown]) -> None:
        """Show a line that has been read, in place of those that it overwrites or continues."""
        t = ring[-1][0]
        others = self._at_place(line, t)
        same = [other for other in others if line.says_the_same(other)]
        before = [other for other in others if all(other.t1 > one.t1 for one in same)]
        line.last_seen = line.read_at = t
        line.since = (self._motion, self._samples)
        line.t0 = line.appeared(ring, self._times, before)
        for other in others:
            if other in self._shown:
                other.t1 = other.last_seen
                self._end(other)
            if other in same and line.t0 - other.t1 <= _BLINK_S:
                line.continues(other)
                self._gone.remove(other)
            else:
                other.t1 = max(other.t0, min(other.t1, line.t0))
        self._field.trust(line.small)
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

    def _read_rolling(self, luma: Luma) -> Callable[[Sequence[Rect]], list[Reading]]:
        return lambda boxes: self._reader.read([box.of(luma) for box in boxes])

    def _is_text(self, reading: Reading) -> bool:
        said = any(character.isalnum() for character in reading.text)
        return said and reading.conf >= self._reader.config.min_conf

    def _told(
        self, t0: float, t1: float, reading: Reading, box: Rect, *, static: bool
    ) -> ScreenLine:
        width, height = self._whole.width, self._whole.height
        left, top, right, bottom = (
            round(side / length, 4)
            for side, length in zip(box, (width, height, width, height), strict=True)
        )
        return ScreenLine(
            t0=round(t0, 3),
            t1=round(t1, 3),
            text=reading.text,
            conf=reading.conf,
            bbox=(left, top, right, bottom),
            static=static,
        )


def _crop(box: Rect, ring: Sequence[Shown], since: float) -> Luma:
    """A line's picture; over a moving one the darkest of each pixel, which leaves the text.

    Text over moving pictures is bright, or bright around.
    """
    crops = [box.of(luma) for t, luma in ring if t >= since]
    last = crops[-1]
    if len(crops) > 1 and cv2.norm(last, crops[0], cv2.NORM_L1) > _MOVES * last.size:
        return np.asarray(np.minimum.reduce(crops), np.uint8)
    return last
