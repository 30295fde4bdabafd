"""Settings of the screen reader."""

from __future__ import annotations

from zhufeng.base import record

_LEAST_PX = 320
_MOST_SAMPLES = 60


@record
class ScreenConfig:
    """How closely the picture is looked at."""

    samples_per_s: float = 8.0
    """How often text is looked for; what stands for three samples is read."""
    detect_px: int = 640
    """Long side of a moving picture when text is looked for in the whole of it."""
    detect_still_px: int = 960
    """The same for a picture that stands still."""
    detect_small_px: int = 1920
    """The same for the parts of a still picture in which small text was found."""
    min_conf: float = 0.5
    """Text read with less confidence is dropped."""

    def __post_init__(self) -> None:
        if not 1 <= self.samples_per_s <= _MOST_SAMPLES:
            raise ValueError("between 1 and 60 samples a second")
        if min(self.detect_px, self.detect_still_px, self.detect_small_px) < _LEAST_PX:
            raise ValueError("pictures of at least 320 pixels to find text in")
        if not 0 <= self.min_conf <= 1:
            raise ValueError("min_conf between 0 and 1")
