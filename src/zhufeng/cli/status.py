"""``zhufeng status``: which stages of a run are fresh, stale or missing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zhufeng.cli._common import FINDING, Talk, emit_json, emit_table
from zhufeng.route import Run

_NO_TALK = Talk()


def status(
    run: Path,
    /,
    *,
    verify: Annotated[bool, Parameter(negative="")] = False,
    talk: Talk = _NO_TALK,
) -> int:
    """Say which stages of a run are fresh, stale or missing; exit code 1 unless all are fresh.

    Parameters
    ----------
    run
        The run's folder.
    verify
        Read every byte of every artifact, not only sizes.
    """
    talk.begin()
    found = Run.open(run).status(thorough=verify)
    if talk.json:
        emit_json(
            {
                "run": str(run),
                "stages": [
                    {
                        "name": stage.name,
                        "state": stage.state,
                        "why": stage.why,
                        "key": stage.manifest.spec.key if stage.manifest else None,
                    }
                    for stage in found
                ],
            }
        )
    else:
        emit_table(
            ["stage", "state", "why"], [[stage.name, stage.state, stage.why] for stage in found]
        )
    return 0 if all(stage.state == "fresh" for stage in found) else FINDING
