"""An endpoint in full, as a file describes it."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path

from zhufeng.base import anchor, record
from zhufeng.fusion.ledger import Ledger
from zhufeng.fusion.mix import Members, Mixture, open_member
from zhufeng.fusion.serve._config import ServeConfig
from zhufeng.fusion.serve._serve import serve


@record
class Endpoint(Members):
    """Who answers, who is told, and where."""

    ledger: str
    """A folder; made with its key beside it if it is not there."""
    serve: ServeConfig = field(default_factory=ServeConfig)


def serve_endpoint(endpoint: Endpoint, base: Path) -> None:
    """Serve until told to stop.

    Args:
        endpoint: what is served.
        base: where relative paths start.

    Raises:
        InputError: members, ledger or keys cannot be read.
    """
    mixture = Mixture([open_member(one) for one in endpoint.anchored(base)])
    book = Ledger(Path(anchor(endpoint.ledger, base)))
    keys = endpoint.serve.keys
    config = replace(endpoint.serve, keys=anchor(keys, base)) if keys else endpoint.serve
    serve(mixture, book, config)
