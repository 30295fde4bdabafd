"""The stage [hdl] and what it counts, judged from the files that it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.hdl import designs
from tests.hdl.test_waves import PERIOD, Dump
from zhufeng.base import files_below
from zhufeng.hdl import ir
from zhufeng.hdl.designs import census
from zhufeng.hdl.examples import sums_of, systolic
from zhufeng.hdl.passes import simplify
from zhufeng.hdl.verilog import to_verilog
from zhufeng.report import Code, Figures, Plot, Section, Table, Text, read_section
from zhufeng.route import new_run, read_recipe

CODE = """
from zhufeng.hdl import Bool, Signal, State, UInt, assert_, cover, module, mux, reg, wrap

def counter(bits: int, stop: int = 200):
    class Count(State):
        n: Signal = reg(UInt(bits), reset=0)

    @module(Count, on=Bool)
    def count(s, on):
        assert_(s.n < stop, "it stops in time")
        cover(s.n == 3, "three")
        return Count(n=mux(on, wrap(s.n + 1, bits), s.n)), s.n

    return count
"""


def made(folder: Path, keys: str = "", seed: int = 5) -> Path:
    """The artifact of a recipe with this section."""
    recipe = folder / "recipe.toml"
    recipe.write_text(f'name = "t"\nseed = {seed}\n[hdl]\n{keys}\n')
    run = new_run(folder / "run", read_recipe(recipe))
    list(run.walk())
    return run.place("hdl")


def figures(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "manifest.json").read_text())["figures"]
    return found


def signed(number: int, bits: int) -> int:
    return number - (number >> (bits - 1) << bits)


def test_the_waves_hold_a_product_of_matrices(tmp_path: Path) -> None:
    n = 3
    place = made(tmp_path, f"parameters = {{ n = {n}, bits = 6, acc_bits = 14 }}")
    dump = Dump(place / "wave.vcd")
    cycles = dump.end // PERIOD

    def port(name: str, bits: int) -> list[list[int]]:
        """[cycles, n]"""
        times = [cycle * PERIOD + 1 for cycle in range(cycles)]
        names = [f"array.{name}[{k}]" for k in range(n)]
        return [[signed(dump.at(one, time), bits) for one in names] for time in times]

    a, w, out = np.array(port("a", 6)), np.array(port("w", 6)), np.array(port("out", 14))
    load = [dump.at("array.load", cycle * PERIOD + 1) for cycle in range(cycles)]
    weights = w[np.flatnonzero(load)][::-1]
    begin, rows = load.index(1) + n, 2 * n
    x = np.array([[a[begin + t + k, k] for k in range(n)] for t in range(rows)])
    sums = [[out[begin + n + t + c, c] for c in range(n)] for t in range(rows)]
    assert np.array_equal(sums, x @ weights)
    assert np.abs(x @ weights).max() > 100, "not all zeros"
    told = figures(place)
    assert (told["sums_checked"], told["sums_wrong"]) == (rows * n, 0)
    assert told["register_bits"] == n * n * (6 + 6 + 14)
    assert told["cycles"] == cycles
    files = to_verilog(simplify(systolic(n, 6, 14).ir)).files
    assert {p.name: p.read_text() for p in (place / "verilog").iterdir()} == dict(files)


def test_the_page_says_when_the_product_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = "parameters = { n = 2 }"
    summary = read_section(made(tmp_path, keys)).summary
    assert "all 8 sums of a 4 x 2 by 2 x 2 product equal NumPy's." in summary
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    true = sums_of

    def lying(run: Any, out: Any) -> Any:
        sums = true(run, out)
        sums[0, 1] += 1
        return sums

    monkeypatch.setattr("zhufeng.hdl.designs._systolic.sums_of", lying)
    place = made(wrong, keys)
    assert figures(place)["sums_wrong"] == 1
    assert "1 of the 8 sums" in read_section(place).summary
    assert "differ from NumPy's." in read_section(place).summary


def test_narrow_sums_wrap_and_are_so_checked(tmp_path: Path) -> None:
    place = made(tmp_path, "parameters = { n = 4, acc_bits = 9 }")
    assert figures(place)["sums_wrong"] == 0


def test_the_same_seed_gives_the_same_bytes_and_another_other_numbers(tmp_path: Path) -> None:
    places = []
    for number, seed in enumerate((5, 5, 6)):
        folder = tmp_path / str(number)
        folder.mkdir()
        places.append(made(folder, "parameters = { n = 2 }", seed))
    first, again, other = (
        {name: (place / name).read_bytes() for name in files_below(place)} for place in places
    )
    assert first == again
    assert first["wave.vcd"] != other["wave.vcd"]
    assert first["verilog/pe.sv"] == other["verilog/pe.sv"]


def blocks(section: Section, kind: type) -> list[Any]:
    return [block for block in section.blocks if isinstance(block, kind)]


def test_the_section_shows_the_array_its_waves_and_its_verilog(tmp_path: Path) -> None:
    place = made(tmp_path)
    section = read_section(place)
    array, waves = blocks(section, Plot)
    assert "8 by 8" in array.alt
    assert ">pes[0][0].w_reg<" in waves.svg
    python, verilog = blocks(section, Code)
    assert "def pe(s: Pe, a: Signal" in python.text
    assert verilog.text == (place / "verilog" / "pe.sv").read_text()
    (table,) = blocks(section, Table)
    assert [row[:3] for row in table.rows] == [("array", 1, 0), ("pe", 64, 40)]
    assert blocks(section, Figures)[0].figures["register bits"] == "2,560"


def test_a_function_of_ones_own_with_parameters_and_claims(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CODE)
    keys = 'function = "mine:counter"\ncode = "mine.py"\ncycles = 30\n'
    place = made(tmp_path, keys + "parameters = { bits = 8 }")
    assert figures(place) == {
        "claims_failed": 0,
        "cycles": 30,
        "ir_values": figures(place)["ir_values"],
        "memory_bits": 0,
        "register_bits": 8,
    }
    section = read_section(place)
    assert section.summary.startswith("count, described once as a Python function")
    assert section.summary.endswith("every claim that it makes held.")
    dump = Dump(place / "wave.vcd")
    on = [dump.at("count.on", cycle * PERIOD + 1) for cycle in range(30)]
    n = [dump.at("count.out", cycle * PERIOD + 1) for cycle in range(30)]
    assert 5 < sum(on) < 25
    assert n[2:] == [sum(on[2:cycle]) for cycle in range(2, 30)], "counted from reset on"
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.py").write_text(CODE)
    keys += "parameters = { bits = 8, stop = 4 }"
    section = read_section(made(other, keys))
    assert "its claims failed" in section.summary
    failed = blocks(section, Table)[0]
    assert failed.rows[0][1:] == ("assert", "it stops in time", "count", "mine.py:10")
    first = int(failed.rows[0][0])
    assert n[first] == 4, "the first cycle that breaks it"
    list(new_run(other / "run", read_recipe(other / "recipe.toml", {"seed": "6"})).walk())
    dump = Dump(other / "run" / "hdl" / "wave.vcd")
    assert on != [dump.at("count.on", cycle * PERIOD + 1) for cycle in range(30)], "another seed"


def test_a_design_without_state_has_no_clock(tmp_path: Path) -> None:
    (tmp_path / "gates.py").write_text(
        "from zhufeng.hdl import Bool, Signal, function\n\n"
        "@function(a=Bool, b=Bool)\ndef nand(a, b):\n    return ~(a & b)\n"
    )
    place = made(tmp_path, 'function = "nand"\ncode = "gates.py"\ncycles = 9')
    dump = Dump(place / "wave.vcd")
    assert dump.widths.keys() == {"nand.a", "nand.b", "nand.out"}
    for cycle in range(9):
        a, b, out = (dump.at(f"nand.{name}", cycle * PERIOD + 1) for name in ("a", "b", "out"))
        assert out == 1 - (a & b)
    assert not blocks(read_section(place), Text)


ARRAY = """
module turns {
  input x : u3[5,2]
  reg held : u3[5,2] = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1] <- %x
  %x = input["x"] : u3[5,2]
  %held = register["held"] : u3[5,2]
  output out = %held
}
"""
COUNTED = [designs.systolic(3), designs.elastic(4), designs.enabled(), ir.parse_ir(ARRAY)]


@pytest.mark.parametrize("module", COUNTED, ids=lambda module: module.name)
def test_the_register_bits_are_those_that_yosys_finds(module: ir.Module, tmp_path: Path) -> None:
    libyosys = pytest.importorskip("pyosys.libyosys")
    design = libyosys.Design()
    made = to_verilog(module)
    for name, text in made.files.items():
        (tmp_path / name).write_text(text)
        libyosys.run_pass(f"read_verilog -sv {tmp_path / name}", design)
    libyosys.run_pass(f"hierarchy -top {made.top}; proc; flatten; simplemap", design)
    libyosys.run_pass(f"tee -q -o {tmp_path / 'stat.json'} stat -json", design)
    cells = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    flops = sum(count for name, count in cells.items() if "DFF" in name)
    assert flops == sum(part.copies * part.register_bits for part in census(module))


def test_copies_and_memory_bits_are_counted_through_the_hierarchy() -> None:
    parts = {part.name: part for part in census(designs.elastic(4))}
    assert {name: part.copies for name, part in parts.items()} == {"row": 1, "stage": 4}
    (ram,) = census(designs.ram())
    assert ram.memory_bits == 6 * 16
    fold = {part.name: part.copies for part in census(designs.crc32())}
    assert fold == {"crc": 1, "step": 8}, "a link for each bit of a byte"
