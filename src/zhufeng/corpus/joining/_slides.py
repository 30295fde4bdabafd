"""What stands on slides and signs: each line once, in reading order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from zhufeng.base import record
from zhufeng.corpus.joining._lines import Line, figures, near
from zhufeng.corpus.joining._tokens import joint, same_text

# Lines that come within this time came at once.
_ARRIVAL_S = 1.5
_REPEATS = 0.85
_ROWS = 20
_GUTTER = 0.4
"""Of a line's height, in a picture about twice as wide as it is high."""
_LEADING = 1.6
_NEXT_LINE = 2.0
_ALIKE = 0.7


@record
class Shown:
    """Lines that came at once, in reading order: a slide, or what was added to one."""

    t0: float
    t1: float
    text: str
    lines: tuple[int, ...]
    """Their numbers."""


def without_repeats(found: Sequence[Line], numbers: Sequence[int]) -> list[Line]:
    """`found`, where those of `numbers` that came before at the same place bear the reason."""
    marked = list(found)
    seen: dict[tuple[int, str], list[int]] = {}
    for number in numbers:
        line = marked[number]
        row, said = round(line.y * _ROWS), figures(line.text)
        rows = (row - 1, row, row + 1)
        before = (other for near_row in rows for other in seen.get((near_row, said), ()))
        first = next((other for other in before if _repeats(marked[other], line)), None)
        if first is None:
            seen.setdefault((row, said), []).append(number)
        else:
            marked[number] = replace(line, reason=f"repeat of {marked[first].t0:.1f}")
    return marked


def _repeats(before: Line, after: Line) -> bool:
    same = before.tokens == after.tokens or same_text(before.text, after.text, _REPEATS)
    return same and near(before.bbox, after.bbox)


def slides(found: Sequence[Line], numbers: Sequence[int]) -> list[Shown]:
    """The lines `numbers`, all of them, as they came, grouped and in reading order."""
    arrivals: list[list[int]] = []
    for number in numbers:
        if arrivals and found[number].t0 - found[arrivals[-1][0]].t0 <= _ARRIVAL_S:
            arrivals[-1].append(number)
        else:
            arrivals.append([number])
    return [_slide(found, arrival) for arrival in arrivals]


def _slide(found: Sequence[Line], arrival: Sequence[int]) -> Shown:
    ordered = _in_reading_order(found, list(arrival))
    return Shown(
        t0=min(found[number].t0 for number in arrival),
        t1=max(found[number].t1 for number in arrival),
        text=_text([found[number] for number in ordered]),
        lines=tuple(ordered),
    )


def _in_reading_order(found: Sequence[Line], numbers: list[int]) -> list[int]:
    """Blocks from top to bottom, columns of a block from left to right.

    The recursive XY cut (Nagy and Seth 1984): rows are parted where no line stands, the
    widest gap first; what cannot be is parted into columns.
    """
    if len(numbers) <= 1:
        return numbers
    height = sorted(found[number].height for number in numbers)[len(numbers) // 2]
    for axis, least in ((1, _LEADING * height), (0, _GUTTER * height), (1, 0.0)):
        parts = _cut(found, numbers, axis, least)
        if len(parts) > 1:
            return [number for part in parts for number in _in_reading_order(found, part)]
    return sorted(numbers, key=lambda number: (found[number].y, found[number].x))


def _cut(found: Sequence[Line], numbers: Sequence[int], axis: int, least: float) -> list[list[int]]:
    """`numbers` parted at the gaps of more than `least` along `axis`."""
    ordered = sorted(numbers, key=lambda number: (found[number].bbox[axis], number))
    parts = [[ordered[0]]]
    end = found[ordered[0]].bbox[axis + 2]
    for number in ordered[1:]:
        box = found[number].bbox
        if box[axis] - end > least:
            parts.append([])
        parts[-1].append(number)
        end = max(end, box[axis + 2])
    return parts


def _text(ordered: Sequence[Line]) -> str:
    """A line each, but a line that wraps goes on with the next."""
    text = ordered[0].text
    for before, after in pairwise(ordered):
        margin = max(line.bbox[2] for line in ordered if _under(before, line))
        wraps = _goes_on(before, after) and _is_full(before, after, margin)
        text += joint(before.text, after.text) if wraps else "\n"
        text += after.text
    return text


def _under(before: Line, after: Line) -> bool:
    return abs(before.bbox[0] - after.bbox[0]) < max(before.height, after.height)


def _goes_on(before: Line, after: Line) -> bool:
    """Whether `after` begins right under `before`, within a sentence."""
    height = max(before.height, after.height)
    next_ = 0 < after.y - before.y < _NEXT_LINE * height and _under(before, after)
    alike = min(before.height, after.height) > _ALIKE * height
    first = after.text.split(maxsplit=1)[0]
    address = "@" in first or "/" in first
    ended = before.text[-1] in ".:;!?"
    return next_ and alike and first[0].islower() and not address and not ended


def _is_full(before: Line, after: Line, margin: float) -> bool:
    """Whether the first word of `after` had no room in `before`."""
    letter = (after.bbox[2] - after.bbox[0]) / len(after.text)
    word = len(after.text.split(maxsplit=1)[0]) + 1
    return before.bbox[2] + letter * word > margin - letter
