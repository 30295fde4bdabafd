"""Compiled code against the interpreter: everything equal, also what nothing has set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.hdl.agreement import RESET
from tests.hdl.kept import kept
from tests.hdl.programs import Program, program, stimulus
from zhufeng.hdl import Signal, UInt, assert_, const, fold, function, vmap, wrap
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.interpret import Failure, interpret


def differences(one: Program, lanes: int) -> list[str]:
    """Where compiled code gives something else than the interpreter."""
    given = [stimulus(Program(one.module, one.seed + lane), len(RESET)) for lane in range(lanes)]
    inputs = {port: np.stack([each[port] for each in given], 1) for port in given[0]}
    record = [name for name, let in one.module.lets.items() if let.op == "register"][:2]
    cycles = None if inputs else len(RESET)
    here = compiled(one.module, lanes, record=record).run(
        inputs, cycles, reset=RESET, seed=one.seed
    )
    there = interpret(one.module, inputs, cycles=cycles, reset=RESET, seed=one.seed, record=record)
    told = [
        name
        for known, found in ((there.outputs, here.outputs), (there.recorded, here.recorded))
        for name, values in known.items()
        if not np.array_equal(values, found[name])
    ]
    told += [] if _first(there.failures) == _first(here.failures) else ["failures"]
    # What is in the code and never true is told here, too.
    covered = {text: count for text, count in here.covered.items() if text in there.covered}
    return told + ([] if covered == there.covered else ["covered"])


def _first(failures: Sequence[Failure]) -> dict[Failure, int]:
    """The first cycle of each; two claims may have one text and stand in one line."""
    found: dict[Failure, int] = {}
    for one in sorted(failures, key=lambda each: each.cycle):
        found.setdefault(replace(one, cycle=0), one.cycle)
    return found


@pytest.mark.parametrize(("lanes", "seeds"), [(1, range(78)), (8, range(18)), (32, range(4))])
def test_programs_do_the_same_in_compiled_code(lanes: int, seeds: range) -> None:
    told = {f"seed {seed}": differences(program(seed), lanes) for seed in seeds}
    told |= {name: differences(one, lanes) for name, one in kept().items()}
    assert not {name: one for name, one in told.items() if one}


@function(x=UInt(4).array(5))
def horner(x: Signal) -> Signal:
    last, _ = fold(lambda sum_, one: (wrap(sum_ * 3 + one, 12), None), const(UInt(12), 1), x)
    return last


@pytest.mark.parametrize("lanes", [1, 8])
def test_a_link_takes_what_the_one_before_it_gives(lanes: int) -> None:
    x = np.random.default_rng(0).integers(0, 16, (50, lanes, 5))
    found = compiled(horner.ir, lanes).run({"x": x}).outputs["out"]
    powers = 3 ** np.arange(4, -1, -1)
    assert np.array_equal(found, (x @ powers + 3**5) % 4096)


@function(x=UInt(2))
def claiming(x: Signal) -> Signal:
    assert_(x != 3, "no 3")
    return x


@function(x=UInt(2).array(4))
def four(x: Signal) -> Signal:
    return vmap(claiming)(x)


@pytest.mark.parametrize("lanes", [1, 8])
def test_a_claim_fails_where_it_does_for_one_of_an_array(lanes: int) -> None:
    x = np.random.default_rng(0).choice(4, (50, lanes, 4), p=[0.4, 0.3, 0.25, 0.05])
    first = {one.lane: one.cycle for one in compiled(four.ir, lanes).run({"x": x}).failures}
    bad = (x == 3).any(-1)
    assert first == {lane: int(bad[:, lane].argmax()) for lane in range(lanes)}


@pytest.mark.soak
@pytest.mark.parametrize("first", range(100, 10_100, 100))
def test_many_programs_do_the_same_in_compiled_code(first: int) -> None:
    """Each in one lane or in several; 32 of them take the interpreter long."""
    told = {}
    for seed in range(first, first + 100):
        told[seed] = differences(program(seed), (1, 8, 1, 8, 1, 8, 1, 8, 1, 32)[seed % 10])
    assert not {seed: one for seed, one in told.items() if one}
