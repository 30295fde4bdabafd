"""The stage ``[corpus]``: sources into documents and token shards."""

from __future__ import annotations

from zhufeng.corpus import CorpusConfig, build, corpus_section
from zhufeng.report import Section
from zhufeng.route import Stage, Work


def _make(config: CorpusConfig, work: Work) -> Section:
    tokenizer = next(iter(work.sources["tokenizer"]), None)
    summary = build(config, work.sources["inputs"], tokenizer, work.folder)
    work.draft.figures |= {
        "documents": summary.documents,
        "tokens": summary.tokens,
        "text_bytes": summary.text_bytes,
        **{f"documents_{status}": n for status, n in sorted(summary.statuses.items())},
    }
    for document in summary.shown:
        if document.reason:
            work.draft.note(f"{document.source_uri}: {document.status}: {document.reason}")
    return corpus_section(summary)


STAGE = Stage(
    name="corpus",
    title="Corpus",
    version=2,
    config=CorpusConfig,
    make=_make,
    packages=("numpy", "pyarrow"),
    seeded=False,
    command="zhufeng corpus build INPUT...",
)
