"""Arrays that are quantised: cut into blocks, and what their blocks are rounded with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError
from zhufeng.formats.blocks import BLOCK
from zhufeng.formats.host import _functions as functions
from zhufeng.hdl.compile import HostFunction

Floats: TypeAlias = NDArray[np.float32]
Codes: TypeAlias = NDArray[np.uint8]
Array: TypeAlias = NDArray[Any]

_MOST_BLOCKS: Final = 1 << 32


@dataclass(frozen=True)
class Rounding:
    """Stochastic rounding: where its random bytes come from (rule 3.2)."""

    seed: int
    """Of 64 bits."""
    step: int
    """Of 32 bits."""
    tensor: int
    """Of 31 bits."""
    orientation: int
    """0 where the blocks run along the tensor's last axis, else 1."""

    def __post_init__(self) -> None:
        ends = {"seed": 64, "step": 32, "tensor": 31, "orientation": 1}
        for name, bits in ends.items():
            if not 0 <= getattr(self, name) < 1 << bits:
                raise InputError(
                    f"the {name} of stochastic rounding",
                    expected=f"a number from 0 of {bits} bits",
                    came=str(getattr(self, name)),
                    do="give one in that range",
                )

    def key(self) -> NDArray[np.uint32]:
        """Four words."""
        words = (
            self.seed & 0xFFFFFFFF,
            self.seed >> 32,
            self.step,
            2 * self.tensor + self.orientation,
        )
        found: NDArray[np.uint32] = functions.key()(of=np.array(words, np.uint32))["out"]
        return found


def cut_up(x: Floats, block: int, step: int) -> NDArray[np.uint32]:
    """The bits of numbers, in blocks.

    Args:
        x: (..., rows, size).
        block: elements of one.
        step: of how many elements there is a whole number, the last ones zeros.

    Returns:
        Shape (..., rows, blocks, block).

    Raises:
        InputError: it is no such array.
    """
    if x.dtype != np.float32 or x.ndim < len(("rows", "size")):
        raise InputError(
            "what is quantised",
            expected="an array of float32 (..., rows, size)",
            came=f"{x.dtype} {list(x.shape)}",
            do="convert it: x.astype(numpy.float32)",
        )
    rest = -x.shape[-1] % step
    if rest:
        whole = np.zeros((*x.shape[:-1], x.shape[-1] + rest), np.float32)
        whole[..., : x.shape[-1]] = x
        x = whole
    count = x.shape[-1] // block
    return np.ascontiguousarray(x).view(np.uint32).reshape(*x.shape[:-1], count, block)


def joined(blocks: Floats, size: int) -> Floats:
    """Blocks (..., rows, blocks, block) as numbers (..., rows, size)."""
    rows = blocks.reshape(*blocks.shape[:-2], blocks.shape[-2] * blocks.shape[-1])
    return np.ascontiguousarray(rows[..., :size])


def numbered(cut: Array, of: int = 1) -> NDArray[np.uint32]:
    """The numbers of blocks that are rounded stochastically: shape (..., rows, blocks).

    Args:
        cut: the blocks.
        of: as how many blocks of 16 each counts.

    Raises:
        InputError: there are more than there are numbers.
    """
    lead = cut.shape[:-1]
    count = math.prod(lead)
    if count * of > _MOST_BLOCKS:
        raise InputError(
            "a tensor that is rounded stochastically",
            expected=f"at most {_MOST_BLOCKS // of:,} blocks, which have numbers of 32 bits",
            came=f"{count:,}",
            do="quantise parts of it, as tensors of their own",
        )
    return np.arange(count, dtype=np.uint32).reshape(lead)


def largest_of_blocks(cut: Array, *, half: bool) -> Array:
    """The largest magnitudes of blocks of 16, as the bits of fp32: shape (..., rows, blocks)."""
    return each(functions.largest(half=half), cut)["out"]


def largest_of_tiles(amax: Array) -> Array:
    """For each block the largest magnitude of its tile: 16 rows from a multiple of 16 on."""
    *lead, rows, count = amax.shape
    tiled = -(-rows // BLOCK)
    whole = np.zeros((*lead, tiled * BLOCK, count), np.uint32)
    whole[..., :rows, :] = amax
    most = whole.reshape(*lead, tiled, BLOCK, count).max(-2)
    return np.ascontiguousarray(np.repeat(most, BLOCK, -2)[..., :rows, :])


def each(
    function: HostFunction, cut: Array, key: Array | None = None, **more: Array
) -> dict[str, Array]:
    """What a function gives of blocks of 16, of which it takes some at a time."""
    lead, count = cut.shape[:-1], cut.size // BLOCK
    groups = {name: _grouped(one, ()) for name, one in more.items()}
    groups["x"] = _grouped(cut, (BLOCK,))
    if key is not None:
        groups["key"] = key
    made = function(threads=1, **groups)
    found = {}
    for name, one in made.items():
        own = one.shape[2:]
        found[name] = one.reshape(-1, *own)[:count].reshape(*lead, *own)
    return found


def _grouped(x: Array, own: tuple[int, ...]) -> Array:
    """Values of blocks in groups: (groups, 4, *own), one group at least."""
    rows = x.reshape(math.prod(x.shape[: x.ndim - len(own)]), *own)
    rest = max(1, -(-len(rows) // functions.TOGETHER)) * functions.TOGETHER - len(rows)
    if rest:
        rows = np.concatenate([rows, np.zeros((rest, *own), x.dtype)])
    return rows.reshape(-1, functions.TOGETHER, *own)
