"""What was heard: its words, and those that nobody said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from zhufeng.base import record
from zhufeng.corpus._parts import Heard, Utterance, Word
from zhufeng.corpus.joining._tokens import tokens, unspaced

# Where Whisper itself takes a stretch for failed: Radford et al. 2022, section 4.5.
_LOGPROB = -1.0
_NO_SPEECH = 0.6
_COMPRESSION = 2.4
_PROB = 0.4

# The first closing words of films that Whisper learnt from, said in silence and music. These
# nobody says aloud, but a long sentence may have them in its midst.
_NEVER_SAID = (
    "请不吝点赞",
    "打赏支持明镜",
    "明镜与点点",
    "字幕by",
    "字幕志愿者",
    "中文字幕志愿者",
    "字幕由",
    "字幕製作",
    "amara.org",
    "subtitles by",
    "subtitled by",
    "captions by",
    "transcribed by https",
    "www.mooji.org",
    "ご視聴ありがとうございました",
)
# These somebody may say: they need a doubt beside them.
_SELDOM_SAID = (
    "thanks for watching",
    "thank you for watching",
    "thank you",
    "thank you very much",
    "thank you so much",
    "please subscribe",
    "please subscribe to my channel",
    "like and subscribe",
    "see you next time",
    "i'll see you next time",
    "i'll see you in the next video",
    "bye",
    "bye bye",
    "you",
    "the end",
    "谢谢观看",
    "谢谢大家",
    "谢谢收看",
    "感谢观看",
    "我们下期再见",
    "优优独播剧场",
    "yoyo television series exclusive",
)
# Words that may follow such a phrase: who is thanked.
_CREDITED = 4
# Who made the captions has a name; how they are made ("captions by default") has none.
_NAMED = re.compile(r"(?i:by)\W*(?:$|[^\Wa-z_])|\w\.\w|://")
_SELDOM_LOGPROB = -0.7
_SELDOM_NO_SPEECH = 0.4
_SELDOM_PROB = 0.5
_LONGEST_LOOP = 12
# So often may words stand in a row: less where the recogniser itself is in doubt.
_LOOPS = 6
_LOOPS_IN_DOUBT = 3


@record
class Said:
    """A word of the speech, in its place."""

    utterance: int
    word: Word
    tokens: tuple[str, ...]
    doubtful: bool
    """Whether its utterance looks guessed."""
    reason: str | None = None
    """Why nobody said it."""

    @property
    def t(self) -> float:
        """Its middle, in seconds."""
        return (self.word.t0 + self.word.t1) / 2


def utterances(heard: Sequence[Heard]) -> list[Utterance]:
    """All utterances in time order, each with words."""
    found = (one for span in heard for one in span.utterances if one.text.strip())
    return [_with_words(one) for one in sorted(found, key=lambda one: (one.t0, one.t1))]


def said(heard: Sequence[Utterance]) -> list[Said]:
    """The words of `heard`; those that nobody said bear the reason."""
    found: list[Said] = []
    for number, one in enumerate(heard):
        in_doubt, reason = doubtful(one), _invented(one)
        found += [
            Said(
                utterance=number,
                word=word,
                tokens=tokens(word.text),
                doubtful=in_doubt,
                reason=reason,
            )
            for word in one.words
        ]
    return _without_loops(found)


def doubtful(one: Utterance) -> bool:
    """Whether an utterance looks guessed."""
    return (
        one.avg_logprob < _LOGPROB
        or one.no_speech_prob > _NO_SPEECH
        or one.compression_ratio > _COMPRESSION
        or _mean_prob(one) < _PROB
    )


def _mean_prob(one: Utterance) -> float:
    return sum(word.prob for word in one.words) / max(len(one.words), 1)


def _with_words(one: Utterance) -> Utterance:
    """`one` with its text as a single word where the recogniser gave none."""
    if "".join(word.text for word in one.words).strip():
        return one
    word = Word(t0=one.t0, t1=one.t1, text=one.text, prob=1.0)
    return replace(one, words=(word,))


def _invented(one: Utterance) -> str | None:
    if one.avg_logprob < _LOGPROB and one.no_speech_prob > _NO_SPEECH:
        return "no speech"
    if _credits(one.text):
        return "stock phrase"
    seldom = (
        one.avg_logprob < _SELDOM_LOGPROB
        or one.no_speech_prob > _SELDOM_NO_SPEECH
        or _mean_prob(one) < _SELDOM_PROB
    )
    if seldom and tokens(one.text) in _seldom_said():
        return "stock phrase"
    return None


def _credits(text: str) -> bool:
    """Whether a phrase that nobody says begins a short `text` or makes up most of it."""
    found = tokens(text)
    covered = [False] * len(found)
    for phrase in _never_said():
        if phrase[-1] == "by" and not _NAMED.search(text):
            continue
        size = len(phrase)
        for start in range(len(found) - size + 1):
            if found[start : start + size] == phrase:
                covered[start : start + size] = [True] * size
    stock = _words(one for one, of_phrase in zip(found, covered, strict=True) if of_phrase)
    rest = _words(found) - stock
    return stock > 0 and rest <= (_CREDITED if covered[0] else stock)


def _words(found: Iterable[str]) -> float:
    """How many words tokens are, two letters a word in a script without spaces."""
    return sum(0.5 if unspaced(one) else 1.0 for one in found)


@lru_cache(maxsize=1)
def _never_said() -> frozenset[tuple[str, ...]]:
    return frozenset(map(tokens, _NEVER_SAID))


@lru_cache(maxsize=1)
def _seldom_said() -> frozenset[tuple[str, ...]]:
    return frozenset(map(tokens, _SELDOM_SAID))


def _without_loops(found: list[Said]) -> list[Said]:
    """Mark what the recogniser said over and over; the first time stands."""
    marked = list(found)
    start = 0
    while start < len(marked):
        length, times = _loop(marked, start)
        if not length:
            start += 1
            continue
        reason = f"repeat of {marked[start].word.t0:.1f}"
        for place in range(start + length, start + length * times):
            one = marked[place]
            marked[place] = replace(one, reason=one.reason or reason)
        start += length * times
    return marked


def _loop(words: Sequence[Said], start: int) -> tuple[int, int]:
    """How many words are looped from `start` on, and how often; zeros where none are."""
    for length in range(1, min(_LONGEST_LOOP, len(words) - start) + 1):
        end = start + length
        while end < len(words) and words[end].tokens == words[end - length].tokens:
            end += 1
        times = (end - start) // length
        if times < _LOOPS_IN_DOUBT or not any(one.tokens for one in words[start:end]):
            continue
        looped = words[start : start + length * times]
        in_doubt = sum(one.doubtful for one in looped) * 2 > len(looped)
        if in_doubt or times >= _LOOPS:
            return length, times
    return 0, 0
