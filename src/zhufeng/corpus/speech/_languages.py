"""Which language each stretch is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zhufeng.base import record

# In less sound, or with less certainty, the recogniser hears languages that nobody speaks.
_ENOUGH_S = 1.0
_CERTAIN = 0.9
_POSSIBLE = 0.1


@record
class Evidence:
    """What the recogniser takes a stretch for."""

    t0: float
    t1: float
    probabilities: Mapping[str, float]
    """Of the languages, by their codes; empty where it was not asked."""

    @property
    def certain(self) -> str | None:
        """The language, where it is beyond doubt."""
        if self.t1 - self.t0 < _ENOUGH_S or not self.probabilities:
            return None
        best = max(sorted(self.probabilities), key=lambda code: self.probabilities[code])
        return best if self.probabilities[best] >= _CERTAIN else None


def settled(evidence: Sequence[Evidence], otherwise: str) -> list[str]:
    """The language of each stretch: its own where that is certain, else the nearest certain one's.

    Args:
        evidence: in time order.
        otherwise: where there is no evidence at all.
    """
    certain = [(stretch, code) for stretch in evidence if (code := stretch.certain)]
    if not certain:
        return [_likeliest(evidence, otherwise)] * len(evidence)
    return [
        stretch.certain or min(certain, key=lambda other: _apart(stretch, other[0]))[1]
        for stretch in evidence
    ]


def doubts(evidence: Sequence[Evidence], otherwise: str) -> list[str]:
    """Other languages that it may be as well, where no stretch is certain.

    Args:
        evidence: in time order.
        otherwise: always among them.
    """
    if any(stretch.certain for stretch in evidence):
        return []
    weights = _weights(evidence)
    whole = sum(weights.values())
    likely = [code for code, weight in sorted(weights.items()) if weight >= _POSSIBLE * whole]
    taken = _likeliest(evidence, otherwise)
    return [code for code in dict.fromkeys((*likely, otherwise)) if code != taken]


def _likeliest(evidence: Sequence[Evidence], otherwise: str) -> str:
    weights = _weights(evidence)
    return max(sorted(weights), key=lambda code: weights[code], default=otherwise)


def _weights(evidence: Sequence[Evidence]) -> dict[str, float]:
    """Seconds of each language, by its probability."""
    weights: dict[str, float] = {}
    for stretch in evidence:
        for code, probability in stretch.probabilities.items():
            weights[code] = weights.get(code, 0.0) + probability * (stretch.t1 - stretch.t0)
    return weights


def _apart(one: Evidence, other: Evidence) -> float:
    return max(one.t0 - other.t1, other.t0 - one.t1)
