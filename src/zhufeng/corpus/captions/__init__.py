"""What a vision-language model says of each shot."""

from zhufeng.corpus.captions._caption import Captioner
from zhufeng.corpus.captions._config import CaptionConfig, caption_hashes

__all__ = ["CaptionConfig", "Captioner", "caption_hashes"]
