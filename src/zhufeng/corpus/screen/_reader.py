"""Finding and reading text in a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zhufeng.base import needs_extra, sha256_file
from zhufeng.corpus.screen._config import ScreenConfig
from zhufeng.corpus.screen._models import DETECTOR, RECOGNISER, Model, model_file
from zhufeng.corpus.screen._rect import Rect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Luma = NDArray[np.uint8]

# PP-OCR's own settings of the detector (rapidocr 3.10, config.yaml).
_THRESHOLD = 0.3
_BOX_THRESHOLD = 0.5
_UNCLIP = 1.6
_STRIDE = 32
_LEAST_SIDE = 3
# The recogniser's height; shorter lines are padded to its least width.
_HEIGHT = 48
_LEAST_WIDTH = 64
_BATCH = 16
# Larger lines have detail to spare: with a margin, of their height, they cost less and are read
# no worse.
_LARGE = 40
_MARGIN = 0.08
# Luma of videos goes from 16 to 235; what goes beyond is cut off.
_BLACK, _RANGE = 16, 219


class Reading(NamedTuple):
    """What a line says, and how sure the recogniser is of its characters on average."""

    text: str
    conf: float


class Reader:
    """PP-OCRv6's detector and recogniser, loaded once.

    They are run by themselves: rapidocr's own chain keeps state between calls, pads every line
    to 320 pixels and spends half as long again on polygons.

    Raises:
        MissingExtraError: a package of the extra ``corpus`` is not installed.
        InputError: the installed rapidocr carries other models.
    """

    def __init__(self, config: ScreenConfig, device: str = "cpu") -> None:
        with needs_extra("corpus"):
            import cv2  # noqa: PLC0415 (slow to import)

        cv2.setNumThreads(1)
        self.config = config
        self._detector = Model(DETECTOR, device)
        self._recogniser = Model(RECOGNISER, device)
        self._characters = self._recogniser.characters()
        self._batch = _BATCH if device == "cuda" else 1

    def detect(self, luma: Luma, scale: float) -> list[Rect]:
        """Upright boxes around lines, or parts of lines, in pixels of `luma`.

        Args:
            luma: [h, w].
            scale: the detector sees the picture at this size; its cost grows with the square.
        """
        import cv2  # noqa: PLC0415 (slow to import)

        height, width = luma.shape
        h, w = (max(1, round(side * scale)) for side in (height, width))
        shrunk = cv2.resize(luma, (w, h), interpolation=cv2.INTER_AREA)
        below, beside = -h % _STRIDE, -w % _STRIDE
        shrunk = cv2.copyMakeBorder(shrunk, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        heat = self._detector(_three_channels(np.asarray(shrunk, np.uint8)))[0, 0, :h, :w]
        whole = Rect(0, 0, width, height)
        mask = cv2.dilate((heat > _THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
        _, _, found, _ = cv2.connectedComponentsWithStats(mask)
        boxes = []
        for x, y, dx, dy, _ in found[1:].tolist():
            if min(dx, dy) < _LEAST_SIDE or heat[y : y + dy, x : x + dx].mean() < _BOX_THRESHOLD:
                continue
            # The network is taught to paint a line's core; this gives its margin back.
            margin = dx * dy * _UNCLIP / (2 * (dx + dy))
            boxes.append(
                Rect(
                    round((x - margin) * width / w),
                    round((y - margin) * height / h),
                    round((x + dx + margin) * width / w),
                    round((y + dy + margin) * height / h),
                ).common(whole)
            )
        return sorted(boxes, key=lambda box: (box.y0, box.x0))

    def margin(self, box: Rect) -> int:
        """How much should be added above and below a line before it is cut out."""
        return round(_MARGIN * box.height) if box.height >= _LARGE else 0

    def read(self, crops: Sequence[Luma]) -> list[Reading]:
        """What the lines say, each [h, w] of luma and cut close."""
        scaled = [_of_height(crop) for crop in crops]
        order = sorted(range(len(crops)), key=lambda number: scaled[number].shape[1])
        readings = [Reading("", 0.0)] * len(crops)
        for begin in range(0, len(order), self._batch):
            batch = order[begin : begin + self._batch]
            for number, reading in zip(batch, self._read([scaled[i] for i in batch]), strict=True):
                readings[number] = reading
        return readings

    def _read(self, lines: Sequence[Luma]) -> list[Reading]:

        width = max(_LEAST_WIDTH, *(line.shape[1] for line in lines))
        values = np.zeros((len(lines), 3, _HEIGHT, width), np.float32)
        for row, line in zip(values, lines, strict=True):
            row[:, :, : line.shape[1]] = _three_channels(line)[0]
        return [self._decoded(one) for one in self._recogniser(values)]

    def _decoded(self, columns: NDArray[np.float32]) -> Reading:
        """Greedy CTC: what is repeated without a blank between is one character."""

        best = columns.argmax(1)
        first = np.concatenate(([True], best[1:] != best[:-1]))
        chosen = np.flatnonzero((best != 0) & first)
        if not chosen.size:
            return Reading("", 0.0)
        text = "".join(self._characters[number] for number in best[chosen])
        return Reading(text.strip(), round(float(columns[chosen, best[chosen]].mean()), 4))


def screen_hashes(config: ScreenConfig) -> dict[str, str]:
    """SHA-256 of the models' files, by name; no model is loaded."""
    del config
    return {name: sha256_file(model_file(name)) for name in (DETECTOR, RECOGNISER)}


def _of_height(line: Luma) -> Luma:
    import cv2  # noqa: PLC0415 (slow to import)

    height, width = line.shape
    wide = max(1, math.ceil(_HEIGHT * width / height))
    how = cv2.INTER_AREA if height > _HEIGHT else cv2.INTER_LINEAR
    return cv2.resize(line, (wide, _HEIGHT), interpolation=how).astype(np.uint8)


def _three_channels(luma: Luma) -> NDArray[np.float32]:
    """[1, 3, h, w] between -1 and 1."""

    values = np.clip((luma.astype(np.float32) - _BLACK) * (2 / _RANGE) - 1, -1, 1)
    return np.ascontiguousarray(np.broadcast_to(values, (1, 3, *luma.shape)))
