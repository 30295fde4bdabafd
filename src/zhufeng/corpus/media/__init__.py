"""Media files: what they are, their pictures and their sound; damaged ones give what they can."""

from zhufeng.corpus.media._frames import Frame, Frames, frames, picture
from zhufeng.corpus.media._probe import probe, spans
from zhufeng.corpus.media._sound import Sound, sound
from zhufeng.corpus.media._source import MediaError

__all__ = [
    "Frame",
    "Frames",
    "MediaError",
    "Sound",
    "frames",
    "picture",
    "probe",
    "sound",
    "spans",
]
