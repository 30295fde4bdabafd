"""Errors of zhufeng.models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.errors.case import case
from zhufeng.base import parse
from zhufeng.models import DecoderConfig, read_weights
from zhufeng.models.reference import REFERENCES, TextData, load_reference
from zhufeng.models.reference import _reference as reference

Patch = pytest.MonkeyPatch

DECODER = {"vocabulary": 8, "layers": 1, "width": 16, "heads": 4, "ff_width": 8}
MOE = {"experts": 4, "active": 2, "ff_width": 8}


@case(
    "TMP/w cannot be read",
    "a model's weights, as safetensors",
    "*",
    "restore the file from a copy",
)
def damaged_weights(tmp: Path, _: Patch) -> None:
    (tmp / "w").write_bytes(b"none")
    read_weights(tmp / "w", nn.Linear(2, 3))


@case(
    "TMP/w cannot be read",
    "a model's weights, as safetensors",
    "No such file or directory*",
    "restore the file from a copy",
)
def missing_weights(tmp: Path, _: Patch) -> None:
    read_weights(tmp / "w", nn.Linear(2, 3))


@case(
    "TMP/w does not fit the model",
    "2 tensors as the configuration names and shapes them",
    "weight of shape (3, 4), not (3, 2)",
    "use the configuration that the weights were written with",
)
def weights_of_another_shape(tmp: Path, _: Patch) -> None:
    save_file({"weight": torch.zeros(3, 4), "bias": torch.zeros(3)}, tmp / "w")
    read_weights(tmp / "w", nn.Linear(2, 3))


@case(
    "TMP/w does not fit the model",
    "2 tensors as the configuration names and shapes them",
    "bias is missing",
    "use the configuration that the weights were written with",
)
def weights_too_few(tmp: Path, _: Patch) -> None:
    save_file({"weight": torch.zeros(3, 2)}, tmp / "w")
    read_weights(tmp / "w", nn.Linear(2, 3))


@case(
    "TMP/w does not fit the model",
    "1 tensors as the configuration names and shapes them",
    "bias is not one of its own",
    "use the configuration that the weights were written with",
)
def weights_too_many(tmp: Path, _: Patch) -> None:
    save_file({"weight": torch.zeros(3, 2), "bias": torch.zeros(3)}, tmp / "w")
    read_weights(tmp / "w", nn.Linear(2, 3, bias=False))


def refused(name: str, expected: str, changes: dict[str, Any]) -> None:
    """A case: a decoder's configuration that a rule between its fields refuses."""

    def act(_: Path, __: Patch) -> None:
        parse(DecoderConfig, {**DECODER, **changes}, "f")

    act.__name__ = name
    experts = "moe" in changes and "width" not in changes
    case(f"f{': moe' if experts else ''} is not usable", expected, "*", "correct it in f")(act)


refused("no_layer", "vocabulary, layers, width, heads and ff_width of at least 1", {"layers": 0})
refused("uneven_kv_heads", "kv_heads that divide the 4 heads", {"kv_heads": 3})
refused("no_kv_heads", "kv_heads that divide the 4 heads", {"kv_heads": 0})
refused("uneven_heads", "heads that divide the width 16, or a head_width", {"heads": 3})
refused("no_head_width", "a head_width of at least 1", {"head_width": 0})
refused(
    "too_much_rotary",
    "a rotary_fraction in [0, 1] that turns a whole number of pairs",
    {"rotary_fraction": 1.5},
)
refused(
    "half_a_pair",
    "a rotary_fraction in [0, 1] that turns a whole number of pairs",
    {"rotary_fraction": 0.75},
)
refused("no_window", "a window of at least 1 token", {"window": 0})
refused(
    "odd_experts_input",
    "with experts, a width that 8 divides",
    {"width": 12, "heads": 2, "moe": MOE},
)
refused("too_many_active", "1 to 'experts' active experts", {"moe": {**MOE, "active": 5}})
refused(
    "negative_shared_expert",
    "widths of at least 1 (a shared expert may have 0: none)",
    {"moe": {**MOE, "shared_ff_width": -1}},
)
refused("odd_experts", "experts of a width that 8 divides", {"moe": {**MOE, "ff_width": 12}})


@case(
    "the table of references has an unknown key 'gpt-gelu-smal'",
    "one of cnn-base, cnn-small, gpt-gelu-base, gpt-gelu-small, gpt-relu2-base, gpt-relu2-small, "
    "mlp-base, mlp-small",
    "gpt-gelu-smal",
    "write 'gpt-gelu-small'",
)
def no_such_reference(_: Path, __: Patch) -> None:
    load_reference("gpt-gelu-smal")


def with_text(patch: Patch, change: Callable[[TextData], TextData]) -> None:
    """Ask for a reference's data after a change of its text's settings."""
    settings = REFERENCES["gpt-gelu-small"]
    assert isinstance(settings.data, TextData)
    changed = dataclasses.replace(settings, data=change(settings.data))
    patch.setattr(reference, "REFERENCES", MappingProxyType({"changed": changed}))
    load_reference("changed").data(0)


@case(
    "the references' text is not the one that their figures were measured on",
    "the files of Jinja2==2.0, as their wheels hold them",
    "Jinja2 3.*",
    "pip install --force-reinstall --no-deps Jinja2==2.0",
)
def another_version(_: Path, patch: Patch) -> None:
    with_text(patch, lambda data: dataclasses.replace(data, packages=(("Jinja2", "2.0"),)))


@case(
    "the references' text is not the one that their figures were measured on",
    "the files of no-such-package==1, as their wheels hold them",
    "no-such-package is not installed",
    "pip install --force-reinstall --no-deps no-such-package==1",
)
def no_package(_: Path, patch: Patch) -> None:
    with_text(patch, lambda data: dataclasses.replace(data, packages=(("no-such-package", "1"),)))
