"""Which lines on the screen are subtitles, and how far each says what is heard."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from zhufeng.base import record
from zhufeng.corpus._parts import Box
from zhufeng.corpus.joining._align import Token, align, spread
from zhufeng.corpus.joining._lines import Line
from zhufeng.corpus.joining._speech import Said
from zhufeng.corpus.joining._tokens import joint, tokens, unspaced

# Broadcasters' rules ask for 5/6 s to 7 s; songs and slow speech are given more.
_LONGEST_S = 12.0
_USUAL_S = 8.0
_AT_ONCE_S = 0.6
_CENTRED = 0.12
_CENTRED_SHARE = 0.7
_IN_A_BAND = 3
_BAND = 0.03
_LAYOUT = 3
_LOWER = 0.6
_SAYS_SO = 0.5
_WORDS = 3


@record
class Cue:
    """Lines that stand together as one subtitle, or as a sign."""

    lines: tuple[int, ...]
    """Their numbers, top to bottom."""
    t0: float
    t1: float
    text: str
    conf: float
    bbox: Box
    tokens: tuple[str, ...]

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.t1 - self.t0


@record
class Match:
    """How a cue and the speech agree."""

    words: tuple[int, ...] = ()
    """Numbers of the spoken words that say something of the cue."""
    places: tuple[int, ...] = ()
    """Which of the cue's tokens each of `words` says."""
    share: float = 0.0
    """Of the cue's tokens, those said."""


