"""A stranger's file, opened so that it can neither reach anything else nor end the process."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar

from zhufeng.base import needs_extra
from zhufeng.corpus._parts import ItemError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    S = TypeVar("S", VideoStream, AudioStream)

Skip = Literal["DEFAULT", "NONREF"]

# Demuxers that read one file and nothing beside it. Playlists (hls, dash, concat, imf), lists of
# pictures, capture devices and text that draws itself (tty) are not among them: a file must not
# make us read another, here or on the network.
_DEMUXERS = (
    "3dostr,aac,ac3,aiff,amr,amrnb,amrwb,ape,apng,asf,au,av1,avi,caf,dirac,dts,dv,eac3,flac,flv,"
    "gif,h263,h264,hevc,ivf,m4v,matroska,mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,mpegtsraw,mpegvideo,"
    "mxf,nsv,nut,obu,ogg,oma,rm,swf,tak,truehd,tta,voc,vvc,w64,wav,wtv,wv"
)

# 8K at 16:9 or less, either way up. A decoder may hold 17 such pictures, 57 MB each.
MAX_SIDE = 8192
_MAX_PIXELS = 8192 * 4608

# From a quarter of what a telephone carries to the highest rate that a recorder offers.
_RATES = range(2000, 768_001)
_MAX_CHANNELS = 64
# About two minutes at 32 kHz in one frame: no codec has longer ones.
_MAX_SAMPLES = 1 << 22

_READ_BYTES = 1 << 18
# A demuxer that fails this often in a row does not move on.
_MAX_FAILURES = 64
# Every packet has some bytes of its own and some in an index or a page's head.
_PACKET_BYTES = 2
# Seconds before the wanted time to look for a key frame, when a seek has landed after it.
_BACK_S = (0, 2, 10, 60)


class MediaError(ItemError):
    """The file yields nothing at all; the text is a short reason for a person, without a path."""


class Tally:
    """What went wrong, counted by kind, so that a thousand broken packets are one line."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._notes: list[str] = []

    def add(self, one: str, many: str) -> None:
        """Count one more of a kind; `many` is the kind's plural."""
        self._counts[one, many] += 1

    def note(self, text: str) -> None:
        """Keep a sentence that is not counted."""
        if text not in self._notes:
            self._notes.append(text)

    def lines(self) -> tuple[str, ...]:
        """One line a kind, in the order of their first appearance."""
        counted = (
            f"1 {one}" if count == 1 else f"{count} {many}"
            for (one, many), count in self._counts.items()
        )
        return (*self._notes, *counted)


