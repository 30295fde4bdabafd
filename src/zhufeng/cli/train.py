"""``zhufeng train``: train a decoder, or one of the frozen references."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zhufeng.cli._common import Talk, Whole, finish_run
from zhufeng.route import add_to_run

_NO_TALK = Talk()


def train(
    config: Path | None = None,
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    reference: str | None = None,
    steps: Whole | None = None,
    talk: Talk = _NO_TALK,
) -> int:
    """Train a model, as the artifact 'train' of a run; killed, the same command goes on.

    A decoder learns from the run's corpus (make it first: zhufeng corpus build) or from the
    token shards that the file names; a reference brings its own data.

    Parameters
    ----------
    config
        A TOML file with a section [train]; not needed with --reference.
    output
        The run's folder; made if it is not there.
    reference
        One of the frozen reference models, such as gpt-gelu-small.
    steps
        Instead of the file's, or of the reference's.
    """
    talk.begin()
    flags = {"reference": reference, "steps": steps}
    run, result = add_to_run(output, "train", flags, config)
    finish_run(run, [result], talk)
    return 0
