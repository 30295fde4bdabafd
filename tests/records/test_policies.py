"""Policy: its file, what is refused, and which rule holds."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from zhufeng.base import InputError, parse
from zhufeng.records import (
    KINDS,
    Kind,
    NumberFormat,
    Operands,
    Policy,
    Rule,
    Storage,
    read_policy,
    write_policy,
)

TRAINING = Path(__file__).parents[2] / "docs" / "training.md"
BLOCKS = ("block4", "block5", "block6", "block8")
MX = ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8")
GROUPS: tuple[tuple[str, ...], ...] = (("fp32", "bf16"), BLOCKS, MX, ("nvfp4",))
"""Formats that are multiplied with one another."""

BY_HAND = """
record = "policy"
version = 1
name = "mine"

[[rules]]
weight = { format = "block6" }
activation = { format = "block6" }
gradient = { format = "block5", rounding = "stochastic" }

[[rules]]
kinds = ["attention"]
modules = ["layers.0.*"]
since = 0.5
rotated = ["forward"]
weight = { format = "block8", planes = 2 }
activation = { format = "block8", tile = true, storage = "same" }
gradient = { format = "block8" }
"""
BLOCK6 = Operands(format="block6", planes=1, rounding="nearest", tile=False, storage="bf16")
MINE = Policy(
    name="mine",
    rules=(
        Rule(
            kinds=("linear", "convolution", "attention", "experts", "matmul"),
            modules=("*",),
            since=0.0,
            weight=BLOCK6,
            activation=BLOCK6,
            gradient=Operands(format="block5", rounding="stochastic"),
            rotated=(),
        ),
        Rule(
            kinds=("attention",),
            modules=("layers.0.*",),
            since=0.5,
            weight=Operands(format="block8", planes=2),
            activation=Operands(format="block8", tile=True, storage="same"),
            gradient=Operands(format="block8"),
            rotated=("forward",),
        ),
    ),
)


def uniform(number_format: NumberFormat, **more: Any) -> Rule:
    """One format for all."""
    own = Operands(format=number_format)
    return Rule(weight=own, activation=own, gradient=own, **more)


def test_a_policy_written_by_hand_needs_no_more_than_formats(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(BY_HAND)
    assert read_policy(tmp_path / "p.toml") == MINE


@pytest.mark.parametrize("policy", [MINE, Policy(name="珠峰 \"'\\")], ids=["rules", "none"])
def test_a_policy_reads_back(policy: Policy, tmp_path: Path) -> None:
    write_policy(tmp_path / "p.toml", policy)
    assert read_policy(tmp_path / "p.toml") == policy


CORRECT = "correct it in TMP/p.toml"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version = 1", "version = 2", [
            "TMP/p.toml is a policy of a newer version",
            "policy of version 1 or older",
            "version 2",
            "upgrade: pip install -U zhufeng",
        ]),
        ('"policy"', '"plan"', [
            "TMP/p.toml is not a policy",
            'a table with record = "policy"',
            'record = "plan"',
            "check the path",
        ]),
        ("since", "from", [
            "TMP/p.toml: rules[1] has an unknown key 'from'",
            "one of activation, gradient, kinds, modules, rotated, since, weight",
            "from",
            "*",
        ]),
        ('activation = { format = "block6" }\n', "", [
            "TMP/p.toml: rules[0].activation is missing",
            "a value for 'activation'",
            "none",
            "add 'activation'",
        ]),
        ("planes = 2", "planes = 3", [
            "TMP/p.toml: rules[1].weight.planes is not usable", "1 or 2", "3", CORRECT
        ]),
        ("0.5", "1.5", [
            "TMP/p.toml: rules[1] is not usable",
            "a since in [0, 1), a share of the steps",
            "*",
            CORRECT,
        ]),
        ('kinds = ["attention"]', "kinds = []", [
            "TMP/p.toml: rules[1] is not usable",
            "at least one of kinds, and one pattern of modules",
            "*",
            CORRECT,
        ]),
        ('["forward"]', '["update"]', [
            "TMP/p.toml: rules[1] is not usable",
            "rotated products of the model, not of the optimizer's update",
            "*",
            CORRECT,
        ]),
        ("block5", "nvfp4", [
            "TMP/p.toml: rules[0] is not usable",
            "formats that are multiplied with one another: block and nvfp4",
            "*",
            CORRECT,
        ]),
        ('"block8", planes', '"bf16", planes', [
            "TMP/p.toml: rules[1].weight is not usable",
            "one plane of bf16: only blocks have two",
            "{'format': 'bf16', 'planes': 2}",
            CORRECT,
        ]),
        ('"block8", tile', '"mxfp4", tile', [
            "TMP/p.toml: rules[1].activation is not usable",
            "no tiles of mxfp4: blocks and nvfp4 have them",
            "{'format': 'mxfp4', 'tile': True, 'storage': 'same'}",
            CORRECT,
        ]),
        ('"block5"', '"fp32"', [
            "TMP/p.toml: rules[0].gradient is not usable",
            "fp32 rounded to nearest",
            "{'format': 'fp32', 'rounding': 'stochastic'}",
            CORRECT,
        ]),
        ("tile = true", 'tile = true, rounding = "stochastic"', [
            "TMP/p.toml: rules[1].activation is not usable",
            "tiles rounded to nearest",
            "*",
            CORRECT,
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_policy_is_told(
    old: str, new: str, told: list[str], tmp_path: Path
) -> None:
    assert BY_HAND.count(old) == 1
    (tmp_path / "p.toml").write_text(BY_HAND.replace(old, new))
    with pytest.raises(InputError) as caught:
        read_policy(tmp_path / "p.toml")
    where, expected, came, do = told
    text = f"{where}\n  expected: {expected}\n  came:     {came}\n  do:       {do}"
    pattern = re.escape(text).replace(r"\*", ".*")
    found = str(caught.value).replace(str(tmp_path), "TMP")
    assert re.fullmatch(pattern, found), found


def test_a_damaged_policy_is_refused_or_has_fewer_rules(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    write_policy(path, MINE)
    whole, read = path.read_bytes(), 0
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            read_policy(path)
        except InputError:
            continue
        read += 1
        # Between two lines a file may end.
        assert whole[length : length + 1] == b"\n" or whole[:length].endswith(b"\n")
    assert read
    path.write_bytes(whole.replace(b"mine", b"min\xff"))
    with pytest.raises(InputError, match="UTF-8"):
        read_policy(path)
    path.unlink()
    with pytest.raises(InputError, match=r"p\.toml"):
        read_policy(path)


def test_every_format_has_what_the_contract_gives_it() -> None:
    known = set(itertools.chain(*GROUPS))
    assert known == set(get_args(NumberFormat))
    made = 0
    for form, planes, rounding, tile, storage in itertools.product(
        get_args(NumberFormat),
        (1, 2),
        ("nearest", "stochastic"),
        (False, True),
        get_args(Storage),
    ):
        fields = {
            "format": form,
            "planes": planes,
            "rounding": rounding,
            "tile": tile,
            "storage": storage,
        }
        wide, stochastic = form in ("fp32", "bf16"), rounding == "stochastic"
        good = (
            (planes == 1 or form in BLOCKS)
            and (not tile or form in (*BLOCKS, "nvfp4"))
            and not (stochastic and (wide or tile))
        )
        if good:
            own = parse(Operands, fields, "test")
            assert {name: getattr(own, name) for name in fields} == fields
            made += 1
        else:
            with pytest.raises(InputError):
                parse(Operands, fields, "test")
    assert made == 3 * (4 * 6 + 6 * 2 + 3 + 2)


def test_formats_of_one_family_alone_are_multiplied() -> None:
    forms: tuple[NumberFormat, ...] = get_args(NumberFormat)
    for one, other in itertools.product(forms, forms):
        own, more = Operands(format=one), Operands(format=other)
        together = any({one, other} <= set(group) for group in GROUPS)
        for roles in itertools.permutations((own, own, more)):
            fields: dict[str, Any] = dict(
                zip(("weight", "activation", "gradient"), roles, strict=True)
            )
            if together:
                Rule(**fields)
            else:
                with pytest.raises(ValueError, match="multiplied with one another"):
                    Rule(**fields)


def test_the_last_rule_that_holds_counts() -> None:
    every, layer, late, experts = (
        uniform("block8"),
        uniform("block6", modules=("layers.1.*", "head")),
        uniform("block5", since=0.5, kinds=("linear", "attention")),
        uniform("fp32", kinds=("experts",), modules=("layers.?.moe",)),
    )
    policy = Policy(name="test", rules=(every, layer, late, experts))
    right: dict[tuple[Kind, str, float], Rule] = {
        ("linear", "layers.0.up", 0.0): every,
        ("linear", "layers.1.up", 0.0): layer,
        ("linear", "layers.1", 0.0): every,
        ("linear", "layers.11.up", 0.0): every,
        ("matmul", "head", 0.9): layer,
        ("linear", "head", 0.49): layer,
        ("linear", "head", 0.5): late,
        ("attention", "", 1.0): late,
        ("convolution", "", 1.0): every,
        ("experts", "layers.1.moe", 1.0): experts,
        ("experts", "layers.1.MOE", 1.0): layer,
        ("experts", "layers.10.moe", 0.0): every,
    }
    for asked, rule in right.items():
        assert policy.rule(*asked) is rule, asked
    for kind in KINDS:
        found = Policy(name="late", rules=(uniform("bf16", since=0.1),)).rule(kind, "head", 0.0)
        assert found is None


def test_the_policy_that_the_training_page_shows_can_be_read() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", TRAINING.read_text(), re.DOTALL)
    tables = [tomllib.loads(text).get("train", {}).get("own_policy") for text in blocks]
    (shown,) = [table for table in tables if isinstance(table, dict)]
    policy = parse(Policy, shown, str(TRAINING))
    assert policy.rules
