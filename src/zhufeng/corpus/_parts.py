"""What the stages of the pipeline hand on: small frozen records, never frames or sound.

A video is worked on in spans (see `Span`), and each stage leaves one of these records a span.
All times are seconds from the beginning of the whole video, never of the span.
"""

from __future__ import annotations

from zhufeng.base import record

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as fractions of the picture's width and height."""


class ItemError(Exception):
    """A file, or a span of it, that yields nothing; the text says why, for people.

    It must be the same wherever the file lies: no paths in it.
    """


@record
class Span:
    """A stretch of a video that one worker handles: ``t0 <= t < t1``."""

    t0: float
    t1: float


@record
class Media:
    """What a file is, as far as its head and its packets tell."""

    container: str
    codecs: tuple[str, ...]
    """Of the streams in use: video first, then sound."""
    duration_s: float
    video: bool
    """Whether there is a picture that moves: a cover image is none."""
    audio: bool
    width: int | None = None
    height: int | None = None
    """As shown: turned as the file says."""
    fps: float | None = None
    title: str | None = None
    licence: str | None = None
    problems: tuple[str, ...] = ()
    """What is damaged, for a person; the media is then partial."""


@record
class Word:
    """A word as it was spoken; a Chinese "word" is what the recogniser took for one."""

    t0: float
    t1: float
    text: str
    """With the space that stands before it, if any."""
    prob: float


@record
class Utterance:
    """A stretch of speech, about a sentence."""

    t0: float
    t1: float
    text: str
    words: tuple[Word, ...]
    lang: str
    """ISO 639-1."""
    avg_logprob: float
    """Mean log probability of its tokens: below about -1 it is guessed."""
    no_speech_prob: float
    compression_ratio: float
    """Bytes of text over bytes compressed: above about 2.4 it repeats itself."""


@record
class Heard:
    """The speech of a span."""

    utterances: tuple[Utterance, ...] = ()
    speech_s: float = 0.0
    """How long the voice detector heard somebody."""
    problems: tuple[str, ...] = ()


@record
class ScreenLine:
    """A line of text that stood on the screen from `t0` to `t1` without a change."""

    t0: float
    t1: float
    text: str
    conf: float
    bbox: Box
    static: bool
    """Whether the picture around it stood still (a slide) or moved behind it (a subtitle)."""


@record
class Watched:
    """The picture of a span: its shots and its text."""

    shots: tuple[tuple[float, float], ...] = ()
    lines: tuple[ScreenLine, ...] = ()
    """By `t0`, then top to bottom."""
    problems: tuple[str, ...] = ()


@record
class Caption:
    """What a vision-language model says of a shot."""

    t0: float
    t1: float
    text: str


@record
class Captioned:
    """The captions of a span, one a shot, repetitions left out."""

    captions: tuple[Caption, ...] = ()
    problems: tuple[str, ...] = ()
    passing: bool = False
    """Whether some are missing for a reason that may have passed by another time."""
