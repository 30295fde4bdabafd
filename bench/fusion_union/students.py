"""The student of a mixture and its two baselines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fusion_union.identity import identity
from fusion_union.settings import SEQUENCE, STUDENT, Size
from fusion_union.split import Split
from zhufeng.base import cache_folder, sha256_json, to_json, write_durable
from zhufeng.fusion.distil import DistilConfig, distil, open_teacher
from zhufeng.fusion.mix import MemberSpec
from zhufeng.fusion.small import train_tokenizer


def taught(members: Mapping[str, Path], split: Split, size: Size, seed: int) -> dict[str, Path]:
    """The folders of a seed's students, by row.

    The mixture's student; it without a teacher, in as many steps; and in as many more steps as the
    teachers' answers cost. All three learn the same text with the same tokenizer.
    """
    texts = size.student.texts(split)
    config = size.config(size.student)
    own = [to_json(config), sha256_json(texts), seed, identity(size)]
    out = cache_folder(f"fusion-union/{sha256_json(own)[:24]}")
    tokenizer = train_tokenizer(texts, STUDENT.vocabulary).to_str()
    write_durable(out / "tokenizer.json", tokenizer.encode())
    plan = DistilConfig(
        student=STUDENT,
        tokenizer=str(out / "tokenizer.json"),
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
    distil(plan, [open_teacher(spec, plan.teacher) for spec in specs], texts, out, seed)
    made = out / "student"
    return {
        "student": made / "model",
        "corpus_alone": made / "baselines" / "corpus-alone",
        "dense": made / "baselines" / "equal-compute",
    }
