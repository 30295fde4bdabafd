"""``zhufeng run``: walk a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zhufeng.base import InputError
from zhufeng.cli._common import Talk, Whole, finish_run
from zhufeng.route import new_run, read_recipe

_NO_TALK = Talk()


def run(
    recipe: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    seed: Whole | None = None,
    settings: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative="", consume_multiple=False),
    ] = (),
    talk: Talk = _NO_TALK,
) -> int:
    """Walk a recipe: make what is missing or stale, and the page.

    Run again, nothing happens; with a section changed, only what depends on it is made;
    killed, it goes on where it was.

    Parameters
    ----------
    recipe
        The TOML file.
    output
        The run's folder.
    seed
        Instead of the recipe's.
    settings
        SECTION.KEY=VALUE instead of the recipe's; may be given often.
    """
    talk.begin()
    flags = dict(map(split_setting, settings))
    if seed is not None:
        flags["seed"] = str(seed)
    walk = new_run(output, read_recipe(recipe, flags))
    finish_run(walk, list(walk.walk()), talk)
    return 0


def split_setting(text: str) -> tuple[str, str]:
    """``corpus.shard_tokens=5`` into its two sides."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(
            "--set is not usable",
            expected="SECTION.KEY=VALUE",
            came=text,
            do="write for instance --set corpus.shard_tokens=1000000",
        )
    return key.strip(), value.strip()
