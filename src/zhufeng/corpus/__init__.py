"""Sources into training text: documents, and token shards that train a language model.

Reads text today; video joins with its own readers.
"""

from zhufeng.corpus._build import DOCUMENTS, CorpusConfig, CorpusSummary, build
from zhufeng.corpus._section import corpus_section
from zhufeng.corpus._text import TEXT_FILES, read_documents
from zhufeng.corpus._tokens import ByteTokenizer, FileTokenizer, ShardSet, Tokenizer

__all__ = [
    "DOCUMENTS",
    "TEXT_FILES",
    "ByteTokenizer",
    "CorpusConfig",
    "CorpusSummary",
    "FileTokenizer",
    "ShardSet",
    "Tokenizer",
    "build",
    "corpus_section",
    "read_documents",
]
