"""An OpenAI-compatible endpoint over one mixture; every answer goes to the ledger.

The configuration needs no server; everything else is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.fusion.serve._config import ServeConfig
from zhufeng.fusion.serve._keys import Keys, read_keys

if TYPE_CHECKING:
    from zhufeng.fusion.serve._app import make_app
    from zhufeng.fusion.serve._serve import serve

__getattr__ = lazy_names(__name__, {"make_app": "_app", "serve": "_serve"}, extra="fusion")

__all__ = ["Keys", "ServeConfig", "make_app", "read_keys", "serve"]
