"""``zhufeng report``: a run's page."""

from __future__ import annotations

from pathlib import Path

from zhufeng.cli._common import Talk, emit, emit_json
from zhufeng.route import Run

_NO_TALK = Talk()


def report(run: Path, /, *, talk: Talk = _NO_TALK) -> int:
    """Write a run's page from the artifacts that stand, and say where it is.

    Parameters
    ----------
    run
        The run's folder.
    """
    talk.begin()
    opened = Run.open(run)
    opened.rewrite_page()
    if talk.json:
        emit_json({"run": str(run), "page": str(opened.page)})
    else:
        emit(f"{opened.page.resolve().as_uri()}\n")
    return 0
