"""The student of a mixture and its two baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fusion_union.identity import identity, training
from fusion_union.members import trained
from fusion_union.settings import SEQUENCE, STUDENT, Size
from fusion_union.split import Split
from zhufeng.base import cache_folder, sha256_json, to_json
from zhufeng.fusion.distil import DistilConfig, distil, open_teacher
from zhufeng.fusion.mix import MemberSpec


def taught(members: Mapping[str, Path], split: Split, size: Size, seed: int) -> dict[str, Path]:
    """The folders of a seed's students, by row.

    The mixture's student; it without a teacher, in as many steps; and in as many more steps as the
    teachers' answers cost. The baselines learn all of the text, also what `distil` holds out.
    """
    texts = size.student.texts(split)
    alone = trained(size.student, texts, size, seed, training())
    config = size.config(size.student)
    plan = DistilConfig(
        student=STUDENT,
        tokenizer=str(alone / "tokenizer.json"),
        sequence=config.sequence,
        steps=config.steps,
        batch=config.batch,
        learning_rate=config.learning_rate,
        warmup=config.warmup,
        evaluate_every=config.evaluate_every,
        checkpoint_every=config.checkpoint_every,
    )
    specs = [
        MemberSpec(name=name, folder=str(folder), context=SEQUENCE)
        for name, folder in members.items()
    ]
    own = [to_json(replace(plan, tokenizer="")), sha256_json(texts), seed, identity(size)]
    out = cache_folder(f"fusion-union/{sha256_json(own)[:24]}")
    result = distil(plan, [open_teacher(spec, plan.teacher) for spec in specs], texts, out, seed)
    longer = replace(size, student_steps=result.equal_compute.steps)
    return {
        "student": out / "student" / "model",
        "corpus_alone": alone,
        "dense": trained(size.student, texts, longer, seed, training()),
    }
