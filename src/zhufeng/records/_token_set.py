"""`TokenSet`: what the tokens of a folder's shards are; ``tokens.json`` beside the shards."""

from __future__ import annotations

from pathlib import Path

from zhufeng.base import record
from zhufeng.records._forms import Form

TOKENS_FILE = "tokens.json"


@record
class TokenSet:
    """All tokens of the shards in one folder."""

    tokenizer: str
    """``"bytes"`` (a token a byte of UTF-8), or the file that the tokens are of."""
    vocabulary: int
    end: int
    """The token that ends every document; it stands for no bytes of text."""
    tokens: int
    """In all shards, the ends of documents too."""
    text_bytes: int
    """Of the text that became tokens, in UTF-8."""

    def __post_init__(self) -> None:
        if not 0 <= self.end < self.vocabulary:
            raise ValueError(f"an end in [0, {self.vocabulary}), the vocabulary")
        if self.tokens < 0 or self.text_bytes < 0:
            raise ValueError("tokens and text_bytes of at least 0")


TOKEN_SET = Form("token-set", TokenSet)


def write_token_set(folder: Path, tokens: TokenSet) -> None:
    """Write ``tokens.json`` into `folder`."""
    TOKEN_SET.write_json(folder / TOKENS_FILE, tokens)


def read_token_set(folder: Path) -> TokenSet:
    """Read ``tokens.json`` in `folder`.

    Raises:
        InputError: it is missing, damaged or of a newer version.
    """
    return TOKEN_SET.read_json(folder / TOKENS_FILE)
