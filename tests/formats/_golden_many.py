"""Chapters 1 to 4 of docs/formats.md over arrays of NumPy, in int64."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tests.formats._golden_one import GUARD, POISON, QUIET_NAN, SIZE, ZERO, largest_element

Ints = npt.NDArray[np.int64]
Uints = npt.NDArray[np.uint64]
Words = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]
Elements = npt.NDArray[np.int8]
Integers = npt.NDArray[np.integer[Any]]


# Blocks.


class Blocks(NamedTuple):
    """Codes uint8[...] and elements int8[..., 16]."""

    codes: Bytes
    elements: Elements


class PlanesMany(NamedTuple):
    """Codes uint8[...] and elements int8[..., 16] of two planes."""

    hi_codes: Bytes
    hi_elements: Elements
    lo_codes: Bytes
    lo_elements: Elements

    @property
    def hi(self) -> Blocks:
        """The plane of the upper bits."""
        return Blocks(self.hi_codes, self.hi_elements)

    @property
    def lo(self) -> Blocks:
        """The plane of the lower bits."""
        return Blocks(self.lo_codes, self.lo_elements)


def cut(tensor: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """The blocks of a tensor along an axis, [..., blocks, 16] (rule 1.3).

    The axes before the last two are those of the tensor that are left, as they stand: the number
    of a block (rule 3.3) is its place in row-major order.
    """
    rows = np.moveaxis(tensor, axis, -1)
    missing = -rows.shape[-1] % SIZE
    rows = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, missing)])
    return rows.reshape(*rows.shape[:-1], -1, SIZE)


def _codes_many(bits: Words, b: int, tiles: bool) -> Ints:
    """The code of each block of [n, 16, 16], of the block itself or of the tile: [n, 16]."""
    keys = bits.astype(np.int64) & 0x7FFFFFFF
    amax: Ints = keys.max(axis=(-2, -1) if tiles else -1, keepdims=True)
    field, significand = amax >> 23, amax & 0x7FFFFF | 0x800000
    # 2^(25-b)·qmax lies from 2^23 to 2^24, as a significand does: one e or the next holds it.
    codes = field - 1 + (significand > largest_element(b) << (25 - b))
    codes = np.where(field == 0, ZERO, np.where(field == 255, POISON, codes))
    return np.broadcast_to(codes[..., 0], bits.shape[:-1])


def _shifted_many(numbers_: Ints, distance: Ints, noise: Bytes | None) -> Ints:
    """numbers_·2^-distance rounded; the distance is above 8, and the numbers are below 2^24."""
    if noise is not None:
        return ((numbers_ >> np.minimum(distance - 8, 40)) + noise.astype(np.int64)) >> 8
    distance = np.minimum(distance, 40)
    floor = numbers_ >> distance
    rest, half = numbers_ - (floor << distance), np.int64(1) << (distance - 1)
    up: npt.NDArray[np.bool_] = (rest > half) | ((rest == half) & (floor & 1 == 1))
    return floor + up


def _magnitudes_many(bits: Words, codes: Ints, b: int, plane: int, noise: Bytes | None) -> Ints:
    """|x|·2^(plane-e) rounded, 0 where a code is no scale."""
    field = bits.astype(np.int64) >> 23 & 255
    significand = np.where(field == 0, 0, bits.astype(np.int64) & 0x7FFFFF | 0x800000)
    # |x|·2^(plane-e) is significand·2^(field-150+plane-e), and e is code-124-b.
    distance = 26 - field + codes[..., None] - b - plane
    scaled = (codes != ZERO) & (codes != POISON)
    # A distance means nothing where the code is no scale.
    sizes = _shifted_many(significand, np.maximum(distance, 9), noise)
    return np.where(scaled[..., None], sizes, 0)


def _quantise_tiles(bits: Words, b: int, noise: Bytes | None, tiles: bool) -> list[Integers]:
    codes = _codes_many(bits, b, tiles)
    sizes = _magnitudes_many(bits, codes, b, 0, noise)
    return [codes, np.where(bits >> 31 == 1, -sizes, sizes)]


def _planes_tiles(bits: Words, b: int, noise: Bytes | None, tiles: bool) -> list[Integers]:
    codes = _codes_many(bits, b, tiles)
    sizes = _magnitudes_many(bits, codes, b, b - 1, noise)
    signs = np.where(bits >> 31 == 1, -1, 1)
    above = (sizes + (1 << (b - 2))) >> (b - 1)
    below = sizes - (above << (b - 1))
    no_low = (codes - (b - 1) < 1) | ~below.any(axis=-1)
    lo_codes = np.where(codes == POISON, POISON, np.where(no_low, ZERO, codes - (b - 1)))
    lo = np.where(no_low[..., None], 0, signs * below)
    return [codes, signs * above, lo_codes, lo]


def _in_chunks(
    bits: Words, b: int, noise: Bytes | None, tiles: bool, two: bool
) -> list[npt.NDArray[Any]]:
    """Codes and elements of one plane or two, computed 1024 tiles at a time."""
    assert bits.dtype == np.uint32 and bits.shape[-1] == SIZE, (bits.dtype, bits.shape)  # noqa: PT018
    assert noise is None or noise.dtype == np.uint8
    assert not tiles or bits.shape[-2] == SIZE, bits.shape
    quantiser, kinds = (_planes_tiles, 2) if two else (_quantise_tiles, 1)
    depth = SIZE if tiles else 1
    flat = bits.reshape(-1, depth, SIZE)
    bytes_ = None if noise is None else np.broadcast_to(noise, bits.shape).reshape(flat.shape)
    outs: list[npt.NDArray[Any]] = []
    for _ in range(kinds):
        outs += [np.empty(flat.shape[:-1], np.uint8), np.empty(flat.shape, np.int8)]
    chunk = 16384 // depth
    for first in range(0, len(flat), chunk):
        part = slice(first, first + chunk)
        made = quantiser(flat[part], b, None if bytes_ is None else bytes_[part], tiles)
        for out, array in zip(outs, made, strict=True):
            out[part] = array
    return [out.reshape(bits.shape[: bits.ndim - 1 + i % 2]) for i, out in enumerate(outs)]


def quantise_many(
    bits: Words, b: int, noise: Bytes | None = None, *, tiles: bool = False
) -> Blocks:
    """`quantise` of uint32[..., 16], with noise uint8[..., 16].

    With ``tiles`` the last two axes, 16 x 16, are a tile under one scale (rule 2.8).
    """
    return Blocks(*_in_chunks(bits, b, noise, tiles, two=False))


def planes_many(
    bits: Words, b: int, noise: Bytes | None = None, *, tiles: bool = False
) -> PlanesMany:
    """`planes` of uint32[..., 16]; arguments as of `quantise_many`."""
    return PlanesMany(*_in_chunks(bits, b, noise, tiles, two=True))


# Random bytes.


_MASK = np.uint64(2**32 - 1)


def _rotl_many(words: Uints, distance: int) -> Uints:
    return (words << np.uint64(distance) | words >> np.uint64(32 - distance)) & _MASK


def permute_many(words: Sequence[Uints], rounds: int) -> list[Uints]:
    """P_r of four arrays of words below 2^32 (rule 3.1)."""
    v0, v1, v2, v3 = words
    for _ in range(rounds):
        v0, v2 = v0 + v1 & _MASK, v2 + v3 & _MASK
        v1, v3 = _rotl_many(v1, 5) ^ v0, _rotl_many(v3, 8) ^ v2
        v0, v2 = _rotl_many(v0, 16) + v3 & _MASK, v2 + v1 & _MASK
        v3, v1 = _rotl_many(v3, 13) ^ v0, _rotl_many(v1, 7) ^ v2
        v2 = _rotl_many(v2, 16)
    return [v0, v1, v2, v3]


def bytes_many(
    seed: npt.ArrayLike,
    step: npt.ArrayLike,
    tensor: npt.ArrayLike,
    orientation: npt.ArrayLike,
    indices: npt.ArrayLike,
) -> Bytes:
    """`block_bytes` of integers or arrays that broadcast to [...]: uint8[..., 16]."""
    seeds, steps, tensors, sides, numbers_ = (
        np.asarray(words, np.uint64) for words in (seed, step, tensor, orientation, indices)
    )
    fourth = np.uint64(2) * tensors + sides
    constants = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    words = (seeds & _MASK, seeds >> np.uint64(32), steps, fourth)
    assert all((word <= _MASK).all() for word in (*words, numbers_))
    key = permute_many([w ^ np.uint64(c) for w, c in zip(words, constants, strict=True)], 8)
    shape = np.broadcast_shapes(key[0].shape, key[3].shape, numbers_.shape)
    mixed = permute_many([key[0] ^ numbers_, *key[1:]], 5)
    outs = [np.broadcast_to(word, shape).astype("<u4") for word in mixed]
    return np.stack(outs, axis=-1).view(np.uint8)


# The accumulator.


class StateMany(NamedTuple):
    """`State` over arrays of one shape: int64, int64 and bool."""

    a: Ints
    x: Ints
    poison: npt.NDArray[np.bool_]


def start_many(shape: Sequence[int]) -> StateMany:
    """The states before the first step."""
    return StateMany(
        np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    )


def step_many(
    state: StateMany,
    a_codes: Integers,
    a_elements: Integers,
    b_codes: Integers,
    b_elements: Integers,
) -> StateMany:
    """`step` of codes [..., 2] and elements [..., 2, 16] that broadcast to the states' shape."""
    poison = state.poison | (a_codes == POISON).any(-1) | (b_codes == POISON).any(-1)
    scaled_a, scaled_b = (((codes > ZERO) & (codes < POISON)) for codes in (a_codes, b_codes))
    x, terms = state.x, []
    for i in range(2):
        sums = np.einsum(
            "...k,...k->...", *(e[..., i, :].astype(np.int32) for e in (a_elements, b_elements))
        )
        taking = scaled_a[..., i] & scaled_b[..., i]
        exponents = (a_codes[..., i].astype(np.int64) + b_codes[..., i]) * taking
        terms.append((exponents, (sums.astype(np.int64) << GUARD) * taking))
        x = np.maximum(x, exponents)
    # A distance of 63 does what every longer one does.
    a = state.a >> np.minimum(x - state.x, 63)
    for exponents, sums in terms:
        a += sums >> np.minimum(x - exponents, 63)
    large = (a < -(2**30)) | (a >= 2**30)
    return StateMany(a >> large, x + large, poison)


