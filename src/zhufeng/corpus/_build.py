"""From sources to documents and token shards."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile

from zhufeng.base import Source, sha256_file, sha256_json, track, write_durable
from zhufeng.corpus._board import Board
from zhufeng.corpus._config import CorpusConfig
from zhufeng.corpus._documents import Compose, judged, wanted, with_status
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._sources import Medium, document_id, read_sources
from zhufeng.corpus._spool import Spool
from zhufeng.corpus._stages import Describe, Listen, Probe, Watch
from zhufeng.corpus._write import (
    TRAINED_ON,
    CorpusSummary,
    documents_file,
    open_tokenizer,
    write_corpus,
)
from zhufeng.corpus.duplicates import cluster
from zhufeng.corpus.engine import (
    Engine,
    Finished,
    InProcess,
    OnRay,
    Part,
    PartStore,
    Pipeline,
    Pool,
    Schedule,
    Tally,
    UnitStage,
)
from zhufeng.corpus.planning import Costs, costs_before, write_costs
from zhufeng.corpus.quality import language_model
from zhufeng.records import Document

SUCCESS = "_SUCCESS"
# The share of the work whose pace tells that of the whole.
_MUCH = 0.2

log = logging.getLogger(__name__)


def build(
    config: CorpusConfig,
    inputs: Iterable[Source],
    tokenizer_file: Source | None,
    folder: Path,
    parts: Path,
) -> CorpusSummary:
    """Write documents, token shards, ``tokens.json`` and, last, ``_SUCCESS`` into `folder`.

    Every source is a row among the documents, whatever becomes of it; those with text that is
    good and said by no other are tokens too, each followed by the token that ends a document.

    Args:
        config: what is made.
        inputs: texts, videos and recordings.
        tokenizer_file: the file that `config.tokenizer` names.
        folder: where the corpus goes.
        parts: where what is made of each span is kept, so that nothing is made twice: neither
            after a kill, nor where a changed configuration does not touch it.

    Raises:
        InputError: a model is missing, or the tokenizer is none.
        MissingExtraError: there are videos, and no extra ``corpus``.
    """
    # What is wrong with it should be told before days of work.
    tokenizer = open_tokenizer(config, tokenizer_file)
    store = PartStore(parts)
    meter = Meter()
    with TemporaryFile() as beneath, TemporaryFile() as above:
        read = Spool(beneath, track(read_sources(inputs), "reading"))
        worked = _work(config, read, store)
        documents = Spool(above, track(_documents(config, read, store, worked), "judging"))
        with meter.step("duplicates"):
            same = _duplicates(config, documents)
        with meter.step("tokens"):
            marked = _marked(config, documents, same)
            summary = write_corpus(config, marked, tokenizer, folder)
    write_durable(folder / SUCCESS, b"")
    if worked.tally.done:
        costs = _costs(config, worked, summary, meter, folder)
        if worked.tally.found.total():
            costs = _as_of_all(costs, worked.tally, costs_before(parts))
        write_costs(parts, costs)
    return summary


def model_hashes(config: CorpusConfig, *, media: bool) -> Mapping[str, str]:
    """Name to hash of the models that are used.

    Args:
        config: tells which.
        media: whether there may be videos among the sources.
    """
    language = language_model()
    hashes = {language.name: sha256_file(language)}
    if not media:
        return hashes
    for stage in pipeline_of(config).stages:
        hashes |= stage.models()
    return hashes


def pipeline_of(config: CorpusConfig) -> Pipeline:
    """The stages through which videos go."""
    stages: list[UnitStage] = [
        Probe(),
        Watch(config=config.screen, device=config.device),
        Listen(config=config.speech, device=config.device),
    ]
    if config.captions.wanted:
        stages.append(Describe(config=config.captions, device=config.device))
    language = language_model()
    models = {stage.name: stage.models() for stage in stages}
    compose = Compose(
        join=config.join,
        quality=config.quality,
        models_by_stage={**models, Compose.name: {language.name: sha256_file(language)}},
        pipeline=sha256_json([stage.fingerprint() for stage in stages]),
    )
    return Pipeline((*stages, compose), config.spans_of, wanted)


@dataclass(frozen=True)
class _Worked:
    """What came of the videos."""

    finished: Mapping[str, Finished] = field(default_factory=dict)
    """By content."""
    tally: Tally = field(default_factory=Tally)
    wall_s: float = 0.0
    bytes: int = 0


def _work(config: CorpusConfig, read: Iterable[Document | Medium], store: PartStore) -> _Worked:
    """Every video through the pipeline."""
    media = [one for one in read if isinstance(one, Medium)]
    if not media:
        return _Worked()
    pipeline = pipeline_of(config)
    statuses: Counter[str] = Counter()
    finished: dict[str, Finished] = {}
    begun = time.monotonic()
    with _engine(config, pipeline) as engine:
        schedule = Schedule(pipeline, engine, store, config.limits)
        board = Board(schedule.tally, statuses, len(media))
        for given, last in board.watch(schedule.run(one.given for one in media)):
            value = last.part.value
            statuses[value.status if isinstance(value, Document) else "failed"] += 1
            # Documents may be many; they lie in the store, and only their keys are held.
            kept = value if last.part.passing else None
            finished[given.content] = replace(last, part=replace(last.part, value=kept))
    _tell_passing(finished.values())
    wall_s = time.monotonic() - begun
    return _Worked(finished, schedule.tally, wall_s, sum(one.bytes for one in media))


def _tell_passing(finished: Iterable[Finished]) -> None:
    """What another try may mend: its parts are not kept, but the finished corpus is."""
    if count := sum(last.part.passing for last in finished):
        log.warning(
            "%d media came out worse for reasons that may pass (network, memory, disk): their "
            "parts are not kept; remove the corpus and build again to try these anew",
            count,
        )


def _costs(
    config: CorpusConfig, worked: _Worked, summary: CorpusSummary, meter: Meter, folder: Path
) -> Costs:
    """What all this has cost, for `zhufeng corpus plan`; no part of the artifact."""
    tally, workers = worked.tally, config.workers_here()
    one_by_one = worked.finished.values()
    shards = sum(path.stat().st_size for path in folder.glob("tokens-*"))
    return Costs(
        media_s=tally.media_s,
        documents=summary.documents,
        source_bytes=worked.bytes,
        document_bytes=(folder / documents_file(config)).stat().st_size,
        shard_bytes=shards,
        tokens=summary.tokens,
        wall_s=worked.wall_s,
        workers=workers,
        load_ms=tally.load_ms / workers,
        peak_gb=tally.peak_gb,
        device=config.device,
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        cpu_ms={**tally.cpu_ms, **meter.cpu_ms},
        media_s_by_document=tuple(one.media_s for one in one_by_one),
        cpu_ms_by_document=tuple(one.cpu_ms for one in one_by_one),
    )


def _as_of_all(costs: Costs, tally: Tally, before: Costs | None) -> Costs:
    """Costs where some parts were there: as if all had been made now.

    Parts have their CPU time with them. The pace is that of what was made now; where that is
    little, that of the build before.
    """
    whole_ms, fresh_ms = sum(tally.cpu_ms.values()), tally.fresh_cpu_ms
    pace = costs
    if before is not None and fresh_ms < _MUCH * whole_ms:
        pace, fresh_ms = before, sum(before.cpu_ms.values())
    at_work_s = (pace.wall_s - pace.load_ms / 1000) * whole_ms / fresh_ms if fresh_ms else 0.0
    # No faster than workers that never wait.
    at_work_s = max(at_work_s, whole_ms / 1000 / pace.workers)
    return replace(
        costs,
        wall_s=at_work_s + pace.load_ms / 1000,
        workers=pace.workers,
        load_ms=pace.load_ms,
        peak_gb=max(costs.peak_gb, pace.peak_gb),
    )


def _engine(config: CorpusConfig, pipeline: Pipeline) -> Engine:
    workers = config.workers_here()
    match config.engine:
        case "in-process":
            return InProcess(pipeline.stages)
        case "ray":
            return OnRay(pipeline.stages, workers, config.limits, config.ray_address)
        case "pool":
            return Pool(pipeline.stages, workers, config.limits)


def _documents(
    config: CorpusConfig,
    read: Iterable[Document | Medium],
    store: PartStore,
    worked: _Worked,
) -> Iterator[Document]:
    for one in read:
        if isinstance(one, Medium):
            yield _of_medium(one, store, worked.finished[one.given.content])
        elif one.status == "ok":
            yield with_status(judged(one, config.quality, config.join))
        else:
            yield one


def _of_medium(medium: Medium, store: PartStore, last: Finished) -> Document:
    given = medium.given
    part: Part | None = last.part
    if not last.part.failure and last.part.value is None:
        part = store.find(last.stage, last.key, Document)
    if part is not None and part.value is not None:
        document: Document = part.value
    else:
        assert last.part.failure, "a part that was there a moment ago"
        document = Document(
            doc_id="",
            source_uri="",
            content_sha256="",
            bytes=0,
            status="failed",
            reason=last.part.failure,
        )
    return replace(
        document,
        doc_id=document_id(given.content),
        source_uri=given.name,
        content_sha256=given.content,
        bytes=medium.bytes,
        licence=medium.licence or document.licence,
    )


def _duplicates(config: CorpusConfig, documents: Iterable[Document]) -> Mapping[str, str]:
    """Id of each document that others repeat, to the id of the one that stays."""
    texts = ((one.doc_id, one.text) for one in documents if one.status in TRAINED_ON)
    return cluster(track(texts, "comparing"), config.duplicates)


def _marked(
    config: CorpusConfig, documents: Iterable[Document], same: Mapping[str, str]
) -> Iterator[Document]:
    """The documents with their clusters; all but one of each filtered, where that is wanted."""
    kept: set[str] = set()
    for document in documents:
        group = same.get(document.doc_id)
        if group is None or document.status not in TRAINED_ON:
            yield document
            continue
        clustered = replace(document, dup_cluster=group)
        # A file that comes twice has one id; the first of the two stays.
        stays = document.doc_id == group and group not in kept
        kept.add(document.doc_id)
        if stays or not config.duplicates.remove:
            yield clustered
        else:
            yield replace(clustered, status="filtered", reason=f"says the same as {group}")
