"""What becomes a mixture of experts, and how its routers come about."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from zhufeng.base import parse, read_toml, record

Router = Literal["random", "hidden", "trained"]


@record
class Expert:
    """One dense model, of which the feed-forwards are taken."""

    model: str
    """A canonical folder."""
    texts: tuple[str, ...] = ()
    """What it is good at: routers are made from what such text looks like inside."""
    against: tuple[str, ...] = ()
    """What others are better at."""


@record
class ExpertsRecipe:
    """``moe.toml``."""

    base: str
    """A canonical folder: everything but the feed-forwards is its."""
    experts: tuple[Expert, ...]
    active: int = 2
    """Experts that a token is sent to."""
    router: Router = "hidden"
    """Random rows; or the mean of the base's hidden states over each expert's texts; or these,
    trained on all texts."""
    context: int = 256
    """Tokens of a text that are read at once; the rest is left out."""
    steps: int = 100
    """Of training."""
    learning_rate: float = 1e-2
    seed: int = 0
    """Of random rows, and of the order of training."""

    def __post_init__(self) -> None:
        if len(self.experts) < 2:  # noqa: PLR2004
            raise ValueError("at least two experts")
        if not 1 <= self.active <= len(self.experts):
            raise ValueError(f"1 to {len(self.experts)} active experts")
        if self.router != "random" and not all(expert.texts for expert in self.experts):
            raise ValueError(f"texts for every expert, for a router that is {self.router}")
        if self.router == "trained" and self.active == 1:
            raise ValueError("at least 2 active experts for training: one alone weighs 1")
        if self.context < 2 or self.steps < 1 or not 0 < self.learning_rate < float("inf"):  # noqa: PLR2004
            raise ValueError(
                "a context of at least 2, steps of at least 1, a learning_rate above 0"
            )


def read_experts(path: Path) -> ExpertsRecipe:
    """A recipe, with folders as they lie from the file's own.

    Raises:
        InputError: the file is not readable, or not such a recipe.
    """
    recipe = parse(ExpertsRecipe, read_toml(path), str(path))
    at = path.parent
    experts = tuple(
        dataclasses.replace(expert, model=str(at / expert.model)) for expert in recipe.experts
    )
    return dataclasses.replace(recipe, base=str(at / recipe.base), experts=experts)
