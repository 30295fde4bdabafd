"""Arrays that run many cycles a few elements at a time, against the interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from tests.hdl.arrays import array_program
from zhufeng.hdl import Signal, SInt, State, const, module, reg, shift_in, wrap
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.interpret import interpret

CYCLES = 101
RESET = [1] * 2 + [0] * 41 + [1] + [0] * 57
"""It begins and ends within the cycles that are run at a time."""


def differences(seed: int) -> list[str]:
    """Where compiled code gives something else than the interpreter."""
    design, lanes = array_program(seed).ir, (8, 16, 32)[seed % 3]
    draw = np.random.default_rng(seed)
    inputs = {
        port: draw.integers(form.low, form.high + 1, (CYCLES, lanes, *form.shape))
        for port, form in design.inputs.items()
    }
    reset = None if seed % 2 else RESET
    there = interpret(design, inputs, reset=reset, seed=seed)
    simulator = compiled(design, lanes)
    here = simulator.run(inputs, reset=reset, seed=seed)
    told = [f"{port}" for port, one in there.outputs.items() if (one != here.outputs[port]).any()]
    if reset is None:
        # In two parts, the first of an odd number of cycles; and from there with other lanes.
        first = simulator.run({port: one[:41] for port, one in inputs.items()}, seed=seed)
        rest = {port: one[41:] for port, one in inputs.items()}
        for other in (simulator, compiled(design, 1)):
            then = other.run(rest, start=first.end)
            told += [
                f"{port} in two parts, with {other.lanes} lanes"
                for port, one in there.outputs.items()
                if (np.concatenate([first.outputs[port], then.outputs[port]]) != one).any()
            ]
    known = {(one.text, one.lane): one.cycle for one in reversed(there.failures)}
    if known != {(one.text, one.lane): one.cycle for one in here.failures}:
        told.append("failures")
    return told + ([] if dict(here.covered) == dict(there.covered) else ["covered"])


def test_arrays_do_the_same_in_compiled_code() -> None:
    # In 19, 50 and 83 something is only passed on: downwards, to the right, and read across too.
    told = {seed: differences(seed) for seed in (*range(13), 19, 50, 83)}
    assert not {seed: one for seed, one in told.items() if one}


class Products(State):
    a: Signal = reg(SInt(9).array(8, 8), reset=1)
    b: Signal = reg(SInt(9).array(8, 8), reset=1)
    sums: Signal = reg(SInt(32).array(8, 8), reset=0)


@module(Products, x=SInt(9).array(8))
def products_of_a_neighbour(s: Products, x: Signal) -> tuple[Products, Signal]:
    above = shift_in(const(SInt(18).array(8), 0), s.a * s.b)
    after = Products(a=shift_in(x, s.a), b=shift_in(x, s.b, axis=1), sums=wrap(s.sums + above, 32))
    return after, s.sums[-1]


def test_a_product_of_a_neighbour_is_no_register_of_one() -> None:
    given = {"x": np.random.default_rng(0).integers(-256, 256, (CYCLES, 8, 8))}
    there = interpret(products_of_a_neighbour.ir, given).outputs["out"]
    here = compiled(products_of_a_neighbour.ir, 8).run(given).outputs["out"]
    assert np.array_equal(there, here)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(16, 516, 50))
def test_many_arrays_do_the_same_in_compiled_code(first: int) -> None:
    told = {seed: differences(seed) for seed in range(first, first + 50)}
    assert not {seed: one for seed, one in told.items() if one}
