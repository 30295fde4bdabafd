"""How the pipeline is walked: stages, parts, workers, and the engines that hold them."""

from zhufeng.corpus.engine._engines import Engine, InProcess, OnRay, Pool
from zhufeng.corpus.engine._parts_store import Part, PartStore
from zhufeng.corpus.engine._schedule import Finished, Input, Pipeline, Schedule, Tally
from zhufeng.corpus.engine._stage import Item, Outcome, Resources, UnitStage
from zhufeng.corpus.engine._worker import Limits

__all__ = [
    "Engine",
    "Finished",
    "InProcess",
    "Input",
    "Item",
    "Limits",
    "OnRay",
    "Outcome",
    "Part",
    "PartStore",
    "Pipeline",
    "Pool",
    "Resources",
    "Schedule",
    "Tally",
    "UnitStage",
]
