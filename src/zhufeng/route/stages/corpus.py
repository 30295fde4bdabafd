"""The stage ``[corpus]``: sources into documents and token shards."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from zhufeng.base import InputError
from zhufeng.corpus import MEDIA_ENDINGS, CorpusConfig, build, corpus_section, model_hashes
from zhufeng.report import Section
from zhufeng.route import Sources, Stage, Work


def _make(config: CorpusConfig, work: Work) -> Section:
    tokenizer = next(iter(work.sources["tokenizer"]), None)
    summary = build(config, work.sources["inputs"], tokenizer, work.folder, work.kept)
    work.draft.figures |= {
        "documents": summary.documents,
        "tokens": summary.tokens,
        "text_bytes": summary.text_bytes,
        **{f"documents_{status}": n for status, n in sorted(summary.statuses.items())},
    }
    if summary.media_s:
        work.draft.figures["media_s"] = sum(summary.media_s.values())
        work.draft.figures["media_s_without_words"] = summary.media_s.get("no_text", 0.0)
    for document in summary.shown:
        if document.reason:
            work.draft.note(f"{document.source_uri}: {document.status}: {document.reason}")
    return corpus_section(summary)


def _models(config: CorpusConfig, sources: Sources) -> Mapping[str, str]:
    names = [source.path.name.lower() for source in sources["inputs"]]
    if any(name.endswith(MEDIA_ENDINGS) for name in names):
        return model_hashes(config, media=True)
    if any(name.endswith((".jsonl", ".parquet")) for name in names):
        # They may name videos; where they do not, nobody needs the models.
        with suppress(InputError):
            return model_hashes(config, media=True)
    return model_hashes(config, media=False)


STAGE = Stage(
    name="corpus",
    title="Corpus",
    version=3,
    config=CorpusConfig,
    make=_make,
    packages=("numpy", "pyarrow"),
    seeded=False,
    command="zhufeng corpus build INPUT...",
    models=_models,
)
