"""Errors of zhufeng.base."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.base import (
    Draft,
    Files,
    Spec,
    exclusive,
    expand,
    find,
    loads_json,
    make,
    needs_extra,
    parse,
    read_json,
    read_manifest,
    read_text,
    read_toml,
    record,
    write_durable,
)

Patch = pytest.MonkeyPatch


@record
class Thing:
    size: int
    share: float = 0.5


@case(
    "the package 'torch' is not installed",
    "the extra [train], which brings 'torch'",
    "an installation without it",
    "pip install 'zhufeng[train]'",
)
def missing_extra(_: Path, patch: Patch) -> None:
    patch.setitem(sys.modules, "torch", None)
    with needs_extra("train"):
        import torch.nn  # noqa: F401


@case(
    "TMP is in use",
    "a folder that no other process is writing",
    "another zhufeng process at work in it",
    "wait until it ends, or name another folder with -o",
)
def folder_in_use(tmp: Path, _: Patch) -> None:
    with exclusive(tmp), exclusive(tmp):
        pass


@case(
    "a file cannot be written",
    "the name of a file",
    "the folder TMP",
    "name a file in it",
)
def a_folder_as_a_file(tmp: Path, _: Patch) -> None:
    write_durable(tmp, b"")


@case(
    "TMP/a.toml does not exist",
    "a TOML file",
    "no file of that name (there is 'b.toml')",
    "check the path",
)
def no_file(tmp: Path, _: Patch) -> None:
    (tmp / "b.toml").touch()
    read_toml(tmp / "a.toml")


@case(
    "TMP/a.txt is not text",
    "a note in UTF-8",
    "byte 0xff at offset 2",
    "save the file as UTF-8, or check the path",
)
def no_text(tmp: Path, _: Patch) -> None:
    (tmp / "a.txt").write_bytes(b"ab\xff")
    read_text(tmp / "a.txt", "a note")


@case("TMP cannot be read", "a note", "Is a directory", "check the path")
def unreadable(tmp: Path, _: Patch) -> None:
    read_text(tmp, "a note")


@case(
    "TMP/a.toml is not TOML",
    "TOML (https://toml.io)",
    "Invalid value (at line 2, column 5)",
    "correct the file at that place",
)
def no_toml(tmp: Path, _: Patch) -> None:
    (tmp / "a.toml").write_text("a = 1\nb = \n")
    read_toml(tmp / "a.toml")


@case(
    "TMP/a.json is not JSON",
    "one JSON value",
    "Expecting value: line 1 column 7 (char 6)",
    "restore the file from a copy, or make it again",
)
def no_json(tmp: Path, _: Patch) -> None:
    (tmp / "a.json").write_text('{"a": ')
    read_json(tmp / "a.json")


@case(
    "f is not JSON",
    "one JSON value",
    "*recursion*",
    "restore the file from a copy, or make it again",
)
def too_deep(_: Path, __: Patch) -> None:
    loads_json("[" * 200_000, "f")


@case("f: size is missing", "a value for 'size'", "none", "add 'size'")
def missing_key(_: Path, __: Patch) -> None:
    parse(Thing, {}, "f")


@case("f has an unknown key 'shaer'", "one of share, size", "shaer", "write 'share'")
def unknown_key(_: Path, __: Patch) -> None:
    parse(Thing, {"size": 1, "shaer": 2}, "f")


@case(
    "f has an unknown key 'zz\\n'", "one of share, size", "zz\\n", "take one of these, or remove it"
)
def unknown_key_without_a_neighbour(_: Path, __: Patch) -> None:
    parse(Thing, {"size": 1, "zz\n": 2}, "f")


@case(
    "f (1 more of its values are wrong): size is not usable",
    "a valid integer",
    "x",
    "correct it in f",
)
def wrong_values(_: Path, __: Patch) -> None:
    parse(Thing, {"size": "x", "share": "y"}, "f")


@case(
    "here: 'a.tx' names no file",
    "a file, a folder or a glob that matches a file",
    "nothing at TMP/a.tx (there is 'a.txt')",
    "check the path; relative ones start at TMP",
)
def no_source(tmp: Path, _: Patch) -> None:
    (tmp / "a.txt").touch()
    expand(["a.tx"], tmp, Files(), "here")


@case("here: '~nobody-of-that-name/x' names no file", "a path, or a glob", "*", "correct it")
def no_user(tmp: Path, _: Patch) -> None:
    expand(["~nobody-of-that-name/x"], tmp, Files(), "here")


@case("here: '''' names no file", "a path, or a glob", "an empty path", "correct it")
def empty_path(tmp: Path, _: Patch) -> None:
    expand([""], tmp, Files(), "here")


@case(
    "TMP/manifest.json is not JSON",
    "one JSON value",
    "*",
    "make it again: zhufeng run RUN/run.toml -o RUN replaces *",
)
def damaged_manifest(tmp: Path, _: Patch) -> None:
    (tmp / "manifest.json").write_text("{")
    find(tmp)


@case(
    "here: the folder 'sub' holds nothing to read",
    "files ending in .txt, .md",
    "no such file in it",
    "check the path",
)
def empty_folder(tmp: Path, _: Patch) -> None:
    (tmp / "sub").mkdir()
    expand(["sub"], tmp, Files((".txt", ".md")), "here")


@case(
    "here: 'a.pdf' is of a kind that is not read",
    "files ending in .txt",
    "a file ending in '.pdf'",
    "name files of these kinds, or convert it",
)
def wrong_kind(tmp: Path, _: Patch) -> None:
    (tmp / "a.pdf").touch()
    expand(["a.pdf"], tmp, Files((".txt",)), "here")


def fill(draft: Draft) -> None:
    (draft.folder / "a").write_text("x")


@case(
    "TMP/thing stands already",
    "the same inputs as it was made from",
    "seed: 0 there, 1 here; size: 1 there, 2 here",
    "name another folder with -o, or remove TMP/thing to have it made again",
)
def stands_already(tmp: Path, _: Patch) -> None:
    make(tmp / "thing", Spec(kind="t", version=1, configuration={"size": 1}), fill)
    make(tmp / "thing", Spec(kind="t", version=1, configuration={"size": 2}, seed=1), fill)


@case(
    "TMP is not an artifact",
    "a folder with a manifest.json, or nothing",
    "a folder without one",
    "name another place, or move it away",
)
def no_artifact(tmp: Path, _: Patch) -> None:
    find(tmp)


@case(
    "TMP/manifest.json is of a newer version",
    "a manifest of version 1 or older",
    "version 2",
    "upgrade: pip install -U zhufeng",
)
def newer_manifest(tmp: Path, _: Patch) -> None:
    (tmp / "manifest.json").write_text(json.dumps({"manifest": 2}))
    read_manifest(tmp / "manifest.json")


@case(
    "[corpus] inputs: 'nosuch://shelf/a.mp4' is out of reach",
    "an fsspec URL of a file, a folder or a glob",
    "ValueError: Protocol not known: nosuch*",
    "check the URL, the rights, and that the store's package is installed",
)
def url_out_of_reach(tmp: Path, _: Patch) -> None:
    expand(["nosuch://shelf/a.mp4"], tmp, Files(), "[corpus] inputs")


@case(
    "[corpus] inputs: 'memory://nothing/*.mp4' names no file",
    "an fsspec URL of a file, a folder or a glob",
    "nothing there",
    "check the URL",
)
def url_of_nothing(tmp: Path, _: Patch) -> None:
    expand(["memory://nothing/*.mp4"], tmp, Files(), "[corpus] inputs")


@case(
    "[corpus] inputs: 'memory://other_kinds' holds nothing to read",
    "files ending in .mp4",
    "1 files of other kinds",
    "check the URL",
)
def url_of_other_kinds(tmp: Path, _: Patch) -> None:
    import fsspec

    with fsspec.open("memory://other_kinds/note.txt", "w") as file:
        file.write("words")
    expand(["memory://other_kinds"], tmp, Files(endings=(".mp4",)), "[corpus] inputs")


@case(
    "[corpus] inputs: 'zip://a.mp4::/shelf/x.zip' is a chain of URLs",
    "an fsspec URL of a file, a folder or a glob",
    "several, joined by '::'",
    "unpack or copy what it means, and name that",
)
def chained_url(tmp: Path, _: Patch) -> None:
    expand(["zip://a.mp4::/shelf/x.zip"], tmp, Files(), "[corpus] inputs")


@case(
    "the package 'aiohttp' is not installed",
    "the extra [corpus], which brings 'aiohttp'",
    "an installation without it",
    "pip install 'zhufeng[corpus]'",
)
def no_web(tmp: Path, patch: Patch) -> None:
    from fsspec.registry import _registry

    patch.setitem(sys.modules, "aiohttp", None)
    patch.delitem(sys.modules, "fsspec.implementations.http", raising=False)
    patch.delitem(_registry, "https", raising=False)
    expand(["https://localhost:1/a.mp4"], tmp, Files(), "[corpus] inputs")


@case(
    "here: 'a.mp4' is a link that leads nowhere",
    "a file or a folder at its end",
    "nothing at gone.mp4",
    "mend the link, or name the file itself",
)
def dangling_link(tmp: Path, _: Patch) -> None:
    (tmp / "a.mp4").symlink_to("gone.mp4")
    expand(["a.mp4"], tmp, Files(), "here")


@case(
    "here: the folder '*' cannot be listed",
    "folders that can be read",
    "Permission denied",
    "mend its rights, or name what else is wanted one by one",
)
def closed_folder(tmp: Path, patch: Patch) -> None:
    (tmp / "sub" / "closed").mkdir(parents=True)
    (tmp / "sub" / "a.txt").touch()
    listed = os.scandir

    def refusing(path: str) -> object:
        # Root, as whom tests may run, may list everything.
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    patch.setattr(os, "scandir", refusing)
    expand(["sub"], tmp, Files((".txt",)), "here")
