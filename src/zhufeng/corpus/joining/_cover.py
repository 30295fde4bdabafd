"""Where subtitles and speech say the same, which of the two goes into the text."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from zhufeng.base import record
from zhufeng.corpus.joining._speech import Said
from zhufeng.corpus.joining._subtitles import Cue, Match
from zhufeng.corpus.joining._tokens import unspaced

_AGREES = 0.5
_AGREES_IN_PART = 0.34
_MATCHED = 3
_SPEECH_WINS = 0.6
_MARGIN = 0.1
_AROUND_S = 0.2
# Times of words and of cues are off by up to this much.
_LOOSE_S = 0.3
# So much silence between two cues has room for words of its own.
_ROOM_S = 0.8
_UNSURE = 0.5


@record
class Covered:
    """What became of words and cues that stand against each other."""

    by_word: tuple[int | None, ...]
    """For each word the cue that says it in its place."""
    by_cue: tuple[int | None, ...]
    """For each cue the word from which on the speech says it in its place."""


def cover(
    words: Sequence[Said],
    shown: Sequence[Cue],
    matched: Sequence[Match],
    band: Sequence[int | None],
    poor_conf: float,
) -> Covered:
    """Say which of `words` a subtitle replaces and which subtitles the speech replaces.

    Only a cue that is the speech's own text replaces or is replaced: one that agrees with the
    words in its time, or stands in a band of subtitles that do. A sign and a translation
    leave the speech alone.
    """
    heard = _heard(words, shown)
    trusted = _trusted(words, shown, matched, band, heard)
    by_cue: list[int | None] = [None] * len(shown)
    for number in trusted:
        if _speech_is_better(words, shown[number], matched[number], poor_conf):
            by_cue[number] = min(matched[number].words)
    standing = [number for number in trusted if by_cue[number] is None]
    sure = [
        match if _agrees(match) else _in_a_row(words, cue, match)
        for cue, match in zip(shown, matched, strict=True)
    ]
    return Covered(
        by_word=tuple(_by_word(words, shown, sure, standing)),
        by_cue=tuple(by_cue),
    )


def _heard(words: Sequence[Said], shown: Sequence[Cue]) -> list[list[int]]:
    """For each cue the numbers of the words said while it stands."""
    spoken = sorted((one.t, number) for number, one in enumerate(words) if not one.reason)
    found = []
    for cue in shown:
        first = bisect_left(spoken, (cue.t0 - _AROUND_S, -1))
        last = bisect_right(spoken, (cue.t1 + _AROUND_S, len(words)))
        found.append(sorted(number for _, number in spoken[first:last]))
    return found


def _agrees(match: Match) -> bool:
    in_part = match.share >= _AGREES_IN_PART and len(match.words) >= _MATCHED
    return match.share >= _AGREES or in_part


def _in_a_row(words: Sequence[Said], cue: Cue, match: Match) -> Match:
    """Of few words that match, those that do not by chance: two and more in a row, in time."""
    pairs = [
        (word, place)
        for word, place in zip(match.words, match.places, strict=True)
        if cue.t0 - 2 * _LOOSE_S <= words[word].t <= cue.t1 + 2 * _LOOSE_S
    ]
    sure = {
        pair for a, b in pairwise(pairs) if b[0] <= a[0] + 1 and b[1] == a[1] + 1 for pair in (a, b)
    }
    kept = sorted(sure)
    return replace(
        match, words=tuple(word for word, _ in kept), places=tuple(place for _, place in kept)
    )


def _trusted(
    words: Sequence[Said],
    shown: Sequence[Cue],
    matched: Sequence[Match],
    band: Sequence[int | None],
    heard: Sequence[Sequence[int]],
) -> list[int]:
    """Numbers of the cues that say what is said in their time."""
    bands_agree = _bands_that_agree(shown, matched, band, heard)
    found = []
    for number, cue in enumerate(shown):
        if band[number] is None:
            continue
        here = [words[place] for place in heard[number]]
        guessed = bool(here) and sum(one.doubtful for one in here) * 2 > len(here)
        same_script = not here or unspaced(cue.text) == _unspaced(here)
        in_step = band[number] in bands_agree
        if _agrees(matched[number]) or (in_step and (guessed or same_script)):
            found.append(number)
    return found


def _unspaced(here: Sequence[Said]) -> bool:
    return unspaced("".join(one.word.text for one in here))


def _bands_that_agree(
    shown: Sequence[Cue],
    matched: Sequence[Match],
    band: Sequence[int | None],
    heard: Sequence[Sequence[int]],
) -> set[int]:
    """The bands most of whose cues, weighed by their words, say what is heard."""
    said: dict[int, int] = {}
    total: dict[int, int] = {}
    for number, cue in enumerate(shown):
        where = band[number]
        if where is None or not heard[number]:
            continue
        total[where] = total.get(where, 0) + len(cue.tokens)
        if _agrees(matched[number]):
            said[where] = said.get(where, 0) + len(cue.tokens)
    return {where for where, count in said.items() if 2 * count >= total[where]}


def _speech_is_better(words: Sequence[Said], cue: Cue, match: Match, poor_conf: float) -> bool:
    if cue.conf >= poor_conf or match.share < _SPEECH_WINS:
        return False
    probs = [words[number].word.prob for number in match.words]
    return sum(probs) / len(probs) > cue.conf + _MARGIN


def _by_word(
    words: Sequence[Said], shown: Sequence[Cue], matched: Sequence[Match], standing: Sequence[int]
) -> list[int | None]:
    found: list[int | None] = [None] * len(words)
    for number in standing:
        for word in matched[number].words:
            if found[word] is None:
                found[word] = number
    matched_words = [number for number, cue in enumerate(found) if cue is not None]
    borders = [-1, *matched_words, len(words)]
    between = _Run(words, shown, matched, standing)
    for before, after in pairwise(borders):
        run = [number for number in range(before + 1, after) if not words[number].reason]
        if run:
            left = found[before] if before >= 0 else None
            right = found[after] if after < len(words) else None
            _fill(between, run, left, right, found)
    return found


class _Run:
    """Words between two that a subtitle says, and what that needs to be judged."""

    def __init__(
        self,
        words: Sequence[Said],
        shown: Sequence[Cue],
        matched: Sequence[Match],
        standing: Sequence[int],
    ) -> None:
        self.words, self.shown, self.matched = words, shown, matched
        self._standing = standing
        self._begins = [shown[number].t0 for number in standing]
        self._longest = max((shown[number].duration for number in standing), default=0.0)

    def standing(self, t0: float, t1: float) -> Sequence[int]:
        """The cues that may stand between `t0` and `t1`."""
        first = bisect_left(self._begins, t0 - self._longest)
        return self._standing[first : bisect_right(self._begins, t1)]

    def after_last(self, cue: int) -> int:
        """How many tokens of `cue` come after the last that is said."""
        return len(self.shown[cue].tokens) - 1 - max(self.matched[cue].places)

    def before_first(self, cue: int) -> int:
        """How many tokens of `cue` come before the first that is said."""
        return min(self.matched[cue].places)

    def weight(self, word: int) -> int:
        """How many tokens `word` stands for."""
        return max(len(self.words[word].tokens), 1)

    def unread(self, word: int, rest: Sequence[int]) -> int | None:
        """The cue none of whose words were recognised and in whose time `word` is said."""
        t = self.words[word].t
        for number in self.standing(t - _LOOSE_S, t + _LOOSE_S):
            cue = self.shown[number]
            if self.matched[number].words:
                continue
            fits = sum(map(self.weight, rest)) <= len(cue.tokens)
            if fits and cue.t0 - _LOOSE_S <= t <= cue.t1 + _LOOSE_S:
                return number
        return None

    def within(self, word: int, loose: float) -> int | None:
        """The cue during which `word` is said, its ends moved out by `loose` seconds."""
        t = self.words[word].t
        for number in self.standing(t - _LOOSE_S, t + _LOOSE_S):
            cue = self.shown[number]
            if cue.t0 - loose <= t <= cue.t1 + loose:
                return number
        return None


def _fill(
    run: _Run, places: list[int], left: int | None, right: int | None, found: list[int | None]
) -> None:
    """Give the words at `places` to the cues that say them, and leave the others standing."""
    if left is not None and left == right:
        for word in places:
            found[word] = left
        return
    rest = list(places)
    budget = run.after_last(left) if left is not None else 0
    while rest and left is not None and budget > 0 and _before_end(run, rest[0], left):
        budget -= run.weight(rest[0])
        found[rest.pop(0)] = left
    budget = run.before_first(right) if right is not None else 0
    while rest and right is not None and budget > 0 and _after_start(run, rest[-1], right):
        budget -= run.weight(rest[-1])
        found[rest.pop()] = right
    if rest:
        _rest(run, rest, left, right, found)


def _before_end(run: _Run, word: int, cue: int) -> bool:
    return run.words[word].t <= run.shown[cue].t1 + _LOOSE_S


def _after_start(run: _Run, word: int, cue: int) -> bool:
    return run.words[word].t >= run.shown[cue].t0 - _LOOSE_S


def _rest(
    run: _Run, rest: Sequence[int], left: int | None, right: int | None, found: list[int | None]
) -> None:
    """Words that no token of a neighbouring cue waits for."""
    for word in rest:
        found[word] = run.unread(word, rest)
    rest = [word for word in rest if found[word] is None]
    inside = [run.within(word, -_LOOSE_S) for word in rest]
    close = [run.within(word, _LOOSE_S) for word in rest]
    gap = _gap(run, left, right)
    alone = len(rest) == 1 and run.words[rest[0]].word.prob < _UNSURE
    neighbour = left if left is not None else right
    if neighbour is not None and (gap < _ROOM_S or alone):
        for word, cue in zip(rest, close, strict=True):
            found[word] = neighbour if cue is None else cue
        return
    # Words at the rim of a cue belong to what is said beside it, if anything is.
    outside = any(cue is None for cue in close)
    for word, deep, cue in zip(rest, inside, close, strict=True):
        found[word] = deep if outside else cue


def _gap(run: _Run, left: int | None, right: int | None) -> float:
    """Seconds without a subtitle between two cues; endless where there is only one."""
    if left is None or right is None:
        return float("inf")
    begin, end = run.shown[left].t1, run.shown[right].t0
    between = (
        run.shown[number]
        for number in run.standing(begin, end)
        if begin <= run.shown[number].t0 < end and number not in (left, right)
    )
    return end - begin - sum(cue.duration for cue in between)
