"""Our own printed Verilog, read back: programs do as the interpreter says of the original."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.hdl.agreement import RESET, Found, disagreements
from tests.hdl.programs import program
from zhufeng.base import InputError
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import Values, interpret
from zhufeng.hdl.oracle import Case
from zhufeng.hdl.reader import from_verilog
from zhufeng.hdl.verilog import Verilog, to_verilog

pytest.importorskip("pyosys")

LANES = 16
# Yosys 0.70 does not find an array inside the one of two generate loops by index.
UNREAD = "Failed to detect width of signal access"


def read_back(module: ir.Module) -> tuple[Verilog, ir.Module]:
    """What is printed, and what is read of it."""
    made = to_verilog(module)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in made.files.items():
            (folder / file).write_text(text)
        files = [folder / file for file in made.files if file.endswith(".sv")]
        return made, from_verilog(files, made.top)


def _is_read(module: ir.Module) -> bool:
    try:
        read_back(module)
    except InputError as error:
        if UNREAD in str(error):
            return False
        raise
    return True


def _packed(values: Values, form: ir.Form) -> Values:
    """Arrays [cycles, ...] as one number a cycle, element 0 lowest."""
    rows = values.reshape(len(values), -1).astype(object) & ((1 << form.width) - 1)
    places = np.array([form.width * n for n in range(rows.shape[1])], object)
    return (rows << places).sum(axis=1) if rows.shape[1] else np.zeros(len(rows), object)


def _unpacked(values: Values, form: ir.Form) -> Values:
    """The other way."""
    parts = [(values >> (form.width * n)) & ((1 << form.width) - 1) for n in range(form.size)]
    signed = [np.vectorize(form.wrap, otypes=[object])(part) for part in parts]
    return np.stack(signed, -1).reshape(*values.shape, *form.shape)


def _run(case: Case) -> Mapping[str, Values]:
    """The outputs of what is read, None where lanes differ in what nothing has set."""
    made, read = read_back(case.module)
    ports = {port.name: port for port in made.ports}
    # A clock that nothing needs stays an input.
    given = {"rst": np.array(RESET, object), "clk": np.zeros(len(RESET), object)}
    for name, port in ports.items():
        if port.direction == "input":
            given[name] = _packed(np.asarray(case.inputs[port.port]), port.form)
    lanes = {name: np.repeat(given[name][:, None], LANES, 1) for name in read.inputs}
    cycles = len(RESET)
    outputs = interpret(read, lanes, cycles=cycles).outputs
    found: dict[str, Values] = {}
    for name, port in ports.items():
        if port.direction == "output":
            every = _unpacked(np.asarray(outputs[name]).astype(object), port.form)
            every = np.repeat(every, LANES, 1) if every.shape[1] == 1 else every
            same = (every == every[:, :1]).all(axis=1)
            found[port.port] = np.where(same, every[:, 0], np.array(None, object))
    return _with_empty(case.module, found)


def _with_empty(module: ir.Module, found: dict[str, Values]) -> Mapping[str, Values]:
    """With outputs of no bits, which Verilog does not have."""
    forms = {port: module.form(value) for port, value in module.outputs.items()}
    empty = {port: np.zeros((len(RESET), *form.shape), object) for port, form in forms.items()}
    return {port: found.get(port, empty[port]) for port in forms}


def as_read(cases: Sequence[Case]) -> list[list[Found]]:
    """What the interpreter says of what is read."""
    return [[(_run(case), None)] for case in cases]


def _told(seeds: Sequence[int]) -> dict[int, list[str]]:
    programs = [one for one in map(program, seeds) if _is_read(one.module)]
    assert len(programs) > 0.7 * len(seeds)
    told = disagreements(programs, {"read": as_read})
    return {one.seed: found for one, found in zip(programs, told, strict=True) if found}


def test_programs_read_back_do_the_same() -> None:
    assert not _told(range(6))


@pytest.mark.soak
def test_many_programs_read_back_do_the_same() -> None:
    assert not _told(range(6, 300))
