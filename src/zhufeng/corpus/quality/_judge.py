"""A document's text judged and made fit to train on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Literal

from zhufeng.base import record
from zhufeng.corpus.quality._language import language
from zhufeng.corpus.quality._measures import failed, measures
from zhufeng.corpus.quality._privacy import scrub, scrub_parts
from zhufeng.corpus.quality._script import (
    Script,
    chinese_script,
    han_letters,
    in_script,
    is_chinese,
    kana_letters,
)
from zhufeng.records import Segment

_JUDGED_FROM_UNITS = 10


@record
class QualityConfig:
    """What becomes of a text before it is trained on."""

    filter: bool = True
    """Whether texts that break a rule are left out; their scores are told either way."""
    languages: tuple[str, ...] = ()
    """ISO 639 codes of the languages to keep; all of them where empty."""
    min_lang_score: float = 0.2
    """A text whose language is less sure is in none; short texts are not held to it."""
    scrub: bool = True
    """Whether personal data are replaced."""
    script: Literal["simplified", "traditional", "keep"] = "simplified"
    """The characters that Chinese is brought to."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_lang_score <= 1:
            raise ValueError("min_lang_score from 0 to 1")


@record
class Judged:
    """A text as it is trained on, and what was found of it."""

    text: str
    segments: tuple[Segment, ...] = ()
    lang: str | None = None
    """ISO 639 code."""
    lang_score: float | None = None
    quality: Mapping[str, float] = field(default_factory=dict)
    quality_reasons: tuple[str, ...] = ()
    """The rules that it breaks; none where nothing is filtered."""
    pii: Mapping[str, int] = field(default_factory=dict)
    """Kind of personal datum to how many were scrubbed from the text."""
    script: Script | None = None
    """Which Chinese characters it came in; None where it is not Chinese or nothing tells."""
    original_text: str | None = None
    """The scrubbed text in the script it came in, where that was changed."""
    originals: tuple[str | None, ...] = ()
    """For each segment its scrubbed text in the script it came in, where that was changed."""


def judge(
    text: str,
    segments: Sequence[Segment] = (),
    *,
    config: QualityConfig,
    compose: Callable[[Sequence[Segment]], str] | None = None,
) -> Judged:
    """Judge `text`, with personal data scrubbed and its Chinese in one script.

    Args:
        text: all of it, as it is to be trained on.
        segments: what it was composed of, with what was suppressed; none for a plain text.
        config: what to do.
        compose: makes the text of the segments; needed where there are any, so that text and
            segments say the same after as before.

    Raises:
        MissingExtraError: without the extra ``corpus``.
    """
    assert not segments or compose is not None
    parts, pii = [one.text for one in segments], Counter[str]()
    if config.scrub:
        parts, pii = _scrub_segments(segments)
    whole, more = _whole(text, segments, parts, config, compose)
    lang, score = language(whole)
    normal, changed = parts, whole
    if config.script != "keep" and _has_chinese(parts or whole.splitlines(), lang):
        wholly = lang == "zh"
        normal = [_in_script(part, config.script, wholly) for part in parts]
        plain = _in_script(text, config.script, wholly)
        changed = _whole(plain, segments, normal, config, compose)[0]
    quality = measures(changed, lang, running=_running(segments))
    return Judged(
        text=changed,
        segments=tuple(_with_text(one, part) for one, part in zip(segments, normal, strict=True)),
        lang=lang,
        lang_score=score,
        quality=quality,
        quality_reasons=_reasons(quality, lang, score, config) if config.filter else (),
        pii=dict(sorted((pii + more).items())),
        script=_script(whole) if lang == "zh" or changed != whole else None,
        original_text=whole if changed != whole else None,
        originals=tuple(a if a != b else None for a, b in zip(parts, normal, strict=True)),
    )


def _running(segments: Sequence[Segment]) -> bool:
    """Whether more than slides is kept of a document; a plain text has no segments."""
    kept = {one.kind for one in segments if one.suppressed_by is None}
    return kept != {"slide"}


def _with_text(segment: Segment, text: str) -> Segment:
    return segment if segment.text == text else replace(segment, text=text)


def _scrub_segments(segments: Sequence[Segment]) -> tuple[list[str], Counter[str]]:
    """The segments' texts scrubbed, and how many data were in those that are kept.

    What is divided between neighbours is found too: between those that follow one another in
    the text, and between pieces of one kind whether kept or not.
    """
    texts = [one.text for one in segments]
    kept = [number for number, one in enumerate(segments) if one.suppressed_by is None]
    counts = _scrub_chain(texts, kept)
    for kind in sorted({one.kind for one in segments}):
        alike = [number for number, one in enumerate(segments) if one.kind == kind]
        _scrub_chain(texts, sorted(alike, key=lambda number: segments[number].t0))
    return texts, counts


def _scrub_chain(texts: list[str], chain: Sequence[int]) -> Counter[str]:
    scrubbed, counts = scrub_parts([texts[number] for number in chain])
    for number, text in zip(chain, scrubbed, strict=True):
        texts[number] = text
    return counts


def _whole(
    text: str,
    segments: Sequence[Segment],
    parts: Sequence[str],
    config: QualityConfig,
    compose: Callable[[Sequence[Segment]], str] | None,
) -> tuple[str, Counter[str]]:
    """The text of `parts`, or a plain `text`, and how many data were scrubbed only here."""
    if compose is not None:
        text = compose([_with_text(one, part) for one, part in zip(segments, parts, strict=True)])
    return scrub(text) if config.scrub else (text, Counter())


def _script(text: str) -> Script | None:
    """The script of a Chinese text; where lines differ, that of the most."""
    found: Counter[Script] = Counter()
    for line in text.splitlines():
        script = chinese_script(line)
        if script is not None:
            found[script] += 1
    return found.most_common(1)[0][0] if found else None


def _has_chinese(lines: Sequence[str], lang: str | None) -> bool:
    """Whether Chinese characters are Chinese here; where Japanese is, they may not be."""
    if lang == "zh":
        return True
    return any(map(is_chinese, lines)) and not any(map(kana_letters, lines))


def _in_script(text: str, script: Script, wholly: bool) -> str:
    """The lines of `text` in `script`; unless it is `wholly` Chinese, those that are."""
    return "".join(
        in_script(line, script) if wholly or 2 * han_letters(line) > len(line) else line
        for line in text.splitlines(keepends=True)
    )


def _reasons(
    quality: Mapping[str, float], lang: str | None, score: float | None, config: QualityConfig
) -> tuple[str, ...]:
    reasons = list(failed(quality, lang))
    if config.languages and lang not in config.languages:
        reasons.append(f"language {lang} not among {', '.join(config.languages)}")
    unsure = score is not None and score < config.min_lang_score
    if unsure and quality["units"] >= _JUDGED_FROM_UNITS:
        reasons.append(f"lang_score {score:g} under {config.min_lang_score:g}")
    return tuple(reasons)