class _OneFile:
    """A file without its name: what is in a file decides how it is read, not what it is called."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


def _refuse(url: str, flags: int, options: dict[str, str]) -> BinaryIO:  # noqa: ARG001 (PyAV's)
    raise PermissionError("a media file must not open another")


class Source:
    """An open file, the streams in use and the time at which it begins."""

    def __init__(self, file: BinaryIO, tally: Tally, skip: Skip) -> None:
        """Read the head of `file`.

        Raises:
            MediaError: it is not media.
        """
        with needs_extra("corpus"):
            import av  # noqa: PLC0415 (slow to import)
        self.failures: tuple[type[Exception], ...] = (
            av.FFmpegError,
            ArithmeticError,
            LookupError,
            MemoryError,
            OSError,
            RuntimeError,
            ValueError,
        )
        self.tally = tally
        self._file = file
        self._skip = skip
        self.bytes = os.fstat(file.fileno()).st_size
        self._open()

    def _open(self) -> None:
        import av  # noqa: PLC0415 (slow to import)

        self._file.seek(0)
        try:
            self.container: InputContainer = av.open(
                _OneFile(self._file),
                "r",
                options={
                    "format_whitelist": _DEMUXERS,
                    "max_pixels": str(_MAX_PIXELS),
                    "protocol_whitelist": "none",
                    "threads": "1",
                },
                metadata_errors="replace",
                buffer_size=_READ_BYTES,
                io_open=_refuse,
            )
        except self.failures as error:
            raise MediaError(f"not media: {_reason(error)}") from None
        self.video: VideoStream | None = self._picture()
        self.audio: AudioStream | None = self._sound()
        for stream in self.container.streams:
            if stream not in (self.video, self.audio):
                stream.discard = av.stream.Discard.all
        starts = [
            stream.start_time * _base(stream)
            for stream in (self.video, self.audio)
            if stream is not None and stream.start_time is not None
        ]
        self.start = min(starts, default=Fraction(0))

    def _picture(self) -> VideoStream | None:
        import av  # noqa: PLC0415 (slow to import)

        still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
        moving = [
            stream for stream in self.container.streams.video if not stream.disposition & still
        ]
        stream = _first_usable(moving, self.tally, "picture")
        if stream is None:
            return None
        context = stream.codec_context
        if not fits(context.width, context.height):
            self.tally.note(
                f"the picture is said to be {context.width}x{context.height}: too large, not read"
            )
            return None
        _one_thread(stream)
        context.skip_frame = self._skip
        return stream

    def _sound(self) -> AudioStream | None:
        stream = _first_usable(list(self.container.streams.audio), self.tally, "sound")
        if stream is None:
            return None
        context = stream.codec_context
        if context.sample_rate not in _RATES or not 0 < context.channels <= _MAX_CHANNELS:
            self.tally.note(
                f"the sound is said to have {context.sample_rate} Hz and {context.channels} "
                "channels: not read"
            )
            return None
        _one_thread(stream)
        return stream

    def time(self, stamp: int | None, stream: Stream) -> float | None:
        """Seconds from the beginning of the file, of a time stamp of `stream`."""
        if stamp is None:
            return None
        # In whole numbers: there are a million packets in a long file.
        base, start = _base(stream), self.start
        ticks = stamp * base.numerator * start.denominator - start.numerator * base.denominator
        return ticks / (base.denominator * start.denominator)

    def packets(self, *streams: Stream) -> Iterator[Packet[Stream]]:
        """The packets of `streams` from here on, past what cannot be read."""
        import av  # noqa: PLC0415 (slow to import)

        for stream in (self.video, self.audio):
            if stream is not None:
                used = stream in streams
                stream.discard = av.stream.Discard.default if used else av.stream.Discard.all
        left = 1000 + self.bytes // _PACKET_BYTES
        failures = 0
        while failures < _MAX_FAILURES:
            try:
                for packet in self.container.demux(streams):
                    # An empty packet tells a decoder that the file ends.
                    if packet.size:
                        failures = 0
                        yield packet
                    left -= 1
                    if left < 0:
                        self.tally.note("it has more packets than bytes to hold them")
                        return
            except self.failures:
                failures += 1
                self.tally.add("stretch could not be read", "stretches could not be read")
            else:
                return

    def packets_from(self, stream: Stream, t: float) -> Iterator[Packet[Stream]]:
        """The packets of `stream`, from a key frame at or before `t`."""
        for back in _BACK_S:
            if t - back <= 0:
                break
            target = int((Fraction(t - back) + self.start) / _base(stream))
            try:
                self.container.seek(target, stream=stream)
            except self.failures:
                break
            packets = self.packets(stream)
            for packet in packets:
                if packet.is_keyframe:
                    break
            else:
                continue
            landed = self.time(packet.pts, stream)
            if landed is not None and landed <= t:
                yield packet
                yield from packets
                return
        if t > 0:
            # A stream dies with its container, and damage may show another one next time.
            is_picture = stream is self.video
            self.container.close()
            self._open()
            again = self.video if is_picture else self.audio
            if again is None:
                self.tally.note("a stream was not found again")
                return
            stream = again
        yield from self.packets(stream)

    def pictures(self, packet: Packet[Stream] | None) -> list[VideoFrame]:
        """What the decoder gives for a packet; for None, what it still holds."""
        if self.video is None:
            return []
        try:
            return self.video.codec_context.decode(packet)
        except self.failures:
            self.tally.add(
                "packet of the picture could not be decoded",
                "packets of the picture could not be decoded",
            )
            return []

    def sounds(self, packet: Packet[Stream] | None) -> list[AudioFrame]:
        """As `pictures`, of the sound."""
        if self.audio is None:
            return []
        try:
            return self.audio.codec_context.decode(packet)
        except self.failures:
            self.tally.add(
                "packet of the sound could not be decoded",
                "packets of the sound could not be decoded",
            )
            return []


@contextmanager
def opened(path: Path, tally: Tally, skip: Skip = "DEFAULT") -> Iterator[Source]:
    """Open `path` and close it again; pictures of the kind `skip` are not decoded.

    Raises:
        MediaError: it cannot be read, or is not media.
    """
    if not path.is_file():
        raise MediaError("not a file")
    try:
        file = path.open("rb")
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}") from None
    with file:
        if not os.fstat(file.fileno()).st_size:
            raise MediaError("empty file")
        source = Source(file, tally, skip)
        try:
            yield source
        finally:
            source.container.close()


def fits(width: int, height: int) -> bool:
    """Whether a picture of this size is one that we decode."""
    return max(width, height) <= MAX_SIDE and width * height <= _MAX_PIXELS


def _base(stream: Stream) -> Fraction:
    return stream.time_base or Fraction(1, 1_000_000)


def _reason(error: Exception) -> str:
    # FFmpeg's own words for the code; the rest of the text names the file.
    from av.error import ArgumentError  # noqa: PLC0415 (slow to import)

    if isinstance(error, ArgumentError):
        return "a kind of file that is not opened"
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _first_usable(streams: list[S], tally: Tally, what: str) -> S | None:
    import av  # noqa: PLC0415 (slow to import)

    # PyAV's stubs do not say that a codec which FFmpeg does not know has no context.
    known = [stream for stream in streams if getattr(stream, "codec_context", None)]
    if streams and not known:
        tally.note(f"no decoder for the {what}")
    chosen = [stream for stream in known if stream.disposition & av.stream.Disposition.default]
    return next(iter(chosen + known), None)


def _one_thread(stream: VideoStream | AudioStream) -> None:
    context = stream.codec_context
    context.thread_count = 1
    context.options = {
        "max_pixels": str(_MAX_PIXELS),
        "max_samples": str(_MAX_SAMPLES),
        # Blocks show a little at their edges; text and cuts are found as well, for a quarter of
        # the decoder's work less.
        "skip_loop_filter": "all",
    }
