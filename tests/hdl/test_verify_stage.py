"""The stage [verify] and the model beside the systolic array, judged from what they leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hdl import verify_designs
from zhufeng.base import files_below, generator
from zhufeng.hdl.compile import harness
from zhufeng.hdl.examples import products, systolic
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.ir import parse_ir, print_ir
from zhufeng.report import Figures, Plot, Section, Table, Text, read_section
from zhufeng.route import new_run, read_recipe

BROKEN = Path(verify_designs.__file__).read_text() + "\n\nbroken = fifo(2, late=1)\n"


def made(folder: Path, keys: str) -> Path:
    folder.mkdir(exist_ok=True)
    recipe = folder / "recipe.toml"
    recipe.write_text(f'name = "t"\nseed = 5\n[verify]\n{keys}\n')
    run = new_run(folder / "run", read_recipe(recipe))
    list(run.walk())
    return run.place("verify")


def blocks(section: Section, kind: type) -> list[Any]:
    return [block for block in section.blocks if isinstance(block, kind)]


def test_the_array_holds_beside_its_model(tmp_path: Path) -> None:
    keys = "parameters = { n = 2, bits = 4, acc_bits = 9 }\nlanes = 32\ncycles = 120\n"
    place = made(tmp_path / "one", keys)
    told = json.loads((place / "manifest.json").read_text())["figures"]
    assert told["lane_cycles"] == 2 * 32 * 120
    assert (told["assertions"], told["assertions_failed"]) == (1, 0)
    registers, ports = 4 * (4 + 4 + 9), 2 * 4 + 2 * 4 + 1 + 2 * 9
    assert told["bits"] == registers + ports == told["bits_toggled"]
    section = read_section(place)
    assert "every assertion held, of 1" in section.summary
    assert len(blocks(section, Table)) == 3
    again = made(tmp_path / "two", keys)
    first, second = ({n: (p / n).read_bytes() for n in files_below(p)} for p in (place, again))
    assert first == second


def test_a_broken_queue_is_shown_with_its_least_sequence(tmp_path: Path) -> None:
    tmp_path.joinpath("mine.py").write_text(BROKEN)
    place = made(tmp_path, 'function = "broken"\ncode = "mine.py"\nlanes = 16\ncycles = 60')
    section = read_section(place)
    assert "assertions that failed: 1 of 1" in section.summary
    assert "cells" in blocks(section, Text)[0].text
    (waves,) = blocks(section, Plot)
    assert ">push<" in waves.svg
    assert blocks(section, Figures)[0].figures["assertions that held"] == "0 of 1"
    assert {"failure-1.npz", "failure-1.vcd", "coverage.json"} <= set(files_below(place))


@pytest.mark.parametrize(("n", "bits", "acc_bits"), [(1, 4, 8), (3, 5, 9), (4, 8, 24)])
def test_the_model_follows_the_array_and_nothing_else(n: int, bits: int, acc_bits: int) -> None:
    array, right = systolic(n, bits, acc_bits).ir, products(n, bits, acc_bits).ir
    draw, low, high = generator(1, n), -(1 << bits >> 1), 1 << bits >> 1
    inputs = {port: draw.integers(low, high, (60, 8, n)) for port in "aw"}
    inputs["load"] = draw.integers(0, 2, (60, 8))
    assert not interpret(harness(array, None, right), inputs).failures
    text = print_ir(array)
    for old, new in (
        ("mul(%a, %w_reg)", "mul(%w, %w_reg)"),
        ("mux(%load, %w, %w_reg)", "mux(%load, %w_reg, %w)"),
        ("add(%p, %product)", "sub(%p, %product)"),
    ):
        assert text.count(old) == 1
        wrong = harness(parse_ir(text.replace(old, new)), None, right)
        assert interpret(wrong, inputs).failures, new