def union(boxes: Sequence[Box]) -> Box:
    """The smallest box around `boxes`."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def cues(found: Sequence[Line]) -> list[Cue]:
    """What may be subtitles: lines that come and go, alone or in pairs, in no layout."""
    able = [
        number
        for number, line in enumerate(found)
        if not line.reason and line.duration <= _LONGEST_S
    ]
    begins = [line.t0 for line in found]
    taken: set[int] = set()
    groups: list[Cue] = []
    for number in able:
        if number in taken:
            continue
        beside = _beside(found, begins, number)
        group = _together(found, beside, taken, number)
        taken |= set(group)
        if len(beside) - len(group) + 1 < _LAYOUT:
            groups.append(_cue(found, group))
    return sorted(groups, key=lambda cue: (cue.t0, cue.bbox[1], cue.t1))


def _beside(found: Sequence[Line], begins: Sequence[float], number: int) -> list[int]:
    """The other lines that come and go with `number`."""
    line = found[number]
    first = bisect_left(begins, line.t0 - _AT_ONCE_S)
    last = bisect_right(begins, line.t0 + _AT_ONCE_S)
    return [
        other
        for other in range(first, last)
        if other != number
        and not found[other].reason
        and abs(found[other].t1 - line.t1) <= _AT_ONCE_S
    ]


def _together(
    found: Sequence[Line], beside: Sequence[int], taken: set[int], number: int
) -> list[int]:
    """`number` and the line right under or over it that comes and goes with it."""
    for other in beside:
        if other not in taken and _pair(found[number], found[other]):
            return sorted((number, other), key=lambda one: found[one].bbox[1])
    return [number]


def _pair(a: Line, b: Line) -> bool:
    height = max(a.height, b.height)
    stacked = 0.5 * height < abs(a.y - b.y) < 2.2 * height
    alike = min(a.height, b.height) > 0.6 * height and abs(a.x - b.x) <= _CENTRED
    return stacked and alike and unspaced(a.text) == unspaced(b.text)


def _cue(found: Sequence[Line], group: Sequence[int]) -> Cue:
    members = [found[number] for number in group]
    text = members[0].text
    for line in members[1:]:
        text += joint(text, line.text) + line.text
    weight = sum(len(line.text) for line in members)
    return Cue(
        lines=tuple(group),
        t0=min(line.t0 for line in members),
        t1=max(line.t1 for line in members),
        text=text,
        conf=sum(line.conf * len(line.text) for line in members) / weight,
        bbox=union([line.bbox for line in members]),
        tokens=tokens(text),
    )


def matches(words: Sequence[Said], shown: Sequence[Cue]) -> list[Match]:
    """How far each cue says what is heard."""
    spoken = [
        token
        for number, one in enumerate(words)
        if not one.reason
        for token in spread(one.tokens, number, one.word.t0, one.word.t1)
    ]
    found = [Match()] * len(shown)
    for sequence in _sequences(shown):
        places = [place for number in sequence for place in range(len(shown[number].tokens))]
        laid = [token for number in sequence for token in _laid(shown[number], number)]
        said: dict[int, list[tuple[int, int]]] = {}
        for token, place in zip(spoken, align(spoken, laid), strict=True):
            if place is not None:
                pair = (token.owner, places[place])
                said.setdefault(laid[place].owner, []).append(pair)
        for number, pairs in said.items():
            found[number] = Match(
                words=tuple(word for word, _ in pairs),
                places=tuple(place for _, place in pairs),
                share=len(pairs) / len(shown[number].tokens),
            )
    return found


def _laid(cue: Cue, number: int) -> list[Token]:
    return spread(cue.tokens, number, cue.t0, cue.t1)


def _sequences(shown: Sequence[Cue]) -> list[list[int]]:
    """Cues parted so that in each part they follow one another."""
    parts: list[list[int]] = []
    for number, cue in enumerate(shown):
        for part in parts:
            last = shown[part[-1]]
            if last.t1 <= cue.t0 + _AT_ONCE_S and last.t1 < cue.t1:
                part.append(number)
                break
        else:
            parts.append([number])
    return parts


def bands(shown: Sequence[Cue], matched: Sequence[Match]) -> list[int | None]:
    """For each cue the band of the picture whose subtitle it is; None for signs.

    A band is where at least three cues stand one after the other, in the middle of the
    picture or saying what is heard. Fewer, or one on its own, are a subtitle where they say
    what is heard.
    """
    rows: list[list[int]] = []
    for number, cue in enumerate(shown):
        for row in rows:
            if abs(shown[row[0]].bbox[3] - cue.bbox[3]) <= _BAND:
                row.append(number)
                break
        else:
            rows.append([number])
    found: list[int | None] = [None] * len(shown)
    bottoms: list[float] = []
    for row in rows:
        if _is_band(shown, matched, row):
            for number in row:
                found[number] = len(bottoms)
            bottoms.append(shown[row[0]].bbox[3])
    for number, cue in enumerate(shown):
        if found[number] is None and _middle(cue):
            found[number] = _own_band(cue, matched[number], bottoms)
    return found


def _own_band(cue: Cue, match: Match, bottoms: Sequence[float]) -> int | None:
    """The band of a cue outside the rows: beside one, as second lines are, or its own."""
    height = cue.bbox[3] - cue.bbox[1]
    for band, bottom in enumerate(bottoms):
        if abs(bottom - cue.bbox[3]) <= height and cue.duration <= _USUAL_S:
            return band
    if match.share >= _SAYS_SO and len(match.words) >= _WORDS:
        return len(bottoms)
    return None


def _middle(cue: Cue) -> bool:
    return abs((cue.bbox[0] + cue.bbox[2]) / 2 - 0.5) <= _CENTRED


def _is_band(shown: Sequence[Cue], matched: Sequence[Match], row: Sequence[int]) -> bool:
    if len({shown[number].tokens for number in row}) < _IN_A_BAND:
        return False
    durations = sorted(shown[number].duration for number in row)
    if durations[len(row) // 2] > _USUAL_S:
        return False
    said = sorted(matched[number].share for number in row)
    if said[len(row) // 2] >= _SAYS_SO:
        return True
    middle = sum(_middle(shown[number]) for number in row)
    first = shown[row[0]]
    low = (first.bbox[1] + first.bbox[3]) / 2 >= _LOWER
    return low and middle >= _CENTRED_SHARE * len(row)
