"""Settings of speech recognition."""

from __future__ import annotations

from zhufeng.base import record


@record
class SpeechConfig:
    """What listens, and how hard."""

    model: str | None = None
    """A Whisper model for CTranslate2: a folder, a name ("base") or a hub repository
    ("owner/name"); without it a packaged one, or the hub's "base"."""
    language: str | None = None
    """Whisper's code of the only language spoken ("en"); found stretch by stretch without it."""
    beam: int = 2
    """Hypotheses kept in decoding; what is decoded badly is tried again with five."""
    window_s: float = 20.0
    """The longest stretch recognised at once, in seconds of sound."""

    def __post_init__(self) -> None:
        if not 1 <= self.beam <= 20:
            raise ValueError("between 1 and 20 hypotheses")
        if not 5 <= self.window_s <= 29:
            raise ValueError("windows of 5 to 29 seconds")
