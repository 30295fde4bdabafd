"""Recipes, keyed stages and runs: the road on which the rooms' capabilities meet."""

from zhufeng.route._add import add_to_run
from zhufeng.route._demo import demo_recipe
from zhufeng.route._recipe import Recipe, read_recipe, recipe_of
from zhufeng.route._run import KEPT, RECIPE, Run, StageResult, new_run
from zhufeng.route._stage import (
    ROUTE,
    RouteStep,
    Sources,
    Stage,
    Work,
    known_stages,
    load_stage,
    unbuilt_steps,
)
from zhufeng.route._status import StageStatus

__all__ = [
    "KEPT",
    "RECIPE",
    "ROUTE",
    "Recipe",
    "RouteStep",
    "Run",
    "Sources",
    "Stage",
    "StageResult",
    "StageStatus",
    "Work",
    "add_to_run",
    "demo_recipe",
    "known_stages",
    "load_stage",
    "new_run",
    "read_recipe",
    "recipe_of",
    "unbuilt_steps",
]
