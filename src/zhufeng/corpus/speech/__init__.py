"""Speech into words with times: voice is found, packed, recognised and aligned."""

from zhufeng.corpus.speech._config import SpeechConfig
from zhufeng.corpus.speech._listen import Listener, listen
from zhufeng.corpus.speech._models import find_model, speech_hashes

__all__ = ["Listener", "SpeechConfig", "find_model", "listen", "speech_hashes"]
