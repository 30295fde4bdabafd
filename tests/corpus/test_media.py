"""Media: every picture and every tone at its time, whatever the file, and nothing but a reason."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.corpus.clips import BLACK, WHITE, Clip, number, pattern, shown, write
from tests.corpus.damage import KINDS, damaged_files
from zhufeng.corpus._parts import Media, Span
from zhufeng.corpus.media import MediaError, frames, picture, probe, sound, spans

BROADCAST = Clip(fps=25, rate=44_100, codec="mpeg2video", audio="mp2")
CLIPS = {
    "h264.mp4": Clip(),
    "open.mp4": Clip(seconds=6, tones=((0.5, 1.0), (4.0, 4.5)), options=(("g", "12"),)),
    "h264.ts": Clip(seconds=6, options=(("g", "12"),)),
    "vp8.mkv": Clip(codec="libvpx", audio="libopus", rate=48_000),
    "vp9.webm": Clip(codec="libvpx-vp9", audio="libopus", rate=48_000, layout="stereo"),
    "mpeg4.avi": Clip(codec="mpeg4", audio="pcm_s16le"),
    "mpeg2.ts": BROADCAST,
    "mpeg1.mpg": replace(BROADCAST, codec="mpeg1video"),
    "mjpeg.mov": Clip(codec="mjpeg", pix_fmt="yuvj420p", audio="pcm_s16le"),
    "rgb.gif": Clip(codec="gif", pix_fmt="rgb8", audio=None),
    "ten_bits.mkv": Clip(codec="ffv1", pix_fmt="yuv420p10le", audio="flac"),
    "planes.avi": Clip(codec="utvideo", pix_fmt="gbrp", audio="pcm_s16le", layout="5.1"),
    "gray.mkv": Clip(codec="ffv1", pix_fmt="gray", audio="flac"),
    "packed.mov": Clip(codec="rawvideo", pix_fmt="uyvy422", audio=None),
    "deep.mov": Clip(codec="prores", pix_fmt="yuv422p10le", audio="pcm_s16le"),
    "odd.mkv": Clip(codec="ffv1", pix_fmt="yuv444p", width=129, height=97, audio="flac"),
    "later.mkv": Clip(start=5.0),
    "fast.mp4": Clip(fps=60, options=(("bf", "0"), ("refs", "1"))),
    "slow.mp4": Clip(fps=1, seconds=4),
    "interlaced.mp4": Clip(options=(("flags", "+ildct+ilme"), ("x264-params", "tff=1"))),
    "fragments.mp4": Clip(muxing=(("movflags", "frag_keyframe+empty_moov"),)),
}
SOUNDS = {
    "a.mp3": Clip(codec=None, audio="libmp3lame"),
    "a.ogg": Clip(codec=None, audio="libopus", rate=48_000),
    "a.wav": Clip(codec=None, audio="pcm_s16le", rate=44_100, layout="stereo"),
    "a.flac": Clip(codec=None, audio="flac", rate=96_000),
    "a.m4a": Clip(codec=None, format="mp4"),
}
# A picture's time stamp is rounded to the container's unit: 1 ms in Matroska.
ROUNDED_S = 0.002


def whole(media: Media) -> Span:
    return Span(t0=0.0, t1=media.duration_s)


def loud(samples: NDArray[np.float32]) -> list[tuple[float, float]]:
    """When it is loud, in seconds: the tone has an amplitude of 0.5."""
    length = 80
    level = np.abs(samples[: len(samples) // length * length].reshape(-1, length)).max(1) > 0.2
    edges = np.flatnonzero(np.diff(np.concatenate([[False], level, [False]]).astype(int)))
    return [(a * length / 16_000, b * length / 16_000) for a, b in edges.reshape(-1, 2)]


@pytest.mark.parametrize("name", CLIPS)
def test_every_picture_at_its_time(name: str, tmp_path: Path) -> None:
    clip = CLIPS[name]
    media = probe(write(tmp_path / name, clip))
    assert media.problems == ()
    assert (media.video, media.audio) == (True, clip.audio is not None)
    assert (media.width, media.height) == (clip.width, clip.height)
    assert media.fps == pytest.approx(clip.fps, rel=0.02)
    assert clip.seconds - 0.001 <= media.duration_s < clip.seconds + 0.25

    every = frames(tmp_path / name, whole(media), all_frames=True)
    # Some begin with sound: a frame of it, or as long as the picture's decoder lags behind.
    got = [(frame.t, number(frame.luma)) for frame in every]
    first_t = got[0][0]
    assert 0 <= first_t < 0.25
    assert every.problems == []
    assert len(got) == round(clip.seconds * clip.fps)
    for t, shows in got:
        assert shows == shown(clip, t - first_t + ROUNDED_S)

    fewer = [(frame.t, number(frame.luma)) for frame in frames(tmp_path / name, whole(media))]
    assert fewer[0] == got[0]
    assert set(fewer) <= set(got)
    gaps = np.diff([t for t, _ in fewer])
    assert gaps.max(initial=0) < 5 / clip.fps


@pytest.mark.parametrize(
    "name", [name for name, clip in CLIPS.items() if clip.audio] + list(SOUNDS)
)
def test_every_tone_at_its_time(name: str, tmp_path: Path) -> None:
    clip = {**CLIPS, **SOUNDS}[name]
    path = write(tmp_path / name, clip)
    media = probe(path)
    heard = sound(path, whole(media))
    assert heard.problems == ()
    assert heard.t0 == 0
    # On the clock of the pictures, which itself may begin later than the file.
    late = 0.0
    if media.video:
        late = next(iter(frames(path, whole(media)))).t
    assert len(heard.samples) == pytest.approx(16_000 * clip.seconds, abs=16_000 * 0.25)
    tones = loud(heard.samples)
    assert len(tones) == len(clip.tones)
    for (a, b), (t0, t1) in zip(tones, clip.tones, strict=True):
        assert a == pytest.approx(t0 + late, abs=0.012)
        assert b == pytest.approx(t1 + late, abs=0.012)
    middle = heard.samples[round(16_000 * (clip.tones[0][0] + 0.1)) :][:3200]
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.1)
    spectrum = np.abs(np.fft.rfft(middle))
    assert np.argmax(spectrum) * 5 == pytest.approx(440, abs=5)


@pytest.mark.parametrize(
    ("name", "white", "black"),
    [
        ("h264.mp4", WHITE, BLACK),
        ("ten_bits.mkv", WHITE, BLACK),
        ("deep.mov", WHITE, BLACK),
        ("packed.mov", WHITE, BLACK),
        ("planes.avi", WHITE, BLACK),
        ("rgb.gif", WHITE, BLACK),
        ("mjpeg.mov", 255, 0),
    ],
)
def test_luma_is_as_stored(name: str, white: int, black: int, tmp_path: Path) -> None:
    path = write(tmp_path / name, CLIPS[name])
    luma = next(iter(frames(path, Span(t0=0, t1=1)))).luma
    assert luma.dtype == np.uint8
    assert luma[5, 5] == pytest.approx(white, abs=4)
    assert luma[40, 5] == pytest.approx(black, abs=2)


@pytest.mark.parametrize(
    "name", ["open.mp4", "h264.ts", "vp9.webm", "mpeg2.ts", "mpeg4.avi", *SOUNDS]
)
def test_spans_joined_are_the_whole(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, {**CLIPS, **SOUNDS}[name])
    media = probe(path)
    one = [(frame.t, number(frame.luma)) for frame in frames(path, whole(media))]
    parts = spans(media, 0.7)
    assert len(parts) > 2
    joined = [(frame.t, number(frame.luma)) for part in parts for frame in frames(path, part)]
    assert joined == one

    straight = sound(path, whole(media)).samples
    position = 0
    for part in parts:
        heard = sound(path, part)
        assert round(heard.t0 * 16_000) == position
        expected = straight[position : position + len(heard.samples)]
        position += len(heard.samples)
        # Matroska's time stamps, from which a part begins to count, are whole milliseconds.
        got = heard.samples[: len(expected)]
        shifted = (np.roll(got, shift) - expected for shift in range(-20, 21))
        assert min(np.abs(difference[20:-20]).max() for difference in shifted) < 0.05
    assert position == pytest.approx(len(straight), abs=20)


@pytest.mark.parametrize(
    ("duration_s", "length_s", "count"), [(10, 3, 3), (1, 600, 1), (599, 1, 599)]
)
def test_spans_are_equal_and_cover(duration_s: float, length_s: float, count: int) -> None:
    media = Media(container="", codecs=(), duration_s=duration_s, video=True, audio=True)
    parts = spans(media, length_s)
    assert len(parts) == count
    assert (parts[0].t0, parts[-1].t1) == (0, duration_s)
    assert all(a.t1 == b.t0 for a, b in pairwise(parts))
    lengths = [part.t1 - part.t0 for part in parts]
    assert max(lengths) - min(lengths) < 1e-9


# The transformation matrices of ISO/IEC 14496-12 in a track's head: a, b, c, d of 16.16 bits.
TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


@pytest.mark.parametrize("clockwise", TURNS)
def test_a_telephones_video_stands_upright(clockwise: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Clip(audio=None))
    data = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in TURNS[clockwise])
    matrix = [a, b, 0, c, d, 0, 0, 0, 1 << 30]
    at = data.index(b"tkhd") + 4 + 4 + 20 + 16
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(data)

    upright = np.rot90(pattern(5, 128, 96), -clockwise // 90)
    media = probe(path)
    assert (media.height, media.width) == upright.shape
    luma = [frame.luma for frame in frames(path, whole(media), all_frames=True)][5]
    assert luma.shape == upright.shape
    assert np.abs(luma.astype(int) - upright).mean() < 10
    colours = picture(path, 0.5, 1000)
    assert colours.shape == (*upright.shape, 3)
    assert ((colours[:, :, 1] > 128) == (upright > 128)).mean() > 0.97


def test_bare_pictures_without_time_stamps_are_counted(tmp_path: Path) -> None:
    # A bare stream has no rate that FFmpeg believes: it takes 25 a second.
    path = write(tmp_path / "a.h264", Clip(audio=None, format="h264"))
    media = probe(path)
    assert media.duration_s == pytest.approx(20 / 25)
    for part in (whole(media), Span(t0=0.4, t1=0.8)):
        for frame in frames(path, part):
            assert number(frame.luma) == round(frame.t * 25)


def test_sound_that_begins_later_is_silence_before(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", Clip(sound_later=1.0, audio="flac", tones=((0.0, 0.5),)))
    ((a, b),) = loud(sound(path, Span(t0=0, t1=3)).samples)
    assert a == pytest.approx(1.0, abs=0.01)
    assert b == pytest.approx(1.5, abs=0.01)
    assert number(next(iter(frames(path, Span(t0=0, t1=3)))).luma) == 0


def test_a_gap_is_silence_and_moves_nothing(tmp_path: Path) -> None:
    tones = ((0.2, 0.4), (0.9, 1.1), (1.6, 1.8))
    clip = Clip(audio="flac", codec="mjpeg", pix_fmt="yuvj420p", tones=tones, holes=((0.7, 1.4),))
    path = write(tmp_path / "a.mkv", clip)
    heard = loud(sound(path, Span(t0=0, t1=2)).samples)
    assert np.array(heard) == pytest.approx(np.array([tones[0], tones[2]]), abs=0.011)
    times = [frame.t for frame in frames(path, Span(t0=0, t1=2))]
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9])
    # From within the gap on, too.
    ((a, b),) = loud(sound(path, Span(t0=1.0, t1=2)).samples)
    assert a == pytest.approx(0.6, abs=0.011)
    assert b == pytest.approx(0.8, abs=0.011)


def test_the_first_track_of_sound_is_heard_and_a_cover_is_no_video(tmp_path: Path) -> None:
    path = write(tmp_path / "two.mkv", Clip(voices=2))
    assert len(loud(sound(path, Span(t0=0, t1=2)).samples)) == 1
    path = write(tmp_path / "cover.mp3", replace(SOUNDS["a.mp3"], cover=True))
    with av.open(str(path)) as file:
        assert file.streams.video
    media = probe(path)
    assert (media.video, media.audio, media.width, media.codecs) == (False, True, None, ("mp3",))
    assert list(frames(path, whole(media))) == []


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    said = (("title", "A  lecture\n"), ("copyright", "CC BY 4.0"))
    media = probe(write(tmp_path / "a.mp4", Clip(metadata=said)))
    assert (media.title, media.licence) == ("A lecture", "CC BY 4.0")
    assert media.codecs == ("h264", "aac")
    assert "mp4" in media.container


def test_a_browsers_recording_states_no_length(tmp_path: Path) -> None:
    clip = replace(CLIPS["vp9.webm"], muxing=(("live", "1"),))
    path = write(tmp_path / "a.webm", clip)
    with av.open(str(path)) as file:
        assert file.duration is None
    media = probe(path)
    assert media.duration_s == pytest.approx(2.0, abs=0.02)
    assert [number(frame.luma) for frame in frames(path, Span(t0=1.5, t1=9))] == [
        15,
        16,
        17,
        18,
        19,
    ]


@pytest.mark.parametrize("name", ["front.mp4", "a.mkv", "a.ts", "a.avi"])
def test_a_truncated_file_gives_what_is_left(name: str, tmp_path: Path) -> None:
    muxing = (("movflags", "+faststart"),) if name == "front.mp4" else ()
    clip = Clip(seconds=8, fps=25, tones=(), muxing=muxing)
    if name == "a.avi":
        clip = replace(clip, codec="mpeg4", audio="pcm_s16le")
    data = write(tmp_path / name, clip).read_bytes()
    full = probe(tmp_path / name).duration_s
    before = 0.0
    for tenth in (7, 8, 9):
        path = tmp_path / f"{tenth}-{name}"
        path.write_bytes(data[: len(data) * tenth // 10])
        media = probe(path)
        assert before < media.duration_s < full - 0.1
        before = media.duration_s
        if full - media.duration_s > 1.1 and name not in ("a.ts", "a.avi"):
            assert any("ends after" in problem for problem in media.problems)
        got = frames(path, whole(media), all_frames=True)
        shows = [(round((frame.t + 1e-6) * 25), number(frame.luma)) for frame in got]
        # The last ones may be torn.
        assert len(shows) > 25 * (media.duration_s - 0.6)
        first = shows[0][0]
        assert all(index - first == shown for index, shown in shows[:-3])


def test_pictures_of_another_size_are_scaled_to_the_first(tmp_path: Path) -> None:
    halves = [replace(BROADCAST, audio=None, width=w, height=h) for w, h in SIZES]
    parts = [write(tmp_path / f"{c.width}.ts", c).read_bytes() for c in halves]
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    got = list(frames(tmp_path / "a.ts", Span(t0=0, t1=60)))
    assert len(got) >= 50
    assert {frame.luma.shape for frame in got} == {(96, 128)}


SIZES = ((128, 96), (192, 144))


def test_a_picture_at_a_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", CLIPS["open.mp4"])
    for t in (0.0, 0.05, 0.3, 1.99, 3.14, 5.9, 100.0):
        colours = picture(path, t, 64)
        assert colours.shape == (48, 64, 3)
        assert colours.dtype == np.uint8
        assert number(colours[:, :, 0]) == min(59, int(t * 10 + 1e-6))
    assert picture(path, 0, 1000).shape == (96, 128, 3)
    white, black = picture(path, 0, 128)[5, 5], picture(path, 0, 128)[40, 5]
    assert white.min() > 250
    assert black.max() < 5
    with pytest.raises(MediaError, match="no picture"):
        picture(write(tmp_path / "a.wav", SOUNDS["a.wav"]), 0, 64)


def test_what_is_no_media_is_a_reason(tmp_path: Path) -> None:
    for name, data, reason in (
        ("empty.mp4", b"", "empty file"),
        ("text.mp4", b"the quick brown fox\n" * 500, "not media: Invalid data found"),
        ("zeros.mkv", bytes(50_000), "not media"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "not media"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        for call in (probe, lambda path: list(frames(path, Span(t0=0, t1=1)))):
            with pytest.raises(MediaError, match=reason) as caught:
                call(path)
            assert str(tmp_path) not in str(caught.value)
    for path, reason in ((tmp_path, "not a file"), (tmp_path / "gone.mp4", "not a file")):
        with pytest.raises(MediaError, match=reason):
            probe(path)


def test_a_file_opens_no_other(tmp_path: Path) -> None:
    media = write(tmp_path / "inner.ts", CLIPS["mpeg2.ts"])
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.3)
    url = f"http://127.0.0.1:{server.getsockname()[1]}/inner.ts"
    calls: list[object] = []

    def listen() -> None:
        try:
            calls.append(server.accept())
        except TimeoutError:
            return

    listener = threading.Thread(target=listen)
    listener.start()
    segments = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
    mpd = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        '<Period><AdaptationSet mimeType="video/mp2t"><Representation id="1" bandwidth="1">'
        "<BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    )
    scripts = {
        "a.m3u8": segments.format("inner.ts"),
        "b.m3u8": segments.format(media),
        "c.m3u8": segments.format(url),
        "d.ffconcat": f"ffconcat version 1.0\nfile '{media}'\n",
        "e.mpd": mpd.format(url),
        "f.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "g.ts": segments.format(f"file:{media}"),
        "frame%03d.mp4": segments.format(media),
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(MediaError, match="not media"):
            probe(tmp_path / name)
    listener.join()
    server.close()
    assert calls == []


def test_heads_that_claim_too_much(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.mov", CLIPS["mjpeg.mov"]).read_bytes())
    at = 0
    while (at := data.find(b"\xff\xc0\x00\x11\x08", at + 1)) > 0:
        # A JPEG's height and width.
        data[at + 5 : at + 9] = (60_000).to_bytes(2, "big") * 2
    (tmp_path / "large.mov").write_bytes(data)
    media = probe(tmp_path / "large.mov")
    assert (media.video, media.audio, media.width) == (False, True, None)
    assert "no picture could be decoded" in media.problems

    data = bytearray(write(tmp_path / "a.wav", SOUNDS["a.wav"]).read_bytes())
    at = data.index(b"fmt ") + 12
    data[at : at + 4] = (1).to_bytes(4, "little")
    (tmp_path / "slow.wav").write_bytes(data)
    with pytest.raises(MediaError, match="1 Hz"):
        probe(tmp_path / "slow.wav")


def stamped(path: Path, stamps: Iterable[int]) -> Path:
    """Pictures that show their index, with these time stamps in tenths of a second."""
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        for index, stamp in enumerate(stamps):
            shows = np.stack([pattern(index, 64, 64)] * 3, 2)
            frame = av.VideoFrame.from_ndarray(shows).reformat(format="yuvj420p")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            for packet in stream.encode(frame):
                packet.pts = packet.dts = stamp
                packet.time_base = Fraction(1, 10)
                out.mux(packet)
    return path


def test_time_stamps_that_jump_for_ever_are_cut(tmp_path: Path) -> None:
    stamps = [*range(10), *(index * 10_000_000 for index in range(10, 20))]
    media = probe(stamped(tmp_path / "a.mkv", stamps))
    assert media.duration_s < 2
    assert any("jump" in problem for problem in media.problems)


def test_one_wrong_time_stamp_costs_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    data = bytearray(stamped(path, range(20)).read_bytes())
    # A Matroska block: its track, its milliseconds in the cluster, its flags, then the JPEG.
    at = data.index(b"\x81" + (500).to_bytes(2, "big") + b"\x80\xff\xd8")
    data[at + 1 : at + 3] = (1450).to_bytes(2, "big")
    path.write_bytes(data)
    got = frames(path, Span(t0=0, t1=2))
    assert [number(frame.luma) for frame in got] == [*range(5), *range(6, 20)]
    assert got.problems == ["1 picture is out of order"]


def outcome(path: Path) -> object:
    """All that a file gives, and that it gives no more than this."""
    try:
        media = probe(path)
    except MediaError as error:
        reason = str(error)
    else:
        reason = ""
    assert str(path.parent) not in reason
    if reason:
        return reason
    given: list[object] = [media]
    problems = [*media.problems]
    for span in spans(media, 30)[:4]:
        got = frames(path, span)
        pictures = [(frame.t, frame.luma.shape, frame.luma.tobytes()) for frame in got]
        times = [t for t, _, _ in pictures]
        assert times == sorted(set(times))
        assert all(span.t0 <= t < span.t1 for t in times)
        heard = sound(path, span)
        assert len(heard.samples) <= (span.t1 - span.t0) * 16_000 + 1
        assert np.isfinite(heard.samples).all()
        problems += [*got.problems, *heard.problems]
        given += [pictures, heard.samples.tobytes(), tuple(got.problems), heard.problems]
    assert all(len(problem) < 200 and "0x" not in problem for problem in problems)
    return given


def check_damaged(seed: int, count: int, folder: Path) -> None:
    kinds = set()
    for path in damaged_files(seed, count, folder):
        first = outcome(path)
        assert outcome(path) == first
        kinds.add(path.name.split("-")[1])
        path.unlink()
    assert len(kinds) == len(KINDS)


def test_damaged_files_give_what_they_can(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check_damaged(1, 100, tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.soak
def test_many_damaged_files(tmp_path: Path) -> None:
    check_damaged(2, 5000, tmp_path)
