"""The page of one document: its video or sound beside its timed text."""

from __future__ import annotations

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from zhufeng.records import Document, Segment
from zhufeng.report._templates import templates

TRANSCRIPT_PAGE = b'<meta name="generator" content="zhufeng corpus show">'
"""Stands in every such page, so that no other file is taken for one."""
SUPPRESSED = "suppressed"
# The strip is drawn on a canvas of this width, whatever the length and the screen.
_STRIP = 1000
_HOUR_S, _MINUTE_S = 3600, 60


@dataclass(frozen=True)
class Transcript:
    """All that the page says."""

    document: Document
    facts: Sequence[tuple[str, str]]
    """What is known of the document, as name and value."""
    media: str | None = None
    """Relative or ``file:`` URL of the video or sound; without it the page has no player."""
    notes: Sequence[str] = ()
    """What the reader must know first, such as why there is no player."""

    @property
    def segments(self) -> list[Segment]:
        """In time order."""
        return in_time(self.document.segments)

    @property
    def duration_s(self) -> float:
        """Of the source, or until the last thing said."""
        ends = [one.t1 for one in self.document.segments]
        return self.document.duration_s or max(ends, default=0.0)

    @property
    def counts(self) -> dict[str, int]:
        """How many segments of each kind there are, and how many suppressed ones."""
        found: Counter[str] = Counter(one.kind for one in self.document.segments)
        found[SUPPRESSED] = sum(one.suppressed_by is not None for one in self.document.segments)
        return {kind: number for kind, number in found.items() if number}

    @property
    def shot_ticks(self) -> str:
        """Where shots begin, as an SVG path."""
        return "".join(f"M{self._x(t0)} 0V32" for t0, _ in self.document.shots if self._on(t0))

    @property
    def bars(self) -> dict[str, str]:
        """When something is said or shown, by kind, as SVG paths; suppressed ones left out."""
        rows = {kind: 5 + 5 * row for row, kind in enumerate(self.counts)}
        paths: dict[str, str] = {}
        for one in self.segments:
            if one.suppressed_by is None and self._on(one.t0) and self._on(one.t1):
                bar = f"M{self._x(one.t0)} {rows[one.kind]}H{self._x(one.t1)}"
                paths[one.kind] = paths.get(one.kind, "") + bar
        return paths

    def _on(self, seconds: float) -> bool:
        return self.duration_s > 0 and 0 <= seconds <= self.duration_s

    def _x(self, seconds: float) -> str:
        return f"{_STRIP * seconds / self.duration_s:.2f}"


def render_transcript(transcript: Transcript) -> bytes:
    """The page's HTML, UTF-8: one file, which fetches nothing but the video that it names.

    Everything that comes from the document is escaped by the template, and none of it stands in
    the script. The page's own policy allows this one script and this one style, by their
    hashes, and no request but for the video.
    """
    environment = templates()
    environment.filters["clock"] = clock
    environment.filters["policy_hash"] = _policy_hash
    template = environment.get_template("transcript.html.j2")
    return template.render(page=transcript, document=transcript.document).encode()


def in_time(segments: Sequence[Segment]) -> list[Segment]:
    """Segments by when they begin; those of one moment as they stand in the document."""
    return sorted(segments, key=lambda one: (one.t0, one.t1))


def clock(seconds: float) -> str:
    """A moment for people: ``"0:12.3"``, ``"1:02:03.4"``."""
    if not math.isfinite(seconds):
        return "?"
    tenths = round(abs(seconds) * 10)
    minutes, rest = divmod(tenths, _MINUTE_S * 10)
    hours, minutes = divmod(minutes, _HOUR_S // _MINUTE_S)
    sign = "-" if seconds < 0 and tenths else ""
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{sign}{head}:{rest // 10:02}.{rest % 10}"


def _policy_hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline script or style of this text."""
    digest = hashlib.sha256(str(text).encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()
