"""Blocks over arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError
from zhufeng.formats import blocks
from zhufeng.formats.blocks import BIAS, BLOCK, PAIRS, POISON
from zhufeng.formats.host import _functions as functions
from zhufeng.hdl.compile import HostFunction

Floats: TypeAlias = NDArray[np.float32]
Codes: TypeAlias = NDArray[np.uint8]
Elements: TypeAlias = NDArray[np.int8]
Array: TypeAlias = NDArray[Any]

_MOST_BLOCKS: Final = 1 << 32
_STEP: Final = PAIRS * BLOCK
"""Elements that an accumulator takes at a time."""


@dataclass(frozen=True)
class Blocks:
    """Operands in blocks along the axis that is summed over."""

    bits: int
    """Of an element."""
    size: int
    """Elements along that axis, without those that fill it up."""
    codes: Codes
    """Shape (..., rows, blocks): an even number of them, the last of which may be zero blocks."""
    elements: Elements
    """Shape (..., rows, blocks, 16)."""


@dataclass(frozen=True)
class Planes:
    """Operands in two planes."""

    high: Blocks
    low: Blocks


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


def quantise(
    x: Floats,
    bits: int,
    rounding: Rounding | None = None,
    *,
    tiles: bool = False,
    half: bool = False,
) -> Blocks:
    """Blocks along the last axis.

    Args:
        x: fp32 of shape (..., rows, size).
        bits: of an element: 4, 5, 6 or 8.
        rounding: stochastic; without it, to nearest.
        tiles: whether 16 x 16 elements of rows and last axis share a scale.
        half: whether numbers are first rounded to bf16, to nearest, ties to even.

    Raises:
        InputError: there are no such blocks, or `x` is no such array.
    """
    made = _quantised(x, bits, rounding, planes=False, tiles=tiles, half=half)
    return Blocks(bits, x.shape[-1], made["code"], made["elements"])


def quantise_planes(
    x: Floats,
    bits: int,
    rounding: Rounding | None = None,
    *,
    tiles: bool = False,
    half: bool = False,
) -> Planes:
    """Both planes of blocks along the last axis; as `quantise`."""
    made = _quantised(x, bits, rounding, planes=True, tiles=tiles, half=half)
    size = x.shape[-1]
    low = Blocks(bits, size, made["low_code"], made["low"])
    return Planes(Blocks(bits, size, made["code"], made["high"]), low)


def multiply(a: Blocks | Planes, b: Blocks | Planes, *, threads: int = 1) -> Floats:
    """The products of the rows of `a` with those of `b`, in fp32 by chapter 4 of the contract.

    Args:
        a: of shape (..., m, k).
        b: of shape (..., n, k).
        threads: how many of them work at it; the result is the same.

    Returns:
        Shape (..., m, n).

    Raises:
        InputError: the shapes do not fit one another.
    """
    passes = _passes(a, b)
    first, second = passes[0]
    if first.size != second.size or first.codes.shape[:-2] != second.codes.shape[:-2]:
        raise InputError(
            "the operands of a matrix product",
            expected="(..., m, k) and (..., n, k), alike but for m and n",
            came=f"{_shape(first)} and {_shape(second)}",
            do="quantise both along the axis that is summed over",
        )
    sides = [_joined([one[side] for one in passes]) for side in (0, 1)]
    (a_codes, a_elements), (b_codes, b_elements) = sides
    grid = functions.products(first.bits, second.bits)
    out = grid(a=a_elements, a_codes=a_codes, b=b_elements, b_codes=b_codes, threads=threads)["out"]
    return out.view(np.float32)


def dequantise(x: Blocks) -> Floats:
    """The numbers that blocks stand for: fp32 (..., rows, size), exact; poison is NaN.

    A number of the largest scale may be beyond fp32, and is then an infinity.
    """
    exponents = x.codes.astype(np.int32) - (BIAS + x.bits)
    with np.errstate(over="ignore"):
        found = np.ldexp(x.elements.astype(np.float32), exponents[..., None])
    found[x.codes == POISON] = np.nan
    rows = found.reshape(*found.shape[:-2], found.shape[-2] * BLOCK)
    return np.ascontiguousarray(rows[..., : x.size])


def random_bytes(rounding: Rounding, count: int) -> NDArray[np.uint8]:
    """The random bytes of the first so many blocks: (count, 16)."""
    index = np.arange(count, dtype=np.uint32)
    found: NDArray[np.uint8] = functions.noise()(key=rounding.key(), index=index)["out"]
    return found


# Cutting and joining.


def _cut(x: Floats) -> NDArray[np.uint32]:
    """The bits, in whole steps of an accumulator: (..., rows, blocks, 16)."""
    if x.dtype != np.float32 or x.ndim < len(("rows", "size")):
        raise InputError(
            "what is quantised",
            expected="an array of float32 (..., rows, size)",
            came=f"{x.dtype} {list(x.shape)}",
            do="convert it: x.astype(numpy.float32)",
        )
    rest = -x.shape[-1] % _STEP
    if rest:
        whole = np.zeros((*x.shape[:-1], x.shape[-1] + rest), np.float32)
        whole[..., : x.shape[-1]] = x
        x = whole
    count = x.shape[-1] // BLOCK
    return np.ascontiguousarray(x).view(np.uint32).reshape(*x.shape[:-1], count, BLOCK)


def _shape(x: Blocks) -> list[int]:
    return [*x.codes.shape[:-1], x.size]


def _passes(a: Blocks | Planes, b: Blocks | Planes) -> list[tuple[Blocks, Blocks]]:
    """Which are multiplied, in their order (rule 4.7)."""
    high, other = (one.high if isinstance(one, Planes) else one for one in (a, b))
    passes = [(high, other)]
    if isinstance(b, Planes):
        passes.append((high, b.low))
    if isinstance(a, Planes):
        passes.append((a.low, other))
    return passes


def _joined(parts: Sequence[Blocks]) -> tuple[Codes, Elements]:
    """Steps of all passes: codes (..., steps, 2), elements (..., steps, 2, 16)."""
    codes, elements = parts[0].codes, parts[0].elements
    if len(parts) > 1:
        codes = np.concatenate([one.codes for one in parts], -1)
        elements = np.concatenate([one.elements for one in parts], -2)
    steps = (*codes.shape[:-1], codes.shape[-1] // PAIRS, PAIRS)
    return codes.reshape(steps), elements.reshape(*steps, BLOCK)


# Quantising.


def _quantised(
    x: Floats, bits: int, rounding: Rounding | None, *, planes: bool, tiles: bool, half: bool
) -> dict[str, Array]:
    blocks.checked_bits(bits)
    cut = _cut(x)
    given: dict[str, Array] = {"code": _shared_codes(cut, bits, half=half)} if tiles else {}
    quantise = functions.quantised(
        bits, stochastic=rounding is not None, planes=planes, half=half, shared=tiles
    )
    if rounding is None:
        return _each(quantise, cut, **given)
    lead = cut.shape[:-1]
    count = math.prod(lead)
    if count > _MOST_BLOCKS:
        raise InputError(
            "a tensor that is rounded stochastically",
            expected=f"at most {_MOST_BLOCKS:,} blocks of 16, which have numbers of 32 bits",
            came=f"{count:,}",
            do="quantise parts of it, as tensors of their own",
        )
    given["index"] = np.arange(count, dtype=np.uint32).reshape(lead)
    return _each(quantise, cut, key=rounding.key(), **given)


def _shared_codes(cut: Array, bits: int, *, half: bool) -> Codes:
    """The code of each block: that of the largest magnitude of its tile."""
    amax = _each(functions.largest(half=half), cut)["out"]
    *lead, rows, count = amax.shape
    tiled = -(-rows // BLOCK)
    whole = np.zeros((*lead, tiled * BLOCK, count), np.uint32)
    whole[..., :rows, :] = amax
    most = whole.reshape(*lead, tiled, BLOCK, count).max(-2)
    found = functions.code_of(bits)(amax=most)["out"]
    return np.ascontiguousarray(np.repeat(found, BLOCK, -2)[..., :rows, :])


def _each(
    function: HostFunction, cut: Array, key: Array | None = None, **more: Array
) -> dict[str, Array]:
    """What a function gives of blocks, of which it takes some at a time."""
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
