"""Small tokenizers of every form, trained on a few sentences, in folders of their own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordPieceTrainer

from zhufeng.fusion.vocabulary import Vocabulary, read_vocabulary

ENGLISH = [
    "the mountain is high and the river is long",
    "the higher the mountain the longer the climb",
    "counting the stones along the river in the evening",
]
CODE = [
    "def main():\n    return the_value + 1\n",
    "for index in range(10):\n    print(index)\n",
    "class River:\n    def climb(self):\n        return self.mountain\n",
]
CHINESE = ["山很高，河很长。", "山越高，路越长。", "河边的石头很多。"]


def byte_level(texts: Iterable[str], size: int = 320, end: str = "<|end|>") -> Tokenizer:
    """As GPT-2's and Qwen's: bytes are characters; the end is an added token after the others."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=size - 1, initial_alphabet=alphabet, show_progress=False, min_frequency=1
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([end])
    return tokenizer


def metaspace(texts: Iterable[str], size: int = 340) -> Tokenizer:
    """As Llama 2's and Mistral's: a space is U+2581, and unknown characters fall back to bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = BpeTrainer(
        vocab_size=size, special_tokens=special, show_progress=False, min_frequency=1
    )
    tokenizer.train_from_iterator(texts, trainer)
    table = json.loads(tokenizer.to_str())
    table["added_tokens"] = table["added_tokens"][:3]  # bytes are ordinary tokens
    made = Tokenizer.from_str(json.dumps(table))
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return made


def unigram(texts: Iterable[str], size: int = 330) -> Tokenizer:
    """As XLNet's and T5's, with bytes for what is unknown."""
    special = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    plain = Tokenizer(models.Unigram())
    plain.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = UnigramTrainer(
        vocab_size=size, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    plain.train_from_iterator(texts, trainer)
    table = json.loads(plain.to_str())
    table["added_tokens"] = table["added_tokens"][:2]
    table["model"]["byte_fallback"] = True
    made = Tokenizer.from_str(json.dumps(table))
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return made


def word_piece(texts: Iterable[str], size: int = 90) -> Tokenizer:
    """As BERT's: the insides of words are marked with ##."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    trainer = WordPieceTrainer(
        vocab_size=size, special_tokens=["[UNK]", "[SEP]"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def put(folder: Path, tokenizer: Tokenizer, **config: Any) -> Path:
    """Write a tokenizer's folder; `config` is its tokenizer_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def read(folder: Path, tokenizer: Tokenizer, **config: Any) -> Vocabulary:
    return read_vocabulary(put(folder, tokenizer, **config))
