"""From a configuration to what is trained: shards found and matched, references loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zhufeng.base import InputError, shown
from zhufeng.models.reference import REFERENCES, load_reference
from zhufeng.records import TOKENS_FILE, Shard, TokenSet, read_shard, read_token_set
from zhufeng.training._config import Schedule, TrainConfig
from zhufeng.training._task import ReferenceTask, Task, TokenTask


def open_task(config: TrainConfig, files: Sequence[Path], seed: int) -> tuple[Task, Schedule]:
    """What a configuration trains, and its whole schedule.

    Args:
        config: the section ``[train]``.
        files: shards' files in the order of the stream: ``.idx`` and ``.bin`` each, and
            ``tokens.json`` where there is one. Not asked where a reference is trained.
        seed: the run's.

    Raises:
        InputError: a file or the reference is missing or damaged, or does not fit the model.
    """
    if config.model is None:
        reference = load_reference(config.reference or "")
        schedule = config.schedule(reference_schedule(reference.name))
        return ReferenceTask(reference, schedule, seed=seed), schedule
    schedule = config.schedule()
    shards, tokens = open_shards(files)
    task = TokenTask(
        config.model,
        shards,
        schedule,
        seed=seed,
        sequence=config.sequence_length,
        held_out=config.held_out_share,
        tokens=tokens,
    )
    return task, schedule


def open_shards(files: Sequence[Path]) -> tuple[list[Shard], TokenSet | None]:
    """Shards and what their tokens are; None where that is not told of all of them.

    Raises:
        InputError: half of a shard is not named, or the shards' tokens are not of one kind.
    """
    prefixes = list(dict.fromkeys(path.with_suffix("") for path in files if _is_half(path)))
    named = set(files)
    for prefix in prefixes:
        for ending in (".idx", ".bin"):
            half = prefix.with_name(prefix.name + ending)
            if half not in named:
                raise _half_a_shard(prefix, half)
    shards = [read_shard(prefix) for prefix in prefixes]
    sets = [read_token_set(path.parent) for path in files if path.name == TOKENS_FILE]
    told = {path.parent for path in files if path.name == TOKENS_FILE}
    kinds = {(one.tokenizer, one.vocabulary, one.end) for one in sets}
    if len(kinds) > 1:
        raise _mixed(kinds)
    if not sets or not {prefix.parent for prefix in prefixes} <= told:
        return shards, None
    tokens, text_bytes = (sum(getattr(s, key) for s in sets) for key in ("tokens", "text_bytes"))
    return shards, replace(sets[0], tokens=tokens, text_bytes=text_bytes)


def reference_schedule(name: str) -> Schedule:
    """The frozen settings of a reference; evaluated and put down before and after all steps."""
    settings = REFERENCES[name]
    return Schedule(
        steps=settings.steps,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        final_share=settings.final_share,
        warmup=settings.warmup,
        weight_decay=settings.weight_decay,
        beta1=settings.beta1,
        beta2=settings.beta2,
        epsilon=settings.epsilon,
        clip=settings.clip,
        evaluate_every=settings.steps,
        checkpoint_every=settings.steps,
    )


def _is_half(path: Path) -> bool:
    return path.suffix in (".idx", ".bin")


def _half_a_shard(prefix: Path, missing: Path) -> InputError:
    return InputError(
        f"[train] shards: {shown(missing.name)} is not among them",
        expected=f"both {shown(prefix.name)}.idx and {shown(prefix.name)}.bin",
        came="one of them",
        do=f"write shards = ['{prefix}.*'], or name their folder",
    )


def _mixed(kinds: set[tuple[str, int, int]]) -> InputError:
    return InputError(
        "[train] shards: their tokens are not of one kind",
        expected="shards of one tokenizer",
        came="; ".join(
            f"{shown(tokenizer)} of {vocabulary} tokens, end {end}"
            for tokenizer, vocabulary, end in sorted(kinds)
        ),
        do="name shards of one tokenizer",
    )
