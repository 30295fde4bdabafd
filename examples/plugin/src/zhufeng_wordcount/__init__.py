"""A stage ``[wordcount]``: which words a corpus uses most."""

from __future__ import annotations

import json
import re
from collections import Counter

from zhufeng.base import record, write_durable
from zhufeng.corpus import read_documents
from zhufeng.report import Section, bars
from zhufeng.route import Stage, Work

_WORD = re.compile(r"[^\W\d_]+")


@record
class WordcountConfig:
    """The section ``[wordcount]`` of a recipe."""

    top: int = 10
    """How many words the page shows."""
    least_letters: int = 4
    """Shorter words are passed over."""

    def __post_init__(self) -> None:
        if self.top < 1:
            raise ValueError("at least 1 word")


def count_words(config: WordcountConfig, work: Work) -> Section:
    """Count the words of all documents into ``words.json``."""
    counts: Counter[str] = Counter()
    for document in read_documents(work.upstream["corpus"]):
        words = (word.lower() for word in _WORD.findall(document.text))
        counts.update(word for word in words if len(word) >= config.least_letters)
    # Ties in the order of the alphabet, so that the same corpus gives the same bytes.
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    text = json.dumps(dict(ranked), ensure_ascii=False, indent=1)
    write_durable(work.folder / "words.json", text.encode())
    work.draft.figures["distinct_words"] = len(counts)
    return Section(
        title="Words",
        summary=f"{counts.total():,} words, {len(counts):,} of them distinct.",
        blocks=(
            bars(
                {word: float(count) for word, count in ranked[: config.top]},
                unit="occurrences",
                alt="The commonest words and how often each occurs",
            ),
        )
        if counts
        else (),
    )


STAGE = Stage(
    name="wordcount",
    title="Words",
    version=1,
    config=WordcountConfig,
    make=count_words,
    needs=("corpus",),
)
