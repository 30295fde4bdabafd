"""One document in time order out of speech, on-screen text and captions."""

from zhufeng.corpus.joining._compose import compose
from zhufeng.corpus.joining._join import JoinConfig, Joined, join

__all__ = ["JoinConfig", "Joined", "compose", "join"]
