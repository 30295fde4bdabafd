"""Texts into tokens, and tokens into shards."""

from zhufeng.corpus.tokens._shards import Format, ShardSet
from zhufeng.corpus.tokens._tiktoken import PACKAGED, packaged_tokenizer
from zhufeng.corpus.tokens._tokenizers import ByteTokenizer, FileTokenizer, Tokenizer, Tokens

__all__ = [
    "PACKAGED",
    "ByteTokenizer",
    "FileTokenizer",
    "Format",
    "ShardSet",
    "Tokenizer",
    "Tokens",
    "packaged_tokenizer",
]
