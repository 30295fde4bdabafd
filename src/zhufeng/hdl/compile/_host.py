"""Functions without state over arrays of NumPy."""

from __future__ import annotations

import ctypes
import math
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zhufeng.base import InputError
from zhufeng.hdl.compile._batch import Claims, no_claims
from zhufeng.hdl.compile._build import Kernel, build
from zhufeng.hdl.compile._data import Bytes, aligned, packed, unpacked
from zhufeng.hdl.compile._given import fits_any
from zhufeng.hdl.compile._layout import Layout, Room
from zhufeng.hdl.compile._lower import Lowered, lowered
from zhufeng.hdl.interpret import anything
from zhufeng.hdl.ir import Form, Module, need_module, stateful

Array = NDArray[Any]
_TRIED: Final = (16, 32, 64)
_TRIALS: Final = 5
_DRAWN: Final = 1 << 16
"""Elements of arrays for a trial: much more work than to begin with it."""
_WORD: Final = 64
_CHUNK_BYTES: Final = 1 << 18
"""Of what is converted at a time: it stays in the cache until it has been used."""
_CHUNK_ROWS: Final = 1 << 12
"""Vectors that a thread takes at a time where nothing is converted."""


def compile_function(module: Module, lanes: int | None = None) -> HostFunction:
    """Make a module without state into a function of this machine over arrays.

    >>> multiply = compile_function(bf16_multiply.ir)
    >>> multiply(a=bits_of_a, b=bits_of_b)["out"]

    Args:
        module: of the IR.
        lanes: how many elements are computed side by side: 1, 8, 16, 32 or 64. Without it a short
            trial tells what is best.

    Raises:
        InputError: the module has state.
    """
    return HostFunction(module, lanes)


