"""Sources into training text: videos, recordings and texts into documents and token shards."""

from zhufeng.corpus._build import SUCCESS, build, model_hashes
from zhufeng.corpus._config import MEDIA_ENDINGS, SOURCES, CorpusConfig
from zhufeng.corpus._section import balance, captions_advice, corpus_section, hours
from zhufeng.corpus._sources import TEXT_FILES, Medium, read_sources
from zhufeng.corpus._write import CorpusSummary, read_documents
from zhufeng.corpus.tokens import ByteTokenizer, FileTokenizer, ShardSet, Tokenizer

__all__ = [
    "MEDIA_ENDINGS",
    "SOURCES",
    "SUCCESS",
    "TEXT_FILES",
    "ByteTokenizer",
    "CorpusConfig",
    "CorpusSummary",
    "FileTokenizer",
    "Medium",
    "ShardSet",
    "Tokenizer",
    "balance",
    "build",
    "captions_advice",
    "corpus_section",
    "hours",
    "model_hashes",
    "read_documents",
    "read_sources",
]
