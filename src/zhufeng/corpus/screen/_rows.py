"""Pieces of a line put together."""

from __future__ import annotations

from collections.abc import Sequence

from zhufeng.corpus.screen._rect import Rect

# Pieces of a line are about as high, at the same height, and no further apart than a wide space.
_ALIKE = 0.65
_LEVEL = 0.6
_SPACE = 0.1


def rows(boxes: Sequence[Rect]) -> list[Rect]:
    """The boxes of whole lines, from top to bottom.

    The detector parts a line where its spaces are wide; columns of a table stay apart.
    """
    found: list[Rect] = []
    for box in sorted(boxes, key=lambda one: one.x0):
        for place, other in enumerate(found):
            if _continues(other, box):
                found[place] = other.union(box)
                break
        else:
            found.append(box)
    return sorted(found, key=lambda one: (one.y0, one.x0))


def _continues(left: Rect, right: Rect) -> bool:
    height = min(left.height, right.height)
    alike = height >= _ALIKE * max(left.height, right.height)
    level = min(left.y1, right.y1) - max(left.y0, right.y0) >= _LEVEL * height
    return alike and level and right.x0 - left.x1 <= _SPACE * height
