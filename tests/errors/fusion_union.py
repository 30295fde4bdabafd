"""Errors of zhufeng.fusion: union."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.base import Source, parse
from zhufeng.fusion.union import FuseConfig, fuse
from zhufeng.models import DecoderConfig

Patch = pytest.MonkeyPatch
MODEL = DecoderConfig(vocabulary=270, layers=1, width=8, heads=1, ff_width=8)


def source(path: Path, text: str = "one\n\ntwo\n\n", url: str | None = None) -> Source:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return Source(path.name, path, "0" * 64, url)


@case(
    "f is not usable",
    "either members, or a [fuse.model] that learns the texts",
    "*",
    "correct it in f",
)
def nobody_to_ask(_: Path, __: Patch) -> None:
    parse(FuseConfig, {"texts": ["a.txt", "b.txt"]}, "f")


@case(
    "TMP/b.txt is too short to be cut into documents",
    "some of 5 characters, at the end 15% of the text",
    "0 to learn from, 1 to be judged on",
    "give a longer text, or a smaller 'document' or 'held_out'",
)
def too_short(folder: Path, _: Patch) -> None:
    texts = [source(folder / "a.txt", "long\n\nenough\n\nhere\n\n"), source(folder / "b.txt", "no")]
    fuse(FuseConfig(texts=("a", "b"), model=MODEL, document=5), texts, [], folder, 1)


@case(
    "two of the texts have the name mixed",
    "names that differ, and none of them 'mixed'",
    "a, mixed",
    "rename one of them",
)
def a_name_that_is_taken(folder: Path, _: Patch) -> None:
    texts = [source(folder / "a.txt"), source(folder / "mixed.txt")]
    fuse(FuseConfig(texts=("a", "b"), model=MODEL, document=5), texts, [], folder, 1)


@case(
    "s3://far/config.json is not on this machine",
    "folders of members that can be read from the disk",
    "a URL",
    "copy the folder here, and name the copy",
)
def a_member_elsewhere(folder: Path, _: Patch) -> None:
    config = FuseConfig(texts=("a",), members=("s3://far",))
    far = source(folder / "far" / "config.json", "{}", "s3://far/config.json")
    fuse(config, [source(folder / "a.txt")], [far], folder, 1)
