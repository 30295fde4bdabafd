"""A program for test_kill.py: walk a recipe again and again, dying by SIGKILL at chosen moments.

Usage: killed_run.py RECIPE, then lines of "RUN MOMENT" on stdin. Each line is one process of its
own, forked before it has done anything, which walks the recipe into RUN. Moments are the file
operations below RUN, counted by an audit hook; at MOMENT the process kills itself (0 never comes).
The answer to a line is the process's exit status (-9 if killed) and, if it lived, the count.
"""

from __future__ import annotations

import os
import signal
import sys

# Imported once for all processes; none of these starts a thread.
import jinja2  # noqa: F401
import matplotlib.backends.backend_svg
import matplotlib.figure  # noqa: F401
import pandas as pd  # noqa: F401 (pyarrow imports it where it is installed)
import pyarrow.compute
import pyarrow.parquet  # noqa: F401
import pydantic  # noqa: F401

import zhufeng.cli.run  # noqa: F401
from zhufeng.cli import main

_WATCHED = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir"}


def walk(recipe: str, run: str, moment: int, answer: int) -> None:
    """Walk the recipe; SIGKILL at the moment, if it comes."""
    count = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event not in _WATCHED or not any(run in str(argument) for argument in arguments):
            return
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    code = main(["run", recipe, "-o", run, "--json"])
    os.write(answer, str(count).encode())
    os._exit(code)


def serve(recipe: str) -> None:
    """Answer lines until there are none."""
    talk = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        run, moment = line.rsplit(maxsplit=1)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            walk(recipe, run, int(moment), writing)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        count = os.read(reading, 100).decode()
        os.close(reading)
        os.write(talk, f"{os.waitstatus_to_exitcode(status)} {count or 0}\n".encode())


if __name__ == "__main__":
    serve(sys.argv[1])
