"""The student of a mixture and its two baselines: what teaches them is given from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fusion_union.identity import identity
from fusion_union.settings import Size
from fusion_union.split import Split
from zhufeng.base import cache_folder, sha256_json, to_json
from zhufeng.training import TrainConfig

STUDENTS = ("student", "corpus_alone", "dense")
"""Rows: the mixture's student; it without a teacher, in as many steps; and at equal compute."""

Teach = Callable[[Mapping[str, Path], Sequence[str], TrainConfig, Path, int], Mapping[str, Path]]
"""Given the members' folders by name, the texts, the student's model and schedule, a folder of its
own and a seed, leaves a canonical folder with a tokenizer.json for each of `STUDENTS`. Called again
with the same, it goes on or finds them. A function of a module, for it runs in another process.
"""


def taught(
    teach: Teach, members: Mapping[str, Path], split: Split, size: Size, seed: int
) -> dict[str, Path]:
    """The folders of a seed's students, by row."""
    texts, config = size.student.texts(split), size.config(size.student)
    own = [
        to_json(config),
        sha256_json(texts),
        sorted(map(str, members.values())),
        seed,
        identity(size),
    ]
    folder = cache_folder(f"fusion-union/{sha256_json(own)[:24]}")
    found = teach(members, texts, config, folder, seed)
    return {name: found[name] for name in STUDENTS}
