"""What designs compute, against what they are known to compute."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.hdl import designs
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import interpret

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAW = np.random.default_rng(2026)


def lanes(**inputs: Any) -> dict[str, NDArray[Any]]:
    """One lane of inputs, [cycles, ...]."""
    return {port: np.asarray(values)[:, None] for port, values in inputs.items()}


def test_a_systolic_array_multiplies_matrices() -> None:
    n, rows = 4, 9
    weights, x = DRAW.integers(-128, 128, (n, n)), DRAW.integers(-128, 128, (rows, n))
    a, w = np.zeros((2, 30, n), np.int64)
    load = np.zeros(30, np.int64)
    w[:n], load[:n] = weights[::-1], 1
    for t in range(rows):
        for k in range(n):
            a[n + t + k, k] = x[t, k]
    run = interpret(designs.systolic(n), lanes(a=a, w=w, load=load))
    sums = run.outputs["out"][:, 0]
    found = [[sums[2 * n + t + column, column] for column in range(n)] for t in range(rows)]
    assert np.array_equal(found, x @ weights)


def test_a_fold_is_the_crc_of_zlib() -> None:
    data = DRAW.integers(0, 256, (50, 3))
    valid = DRAW.integers(0, 2, (50, 3))
    run = interpret(designs.crc32(), {"data": data, "valid": valid})
    for lane in range(3):
        for cycle in range(50):
            taken = bytes(data[:cycle, lane][valid[:cycle, lane] == 1].tolist())
            assert run.outputs["out"][cycle, lane] == zlib.crc32(taken)


def test_a_memory_reads_what_stood_at_the_start_of_the_cycle() -> None:
    cycles = 300
    stimulus = {
        "at": DRAW.integers(0, 8, cycles),
        "to": DRAW.integers(0, 8, cycles),
        "x": DRAW.integers(0, 1 << 16, cycles),
        "y": DRAW.integers(0, 1 << 16, cycles),
        "mask": DRAW.integers(0, 4, cycles),
        "on": DRAW.integers(0, 2, cycles),
    }
    run = interpret(designs.ram(), lanes(**stimulus))
    cells, before, known = list(range(10, 16)), 0, False
    for cycle in range(cycles):
        at, to, x, y, mask, on = (int(values[cycle]) for values in stimulus.values())
        if known:
            assert run.outputs["before"][cycle, 0] == before
        assert run.outputs["now"][cycle, 0] == (cells[to] if to < 6 else 0)
        if on:
            before, known = (cells[at] if at < 6 else 0), True
        where, value, bits = (to, x, mask) if on else (at, y, 3 - mask)
        if where < 6:
            keep = 0xFFFF ^ (0xFF * (bits & 1)) ^ (0xFF00 * (bits >> 1))
            cells[where] = cells[where] & keep | value & ~keep


def test_an_elastic_row_loses_nothing_and_keeps_the_order() -> None:
    count, cycles = 4, 400
    valid, ready = DRAW.integers(0, 2, (2, cycles))
    data = DRAW.integers(0, 256, cycles)
    inputs = lanes(given_valid=valid, given_data=data, ready=ready)
    run = interpret(designs.elastic(count), inputs)
    taken = data[(valid == 1) & (run.outputs["ready"][:, 0] == 1)]
    given = run.outputs["out_data"][(run.outputs["out_valid"][:, 0] == 1) & (ready == 1), 0]
    assert len(taken) - count <= len(given) <= len(taken)
    assert len(given) > 100
    assert np.array_equal(given, (taken[: len(given)] + count) % 256)


def test_what_is_not_enabled_stands_still() -> None:
    run = interpret(designs.enabled(), {}, cycles=20)
    assert run.outputs["out"][:, 0].tolist() == [(3 + cycle // 3) % 16 for cycle in range(20)]


def test_reset_goes_before_enable_and_what_was_there_before_it_is_anything() -> None:
    reset = [0, 1, *[0] * 10]
    seeds = [interpret(designs.enabled(), {}, cycles=12, reset=reset, seed=n) for n in range(8)]
    runs = [run.outputs["out"][:, 0].tolist() for run in seeds]
    assert len({run[0] for run in runs}) > 1
    assert {tuple(run[2:]) for run in runs} == {(3, 3, 3, 4, 4, 4, 5, 5, 5, 6)}


def test_registers_side_by_side_may_start_alike() -> None:
    """As random programs need it: drawn one by one, 24 would be all 1 in one lane of a million."""
    module = ir.parse_ir("""module row {
  input x : u1
  reg r : u1[24] <- %r
  %x = input["x"] : u1
  %r = register["r"] : u1[24]
  output out = %r
}""")
    starts = interpret(module, {"x": np.zeros((1, 256), int)}, reset=[0]).outputs["out"][0]
    ones = starts.sum(axis=1)
    assert 0 in ones
    assert 24 in ones
    assert len(set(ones)) > 5


def test_the_ports_of_the_row_are_told_apart() -> None:
    reaches = ir.port_graph(designs.elastic(4))
    assert reaches == {
        "ready": frozenset({"ready"}),
        "out_valid": frozenset(),
        "out_data": frozenset(),
    }


def test_text_reads_back() -> None:
    made = (
        designs.systolic(3),
        designs.crc32(),
        designs.ram(),
        designs.elastic(4),
        designs.enabled(),
        designs.pair().ir,
    )
    for one in made:
        text = ir.print_ir(one)
        again = ir.parse_ir(text)
        ir.check(again)
        assert ir.print_ir(again) == text


def test_the_ir_does_not_grow_with_the_array() -> None:
    small, large = (ir.print_ir(designs.systolic(n)).count("\n") for n in (2, 64))
    assert small == large
