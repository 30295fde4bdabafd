"""Progress: plain lines without a terminal, a bar on one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from zhufeng.base import _progress, track


def test_without_a_terminal_there_are_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_progress, "LINE_EVERY_S", 0.0)
    assert list(track(["a", "b"], "reading")) == ["a", "b"]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["reading: 0 of 2 after 0 s", "reading: 1 of 2 after 0 s"]


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(iter([1, 2]), "reading")) == [1, 2]
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_is_a_bar() -> None:
    """A real pseudo-terminal on stderr; stdout stays clean."""
    master, terminal = pty.openpty()
    code = "from zhufeng.base import track\nprint(sum(track(range(5), 'summing')))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        check=True,
    )
    os.close(terminal)
    drawn = os.read(master, 65536).decode()
    os.close(master)
    assert done.stdout == b"10\n"
    assert "summing" in drawn
    assert "100%" in drawn
