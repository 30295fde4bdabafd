"""Errors of zhufeng.training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.errors.case import case
from tests.training.tasks import TINY, configured, token_task, write_shards
from zhufeng.base import parse, to_json
from zhufeng.models import Decoder, write_decoder
from zhufeng.records import TokenSet, write_token_set
from zhufeng.training import (
    SUMMARY,
    TrainConfig,
    TrainSummary,
    open_task,
    read_points,
    train,
)

Patch = pytest.MonkeyPatch


def read(**keys: Any) -> TrainConfig:
    return parse(TrainConfig, {"model": to_json(TINY), **keys}, "f")


BOTH = "either a section [train.model] or a reference, not both"


@case("f is not usable", BOTH, "*", "correct it in f")
def a_model_and_a_reference(_: Path, __: Patch) -> None:
    read(reference="mlp-small")


@case("f is not usable", BOTH, "*", "correct it in f")
def neither_model_nor_reference(_: Path, __: Patch) -> None:
    parse(TrainConfig, {"steps": 5}, "f")


@case(
    "f is not usable",
    "no shards, sequence or held_out: a reference has its own data",
    "*",
    "correct it in f",
)
def shards_for_a_reference(_: Path, __: Patch) -> None:
    parse(TrainConfig, {"reference": "mlp-small", "shards": ["a"]}, "f")


@case("f is not usable", "either a policy or [train.own_policy], not both", "*", "correct it in f")
def two_policies(_: Path, __: Patch) -> None:
    own = {role: {"format": "bf16"} for role in ("weight", "activation", "gradient")}
    read(policy="block6", own_policy={"name": "mine", "rules": [own]})


@case("f is not usable", "sequence of at least 1", "*", "correct it in f")
def no_sequence(_: Path, __: Patch) -> None:
    read(sequence=0)


@case("f is not usable", "a held_out in [0, 1)", "*", "correct it in f")
def everything_held_out(_: Path, __: Patch) -> None:
    read(held_out=1.0)


@case("f is not usable", "steps of at least 1", "*", "correct it in f")
def no_steps(_: Path, __: Patch) -> None:
    read(steps=0)


@case("f is not usable", "micro_batches that divide the batch of 16", "*", "correct it in f")
def uneven_micro_batches(_: Path, __: Patch) -> None:
    read(micro_batches=5)


@case("f is not usable", "a warmup of 0 to 19 steps", "*", "correct it in f")
def only_warmup(_: Path, __: Patch) -> None:
    read(steps=20, warmup=20)


@case("f is not usable", "learning_rate and epsilon above 0", "*", "correct it in f")
def no_learning_rate(_: Path, __: Patch) -> None:
    read(learning_rate=0.0)


@case("f is not usable", "a final_share in [0, 1]", "*", "correct it in f")
def a_rise_at_the_end(_: Path, __: Patch) -> None:
    read(final_share=2.0)


@case("f is not usable", "weight_decay and clip of at least 0", "*", "correct it in f")
def growing_weights(_: Path, __: Patch) -> None:
    read(weight_decay=-0.1)


@case("f is not usable", "beta1 and beta2 in [0, 1)", "*", "correct it in f")
def no_forgetting(_: Path, __: Patch) -> None:
    read(beta2=1.0)


@case("f is not usable", "points to keep in [0, 1], shares of the steps", "*", "correct it in f")
def a_point_after_the_end(_: Path, __: Patch) -> None:
    read(keep=[0.5, 100.0])


POLICIES = "one of bf16, block4, * fp32, mxfp8, nvfp4"


@case("the table of policies has an unknown key 'blok6'", POLICIES, "blok6", "write 'block6'")
def an_unknown_policy(_: Path, __: Patch) -> None:
    read(policy="blok6")


@case("the table of policies has an unknown key 'blok6'", POLICIES, "blok6", "write 'block6'")
def an_unknown_policy_for_a_reference(_: Path, __: Patch) -> None:
    open_task(parse(TrainConfig, {"reference": "mlp-small", "policy": "blok6"}, "f"), [], 0)


WIDE = "a policy with precision fp32"


@case("f is not usable", WIDE, "*", "correct it in f")
def a_policy_in_autocast(_: Path, __: Patch) -> None:
    read(policy="block6", precision="bf16")


@case(
    "[train] does not fit the reference 'mlp-small'",
    WIDE,
    "[train], with the reference's values where it has none",
    "correct that value in [train], or leave it to the reference",
)
def a_policy_in_autocast_for_a_reference(_: Path, __: Patch) -> None:
    open_task(TrainConfig(reference="mlp-small", policy="block6", precision="bf16"), [], 0)


@case(
    "[train] does not fit the reference 'mlp-small'",
    "micro_batches that divide the batch of 64",
    "[train], with the reference's values where it has none",
    "correct that value in [train], or leave it to the reference",
)
def uneven_micro_batches_of_a_reference(_: Path, __: Patch) -> None:
    open_task(TrainConfig(reference="mlp-small", micro_batches=5), [], 0)


@case(
    "[train.model] has too small a vocabulary for the shards",
    "tokens below 257, the model's vocabulary",
    "shards of a vocabulary of 300",
    "raise vocabulary in [train.model], or name other shards",
)
def a_larger_vocabulary(tmp: Path, _: Patch) -> None:
    write_shards(tmp / "s", b"abc")
    told = TokenSet(tokenizer="t.json", vocabulary=300, end=0, tokens=4, text_bytes=4)
    write_token_set(tmp / "s", told)
    token_task(tmp / "s", configured())


@case(
    "[train.model] has too small a vocabulary for the shards",
    "tokens below 100, the model's vocabulary",
    "shards with a token 256",
    "raise vocabulary in [train.model], or name other shards",
)
def a_larger_token(tmp: Path, _: Patch) -> None:
    write_shards(tmp / "s", b"a" * 30)
    (tmp / "s" / "tokens.json").unlink()
    small = parse(type(TINY), {**to_json(TINY), "vocabulary": 100}, "f")
    config = configured(model=small, sequence=30, held_out=0.0)
    token_task(tmp / "s", config)[0].batch(0, 0)


@case(
    "the shards hold too few tokens to learn from",
    "at least 17, one more than a sequence",
    "11 tokens",
    "shorten sequence, or train on more text",
)
def too_little_text(tmp: Path, _: Patch) -> None:
    write_shards(tmp / "s", b"a" * 10)
    token_task(tmp / "s", configured())


@case(
    "the shards hold too few tokens held out",
    "at least 17, one more than a sequence",
    "5 tokens",
    "raise held_out (0 holds nothing out), or train on more text",
)
def too_little_held_out(tmp: Path, _: Patch) -> None:
    write_shards(tmp / "s", b"a" * 100)
    token_task(tmp / "s", configured())


@case(
    "[train] shards: tokens-00000.bin is not among them",
    "both tokens-00000.idx and tokens-00000.bin",
    "one of them",
    "write shards = ['TMP/s/tokens-00000.*'], or name their folder",
)
def half_a_shard(tmp: Path, _: Patch) -> None:
    write_shards(tmp / "s", b"a")
    open_task(configured(), [tmp / "s" / "tokens-00000.idx"], 0)


@case(
    "[train] shards: their tokens are not of one kind",
    "shards of one tokenizer",
    "bytes of 257 tokens, end 256; t.json of 300 tokens, end 0",
    "name shards of one tokenizer",
)
def two_tokenizers(tmp: Path, _: Patch) -> None:
    files = [*write_shards(tmp / "a", b"x"), *write_shards(tmp / "b", b"y")]
    told = TokenSet(tokenizer="t.json", vocabulary=300, end=0, tokens=4, text_bytes=4)
    write_token_set(tmp / "b", told)
    open_task(configured(), files, 0)


@case(
    '[train] device = "cuda" is not there',
    "a CUDA device and a build of torch for it",
    "torch *, which finds none",
    'write device = "cpu", or install torch for CUDA (README, "Which torch?")',
)
def no_cuda(tmp: Path, patch: Patch) -> None:
    patch.setattr(torch.cuda, "is_available", lambda: False)
    task, schedule = token_task(tmp / "s", configured(device="cuda"))
    train(task, schedule, tmp, 0)


@case(
    "the training has diverged at step 2",
    "a finite loss and finite gradients",
    "loss nan, gradient norm nan, at a learning rate of 9.39711e+37",
    "lower learning_rate, lengthen warmup, or clip gradients",
)
def divergence(tmp: Path, _: Patch) -> None:
    task, schedule = token_task(tmp / "s", configured(learning_rate=1e38, warmup=0))
    train(task, schedule, tmp, 0)


@case(
    "TMP/model/batch.safetensors cannot be read",
    "a batch of inputs and targets, as safetensors",
    "*header*",
    "make the training again, or restore the file from a copy",
)
def a_torn_batch(tmp: Path, _: Patch) -> None:
    (tmp / "model").mkdir()
    write_decoder(tmp / "model", Decoder(TINY))
    (tmp / "model" / "batch.safetensors").write_bytes(b"torn")
    summary = TrainSummary(
        parameters=1,
        steps=1,
        targets=1,
        loss=0.0,
        held_out_loss=None,
        bits_per_byte=None,
        precision="fp32",
    )
    SUMMARY.write_json(tmp / "training.json", summary)
    read_points(tmp)
