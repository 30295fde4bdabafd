"""What was seen: the lines on the screen, put together again, and those that say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from zhufeng.base import record
from zhufeng.corpus._parts import Box, ScreenLine, Watched
from zhufeng.corpus.joining._tokens import similarity, tokens, unspaced

_GAP_S = 0.3
_SAME_PLACE = 0.03
_SAME_TEXT = 0.8
_EDGE = 0.13
_CORNER = 0.32
_THROUGHOUT = 0.5
_PLACES = 3
_OTHERS = 3
_CRUMB_CONF = 0.8
_FLASH_S = 0.7
_BRIEF_S = 2.0
_CENTRED = 0.12
_SUBTITLE_S = 8.0
_NUMBERING = re.compile(
    r"(?:slide|page|p\.|第)?\s*\d{1,3}\s*(?:(?:/|of)\s*\d{1,3}|页|頁)?|\d{1,2}:\d{2}(?::\d{2})?",
    re.IGNORECASE,
)
_TICKER_LINES = 4
_TICKER_SHARED = 4


@record
class Line:
    """A line on the screen from when it came until it went."""

    t0: float
    t1: float
    text: str
    conf: float
    bbox: Box
    static: bool
    tokens: tuple[str, ...]
    reason: str | None = None
    """Why it is not in the text."""

    @property
    def x(self) -> float:
        """Its centre from the left, as a fraction of the width."""
        return (self.bbox[0] + self.bbox[2]) / 2

    @property
    def y(self) -> float:
        """Its centre from the top, as a fraction of the height."""
        return (self.bbox[1] + self.bbox[3]) / 2

    @property
    def height(self) -> float:
        """As a fraction of the picture's."""
        return self.bbox[3] - self.bbox[1]

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.t1 - self.t0


def lines(watched: Sequence[Watched], duration_s: float, min_conf: float) -> list[Line]:
    """All lines in time order, mended; those that say nothing bear the reason."""
    seen = sorted(
        (line for span in watched for line in span.lines),
        key=lambda line: (line.t0, line.bbox[1], line.bbox[0], line.t1, line.text),
    )
    found = _mended(seen)
    found = _marked(found, _noise(found, min_conf))
    found = _marked(found, _furniture(found, duration_s))
    return _marked(found, _flicker(found))


def _marked(found: Sequence[Line], reasons: Sequence[str | None]) -> list[Line]:
    return [
        replace(line, reason=reason) if reason and not line.reason else line
        for line, reason in zip(found, reasons, strict=True)
    ]


def near(a: Box, b: Box) -> bool:
    """Whether two boxes are at the same place: the same left end, middle or right end."""
    height = max(a[3] - a[1], b[3] - b[1])
    if abs((a[1] + a[3]) - (b[1] + b[3])) / 2 > min(_SAME_PLACE, height / 2):
        return False
    across = (a[0] - b[0], (a[0] + a[2] - b[0] - b[2]) / 2, a[2] - b[2])
    return min(map(abs, across)) <= _SAME_PLACE


def _mended(seen: Iterable[ScreenLine]) -> list[Line]:
    """Lines cut where a span ends, or lost for a moment, become one."""
    found: list[Line] = []
    open_: list[int] = []
    for one in seen:
        line = Line(
            t0=one.t0,
            t1=one.t1,
            text=one.text.strip(),
            conf=one.conf,
            bbox=one.bbox,
            static=one.static,
            tokens=tokens(one.text),
        )
        open_ = [place for place in open_ if found[place].t1 + _GAP_S >= line.t0]
        for place in open_:
            if _continues(found[place], line):
                found[place] = _joined(found[place], line)
                break
        else:
            open_.append(len(found))
            found.append(line)
    return found


def _continues(before: Line, after: Line) -> bool:
    same = before.tokens == after.tokens if before.tokens else before.text == after.text
    return same and near(before.bbox, after.bbox)


def _joined(before: Line, after: Line) -> Line:
    better = max(before, after, key=lambda line: line.conf)
    return replace(
        better,
        t0=before.t0,
        t1=max(before.t1, after.t1),
        static=before.static if before.duration >= after.duration else after.static,
    )


def _noise(found: Sequence[Line], min_conf: float) -> list[str | None]:
    """Crumbs: marks, letters read without trust, flashes of a moving picture."""
    return ["noise" if _says_nothing(line, min_conf) else None for line in found]


def _says_nothing(line: Line, min_conf: float) -> bool:
    letters = sum(map(len, line.tokens))
    if not letters or line.conf < min_conf:
        return True
    short = letters <= (1 if unspaced(line.text) else 2)
    flash = not line.static and line.duration < _FLASH_S
    return (short or flash) and line.conf < _CRUMB_CONF


