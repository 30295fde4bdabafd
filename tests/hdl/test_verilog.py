"""The printed Verilog, through Verilator and Icarus: clean, and what the interpreter says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from tests.hdl import designs
from zhufeng.hdl import Signal, UInt, fold, function, ir, unpack
from zhufeng.hdl.interpret import Values, interpret
from zhufeng.hdl.oracle import Case, has_icarus, icarus, lint, verilator
from zhufeng.hdl.passes import Flattening, simplify
from zhufeng.hdl.verilog import WAIVERS, to_verilog

FORMS: Mapping[str, Callable[[ir.Module], ir.Module]] = {
    "as it is": lambda module: module,
    "simple": simplify,
    "flat": Flattening(),
}
RESET = [1, 1, *[0] * 60]
Simulator = Callable[[Sequence[Case], Sequence[int]], "list[Mapping[str, Values]]"]
NEEDS_ICARUS = pytest.mark.skipif(not has_icarus(), reason="needs Icarus Verilog")


@pytest.mark.parametrize(
    "simulator", [verilator, pytest.param(icarus, marks=NEEDS_ICARUS)], ids=["verilator", "icarus"]
)
def test_another_simulator_says_the_same(simulator: Simulator) -> None:
    draw = np.random.default_rng(7)
    made = {
        (name, form): Case(
            rewrite(one),
            {
                port: draw.integers(of.low, of.high + 1, (len(RESET), *of.shape))
                for port, of in one.inputs.items()
            },
        )
        for name, one in designs.ALL.items()
        for form, rewrite in FORMS.items()
    }
    there = simulator(list(made.values()), RESET)
    for ((name, form), case), found in zip(made.items(), there, strict=True):
        inputs = {port: values[:, None] for port, values in case.inputs.items()}
        here = interpret(designs.ALL[name], inputs, cycles=len(RESET), reset=RESET).outputs
        assert set(found) == set(here)
        # What a synchronous port has not read yet may be anything.
        first = 12 if name in {"ram", "nested"} else 2
        for port, values in found.items():
            assert np.array_equal(here[port][first:, 0], values[first:]), (name, form, port)


@pytest.mark.parametrize("name", designs.ALL)
def test_verilator_has_nothing_to_say_but_what_is_waived(name: str) -> None:
    # The last row's weights go nowhere; memories are not reset; no one asks for a bit's oddness.
    known = {"crc": "PINCONNECTEMPTY"}
    known |= dict.fromkeys(("systolic", "ram", "nested"), "UNUSEDSIGNAL")
    for module in (designs.ALL[name], simplify(designs.ALL[name])):
        kinds = {line.partition(":")[0].removeprefix("%Warning-") for line in lint(module)}
        assert kinds == ({known[name]} if name in known else set())
    assert set(known.values()) < WAIVERS.keys()


def test_a_module_that_is_used_twice_is_one_file() -> None:
    files = to_verilog(designs.elastic(4)).files
    assert sorted(files) == ["row.sv", "stage.sv"]
    assert files["row.sv"].count("stage stage") == 4
    assert ir.below(designs.systolic(2))[-1].name == "array"


def test_what_only_moves_elements_is_an_index() -> None:
    text = to_verilog(designs.systolic(8)).files["array.sv"]
    assert "w_in = {out_w[6:0], w}" in text
    assert "assign a_in[ix0] = {out_a[ix0][6:0], a[ix0]};" in text
    assert "assign out = out_p[7];" in text


def test_names_in_a_link_are_its_own() -> None:
    @function(x=UInt(8), link=UInt(8))
    def names(x: Signal, link: Signal) -> Signal:
        def link_(x: Signal, out: Signal) -> tuple[Signal, Signal]:
            return x ^ link, out

        after, _ = fold(link_, x, unpack(UInt(2).array(4), x))
        return after

    assert {line.partition(":")[0] for line in lint(names.ir)} == {"%Warning-PINCONNECTEMPTY"}
