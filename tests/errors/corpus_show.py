"""Errors of `zhufeng corpus show` and `zhufeng corpus plan`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.cli.corpus import show
from zhufeng.corpus.planning import Costs, Wanted, plan, read_costs, write_costs
from zhufeng.corpus.show import documents_of, read_heads
from zhufeng.records import Document, write_parquet

Patch = pytest.MonkeyPatch
COSTS = Costs(
    media_s=0.0,
    documents=1,
    source_bytes=1,
    document_bytes=1,
    shard_bytes=1,
    tokens=1,
    wall_s=1.0,
    workers=1,
    load_ms=0.0,
    peak_gb=0.1,
    device="cpu",
    machine="m",
    cpu_ms={},
    media_s_by_document=(),
    cpu_ms_by_document=(),
)


def corpus(tmp: Path, *names: str) -> Path:
    documents = [
        Document(doc_id=f"{n}" * 64, source_uri=name, content_sha256="0" * 64, bytes=1, text="x")
        for n, name in enumerate(names)
    ]
    write_parquet(tmp / "documents.parquet", documents)
    return tmp


@case(
    "TMP has no corpus",
    "a run with a corpus, or the folder of a corpus: with documents.parquet or documents.jsonl",
    "a folder without them",
    "check the path, or make one: zhufeng corpus build INPUT... -o TMP",
)
def no_corpus(tmp: Path, _: Patch) -> None:
    show(tmp)


@case(
    "TMP/nowhere has no corpus",
    "a run with a corpus, or the folder of a corpus: with documents.parquet or documents.jsonl",
    "no such folder",
    "check the path, or make one: zhufeng corpus build INPUT... -o TMP/nowhere",
)
def no_folder(tmp: Path, _: Patch) -> None:
    documents_of(tmp / "nowhere", tmp / "nowhere")


@case(
    "TMP/documents.parquet cannot be read",
    "documents as a Parquet file",
    "*",
    "make it again: zhufeng status RUN --verify tells what else is damaged",
)
def damaged_documents(tmp: Path, _: Patch) -> None:
    (tmp / "documents.parquet").write_bytes(b"PAR1 and no more")
    read_heads(tmp / "documents.parquet")


@case(
    "TMP has no document 'tolk.mp4'",
    "a document's name or id, a part of its name, or the beginning of its id",
    "'tolk.mp4', which is none of 2",
    "write 'videos/talk.mp4'",
)
def no_such_document(tmp: Path, _: Patch) -> None:
    show(corpus(tmp, "videos/talk.mp4", "b.txt"), "tolk.mp4")


@case(
    "TMP has no document 'zzz'",
    "a document's name or id, a part of its name, or the beginning of its id",
    "'zzz', which is none of 2",
    "zhufeng corpus show TMP lists them",
)
def nothing_like_it(tmp: Path, _: Patch) -> None:
    show(corpus(tmp, "a.txt", "b.txt"), "zzz")


@case(
    "TMP has 4 documents '.txt'",
    "what only one of them has in its name, or begins its id with",
    "a.txt, b.txt, c.txt and 1 more",
    "write the name in full",
)
def several_documents(tmp: Path, _: Patch) -> None:
    show(corpus(tmp, "a.txt", "b.txt", "c.txt", "d.txt"), ".txt")


@case(
    "--page is of one document",
    "DIR alone for the list, or DIR DOC, with --page for its page",
    "no DOC",
    "zhufeng corpus show --help",
)
def page_of_nothing(tmp: Path, _: Patch) -> None:
    show(tmp, page=tmp / "x.html")


@case(
    "--video is for a page",
    "DIR alone for the list, or DIR DOC, with --page for its page",
    "DOC 'a'",
    "zhufeng corpus show --help",
)
def video_without_page(tmp: Path, _: Patch) -> None:
    show(tmp, "a", video=tmp / "x.mp4")


@case(
    "--status is for the list",
    "DIR alone for the list, or DIR DOC, with --page for its page",
    "DOC 'a'",
    "zhufeng corpus show --help",
)
def status_of_one(tmp: Path, _: Patch) -> None:
    show(tmp, "a", status="ok")


@case(
    "TMP/x.html lies in the corpus itself",
    "a place outside of it, where nothing is added by hand",
    "TMP",
    "name another place",
)
def page_within(tmp: Path, _: Patch) -> None:
    show(corpus(tmp, "a.txt"), "a.txt", page=tmp / "x.html")


@case(
    "TMP/mine.html is there already",
    "a new file, or an earlier page of a document",
    "another file",
    "name another",
)
def page_elsewhere(tmp: Path, _: Patch) -> None:
    (tmp / "mine.html").write_text("<p>mine")
    (tmp / "corpus").mkdir()
    show(corpus(tmp / "corpus", "a.txt"), "a.txt", page=tmp / "mine.html")


@case(
    "TMP is a folder",
    "the file that the page is to be, such as page.html",
    "a folder",
    "name a file in it: --page TMP/page.html",
)
def page_is_a_folder(tmp: Path, _: Patch) -> None:
    (tmp / "corpus").mkdir()
    show(corpus(tmp / "corpus", "a.txt"), "a.txt", page=tmp)


@case(
    "TMP/gone.mp4 cannot be played",
    "the video or sound of the document",
    "no such file",
    "check the path",
)
def no_video(tmp: Path, _: Patch) -> None:
    (tmp / "corpus").mkdir()
    folder = corpus(tmp / "corpus", "a.txt")
    show(folder, "a.txt", page=tmp / "x.html", video=tmp / "gone.mp4")


@case(
    "TMP holds no measured sample",
    "a run whose corpus was built here, with TMP/costs.json",
    "no such file",
    "build a small sample of what is planned: zhufeng corpus build INPUT... -o TMP",
)
def no_sample(tmp: Path, _: Patch) -> None:
    read_costs(tmp, tmp)


@case(
    "TMP is no sample to plan from",
    "a corpus of video or sound that was worked on",
    "0 s of media, 0 ms of CPU time",
    "build a small sample of what is planned, with videos among its inputs",
)
def a_sample_of_texts(tmp: Path, _: Patch) -> None:
    write_costs(tmp, COSTS)
    read_costs(tmp, tmp)


@case(
    "GPUs cannot be planned from this sample",
    "a sample measured on CUDA",
    "one measured on the device 'cpu'",
    "leave --gpus out, or build the sample with --device cuda",
)
def gpus_unmeasured(_: Path, __: Patch) -> None:
    costs = dataclasses.replace(COSTS, media_s=1.0, cpu_ms={"speech": 1.0})
    plan(costs, Wanted(hours=1, gpus=1))
