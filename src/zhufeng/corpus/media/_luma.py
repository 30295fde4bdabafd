"""Pictures as arrays, upright."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

Pixel = TypeVar("Pixel", np.uint8, np.uint16)

# Their first plane is luma of 8 bits.
_PLANES = frozenset(
    {
        *("gray", "nv12", "nv16", "nv21", "nv24", "nv42"),
        *("yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p"),
        *("yuva420p", "yuva422p", "yuva444p"),
        *("yuvj411p", "yuvj420p", "yuvj422p", "yuvj440p", "yuvj444p"),
    }
)
# As above with more bits, in the low ones of 16.
_DEEP = re.compile(r"(?:gray|yuva?4[0-4][0-4]p)(9|1[0-6])le")
_QUARTER_TURN = 90


def luma(frame: VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """The luma of a frame, [h, w], upright; a view of the decoder's memory where possible.

    Args:
        frame: as decoded.
        size: width and height as stored; a frame of another size is scaled to it.
    """
    width, height = size or (frame.width, frame.height)
    name = frame.format.name
    deep = _DEEP.fullmatch(name)
    if (frame.width, frame.height) != (width, height) or frame.planes[0].line_size < 0:
        plane = _converted(frame, width, height)
    elif name in _PLANES:
        plane = _rows(frame, np.uint8)
    elif deep:
        plane = (_rows(frame, np.uint16) >> (int(deep[1]) - 8)).astype(np.uint8)
    else:
        plane = _converted(frame, width, height)
    return upright(plane, frame.rotation)


def _converted(frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    # To "gray" FFmpeg would stretch the range; to YUV it keeps it.
    return _rows(frame.reformat(width=width, height=height, format="yuv420p"), np.uint8)


def rgb(frame: VideoFrame, long_side: int) -> NDArray[np.uint8]:
    """The frame in colours, [h, w, 3], upright, made smaller to `long_side` if it is larger."""
    scale = min(1.0, long_side / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    colours = _rows(small, np.uint8, 3).reshape(height, width, 3)
    return np.ascontiguousarray(upright(colours, frame.rotation))


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """Width and height as shown."""
    turned = round(frame.rotation / _QUARTER_TURN) % 2
    return (frame.height, frame.width) if turned else (frame.width, frame.height)


def upright(picture: NDArray[np.uint8], rotation: int) -> NDArray[np.uint8]:
    """Turn a picture, [h, w, ...], by `rotation` degrees against the clock, to a quarter turn."""
    turns = round(rotation / _QUARTER_TURN) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def _rows(frame: VideoFrame, kind: type[Pixel], depth: int = 1) -> NDArray[Pixel]:
    """The first plane, [h, w * depth], without the padding of its lines."""
    plane = frame.planes[0]
    # PyAV's stubs do not say that a plane is a buffer.
    values: NDArray[Pixel] = np.frombuffer(plane, kind)  # type: ignore[call-overload]
    return values.reshape(frame.height, -1)[:, : frame.width * depth]