def _groups(found: Sequence[Line]) -> list[list[int]]:
    """Numbers of lines with the same text at the same place, whenever."""
    groups: dict[tuple[str, ...], list[list[int]]] = {}
    for number, line in enumerate(found):
        for group in groups.setdefault(line.tokens, []):
            if near(found[group[0]].bbox, line.bbox):
                group.append(number)
                break
        else:
            groups[line.tokens].append([number])
    return [group for places in groups.values() for group in places]


def _furniture(found: Sequence[Line], duration_s: float) -> list[str | None]:
    """Logos, footers, page numbers, clocks, tickers: what stands whatever is said."""
    reasons: list[str | None] = [None] * len(found)
    groups = _groups(found)
    shown = [sum(found[number].duration for number in group) for group in groups]
    lasting = [seconds >= _THROUGHOUT * duration_s for seconds in shown]
    others = len(groups) - sum(lasting)
    for group, seconds, lasts in zip(groups, shown, lasting, strict=True):
        first = found[group[0]]
        if _at_edge(first) and lasts and others >= _OTHERS:
            reason = "logo"
        elif _at_edge(first) and len(group) >= _PLACES and _stands(first, seconds / len(group)):
            reason = "furniture"
        else:
            continue
        for number in group:
            reasons[number] = reason
    for number, line in enumerate(found):
        if _at_edge(line) and _NUMBERING.fullmatch(line.text):
            reasons[number] = reasons[number] or "furniture"
    for number in _tickers(found):
        reasons[number] = reasons[number] or "ticker"
    return reasons


def _at_edge(line: Line) -> bool:
    """Along the lower edge or in a corner: a title stands at neither."""
    upper, lower = line.y < _EDGE, line.y > 1 - _EDGE / 2
    side = line.bbox[2] < _CORNER or line.bbox[0] > 1 - _CORNER
    return lower or (side and (upper or line.y > 1 - _EDGE))


def _stands(line: Line, mean_s: float) -> bool:
    """Whether a line that comes back is no subtitle, which is in the middle and short."""
    return abs(line.x - 0.5) > _CENTRED or mean_s > _SUBTITLE_S


def _tickers(found: Sequence[Line]) -> set[int]:
    """Lines of a text that runs along: each begins within the one before."""
    running: dict[int, list[int]] = {}
    for number, line in enumerate(found):
        if not line.static:
            running.setdefault(round(line.y / _SAME_PLACE), []).append(number)
    return {number for row in running.values() for number in _running(found, row)}


def _running(found: Sequence[Line], row: Sequence[int]) -> set[int]:
    linked: set[int] = set()
    for a, b in pairwise(row):
        if found[b].t0 - found[a].t1 < 1 and _runs_on(found[a], found[b]):
            linked |= {a, b}
    return linked if len(linked) >= _TICKER_LINES else set()


def _runs_on(before: Line, after: Line) -> bool:
    a, b = "".join(before.tokens), "".join(after.tokens)
    longest = min(len(a), len(b)) - 1
    return any(a[-size:] == b[:size] and a != b for size in range(longest, _TICKER_SHARED - 1, -1))


def _flicker(found: Sequence[Line]) -> list[str | None]:
    """Other readings of a line: typed, faded in, moved, or read worse for a moment."""
    reasons: list[str | None] = [None] * len(found)
    live: list[int] = []
    for number, line in enumerate(found):
        live = [other for other in live if found[other].t1 + _GAP_S >= line.t0]
        if not line.reason:
            for other in live:
                if reasons[other] is None and not found[other].reason:
                    _judge_readings(found, other, number, reasons)
            live.append(number)
    return reasons


def _judge_readings(found: Sequence[Line], a: int, b: int, reasons: list[str | None]) -> None:
    """Mark the worse of lines `a` and `b` where both are readings of one text."""
    if reasons[b] is not None or not _readings_of_one(found[a], found[b]):
        return
    worse, better = sorted((a, b), key=lambda number: _worth(found[number]))
    reasons[worse] = f"reading of the line at {found[better].t0:.1f}"


def _readings_of_one(before: Line, after: Line) -> bool:
    brief = min(before.duration, after.duration) < _BRIEF_S
    here = near(before.bbox, after.bbox)
    # What comes from elsewhere was met on its way across the screen.
    if not (here or (brief and len(before.text) > _TICKER_SHARED)):
        return False
    a, b = "".join(before.tokens), "".join(after.tokens)
    # What is typed grows; what fades out is read shorter.
    part = here and brief and (a.startswith(b) or b.startswith(a))
    if figures(before.text) != figures(after.text):
        return False
    return part or similarity(a, b, _SAME_TEXT) >= _SAME_TEXT


@lru_cache(maxsize=65536)
def figures(text: str) -> str:
    """The figures in a text: lines that differ in them say different things."""
    return "".join(character for character in text if character.isnumeric())


def _worth(line: Line) -> tuple[float, float]:
    return len(line.text) if line.conf >= _CRUMB_CONF else 0, line.conf * line.duration
