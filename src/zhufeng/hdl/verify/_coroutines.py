"""Tests as coroutines over one simulation, in the manner of cocotb (https://www.cocotb.org)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np

from zhufeng.base import InputError
from zhufeng.hdl.compile import Simulator, compile  # noqa: A004
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.ir import Module, need_module
from zhufeng.hdl.verilog._names import Names

Event = Literal["edge", "settled"]
Test = Callable[["Dut"], Coroutine[Any, Any, None]]
_CYCLES: Final = 100_000
_KEPT: Final = 16


def coroutine_test(
    design: Module, *, record: Sequence[str] = (), seed: int = 0, cycles: int = _CYCLES
) -> Callable[[Test], Callable[[], None]]:
    """Make a test of a coroutine that is given the design: a function of no arguments.

    >>> @coroutine_test(fifo.ir)
    ... async def test_what_is_pushed_comes_out(dut: Dut) -> None:
    ...     dut.push.value, dut.data.value = 1, 7
    ...     await dut.clock
    ...     dut.push.value = 0
    ...     await dut.settled
    ...     assert dut.data_out.value == 7

    An assertion or assumption of the design that fails raises AssertionError, as does an exception
    in any coroutine that was started.

    Args:
        design: of the IR.
        record: values inside it that ``dut["instance.value"]`` reads.
        seed: draws what nothing has set; registers start as after a reset.
        cycles: after so many the test has failed to end.

    Raises:
        InputError: there is no such value to record.
    """
    need_module(design)

    def decorate(test: Test) -> Callable[[], None]:
        def run() -> None:
            _Runner(Dut(_compiled(design, tuple(record)), seed), cycles).run(test)

        # pytest takes the coroutine's arguments for fixtures where it finds `__wrapped__`.
        run.__name__, run.__qualname__ = test.__name__, test.__qualname__
        run.__doc__, run.__module__ = test.__doc__, test.__module__
        return run

    return decorate


@lru_cache(_KEPT)
def _compiled(design: Module, record: tuple[str, ...]) -> Simulator:
    return compile(design, 1, record=record)


class Handle:
    """A port, or a value inside that is recorded."""

    def __init__(self, dut: Dut, name: str) -> None:
        self._dut = dut
        self._name = name

    @property
    def value(self) -> Any:
        """What it was at the last edge or, once the cycle has settled, what it is in this one.

        An integer, or an array. Of an input, what the design has seen of it.

        Raises:
            InputError: nothing has settled yet.
        """
        return self._dut.read(self._name)

    @value.setter
    def value(self, value: Values | int) -> None:
        """Set an input: the design sees it from now to the next edge, and on until it is set again.

        Raises:
            InputError: it is no input, the value does not fit, or the cycle has settled.
        """
        self._dut.write(self._name, value)


class Clock:
    """``await dut.clock``: go on just behind the next rising edge."""

    def __await__(self) -> Generator[Event]:
        """Wait for one edge."""
        yield "edge"

    async def cycles(self, count: int) -> None:
        """Wait for so many edges."""
        for _ in range(count):
            await self


class Settled:
    """``await dut.settled``: go on when all inputs of the cycle are set and all outputs follow."""

    def __await__(self) -> Generator[Event]:
        """Wait for it."""
        yield "settled"


class Task:
    """A coroutine that runs beside others; ``await task`` waits for its end."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine
        self.done = False
        self.result: Any = None
        self.waiting: list[Task] = []

    def __await__(self) -> Generator[Task, None, Any]:
        """Wait for its end; what it returned."""
        if not self.done:
            yield self
        return self.result


