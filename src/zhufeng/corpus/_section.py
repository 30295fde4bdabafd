"""The corpus on the run's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from zhufeng.corpus._write import EXCERPT_CHARACTERS, CorpusSummary
from zhufeng.records import Document, Segment, Status
from zhufeng.report import Block, Figures, Quote, Section, Table, Text, bars, clock

_BARS = 12
_SEGMENTS = 14
_HOUR_S, _MINUTE_S = 3600.0, 60.0


def corpus_section(summary: CorpusSummary) -> Section:
    """What was read, what became of it, and how it begins."""
    with_tokens = [document for document in summary.shown if document.n_tokens]
    blocks: list[Block] = [_figures(summary)]
    if silent := summary.media_s.get("no_text"):
        blocks.append(Text(text=f"{hours(silent)} of media have no words: {captions_advice()}"))
    if with_tokens:
        blocks.append(
            bars(
                {d.source_uri: float(d.n_tokens or 0) for d in with_tokens[:_BARS]},
                unit="tokens",
                alt="Tokens in each of the first documents",
            )
        )
    blocks.append(_documents(summary))
    timed = next((document for document in with_tokens if document.segments), None)
    if timed is not None:
        blocks.append(_timed(timed))
    if with_tokens:
        first = timed or with_tokens[0]
        cut = "…" if len(first.text) == EXCERPT_CHARACTERS else ""
        blocks.append(Quote(text=first.text + cut, caption=f"How {first.source_uri} begins"))
    balanced = balance(summary.statuses)
    return Section(
        title="Corpus",
        summary=f"{balanced}. {summary.tokens:,} tokens, tokenizer {summary.tokenizer}.",
        blocks=tuple(blocks),
    )


def balance(statuses: Mapping[Status, float]) -> str:
    """That no input has disappeared: ``"5 inputs = 3 ok + 0 partial + …"``."""
    counts = {status: statuses.get(status, 0) for status in get_args(Status)}
    parts = " + ".join(f"{count:,.0f} {status}" for status, count in counts.items())
    return f"{sum(counts.values()):,.0f} inputs = {parts}"


def captions_advice() -> str:
    """What to do about videos without words."""
    return "name a vision-language model under [corpus.captions] to have their shots described"


def hours(seconds: float) -> str:
    """A duration for people: hours, or minutes and seconds where it is short."""
    if seconds >= _HOUR_S:
        return f"{seconds / _HOUR_S:,.1f} hours"
    if seconds >= _MINUTE_S:
        return f"{seconds / _MINUTE_S:.1f} minutes"
    return f"{seconds:.0f} seconds"


def _figures(summary: CorpusSummary) -> Figures:
    per_token = summary.text_bytes / summary.tokens if summary.tokens else 0.0
    figures = {
        "documents": f"{summary.documents:,}",
        "tokens": f"{summary.tokens:,}",
        "bytes of text": f"{summary.text_bytes:,}",
        "bytes a token": f"{per_token:.2f}",
        "vocabulary": f"{summary.vocabulary:,}",
        "shards": f"{summary.shards:,}",
    }
    if summary.media_s:
        figures["of video and sound"] = hours(sum(summary.media_s.values()))
    return Figures(figures=figures)


def _documents(summary: CorpusSummary) -> Table:
    more = summary.documents - len(summary.shown)
    reasons = any(document.reason for document in summary.shown)
    lasts = any(document.duration_s for document in summary.shown)
    columns = ("document", "status", "language", "bytes", "tokens")
    return Table(
        columns=(*columns, *(("seconds",) if lasts else ()), *(("reason",) if reasons else ())),
        rows=tuple(
            (d.source_uri, d.status, d.lang, d.bytes, d.n_tokens)
            + ((round(d.duration_s, 1) if d.duration_s else None,) if lasts else ())
            + ((d.reason,) if reasons else ())
            for d in summary.shown
        ),
        caption=f"The first {len(summary.shown)}; {more:,} more among the documents"
        if more
        else "Every document",
    )


def _timed(document: Document) -> Table:
    """What is said and shown when, and what was left out for what."""
    return Table(
        columns=("from", "to", "kind", "text", "left out for"),
        rows=tuple(_row(one) for one in document.segments[:_SEGMENTS]),
        caption=f"The first of {len(document.segments):,} segments of {document.source_uri}"
        if len(document.segments) > _SEGMENTS
        else f"The segments of {document.source_uri}",
    )


def _row(one: Segment) -> tuple[str, str, str, str, str | None]:
    return clock(one.t0), clock(one.t1), one.kind, one.text, one.suppressed_by
