"""An endpoint in full, as a file describes it."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path

from zhufeng.base import anchor, record
from zhufeng.fusion.ledger import Ledger
from zhufeng.fusion.mix import MemberSpec, Mixture, open_member
from zhufeng.fusion.serve._config import ServeConfig
from zhufeng.fusion.serve._serve import serve


@record
class Endpoint:
    """Who answers, who is told, and where."""

    member: tuple[MemberSpec, ...]
    ledger: str
    """A folder; made with its key beside it if it is not there."""
    serve: ServeConfig = field(default_factory=ServeConfig)

    def __post_init__(self) -> None:
        names = [one.name for one in self.member]
        if not names or len(set(names)) < len(names):
            raise ValueError("a [[member]] or more, with names that differ")


def serve_endpoint(endpoint: Endpoint, base: Path) -> None:
    """Serve until told to stop.

    Args:
        endpoint: what is served.
        base: where relative paths start.

    Raises:
        InputError: members, ledger or keys cannot be read.
    """
    mixture = Mixture([open_member(_anchored(one, base)) for one in endpoint.member])
    book = Ledger(Path(anchor(endpoint.ledger, base)))
    keys = endpoint.serve.keys
    config = replace(endpoint.serve, keys=anchor(keys, base)) if keys else endpoint.serve
    serve(mixture, book, config)


def _anchored(spec: MemberSpec, base: Path) -> MemberSpec:
    return replace(spec, folder=anchor(spec.folder, base)) if spec.folder else spec
