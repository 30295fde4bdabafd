"""Yosys, run apart: it ends the whole process when something is wrong."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from zhufeng.base import InputError, MissingExtraError
from zhufeng.hdl.reader._netlist import Design, design

Parameter = int | str

# Commands come as lists, so that no file's name can be taken for more than that.
_PROGRAM = """
import json, sys
from pyosys import libyosys
design = libyosys.Design()
for command in json.load(sys.stdin):
    libyosys.Pass.call(design, command)
"""
_NAMED = ("w:*", "w:$*", "%d")
_ASYNCHRONOUS = ("adff", "adffe", "aldff", "aldffe", "dffsr", "dffsre")
_UNKNOWN = re.compile(r"Module `\\?(\S+)' referenced in module `\\?(\S+)' in cell `\\?(\S+)'")
_NO_TOP = re.compile(r"Module `\S+' not found!")
_NO_PARAMETER = re.compile(r"Can't find object for defparam `(\S+?)`")
_LATCH = re.compile(r"Latch inferred for signal `\S+?\.\\?(\S+)'")
_PLACE = re.compile(r"(?P<place>.*:\d+): ERROR: ?(?P<text>.*)")


def elaborated(
    files: Sequence[Path],
    top: str,
    parameters: Mapping[str, Parameter],
    *,
    flat: bool,
) -> Design:
    """A design as words of bits: processes made into cells, optimised, memories whole.

    Args:
        files: Verilog, in the order in which it is read.
        top: the module.
        parameters: of the top.
        flat: whether all inside the top becomes a part of it.

    Raises:
        InputError: Yosys refuses it.
        MissingExtraError: without the extra ``hdl``.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise MissingExtraError("hdl", "pyosys")
    with tempfile.TemporaryDirectory(prefix="zhufeng-yosys-") as name:
        folder = Path(name)
        commands = _commands(files, top, parameters, folder, flat=flat)
        done = subprocess.run(
            (sys.executable, "-c", _PROGRAM),
            input=json.dumps(commands),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise _refusal(done.returncode, done.stderr, top, folder)
        return design(json.loads((folder / "design.json").read_text()))


def _commands(
    files: Sequence[Path],
    top: str,
    parameters: Mapping[str, Parameter],
    folder: Path,
    *,
    flat: bool,
) -> list[list[str]]:
    given = [
        part for name, value in parameters.items() for part in ("-chparam", name, _constant(value))
    ]
    return [
        *(["read_verilog", "-sv", str(file)] for file in files),
        ["tee", "-q", "-o", str(folder / "modules.txt"), "select", "-list-mod", "=*"],
        ["hierarchy", "-check", "-top", top, *given],
        ["proc"],
        # Before `opt`, which makes a latch of what only an asynchronous reset sets.
        ["async2sync", *(f"t:${kind}" for kind in _ASYNCHRONOUS)],
        *([["flatten"]] if flat else []),
        ["opt"],
        # A wire with a name keeps all its bits.
        ["setattr", "-set", "keep", "1", *_NAMED],
        ["wreduce"],
        ["setattr", "-unset", "keep", *_NAMED],
        ["opt"],
        ["memory", "-nomap"],
        ["opt_clean"],
        ["write_json", str(folder / "design.json")],
    ]


def _constant(value: Parameter) -> str:
    """As Verilog writes it with a size: Yosys takes no signs and no text here."""
    if isinstance(value, str):
        return f"{8 * max(1, len(value.encode()))}'h{value.encode().hex() or 0}"
    width = max(32, int(value).bit_length() + 1)
    return f"{width}'sh{int(value) & ((1 << width) - 1):x}"


def _refusal(code: int, said: str, top: str, folder: Path) -> InputError:
    """What is wrong, from what Yosys says last."""
    errors = [line for line in said.splitlines() if "ERROR:" in line]
    line = errors[-1] if errors else _ending(code, said)
    if found := _UNKNOWN.search(line):
        inside, outside, cell = found.groups()
        return InputError(
            f"instance {cell} in module {outside}",
            expected="a module that one of the files has",
            came=f"module {inside}, which is in none",
            do="add its file; write Verilog for what only a vendor's tools know",
        )
    if _NO_TOP.search(line):
        return InputError(
            "the top module",
            expected=", ".join(_modules(folder)) or "a module in the files, which have none",
            came=top,
            do="name one of them as top",
        )
    if found := _NO_PARAMETER.search(line):
        return InputError(
            f"the parameters of module {top}",
            expected="those that it declares",
            came=found[1],
            do="spell it as in the Verilog, or leave it out",
        )
    if found := _LATCH.search(line):
        return latch(found[1], top)
    place = _PLACE.match(line)
    return InputError(
        place["place"] if place else f"module {top}",
        expected="Verilog or SystemVerilog that Yosys can make hardware of",
        came=(place["text"] if place else line.removeprefix("ERROR: ")).strip(),
        do="correct it, or write it in the part of the language that Yosys reads",
    )


def latch(signal_: str, place: str) -> InputError:
    """A latch is refused."""
    return InputError(
        f"{signal_} in {place}",
        expected="a value in every case, or a flip-flop",
        came="a latch: it holds its value while nothing sets it",
        do="set it in every branch, or in an always block at the clock's edge",
    )


def _modules(folder: Path) -> list[str]:
    """The names of those that were read."""
    lines = (folder / "modules.txt").read_text().splitlines()
    names = [line for line in lines if " " not in line]  # else a warning that there are none
    return sorted(name.removeprefix("$abstract").lstrip("\\") for name in names)


def _ending(code: int, said: str) -> str:
    last = said.strip().splitlines()[-1:] or ["without a word"]
    how = signal.Signals(-code).name if code < 0 else str(code)
    return f"Yosys ended with {how}: {last[0]}"