class Dut:
    """A design under test: its ports by name, its clock, and coroutines that are run beside.

    Where an input and an output have one name, the output is ``NAME_out``, as in Verilog.
    """

    def __init__(self, simulator: Simulator, seed: int = 0) -> None:
        self._module = simulator.module
        self._simulator = simulator  # it holds the code that the session runs
        self._session = simulator.session(seed=seed)
        self._ready = False
        self._locked = False
        self._seen: dict[str, Values | int] = {}
        self._given: dict[str, Values | int] = {}
        names = Names(self._module)
        # An input and an output may have one name: then the output is called as in Verilog.
        both = [port for port in self._module.outputs if port in self._module.inputs]
        self._called = {names.of("output", port): port for port in both}
        self._rst = 0
        self.clock = Clock()
        self.settled = Settled()
        self.tasks: deque[Task] = deque()
        """Those that are about to go on."""

    @property
    def cycle(self) -> int:
        """How many edges there were."""
        return self._session.cycle - self._locked

    def __getattr__(self, name: str) -> Handle:
        """A port."""
        if name.startswith("_"):
            raise AttributeError(name)
        return Handle(self, name)

    def __getitem__(self, name: str) -> Handle:
        """A port, whatever it is called, or a value that is recorded."""
        return Handle(self, name)

    def start_soon(self, coroutine: Coroutine[Any, Any, Any]) -> Task:
        """Have a coroutine run beside this one, from when this one waits."""
        task = Task(coroutine)
        self.tasks.append(task)
        return task

    async def reset(self, cycles: int = 1) -> None:
        """Hold `rst` for so many cycles."""
        self._rst = 1
        await self.clock.cycles(cycles)
        self._rst = 0

    def read(self, name: str) -> Any:
        """See `Handle.value`."""
        if not self._ready:
            raise InputError(
                f"the value of {name} of {self._module.name}",
                expected="a cycle that has settled",
                came="none yet",
                do="await dut.settled, or dut.clock, before anything is read",
            )
        if name in self._module.inputs:
            form = self._module.inputs[name]
            return self._seen.get(name, np.zeros(form.shape, np.int64) if form.shape else 0)
        found = self._session.get(self._called.get(name, name))[0]
        return found if found.shape else int(found)

    def write(self, name: str, value: Values | int) -> None:
        """See `Handle.value`."""
        if self._locked:
            raise InputError(
                f"input {name} of {self._module.name}",
                expected="inputs that are set before the cycle settles",
                came="one that is set after await dut.settled",
                do="await dut.clock first",
            )
        self._session.set(name, value)
        self._given[name] = value

    def settle(self) -> None:
        """A cycle, with the inputs as they are.

        Raises:
            AssertionError: a claim of the design does not hold.
        """
        self._session.step(reset=self._rst)
        self._seen |= self._given
        self._ready = self._locked = True
        if failures := self._session.failures:
            one = failures[0]
            raise AssertionError(
                f"{one.kind} in cycle {one.cycle}: {one.path}: {one.text} ({one.where})"
            )

    def unlock(self) -> None:
        """The edge: inputs may be set again."""
        self._locked = False


class _Runner:
    """Runs coroutines until the first of them ends."""

    def __init__(self, dut: Dut, cycles: int) -> None:
        self._dut = dut
        self._cycles = cycles
        self._waiting: dict[Event, list[Task]] = {"edge": [], "settled": []}

    def run(self, test: Test) -> None:
        """The whole test."""
        main = self._dut.start_soon(test(self._dut))
        try:
            self._until_done(main)
        finally:
            for task in (main, *self._dut.tasks, *self._waiting["edge"], *self._waiting["settled"]):
                task.coroutine.close()

    def _until_done(self, main: Task) -> None:
        for _ in range(self._cycles):
            self._go_on(main)
            if main.done:
                return
            self._dut.settle()
            self._wake("settled")
            self._go_on(main)
            if main.done:
                return
            self._dut.unlock()
            self._wake("edge")
        raise AssertionError(f"the test has not ended after {self._cycles} cycles")

    def _wake(self, event: Event) -> None:
        self._dut.tasks.extend(self._waiting[event])
        self._waiting[event] = []

    def _go_on(self, main: Task) -> None:
        """Every coroutine that can, until it waits for something."""
        tasks = self._dut.tasks
        while tasks and not main.done:
            task = tasks.popleft()
            try:
                wanted = task.coroutine.send(None)
            except StopIteration as end:
                task.done, task.result = True, end.value
                tasks.extend(task.waiting)
            else:
                self._put(task, wanted)

    def _put(self, task: Task, wanted: object) -> None:
        match wanted:
            case "edge" | "settled":
                self._waiting[wanted].append(task)
            case Task():
                wanted.waiting.append(task)
            case _:
                task.coroutine.close()
                raise InputError(
                    "what a coroutine awaits",
                    expected="dut.clock, dut.clock.cycles(n), dut.settled, or what start_soon gave",
                    came=repr(wanted),
                    do="await nothing of asyncio: the simulation is its own loop",
                )
