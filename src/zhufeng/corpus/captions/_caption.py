"""Captions, one a shot."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Caption, Captioned
from zhufeng.corpus.captions._config import CaptionConfig
from zhufeng.corpus.captions._errors import NoAnswerError, NoCaptionError
from zhufeng.corpus.media import MediaError, picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of the characters that two captions share, in their order: above it they say the same.
_ALIKE = 0.9


class Captioner:
    """Describes shots."""

    def __init__(self, config: CaptionConfig, device: str = "cpu") -> None:
        """Load the model, or see whether the endpoint answers.

        Args:
            config: must name a model or an endpoint.
            device: where the model runs ("cpu", "cuda").

        Raises:
            InputError: there is no such model, or nobody answers.
            MissingExtraError: without the extra ``train``.
        """
        self._config = config
        self._describe: Callable[[NDArray[np.uint8]], str]
        if config.model is not None:
            from zhufeng.corpus.captions._local import LocalModel  # noqa: PLC0415 (seldom used)

            self._describe = LocalModel(config, device).describe
        else:
            from zhufeng.corpus.captions._endpoint import Endpoint  # noqa: PLC0415 (seldom used)

            self._describe = Endpoint(config).describe

    def caption(
        self, path: Path, shots: tuple[tuple[float, float], ...], meter: Meter
    ) -> Captioned:
        """Describe each shot by the picture at its middle.

        A shot that looks to the model like the one before it lengthens that one's caption.

        Args:
            path: a media file.
            shots: begins and ends, in seconds, in order.
            meter: counts the time under "caption".
        """
        captions: list[Caption] = []
        problems: Counter[str] = Counter()
        passing = False
        for t0, t1 in shots:
            if t1 - t0 < self._config.at_least_s:
                continue
            try:
                with meter.step("caption"):
                    shown = picture(path, (t0 + t1) / 2, self._config.long_side)
                    text = _tidy(self._describe(shown))
            except (MediaError, NoCaptionError) as error:
                problems[str(error)] += 1
                passing |= isinstance(error, NoAnswerError)
                continue
            if captions and same(captions[-1].text, text):
                captions[-1] = Caption(t0=captions[-1].t0, t1=t1, text=captions[-1].text)
            else:
                captions.append(Caption(t0=t0, t1=t1, text=text))
        told = (
            f"{count} {'shot' if count == 1 else 'shots'} without a caption: {reason}"
            for reason, count in sorted(problems.items())
        )
        return Captioned(captions=tuple(captions), problems=tuple(told), passing=passing)


def same(one: str, other: str) -> bool:
    """Whether two captions say the same, but for spelling and a word."""
    a, b = _plain(one), _plain(other)
    return a == b or SequenceMatcher(None, a, b, autojunk=False).ratio() >= _ALIKE


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def _tidy(text: str) -> str:
    # Control characters and line breaks come from no picture.
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not line:
        raise NoCaptionError("the model said nothing")
    return line