def result_many(state: StateMany, b_a: int, b_b: int) -> Words:
    """`result` over arrays."""
    size = np.abs(state.a)
    length = np.searchsorted(2 ** np.arange(31), size.ravel(), side="right").reshape(size.shape)
    # size is brought to 24 bits, exactly where it has fewer.
    drop = np.maximum(length - 24, 0)
    floor = size >> drop
    twice, whole = (size - (floor << drop)) * 2, np.int64(1) << drop
    floor = floor + ((twice > whole) | ((twice == whole) & (floor & 1 == 1)))
    significand = floor << np.maximum(24 - length, 0)
    carried = significand == 2**24
    field = state.x - 248 - b_a - b_b - GUARD + length - 1 + 127 + carried
    fraction = np.where(carried, 0, significand - 2**23)
    negative = np.where(state.a < 0, 2**31, 0)
    bits = np.where(field >= 255, 255 << 23, (field << 23) + fraction) + negative
    bits = np.where((size == 0) | (field < 1), 0, bits)
    return np.where(state.poison, QUIET_NAN, bits).astype(np.uint32)


def steps_many(blocks: Blocks) -> Blocks:
    """Codes [..., steps, 2] and elements [..., steps, 2, 16] of [..., blocks] (rule 4.2)."""
    codes, elements = blocks
    odd = codes.shape[-1] % 2
    lead = [(0, 0)] * (codes.ndim - 1)
    codes = np.pad(codes, [*lead, (0, odd)])
    elements = np.pad(elements, [*lead, (0, odd), (0, 0)])
    steps = (*codes.shape[:-1], -1, 2)
    return Blocks(codes.reshape(steps), elements.reshape(*steps, SIZE))


