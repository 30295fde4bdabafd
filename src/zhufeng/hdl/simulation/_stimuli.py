"""What a design is given, a block of cycles at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from zhufeng.base import InputError, generator
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.ir import Form, Module
from zhufeng.hdl.simulation._arrays import read_arrays, widened
from zhufeng.hdl.simulation._resets import Reset

_DRAWN: Final = 512
"""Cycles that are drawn from one seed, so that it does not matter how the run is cut."""
_LIMB: Final = 32
_LANES_TOO: Final = 2
"""Axes of a stimulus before those of the port."""
_WORD: Final = 63


class Stimulus(Protocol):
    """Inputs of so many lanes over so many cycles."""

    lanes: int
    cycles: int
    resets: Sequence[Reset]
    """Inputs that are held first."""

    def block(self, first: int, cycles: int) -> Mapping[str, Values]:
        """Each input in some cycles, [cycles, lanes, ...]."""


class Random:
    """Every input anything it may be, in every cycle and lane; resets are held first."""

    def __init__(
        self, module: Module, lanes: int, cycles: int, seed: int, resets: Sequence[Reset] = ()
    ) -> None:
        """Draw from a seed.

        Args:
            module: what is given that.
            lanes: how many.
            cycles: how many.
            seed: the same one draws the same.
            resets: inputs that are not drawn.
        """
        self._module, self.lanes, self.cycles, self._seed = module, lanes, cycles, seed
        self.resets: Sequence[Reset] = tuple(resets)
        self._resets = {one.port: one for one in resets}

    def block(self, first: int, cycles: int) -> Mapping[str, Values]:
        """See `Stimulus`."""
        found: dict[str, Values] = {}
        for port, form in self._module.inputs.items():
            reset = self._resets.get(port)
            if reset is not None:
                found[port] = reset.values(first, cycles, self.lanes)
                continue
            begin, end = first // _DRAWN, -(-(first + cycles) // _DRAWN)
            parts = [self._drawn(port, form, number) for number in range(begin, end)]
            at = first - begin * _DRAWN
            found[port] = np.concatenate(parts)[at : at + cycles]
        return found

    def _drawn(self, port: str, form: Form, number: int) -> Values:
        draw = generator(self._seed, "stimulus", port, number)
        shape = (_DRAWN, self.lanes, *form.shape)
        if form.width <= _WORD:
            bits = next(bits for bits in (8, 16, 32, 64) if form.width <= bits)
            kind = np.dtype(f"{'i' if form.signed else 'u'}{bits // 8}").type
            return draw.integers(form.low, form.high, shape, kind, endpoint=True)
        numbers = np.zeros(shape, object)
        for _ in range(-(-form.width // _LIMB)):
            numbers = (numbers << _LIMB) + draw.integers(0, 1 << _LIMB, shape).astype(object)
        return numbers % (1 << form.width) + form.low


class FromFile:
    """Inputs that a file has; it begins again where the run is longer."""

    def __init__(
        self,
        module: Module,
        path: Path,
        lanes: int | None,
        cycles: int | None,
        resets: Sequence[Reset] = (),
    ) -> None:
        """Read a .npz file.

        Args:
            module: what is given that.
            path: of a file with an array [cycles, lanes, ...] for each input; or [cycles, ...]
                where all lanes are given the same.
            lanes: how many, where no array tells; without it one.
            cycles: how many; without it as many as the file has.
            resets: inputs that it may leave out.

        Raises:
            InputError: the file is none; an input is missing or unknown or does not fit.
        """
        arrays = read_arrays(path)
        self.resets: Sequence[Reset] = tuple(one for one in resets if one.port not in arrays)
        """Those that it does leave out."""
        self._resets = {one.port: one for one in self.resets}
        wanted = [port for port in module.inputs if port not in self._resets]
        if arrays.keys() != set(wanted):
            raise InputError(
                f"the inputs of {module.name} in {path}",
                expected=", ".join(wanted) or "none",
                came=", ".join(arrays) or "none",
                do="give an array for each; a reset may be told by --reset instead",
            )
        shaped = {port: _shaped(path, module, port, one) for port, one in arrays.items()}
        self._arrays = shaped
        self.lanes = self._one(
            path, "lanes", {one.shape[1] for one in shaped.values()} - {0}, lanes
        )
        self._ring = self._one(path, "cycles", {len(one) for one in shaped.values()}, None)
        self.cycles = self._ring if cycles is None else cycles

    def block(self, first: int, cycles: int) -> Mapping[str, Values]:
        """See `Stimulus`."""
        found = {port: one.values(first, cycles, self.lanes) for port, one in self._resets.items()}
        at = np.arange(first, first + cycles) % self._ring
        for port, values in self._arrays.items():
            some = values[at]
            found[port] = np.broadcast_to(some, (cycles, self.lanes, *some.shape[2:]))
        return found

    def _one(self, path: Path, what: str, found: set[int], asked: int | None) -> int:
        """What all arrays have; 1 is also any number of lanes."""
        several = found - {1} if what == "lanes" else found
        if len(several) > 1 or (several and asked is not None and several != {asked}):
            raise InputError(
                str(path),
                expected=f"arrays of as many {what}" + ("" if asked is None else f": {asked}"),
                came=", ".join(map(str, sorted(several))),
                do="write [cycles, lanes, ...] for each, or [cycles, ...] for all lanes",
            )
        return several.pop() if several else (asked or 1)


def _shaped(path: Path, module: Module, port: str, given: Values) -> Values:
    """An input as [cycles, lanes or 1, ...]."""
    form = module.inputs[port]
    for axes in (_LANES_TOO, 1):
        values = widened(given, form, axes)
        whole = values.dtype.kind in "bui" or (values is not given)
        if whole and values.ndim == axes + len(form.shape) and values.shape[axes:] == form.shape:
            break
    else:
        whole = False
    if whole and values.size and form.has(int(values.min())) and form.has(int(values.max())):
        return values if axes == _LANES_TOO else values[:, None]
    ends = (
        f" from {given.min()} to {given.max()}" if given.dtype.kind in "bui" and given.size else ""
    )
    names = ", ".join(("cycles", "lanes", *map(str, form.shape)))
    raise InputError(
        f"input {port} of {module.name} in {path}",
        expected=f"integers [{names}] from {form.low} to {form.high}, one cycle at least",
        came=f"{given.dtype} {list(given.shape)}{ends}",
        do="reshape or convert it",
    )
