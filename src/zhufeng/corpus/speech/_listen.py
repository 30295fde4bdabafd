"""The speech of a span of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zhufeng.base import InputError
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Heard, Media, Span
from zhufeng.corpus.media import sound
from zhufeng.corpus.speech._config import SpeechConfig
from zhufeng.corpus.speech._models import find_model
from zhufeng.corpus.speech._recognise import recognised
from zhufeng.corpus.speech._utterances import utterances
from zhufeng.corpus.speech._voice import RATE_HZ, VoiceDetector, quietest, stretches
from zhufeng.corpus.speech._whisper import Whisper
from zhufeng.corpus.speech._windows import packed

if TYPE_CHECKING:
    from zhufeng.corpus.speech._voice import Samples

BORDER_S = 10.0
"""How far a border between spans may move to where nobody speaks."""


class Listener:
    """The models, loaded once for many spans."""

    def __init__(self, config: SpeechConfig, device: str = "cpu") -> None:
        """Load them.

        Args:
            config: which model, and how hard it listens.
            device: "cpu" (one thread, int8) or "cuda" (float16).

        Raises:
            InputError: no such model, it cannot be loaded on the device, or it does not know
                the language.
            MissingExtraError: without the extra ``corpus``.
        """
        found = find_model(config.model)
        self.config = config
        self.whisper = Whisper(found.folder, device)
        self.voice = VoiceDetector()
        if config.language is not None and not self.whisper.knows(config.language):
            raise InputError(
                f"the speech model {found.name} does not know the language '{config.language}'",
                expected="a code such as en" + (" or zh" if self.whisper.multilingual else ""),
                came=config.language,
                do="name another language or model, or leave the language out",
            )

    def hear(self, samples: Samples, t0: float, meter: Meter) -> Heard:
        """The speech in a sound.

        Args:
            samples: [n], one channel at 16 kHz.
            t0: time of the first one, in seconds.
            meter: counts "vad" and "speech".
        """
        with meter.step("vad"):
            voiced = stretches(self.voice(samples), self.config.window_s)
        with meter.step("speech"):
            windows = packed(voiced, len(samples), self.config.window_s)
            found = recognised(
                self.whisper, samples, windows, self.config.language, self.config.beam
            )
            return Heard(
                utterances=utterances(found, t0),
                speech_s=round(sum(one.end - one.begin for one in voiced) / RATE_HZ, 3),
            )


def listen(path: Path, media: Media, span: Span, listener: Listener, meter: Meter) -> Heard:
    """The speech of a span.

    A border inside the file is moved by up to `BORDER_S` to where the least is heard. Where
    depends on the file and that border alone, so that neighbours agree and no word is lost or
    said twice; spans must be at least twice as long.

    Args:
        path: a media file; without sound nothing is heard.
        media: what it is.
        span: nominally, in seconds.
        listener: the models.
        meter: counts "sound", "vad" and "speech".

    Raises:
        MediaError: the file is not media.
    """
    if not media.audio:
        return Heard()
    t0 = _border(path, media, span.t0, listener, meter)
    t1 = _border(path, media, span.t1, listener, meter)
    with meter.step("sound"):
        heard = sound(path, Span(t0=t0, t1=t1))
    return _with_problems(listener.hear(heard.samples, heard.t0, meter), heard.problems)


def _with_problems(heard: Heard, problems: tuple[str, ...]) -> Heard:
    return Heard(utterances=heard.utterances, speech_s=heard.speech_s, problems=problems)


def _border(path: Path, media: Media, t: float, listener: Listener, meter: Meter) -> float:
    if t <= 0 or t >= media.duration_s:
        return t
    with meter.step("sound"):
        around = Span(t0=max(0.0, t - BORDER_S), t1=min(media.duration_s, t + BORDER_S))
        heard = sound(path, around)
    with meter.step("vad"):
        return heard.t0 + quietest(heard.samples, listener.voice(heard.samples)) / RATE_HZ
