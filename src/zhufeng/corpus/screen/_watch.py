"""One pass over the pictures of a span."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Media, Span, Watched
from zhufeng.corpus.media import Frame, frames
from zhufeng.corpus.screen._reader import Reader

if TYPE_CHECKING:
    from zhufeng.corpus.screen._track import Shown

# Frames closer together tell nothing that matters here.
_LEAST_GAP_S = 0.03
# Longer than text takes from its first frame until it is read.
_RING_S = 1.3


def watch(path: Path, media: Media, span: Span, reader: Reader, meter: Meter) -> Watched:
    """The shots and the on-screen text of a span.

    The CPU time goes to the steps ``decode``, ``shots`` and ``text`` of `meter`.

    Raises:
        MediaError: the file is not media.
    """
    from zhufeng.corpus.screen._shots import Shots  # noqa: PLC0415 (slow to import)
    from zhufeng.corpus.screen._text import Text  # noqa: PLC0415 (slow to import)

    if not media.video:
        return Watched()
    shown: Text | None = None
    shots = Shots(span.t0)
    ring: deque[Shown] = deque()
    sampled = -float("inf")
    pictures = frames(path, span)
    for frame in _timed(iter(pictures), meter):
        if ring and frame.t - ring[-1][0] < _LEAST_GAP_S:
            continue
        ring.append((frame.t, frame.luma))
        while ring[0][0] < frame.t - _RING_S:
            ring.popleft()
        with meter.step("shots"):
            shots.add(frame.t, frame.luma)
        if frame.t - sampled < 0.99 / reader.config.samples_per_s:
            continue
        sampled = frame.t
        with meter.step("text"):
            shown = shown or Text(reader, frame.luma)
            shown.add(ring)
    if shown is None:
        return Watched(problems=tuple(pictures.problems))
    end = _end(ring, media, span)
    return Watched(
        shots=shots.shots(end), lines=shown.lines(ring, end), problems=tuple(pictures.problems)
    )


def _timed(pictures: Iterator[Frame], meter: Meter) -> Iterator[Frame]:
    while True:
        with meter.step("decode"):
            frame = next(pictures, None)
        if frame is None:
            return
        yield frame


def _end(ring: deque[Shown], media: Media, span: Span) -> float:
    """When the last picture goes."""
    last = ring[-1][0]
    step = last - ring[-2][0] if len(ring) > 1 else 0.0
    return round(max(last, min(span.t1, media.duration_s, last + max(step, 0.2))), 3)
