"""Tiny members: decoders of random weights, and tokenizers trained on a few sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from zhufeng.fusion.mix import split
from zhufeng.models import Decoder, DecoderConfig, initialise, write_decoder

END = "<|endoftext|>"
SENTENCES = (
    "the mountain stands in the cloud, and the cloud stands on the mountain.",
    "def f(x):\n    return x + 10  # the sum\n",
    "珠峰在云中，云在珠峰上。",
)


def byte_level(texts: Iterable[str] = SENTENCES, vocabulary: int = 300) -> Tokenizer:
    """Byte-level BPE, as GPT-2's, with an end of text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((split(text) for text in texts), trainer)
    return tokenizer


def metaspace(texts: Iterable[str] = SENTENCES, vocabulary: int = 400) -> Tokenizer:
    """BPE with byte fallback and a space before the text, as Llama 2's."""
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator((split(text) for text in texts), trainer)
    import json

    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [one for one in data["added_tokens"] if "0x" not in one["content"]]
    return Tokenizer.from_str(json.dumps(data))


def letters(tokens: Sequence[str]) -> Tokenizer:
    """A tokenizer of these tokens alone, unmerged, and an end of text."""
    vocab = {END: 0} | {token: number for number, token in enumerate(tokens, 1)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.add_special_tokens([END])
    return tokenizer


def write_member(
    folder: Path, tokenizer: Tokenizer, seed: int, sharpness: float = 1.0, layers: int = 2
) -> Path:
    """A member's folder: a decoder of random weights for a tokenizer, and the tokenizer.

    Args:
        folder: is made.
        tokenizer: the member's.
        seed: of the weights.
        sharpness: by which the head's weights are multiplied, so that some tokens are likelier.
        layers: of the decoder.
    """
    folder.mkdir(parents=True)
    config = DecoderConfig(
        vocabulary=tokenizer.get_vocab_size(), layers=layers, width=32, heads=4, ff_width=64
    )
    model = Decoder(config)
    initialise(model, seed)
    with torch.no_grad():
        model.head.weight.mul_(sharpness)
    write_decoder(folder, model)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
