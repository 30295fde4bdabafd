"""What the code of an earlier commit says, beside today's."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]


def both(commit: str, module: str, asked: object) -> tuple[Any, Any]:
    """What ``python -m module`` prints with the code of a commit, and with that of this folder.

    At the same time, in the same environment, each with an empty cache.

    Args:
        commit: whose code is tried first.
        module: below ``bench``, in both.
        asked: a JSON value that it reads.

    Returns:
        The JSON values that they print.

    Raises:
        CalledProcessError: one of them fails.
    """
    with tempfile.TemporaryDirectory(prefix="zhufeng-earlier-") as name:
        scratch = Path(name)
        earlier = scratch / "code"
        git = ("git", "-C", str(_ROOT), "worktree")
        subprocess.run((*git, "add", "--detach", "--quiet", earlier, commit), check=True)
        try:
            with ThreadPoolExecutor() as pool:
                before = pool.submit(_said, earlier, scratch / "earlier", module, asked)
                today = pool.submit(_said, _ROOT, scratch / "today", module, asked)
                return before.result(), today.result()
        finally:
            subprocess.run((*git, "remove", "--force", earlier), check=True)


def _said(root: Path, cache: Path, module: str, asked: object) -> Any:
    done = subprocess.run(
        (sys.executable, "-m", module),
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(root / "src"), str(root / "bench"))),
            "OMP_NUM_THREADS": "1",
            "ZHUFENG_CACHE": str(cache),
        },
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def carry_over(about: str, carry: Callable[[str], int]) -> None:
    """The command of a script that carries results over; exit code 1 where some are lost.

    Args:
        about: for ``--help``.
        carry: takes the commit whose code made the results; returns how many are lost.
    """
    arguments = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("commit", help="whose code made the results")
    try:
        sys.exit(min(carry(arguments.parse_args().commit), 1))
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"nothing is carried over: {error}") from None