def passes_many(a: Sequence[Blocks], b: Sequence[Blocks]) -> tuple[Blocks, Blocks]:
    """The steps of all passes of operands of one or two planes [..., blocks] (rule 4.7)."""
    both = [(i, j) for i, j in ((0, 0), (0, 1), (1, 0)) if i < len(a) and j < len(b)]
    stepped_a, stepped_b = [steps_many(p) for p in a], [steps_many(p) for p in b]
    return _joined([stepped_a[i] for i, _ in both]), _joined([stepped_b[j] for _, j in both])


def _joined(parts: Sequence[Blocks]) -> Blocks:
    codes = np.concatenate([part.codes for part in parts], axis=-2)
    return Blocks(codes, np.concatenate([part.elements for part in parts], axis=-3))


def _chunks(shape: tuple[int, ...], most: int = 65536) -> Iterator[tuple[slice, ...]]:
    """Parts of an array of a shape, of that many elements at most, that make it up."""
    if math.prod(shape) <= most:
        yield tuple(slice(0, n) for n in shape)
        return
    axis = next(i for i, n in enumerate(shape) if n > 1)
    half = shape[axis] // 2
    for first, n in ((0, half), (half, shape[axis] - half)):
        for part in _chunks((*shape[:axis], n, *shape[axis + 1 :]), most):
            moved = slice(part[axis].start + first, part[axis].stop + first)
            yield (*part[:axis], moved, *part[axis + 1 :])


def _part(array: Integers, lead: int, part: tuple[slice, ...], own: int) -> Integers:
    """A part of an array whose axes but the last ``own`` are broadcast to ``lead`` axes."""
    shape = array.shape[: array.ndim - own]
    array = array.reshape((1,) * (lead - len(shape)) + array.shape)
    return array[
        tuple(p if n > 1 else slice(None) for p, n in zip(part, array.shape, strict=False))
    ]


def dot_many(  # noqa: PLR0917
    a_codes: Bytes,
    a_elements: Elements,
    b_codes: Bytes,
    b_elements: Elements,
    b_a: int,
    b_b: int,
) -> Words:
    """The bits of the fp32 sums of the steps of `steps_many` or `passes_many`: uint32[...].

    Codes are [..., steps, 2] and elements [..., steps, 2, 16]; the leading axes are broadcast
    ([M, 1] against [1, N]) without being held as such.
    """
    shape = np.broadcast_shapes(a_codes.shape[:-2], b_codes.shape[:-2])
    assert a_codes.shape[-2:] == b_codes.shape[-2:], (a_codes.shape, b_codes.shape)
    out = np.empty(shape, np.uint32)
    for part in _chunks(shape):
        ac, bc = (_part(codes, len(shape), part, 2) for codes in (a_codes, b_codes))
        ae, be = (_part(elements, len(shape), part, 3) for elements in (a_elements, b_elements))
        state = start_many(out[part].shape)
        for k in range(a_codes.shape[-2]):
            state = step_many(
                state, ac[..., k, :], ae[..., k, :, :], bc[..., k, :], be[..., k, :, :]
            )
        out[part] = result_many(state, b_a, b_b)
    return out
