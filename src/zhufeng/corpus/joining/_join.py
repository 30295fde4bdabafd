"""One document in time order out of speech, on-screen text and captions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from zhufeng.base import record
from zhufeng.corpus._parts import Captioned, Heard, Media, Utterance, Watched
from zhufeng.corpus.joining._compose import PARAGRAPH_PAUSE_S, compose
from zhufeng.corpus.joining._cover import cover
from zhufeng.corpus.joining._lines import Line, lines
from zhufeng.corpus.joining._order import in_order, part
from zhufeng.corpus.joining._slides import Shown, slides, without_repeats
from zhufeng.corpus.joining._speech import Said, said, utterances
from zhufeng.corpus.joining._subtitles import Cue, bands, cues, matches, union
from zhufeng.corpus.joining._tokens import same_text
from zhufeng.records import Segment

_SAME_CAPTION = 0.9

Times = tuple[tuple[float, float], ...]


@record
class JoinConfig:
    """How speech and on-screen text become one document."""

    paragraph_pause_s: float = PARAGRAPH_PAUSE_S
    """Silence that ends a paragraph."""
    min_screen_conf: float = 0.5
    """On-screen text read with less confidence is noise."""
    poor_subtitle_conf: float = 0.75
    """A subtitle read with less is left for the speech, where that is surer of the same words."""

    def __post_init__(self) -> None:
        if not self.paragraph_pause_s > 0:
            raise ValueError("a paragraph_pause_s above 0")
        for name in ("min_screen_conf", "poor_subtitle_conf"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} from 0 to 1")


@record
class Joined:
    """A video as a text."""

    segments: tuple[Segment, ...] = ()
    """In the text's order; every word heard and every line seen is in exactly one of them."""
    text: str = ""
    shots: Times = ()
    """Start and end of each shot, in seconds."""
    text_coverage: float | None = None
    """Share of the duration in which something is said or shown; None without a duration."""


def join(
    media: Media,
    heard: Sequence[Heard],
    watched: Sequence[Watched],
    captioned: Sequence[Captioned],
    config: JoinConfig,
) -> Joined:
    """Join the spans of one video, each sequence in time order, to one document.

    Where burned-in subtitles and speech say the same, one of the two goes into the text: the
    subtitle, unless it was read poorly and the speech was not. What is left out stays among
    the segments, with what suppressed it.
    """
    shots = tuple(shot for span in watched for shot in span.shots)
    talk = utterances(heard)
    words = said(talk)
    seen = lines(watched, media.duration_s, config.min_screen_conf)
    shown = cues(seen)
    matched = matches(words, shown)
    band = bands(shown, matched)
    covered = cover(words, shown, matched, band, config.poor_subtitle_conf)
    segments = [
        *_subtitles(shown, band, covered.by_cue, words),
        *_others(seen, shown, band),
        *_captions(captioned),
    ]
    spoken = _speech(talk, words, covered.by_word, shown)
    placed = tuple(_with_shot(one, shots) for one in in_order(segments, spoken))
    return Joined(
        segments=placed,
        text=compose(placed, config.paragraph_pause_s),
        shots=shots,
        text_coverage=_coverage(placed, media.duration_s),
    )


def _subtitles(
    shown: Sequence[Cue],
    band: Sequence[int | None],
    by_cue: Sequence[int | None],
    words: Sequence[Said],
) -> Iterable[Segment]:
    for cue, where, word in zip(shown, band, by_cue, strict=True):
        if where is None:
            continue
        yield Segment(
            t0=cue.t0,
            t1=cue.t1,
            kind="subtitle",
            text=cue.text,
            conf=cue.conf,
            bbox=cue.bbox,
            suppressed_by=None if word is None else f"speech at {words[word].word.t0:.1f}",
        )


def _others(
    seen: Sequence[Line], shown: Sequence[Cue], band: Sequence[int | None]
) -> Iterable[Segment]:
    """Slides and signs, and what is no text of the document."""
    subtitles = {
        number
        for cue, where in zip(shown, band, strict=True)
        if where is not None
        for number in cue.lines
    }
    free = [number for number, line in enumerate(seen) if number not in subtitles]
    marked = without_repeats(seen, [number for number in free if not seen[number].reason])
    reasons = sorted({marked[number].reason or "" for number in free})
    for reason in reasons:
        numbers = [number for number in free if (marked[number].reason or "") == reason]
        for one in slides(marked, numbers):
            yield _slide(marked, one, reason or None)


def _slide(seen: Sequence[Line], one: Shown, reason: str | None) -> Segment:
    members = [seen[number] for number in one.lines]
    weight = sum(len(line.text) for line in members) or 1
    return Segment(
        t0=one.t0,
        t1=one.t1,
        kind="slide",
        text=one.text,
        conf=sum(line.conf * len(line.text) for line in members) / weight,
        bbox=union([line.bbox for line in members]),
        suppressed_by=reason,
    )


def _captions(captioned: Sequence[Captioned]) -> Iterable[Segment]:
    last: Segment | None = None
    for caption in (one for span in captioned for one in span.captions):
        if not caption.text.strip():
            continue
        again = last is not None and same_text(last.text, caption.text, _SAME_CAPTION)
        one = Segment(
            t0=caption.t0,
            t1=caption.t1,
            kind="caption",
            text=caption.text.strip(),
            suppressed_by=f"repeat of {last.t0:.1f}" if again and last is not None else None,
        )
        yield one
        last = last if again else one


def _speech(
    talk: Sequence[Utterance],
    words: Sequence[Said],
    by_word: Sequence[int | None],
    shown: Sequence[Cue],
) -> list[tuple[Segment, tuple[Said, ...]]]:
    """The utterances, parted where another says their words; each with its words."""
    pieces: list[tuple[Segment, tuple[Said, ...]]] = []
    for run, reason in _runs(words, lambda number: _reason(words, by_word, shown, number)):
        pieces.append((part(run, reason), run))
    assert sum(len(run) for _, run in pieces) == sum(len(one.words) for one in talk)
    return pieces


def _reason(
    words: Sequence[Said], by_word: Sequence[int | None], shown: Sequence[Cue], number: int
) -> str | None:
    cue = by_word[number]
    return words[number].reason if cue is None else f"subtitle at {shown[cue].t0:.1f}"


def _runs(
    words: Sequence[Said], reason_of: Callable[[int], str | None]
) -> Iterable[tuple[tuple[Said, ...], str | None]]:
    """Words in a row of one utterance with one reason."""
    run: list[Said] = []
    key: tuple[int, str | None] | None = None
    for number, one in enumerate(words):
        here = (one.utterance, reason_of(number))
        if run and here != key:
            assert key is not None
            yield tuple(run), key[1]
            run = []
        key = here
        run.append(one)
    if run and key is not None:
        yield tuple(run), key[1]


def _with_shot(one: Segment, shots: Times) -> Segment:
    place = bisect_right(shots, (one.t0, float("inf"))) - 1
    if place < 0 or one.t0 >= shots[place][1]:
        return one
    return replace(one, shot=place)


def _coverage(segments: Sequence[Segment], duration_s: float) -> float | None:
    if not duration_s > 0:
        return None
    end = covered = 0.0
    for t0, t1 in sorted((one.t0, one.t1) for one in segments if one.suppressed_by is None):
        begin = max(t0, end)
        end = max(end, min(t1, duration_s))
        covered += max(end - begin, 0.0)
    return min(covered / duration_s, 1.0)
