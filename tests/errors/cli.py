"""Errors of zhufeng.cli."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.base import InputError
from zhufeng.cli import _main
from zhufeng.cli.demo import demo
from zhufeng.cli.fuse import check_apart
from zhufeng.cli.run import split_setting
from zhufeng.cli.trace import trace

Patch = pytest.MonkeyPatch


def refused(patch: Patch, arguments: Sequence[str]) -> None:
    """Call the command line and raise what it prints."""
    errors: list[InputError] = []
    patch.setattr(_main, "_refuse", errors.append)
    _main.main(arguments)
    raise errors[0]


@case(
    "--set is not usable",
    "SECTION.KEY=VALUE",
    "shard_tokens",
    "write for instance --set corpus.shard_tokens=1000000",
)
def no_equals(_: Path, __: Patch) -> None:
    split_setting("shard_tokens")


@case(
    "TMP is another run",
    "a new or empty folder, or an earlier demo",
    "the run 'mine'",
    "name another folder with -o",
)
def demo_elsewhere(tmp: Path, _: Patch) -> None:
    (tmp / "run.toml").write_text('name = "mine"\n[corpus]\ninputs = ["a"]\n')
    demo(output=tmp)


@case(
    "the command line is not usable",
    "what 'zhufeng status --help' describes",
    "Unknown option: --jsn. Did you mean --json?",
    "zhufeng status --help",
)
def unknown_flag(_: Path, patch: Patch) -> None:
    refused(patch, ["status", "x", "--jsn"])


@case(
    "the system refused a file operation",
    "files that can be read and written, and room on the disk",
    "[Errno 28] No space left on device",
    "mend that; the same command then goes on where this one was",
)
def disk_full(_: Path, patch: Patch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    patch.setattr(_main, "build_app", full)
    refused(patch, ["demo"])


@case(
    "there is no module nowhere",
    "package.module:function, file.py:function, or a path of a config.json or of its folder",
    "nowhere:make",
    "check the name; a module is looked for where Python looks, PYTHONPATH among it",
)
def trace_of_no_module(tmp: Path, _: Patch) -> None:
    trace("nowhere:make", output=tmp / "run")


@case("--since is not a day", "YYYY-MM-DD", "yesterday", "spell it so")
def no_day(folder: Path, patch: Patch) -> None:
    refused(patch, ["fuse", "ledger", str(folder), "--since", "yesterday"])


@case(
    "TMP/m/out lies in the folder of a member",
    "a folder apart from the models",
    "one in TMP/m",
    "name another --output",
)
def an_output_within_a_member(tmp: Path, _: Patch) -> None:
    check_apart(tmp / "m" / "out", [tmp / "m"])
