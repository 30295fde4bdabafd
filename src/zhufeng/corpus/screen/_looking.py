"""Where to look for text, and what boxes of lines are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from zhufeng.corpus.screen._rect import Rect, around
from zhufeng.corpus.screen._rows import rows

if TYPE_CHECKING:
    from zhufeng.corpus.screen._reader import Reader
    from zhufeng.corpus.screen._strokes import Luma

# Around what calls for a look, in pixels of the reduced picture.
_MARGIN_X, _MARGIN_Y = 24, 14
_AROUND_LINE = 4
# Looked at in one go if the calls cover so much of what is around all of them.
_TOGETHER = 0.4
# Boxes less high than this, as the detector sees them, call for a closer look at still pictures.
_SMALL = 18
# A box as near as this to the end of what is looked at, in pixels of the reduced picture, may go
# on outside of it; this many times its height is added, so often at most.
_AT_END = 2
_MORE = 6
_TIMES = 3


class Looker:
    """Finds lines in parts of pictures of one size."""

    def __init__(self, reader: Reader, whole: Rect, times: int) -> None:
        """`whole` is the picture, `times` how often it is halved to the reduced one."""
        self._reader = reader
        self._whole = whole
        self._times = times
        self.bounds = Rect(0, 0, whole.width >> times, whole.height >> times)
        """The reduced picture."""

    def small(self, box: Rect) -> Rect:
        """The pixels of the reduced picture that a box of the picture touches."""
        return box.scaled(0.5**self._times, self.bounds)

    def full(self, where: Rect) -> Rect:
        """The pixels of the picture that a part of the reduced one is made of."""
        x1, y1 = (
            end if side == last else side << self._times
            for end, side, last in (
                (self._whole.x1, where.x1, self.bounds.x1),
                (self._whole.y1, where.y1, self.bounds.y1),
            )
        )
        return Rect(where.x0 << self._times, where.y0 << self._times, x1, y1)

    def parts(self, calls: Sequence[Rect], lines: Iterable[Rect]) -> list[Rect]:
        """Parts of the reduced picture to look at: around the calls, with the lines in reach."""
        reach = [line.grown(_AROUND_LINE, _AROUND_LINE, self.bounds) for line in lines]
        parts = []
        for call in calls:
            part = call.grown(_MARGIN_X, _MARGIN_Y, self.bounds)
            parts.append(around([part, *(line for line in reach if part.common(line).area)]))
        whole = around(parts)
        if sum(part.area for part in parts) >= _TOGETHER * whole.area:
            return [whole]
        return _apart(parts)

    def look(self, luma: Luma, where: Rect, *, still: bool) -> tuple[Rect, list[Rect]]:
        """The lines in a part of the reduced picture, in pixels of the picture.

        The part is made larger, and returned so, if a line goes on outside of it.
        """
        for _ in range(_TIMES):
            boxes = self._boxes(luma, self.full(where), still=still)
            cut = [small for small in map(self.small, boxes) if self._is_cut(small, where)]
            if not cut:
                break
            more = [small.grown(_MORE * small.height, _AROUND_LINE, self.bounds) for small in cut]
            where = around([where, *more])
        return where, boxes

    def survey(self, luma: Luma) -> list[Rect]:
        """The lines in the whole of a moving picture, in its pixels."""
        return rows(self._detected(luma, self._whole, self._reader.config.detect_px))

    def _boxes(self, luma: Luma, where: Rect, *, still: bool) -> list[Rect]:
        config = self._reader.config
        if not still:
            return rows(self._detected(luma, where, config.detect_px))
        found = self._detected(luma, where, config.detect_still_px)
        scale = self._scale(config.detect_still_px)
        small = [box for box in found if box.height * scale < _SMALL]
        if not small:
            return rows(found)
        margin = 2 * max(box.height for box in small)
        dense = around(small).grown(margin, margin, where)
        others = [box for box in found if 2 * box.common(dense).area < box.area]
        return rows([*others, *self._detected(luma, dense, config.detect_small_px)])

    def _detected(self, luma: Luma, where: Rect, long_side: int) -> list[Rect]:
        found = self._reader.detect(where.of(luma), self._scale(long_side))
        return [box.moved(where.x0, where.y0) for box in found]

    def _scale(self, long_side: int) -> float:
        return min(1.0, long_side / max(self._whole.width, self._whole.height))

    def _is_cut(self, small: Rect, where: Rect) -> bool:
        left = where.x0 > 0 and small.x0 <= where.x0 + _AT_END
        right = where.x1 < self.bounds.x1 and small.x1 >= where.x1 - _AT_END
        return left or right


def _apart(parts: Sequence[Rect]) -> list[Rect]:
    """The parts, those that overlap made one."""
    left: list[Rect] = []
    for part in parts:
        touching = [other for other in left if part.common(other).area]
        left = [other for other in left if not part.common(other).area]
        left.append(around([part, *touching]))
    return left if len(left) == len(parts) else _apart(left)
