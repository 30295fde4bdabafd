"""Training in a policy's formats: the same bits on any threads, through kills, and on the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tests.conftest import Answer
from tests.training.tasks import write_shards
from zhufeng.base import InputError, parse, read_manifest
from zhufeng.models.reference import load_reference
from zhufeng.records import Operands, Policy, Rule
from zhufeng.stack import POLICIES, named_policy
from zhufeng.training import MODEL, ReferenceTask, Schedule, TrainConfig, read_metrics, train

Command = Callable[..., Answer]
SCHEDULE = Schedule(
    steps=6,
    batch=4,
    micro_batches=2,
    learning_rate=1e-2,
    evaluate_every=100,
    checkpoint_every=2,
    policy=named_policy("block5"),
)


def trained(folder: Path, name: str, schedule: Schedule) -> tuple[list[float], dict[str, bytes]]:
    """Losses and weights of a training of a reference, on few images of its held-out set."""
    folder.mkdir()
    task = ReferenceTask(load_reference(name), schedule, seed=3)
    everything = task.held_out

    def few() -> object:
        return [next(everything())]

    task.held_out = few  # type: ignore[assignment]
    train(task, schedule, folder, 3)
    weights = load_file(folder / MODEL / "model.safetensors")
    losses = [line["loss"] or 0.0 for line in read_metrics(folder) if "loss" in line]
    return losses, {key: array.tobytes() for key, array in weights.items()}


@pytest.mark.parametrize("name", ["gpt-relu2-small", "cnn-small", "mlp-small"])
def test_one_seed_gives_the_same_bits_on_one_and_on_two_threads(name: str, tmp_path: Path) -> None:
    one = trained(tmp_path / "one", name, SCHEDULE)
    again = trained(tmp_path / "again", name, SCHEDULE)
    two = trained(tmp_path / "two", name, replace(SCHEDULE, threads=2))
    assert one == again == two
    other = trained(tmp_path / "other", name, replace(SCHEDULE, policy=named_policy("block6")))
    assert other[0] != one[0]


def test_a_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", "mlp-small", SCHEDULE)
    folder = tmp_path / "part"
    folder.mkdir()
    task = ReferenceTask(load_reference("mlp-small"), SCHEDULE, seed=3)
    broken, count = task.batch, [0]

    def batch(step: int, micro: int) -> object:
        count[0] += 1
        if step == 5 and micro == 1:
            raise KeyboardInterrupt
        return broken(step, micro)

    task.batch = batch  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        train(task, SCHEDULE, folder, 3)
    task.batch = broken  # type: ignore[method-assign]
    train(task, SCHEDULE, folder, 3)
    weights = load_file(folder / MODEL / "model.safetensors")
    assert {key: array.tobytes() for key, array in weights.items()} == whole[1]


def test_rules_begin_to_hold_on_the_way(tmp_path: Path) -> None:
    wide, narrow = Operands(format="fp32", storage="fp32"), Operands(format="block4")
    every = Rule(weight=wide, activation=wide, gradient=wide)
    late = Rule(weight=narrow, activation=narrow, gradient=narrow, since=0.5)
    policies = [Policy(name="early", rules=(every,)), Policy(name="late", rules=(every, late))]
    runs = [
        trained(tmp_path / policy.name, "mlp-small", replace(SCHEDULE, policy=policy))[0]
        for policy in policies
    ]
    assert runs[0][:3] == runs[1][:3]
    assert all(a != b for a, b in zip(runs[0][3:], runs[1][3:], strict=True))


TRAIN = """
[train]
shards = ["shards"]
sequence = 16
steps = 4
batch = 4
policy = "block6"

[train.model]
vocabulary = 257
layers = 1
width = 16
heads = 2
ff_width = 32
"""


def test_the_page_shows_the_loss_against_bf16(tmp_path: Path, zhufeng: Command) -> None:
    write_shards(tmp_path / "shards", b"some text " * 200)
    (tmp_path / "train.toml").write_text(TRAIN)
    answer = zhufeng("train", tmp_path / "train.toml", "-o", tmp_path / "run", "--json")
    assert answer.code == 0, answer.err
    manifest = read_manifest(tmp_path / "run" / "train" / "manifest.json")
    ours, bf16 = manifest.figures["held_out_loss"], manifest.figures["bf16_held_out_loss"]
    assert isinstance(ours, float)
    assert isinstance(bf16, float)
    assert ours != bf16
    page = (tmp_path / "run" / "index.html").read_text()
    assert "in block6;" in page
    assert f"{100 * (ours / bf16 - 1):+.2f}% against bf16" in page
    beside = tmp_path / "run" / "train" / "bf16"
    assert sorted(path.name for path in beside.iterdir()) == ["metrics.jsonl", "training.json"]
    assert json.loads((beside / "training.json").read_text())["policy"] == "bf16"


def test_a_policy_of_ones_own_stands_in_the_recipe(tmp_path: Path, zhufeng: Command) -> None:
    write_shards(tmp_path / "shards", b"some text " * 200)
    rules = "\n".join(f'{role} = {{ format = "block8" }}' for role in ("weight", "activation"))
    own = f'[train.own_policy]\nname = "mine"\n[[train.own_policy.rules]]\n{rules}\n'
    own += 'gradient = { format = "block8", rounding = "stochastic" }\n'
    text = TRAIN.replace('policy = "block6"', "against_bf16 = false") + own
    (tmp_path / "train.toml").write_text(text)
    answer = zhufeng("train", tmp_path / "train.toml", "-o", tmp_path / "run", "--json")
    assert answer.code == 0, answer.err
    assert not (tmp_path / "run" / "train" / "bf16").exists()
    assert "in mine;" in (tmp_path / "run" / "index.html").read_text()


def test_what_does_not_go_together_is_refused(tmp_path: Path, zhufeng: Command) -> None:
    for wrong, told in (
        ('policy = "block7"', "block7"),
        ('precision = "bf16"\npolicy = "block6"', "a policy with precision fp32"),
    ):
        (tmp_path / "train.toml").write_text(TRAIN.replace('policy = "block6"', wrong))
        answer = zhufeng("train", tmp_path / "train.toml", "-o", tmp_path / "run")
        assert answer.code == 2
        assert told in answer.err
        assert "Traceback" not in answer.err
    for fields, told in (
        ({"format": "bf16", "planes": 2}, "only blocks have two"),
        ({"format": "mxfp4", "tile": True}, "blocks and nvfp4 have them"),
        ({"format": "bf16", "rounding": "stochastic"}, "bf16 rounded to nearest"),
        ({"format": "block6", "tile": True, "rounding": "stochastic"}, "tiles rounded to nearest"),
    ):
        with pytest.raises(InputError, match=told):
            parse(Operands, fields, "test")
    mixed = {role: {"format": "block6"} for role in ("weight", "activation")}
    with pytest.raises(InputError, match="block and wide"):
        parse(Rule, {**mixed, "gradient": {"format": "bf16"}}, "test")


def test_every_named_policy_can_be_written_and_holds_everywhere() -> None:
    for name, policy in POLICIES.items():
        assert policy.name == name
        for kind in ("linear", "convolution", "attention", "experts", "matmul"):
            assert policy.rule(kind, "any.module", 0.0) is not None
    assert isinstance(TrainConfig(reference="mlp-small", policy="block6").number_policy, Policy)
