"""The section ``[fuse]``. Without torch, so that recipes can hold it."""

from __future__ import annotations

from typing import Annotated

from zhufeng.base import Files, record
from zhufeng.models import DecoderConfig

MEMBER_FILES = Files(endings=("config.json", "model.safetensors", "tokenizer.json"))


@record
class FuseConfig:
    """Which models answer together, and on which texts that is judged."""

    texts: Annotated[tuple[str, ...], Files(endings=(".txt",))]
    """A file a domain; each is cut into documents at blank lines, or ends of lines."""
    members: Annotated[tuple[str, ...], MEMBER_FILES] = ()
    """Canonical folders with a tokenizer.json. Without, a small decoder is trained on the
    beginning of every text, and they are judged on the ends."""
    model: DecoderConfig | None = None
    """Of the small decoders; its vocabulary is the size of their tokenizers."""
    steps: int = 200
    batch: int = 8
    sequence: int = 64
    learning_rate: float = 1e-2
    held_out: float = 0.15
    """The share of each text, at its end, on which small decoders are judged."""
    document: int = 600
    """Characters that a document has at least."""

    def __post_init__(self) -> None:
        if bool(self.members) == (self.model is not None):
            raise ValueError("either members, or a [fuse.model] that learns the texts")
        if not 0 < self.held_out < 1:
            raise ValueError("a held_out in (0, 1)")
        if self.document < 1:
            raise ValueError("a document of at least 1 character")
