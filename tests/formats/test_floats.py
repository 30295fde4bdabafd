"""Floating point in the interpreter and in Verilog, and on many more numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.formats.floats_cases import FORMATS, SMALL, corners, every, two_to_try
from tests.formats.floats_compiled import (
    assert_equal,
    check_arithmetic,
    check_fused,
    compiled,
    fused_of,
)
from tests.formats.floats_oracle import Bits, fused, nearest, values
from zhufeng.formats.floats import (
    E4M3,
    E5M2,
    FP16,
    FP32,
    FloatFormat,
    add,
    compare,
    convert,
    fma,
    from_int,
    maximum,
    minimum,
    multiply,
    subtract,
    to_int,
)
from zhufeng.hdl import Function, SInt
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.oracle import Case, has_verilator, lint, verilator
from zhufeng.hdl.passes import simplify
from zhufeng.hdl.verilog import WAIVERS, to_verilog

needs_verilator = pytest.mark.skipif(not has_verilator(), reason="needs Verilator")
INT = SInt(32)
FEW: dict[str, Callable[[], Function[..., Any]]] = {
    "fp32_add": lambda: add(FP32),
    "e4m3_fma": lambda: fma(E4M3),
    "fp32_to_e4m3": lambda: convert(FP32, E4M3),
    "fp32_to_fp16_saturated": lambda: convert(FP32, FP16, saturate=True),
    "int32_to_fp32": lambda: from_int(INT, FP32),
}


def everything() -> dict[str, Function[..., Any]]:
    """Every function of fp32 and e4m3, and every conversion."""
    made = (add, subtract, multiply, fma, compare, minimum, maximum)
    found: list[Function[..., Any]] = [convert(a, b) for a in FORMATS for b in FORMATS]
    found += [convert(FP32, to, saturate=True) for to in FORMATS]
    for fmt in (FP32, E4M3):
        found += [*(one(fmt) for one in made), to_int(fmt, INT), from_int(INT, fmt)]
    return {one.name: one for one in found}


def samples(made: Function[..., Any], count: int) -> dict[str, Bits]:
    """Corners of a format that is as wide as a port."""
    draw = np.random.default_rng(29)
    widths = {fmt.bits: fmt for fmt in FORMATS}
    ports = made.ir.inputs
    found = {port: corners(widths[form.width], count, draw) for port, form in ports.items()}
    return {
        port: bits.view(np.int32) if ports[port].signed else bits for port, bits in found.items()
    }


@pytest.mark.parametrize("name", FEW)
def test_the_interpreter_gives_what_the_compiled_function_gives(name: str) -> None:
    made = FEW[name]()
    given = samples(made, 100)
    run = interpret(made.ir, {port: values[None] for port, values in given.items()})
    assert_equal(run.outputs["out"][0], compiled(made)(**given)["out"], **given)


@pytest.mark.parametrize("name", FEW)
def test_verilog_has_a_module_under_the_name_of_the_function(name: str) -> None:
    text = to_verilog(simplify(FEW[name]().ir))
    assert text.top == name
    assert f"module {name} (" in text.files[f"{name}.sv"]


@pytest.mark.soak
@needs_verilator
def test_verilator_gives_what_the_compiled_functions_give() -> None:
    count = 2_000
    made = list(everything().values())
    given = [samples(one, count) for one in made]
    cases = [Case(simplify(one.ir), ports) for one, ports in zip(made, given, strict=True)]
    for one, ports, outputs in zip(made, given, verilator(cases, [0] * count), strict=True):
        for port, right in compiled(one)(**ports).items():
            assert_equal(outputs[port], right, **ports)


@pytest.mark.soak
@needs_verilator
def test_verilator_has_nothing_to_say_of_the_verilog() -> None:
    for name, made in everything().items():
        lines = lint(simplify(made.ir))
        kinds = {line.partition(":")[0].removeprefix("%Warning-") for line in lines}
        assert kinds <= WAIVERS.keys(), name


@pytest.mark.soak
@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_all_operations_on_millions_of_numbers(fmt: FloatFormat) -> None:
    if fmt not in SMALL:
        check_arithmetic(fmt, 1 << 22)
    for seed in range(4):
        check_fused(fmt, 1 << 21, seed)


@pytest.mark.soak
@pytest.mark.parametrize("fmt", [E5M2, E4M3], ids=lambda fmt: fmt.name)
def test_a_fused_multiply_add_of_all_triples(fmt: FloatFormat) -> None:
    a, b = two_to_try(fmt, 0)
    for bits in every(fmt):
        c = np.full_like(a, bits)
        right = nearest(fmt, fused(values(fmt, a), values(fmt, b), values(fmt, c)))
        assert_equal(fused_of(fmt)(a=a, b=b, c=c)["out"], right, a=a, b=b, c=c)
