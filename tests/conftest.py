"""What all tests share: a clean environment, and the command line called in this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from zhufeng.cli import main

# Tests fork: a child of a process whose torch has a pool of threads waits for that pool for ever.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The same draws every time, so that a change is judged by what it changes; `make soak` draws anew.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("anew", derandomize=False, deadline=None)
settings.load_profile("same")


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def clean_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No setting of the machine's, and a cache of the test's own."""
    for name in list(os.environ):
        if name.startswith("ZHUFENG_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ZHUFENG_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def zhufeng(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Call the command line: ``zhufeng("run", recipe, "-o", run)``."""

    def call(*arguments: str | Path) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call
