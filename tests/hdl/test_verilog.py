"""The printed Verilog, through Verilator: clean, and cycle by cycle what the interpreter says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.hdl import designs
from tests.hdl.verilated import Case, lint, verilated, verilator
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import interpret

pytestmark = pytest.mark.skipif(verilator() is None, reason="needs verilator, make and a compiler")
DESIGNS = {
    "systolic": designs.systolic(4),
    "crc": designs.crc32(),
    "ram": designs.ram(),
    "elastic": designs.elastic(4),
    "enabled": designs.enabled(),
    "pair": designs.pair().ir,
}
RESET = [1, 1, *[0] * 60]


def test_verilator_and_the_interpreter_agree(tmp_path: Path) -> None:
    draw = np.random.default_rng(7)
    cases = [
        Case(
            one,
            {
                port: draw.integers(form.low, form.high + 1, (len(RESET), *form.shape))
                for port, form in one.inputs.items()
            },
        )
        for one in DESIGNS.values()
    ]
    there = verilated(cases, RESET, tmp_path)
    for (name, one), case, found in zip(DESIGNS.items(), cases, there, strict=True):
        inputs = {port: values[:, None] for port, values in case.inputs.items()}
        here = interpret(one, inputs, cycles=len(RESET), reset=RESET).outputs
        assert set(found) == set(here)
        # What a synchronous port has not read yet may be anything.
        first = 12 if name == "ram" else 2
        for port, values in found.items():
            assert np.array_equal(here[port][first:, 0], values[first:]), (name, port)


@pytest.mark.parametrize("name", DESIGNS)
def test_verilator_has_nothing_to_say_but_of_what_is_not_used(name: str, tmp_path: Path) -> None:
    said = lint(DESIGNS[name], tmp_path)
    warnings = {line.split(":")[0] for line in said.splitlines() if line.startswith("%")}
    assert warnings <= {"%Warning-UNUSEDSIGNAL", "%Error"}, said
    assert "%Error: Exiting due to" in said or not warnings


def test_a_module_that_is_used_twice_is_one_file() -> None:
    from zhufeng.hdl.verilog import to_verilog

    files = to_verilog(designs.elastic(4)).files
    assert sorted(files) == ["row.sv", "stage.sv"]
    assert files["row.sv"].count("stage stage") == 4
    assert ir.below(designs.systolic(2))[-1].name == "array"
