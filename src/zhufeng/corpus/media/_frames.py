"""The pictures of a stretch of video, cheaply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zhufeng.corpus._parts import Span
from zhufeng.corpus.media._luma import luma, rgb
from zhufeng.corpus.media._source import MediaError, Source, Tally, fits, opened

if TYPE_CHECKING:
    import numpy as np
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

# A single packet whose time stamp is wrong must not end the stretch.
_BEYOND = 3
_STEP_S = 0.04


@dataclass(frozen=True)
class Frame:
    """A picture of a video."""

    t: float
    """Seconds from the beginning of the file."""
    luma: NDArray[np.uint8]
    """[h, w], as stored (full or limited range), upright."""


class Frames:
    """The pictures of a stretch, in the order of their times, which are all different.

    Iterate once; `problems` is filled when the iteration ends.
    """

    def __init__(self, path: Path, span: Span, *, all_frames: bool) -> None:
        self.problems: list[str] = []
        self._path = path
        self._span = span
        self._all_frames = all_frames

    def __iter__(self) -> Iterator[Frame]:
        """Decode the stretch.

        Raises:
            MediaError: the file is not media.
        """
        tally = Tally()
        try:
            with opened(self._path, tally, "DEFAULT" if self._all_frames else "NONREF") as source:
                yield from self._stretch(source)
        finally:
            self.problems = list(tally.lines())

    def _stretch(self, source: Source) -> Iterator[Frame]:
        size: tuple[int, int] | None = None
        for t, frame in _in_order(source, self._span):
            size = size or (frame.width, frame.height)
            try:
                picture = luma(frame, size)
            except source.failures:
                source.tally.add(
                    "picture could not be converted", "pictures could not be converted"
                )
            else:
                yield Frame(t, picture)


def frames(path: Path, span: Span, *, all_frames: bool = False) -> Frames:
    """The pictures of `path` with ``span.t0 <= t < span.t1``.

    Args:
        path: a media file; without a moving picture there are no frames.
        span: seconds from the beginning of the file.
        all_frames: also those that no other picture refers to, at three times the cost.
    """
    return Frames(path, span, all_frames=all_frames)


def picture(path: Path, t: float, long_side: int) -> NDArray[np.uint8]:
    """The picture shown at `t`, RGB, [h, w, 3], upright; before the first one, the first.

    Args:
        path: a media file.
        t: seconds from the beginning of the file.
        long_side: pixels; a larger picture is made smaller.

    Raises:
        MediaError: the file is not media or has no picture that can be decoded.
    """
    shown: VideoFrame | None = None
    with opened(path, Tally()) as source:
        for at, frame in timed(source, Span(t0=t, t1=t)):
            if shown is not None and at > t:
                break
            shown = frame
        if shown is None:
            raise MediaError("no picture could be decoded")
        try:
            return rgb(shown, long_side)
        except source.failures:
            raise MediaError("the picture could not be converted") from None


def _in_order(source: Source, span: Span) -> Iterator[tuple[float, VideoFrame]]:
    """The pictures of `span`, each later than the one before it."""
    last = -float("inf")
    # The next picture tells whether this one's time stamp is too high: without that look a single
    # wrong one would cost all that follow.
    held: tuple[float, VideoFrame] | None = None
    for t, frame in timed(source, span):
        if not span.t0 <= t < span.t1:
            continue
        if held is not None and t <= held[0]:
            source.tally.add("picture is out of order", "pictures are out of order")
            if t <= last:
                continue
        elif held is not None:
            last = held[0]
            yield held
        held = t, frame
    if held is not None:
        yield held


def timed(source: Source, span: Span) -> Iterator[tuple[float, VideoFrame]]:
    """Decoded pictures and their times: those of `span`, and some before and after it."""
    if source.video is None:
        return
    rate = source.video.average_rate
    step = 1 / float(rate) if rate else _STEP_S
    next_t = 0.0
    for frame in _decoded(source, span.t0, max(span.t1, span.t0 + step)):
        if not fits(frame.width, frame.height):
            source.tally.add("picture is too large", "pictures are too large")
            continue
        t = source.time(frame.dts if frame.pts is None else frame.pts, source.video)
        next_t = next_t if t is None else t
        yield next_t, frame
        next_t += step


def _decoded(source: Source, t0: float, t1: float) -> Iterator[VideoFrame]:
    assert source.video is not None
    beyond = 0
    for packet in source.packets_from(source.video, t0):
        t = source.time(packet.pts if packet.dts is None else packet.dts, source.video)
        if t is None:
            # Without time stamps pictures are counted, so none may be left out.
            source.video.codec_context.skip_frame = "DEFAULT"
        beyond = beyond + 1 if t is not None and t >= t1 else 0
        if beyond == _BEYOND:
            break
        yield from source.pictures(packet)
    yield from source.pictures(None)
