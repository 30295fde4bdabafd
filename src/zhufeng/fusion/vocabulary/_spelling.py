"""What a token stands for, in bytes, and how another tokenizer spells the same bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

METASPACE = "▁"
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>\Z")


@cache
def byte_characters() -> dict[int, str]:
    """GPT-2's alphabet: a printable character for each byte (Radford et al. 2019, `encoder.py`).

    Printable Latin-1 characters stand for themselves; the others, in order, for 256 and on.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    shifted = {byte: chr(256 + i) for i, byte in enumerate(others)}
    return {byte: shifted.get(byte, chr(byte)) for byte in range(256)}


@cache
def _character_bytes() -> dict[str, int]:
    return {character: byte for byte, character in byte_characters().items()}


@dataclass(frozen=True)
class Spelling:
    """How a tokenizer writes bytes as the text of its tokens."""

    byte_level: bool
    """Every byte is a character of GPT-2's alphabet."""
    metaspace: bool
    """A space is written as U+2581."""
    byte_tokens: bool
    """A byte that no token has is written as ``<0x0A>``."""

    def stands_for(self, token: str) -> bytes:
        """The bytes of text that an ordinary token stands for."""
        if self.byte_level:
            known = _character_bytes()
            parts = (bytes([known[c]]) if c in known else c.encode() for c in token)
            return b"".join(parts)
        if self.byte_tokens and (match := _BYTE_TOKEN.match(token)):
            return bytes([int(match[1], 16)])
        return (token.replace(METASPACE, " ") if self.metaspace else token).encode()

    def spell(self, text: bytes) -> str | None:
        """The token that stands for `text`; None where it has none: half of a character."""
        if self.byte_level:
            return "".join(byte_characters()[byte] for byte in text)
        try:
            plain = text.decode()
        except UnicodeDecodeError:
            return self.byte_token(text[0]) if len(text) == 1 else None
        return plain.replace(" ", METASPACE) if self.metaspace else plain

    def byte_token(self, byte: int) -> str | None:
        """The token of one byte, where bytes have their own."""
        return f"<0x{byte:02X}>" if self.byte_tokens else None


def spelling_of(data: dict[str, Any]) -> Spelling:
    """How the tokenizer of a ``tokenizer.json`` spells."""
    parts = [data.get(key) for key in ("normalizer", "pre_tokenizer", "decoder")]
    steps = [step for part in parts for step in flat_steps(part)]
    types = {step.get("type") for step in steps}
    replaced = {str(step.get("content")) for step in steps if step.get("type") == "Replace"}
    return Spelling(
        byte_level="ByteLevel" in types,
        metaspace="Metaspace" in types or METASPACE in replaced,
        byte_tokens=data["model"].get("byte_fallback") is True,
    )


def flat_steps(part: Any) -> list[dict[str, Any]]:
    """The steps of a normalizer, pre-tokenizer or decoder, those of a sequence one by one."""
    if not isinstance(part, dict):
        return []
    inner = [part.get(key) for key in ("normalizers", "pretokenizers", "decoders")]
    nested = [step for steps in inner if isinstance(steps, list) for step in steps]
    return [part, *(deep for step in nested for deep in flat_steps(step))]
