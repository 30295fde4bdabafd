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
    from zhufeng.fusion.serve._endpoint import Endpoint, serve_endpoint
    from zhufeng.fusion.serve._serve import serve

__getattr__ = lazy_names(
    __name__,
    {
        "Endpoint": "_endpoint",
        "make_app": "_app",
        "serve": "_serve",
        "serve_endpoint": "_endpoint",
    },
    extra="fusion",
)

__all__ = [
    "Endpoint",
    "Keys",
    "ServeConfig",
    "make_app",
    "read_keys",
    "serve",
    "serve_endpoint",
]
