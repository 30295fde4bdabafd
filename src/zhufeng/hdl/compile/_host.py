"""Functions without state over arrays of NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError
from zhufeng.hdl.compile._build import build
from zhufeng.hdl.compile._data import aligned
from zhufeng.hdl.compile._layout import Room
from zhufeng.hdl.compile._lower import lowered
from zhufeng.hdl.ir import Form, Module, need_module, stateful

Array = NDArray[Any]
_LANES: Final = 64
_CHUNK: Final = 1 << 16
"""Elements that a thread takes at a time."""


class HostFunction:
    """A module without state, as a function of this machine over arrays.

    >>> multiply = HostFunction(bf16_multiply.ir)
    >>> multiply(a=bits_of_a, b=bits_of_b)["out"]
    """

    def __init__(self, module: Module) -> None:
        need_module(module)
        if stateful(module):
            raise InputError(
                f"a host function of {module.name}",
                expected="a module without state",
                came="registers or memories in it, or in what is inside it",
                do="simulate it with zhufeng.hdl.compile.compile",
            )
        self._module = lowered(module).module
        wide = any(form.shape for form in module.inputs.values())
        # What has arrays of its own stands in memory as it is needed for one at a time.
        self._kernel = build(self._module, 1 if wide else _LANES)

    def __call__(self, *, threads: int = 1, **inputs: Array) -> dict[str, Array]:
        """Its outputs.

        Args:
            threads: how many work at it.
            inputs: each input, [n, ...] of integers; of those dtypes that just hold its width,
                nothing is copied.

        Returns:
            Each output, [n, ...], of the dtype that just holds it.
        """
        given = {port: _held(inputs[port], room) for port, room in self._rooms().items()}
        (count,) = {len(one) for one in given.values()}
        rooms = self._kernel.places.outputs
        made = {
            port: np.empty((count, *room.form.shape), _dtype(room.form))
            for port, room in rooms.items()
        }
        lanes = self._kernel.lanes
        whole = count // lanes * lanes
        step = max(lanes, _CHUNK // lanes * lanes)
        parts = [(at, min(at + step, whole)) for at in range(0, whole, step)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: self._part(given, made, *part), parts))
        if whole < count:
            self._rest(given, made, whole, count)
        return made

    def _rooms(self) -> Mapping[str, Room]:
        return self._kernel.places.inputs

    def _part(
        self, given: Mapping[str, Array], made: Mapping[str, Array], at: int, end: int
    ) -> None:
        table = []
        for arrays in (given, made):
            for one in arrays.values():
                table += [one[at:end].ctypes.data, one.itemsize * one[0].size * self._kernel.lanes]
        self._run(table, (end - at) // self._kernel.lanes)

    def _run(self, table: list[int], rows: int) -> None:
        pointers, places = np.array(table, np.int64), self._kernel.places
        state, scratch = aligned(places.state_bytes), aligned(places.scratch_bytes)
        none = np.zeros(1, np.uint8)
        claims = np.zeros((len(self._module.claims), 2, self._kernel.lanes), np.int64)
        self._kernel.code.run(
            state.ctypes.data,
            scratch.ctypes.data,
            pointers.ctypes.data,
            none.ctypes.data,
            claims.ctypes.data,
            rows,
            0,
            0,
            rows,
            0,
            0,
        )

    def _rest(
        self, given: Mapping[str, Array], made: Mapping[str, Array], at: int, count: int
    ) -> None:
        """What does not fill all lanes."""
        lanes = self._kernel.lanes
        some = {}
        for port, one in given.items():
            some[port] = np.zeros((lanes, *one.shape[1:]), one.dtype)
            some[port][: count - at] = one[at:]
        out = {port: np.empty((lanes, *one.shape[1:]), one.dtype) for port, one in made.items()}
        self._part(some, out, 0, lanes)
        for port, one in made.items():
            one[at:] = out[port][: count - at]


def _dtype(form: Form) -> np.dtype[Any]:
    bits = next(size for size in (8, 16, 32, 64) if form.width <= size)
    return np.dtype(f"{'i' if form.signed else 'u'}{bits // 8}")


def _held(values: Array, room: Room) -> Array:
    return np.ascontiguousarray(values, _dtype(room.form))
