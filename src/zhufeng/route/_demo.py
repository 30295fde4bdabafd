"""The demo: a recipe and its input, carried in the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def demo_recipe() -> Path:
    """The recipe file of the demo."""
    return Path(str(files("zhufeng.route") / "demo" / "recipe.toml"))
