"""Language, quality, privacy and script of a document's text."""

from zhufeng.corpus.quality._judge import Judged, QualityConfig, judge
from zhufeng.corpus.quality._language import language_model
from zhufeng.corpus.quality._script import UNSPACED, han_letters, simplified

__all__ = [
    "UNSPACED",
    "Judged",
    "QualityConfig",
    "han_letters",
    "judge",
    "language_model",
    "simplified",
]
