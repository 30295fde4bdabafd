"""A module run for every row of stimuli against every column of them."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zhufeng.base import InputError
from zhufeng.hdl.compile._data import Bytes, aligned
from zhufeng.hdl.compile._engine import coded
from zhufeng.hdl.compile._given import fits_any
from zhufeng.hdl.compile._grid_code import GridCode, Side, sides
from zhufeng.hdl.compile._lanes import WORD, container
from zhufeng.hdl.compile._lower import lowered
from zhufeng.hdl.compile._operations import vector_bits
from zhufeng.hdl.ir import Form, Let, Module, need_module, print_ir

Array = NDArray[Any]
_LANES: Final = (8, 16, 32, 64)
_UNKNOWN: Final = frozenset({"take", "put"})


def compile_grid(module: Module, rows: Sequence[str], columns: Sequence[str]) -> Grid:
    """Make a module into a function that runs it for every pair of a row and a column.

    The element of an output at row m and column n is what the module, simulated alone from its
    reset on, gives after it has taken all cycles of the inputs of row m and of column n. A matrix
    product is one: `module` is then what multiplies and adds.

    >>> products = compile_grid(dot_unit.ir, rows=["a"], columns=["b"])
    >>> products(a=a, b=b)["out"]

    Args:
        module: of the IR. Its registers have reset values and its outputs follow from them alone;
            it has neither memories nor claims.
        rows: the inputs that a row gives.
        columns: the inputs that a column gives: all others.

    Raises:
        InputError: the module is not like that, or an input is on no side or on both.
    """
    return Grid(module, rows, columns)


class _Sizes(NamedTuple):
    batches: int
    rows: int
    columns: int
    cycles: int


class Grid:
    """A module as a function over rows and columns of stimuli."""

    def __init__(self, module: Module, rows: Sequence[str], columns: Sequence[str]) -> None:
        """As `compile_grid` makes it."""
        need_module(module)
        self.module = module
        _checked_sides(module, rows, columns)
        given: dict[str, Side] = dict.fromkeys(rows, "row")
        given.update(dict.fromkeys(columns, "column"))
        flat = lowered(module).module
        _checked(module, flat)
        self._given = given
        self.lanes = _lanes(flat, given)
        """Columns that are computed side by side."""
        writer = GridCode(flat, given, self.lanes)
        text = writer.written()
        self._records = {side: record.size for side, record in writer.records.items()}
        key = ["grid", print_ir(flat), sorted(given.items()), self.lanes]
        self._code = coded(key, lambda: text)

    def __call__(self, *, threads: int = 1, **inputs: ArrayLike) -> dict[str, Array]:
        """What the module gives at the end.

        Args:
            threads: how many of them work at it; the result is the same.
            inputs: those of rows [..., rows, cycles, *axes of the port], those of columns [...,
                columns, cycles, *axes of the port], of integers that fit. The axes in front are
                those of a batch, and the same for all.

        Returns:
            Each output [..., rows, columns, *axes of the port], of the dtype that just holds it.

        Raises:
            InputError: inputs are missing or unknown, or do not fit the ports or one another;
                there is no thread.
        """
        if threads < 1:
            raise InputError(
                f"the threads of {self.module.name}",
                expected="a number from 1",
                came=str(threads),
                do=f"write for instance threads={os.cpu_count()}",
            )
        lead, sizes = self._sizes(inputs)
        given = {p: self._taken(p, np.asarray(inputs[p])) for p in self.module.inputs}
        panels = -(-sizes.columns // self.lanes)
        forms = {p: self.module.form(value) for p, value in self.module.outputs.items()}
        made = {
            port: np.empty((sizes.batches, sizes.rows, panels, form.size, self.lanes), _kind(form))
            for port, form in forms.items()
        }
        if sizes.batches and sizes.rows and sizes.columns:
            self._go(given, made, sizes, panels, min(threads, panels))
        return {p: self._shaped(made[p], forms[p], lead, sizes) for p in forms}

    def _go(
        self,
        given: Mapping[str, Array],
        made: Mapping[str, Array],
        sizes: _Sizes,
        panels: int,
        threads: int,
    ) -> None:
        pointers = [one.ctypes.data for one in (*given.values(), *made.values())]
        table = np.array(pointers, np.int64)

        def part(number: int) -> None:
            rows = _memory(self._records["row"] * sizes.rows * sizes.cycles)
            columns = _memory(self._records["column"] * sizes.cycles)
            first, end = (panels * n // threads for n in (number, number + 1))
            pointers = (rows.ctypes.data, columns.ctypes.data, table.ctypes.data, 0, 0)
            counts = (sizes.cycles, sizes.rows, sizes.columns, sizes.batches, first, end)
            self._code.run(*pointers, *counts)

        if threads == 1:
            part(0)
        else:
            # The code runs without the interpreter's lock.
            list(_pool(threads).map(part, range(threads)))

    def _sizes(self, inputs: Mapping[str, ArrayLike]) -> tuple[tuple[int, ...], _Sizes]:
        if inputs.keys() != self.module.inputs.keys():
            raise InputError(
                f"the inputs of {self.module.name}",
                expected=", ".join(self.module.inputs) or "none",
                came=", ".join(inputs) or "none",
                do="give an array for each, by its name",
            )
        shapes: dict[str, tuple[int, ...]] = {}
        for port, form in self.module.inputs.items():
            shape = np.shape(inputs[port])
            own = len(shape) - len(form.shape)
            if own < len(("rows", "cycles")) or shape[own:] != form.shape:
                raise _no_fit(self.module, port, shape)
            shapes[port] = shape[:own]
        found = {
            side: {shape for port, shape in shapes.items() if self._given[port] == side}
            for side in ("row", "column")
        }
        told = {shape[:-2] + shape[-1:] for shape in shapes.values()}
        if len(told) != 1 or any(len(every) != 1 for every in found.values()):
            raise InputError(
                f"the inputs of {self.module.name}",
                expected="one number of rows, of columns, of cycles, and one batch",
                came=", ".join(f"{port} {list(shape)}" for port, shape in shapes.items()),
                do="give arrays [..., rows or columns, cycles, ...]",
            )
        (row,), (column,) = found["row"], found["column"]
        *lead, rows, cycles = row
        batches = math.prod(lead)
        return tuple(lead), _Sizes(batches, rows, column[-2], cycles)

    def _taken(self, port: str, values: Array) -> Array:
        """As the code has it."""
        form = self.module.inputs[port]
        kind = _kind(form)
        full = form.width == 8 * kind.itemsize
        whole = values.dtype.kind in "iub"
        if not (full and values.dtype == kind) and not (whole and fits_any(values, form)):
            ends = f" from {values.min()} to {values.max()}" if whole else ""
            raise InputError(
                f"the input {port} of {self.module.name}",
                expected=f"integers that fit {form}",
                came=f"{values.dtype}{ends}",
                do="give integers of that width",
            )
        return np.ascontiguousarray(values, kind)

    def _shaped(self, made: Array, form: Form, lead: tuple[int, ...], sizes: _Sizes) -> Array:
        padded = made.shape[2] * self.lanes
        whole = made if form.size == 1 else made.swapaxes(3, 4)
        whole = whole.reshape(sizes.batches, sizes.rows, padded, form.size)
        whole = whole[:, :, : sizes.columns]
        shape = (*lead, sizes.rows, sizes.columns, *form.shape)
        found = np.ascontiguousarray(whole).reshape(shape)
        return found.view(bool) if form.width == 1 and not form.signed else found


def _kind(form: Form) -> np.dtype[Any]:
    bits = max(8, container(form.width))
    return np.dtype(f"{'i' if form.signed else 'u'}{bits // 8}")


def _memory(size: int) -> Bytes:
    return aligned(max(size, 1))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _lanes(module: Module, given: Mapping[str, Side]) -> int:
    """As many as fill a vector with what is computed most."""
    of = sides(module, given)
    widths = Counter[int]()
    for name, let in module.lets.items():
        if of[name] == "pair" and let.op in ("add", "mul", "sub"):
            widths[container(let.form.width)] += let.form.size
    width = max(widths, key=lambda bits: widths[bits], default=8)
    return min(_LANES, key=lambda lanes: abs(lanes * max(8, width) - vector_bits()))


def _checked_sides(module: Module, rows: Sequence[str], columns: Sequence[str]) -> None:
    every = Counter([*rows, *columns])
    if every != Counter(module.inputs.keys()) or not rows or not columns:
        raise InputError(
            f"the rows and columns of {module.name}",
            expected=f"each of {', '.join(module.inputs) or 'no inputs'} on one side",
            came=f"rows {', '.join(rows) or 'none'}; columns {', '.join(columns) or 'none'}",
            do="name every input once, on either side at least one",
        )


def _checked(module: Module, flat: Module) -> None:
    """See that it is a module for rows and columns.

    Raises:
        InputError: it is not.
    """
    behind = _behind(flat)
    problems = [
        *(f"the memory {name}" for name in flat.memories),
        *(f"the claim {claim.text!r}" for claim in flat.claims),
        *(
            f"the register {n} without a reset"
            for n, r in flat.registers.items()
            if r.reset is None
        ),
        *(f"the output {port} that follows from inputs" for port in flat.outputs if port in behind),
        *(f"numbers of {let.form.width} bits" for let in flat.lets.values() if _is_wide(let)),
        *(f"the operation {let.op}" for let in flat.lets.values() if let.op in _UNKNOWN),
    ]
    if problems:
        raise InputError(
            f"{module.name} for rows and columns",
            expected="registers with resets and outputs that follow from them alone, no memories "
            "or claims, numbers of at most 64 bits, and no element chosen by a signal",
            came=problems[0],
            do="simulate it with zhufeng.hdl.compile.compile",
        )


def _is_wide(let: Let) -> bool:
    return let.form.width > WORD


def _behind(module: Module) -> set[str]:
    """The outputs that follow from inputs within a cycle."""
    reached: dict[str, bool] = {}

    def asks(name: str) -> bool:
        if name not in reached:
            let = module.lets[name]
            reached[name] = let.op == "input" or any(asks(arg) for arg in let.args)
        return reached[name]

    return {port for port, value in module.outputs.items() if asks(value)}


def _no_fit(module: Module, port: str, shape: tuple[int, ...]) -> InputError:
    form = module.inputs[port]
    return InputError(
        f"the input {port} of {module.name}",
        expected=f"an array [..., rows or columns, cycles{''.join(f', {n}' for n in form.shape)}]",
        came=f"the shape {list(shape)}",
        do="give an array with these axes last",
    )
