"""The sound of a stretch, as speech recognisers take it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zhufeng.corpus._parts import Span
from zhufeng.corpus.media._source import Source, Tally, opened

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from numpy.typing import NDArray

RATE_HZ = 16_000
_FULL_SCALE = 32_768

# Codecs need some frames before the wanted one: Opus 80 ms, MP3's bit reservoir and AAC's overlap
# two frames.
_BEFORE_S = 0.5
# Below this a time stamp that differs from the count of samples is rounding or a drifting clock.
_GAP_S = 0.05
_BEYOND = 3


@dataclass(frozen=True)
class Sound:
    """One channel of sound at 16 kHz."""

    samples: NDArray[np.float32]
    """[n], between -1 and 1; it ends where the sound ends."""
    t0: float
    """Time of the first sample, in seconds from the beginning of the file: a whole sample."""
    problems: tuple[str, ...] = ()


class _Track:
    """The stretch being filled: silence where nothing is placed."""

    def __init__(self, span: Span) -> None:
        # Samples are counted from the beginning of the file, so that spans fit together.
        self.first = round(span.t0 * RATE_HZ)
        self.samples = np.zeros(max(0, round(span.t1 * RATE_HZ) - self.first), np.float32)
        self.length = 0

    def place(self, at: int, samples: NDArray[np.int16]) -> None:
        at -= self.first
        begin, end = max(0, at), min(len(self.samples), at + len(samples))
        if begin < end:
            piece = samples[begin - at : end - at]
            self.samples[begin:end] = piece / np.float32(_FULL_SCALE)
            self.length = max(self.length, end)


class _Run:
    """Sound of one kind without a gap."""

    def __init__(self, track: _Track, t: float, frame: AudioFrame) -> None:
        import av  # noqa: PLC0415 (slow to import)

        self.kind = _kind(frame)
        self.next_t = t
        self._track = track
        self._at = round(t * RATE_HZ)
        # 16 bits, as the recogniser's own reader has it: FFmpeg then mixes channels down without
        # exceeding full scale.
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)

    def add(self, frame: AudioFrame) -> None:
        self.next_t += frame.samples / frame.sample_rate
        # The resampler would fill or cut by time stamps of its own; the run has one beginning.
        frame.pts = None
        self._place(frame)

    def end(self) -> None:
        self._place(None)

    def _place(self, frame: AudioFrame | None) -> None:
        for out in self._resampler.resample(frame):
            samples = out.to_ndarray()[0].astype(np.int16, copy=False)
            self._track.place(self._at, samples)
            self._at += len(samples)


def sound(path: Path, span: Span) -> Sound:
    """The sound of `path` with ``span.t0 <= t < span.t1``; none gives no samples.

    Raises:
        MediaError: the file is not media.
    """
    tally = Tally()
    track = _Track(span)
    with opened(path, tally) as source:
        if source.audio is not None:
            _fill(source, span, track)
    return Sound(track.samples[: track.length], track.first / RATE_HZ, tally.lines())


def _fill(source: Source, span: Span, track: _Track) -> None:
    run: _Run | None = None
    for t, frame in _timed(source, span):
        try:
            run = _continued(run, track, t, frame)
            run.add(frame)
        except source.failures:
            run = None
            source.tally.add(
                "frame of sound could not be used", "frames of sound could not be used"
            )
    _end(run)


def _continued(run: _Run | None, track: _Track, t: float | None, frame: AudioFrame) -> _Run:
    if run is not None and run.kind == _kind(frame) and (t is None or abs(t - run.next_t) < _GAP_S):
        return run
    begin = t if t is not None else run.next_t if run is not None else 0.0
    _end(run)
    return _Run(track, begin, frame)


def _end(run: _Run | None) -> None:
    if run is not None:
        run.end()


def _kind(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _timed(source: Source, span: Span) -> Iterator[tuple[float | None, AudioFrame]]:
    assert source.audio is not None
    beyond = 0
    for packet in source.packets_from(source.audio, span.t0 - _BEFORE_S):
        t = source.time(packet.pts, source.audio)
        # Where a seek does not help, the file is read from its beginning: then most is passed by.
        if t is not None and t < span.t0 - 2 * _BEFORE_S:
            continue
        beyond = beyond + 1 if t is not None and t >= span.t1 else 0
        if beyond == _BEYOND:
            break
        for frame in source.sounds(packet):
            yield source.time(frame.pts, source.audio), frame
    for frame in source.sounds(None):
        yield source.time(frame.pts, source.audio), frame
