"""Tests as coroutines: when what is set is seen, and what is seen when."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.hdl import designs
from tests.hdl.verify_designs import Count, assuming, fifo
from zhufeng.base import InputError
from zhufeng.hdl import Bool, Signal, module, mux, wrap
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.verify import Dut, coroutine_test

QUEUE = fifo(4).ir


@module(Count, on=Bool)
def counter(s: Count, on: Signal) -> tuple[Count, Signal]:
    """Counts while it is on; its output is wired through."""
    return Count(n=mux(on, wrap(s.n + 1, 4), s.n)), on


@coroutine_test(QUEUE)
async def test_what_is_pushed_comes_out(dut: Dut) -> None:
    dut.push.value, dut.data.value = 1, 7
    await dut.clock
    dut.push.value = 0
    await dut.settled
    assert (dut.valid.value, dut.first.value) == (1, 7)
    dut_cycle = dut.cycle
    assert dut_cycle == 1


@coroutine_test(counter.ir, record=["n"])
async def test_an_edge_shows_what_was_there_before_it(dut: Dut) -> None:
    dut.on.value = 1
    await dut.settled
    assert (dut.out.value, dut["n"].value) == (1, 0), "wired through in the same cycle"
    await dut.clock
    dut.on.value = 0
    assert (dut.out.value, dut.on.value, dut["n"].value) == (1, 1, 0), "as the edge has seen it"
    await dut.settled
    assert (dut.out.value, dut.on.value, dut["n"].value) == (0, 0, 1)


@coroutine_test(counter.ir, record=["n"])
async def test_a_reset_is_held_for_cycles(dut: Dut) -> None:
    dut.on.value = 1
    await dut.clock.cycles(5)
    assert dut["n"].value == 4
    await dut.reset(2)
    await dut.settled
    assert (dut.cycle, dut["n"].value) == (7, 0)


@coroutine_test(QUEUE)
async def test_coroutines_that_are_started_agree_whatever_their_order(dut: Dut) -> None:
    """A driver, a reader and a watcher, each of which sees what the edge has seen."""
    draw = np.random.default_rng(0)
    sent: list[int] = draw.integers(0, 256, 60).tolist()
    came: list[int] = []

    async def drive() -> str:
        for one in sent:
            dut.push.value, dut.data.value = 1, one
            await dut.clock
            while not dut.ready.value:
                await dut.clock
            dut.push.value = 0
            await dut.clock.cycles(int(draw.integers(3)))
        return "all sent"

    async def read() -> None:
        while True:
            dut.pop.value = int(draw.integers(2))
            await dut.clock

    async def watch() -> None:
        while len(came) < len(sent):
            await dut.clock
            if dut.pop.value and dut.valid.value:
                came.append(dut.first.value)

    watching, driving = dut.start_soon(watch()), dut.start_soon(drive())
    dut.start_soon(read())
    assert await driving == "all sent"
    await watching
    assert came == sent


def test_every_cycle_is_that_of_the_interpreter() -> None:
    whole = designs.elastic(3)
    draw = np.random.default_rng(5)
    given = {p: draw.integers(0, f.high + 1, (80, 1)) for p, f in whole.inputs.items()}
    expected = interpret(whole, given).outputs
    seen: dict[str, list[int]] = {port: [] for port in whole.outputs}

    @coroutine_test(whole)
    async def run(dut: Dut) -> None:
        for cycle in range(80):
            for port, values in given.items():
                dut[port].value = int(values[cycle, 0])
            await dut.settled
            for port in whole.outputs:
                name = f"{port}_out" if port in whole.inputs else port
                seen[port].append(dut[name].value)
            await dut.clock

    run()
    assert seen == {port: values[:, 0].tolist() for port, values in expected.items()}


def test_it_is_a_test_of_pytest_without_arguments() -> None:
    assert not inspect.signature(test_what_is_pushed_comes_out).parameters
    assert test_what_is_pushed_comes_out.__name__ == "test_what_is_pushed_comes_out"
    assert not inspect.iscoroutinefunction(test_what_is_pushed_comes_out)


Failing = Callable[[Dut], Any]


async def breaks_an_assertion(dut: Dut) -> None:
    dut.push.value = 1
    await dut.clock.cycles(9)


async def fails_beside(dut: Dut) -> None:
    async def beside() -> None:
        await dut.clock
        assert dut.valid.value, "nothing there"

    dut.start_soon(beside())
    await dut.clock.cycles(9)


async def never_ends(dut: Dut) -> None:
    while True:
        await dut.clock


@pytest.mark.parametrize(
    ("test", "told"),
    [
        (breaks_an_assertion, r"assert in cycle 5: fifo: it holds no more .*verify_designs.py:\d+"),
        (fails_beside, "nothing there"),
        (never_ends, "has not ended after 50 cycles"),
    ],
)
def test_what_fails_fails_the_test(test: Failing, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        coroutine_test(fifo(4, late=1).ir, cycles=50)(test)()


def test_a_broken_assumption_fails_the_test() -> None:
    @coroutine_test(assuming.ir)
    async def large(dut: Dut) -> None:
        dut.step.value = 9
        await dut.clock

    with pytest.raises(AssertionError, match="assume in cycle 0: assuming: small steps"):
        large()


def test_arrays_go_in_and_out() -> None:
    whole = designs.systolic(2)

    @coroutine_test(whole)
    async def run(dut: Dut) -> None:
        name = next(port for port, form in whole.inputs.items() if form.shape)
        dut[name].value = np.full(whole.inputs[name].shape, 3)
        await dut.settled
        assert np.array_equal(dut[name].value, np.full(whole.inputs[name].shape, 3))
        for port, value in whole.outputs.items():
            assert np.shape(dut[port].value) == whole.form(value).shape

    run()


def test_nothing_is_read_before_anything_has_settled() -> None:
    @coroutine_test(QUEUE)
    async def early(dut: Dut) -> None:
        assert dut.valid.value == 0

    with pytest.raises(InputError, match="a cycle that has settled"):
        early()
