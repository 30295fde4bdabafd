"""Documents that say nearly the same, found across the whole corpus."""

from zhufeng.corpus.duplicates._bands import PERMUTATIONS, Bands, rows_a_band
from zhufeng.corpus.duplicates._cluster import cluster
from zhufeng.corpus.duplicates._config import DuplicateConfig
from zhufeng.corpus.duplicates._shingles import Shingled, shingled

__all__ = [
    "PERMUTATIONS",
    "Bands",
    "DuplicateConfig",
    "Shingled",
    "cluster",
    "rows_a_band",
    "shingled",
]