class HostFunction:
    """A module without state, as a function of this machine over arrays."""

    def __init__(self, module: Module, lanes: int | None = None) -> None:
        """As `compile_function` makes it."""
        need_module(module)
        if stateful(module):
            raise InputError(
                f"a host function of {module.name}",
                expected="a module without state",
                came="registers or memories in it, or in what is inside it",
                do="simulate it with zhufeng.hdl.compile.compile",
            )
        self.module = module
        low = lowered(module)
        self._kernel = self._tried(low) if lanes is None else _Rows(low, build(low.module, lanes))

    @property
    def lanes(self) -> int:
        """How many elements are computed side by side."""
        return self._kernel.lanes

    def _tried(self, low: Lowered) -> _Rows:
        """The fastest of a few. One at a time may be best where each has arrays of its own."""
        forms = (*self.module.inputs.values(), *map(self.module.form, self.module.outputs.values()))
        alone = (1,) if any(form.shape for form in forms) else ()
        made = [_Rows(low, build(low.module, lanes)) for lanes in (*alone, *_TRIED)]
        largest = max((form.size for form in forms), default=1)
        count = max(1, _DRAWN // max(_TRIED) // max(1, largest)) * max(_TRIED)
        draw = np.random.default_rng(0)
        given = {
            one.port: anything(one.form, (count, *one.form.shape), draw).astype(one.kind)
            for one in made[0].inputs
        }
        return min(made, key=lambda rows: rows.cost(given, count))

    def __call__(self, *, threads: int = 1, **inputs: ArrayLike) -> dict[str, Array]:
        """Its outputs.

        Args:
            threads: how many of them work at it.
            inputs: each input, integers or bool [..., *axes of the port] that fit; the axes before
                those of the port are broadcast against one another, as NumPy does. Of those dtypes
                that just hold the port nothing is copied.

        Returns:
            Each output, [..., *axes of the port], of the dtype that just holds it: bool for one bit
            without sign, Python's integers for more than 64 bits.

        Raises:
            InputError: an input is missing or unknown, or its values do not fit; a claim of the
                module does not hold.
        """
        if threads < 1:
            raise InputError(
                f"the threads of {self.module.name}",
                expected="a number from 1",
                came=str(threads),
                do=f"write for instance threads={os.cpu_count()}",
            )
        if inputs.keys() != self.module.inputs.keys():
            raise InputError(
                f"the inputs of {self.module.name}",
                expected=", ".join(self.module.inputs) or "none",
                came=", ".join(inputs) or "none",
                do="give an array for each, by its name",
            )
        given = {port: np.asarray(inputs[port]) for port in self.module.inputs}
        lead = self._lead(given)
        call = _Call(self.module, self._kernel, given, lead)
        call.run(threads)
        return call.outputs()

    def _lead(self, given: Mapping[str, Array]) -> tuple[int, ...]:
        """The axes before those of the ports."""
        leads = []
        for port, form in self.module.inputs.items():
            shape = given[port].shape
            own = len(shape) - len(form.shape)
            if own < 0 or shape[own:] != form.shape:
                raise _no_fit(self.module, port, given[port])
            leads.append(shape[:own])
        if leads and all(lead == leads[0] for lead in leads):
            return leads[0]
        try:
            return np.broadcast_shapes(*leads)
        except ValueError:
            raise InputError(
                f"the inputs of {self.module.name}",
                expected="arrays whose axes before those of the ports can be broadcast",
                came=", ".join(map(str, leads)),
                do="give arrays of one shape, or of axes of 1 in between",
            ) from None


class _Call:
    """The elements of a call, in parts."""

    def __init__(
        self, module: Module, rows: _Rows, given: Mapping[str, Array], lead: tuple[int, ...]
    ) -> None:
        self._module, self._rows, self._shape = module, rows, lead
        self._asked = given
        self._count = math.prod(lead)
        self._given = {one.port: self._flat(given[one.port], one.form) for one in rows.inputs}
        self._made = {
            one.port: np.empty((self._count, *one.form.shape), one.kind) for one in rows.outputs
        }

    def _flat(self, values: Array, form: Form) -> Array:
        """[elements, ...], or [1, ...] where all are alike."""
        if values.size == form.size and form.size:
            return values.reshape(1, *form.shape)
        if values.size != self._count * form.size:
            values = np.broadcast_to(values, (*self._shape, *form.shape))
        return values.reshape(self._count, *form.shape)

    def run(self, threads: int) -> None:
        """All parts, by so many threads."""
        parts = list(self._parts(threads))
        if threads == 1 or len(parts) == 1:
            for part in parts:
                self._part(*part)
        else:
            # The kernel runs without the interpreter's lock.
            list(_pool(threads).map(lambda part: self._part(*part), parts))

    def outputs(self) -> dict[str, Array]:
        """What was made, in the shape that was asked for."""
        found = {}
        for one in self._rows.outputs:
            whole = self._made[one.port].reshape((*self._shape, *one.form.shape))
            bits = one.form.width == 1 and not one.form.signed
            found[one.port] = whole.view(bool) if bits else whole
        return found

    def _parts(self, threads: int) -> Iterator[tuple[int, int]]:
        lanes = self._rows.lanes
        share = -(-self._count // (threads * lanes))
        step = lanes * max(1, min(self._rows.at_once(self._given), share))
        whole = self._count // lanes * lanes
        yield from ((at, min(at + step, whole)) for at in range(0, whole, step))
        if whole < self._count:
            yield whole, self._count

    def _part(self, at: int, end: int) -> None:
        given = {}
        for one in self._rows.inputs:
            values = self._given[one.port]
            some = given[one.port] = values if len(values) == 1 else values[at:end]
            if not (one.full and some.dtype == one.kind) and not fits_any(some, one.form):
                raise _no_fit(self._module, one.port, self._asked[one.port])
        failed = self._rows.run(given, self._made, at, end)
        if failed is not None:
            place, claim = failed
            index = np.unravel_index(place, self._shape)
            site = self._rows.low.sites[claim]
            raise InputError(
                f"element {list(map(int, index))} of what {self._module.name} was given",
                expected=f"{site.kind} {site.text!r} of {site.path} ({site.where}) to hold",
                came=", ".join(self._told(port, place) for port in self._given),
                do="give what the function is meant for, or mend it",
            )

    def _told(self, port: str, place: int) -> str:
        values = self._given[port]
        return f"{port}={values[0 if len(values) == 1 else place].tolist()}"


class _Port:
    """A port, as NumPy has it and as the kernel has it."""

    def __init__(self, port: str, room: Room, lanes: int) -> None:
        self.port, self.room, self.form, self.bytes = port, room, room.form, room.bytes
        self.wide = room.bits > _WORD
        self.kind: np.dtype[Any] = np.dtype(object)
        if not self.wide:
            self.kind = np.dtype(f"{'i' if self.form.signed else 'u'}{room.bits // 8}")
        self.full = self.form.width == room.bits and not self.wide
        """Whether it has every number that its dtype has."""
        self.straight = not self.wide and (lanes == 1 or not self.form.shape)
        """Whether elements stand in the kernel's memory as in NumPy's."""
        self._bit = self.form.width == 1 and not self.form.signed

    def ready(self, values: Array) -> bool:
        """Whether the kernel can take an input from where it stands."""
        dtype = values.dtype
        return self.straight and (dtype == self.kind or (self._bit and dtype.kind == "b"))


class _Block:
    """Memory that a call of the kernel works in, with where it stands."""

    def __init__(self, places: Layout, claims: int) -> None:
        self.claims = no_claims(claims, places.lanes.count)
        none = np.zeros(1, np.uint8)
        self._kept = (aligned(places.state_bytes), aligned(places.scratch_bytes), none)
        self.state, self.scratch, self.rst = map(_address, self._kept)
        self.told = _address(self.claims)


class _Rows:
    """The kernel, over elements in rows of as many as it has lanes."""

    def __init__(self, low: Lowered, kernel: Kernel) -> None:
        self.low, self._kernel, self.lanes = low, kernel, kernel.lanes
        places = kernel.places
        self.inputs = [_Port(*one, self.lanes) for one in places.inputs.items()]
        self.outputs = [_Port(*one, self.lanes) for one in places.outputs.items()]
        self._table = ctypes.c_int64 * (2 * len(self.inputs) + 2 * len(self.outputs))
        self._free: list[_Block] = []
        self._judged = [n for n, site in enumerate(low.sites) if site.kind != "cover"]

    def cost(self, given: Mapping[str, Array], count: int) -> float:
        """CPU seconds of some elements, at their best."""
        made = {one.port: np.empty((count, *one.form.shape), one.kind) for one in self.outputs}
        times = []
        for _ in range(_TRIALS):
            begin = time.process_time()
            self.run(given, made, 0, count)
            times.append(time.process_time() - begin)
        return min(times)

    def at_once(self, given: Mapping[str, Array]) -> int:
        """How many rows to take at a time."""
        moved = [one.bytes for one in self.inputs if not one.ready(given[one.port])]
        moved += [one.bytes for one in self.outputs if not one.straight]
        return max(1, _CHUNK_BYTES // max(1, sum(moved))) if moved else _CHUNK_ROWS

    def run(
        self, given: Mapping[str, Array], made: Mapping[str, Array], at: int, end: int
    ) -> tuple[int, int] | None:
        """Compute some elements.

        Args:
            given: each input of these, or [1, ...], of numbers that fit.
            made: each output of all, to be filled.
            at: the first of them.
            end: behind the last of them: whole rows, or less than one.

        Returns:
            The first element for which a claim did not hold, and the number of the claim; None
            where all held.
        """
        count = end - at
        rows = -(-count // self.lanes)
        table: list[int] = []
        held: list[Array] = []
        ends: list[tuple[Array, Array, _Port]] = []
        for one in self.inputs:
            values = given[one.port]
            data = self._taken(values, one, rows, count)
            held.append(data)
            table += (_address(data), one.bytes if len(values) > 1 else 0)
        for one in self.outputs:
            to = made[one.port][at:end]
            if not one.straight or count != rows * self.lanes:
                ends.append((data := aligned(rows * one.bytes), to, one))
                table += (_address(data), one.bytes)
            else:
                table += (_address(to), one.bytes)
        failed = self._go(self._table(*table), rows)
        for data, to, one in ends:
            self._give(data, to, one, rows)
        return failed and (at + min(failed[0], count - 1), failed[1])

    def _go(self, pointers: object, rows: int) -> tuple[int, int] | None:
        try:
            block = self._free.pop()
        except IndexError:
            block = _Block(self._kernel.places, len(self.low.sites))
        if self._judged:
            block.claims[:, 0] = -1
        run = self._kernel.code.run
        run(block.state, block.scratch, pointers, block.rst, block.told, rows, 0, 0, rows, 0, 0)
        found = self._failed(block.claims) if self._judged else None
        self._free.append(block)
        return found

    def _failed(self, claims: Claims) -> tuple[int, int] | None:
        found = []
        for number in self._judged:
            cycles = claims[number, 0]
            lanes = np.flatnonzero(cycles >= 0)
            found += [(int(cycles[lane]) * self.lanes + int(lane), number) for lane in lanes]
        return min(found, default=None)

    def _taken(self, values: Array, port: _Port, rows: int, count: int) -> Array:
        """Rows of an input, as the kernel has them; one row where all elements are alike."""
        if len(values) == 1:
            values, rows = np.repeat(values, self.lanes, 0), 1
        elif count != rows * self.lanes:
            # What fills the row up is like the last one: claims hold of it where they hold of that.
            values = np.concatenate((values, np.repeat(values[-1:], rows * self.lanes - count, 0)))
        if port.ready(values):
            return np.ascontiguousarray(values)
        shaped = values.reshape(rows, self.lanes, *port.form.shape)
        if port.wide:
            return packed(shaped, port.room, self.lanes)
        made = np.empty((rows, *port.form.shape, self.lanes), port.kind)
        made[...] = np.moveaxis(shaped, 1, -1)
        return made

    def _give(self, data: Bytes, to: Array, port: _Port, rows: int) -> None:
        """Put rows of an output where they are wanted."""
        if port.wide:
            found = unpacked(data.reshape(rows, -1), port.room, self.lanes, self.lanes)
        else:
            whole = data.view(port.kind).reshape(rows, *port.form.shape, self.lanes)
            found = np.moveaxis(whole, -1, 1)
        if len(to) == rows * self.lanes:
            to.reshape(found.shape)[...] = found
        else:
            to[...] = found.reshape(-1, *port.form.shape)[: len(to)]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "zhufeng-host")


def _address(data: Array) -> int:
    found: int = data.__array_interface__["data"][0]
    return found


def _no_fit(module: Module, port: str, values: Array) -> InputError:
    form = module.inputs[port]
    whole = values.dtype.kind in "bui" and values.size
    ends = f" from {int(values.min())} to {int(values.max())}" if whole else ""
    return InputError(
        f"input {port} of {module.name}",
        expected=f"integers [{', '.join(('...', *map(str, form.shape)))}] "
        f"from {form.low} to {form.high}",
        came=f"{values.dtype} {list(values.shape)}{ends}",
        do="reshape or convert it",
    )
