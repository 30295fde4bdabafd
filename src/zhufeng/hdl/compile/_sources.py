"""Where the elements of a value come from, through slices, joins and the like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl.ir import Let, Module

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """Where each element of a value comes from."""

    bases: tuple[str, ...]
    which: Ints
    """The place in `bases`, by element."""
    where: Ints
    """The element of that base, in row-major order."""


class Sources:
    """Of the values of a module."""

    def __init__(self, module: Module, is_view: Callable[[str], bool]) -> None:
        self._module = module
        self._is_view = is_view
        self._known: dict[str, Places] = {}

    def of(self, value: str) -> Places:
        """Of one of them, through all that only move elements."""
        if value not in self._known:
            let = self._module.lets[value]
            if self._is_view(value):
                self._known[value] = viewed(let, [self.of(arg) for arg in let.args])
            else:
                every = np.arange(let.form.size).reshape(let.form.shape)
                self._known[value] = Places((value,), np.zeros_like(every), every)
        return self._known[value]


def viewed(let: Let, args: list[Places]) -> Places:
    """Through one operation that moves elements."""
    if let.op == "join":
        axis = let.data[0]
        assert isinstance(axis, int)
        bases = tuple(dict.fromkeys(base for arg in args for base in arg.bases))
        which = [np.array([bases.index(base) for base in arg.bases])[arg.which] for arg in args]
        where = np.concatenate([arg.where for arg in args], axis)
        return Places(bases, np.concatenate(which, axis), where)
    (of,) = args
    return Places(of.bases, _moved(let, of.which), _moved(let, of.where))


def _moved(let: Let, array: Ints) -> Ints:
    shape, numbers = let.form.shape, [one for one in let.data if isinstance(one, int)]
    if let.op == "spread":
        return np.broadcast_to(np.expand_dims(array, tuple(numbers)), shape)
    if let.op == "unpack":
        return np.broadcast_to(array[..., None], shape)
    if let.op == "transpose":
        return array.transpose(numbers)
    if let.op == "slice":
        axis, start, step = numbers
        return np.take(array, [start + step * n for n in range(shape[axis])], axis)
    return array.reshape(shape)
