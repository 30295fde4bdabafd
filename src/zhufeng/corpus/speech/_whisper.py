"""Whisper on CTranslate2: sound to states, states to language, text and word times."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zhufeng.base import InputError, batched, brief, needs_extra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhufeng.corpus.speech._voice import Samples

    States = NDArray[Any]
    """What the encoder made of a window: [frames, d], a frame each 20 ms."""

SAMPLES_PER_STATE = 320
_FEATURES_PER_STATE = 2
_SAMPLES_PER_FEATURE = 160
_MOST_FEATURES = 3000
# Whisper learnt on 30 s, filled up with silence. A second of it is enough for an end to be heard,
# and the encoder's cost grows faster than the length.
_SILENCE_FEATURES = 100
_FEWEST_FEATURES = 1000
# The floor of Whisper's log-mel features: 8 decades below the loudest, of which 4 are 1.
_FLOOR = 8 / 4
_LONGEST_TEXT = 224


@dataclass(frozen=True)
class Hypothesis:
    """A window's text."""

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float

    @property
    def compression_ratio(self) -> float:
        """Bytes of the text over bytes compressed."""
        data = self.text.encode()
        return len(data) / len(zlib.compress(data))


@dataclass(frozen=True)
class Timed:
    """A word of a window."""

    begin_s: float
    end_s: float
    text: str
    probs: tuple[float, ...]
    """Of its tokens."""

    @property
    def middle_s(self) -> float:
        """Half of the way."""
        return (self.begin_s + self.end_s) / 2


class Whisper:
    """A Whisper model, on one thread of this process or on CUDA."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load it.

        Raises:
            InputError: not a Whisper model, or no such device.
            MissingExtraError: without the extra ``corpus``.
        """
        with needs_extra("corpus"):
            import ctranslate2  # noqa: PLC0415 (slow to import)
            from faster_whisper.feature_extractor import FeatureExtractor  # noqa: PLC0415
            from tokenizers import Tokenizer  # noqa: PLC0415
        try:
            self._model = ctranslate2.models.Whisper(
                str(folder),
                device=device,
                compute_type="float16" if device == "cuda" else "int8",
                intra_threads=1,
                inter_threads=1,
            )
            self._vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # noqa: BLE001 (of three libraries, which name no kinds)
            raise InputError(
                f"the speech model in {folder} cannot be loaded on {device}",
                expected="a Whisper model converted for CTranslate2",
                came=brief(error),
                do="name another folder, or convert it anew",
            ) from None
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._storage = ctranslate2.StorageView.from_array
        # A processor encodes no faster in company.
        self._encoded_together = 8 if device == "cuda" else 1
        self._tokenizers: dict[str, Any] = {}
        self.multilingual: bool = self._model.is_multilingual

    def knows(self, language: str) -> bool:
        """Whether it was taught the language."""
        if not self.multilingual:
            return language == "en"
        return self._vocabulary.token_to_id(f"<|{language}|>") is not None

    def encode(self, windows: Sequence[Samples], *, full: bool = False) -> list[States]:
        """The states of windows, all of one length.

        Args:
            windows: of at most 30 s.
            full: as long as Whisper learnt them, at the full cost.
        """
        features = [self._features(window)[:, :-1][:, :_MOST_FEATURES] for window in windows]
        most = max(feature.shape[1] for feature in features) + _SILENCE_FEATURES
        length = min(_MOST_FEATURES, max(_FEWEST_FEATURES, most + most % _FEATURES_PER_STATE))
        filled = [_filled(feature, _MOST_FEATURES if full else length) for feature in features]
        return [
            states
            for batch in batched(filled, self._encoded_together)
            for states in np.array(self._model.encode(self._batch(batch), to_cpu=True))
        ]

    def languages(self, states: States) -> Mapping[str, float]:
        """How probable each language is."""
        (found,) = self._model.detect_language(self._batch([states]))
        codes: Mapping[str, float] = {token[2:-2]: probability for token, probability in found}
        return codes

    def decode(self, states: Sequence[States], language: str, beam: int) -> list[Hypothesis]:
        """The text of windows that are in one language."""
        tokenizer = self._tokenizer(language)
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        found = self._model.generate(
            self._batch(states),
            [prompt] * len(states),
            beam_size=beam,
            max_length=len(prompt) + _LONGEST_TEXT,
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [_hypothesis(tokenizer, one) for one in found]

    def align(
        self,
        states: Sequence[States],
        hypotheses: Sequence[Hypothesis],
        lengths: Sequence[int],
        language: str,
    ) -> list[list[Timed]]:
        """The words of windows that are in one language; each window has some text.

        Args:
            states: of the windows.
            hypotheses: their texts.
            lengths: of their sound, in samples.
            language: theirs.
        """
        tokenizer = self._tokenizer(language)
        found = self._model.align(
            self._batch(states),
            tokenizer.sot_sequence,
            [list(hypothesis.tokens) for hypothesis in hypotheses],
            [length // _SAMPLES_PER_FEATURE for length in lengths],
        )
        return [
            _words(tokenizer, hypothesis.tokens, one)
            for hypothesis, one in zip(hypotheses, found, strict=True)
        ]

    def _batch(self, arrays: Sequence[NDArray[Any]]) -> Any:
        return self._storage(np.stack(arrays))

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer  # noqa: PLC0415 (slow to import)

        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self._vocabulary, self.multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]


def _filled(feature: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    filled = np.full((feature.shape[0], length), feature.max() - _FLOOR, np.float32)
    filled[:, : feature.shape[1]] = feature
    return filled


def _hypothesis(tokenizer: Any, found: Any) -> Hypothesis:
    tokens = tuple(token for token in found.sequences_ids[0] if token < tokenizer.eot)
    # The end is a token too, of which the score knows, but not the length.
    count = len(found.sequences_ids[0])
    return Hypothesis(
        tokens=tokens,
        text=tokenizer.decode(list(tokens)).strip(),
        avg_logprob=found.scores[0] * count / (count + 1),
        no_speech_prob=found.no_speech_prob,
    )


def _words(tokenizer: Any, tokens: Sequence[int], found: Any) -> list[Timed]:
    """Word borders are where the path through the attention enters their first tokens."""
    texts, parts = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    text_at, state_at = np.array(found.alignments).reshape(-1, 2).T
    enters = np.diff(text_at, prepend=-1) > 0
    times = state_at[enters] * SAMPLES_PER_STATE / 16_000
    borders = np.cumsum([0, *(len(part) for part in parts)])
    return [
        Timed(
            begin_s=float(times[begin]),
            end_s=float(times[end]),
            text=text,
            probs=tuple(found.text_token_probs[begin:end]),
        )
        for text, begin, end in zip(texts[:-1], borders[:-2], borders[1:-1], strict=True)
    ]
