"""``zhufeng corpus``: sources into training text."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from cyclopts import App, Parameter

from zhufeng.base import InputError, parse, sha256_file, shown, to_json
from zhufeng.cli._common import Talk, Whole, emit, emit_json, emit_table, finish_run
from zhufeng.records import DOCUMENT, Document, Status
from zhufeng.report import clock, si
from zhufeng.route import KEPT, RECIPE, Run, StageResult, add_to_run

if TYPE_CHECKING:
    from zhufeng.corpus.planning import CorpusPlan, Estimate
    from zhufeng.corpus.show import Head

log = logging.getLogger(__name__)

_NO_TALK = Talk()
_CORPUS = "corpus"
_NOT_FOUND = (
    "Video and sound are not played here: no file of this content is where the recipe of the run "
    "names its inputs. With --video PATH it is taken from there."
)
_LISTED = 100
_ID_SHOWN = 12
# Figures of a plan as they are called, and what they count in.
_FIGURES = {
    "cpu_ms_per_media_s": ("CPU ms a media second", ""),
    "core_hours": ("core-hours", ""),
    "days": ("days", ""),
    "cores": ("cores, a worker each", ""),
    "gpus": ("GPUs, four workers each", ""),
    "workers_per_machine": ("workers in a machine's memory", ""),
    "machines": ("machines", ""),
    "gb_per_worker": ("GB of memory a worker", ""),
    "source_bytes": ("sources", "B"),
    "document_bytes": ("documents", "B"),
    "shard_bytes": ("token shards", "B"),
    "tokens": ("tokens", ""),
}
_WHOLE = ("cores", "gpus", "machines", "workers_per_machine")

app = App(name="corpus", help="Sources into training text and token shards.")


@app.command
def build(
    *inputs: str,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    config: Path | None = None,
    engine: Literal["pool", "ray", "in-process"] | None = None,
    workers: Whole | None = None,
    ray_address: str | None = None,
    device: Literal["cpu", "cuda"] | None = None,
    asr: str | None = None,
    tokenizer: str | None = None,
    end_of_document: str | None = None,
    shards: Literal["megatron", "parquet", "jsonl"] | None = None,
    shard_tokens: Whole | None = None,
    talk: Talk = _NO_TALK,
) -> int:
    """Turn videos, recordings and texts into documents and token shards: the artifact 'corpus'.

    What is done is kept in RUN/corpus.parts: killed, the same command goes on; with a changed
    configuration, only the stages that it touches are done again.

    Parameters
    ----------
    inputs
        Videos, recordings, texts (.txt, .md, .jsonl, .parquet), folders, globs, fsspec URLs,
        and lists: rows of .jsonl or .parquet that name a video under "uri".
    output
        The run's folder; made if it is not there.
    config
        A TOML file with a section [corpus].
    engine
        Where the work is done: processes of this machine, a Ray cluster, or this process.
    workers
        How many processes; as many as there are cores without it.
    ray_address
        The Ray cluster's address; without it one is started on this machine.
    device
        Where models run.
    asr
        The speech model: a name, or the folder of a CTranslate2 model.
    tokenizer
        A Hugging Face tokenizer.json, or "qwen"; without it tokens are bytes.
    end_of_document
        The token of that file that ends a document.
    shards
        How tokens are written.
    shard_tokens
        A shard is closed by the first document that brings it to this many tokens.
    """
    talk.begin()
    flags = {
        "inputs": list(inputs) or None,
        "engine": engine,
        "workers": workers,
        "ray_address": ray_address,
        "device": device,
        "speech": {"model": asr} if asr else None,
        "tokenizer": tokenizer,
        "end_of_document": end_of_document,
        "shards": shards,
        "shard_tokens": shard_tokens,
    }
    run, result = add_to_run(output, "corpus", flags, config)
    finish_run(run, [result], talk)
    if not talk.json:
        _tell_balance(result)
    return 0


def _tell_balance(result: StageResult) -> None:
    """That every input is accounted for, and what nobody could read anything out of."""
    from zhufeng.corpus import balance, captions_advice, hours  # noqa: PLC0415 (slow to import)

    figures = result.manifest.figures
    statuses = {status: figures.get(f"documents_{status}") or 0 for status in get_args(Status)}
    emit(balance(statuses) + "\n")
    if silent := figures.get("media_s_without_words"):
        emit(f"{hours(silent)} of media without words: {captions_advice()}\n")


@app.command
def show(
    folder: Path,
    doc: str | None = None,
    /,
    *,
    status: Status | None = None,
    everything: Annotated[bool, Parameter(name="--all", negative="")] = False,
    page: Path | None = None,
    video: Path | None = None,
    talk: Talk = _NO_TALK,
) -> int:
    """List the documents of a corpus, or print one with times, or write its page.

    Parameters
    ----------
    folder
        A run with a corpus, or the corpus's own folder.
    doc
        A document: its name, a part of it that no other has, or the beginning of its id.
    status
        List only documents with this status.
    everything
        Print suppressed segments too, with what suppressed them; list every document.
    page
        Write an HTML file that plays the video beside its text.
    video
        The video or sound for that page, where it is no longer where the run's recipe says.
    """
    from zhufeng.corpus.show import choose, documents_of, read_document, read_heads  # noqa: PLC0415

    talk.begin()
    _check_show(doc, status, page, video)
    artifact = folder / _CORPUS if (folder / RECIPE).exists() else folder
    file = documents_of(artifact, folder)
    heads = read_heads(file)
    if doc is None:
        _list(folder, heads, status, everything=everything, talk=talk)
        return 0
    document = read_document(file, choose(heads, doc, folder).row)
    if page is not None:
        _refuse_within(page, artifact)
        _write_page(page, document, artifact.parent, video)
    if talk.json:
        emit_json(DOCUMENT.pack(document))
    elif page is not None:
        emit(f"page: {page.resolve().as_uri()}\n")
    else:
        _print(document, everything=everything)
    return 0


@app.command
def plan(
    folder: Path,
    /,
    *,
    hours: float,
    days: float | None = None,
    cores: Whole | None = None,
    gpus: Whole | None = None,
    machine_gb: float | None = None,
    talk: Talk = _NO_TALK,
) -> int:
    """Predict cores, GPUs, days and bytes for many hours, from what a small run has cost.

    Parameters
    ----------
    folder
        The run whose corpus is the sample; it must be like what is planned.
    hours
        Hours of video and sound that are planned.
    days
        Predict the cores for this many days; 7 without it.
    cores
        Predict the days with this many cores instead.
    gpus
        Predict the days with this many GPUs instead; for a sample measured on CUDA.
    machine_gb
        Memory of one machine in GB, to predict how many workers fit and how many machines.
    """
    from zhufeng.corpus.planning import Wanted, read_costs  # noqa: PLC0415 (not for --help)
    from zhufeng.corpus.planning import plan as plan_corpus  # noqa: PLC0415

    talk.begin()
    given = {"hours": hours, "days": days, "cores": cores, "gpus": gpus, "machine_gb": machine_gb}
    wanted = parse(Wanted, given, "the command line")
    costs = read_costs(folder / f"{_CORPUS}{KEPT}", folder)
    planned = plan_corpus(costs, wanted)
    if talk.json:
        emit_json(to_json(planned))
    else:
        _emit_plan(planned)
    return 0


def _check_show(
    doc: str | None, status: Status | None, page: Path | None, video: Path | None
) -> None:
    """Refuse flags that would be ignored."""
    ignored = {
        "--page is of one document": page is not None and doc is None,
        "--video is for a page": video is not None and page is None,
        "--status is for the list": status is not None and doc is not None,
    }
    for where in (where for where, so in ignored.items() if so):
        raise InputError(
            where,
            expected="DIR alone for the list, or DIR DOC, with --page for its page",
            came=f"DOC '{shown(doc)}'" if doc is not None else "no DOC" if page else "no --page",
            do="zhufeng corpus show --help",
        )


def _list(
    folder: Path, heads: Sequence[Head], status: Status | None, *, everything: bool, talk: Talk
) -> None:
    from zhufeng.corpus import balance  # noqa: PLC0415 (slow to import)

    counts = Counter(head.status for head in heads)
    wanted = [head for head in heads if status in (None, head.status)]
    if talk.json:
        names = ("doc_id", "source_uri", "status", "reason", "duration_s", "lang", "n_tokens")
        rows = [{name: getattr(head, name) for name in names} for head in wanted]
        emit_json({"run": str(folder), "statuses": dict(counts), "documents": rows})
        return
    listed = wanted if everything else wanted[:_LISTED]
    emit_table(
        ["document", "id", "status", "duration", "language", "tokens", "reason"],
        [_row(head) for head in listed],
    )
    if len(listed) < len(wanted):
        emit(f"and {len(wanted) - len(listed):,} more: --all lists them\n")
    emit(f"\n{balance(counts)}\n")


def _row(head: Head) -> list[str]:
    from zhufeng.corpus.show import one_line  # noqa: PLC0415 (not for --help)

    return [
        one_line(head.source_uri),
        head.doc_id[:_ID_SHOWN],
        head.status,
        "" if head.duration_s is None else clock(head.duration_s),
        head.lang or "",
        "" if head.n_tokens is None else f"{head.n_tokens:,}",
        one_line(head.reason or ""),
    ]


def _print(document: Document, *, everything: bool) -> None:
    from zhufeng.corpus.show import (  # noqa: PLC0415 (as above)
        facts,
        one_line,
        plain,
        transcript_lines,
    )

    emit_table(["", ""], [[name, one_line(value)] for name, value in facts(document)])
    emit("\n")
    dim = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    lines = transcript_lines(document, everything=everything)
    for line in lines:
        emit(f"\x1b[2m{line.text}\x1b[0m\n" if dim and line.suppressed else line.text + "\n")
    if not document.segments:
        emit(plain(document.text) + "\n")
    if hidden := len(document.segments) - len(lines):
        emit(f"\n{hidden:,} suppressed segments are left out: --all prints them\n")


def _refuse_within(page: Path, artifact: Path) -> None:
    """A file more would be damage to the artifact."""
    if page.resolve().is_relative_to(artifact.resolve()):
        raise InputError(
            f"{page} lies in the corpus itself",
            expected="a place outside of it, where nothing is added by hand",
            came=str(artifact),
            do="name another place",
        )


def _write_page(page: Path, document: Document, run: Path, video: Path | None) -> None:
    from zhufeng.corpus.show import write_page  # noqa: PLC0415 (as above)

    media, notes = video, []
    if video is not None:
        if not video.is_file():
            raise InputError(
                f"{video} cannot be played",
                expected="the video or sound of the document",
                came="no such file",
                do="check the path",
            )
        if sha256_file(video) != document.content_sha256:
            notes.append("The file played here is not the one that this text was read from.")
    elif document.container is not None:
        media = _find_media(document, run)
        if media is None:
            notes.append(_NOT_FOUND)
    write_page(page, document, media, notes)
    for note in notes:
        log.warning("%s", note)


def _find_media(document: Document, run: Path) -> Path | None:
    from zhufeng.corpus.show import find_media  # noqa: PLC0415 (as above)

    # An artifact by itself has no recipe, and a damaged one finds nothing.
    with suppress(InputError):
        recipe = Run.open(run).recipe
        if config := recipe.sections.get(_CORPUS):
            return find_media(document, config.inputs, recipe.base, run)
    return None


def _emit_plan(planned: CorpusPlan) -> None:
    emit(
        f"{planned.hours:,.6g} hours, from {planned.hours_measured:,.3g} hours measured on "
        f"{planned.device}, {planned.machine} (documents: {planned.documents_measured:,})\n\n"
    )
    figures = planned.figures.items()
    emit_table(
        ["", "expected", f"{planned.confidence:.0%} band"],
        [[_FIGURES[name][0], *_estimated(name, one)] for name, one in figures],
    )
    whole = sum(planned.steps.values())
    emit("\n")
    emit_table(
        ["step", "CPU ms a media second", "share"],
        [[name, f"{ms:.3g}", f"{ms / whole:.1%}"] for name, ms in planned.steps.items()],
    )
    emit("\n" + "".join(f"{note}\n" for note in planned.notes))


def _estimated(name: str, one: Estimate) -> list[str]:
    band = ""
    if one.low is not None and one.high is not None:
        band = f"{_figure(name, one.low)} to {_figure(name, one.high)}"
    return [_figure(name, one.expected), band]


def _figure(name: str, value: float) -> str:
    unit = _FIGURES[name][1]
    if name in _WHOLE:
        return f"{value:,.0f}"
    if unit or name == "tokens":
        return si(value) + unit
    # Three digits are more than any plan is good for.
    return f"{float(f'{value:.3g}'):,.6g}"
