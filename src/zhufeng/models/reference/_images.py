"""Images of shapes, drawn by a generator: the same bytes on every machine, and no end of them.

One shape of twenty lies, turned and scaled, on a background of two colours and stripes, among
patches of other colours of which half lie in front of it, under noise. Random bits are raw words
of NumPy's Philox, whose stream is guaranteed; what is made of them are exactly rounded operations
(+ - * / floor, comparisons) in fp32, one NumPy call each, so that nothing is fused or reordered.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import generator
from zhufeng.models.reference._settings import CLASSES, ImageData
from zhufeng.models.reference._shapes import SHAPES, Mask, Plane

Images: TypeAlias = NDArray[np.uint8]
Classes: TypeAlias = NDArray[np.int64]

# Random words an image: its shape's, its background's, and each distractor's.
_SHAPE_WORDS, _PATCH_WORDS = 16, 12
_UNITS = np.float32(1 << 24)


def draw(data: ImageData, count: int, seed: int, *stream: str | int) -> tuple[Images, Classes]:
    """Images of shape (count, channels, size, size) and their classes, from the named stream."""
    source = generator(seed, "reference images", *stream).bit_generator
    words = _SHAPE_WORDS + _PATCH_WORDS * data.distractors
    raw = source.random_raw((count, words))
    noise = source.random_raw((count, data.channels * data.size * data.size // 4))
    classes = (raw[:, 0] % CLASSES).astype(np.int64)
    numbers = _Numbers(raw[:, 1:])
    x, y = _grid(data.size)
    canvas = _background(data, numbers, x, y)
    behind = data.distractors // 2
    for number in range(data.distractors):
        if number == behind:
            _put(canvas, _shape(data, classes, numbers, x, y), numbers.colours(data.channels))
        _put(canvas, _patch(numbers, x, y), numbers.colours(data.channels))
    canvas += _noise(data, numbers, noise)
    return np.clip(canvas, 0, 255).astype(np.uint8), classes


def digest(images: Images, classes: Classes) -> str:
    """SHA-256 of images and of their classes (one byte each)."""
    joined = images.tobytes() + classes.astype(np.uint8).tobytes()
    return hashlib.sha256(joined).hexdigest()


class _Numbers:
    """An image's random numbers, handed out column by column."""

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self.words, self.used = words, 0

    def next(self, low: float, high: float) -> Plane:
        """Uniform numbers, one an image, shape (images, 1, 1)."""
        column = self.words[:, self.used] >> np.uint64(40)
        self.used += 1
        unit = column.astype(np.float32) / _UNITS
        numbers: Plane = np.float32(low) + np.float32(high - low) * unit
        return numbers[:, None, None]

    def colours(self, channels: int) -> Plane:
        """A colour an image, shape (images, channels, 1, 1), from one word's bytes."""
        column = self.words[:, self.used]
        self.used += 1
        parts = [(column >> np.uint64(8 * i)) & np.uint64(255) for i in range(channels)]
        return np.stack(parts, axis=1).astype(np.float32)[:, :, None, None]

    def turned(self, x: Plane, y: Plane, turn: float) -> tuple[Plane, Plane]:
        """Coordinates turned by a rational point of the circle, by at most 2 atan(turn)."""
        t = self.next(-turn, turn)
        square = t * t
        cos, sin = (1 - square) / (1 + square), 2 * t / (1 + square)
        if turn == 1:
            head = np.where(self.next(-1, 1) < 0, np.float32(-1), np.float32(1))
            cos, sin = cos * head, sin * head
        return x * cos + y * sin, y * cos - x * sin


def _grid(size: int) -> tuple[Plane, Plane]:
    """x of shape (1, 1, size) and y of shape (1, size, 1), of the pixels' middles in (-1, 1)."""
    middles = (2 * np.arange(size, dtype=np.float32) + 1 - size) / np.float32(size)
    return middles[None, None, :], middles[None, :, None]


def _background(data: ImageData, numbers: _Numbers, x: Plane, y: Plane) -> Plane:
    """A blend of two colours with stripes, shape (images, channels, size, size)."""
    first, second = (numbers.colours(data.channels) for _ in range(2))
    along, _ = numbers.turned(x, y, 1)
    blend = np.clip(0.5 * along + 0.5, 0, 1)
    stripes = np.floor(along * numbers.next(1, 6)) % 2 * numbers.next(0, 0.25)
    canvas: Plane = first + (second - first) * (0.75 * blend + stripes)[:, None]
    return canvas


def _shape(data: ImageData, classes: Classes, numbers: _Numbers, x: Plane, y: Plane) -> Mask:
    """The mask of each image's shape, shape (images, size, size)."""
    across = x - numbers.next(-data.shift, data.shift)
    down = y - numbers.next(-data.shift, data.shift)
    u, v = numbers.turned(across, down, data.turn)
    scale = numbers.next(0.4375, 0.75)
    u, v = u / scale, v / (scale * numbers.next(0.8125, 1.1875))
    mask = np.empty(u.shape, np.bool_)
    for number, shape in enumerate(SHAPES):
        chosen = np.flatnonzero(classes == number)
        mask[chosen] = shape(u[chosen], v[chosen])
    return mask


def _patch(numbers: _Numbers, x: Plane, y: Plane) -> Mask:
    """The mask of a small turned box or ellipse anywhere in each image."""
    across, down = x - numbers.next(-1, 1), y - numbers.next(-1, 1)
    u, v = numbers.turned(across, down, 1)
    u, v = abs(u / numbers.next(0.0625, 0.4375)), abs(v / numbers.next(0.0625, 0.25))
    box = numbers.next(-1, 1) < 0
    return np.where(box, np.maximum(u, v), u * u + v * v) < 1


def _put(canvas: Plane, mask: Mask, colours: Plane) -> None:
    np.copyto(canvas, colours, where=mask[:, None])


def _noise(data: ImageData, numbers: _Numbers, raw: NDArray[np.uint64]) -> Plane:
    """Triangular noise from two bytes a pixel, each image's of its own amplitude."""
    pairs = raw.astype("<u8", copy=False).view(np.uint8).reshape(len(raw), -1, 2)
    sums = pairs[:, :, 0].astype(np.float32) + pairs[:, :, 1].astype(np.float32) - 255
    planes = sums.reshape(len(raw), data.channels, data.size, data.size)
    amplitude = numbers.next(0, data.noise)[:, None] / np.float32(256)
    return planes * amplitude
