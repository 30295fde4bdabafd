"""One pass over the pictures of a span."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Media, Span, Watched
from zhufeng.corpus.media import Frames, frames
from zhufeng.corpus.screen._reader import Reader

if TYPE_CHECKING:
    from zhufeng.corpus.screen._track import Shown

# Frames closer together tell nothing that matters here.
_LEAST_GAP_S = 0.03
_FEW_FPS = 12.5
# A sample that is due within this share of its time is taken now.
_NEARLY = 0.99
# A frame that stands for so long is taken for so many more.
_LONG_S = 1.0
_COPIES = 6
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
    shots = Shots(span.t0)
    text: Text | None = None
    ring: deque[Shown] = deque()
    begin = sampled = -float("inf")
    # Of few frames none may be left out.
    pictures = frames(path, span, all_frames=media.fps is not None and media.fps < _FEW_FPS)
    for t, luma in _filled(_timed(pictures, meter), min(span.t1, media.duration_s)):
        if ring and t - ring[-1][0] < _LEAST_GAP_S:
            continue
        begin = begin if ring else t
        ring.append((t, luma))
        while ring[0][0] < t - _RING_S:
            ring.popleft()
        with meter.step("shots"):
            shots.add(t, luma)
        if t - sampled >= _NEARLY / reader.config.samples_per_s:
            sampled = t
            with meter.step("text"):
                text = text or Text(reader, luma)
                text.add(ring)
    if text is None:
        return Watched(problems=tuple(pictures.problems))
    end = _end(ring, media, span)
    with meter.step("text"):
        lines = text.lines(ring, begin, end)
    return Watched(shots=shots.shots(end, lines), lines=lines, problems=tuple(pictures.problems))


def _filled(shown: Iterator[Shown], end: float) -> Iterator[Shown]:
    """Frames, and copies of those that stand for long until the next one, or `end`, comes.

    A slide may be a single frame; what stands is told by several.
    """
    last: Shown | None = None
    for frame in shown:
        yield from _copies(last, frame[0])
        yield frame
        last = frame
    yield from _copies(last, end)


def _copies(frame: Shown | None, until: float) -> Iterator[Shown]:
    if frame is not None and until - frame[0] >= _LONG_S:
        for number in range(1, _COPIES + 1):
            yield frame[0] + number * _LONG_S / (_COPIES + 1), frame[1]


def _timed(pictures: Frames, meter: Meter) -> Iterator[Shown]:
    each = iter(pictures)
    while True:
        with meter.step("decode"):
            frame = next(each, None)
        if frame is None:
            return
        yield frame.t, frame.luma


def _end(ring: deque[Shown], media: Media, span: Span) -> float:
    """When the last picture goes."""
    last = ring[-1][0]
    step = last - ring[-2][0] if len(ring) > 1 else 0.0
    return round(max(last, min(span.t1, media.duration_s, last + max(step, 0.2))), 3)
