"""Programs of others, run in a folder."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class OracleError(Exception):
    """A simulator does not take what it is given: an error of the printed Verilog, or its own."""


def run(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program in a folder; what it says on stdout and stderr.

    Raises:
        OracleError: it ends with an error; the text has what it said.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise OracleError(f"{Path(command[0]).name} ended with {done.returncode}\n{done.stdout}")
    return done.stdout
