"""Damaged files: small media, broken in every way that a disk, a network or a person breaks them.

``damaged_files(seed, count, folder)`` writes them one by one; the same seed gives the same files.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.corpus.clips import Clip, write

_SMALL = Clip(seconds=1.0, width=96, height=64, tones=((0.2, 0.6),))
_FAST = replace(_SMALL, options=(("preset", "ultrafast"), ("bf", "2")))

BASES: dict[str, Clip] = {
    "a.mp4": _FAST,
    "front.mp4": replace(_FAST, muxing=(("movflags", "+faststart"),)),
    "pieces.mp4": replace(_FAST, muxing=(("movflags", "frag_keyframe"),)),
    "b.mkv": replace(_FAST, audio="flac"),
    "c.webm": replace(_SMALL, codec="libvpx", audio="libopus", rate=48_000),
    "d.avi": replace(_SMALL, codec="mpeg4", audio="pcm_s16le"),
    "e.ts": replace(_SMALL, codec="mpeg2video", fps=25, audio="mp2", rate=32_000),
    "f.ts": _FAST,
    "g.flv": replace(_SMALL, codec="flv1", audio="libmp3lame", rate=44_100),
    "h.mov": replace(_SMALL, codec="mjpeg", pix_fmt="yuvj420p", audio="pcm_s16le"),
    "i.gif": replace(_SMALL, codec="gif", pix_fmt="rgb8", audio=None),
    "j.mp3": replace(_SMALL, codec=None, audio="libmp3lame"),
    "k.ogg": replace(_SMALL, codec=None, audio="libopus", rate=48_000),
    "l.wav": replace(_SMALL, codec=None, audio="pcm_s16le"),
    "m.flac": replace(_SMALL, codec=None, audio="flac"),
    "n.m4a": replace(_SMALL, codec=None, format="mp4"),
    "silent.mp4": replace(_FAST, audio=None),
}


@cache
def _bases() -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        return {name: write(Path(folder) / name, clip).read_bytes() for name, clip in BASES.items()}


def _truncated(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _bits_flipped(data: bytes, draw: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(draw.choice((1, 3, 10, 100))):
        broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
    return bytes(broken)


def _head_flipped(data: bytes, draw: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(draw.choice((1, 2, 5))):
        broken[draw.randrange(min(256, len(broken)))] = draw.randrange(256)
    return bytes(broken)


def _extreme_numbers(data: bytes, draw: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(draw.choice((1, 2, 4))):
        at = draw.randrange(len(broken))
        broken[at : at + 4] = draw.choice(
            (
                b"\xff\xff\xff\xff",
                b"\x7f\xff\xff\xff",
                b"\x80\0\0\0",
                b"\0\0\0\0",
                b"\xff\xff\xff\x7f",
            )
        )
    return bytes(broken)


def _zeroed(data: bytes, draw: random.Random) -> bytes:
    begin = draw.randrange(len(data))
    length = draw.randrange(1, 1 + len(data) // 3)
    return data[:begin] + bytes(min(length, len(data) - begin)) + data[begin + length :]


def _hole(data: bytes, draw: random.Random) -> bytes:
    begin = draw.randrange(len(data))
    return data[:begin] + data[begin + draw.randrange(1, 1 + len(data) // 3) :]


def _stuttered(data: bytes, draw: random.Random) -> bytes:
    begin = draw.randrange(len(data))
    piece = data[begin : begin + draw.randrange(1, 1 + len(data) // 3)]
    return data[:begin] + piece * draw.choice((2, 3)) + data[begin:]


def _shuffled(data: bytes, draw: random.Random) -> bytes:
    blocks = [data[begin : begin + 512] for begin in range(0, len(data), 512)]
    head, rest = blocks[:1], blocks[1:]
    draw.shuffle(rest)
    return b"".join(head + rest)


def _spliced(data: bytes, draw: random.Random) -> bytes:
    other = _bases()[draw.choice(list(BASES))]
    return data[: draw.randrange(len(data))] + other[draw.randrange(len(other)) :]


def _empty(_: bytes, __: random.Random) -> bytes:
    return b""


def _noise(_: bytes, draw: random.Random) -> bytes:
    return draw.randbytes(draw.choice((1, 16, 1000, 20_000)))


def _text(_: bytes, draw: random.Random) -> bytes:
    words = ("#EXTM3U\n", "ffconcat version 1.0\n", "file ", "WEBVTT\n", "the ", "\n", "<html>")
    return "".join(draw.choice(words) for _ in range(200)).encode()


def _whole(data: bytes, _: random.Random) -> bytes:
    return data


KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_truncated, _bits_flipped, _head_flipped, _extreme_numbers, _zeroed, _hole, _stuttered),
    *(_shuffled, _spliced, _empty, _noise, _text, _whole),
)


def damaged_files(seed: int, count: int, folder: Path) -> Iterator[Path]:
    """Write `count` files below `folder`, each named after its kind of damage; some are whole.

    All but one in twenty are of a kind that still looks like media.
    """
    draw = random.Random(seed)
    bases = _bases()
    hopeless = (_empty, _noise, _text)
    for index in range(count):
        kind = KINDS[index] if index < len(KINDS) else draw.choice(KINDS)
        if kind in hopeless and index >= len(KINDS) and draw.random() < 0.8:
            kind = _bits_flipped
        name = draw.choice(list(BASES))
        path = folder / f"{index:05}-{kind.__name__.strip('_')}-{name}"
        path.write_bytes(kind(bases[name], draw))
        yield path
