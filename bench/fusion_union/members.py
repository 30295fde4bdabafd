"""Members trained, or found where they have been trained before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fusion_union.settings import Learner, Size
from zhufeng.base import cache_folder, sha256_json, to_json
from zhufeng.fusion.small import train_small


def trained(learner: Learner, texts: Sequence[str], size: Size, seed: int, code: str) -> Path:
    """The folder of a small decoder; killed, its training goes on.

    Args:
        learner: which.
        texts: what it learns.
        size: how long.
        seed: of its weights and order.
        code: hash of what trains it.
    """
    config = size.config(learner)
    own = sha256_json([to_json(config), sha256_json(list(texts)), seed, code])
    # A folder of its own for each, since a training holds the folder it writes in.
    place = cache_folder(f"fusion-union/{own[:24]}") / "member"
    train_small(texts, config, place, seed)
    return place
