"""Documents from what was seen and heard, and the judgement of any document's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

from zhufeng.base import sha256_json, to_json
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Media
from zhufeng.corpus.engine import Item, UnitStage
from zhufeng.corpus.joining import JoinConfig, compose, join
from zhufeng.corpus.quality import QualityConfig, judge
from zhufeng.records import Document, Segment

# Which stage segments come from, where it is not the screen's.
_STAGES = {"speech": "listen", "caption": "caption"}


@dataclass(frozen=True, kw_only=True)
class Compose(UnitStage):
    """One document out of all that the spans of a video have given."""

    name: ClassVar[str] = "compose"
    each: ClassVar[Literal["document", "span"]] = "document"
    needs: ClassVar[tuple[str, ...]] = ("watch", "listen", "caption")
    provides: ClassVar[type] = Document
    code: ClassVar[tuple[str, ...]] = (
        "zhufeng.corpus._parts",
        "zhufeng.corpus._documents",
        "zhufeng.corpus.joining",
        "zhufeng.corpus.quality",
    )

    join: JoinConfig
    quality: QualityConfig
    models_by_stage: Mapping[str, Mapping[str, str]]
    """Name to SHA-256 of all models that have a part in the document, this stage's too."""
    pipeline: str
    """Hash of the stages before this one, code and models included."""

    def settings(self) -> Mapping[str, Any]:
        """How to join and to judge, and what the document says of its models."""
        return {
            "join": to_json(self.join),
            "quality": to_json(self.quality),
            "models": self.models_by_stage,
            "pipeline": self.pipeline,
        }

    def models(self) -> Mapping[str, str]:
        """The one that tells languages apart."""
        return self.models_by_stage[self.name]

    def open(self) -> None:
        """Nothing to load: the language model is small, and loads itself."""

    def work(self, item: Item, meter: Meter) -> Document:
        """The document; whose file it is, the one who asked will say."""
        media, given = item.media, item.upstream
        assert media is not None
        heard, watched = given.get("listen", ()), given.get("watch", ())
        captioned = given.get("caption", ())
        with meter.step("join"):
            joined = join(media, heard, watched, captioned, self.join)
        parts = (*heard, *watched, *captioned)
        problems = _distinct([*media.problems, *(p for part in parts for p in part.problems)])
        document = Document(
            doc_id="",
            source_uri="",
            content_sha256=item.content,
            bytes=0,
            container=media.container,
            codecs=media.codecs,
            duration_s=media.duration_s,
            width=media.width,
            height=media.height,
            fps=media.fps,
            licence=media.licence,
            text=joined.text,
            segments=tuple(_with_model(one, self.models_by_stage) for one in joined.segments),
            shots=joined.shots,
            text_coverage=joined.text_coverage,
            pipeline_hash=self.pipeline,
            config_hash=sha256_json([to_json(self.join), to_json(self.quality)]),
            model_hashes={
                name: sha for named in self.models_by_stage.values() for name, sha in named.items()
            },
        )
        with meter.step("quality"):
            done = judged(document, self.quality, self.join)
        return with_status(done, problems, item.failures)


def judged(document: Document, config: QualityConfig, join_config: JoinConfig) -> Document:
    """The document with its language, its scores, and without personal data.

    Args:
        document: with its text.
        config: what is good.
        join_config: how its segments, where it has any, are composed.
    """
    composed = partial(compose, pause_s=join_config.paragraph_pause_s)
    found = judge(
        document.text,
        document.segments,
        config=config,
        compose=composed if document.segments else None,
    )
    segments = zip(found.segments, found.originals, strict=True)
    return replace(
        document,
        text=found.text,
        segments=tuple(replace(one, original=original) for one, original in segments),
        lang=found.lang,
        lang_score=found.lang_score,
        quality=found.quality,
        quality_reasons=found.quality_reasons,
        pii=found.pii,
        original_text=found.original_text,
    )


def with_status(
    document: Document, problems: Sequence[str] = (), failures: Sequence[str] = ()
) -> Document:
    """The document with what became of it.

    Args:
        document: judged.
        problems: damage in the file, in spite of which there is something.
        failures: why parts of it are missing altogether.
    """
    wrong = "; ".join(_distinct([*failures, *problems])) or None
    if not document.text.strip():
        if failures:
            return replace(document, status="failed", reason=wrong)
        nothing = "nothing is said or written in it"
        reason = f"{nothing}; {wrong}" if wrong else nothing
        return replace(document, status="no_text", reason=reason)
    if document.quality_reasons:
        return replace(document, status="filtered", reason="; ".join(document.quality_reasons))
    return replace(document, status="partial" if wrong else "ok", reason=wrong)


def _with_model(one: Segment, models: Mapping[str, Mapping[str, str]]) -> Segment:
    named = models.get(_STAGES.get(one.kind, "watch"), {})
    return replace(one, model=", ".join(named) or None)


def _distinct(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def wanted(stage: UnitStage, media: Media) -> bool:
    """Whether a stage has anything to do in a medium."""
    if stage.name in ("watch", "caption"):
        return media.video
    return media.audio or stage.name != "listen"
