"""Running the endpoint until it is told to stop."""

from __future__ import annotations

from pathlib import Path

import uvicorn
from fastapi import FastAPI

from zhufeng.base import InputError
from zhufeng.fusion.ledger import Ledger
from zhufeng.fusion.mix import Mixture
from zhufeng.fusion.serve._app import make_app
from zhufeng.fusion.serve._config import ServeConfig, is_loopback
from zhufeng.fusion.serve._keys import VARIABLE, Keys, read_keys


def serve(mixture: Mixture, ledger: Ledger, config: ServeConfig) -> None:
    """Answer until SIGINT or SIGTERM; then end what has begun, within ``drain_s``.

    Raises:
        InputError: the keys cannot be read, or there are none and others than this machine
            could ask.
    """
    keys = read_keys(Path(config.keys) if config.keys is not None else None)
    check_reach(config, keys)
    make_server(make_app(mixture, ledger, config, keys), config).run()


def make_server(app: FastAPI, config: ServeConfig) -> uvicorn.Server:
    """The server, not yet running."""
    told = uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        timeout_graceful_shutdown=config.drain_s,
        server_header=False,
        access_log=False,
        ws="none",
        lifespan="on",
    )
    return uvicorn.Server(told)


def check_reach(config: ServeConfig, keys: Keys) -> None:
    """Refuse to answer strangers.

    Raises:
        InputError: it would.
    """
    if not keys.digests and not is_loopback(config.host):
        raise InputError(
            f"the server would answer everyone who reaches {config.host}",
            expected="keys, for any host but this machine's own (127.0.0.1, ::1, localhost)",
            came="none",
            do=f"write keys to a file and name it in keys, or set {VARIABLE}",
        )
