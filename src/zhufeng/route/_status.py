"""Where the stages of a run stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zhufeng.base import Manifest

State = Literal["fresh", "stale", "missing"]


@dataclass(frozen=True)
class StageStatus:
    """Where one stage of a run stands."""

    name: str
    state: State
    why: str
    """For a person; empty where fresh."""
    manifest: Manifest | None
    """Of the artifact that stands there, fresh or stale; None where it is missing or damaged."""
    whole: bool = False
    """Whether the artifact is as it was made, also where its inputs are out of reach."""
