"""What other families of decoders are in the terms of the one decoder: settings and tensors.

Needs no torch: settings are a ``config.json``, tensors are names and shapes.
"""

from zhufeng.fusion.families._catalogue import FAMILIES, family_of, read_settings
from zhufeng.fusion.families._family import Family
from zhufeng.fusion.families._settings import Settings
from zhufeng.fusion.families._tensors import Piece, pieces, rows_of

__all__ = [
    "FAMILIES",
    "Family",
    "Piece",
    "Settings",
    "family_of",
    "pieces",
    "read_settings",
    "rows_of",
]
