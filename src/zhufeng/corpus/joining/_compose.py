"""Segments in order into a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zhufeng.corpus.joining._tokens import joint, tokens, unspaced
from zhufeng.records import Segment

PARAGRAPH_PAUSE_S = 2.5
_FLOWS = frozenset({"speech", "subtitle"})
_ASIDE = 0.5
# A word or two misheard under a subtitle are no text that it translates.
_SAYS_AS_MUCH = 4


def compose(segments: Iterable[Segment], pause_s: float = PARAGRAPH_PAUSE_S) -> str:
    """The text of the `segments` that are not suppressed, in their order.

    Speech and subtitles flow together into paragraphs, which end at a pause of `pause_s`
    seconds or where a slide, a sign or a caption comes: each of those is a paragraph of its
    own. Subtitles that translate what another says at the same moment follow their paragraph
    as one of theirs. Paragraphs are parted by an empty line.
    """
    kept = [one for one in segments if one.suppressed_by is None and one.text.strip()]
    asides = _asides([one for one in kept if one.kind in _FLOWS])
    paragraphs: list[str] = []
    flow: list[Segment] = []
    for one in kept:
        flows = one.kind in _FLOWS
        if flow and (not flows or one.t0 - max(said.t1 for said in flow) >= pause_s):
            paragraphs += _paragraphs(flow, asides)
            flow = []
        if flows:
            flow.append(one)
        else:
            paragraphs.append(one.text.strip())
    if flow:
        paragraphs += _paragraphs(flow, asides)
    return "\n\n".join(paragraphs)


def _paragraphs(flow: Sequence[Segment], asides: set[int]) -> list[str]:
    streams = (
        [one for one in flow if id(one) not in asides],
        [one for one in flow if id(one) in asides],
    )
    return [_flowing(stream) for stream in streams if stream]


def _flowing(stream: Sequence[Segment]) -> str:
    text = stream[0].text.strip()
    for one in stream[1:]:
        more = one.text.strip()
        text += joint(text, more) + more
    return text


def _asides(flow: Sequence[Segment]) -> set[int]:
    """The segments, by identity, that say at the same moment in another script what is said.

    The script in which less is said is the translation's.
    """
    wide = {id(one): unspaced(one.text) for one in flow}
    amount = {True: 0.0, False: 0.0}
    for one in flow:
        amount[wide[id(one)]] += one.t1 - one.t0
    aside = amount[True] < amount[False]
    main = [one for one in flow if wide[id(one)] != aside]
    found: set[int] = set()
    first = 0
    for one in (one for one in flow if wide[id(one)] == aside and tokens(one.text)):
        while first < len(main) and main[first].t1 < one.t0 - 60:
            first += 1
        shared = 0.0
        for other in main[first:]:
            if other.t0 >= one.t1:
                break
            if _SAYS_AS_MUCH * len(tokens(other.text)) < len(tokens(one.text)):
                continue
            shared += max(min(one.t1, other.t1) - max(one.t0, other.t0), 0.0)
        if shared > _ASIDE * (one.t1 - one.t0):
            found.add(id(one))
    return found
