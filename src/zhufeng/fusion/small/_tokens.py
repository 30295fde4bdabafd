"""Texts into token shards, chunk by chunk."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from zhufeng.base import track
from zhufeng.fusion.mix import split
from zhufeng.fusion.small._tokenizer import END
from zhufeng.records import TOKENS_FILE, TokenSet, shard_writer, write_token_set

_SHARD = "tokens-00000"


def write_tokens(folder: Path, tokenizer: Tokenizer, texts: Sequence[str], name: str) -> list[Path]:
    """Write a document a text into a token shard, with its ``tokens.json``.

    Each chunk of `zhufeng.fusion.mix.split` is encoded alone, as a member encodes what it is
    asked about.

    Args:
        folder: of the shard; made if it is not there.
        tokenizer: has the token `END`.
        texts: one a document.
        name: of the tokenizer, as ``tokens.json`` tells it.

    Returns:
        The files, as `zhufeng.training.open_task` takes them.
    """
    folder.mkdir(exist_ok=True)
    end, vocabulary = tokenizer.token_to_id(END), tokenizer.get_vocab_size()
    assert end is not None
    encode = _Encoder(tokenizer)
    with shard_writer(folder / _SHARD, vocabulary) as shard:
        for text in track(texts, "tokenising"):
            shard.write(np.array([*encode(text), end]))
    told = TokenSet(
        tokenizer=name,
        vocabulary=vocabulary,
        end=end,
        tokens=shard.tokens,
        text_bytes=sum(len(text.encode()) for text in texts),
    )
    write_token_set(folder, told)
    return [folder / f"{_SHARD}.idx", folder / f"{_SHARD}.bin", folder / TOKENS_FILE]


class _Encoder:
    """Text to tokens; each distinct chunk is encoded once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def __call__(self, text: str) -> list[int]:
        chunks = split(text)
        fresh = list({chunk: None for chunk in chunks if chunk not in self._known})
        encoded = self._tokenizer.encode_batch_fast(fresh, add_special_tokens=False)
        self._known |= zip(fresh, (one.ids for one in encoded), strict=True)
        return list(chain.from_iterable(self._known[chunk] for chunk in chunks))
