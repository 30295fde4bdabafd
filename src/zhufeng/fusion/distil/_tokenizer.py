"""The student's tokenizer: chunk by chunk, so that chunks are paths of whole tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property, lru_cache
from itertools import islice, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from zhufeng.base import InputError, brief, read_text, shown
from zhufeng.fusion.mix import split
from zhufeng.fusion.vocabulary import read_vocabulary

# What model families call the token that ends a document, commonest first.
_ENDS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|end▁of▁sentence|>", "<|im_end|>")
_REMEMBERED = 1 << 20
_NO_LEAD = 0xF5  # bytes from here on begin no character
# A character of each class of those that make a chunk longer or end it.
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


def _sequence(lead: int) -> int:
    """Bytes of the character that a byte of UTF-8 begins (RFC 3629); 1 for one that begins none."""
    return 1 + sum(lead >= least for least in (0xC2, 0xE0, 0xF0)) if lead < _NO_LEAD else 1


@cache
def _beginning(start: bytes) -> NDArray[np.float32]:
    """Shares of the classes among the characters whose UTF-8 begins with `start`."""
    missing = _sequence(start[0]) - len(start)
    fills = (start + bytes(rest) for rest in product(range(0x80, 0xC0), repeat=missing))
    found = [
        one for fill in islice(fills, 0, None, 64 ** max(0, missing - 1)) if (one := _told(fill))
    ]
    shares = np.zeros(len(_SAMPLES), np.float32)
    for one in found:
        shares[_class_of(one)] += 1 / len(found)
    return shares


def _told(spelt: bytes) -> str | None:
    try:
        return spelt.decode()
    except UnicodeDecodeError:
        return None


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
        """How far tokens end a chunk of a kind, shape (kinds, vocabulary): 1 for those that begin
        with a character that ends it, 0 for those that make it longer or stand for no text.

        Of a token that begins with a part of a character, the share of the characters that it may
        become, as they are found among 64 of them.
        """
        read = read_vocabulary(self.path.parent)
        begins = np.zeros((self.vocabulary, len(_SAMPLES)), np.float32)
        for token, number in read.ids.items():
            special = token in read.added and read.added[token]["special"]
            if not special and (spelt := read.stands_for(token)):
                begins[number] = _beginning(spelt[: _sequence(spelt[0])])
        kinds = np.arange(1 << len(_SAMPLES))[:, None] >> np.arange(len(_SAMPLES)) & 1
        shares = ((1 - kinds) @ begins.T).astype(np.float32)
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
