"""The student's tokenizer: chunk by chunk, so that chunks are paths of whole tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from zhufeng.base import InputError, brief, read_text, shown
from zhufeng.fusion.mix import split

# What model families call the token that ends a document, commonest first.
_ENDS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|end▁of▁sentence|>", "<|im_end|>")
_REMEMBERED = 1 << 20


# A character of each class of which a next one may make a chunk longer or end it.
_SAMPLES = "a中0 \n.\u0301"


@lru_cache(maxsize=_REMEMBERED)
def kind_of(chunk: str) -> int:
    """Which characters make a chunk longer, as a number of one bit a class of characters."""
    return sum(1 << i for i, one in enumerate(_SAMPLES) if len(split(chunk + one)) == 1)


@cache
def _class_of(character: str) -> int:
    """The class of a character: that of the sample that behaves like it beside all samples."""
    same = [
        i
        for i, one in enumerate(_SAMPLES)
        if all(
            len(split(near + character)) == len(split(near + one))
            and len(split(character + near)) == len(split(one + near))
            for near in _SAMPLES
        )
    ]
    return same[0] if same else _SAMPLES.index(".")


class Spelling:
    """A tokenizer that spells each chunk by itself; each distinct one is asked once."""

    def __init__(self, path: Path) -> None:
        """Load a ``tokenizer.json``.

        Raises:
            InputError: it cannot be read, is no tokenizer, or has no token that ends a text.
        """
        self.path = path
        self._tokenizer = _load(path)
        self._known: dict[str, list[int]] = {}

    @property
    def vocabulary(self) -> int:
        """One more than the largest token."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    @cached_property
    def end(self) -> int:
        """The token that ends a document."""
        for name in _ENDS:
            if (token := self._tokenizer.token_to_id(name)) is not None:
                return int(token)
        raise InputError(
            f"{self.path} has no token to end documents with",
            expected="one of " + " ".join(_ENDS),
            came="a vocabulary without it",
            do="name another tokenizer, or add such a token to it",
        )

    def encode(self, chunks: Sequence[str]) -> list[list[int]]:
        """The tokens of each chunk.

        Raises:
            InputError: tokens that do not spell their chunk.
        """
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        fresh = list({chunk: None for chunk in chunks if chunk not in self._known})
        encoded = self._tokenizer.encode_batch_fast(fresh, add_special_tokens=False)
        spelt = [one.ids for one in encoded]
        told = self._tokenizer.decode_batch(spelt, skip_special_tokens=False)
        for chunk, back in zip(fresh, told, strict=True):
            if back != chunk:
                raise self._unfaithful(chunk, back)
        self._known |= zip(fresh, spelt, strict=True)
        return [self._known[chunk] for chunk in chunks]

    def ending(self) -> NDArray[np.float32]:
        """1 for tokens that end a chunk of a kind, shape (kinds, vocabulary).

        A token that begins with half a character is taken for a sign.
        """
        shares = np.zeros((1 << len(_SAMPLES), self.vocabulary), np.float32)
        classes = np.full(self.vocabulary, -1)
        for token in self._tokenizer.get_vocab(with_added_tokens=True).values():
            if text := self.decode([token]):
                classes[token] = _class_of(text[0])
        for kind, row in enumerate(shares):
            row[:] = (classes >= 0) & (kind >> classes.clip(0) & 1 == 0)
        shares[:, self.end] = 1.0
        return shares

    def lengths(self, chunks: Sequence[str]) -> int:
        """Tokens of chunks, faithful or not."""
        encoded = self._tokenizer.encode_batch_fast(list(chunks), add_special_tokens=False)
        return sum(len(one.ids) for one in encoded)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text that tokens spell."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False))

    def _unfaithful(self, chunk: str, back: str) -> InputError:
        return InputError(
            f"{self.path} does not spell every text",
            expected="tokens that give each chunk of a text back, as those of byte-level BPE do",
            came=f"{shown(repr(back))} for {shown(repr(chunk))}",
            do="give the student a byte-level tokenizer: zhufeng.fusion.small.train_tokenizer",
        )


def _load(path: Path) -> Tokenizer:
    text = read_text(path, "a tokenizer.json")
    try:
        loaded = Tokenizer.from_str(text)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 (bare Exception, and panics of Rust's)
        raise InputError(
            f"{path} is not a tokenizer",
            expected="a Hugging Face tokenizer.json",
            came=brief(error) if isinstance(error, Exception) else type(error).__name__,
            do="name the tokenizer.json of a model's folder",
        ) from None
    # Settings of a model's serving must not cut or fill text; nor does a text that spells a
    # special token become one.
    loaded.no_truncation()
    loaded.no_padding()
    loaded.encode_special_tokens = True
    return loaded
