"""Where somebody speaks, and where nobody does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zhufeng.base import needs_extra
from zhufeng.corpus.speech._models import voice_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

RATE_HZ = 16_000
FRAME = 512
"""Samples that the detector judges at once: 32 ms."""

_CONTEXT = 64
_STATE = (1, 1, 128)
_AT_ONCE = 2048  # frames; more take memory and save no time
# The detector's own figures (github.com/snakers4/silero-vad): voice begins above the one and
# ends below the other.
_BEGINS, _ENDS = 0.5, 0.35
_SHORTEST_FRAMES = 6
# Between words there are shorter breaks.
_PAUSE_FRAMES = 9
_SMOOTHED_FRAMES = 13


@dataclass(frozen=True)
class Stretch:
    """Voice without a pause, in samples of the sound it was found in."""

    begin: int
    end: int


class VoiceDetector:
    """Silero's detector, on one thread."""

    def __init__(self) -> None:
        with needs_extra("corpus"):
            import onnxruntime  # noqa: PLC0415 (slow to import)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            str(voice_model()), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, samples: Samples) -> NDArray[np.float32]:
        """How probable voice is in each frame: [ceil(n / `FRAME`)]."""
        count = -(-len(samples) // FRAME)
        if not count:
            return np.zeros(0, np.float32)
        # Each frame is judged with the end of the one before it.
        padded = np.zeros(_CONTEXT + count * FRAME, np.float32)
        padded[_CONTEXT : _CONTEXT + len(samples)] = samples
        frames = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + FRAME)[::FRAME]
        h = c = np.zeros(_STATE, np.float32)
        found: list[NDArray[np.float32]] = []
        for first in range(0, count, _AT_ONCE):
            batch = np.ascontiguousarray(frames[first : first + _AT_ONCE])
            probabilities, h, c = self._session.run(None, {"input": batch, "h": h, "c": c})
            found.append(probabilities.reshape(-1))
        return np.concatenate(found)


def stretches(voice: NDArray[np.float32], longest_s: float) -> list[Stretch]:
    """Voice between pauses of about 0.3 s, none longer than `longest_s`.

    Args:
        voice: probabilities, by frames; see `VoiceDetector`.
        longest_s: what is longer is divided where voice is least probable.
    """
    longest = int(longest_s * RATE_HZ / FRAME)
    found: list[Stretch] = []
    for begin, end in _voiced(voice):
        for left, right in _divided(voice, begin, end, longest):
            found.append(Stretch(left * FRAME, right * FRAME))
    return found


def quietest(samples: Samples, voice: NDArray[np.float32]) -> int:
    """The sample in the middle of the 0.4 s with the least voice and sound."""
    if not len(voice):
        return 0
    padded = np.zeros(len(voice) * FRAME, np.float32)
    padded[: len(samples)] = samples
    loudness = np.sqrt(np.square(padded.reshape(-1, FRAME)).mean(axis=1, dtype=np.float64))
    noise = voice + loudness / max(float(loudness.max()), 1e-9)
    return int(np.argmin(_smoothed(noise, _SMOOTHED_FRAMES))) * FRAME + FRAME // 2


def _voiced(voice: NDArray[np.float32]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    begin: int | None = None
    last = 0
    for frame, probability in enumerate([*voice.tolist(), *[0.0] * _PAUSE_FRAMES]):
        if begin is None:
            if probability >= _BEGINS:
                begin, last = frame, frame
        elif probability >= _ENDS:
            last = frame
        elif frame - last >= _PAUSE_FRAMES:
            found.append((begin, last + 1))
            begin = None
    return [(begin, end) for begin, end in found if end - begin >= _SHORTEST_FRAMES]


def _divided(
    voice: NDArray[np.float32], begin: int, end: int, longest: int
) -> list[tuple[int, int]]:
    parts = []
    while end - begin > longest:
        first = begin + longest // 2
        smooth = _smoothed(voice[first - 2 : begin + longest + 2].astype(np.float64), 5)
        cut = first + int(np.argmin(smooth[2:-2]))
        parts.append((begin, cut))
        begin = cut
    return [*parts, (begin, end)]


def _smoothed(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    # Beyond the ends is no quiet.
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid")
