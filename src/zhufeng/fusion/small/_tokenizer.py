"""A byte-level BPE tokenizer of a given size, trained on texts."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from zhufeng.base import InputError
from zhufeng.fusion.mix import split

END = "<|endoftext|>"
"""The token that ends a document, and stands before the first; its number is 0."""
_SMALLEST = 257  # every byte, and the end


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Train byte-level BPE (Sennrich et al. 2016; on bytes, Radford et al. 2019) on `texts`.

    No merge crosses a boundary of `zhufeng.fusion.mix.split`, so that a chunk has the same tokens
    wherever it stands. Any text can be encoded. The same texts give the same tokenizer, however
    many threads there are.

    Args:
        texts: of documents.
        vocabulary: how many tokens there are, the end among them; fewer where the texts have no
            pair left that comes twice.

    Raises:
        InputError: too small a vocabulary for every byte and the end.
    """
    if vocabulary < _SMALLEST:
        raise InputError(
            "the vocabulary of a small decoder is too small",
            expected=f"at least {_SMALLEST}: every byte, and the end of a document",
            came=f"{vocabulary}",
            do="raise vocabulary in the member's model",
        )
    tokenizer = Tokenizer(models.BPE())
    # Chunks are what it is given: within one nothing is divided.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((split(text) for text in texts), trainer)
    # A text that spells the end must not end a document.
    tokenizer.encode_special_tokens = True
    return tokenizer
