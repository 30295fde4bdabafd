"""``zhufeng demo``: what is built, on input that the package carries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zhufeng.cli._common import Talk, finish_run
from zhufeng.route import demo_recipe, new_run, read_recipe, unbuilt_steps

_NO_TALK = Talk()
_DEFAULT = Path("zhufeng-demo")


def demo(
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))] = _DEFAULT,
    talk: Talk = _NO_TALK,
) -> int:
    """Walk what is built, on input that the package carries; ends with one HTML page.

    Parameters
    ----------
    output
        The run's folder.
    """
    talk.begin()
    run = new_run(output, read_recipe(demo_recipe()))
    results = list(run.walk())
    unbuilt = unbuilt_steps()
    if unbuilt and not talk.json:
        sys.stdout.write("not built yet: " + ", ".join(step.name for step in unbuilt) + "\n\n")
    finish_run(run, results, talk)
    return 0
