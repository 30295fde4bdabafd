"""Every error's text, word for word; and no error without a case here.

A room's cases stand in the file of its name beside this one.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

import zhufeng
from tests.errors import (
    base,
    cli,
    corpus,
    corpus_captions,
    corpus_show,
    corpus_speech,
    formats,
    fusion_distil,
    fusion_experts,
    fusion_ledger,
    fusion_merge,
    fusion_mix,
    fusion_moe,
    fusion_small,
    fusion_unify,
    fusion_union,
    hdl,
    hdl_command,
    hdl_compile,
    hdl_graph,
    hdl_memories,
    hdl_modules,
    hdl_oracle,
    hdl_reader,
    hdl_signals,
    hdl_sim,
    hdl_streams,
    hdl_types,
    hdl_verify,
    models,
    records,
    route,
    stack,
    training,
    workload,
)
from tests.errors.case import CASES, Case
from zhufeng.base import InputError

ROOMS = (
    *(base, cli, corpus, corpus_captions, corpus_show, corpus_speech, formats),
    *(hdl, hdl_command, hdl_compile, hdl_graph, hdl_memories, hdl_modules, hdl_signals),
    *(hdl_oracle, hdl_reader, hdl_sim, hdl_streams, hdl_types, hdl_verify),
    *(fusion_distil, fusion_experts, fusion_ledger, fusion_merge),
    *(fusion_mix, fusion_moe, fusion_small, fusion_unify, fusion_union),
    *(models, records, route, stack, training, workload),
)
SOURCE = Path(zhufeng.__file__).parent
BUILDERS = {"GradientError", "HdlError", "InputError", "MissingExtraError", "unknown_key", "wrong"}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_text(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as caught:
        case.act(tmp_path, monkeypatch)
    told = str(caught.value).replace(str(tmp_path), "TMP")
    pattern = re.escape(case.text).replace(r"\*", ".*")
    assert re.fullmatch(pattern, told), told


def sites() -> Iterator[tuple[str, int, int]]:
    """File, first and last line of every place in the source that builds an InputError."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(getattr(node, "func", None), "id", None)
            if isinstance(node, ast.Call) and name in BUILDERS:
                yield str(path), node.lineno, node.end_lineno or node.lineno


def test_every_place_that_builds_an_error_has_a_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: set[tuple[str, int]] = set()
    build = InputError.__init__

    def recording(self: InputError, *arguments: str, **parts: str) -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame and frame.f_code.co_filename.startswith(str(SOURCE)):
            reached.add((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back
        build(self, *arguments, **parts)

    with monkeypatch.context() as patch:
        patch.setattr(InputError, "__init__", recording)
        for number, case in enumerate(CASES):
            folder = tmp_path / str(number)
            folder.mkdir()
            with pytest.raises(InputError), patch.context() as inner:
                case.act(folder, inner)
    missed = [
        f"{Path(file).relative_to(SOURCE)}:{first}"
        for file, first, last in sites()
        if not any((file, line) in reached for line in range(first, last + 1))
    ]
    assert not missed, f"no case in tests/errors provokes the error built at {missed}"
