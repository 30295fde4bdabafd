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


def _uniform(number_format: NumberFormat, **gradient: Any) -> Policy:
    """One format for all, with what is another for gradients."""
    return Policy(name=number_format, rules=(_rule(number_format, **gradient),))


def _rule(number_format: NumberFormat, **gradient: Any) -> Rule:
    own = Operands(format=number_format)
    return Rule(weight=own, activation=own, gradient=replace(own, **gradient))


def _fp32() -> Policy:
    own = Operands(format="fp32", storage="fp32")
    return Policy(name="fp32", rules=(Rule(weight=own, activation=own, gradient=own),))


def _all() -> dict[str, Policy]:
    found = [_fp32(), _uniform("bf16"), *(_uniform(one, **_STOCHASTIC) for one in NARROW)]
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
