"""A corpus looked at: its documents, and one of them in full."""

from zhufeng.corpus.show._show import (
    Head,
    choose,
    documents_of,
    facts,
    find_media,
    media_url,
    one_line,
    plain,
    read_document,
    read_heads,
    transcript_lines,
    write_page,
)

__all__ = [
    "Head",
    "choose",
    "documents_of",
    "facts",
    "find_media",
    "media_url",
    "one_line",
    "plain",
    "read_document",
    "read_heads",
    "transcript_lines",
    "write_page",
]
