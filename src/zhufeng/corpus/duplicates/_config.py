"""What counts as a near-duplicate."""

from __future__ import annotations

from zhufeng.base import record

_LEAST = 0.5


@record
class DuplicateConfig:
    """Near-duplicates; the table ``[corpus.duplicates]`` of a recipe."""

    threshold: float = 0.7
    """The Jaccard similarity of shingles from which two documents are near-duplicates."""
    shingle: int = 5
    """Neighbouring words in a shingle; characters where words are written without spaces."""
    remove: bool = True
    """Whether all but one of each cluster are left out of the tokens."""

    def __post_init__(self) -> None:
        # Below it the bands that miss nothing bring up nearly every pair.
        if not _LEAST <= self.threshold <= 1:
            raise ValueError(f"a threshold from {_LEAST} to 1")
        if self.shingle < 1:
            raise ValueError("a shingle of at least 1 word")
