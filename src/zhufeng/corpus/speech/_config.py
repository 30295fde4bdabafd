"""Settings of speech recognition."""

from __future__ import annotations

from zhufeng.base import record

_MOST_HYPOTHESES = 20
# Whisper hears 30 s at once; the windows have margins.
_WINDOWS_S = (5, 29)


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
    window_s: float = 15.0
    """The longest stretch recognised at once, in seconds of sound."""

    def __post_init__(self) -> None:
        if not 1 <= self.beam <= _MOST_HYPOTHESES:
            raise ValueError(f"between 1 and {_MOST_HYPOTHESES} hypotheses")
        shortest, longest = _WINDOWS_S
        if not shortest <= self.window_s <= longest:
            raise ValueError(f"windows of {shortest} to {longest} seconds")
