"""What a file is and how long, by its packets rather than by its word."""

from __future__ import annotations

from array import array
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from zhufeng.corpus._parts import Media, Span
from zhufeng.corpus.media._luma import upright_size
from zhufeng.corpus.media._source import MediaError, Source, Tally, fits, opened

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

# Formats whose head states a length. Others are measured or guessed from the rate of bits, and
# that they end elsewhere is no damage.
_STATES_LENGTH = ("asf", "avi", "flac", "flv", "matroska", "mov", "mxf", "wav")
_LENGTH_SLACK = 0.02
_LENGTH_SLACK_S = 1.0

# A time stamp so far from the one before it is damage.
_MAX_GAP_S = 3600.0
_MAX_FPS = 1000.0
_STEP_S = 0.04
_TITLE_CHARACTERS = 300


class _Track:
    """What the packets of a stream tell."""

    def __init__(self) -> None:
        self.begins = array("d")
        self.ends = array("d")
        self.packets = 0
        self.size: tuple[int, int] | None = None
        self.decoded = False

    @property
    def fps(self) -> float | None:
        """Pictures a second, by their number and their times."""
        if len(self.begins) <= 1:
            return None
        length = max(self.begins) - min(self.begins)
        fps = (len(self.begins) - 1) / length if length > 0 else 0.0
        return round(fps, 3) if 0 < fps <= _MAX_FPS else None


def probe(path: Path) -> Media:
    """Read every packet of a file, and decode the first picture and the first sound.

    Raises:
        MediaError: it is not media, or gives neither a picture nor sound.
    """
    tally = Tally()
    with opened(path, tally) as source:
        if source.video is None and source.audio is None:
            raise MediaError("; ".join(tally.lines()) or "neither picture nor sound in it")
        picture, sound = _scan(source)
        if not picture.decoded and not sound.decoded:
            raise MediaError("neither picture nor sound can be decoded")
        if source.video is not None and not picture.decoded:
            tally.note("no picture could be decoded")
        if source.audio is not None and not sound.decoded:
            tally.note("no sound could be decoded")
        duration_s = _duration_s(source, picture, sound)
        used = [
            stream
            for stream, track in ((source.video, picture), (source.audio, sound))
            if stream is not None and track.decoded
        ]
        width, height = picture.size or (None, None)
        return Media(
            container=source.container.format.name,
            codecs=tuple(stream.codec_context.codec.canonical_name for stream in used),
            duration_s=duration_s,
            video=picture.decoded,
            audio=sound.decoded,
            width=width,
            height=height,
            fps=picture.fps,
            title=_said(source, "title"),
            licence=_said(source, "license", "licence", "copyright"),
            problems=tally.lines(),
        )


def spans(media: Media, length_s: float) -> tuple[Span, ...]:
    """Equal stretches of about `length_s` seconds that together are the whole, at least one."""
    assert length_s > 0
    count = max(1, round(media.duration_s / length_s))
    edges = [media.duration_s * i / count for i in range(count)] + [media.duration_s]
    return tuple(Span(t0=t0, t1=t1) for t0, t1 in pairwise(edges))


def _scan(source: Source) -> tuple[_Track, _Track]:
    picture, sound = _Track(), _Track()
    streams = [stream for stream in (source.video, source.audio) if stream is not None]
    for packet in source.packets(*streams):
        track = picture if packet.stream is source.video else sound
        track.packets += 1
        begin = source.time(packet.pts, packet.stream)
        if begin is not None:
            track.begins.append(begin)
            base = packet.time_base
            length = (packet.duration or 0) * base.numerator / base.denominator
            track.ends.append(begin + length)
        if track is picture and not picture.decoded:
            _look(source, picture, packet)
        elif track is sound and not sound.decoded:
            sound.decoded = any(frame.samples for frame in source.sounds(packet))
    if source.video is not None and not picture.decoded:
        _look(source, picture, None)
    if source.audio is not None and not sound.decoded:
        sound.decoded = any(frame.samples for frame in source.sounds(None))
    return picture, sound


def _look(source: Source, track: _Track, packet: Packet[Stream] | None) -> None:
    for frame in source.pictures(packet):
        if fits(frame.width, frame.height):
            track.decoded = True
            track.size = upright_size(frame)


def _duration_s(source: Source, picture: _Track, sound: _Track) -> float:
    step = 1 / picture.fps if picture.fps else _STEP_S
    last_picture = max(picture.begins, default=-step) + step
    ends = array("d", sorted([*picture.ends, *sound.ends, last_picture]))
    duration_s = _until_gap(ends)
    if duration_s < ends[-1]:
        source.tally.note(
            f"time stamps jump by more than {_MAX_GAP_S / 3600:.0f} h after {duration_s:.1f} s: "
            "the rest is left out"
        )
    if duration_s <= 0:
        # Bare streams have no times: their pictures are counted.
        return max(picture.packets * step, step)
    stated_s = _stated_s(source)
    if stated_s > duration_s * (1 + _LENGTH_SLACK) + _LENGTH_SLACK_S:
        source.tally.note(f"ends after {duration_s:.1f} s of the {stated_s:.1f} s that it states")
    return duration_s


def _until_gap(ends: array[float]) -> float:
    end = 0.0
    for later in ends:
        if later > end + _MAX_GAP_S:
            break
        end = max(end, later)
    return end


def _stated_s(source: Source) -> float:
    if not source.container.format.name.startswith(_STATES_LENGTH):
        return 0.0
    lengths = [
        float(stream.duration * stream.time_base)
        for stream in (source.video, source.audio)
        if stream is not None and stream.duration is not None and stream.time_base
    ]
    if lengths:
        return max(lengths)
    # Matroska's is the last time stamp rather than a length.
    return (source.container.duration or 0) / 1_000_000 - max(0.0, float(source.start))


def _said(source: Source, *keys: str) -> str | None:
    """What the file's own metadata says under the first of `keys` that it has."""
    said = {key.lower(): value for key, value in source.container.metadata.items()}
    texts = (" ".join(said.get(key, "").split()) for key in keys)
    return next((text[:_TITLE_CHARACTERS] for text in texts if text), None)
