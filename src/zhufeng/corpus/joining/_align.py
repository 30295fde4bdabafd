"""Words of the speech and words of subtitles put side by side, in time order."""

from __future__ import annotations

from collections.abc import Sequence

from zhufeng.base import record
from zhufeng.corpus.joining._tokens import alike

# A subtitle may come this much before or after what it says.
SLACK_S = 1.0
# Of two equal words the nearer in time is meant.
_PER_SECOND = 0.02


@record
class Token:
    """A token of a text and when it is said."""

    text: str
    owner: int
    """Which word or which subtitle it is of, by its number."""
    t: float
    t0: float
    """From when to when it may stand, its owner's times."""
    t1: float


def spread(texts: Sequence[str], owner: int, t0: float, t1: float) -> list[Token]:
    """Tokens of one owner, their times by their share of its letters."""
    letters = sum(map(len, texts)) or 1
    found, before = [], 0.0
    for text in texts:
        middle = (before + len(text) / 2) / letters
        found.append(Token(text=text, owner=owner, t=t0 + middle * (t1 - t0), t0=t0, t1=t1))
        before += len(text)
    return found


class _Row:
    """The best scores of one spoken token against the shown ones from `low` on."""

    def __init__(self, low: int, below: float) -> None:
        self.low, self.below, self.scores = low, below, list[float]()

    def at(self, column: int) -> float:
        """The score with the shown tokens up to and with `column`."""
        place = column - self.low
        if place < 0 or not self.scores:
            return self.below
        return self.scores[min(place, len(self.scores) - 1)]


def align(spoken: Sequence[Token], shown: Sequence[Token]) -> list[int | None]:
    """For each token of `spoken` the place in `shown` of the same word, or None.

    Both are in time order, and so are the pairs found: the best alignment under the score of
    `alike`, by dynamic programming (Needleman and Wunsch 1970, gaps free) within a band of
    `SLACK_S` around each shown token's times.
    """
    rows = _fill(spoken, shown)
    found: list[int | None] = [None] * len(spoken)
    i, j = len(spoken) - 1, len(shown) - 1
    while i >= 0 and j >= 0:
        here = rows[i + 1].at(j)
        if here == rows[i].at(j):
            i -= 1
        elif here == rows[i + 1].at(j - 1):
            j -= 1
        else:
            found[i] = j
            i, j = i - 1, j - 1
    return found


def _fill(spoken: Sequence[Token], shown: Sequence[Token]) -> list[_Row]:
    rows = [_Row(0, 0.0)]
    low = high = 0
    for token in spoken:
        while low < len(shown) and shown[low].t1 + SLACK_S < token.t:
            low += 1
        high = max(high, low)
        while high < len(shown) and shown[high].t0 - SLACK_S <= token.t:
            high += 1
        above = rows[-1]
        row = _Row(low, above.at(low - 1))
        left = row.below
        for column in range(low, high):
            left = max(left, above.at(column), above.at(column - 1) + _score(token, shown[column]))
            row.scores.append(left)
        if low == high:
            # No shown token is near: what was best before stays so for every column.
            row.low, row.scores = above.low, above.scores
            row.below = above.below
        rows.append(row)
    return rows


def _score(spoken: Token, shown: Token) -> float:
    score = alike(spoken.text, shown.text)
    if not score:
        return 0.0
    return max(score - _PER_SECOND * abs(spoken.t - shown.t), 0.0)
