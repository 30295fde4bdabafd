"""Rows of stimuli against columns: each pair as the module simulated alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from zhufeng.base import InputError
from zhufeng.hdl import (
    Bits,
    Bool,
    Module,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    as_bits,
    cat,
    instance,
    leading_zeros,
    module,
    mux,
    of,
    reg,
    saturate,
    stack,
    switch,
    total,
    unpack,
    vmap,
    wrap,
)
from zhufeng.hdl.compile import compile_grid
from zhufeng.hdl.compile._grid_code import GridCode
from zhufeng.hdl.compile._lower import lowered
from zhufeng.hdl.compile._operations import has_feature
from zhufeng.hdl.interpret import anything, interpret
from zhufeng.hdl.ir import Module as Ir

Array = npt.NDArray[Any]


def dot(bits: int, count: int, sum_bits: int = 32) -> Module[Any, ..., Signal]:
    """Adds up the products of arrays."""

    class Sum(State):
        sum: Signal = reg(SInt(sum_bits), reset=7)

    kind = SInt(bits).array(count)

    @module(Sum, a=kind, b=kind)
    def dot(s: Sum, a: Signal, b: Signal) -> tuple[Sum, Signal]:
        return Sum(sum=wrap(s.sum + total(a * b), sum_bits)), s.sum

    return dot


class Mixed(State):
    """Registers of many kinds."""

    high: Signal = reg(UInt(9), reset=3)
    some: Signal = reg(Bool, reset=1)
    both: Signal = reg(SInt(13).array(2), reset=[-4, 5])
    wide: Signal = reg(Bits(40), reset=1 << 39)


class MixedOut(Struct):
    """Outputs of many kinds."""

    high: Signal = of(UInt(9))
    some: Signal = of(Bool)
    both: Signal = of(SInt(13).array(2))
    wide: Signal = of(Bits(40))
    flat: Signal = of(Bits(3))


@module(Mixed, a=UInt(5).array(3), on=Bool, b=SInt(7), key=Bits(2), more=Bits(12))
def mixed(  # noqa: PLR0917
    s: Mixed, a: Signal, on: Signal, b: Signal, key: Signal, more: Signal
) -> tuple[Mixed, MixedOut]:
    """Everything that is computed element by element."""
    row = total(a) + leading_zeros(a[1])
    parts = unpack(UInt(4).array(3), more)
    column = switch(key, {0: wrap(b, 12), 2: wrap(-b, 12)}, wrap(total(parts), SInt(12)))
    each = vmap(lambda x, y: saturate(x + y * row, SInt(13)), in_axes=(0, None))(s.both, column)
    after = Mixed(
        high=mux(on, wrap(s.high + row, 9), s.high >> wrap(key[0] ^ on, UInt(1))),
        some=(b < s.both[0]) ^ (a[0] == a[2]),
        both=mux(s.some, each, stack(s.both[1], s.both[0])),
        wide=wrap(cat(s.wide, as_bits(column)), 40) ^ wrap(s.wide >> wrap(row, UInt(7)), 40),
    )
    return after, MixedOut(s.high, s.some, s.both, s.wide, s.wide[2:5])


def drawn(
    design: Ir, sizes: Mapping[str, tuple[int, ...]], cycles: int, seed: int
) -> dict[str, Any]:
    """Inputs [..., rows or columns, cycles, ...]."""
    draw = np.random.default_rng(seed)
    return {
        port: anything(form, (*sizes[port], cycles, *form.shape), draw)
        for port, form in design.inputs.items()
    }


def alone(design: Ir, rows: set[str], given: dict[str, Array]) -> dict[str, Array]:
    """What the interpreter gives for each pair after all cycles: [rows, columns, ...]."""
    m = next(len(given[port]) for port in rows)
    n = next(len(one) for port, one in given.items() if port not in rows)
    pairs = {}
    for port, one in given.items():
        spread = one[:, None] if port in rows else one[None]
        whole = np.broadcast_to(spread, (m, n, *one.shape[1:])).reshape(m * n, *one.shape[1:])
        cycles = np.moveaxis(whole, 1, 0)
        # The outputs of the cycle after the last one show what all of them have given.
        pairs[port] = np.concatenate([cycles, cycles[:1]])
    run = interpret(design, pairs)
    return {port: one[-1].reshape(m, n, *one.shape[2:]) for port, one in run.outputs.items()}


@pytest.mark.parametrize("cycles", [1, 2, 7])
@pytest.mark.parametrize("columns", [1, 15, 16, 33])
def test_every_pair_is_as_the_module_alone(cycles: int, columns: int) -> None:
    rows = {"a", "on"}
    sizes = {port: (5,) if port in rows else (columns,) for port in mixed.ir.inputs}
    given = drawn(mixed.ir, sizes, cycles, seed=cycles)
    grid = compile_grid(mixed.ir, ["a", "on"], ["b", "key", "more"])
    found, right = grid(**given), alone(mixed.ir, rows, given)
    assert found.keys() == right.keys()
    for port, values in right.items():
        assert found[port].shape == values.shape
        assert np.array_equal(found[port].astype(values.dtype), values), port
    assert found["some"].dtype == bool


@pytest.mark.parametrize("bits", [2, 4, 6, 7, 8, 11, 16])
@pytest.mark.parametrize("count", [2, 5, 16, 32])
def test_sums_of_products_of_any_width_are_exact(bits: int, count: int) -> None:
    unit = dot(bits, count, 48)
    given = drawn(unit.ir, {"a": (6,), "b": (37,)}, 5, seed=bits)
    for port in given:
        given[port][0] = -(2 ** (bits - 1))
        given[port][1] = 2 ** (bits - 1) - 1
    found = compile_grid(unit.ir, ["a"], ["b"])(**given)["out"]
    right = 7 + np.einsum("mtk,ntk->mn", given["a"].astype(int), given["b"].astype(int))
    assert np.array_equal(found, right)


def test_a_sum_that_wraps_on_the_way_wraps() -> None:
    class Sum(State):
        sum: Signal = reg(SInt(16), reset=0)

    @module(Sum, a=SInt(6).array(4), b=SInt(6).array(4))
    def wrapping(s: Sum, a: Signal, b: Signal) -> tuple[Sum, Signal]:
        parts = vmap(lambda x, y: wrap(x * y, 8))(a, b)
        return Sum(sum=wrap(s.sum + wrap(total(parts), 9), 16)), s.sum

    given = drawn(wrapping.ir, {"a": (9,), "b": (20,)}, 3, seed=1)
    found = compile_grid(wrapping.ir, ["a"], ["b"])(**given)["out"]
    assert np.array_equal(found, alone(wrapping.ir, {"a"}, given)["out"])


def test_batches_and_threads_change_nothing() -> None:
    unit = dot(6, 16)
    grid = compile_grid(unit.ir, ["a"], ["b"])
    given = drawn(unit.ir, {"a": (2, 3, 10), "b": (2, 3, 75)}, 4, seed=2)
    found = grid(**given)["out"]
    assert found.shape == (2, 3, 10, 75)
    for place in np.ndindex(2, 3):
        part = {port: one[place] for port, one in given.items()}
        assert np.array_equal(found[place], grid(**part)["out"])
    for threads in (2, 3, 64):
        assert np.array_equal(found, grid(**given, threads=threads)["out"])


def test_without_rows_columns_or_cycles_there_is_little_to_do() -> None:
    unit = dot(6, 4)
    grid = compile_grid(unit.ir, ["a"], ["b"])
    for rows, columns, cycles in ((0, 3, 2), (3, 0, 2), (3, 4, 0)):
        given = drawn(unit.ir, {"a": (rows,), "b": (columns,)}, cycles, seed=3)
        found = grid(**given)["out"]
        assert found.shape == (rows, columns)
        assert (found == 7).all()


def test_a_module_inside_another_one_is_taken_in() -> None:
    inner = dot(3, 2, 12)

    class Outer(State):
        part: State = instance(inner)
        last: Signal = reg(SInt(12), reset=0)

    @module(Outer, a=SInt(3).array(2), b=SInt(3).array(2))
    def outer(s: Outer, a: Signal, b: Signal) -> tuple[Outer, Signal]:
        part, out = inner(s.part, a, b)
        return Outer(part=part, last=out), s.last

    given = drawn(outer.ir, {"a": (4,), "b": (21,)}, 6, seed=5)
    found = compile_grid(outer.ir, ["a"], ["b"])(**given)["out"]
    assert np.array_equal(found, alone(outer.ir, {"a"}, given)["out"])


def test_products_of_bytes_are_multiplied_two_at_a_time() -> None:
    if not has_feature("avx2"):
        pytest.skip("no AVX2")
    sides: dict[str, Any] = {"a": "row", "b": "column"}
    for bits, name in ((6, "pmadd"), (8, "pmadd"), (16, "")):
        text = GridCode(lowered(dot(bits, 16).ir).module, sides, 16).written()
        assert ("pmadd" in text) == bool(name), bits


def test_a_module_that_is_not_for_rows_and_columns_is_refused() -> None:
    class Held(State):
        sum: Signal = reg(UInt(8), reset=None)

    @module(Held, a=UInt(8), b=UInt(8))
    def free(s: Held, a: Signal, b: Signal) -> tuple[Held, Signal]:
        return Held(sum=a ^ b), s.sum

    with pytest.raises(InputError, match="register sum without a reset"):
        compile_grid(free.ir, ["a"], ["b"])
    with pytest.raises(InputError, match="each of a, b on one side"):
        compile_grid(dot(4, 2).ir, ["a"], ["a"])
    grid = compile_grid(dot(4, 2).ir, ["a"], ["b"])
    good = drawn(dot(4, 2).ir, {"a": (3,), "b": (4,)}, 5, seed=4)
    with pytest.raises(InputError, match=r"integers that fit"):
        grid(a=good["a"] + 8, b=good["b"])
    with pytest.raises(InputError, match=r"one number of rows"):
        grid(a=good["a"][:, :3], b=good["b"])
    with pytest.raises(InputError, match=r"rows or columns, cycles"):
        grid(a=good["a"][0], b=good["b"])
    with pytest.raises(InputError, match=r"an array for each"):
        grid(a=good["a"])
