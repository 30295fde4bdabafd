"""Policies by name: those that docs/precision.md compares. Without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from zhufeng.base import unknown_key
from zhufeng.records import NumberFormat, Operands, Policy, Rule

NARROW: tuple[NumberFormat, ...] = ("block8", "block6", "block5", "block4")
_STOCHASTIC: Mapping[str, Any] = MappingProxyType({"rounding": "stochastic"})


def _rule(number_format: NumberFormat, **gradient: Any) -> Rule:
    """One format for all, with what is another for gradients."""
    own = Operands(format=number_format)
    return Rule(weight=own, activation=own, gradient=replace(own, **gradient))


def _fp32() -> Policy:
    own = Operands(format="fp32", storage="fp32")
    return Policy(name="fp32", rules=(Rule(weight=own, activation=own, gradient=own),))


def _narrow(number_format: NumberFormat) -> Rule:
    return _rule(number_format, **_STOCHASTIC)


def _in_planes(rule: Rule, *roles: str) -> Rule:
    """With two planes of some operands."""
    return replace(rule, **{role: replace(getattr(rule, role), planes=2) for role in roles})


_ROLES = ("weight", "activation", "gradient")
_ENDS = ("head", "stem.*")
"""Where a model meets its data and its classes or words."""


def _late(number_format: NumberFormat, since: float = 0.9, name: str = "late") -> Policy:
    """Three passes in the last part of the training."""
    rule = _narrow(number_format)
    rules = (rule, replace(_in_planes(rule, *_ROLES), since=since))
    return Policy(name=f"{number_format}-{name}", rules=rules)


def _variants(number_format: NumberFormat) -> list[Policy]:
    """What else a width can be asked for, each alone."""
    rule = _narrow(number_format)
    tiled = replace(rule, weight=replace(rule.weight, tile=True))
    rotated = replace(rule, rotated=("input_gradient", "weight_gradient"))
    planes = _in_planes(rule, *_ROLES)
    ends, late = replace(planes, modules=_ENDS), replace(planes, since=0.9)
    found = [
        Policy(name=f"{number_format}-tiles", rules=(tiled,)),
        Policy(name=f"{number_format}-rotated", rules=(rotated,)),
        Policy(name=f"{number_format}-ends", rules=(rule, ends)),
        Policy(name=f"{number_format}-ends-late", rules=(rule, ends, late)),
    ]
    for role in _ROLES:
        finer = _in_planes(rule, role)
        found.append(Policy(name=f"{number_format}-finer-{role}s", rules=(finer,)))
    return found


def _nvfp4() -> Policy:
    """As arXiv 2509.25149 trains with it: attention, the head and some of the last layers' work in
    bf16, weights in tiles, gradients stochastic, and both operands of weight gradients rotated.
    """
    own = Operands(format="nvfp4")
    narrow = Rule(
        weight=replace(own, tile=True),
        activation=own,
        gradient=replace(own, rounding="stochastic"),
        rotated=("weight_gradient",),
    )
    # Of the small GPTs' linear work a fifth, of the other references' 4%.
    return Policy(name="nvfp4", rules=(narrow, *_wide_at(*_ENDS, "layers.2.feed_forward.down")))


def _mxfp8() -> Policy:
    """As arXiv 2506.08027 trains with it: E4M3 for all tensors, attention and the head in bf16."""
    return Policy(name="mxfp8", rules=(_rule("mxfp8_e4m3"), *_wide_at("head")))


def _wide_at(*modules: str) -> tuple[Rule, Rule]:
    """Some modules in bf16, and all that multiplies no weight."""
    wide = _rule("bf16")
    return replace(wide, modules=modules), replace(wide, kinds=("attention", "matmul"))


def _all() -> dict[str, Policy]:
    found = [_fp32(), Policy(name="bf16", rules=(_rule("bf16"),))]
    found += [Policy(name=one, rules=(_narrow(one),)) for one in NARROW]
    found += [*map(_late, NARROW[1:]), _late("block6", 0.8, "late-fifth"), *_variants("block6")]
    found += [_mxfp8(), _nvfp4()]
    return {policy.name: policy for policy in found}


POLICIES: Mapping[str, Policy] = MappingProxyType(_all())


def named_policy(name: str) -> Policy:
    """The policy called `name`.

    Raises:
        InputError: there is none of that name; names the nearest.
    """
    if name not in POLICIES:
        raise unknown_key("the table of policies", name, list(POLICIES))
    return POLICIES[name]
