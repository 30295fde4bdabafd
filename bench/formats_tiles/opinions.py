"""What the golden model and the compiled functions say of tiles, and where opinions differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tests.formats import golden

from formats_tiles.draw import ROWS, Words
from formats_tiles.ways import Side, Way
from zhufeng.formats import host
from zhufeng.formats.blocks import BLOCK

Opinion: TypeAlias = Mapping[str, NDArray[Any]]
"""Of each tile (the first axis): ``a codes`` (tiles, 16, planes, blocks), ``a elements`` (tiles,
16, planes, blocks, 16), the same of ``b``, and ``out``, the bits of the results (tiles, 16, 16)."""


def by_golden(a: Words, b: Words, way: Way) -> Opinion:
    """The golden model's."""
    first, second = _golden(a, way.a), _golden(b, way.b)
    (ac, ae), (bc, be) = golden.passes_many(first, second)
    bits = (way.a.bits, way.b.bits)
    out = golden.dot_many(ac[:, :, None], ae[:, :, None], bc[:, None], be[:, None], *bits)
    return opinion([tuple(one) for one in first], [tuple(one) for one in second], out)


def by_host(a: Words, b: Words, way: Way) -> Opinion:
    """The compiled functions'."""
    first, second = _host(a, way.a), _host(b, way.b)
    out = host.multiply(first, second).view(np.uint32)
    return opinion(_planes(first), _planes(second), out)


Plane: TypeAlias = tuple[NDArray[Any], ...]
"""Codes (tiles, 16, blocks) and elements (tiles, 16, blocks, 16)."""


def opinion(a: Sequence[Plane], b: Sequence[Plane], out: NDArray[Any]) -> Opinion:
    """Of the planes of both operands, and the results."""
    found: dict[str, NDArray[Any]] = {"out": out}
    for name, planes in (("a", a), ("b", b)):
        for number, what in enumerate(("codes", "elements")):
            found[f"{name} {what}"] = np.stack([plane[number] for plane in planes], 2)
    return found


def different(one: Opinion, other: Opinion) -> NDArray[np.bool_]:
    """Which tiles have any difference."""
    assert one.keys() == other.keys()
    found = [_unequal(one[name], other[name]) for name in one]
    unequal: NDArray[np.bool_] = np.logical_or.reduce([e.reshape(len(e), -1).any(1) for e in found])
    return unequal


def told(one: Opinion, other: Opinion) -> Iterator[str]:
    """The first difference of each tile that has any: where, and both values."""
    for tile in np.flatnonzero(different(one, other)).tolist():
        # Codes before elements before results: what is wrong first.
        for name in sorted(one, key=lambda name: (name == "out", "elements" in name)):
            places = np.argwhere(_unequal(one[name][tile], other[name][tile]))
            if len(places):
                at = tuple(places[0].tolist())
                values = one[name][tile][at], other[name][tile][at]
                yield f"tile {tile}: {name}{list(at)} is {values[0]:#x}, not {values[1]:#x}"
                break


def _unequal(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    assert one.shape == other.shape, (one.shape, other.shape)
    unequal: NDArray[np.bool_] = np.asarray(one != other)
    return unequal


def _golden(x: Words, side: Side) -> list[golden.Blocks]:
    blocks, noise = x.reshape(len(x), ROWS, -1, BLOCK), None
    if side.rounding is not None:
        r = side.rounding
        indices = np.arange(x.size // BLOCK).reshape(blocks.shape[:-1])
        noise = golden.bytes_many(r.seed, r.step, r.tensor, r.orientation, indices)
    if side.shared:
        blocks = blocks.swapaxes(1, 2)
    made: Sequence[golden.Blocks]
    if side.planes == 1:
        made = [golden.quantise_many(blocks, side.bits, noise, tiles=side.shared)]
    else:
        both = golden.planes_many(blocks, side.bits, noise, tiles=side.shared)
        made = [both.hi, both.lo]
    if side.shared:
        made = [golden.Blocks(c.swapaxes(1, 2), e.swapaxes(1, 2)) for c, e in made]
    return list(made)


def _host(x: Words, side: Side) -> host.Blocks | host.Planes:
    quantise = host.quantise if side.planes == 1 else host.quantise_planes
    return quantise(x.view(np.float32), side.bits, side.rounding, tiles=side.shared)


def _planes(made: host.Blocks | host.Planes) -> list[Plane]:
    planes = [made.high, made.low] if isinstance(made, host.Planes) else [made]
    return [(one.codes, one.elements) for one in planes]
