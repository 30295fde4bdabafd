"""What a video shows: its shots, and the text on its screen."""

from zhufeng.corpus.screen._config import ScreenConfig
from zhufeng.corpus.screen._reader import Reader, screen_hashes
from zhufeng.corpus.screen._watch import watch

__all__ = ["Reader", "ScreenConfig", "screen_hashes", "watch"]
