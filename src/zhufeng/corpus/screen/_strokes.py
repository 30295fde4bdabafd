"""Where a picture has strokes: thin and of contrast, as letters have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from zhufeng.corpus.screen._rect import Rect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Luma = NDArray[np.uint8]
    Strokes = NDArray[np.uint8]

BRIGHT, DARK = 1, 2
# Text of 12 to 100 pixels in 1080 rows has strokes that so many rows still show.
_ROWS = 540
# A stroke is thinner than this many pixels, and brighter or darker by this than what is around.
_THIN = 9
_CONTRAST: Any = (24, 0, 0, 0)
# Of the way from the darkest to the brightest that is around.
_CORE = 0.6
_SQUARE = np.ones((_THIN, _THIN), np.uint8)
_WORK = 4


def halvings(luma: Luma) -> int:
    """How often a picture is halved until its shorter side has at most 540 pixels."""
    times = 0
    while min(luma.shape) >> times > _ROWS:
        times += 1
    return times


def reduced(luma: Luma, times: int) -> Luma:
    """The picture halved so many times, [h >> times, w >> times]."""
    for _ in range(times):
        height, width = luma.shape[0] // 2, luma.shape[1] // 2
        even = luma[: 2 * height, : 2 * width]
        luma = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return luma


def workspace(height: int, width: int) -> NDArray[np.uint8]:
    """What `strokes` needs for a picture of that size, or a smaller one.

    New memory of this size comes from the system every time, which takes longer than the work.
    """
    return np.empty((_WORK, height, width), np.uint8)


def strokes(small: Luma, work: NDArray[np.uint8] | None = None) -> Strokes:
    """[h, w]: `BRIGHT` or `DARK` where a stroke is brighter or darker than what is around it.

    Brighter: thinner than the square (its top hat is high), and nearer to the brightest than to
    the darkest that is around, so that what shows between outlined letters is not of them.
    """
    height, width = small.shape
    work = workspace(height, width) if work is None else work[:, :height, :width]
    low: Strokes = work[0]
    high, margin, other = work[1], work[2], work[3]
    cv2.erode(small, _SQUARE, dst=low)
    cv2.dilate(small, _SQUARE, dst=high)
    cv2.subtract(high, low, dst=margin)
    cv2.convertScaleAbs(margin, dst=margin, alpha=_CORE)
    cv2.dilate(low, _SQUARE, dst=other)
    cv2.add(other, _CONTRAST, dst=other)
    cv2.add(low, margin, dst=low)
    cv2.max(low, other, dst=low)
    cv2.erode(high, _SQUARE, dst=other)
    cv2.subtract(other, _CONTRAST, dst=other)
    cv2.subtract(high, margin, dst=high)
    cv2.min(high, other, dst=high)
    cv2.subtract(small, low, dst=low)
    cv2.threshold(low, 0, BRIGHT, cv2.THRESH_BINARY, dst=low)
    cv2.subtract(high, small, dst=high)
    cv2.threshold(high, 0, DARK, cv2.THRESH_BINARY, dst=high)
    np.bitwise_or(low, high, out=low)
    return low


def strokes_within(
    luma: Luma, times: int, where: Rect, work: NDArray[np.uint8] | None = None
) -> Strokes:
    """What `strokes` of the whole reduced picture has in `where`, without the rest of it.

    Args:
        luma: [h, w], as decoded.
        times: how often the picture is halved.
        where: pixels of the reduced picture.
        work: see `strokes`.
    """
    height, width = (side >> times for side in luma.shape)
    # What is found at a pixel depends on two squares around it.
    wide = where.grown(_THIN, _THIN, Rect(0, 0, width, height))
    full = Rect(*(side << times for side in wide))
    found = strokes(reduced(full.of(luma), times), work)
    return where.moved(-wide.x0, -wide.y0).of(found)


def thickened(found: Strokes, out: Strokes | None = None, work: Strokes | None = None) -> Strokes:
    """Strokes and the pixels around them; in `out` and with the help of `work`, as large."""
    wide = np.empty_like(found) if work is None else work
    wide[:] = found
    np.bitwise_or(wide[:, 1:], found[:, :-1], out=wide[:, 1:])
    np.bitwise_or(wide[:, :-1], found[:, 1:], out=wide[:, :-1])
    high = np.empty_like(found) if out is None else out
    high[:] = wide
    np.bitwise_or(high[1:], wide[:-1], out=high[1:])
    np.bitwise_or(high[:-1], wide[1:], out=high[:-1])
    return high
