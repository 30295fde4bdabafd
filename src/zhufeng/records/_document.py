"""`Document`: one video, recording or text as a piece of training text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from zhufeng.base import record
from zhufeng.records._forms import Form

Status = Literal["ok", "partial", "no_text", "failed", "filtered"]


@record
class Segment:
    """A stretch of a document's text and where it comes from."""

    t0: float
    """Start, in seconds from the beginning of the source."""
    t1: float
    """End, in seconds."""
    kind: Literal["speech", "subtitle", "slide", "caption", "text"]
    text: str
    conf: float | None = None
    """Confidence of the model that read it, 0 to 1."""
    bbox: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom, as fractions of the picture's width and height."""
    shot: int | None = None
    model: str | None = None
    suppressed_by: str | None = None
    """Why it is not in the document's text; None where it is."""
    original: str | None = None
    """The text before its script was normalised; None where that changed nothing."""


@record
class Document:
    """One source in full: what it was, what it says, and what became of it.

    Every source has exactly one, also where it failed: `status` and `reason` tell.
    """

    doc_id: str
    """SHA-256 of the source's content and of the place within it."""
    source_uri: str
    content_sha256: str
    bytes: int
    """Size of the source."""
    status: Status = "ok"
    reason: str | None = None
    """Why the status is not ok, for a person."""

    container: str | None = None
    codecs: tuple[str, ...] = ()
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    licence: str | None = None

    text: str = ""
    original_text: str | None = None
    """The text before its script was normalised; None where that changed nothing."""
    lang: str | None = None
    """ISO 639 code."""
    lang_score: float | None = None
    segments: tuple[Segment, ...] = ()
    shots: tuple[tuple[float, float], ...] = ()
    """Start and end of each shot, in seconds."""
    text_coverage: float | None = None
    """Share of the duration in which something is said or shown."""

    quality: Mapping[str, float] = field(default_factory=dict)
    quality_reasons: tuple[str, ...] = ()
    dup_cluster: str | None = None
    pii: Mapping[str, int] = field(default_factory=dict)
    """Kind of personal datum to how many were scrubbed."""
    n_tokens: int | None = None
    tokenizer: str | None = None

    pipeline_hash: str | None = None
    config_hash: str | None = None
    model_hashes: Mapping[str, str] = field(default_factory=dict)
    cpu_ms: Mapping[str, float] = field(default_factory=dict)
    """CPU time by stage, in milliseconds."""


# Version 2 added the originals of normalised texts.
DOCUMENT = Form("document", Document, version=2, upgrades={1: dict})
