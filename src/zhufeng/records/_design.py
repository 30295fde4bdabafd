"""`Design`: a chip, or a core of one, as its parameters, its RTL and its figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from zhufeng.base import (
    InputError,
    dump_toml,
    parse,
    read_json,
    read_text,
    read_toml,
    record,
    write_durable,
)
from zhufeng.records._forms import Form

Scalar = bool | int | float | str
_NOT_NEGATIVE = ("sram_bytes", "dram_bytes", "dram_bytes_per_s", "link_bytes_per_s")


@record
class Design:
    """What the planner and the compiler must know of a chip.

    Rates are peaks of one chip. Zero means absent: a core alone has no DRAM and no link.
    """

    name: str
    generator: str | None = None
    """Entry point that made it and makes it again from `parameters`; None for a chip that
    others built."""
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    clock_hz: float
    macs_per_cycle: Mapping[str, float]
    """Number format to multiply-accumulates a cycle."""
    sram_bytes: int = 0
    dram_bytes: int = 0
    dram_bytes_per_s: float = 0.0
    link_bytes_per_s: float = 0.0
    """To other chips, each way."""
    transistors: int | None = None
    power_w: float | None = None
    price_usd: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """Field to where its figure comes from."""
    rtl: Mapping[str, str] = field(default_factory=dict)
    """File name to SystemVerilog text; in the folder as ``rtl/*.sv``."""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    """Measured and estimated figures by name; in the folder as ``figures.json``."""

    def __post_init__(self) -> None:
        if not 0 < self.clock_hz < math.inf:
            raise ValueError("a clock above 0 Hz")
        rates = {**self.macs_per_cycle, **{name: getattr(self, name) for name in _NOT_NEGATIVE}}
        for name, rate in rates.items():
            if not 0 <= rate < math.inf:
                raise ValueError(f"{name} of 0 or more")
        for name in self.rtl:
            if not name.endswith(".sv") or Path(name).name != name:
                raise ValueError(f"plain file names that end in .sv, not {name!r}")

    def flops_per_s(self, number_format: str) -> float:
        """Peak rate in a number format, counting a multiply-accumulate as two."""
        return 2 * self.macs_per_cycle[number_format] * self.clock_hz


DESIGN = Form("design", Design)
_TOML, _RTL, _FIGURES = "chip.toml", "rtl", "figures.json"


def write_design(folder: Path, design: Design) -> None:
    """Write ``chip.toml``, ``rtl/*.sv`` and ``figures.json`` into `folder`."""
    if design.rtl:
        (folder / _RTL).mkdir(exist_ok=True)
    for old in (folder / _RTL).glob("*.sv"):
        if old.name not in design.rtl:
            old.unlink()  # of an earlier design; it would be read back as part of this one
    for name, text in design.rtl.items():
        write_durable(folder / _RTL / name, text.encode())
    figures = json.dumps(dict(design.figures), indent=1, sort_keys=True)
    write_durable(folder / _FIGURES, figures.encode() + b"\n")
    table = DESIGN.pack(design)
    del table["rtl"], table["figures"]
    write_durable(folder / _TOML, dump_toml(table))


def read_design(path: Path) -> Design:
    """The design in a folder, or a lone ``chip.toml`` that somebody wrote by hand.

    Raises:
        InputError: there is none, or it is damaged or of a newer version.
    """
    folder = path if path.is_dir() else path.parent
    table = read_toml(path / _TOML if path.is_dir() else path)
    for key in ("rtl", "figures"):
        if key in table:
            raise InputError(
                f"{path} holds [{key}]",
                expected=f"{key} beside {_TOML}: {_RTL}/*.sv and {_FIGURES}",
                came=f"a key '{key}' inside it",
                do="move it to its own file",
            )
    if path.is_dir():
        table["rtl"] = {
            file.name: read_text(file, "SystemVerilog")
            for file in sorted((folder / _RTL).glob("*.sv"))
        }
        if (folder / _FIGURES).exists():
            table["figures"] = parse(
                dict[str, float | None], read_json(folder / _FIGURES), str(folder / _FIGURES)
            )
    return DESIGN.unpack(table, str(path))
