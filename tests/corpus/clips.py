"""Small media whose pictures tell their number and whose tones stand at known times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

BLACK, WHITE = 16, 235
_BITS = 8


@dataclass(frozen=True)
class Clip:
    """What a clip shows and sounds."""

    seconds: float = 2.0
    fps: int = 10
    width: int = 128
    height: int = 96
    codec: str | None = "libx264"
    pix_fmt: str = "yuv420p"
    options: tuple[tuple[str, str], ...] = ()
    rotation: int = 0
    audio: str | None = "aac"
    rate: int = 16_000
    layout: str = "mono"
    tones: tuple[tuple[float, float], ...] = ((0.5, 1.0),)
    """When a tone of 440 Hz sounds; silence otherwise."""
    start: float = 0.0
    """Time stamp of the first picture and the first sample."""
    sound_later: float = 0.0
    """By how much the sound begins after the picture."""
    voices: int = 1
    """Tracks of sound; the second and later ones are silent."""
    cover: bool = False
    """Whether a cover image comes with it."""
    holes: tuple[tuple[float, float], ...] = ()
    """Stretches whose packets are left out."""
    format: str | None = None
    muxing: tuple[tuple[str, str], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()


def pattern(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """Luma [h, w]: a white bar on top, below it eight black or white columns: the number in bits.

    The left column is the lowest bit.
    """
    luma = np.full((height, width), BLACK, np.uint8)
    luma[: height // 4] = WHITE
    for bit in range(_BITS):
        if number >> bit & 1:
            luma[height // 2 :, bit * width // _BITS : (bit + 1) * width // _BITS] = WHITE
    return luma


def number(luma: NDArray[np.uint8]) -> int:
    """The number that a picture shows."""
    height, width = luma.shape
    row = luma[height * 3 // 4]
    return sum(1 << bit for bit in range(_BITS) if row[(2 * bit + 1) * width // (2 * _BITS)] > 128)


def shown(clip: Clip, t: float) -> int:
    """The number that a clip shows at a time, from the beginning of the file."""
    return int(t * clip.fps + 1e-6) % (1 << _BITS)


def tone(clip: Clip) -> NDArray[np.float32]:
    """What a clip sounds like, at its own rate."""
    t = np.arange(round(clip.seconds * clip.rate)) / clip.rate
    sounds = np.zeros(len(t), bool)
    for t0, t1 in clip.tones:
        sounds |= (t >= t0) & (t < t1)
    return (0.5 * np.sin(2 * np.pi * 440 * t) * sounds).astype(np.float32)


def write(path: Path, clip: Clip) -> Path:
    """Write the clip; the name's ending gives the container unless `clip.format` does."""
    # Bit exact: without it Matroska and Ogg draw identities at random.
    options = {"fflags": "+bitexact", **dict(clip.muxing)}
    with av.open(str(path), "w", format=clip.format, options=options) as out:
        out.metadata.update(dict(clip.metadata))
        packets = [*_pictures(out, clip), *_cover(out, clip)]
        for voice in range(clip.voices if clip.audio else 0):
            packets += _sounds(out, clip, silent=voice > 0)
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        for packet in packets:
            t = float(packet.pts * packet.time_base) - clip.start
            if not any(t0 <= t < t1 for t0, t1 in clip.holes):
                out.mux(packet)
    return path


def _pictures(out: Any, clip: Clip) -> Iterable[Any]:
    if clip.codec is None:
        return
    stream = out.add_stream(clip.codec, rate=clip.fps, options=dict(clip.options))
    stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, clip.pix_fmt
    stream.codec_context.thread_count = 1
    if clip.rotation:
        stream.set_display_rotation(clip.rotation)
    for index in range(round(clip.seconds * clip.fps)):
        gray = pattern(index, clip.width, clip.height)
        frame = _frame(gray).reformat(format=clip.pix_fmt)
        frame.pts = index + round(clip.start * clip.fps)
        frame.time_base = Fraction(1, clip.fps)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _frame(gray: NDArray[np.uint8]) -> Any:
    # Built by planes: FFmpeg's "gray" would be stretched on its way to YUV.
    height, width = gray.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, values in zip(frame.planes, (gray, None, None), strict=True):
        rows = np.full((plane.height, plane.line_size), 128, np.uint8)
        if values is not None:
            rows[:, :width] = values
        plane.update(rows.tobytes())
    return frame


def _cover(out: Any, clip: Clip) -> Iterable[Any]:
    if clip.cover:
        stream = out.add_stream("mjpeg")
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        stream.disposition = av.stream.Disposition.attached_pic
        frame = _frame(pattern(1, 64, 64)).reformat(format="yuvj420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        yield from stream.encode(frame)
        yield from stream.encode(None)


def _sounds(out: Any, clip: Clip, *, silent: bool) -> Iterable[Any]:
    stream = out.add_stream(clip.audio, rate=clip.rate, layout=clip.layout)
    samples = tone(clip) * (not silent)
    channels = stream.layout.nb_channels
    for begin in range(0, len(samples), 1024):
        piece = np.tile(samples[begin : begin + 1024], (channels, 1))
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=clip.layout)
        frame.sample_rate = clip.rate
        frame.pts = begin + round((clip.start + clip.sound_later) * clip.rate)
        frame.time_base = Fraction(1, clip.rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)
