"""The corpus on the run's page."""

from __future__ import annotations

from zhufeng.corpus._build import EXCERPT_CHARACTERS, CorpusSummary
from zhufeng.report import Block, Figures, Quote, Section, Table, bars

_BARS = 12


def corpus_section(summary: CorpusSummary) -> Section:
    """What was read, what became of it, and how it begins."""
    counts = ", ".join(f"{count:,} {status}" for status, count in sorted(summary.statuses.items()))
    with_tokens = [document for document in summary.shown if document.n_tokens]
    per_token = summary.text_bytes / summary.tokens if summary.tokens else 0.0
    blocks: list[Block] = [
        Figures(
            figures={
                "documents": f"{summary.documents:,}",
                "tokens": f"{summary.tokens:,}",
                "bytes of text": f"{summary.text_bytes:,}",
                "bytes a token": f"{per_token:.2f}",
                "vocabulary": f"{summary.vocabulary:,}",
                "shards": f"{summary.shards:,}",
            }
        )
    ]
    if with_tokens:
        blocks.append(
            bars(
                {d.source_uri: float(d.n_tokens or 0) for d in with_tokens[:_BARS]},
                unit="tokens",
                alt="Tokens in each of the first documents",
            )
        )
    blocks.append(_documents(summary))
    if with_tokens:
        first = with_tokens[0]
        cut = "…" if len(first.text) == EXCERPT_CHARACTERS else ""
        blocks.append(Quote(text=first.text + cut, caption=f"How {first.source_uri} begins"))
    return Section(
        title="Corpus",
        summary=f"{summary.documents:,} documents ({counts}) became {summary.tokens:,} tokens, "
        f"tokenizer {summary.tokenizer}.",
        blocks=tuple(blocks),
    )


def _documents(summary: CorpusSummary) -> Table:
    more = summary.documents - len(summary.shown)
    reasons = any(document.reason for document in summary.shown)
    return Table(
        columns=("document", "status", "bytes", "tokens") + (("reason",) if reasons else ()),
        rows=tuple(
            (d.source_uri, d.status, d.bytes, d.n_tokens) + ((d.reason,) if reasons else ())
            for d in summary.shown
        ),
        caption=f"The first {len(summary.shown)}; {more:,} more in documents.parquet"
        if more
        else "Every document",
    )
