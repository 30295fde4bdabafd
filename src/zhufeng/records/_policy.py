"""`Policy`: in which number formats a model is trained, tensor by tensor and over time."""

from __future__ import annotations

import fnmatch
from dataclasses import field
from pathlib import Path
from typing import Final, Literal, get_args

from zhufeng.base import dump_toml, read_toml, record, write_durable
from zhufeng.records._forms import Form
from zhufeng.records._workload import Role

NumberFormat = Literal[
    "fp32",
    "bf16",
    "block4",
    "block5",
    "block6",
    "block8",
    "mxfp8_e4m3",
    "mxfp8_e5m2",
    "mxfp6_e3m2",
    "mxfp6_e2m3",
    "mxfp4",
    "mxint8",
    "nvfp4",
]
"""As docs/formats.md has them; blocks by the bits of an element."""
Storage = Literal["fp32", "bf16", "same"]
"""In which type a tensor stands in DRAM; "same": in the format in which it is multiplied."""
Kind = Literal["linear", "convolution", "attention", "experts", "matmul"]
"""What multiplies: a layer's weight; a convolution's; queries, keys, probabilities and values of
attention; the weights of experts; or any other product of two tensors."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_FAMILIES: Final = ("block", "mx", "nvfp4")


def family(number_format: NumberFormat) -> str:
    """What a format may be multiplied with: "block", "mx", "nvfp4", or "wide" (bf16 and fp32)."""
    return next((one for one in _FAMILIES if number_format.startswith(one)), "wide")


@record
class Operands:
    """How the tensors of one role stand in matrix products."""

    format: NumberFormat
    planes: Literal[1, 2] = 1
    """Two take passes of a product: hi·hi, hi·lo, lo·hi. Of blocks alone."""
    rounding: Literal["nearest", "stochastic"] = "nearest"
    tile: bool = False
    """Whether 16 x 16 elements share a scale, so that both ways of cutting give the same."""
    storage: Storage = "bf16"
    """What every matrix product takes the tensor from."""

    def __post_init__(self) -> None:
        own = family(self.format)
        if self.planes != 1 and own != "block":
            raise ValueError(f"one plane of {self.format}: only blocks have two")
        if self.tile and own not in ("block", "nvfp4"):
            raise ValueError(f"no tiles of {self.format}: blocks and nvfp4 have them")
        if self.rounding == "stochastic" and (own == "wide" or self.tile):
            what = "tiles" if self.tile else self.format
            raise ValueError(f"{what} rounded to nearest")


@record
class Rule:
    """What holds for some products, from some moment of the training on."""

    kinds: tuple[Kind, ...] = KINDS
    modules: tuple[str, ...] = ("*",)
    """Patterns of module paths (``"layers.3.*"``, ``"head"``); ``*`` stands for anything."""
    since: float = 0.0
    """Share of the training's steps after which it begins to hold."""
    weight: Operands
    activation: Operands
    gradient: Operands
    rotated: tuple[Role, ...] = ()
    """Products both of whose operands are first turned by the same random Hadamard matrix of 16
    along the axis that is summed over (rule 2.9 of docs/formats.md)."""

    def __post_init__(self) -> None:
        if not 0 <= self.since < 1:
            raise ValueError("a since in [0, 1), a share of the steps")
        if not (self.kinds and self.modules):
            raise ValueError("at least one of kinds, and one pattern of modules")
        families = {family(one.format) for one in (self.weight, self.activation, self.gradient)}
        if len(families) > 1:
            raise ValueError(
                "formats that are multiplied with one another: " + " and ".join(sorted(families))
            )
        if "update" in self.rotated:
            raise ValueError("rotated products of the model, not of the optimizer's update")

    def holds(self, kind: Kind, module: str, share: float) -> bool:
        """Whether it holds for a product of a module, at a share of the steps."""
        here = any(fnmatch.fnmatchcase(module, pattern) for pattern in self.modules)
        return here and kind in self.kinds and share >= self.since


@record
class Policy:
    """Rules, of which the last one that holds counts."""

    name: str
    rules: tuple[Rule, ...] = field(default=())
    """Where none holds, products are of fp32."""

    def rule(self, kind: Kind, module: str, share: float) -> Rule | None:
        """The rule for a product of a module, at a share of the training's steps."""
        held = (rule for rule in reversed(self.rules) if rule.holds(kind, module, share))
        return next(held, None)


POLICY = Form("policy", Policy)


def read_policy(path: Path) -> Policy:
    """The policy in a TOML file.

    Raises:
        InputError: there is none, or it is damaged or of a newer version.
    """
    return POLICY.unpack(read_toml(path), str(path))


def write_policy(path: Path, policy: Policy) -> None:
    """Write a policy as TOML."""
    write_durable(path, dump_toml(POLICY.pack(policy)))
