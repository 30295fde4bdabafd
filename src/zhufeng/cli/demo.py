"""``zhufeng demo``: what is built, on input that the package carries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zhufeng.base import InputError
from zhufeng.cli._common import Talk, emit, finish_run
from zhufeng.route import RECIPE, Run, demo_recipe, new_run, read_recipe, unbuilt_steps

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
    recipe = read_recipe(demo_recipe())
    if (output / RECIPE).exists() and Run.open(output).recipe.base != recipe.base:
        raise InputError(
            f"{output} is another run",
            expected="a new or empty folder, or an earlier demo",
            came=f"the run '{Run.open(output).recipe.name}'",
            do="name another folder with -o",
        )
    run = new_run(output, recipe)
    results = list(run.walk())
    unbuilt = unbuilt_steps()
    if unbuilt and not talk.json:
        emit("not built yet: " + ", ".join(step.name for step in unbuilt) + "\n\n")
    finish_run(run, results, talk)
    return 0
