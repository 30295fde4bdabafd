"""Blocks to try: those on which a quantiser or a dot unit would stumble."""

from __future__ import annotations

import numpy as np

from tests.formats.microscaling_oracle import Array, largest, values
from zhufeng.formats.floats import E2M1, E4M3
from zhufeng.formats.microscaling import Element


def drawn(element: Element, count: int, size: int, seed: int) -> Array:
    """Blocks on which a quantiser would stumble."""
    draw = np.random.default_rng(seed)
    power = np.ldexp(1.0, draw.integers(-140, 128, (count, 1)))
    kinds = [
        draw.standard_normal((count, size)),
        draw.standard_normal((count, size)) * np.ldexp(1.0, draw.integers(-16, 1, (count, size))),
        ties(element, (count, size), draw),
        draw.choice([0.0, 1.0, 1.0, 2.0 - 2.0**-23], (count, size)),
        largest(element) * (1 + draw.choice([-1, 0, 0, 1], (count, size)) * 2.0**-23),
    ]
    which = draw.integers(0, len(kinds), (count, 1))
    sign = draw.choice([-1.0, 1.0], (count, size))
    x: Array
    with np.errstate(over="ignore"):
        x = (np.choose(which, kinds) * power * sign).astype(np.float32)
    x[draw.random(count) < 0.02] = 0
    odd = draw.random((count, size)) < 0.0005
    x[odd] = draw.choice([np.inf, -np.inf, np.nan], odd.sum())
    return x


def ties(element: Element, shape: tuple[int, ...], draw: np.random.Generator) -> Array:
    """Fp32 in the middle of two elements, and next to it."""
    known = np.unique(np.abs(values(element)[np.isfinite(values(element))]))
    low = draw.integers(0, len(known) - 1, shape)
    middle: Array = ((known[low] + known[low + 1]) / 2).astype(np.float32)
    return (middle.view(np.int32) + draw.choice([-1, 0, 0, 1], shape).astype(np.int32)).view(
        np.float32
    )


def nvfp4_drawn(count: int, seed: int) -> tuple[Array, Array]:
    """Blocks and scales of tensors that have something to do with one another."""
    draw = np.random.default_rng(seed)
    tensor = draw.integers(1 << 23, 0x7F800000, count).astype(np.uint32)
    near = draw.random(count) < 0.9
    tensor[near] = (2.0 ** draw.integers(-126, 90, near.sum())).astype(np.float32).view(np.uint32)
    tensor[near] |= draw.choice([0, 1, 0x400000, 0x7FFFFF], near.sum()).astype(np.uint32)
    scale = tensor.view(np.float32).astype(np.float64)[:, None]
    # Magnitudes near those of the format, and of whole block scales, so that there are ties.
    power = np.ldexp(1.0, draw.integers(-12, 10, (count, 1)))
    block_scale = draw.choice(values(E4M3)[8:127], (count, 1))
    kinds = [
        draw.standard_normal((count, 16)) * power,
        # With a 6 among them, that is the very scale of the block.
        np.where(np.arange(16) == 5, 6, ties(E2M1, (count, 16), draw)) * block_scale,
        draw.choice([0.0, 0.25, 1.0, 6.0], (count, 16)) * block_scale,
        6 * ties(E4M3, (count, 1), draw) * draw.choice([0.1, 0.5, 1.0], (count, 16)),
    ]
    which = draw.integers(0, len(kinds), (count, 1))
    sign = draw.choice([-1.0, 1.0], (count, 16))
    with np.errstate(over="ignore"):
        x = (np.choose(which, kinds) * scale * sign).astype(np.float32)
    x[draw.random(count) < 0.02] = 0
    odd = draw.random((count, 16)) < 0.0005
    x[odd] = draw.choice([np.inf, -np.inf, np.nan], odd.sum())
    return x, tensor.view(np.float32)


def dot_inputs(
    pair: tuple[Element, Element], shape: tuple[int, int], seed: int, size: int = 32
) -> dict[str, Array]:
    """Finite blocks for a dot unit [cycles, lanes]; of each lane, scales of about one magnitude."""
    draw = np.random.default_rng(seed)
    given: dict[str, Array] = {}
    for element, name in zip(pair, "ab", strict=True):
        usable = np.flatnonzero(np.isfinite(values(element)))
        bits = draw.choice(usable, (*shape, size)).astype(np.uint8)
        # The largest elements, and few of them.
        bits[draw.random(shape) < 0.1] = usable[values(element)[usable].argmax()]
        bits[draw.random((*shape, size)) < draw.choice([0, 0, 0.9], (*shape, 1))] = 0
        given[name] = bits
    # Products from below the smallest number of fp32 to above the largest.
    spread = sum(np.log2(largest(element)) for element in pair)
    middle = np.linspace(127 - (150 + spread) / 2, 127 + (135 - spread) / 2, shape[1])
    for name in "ab":
        near = middle + draw.integers(-4, 5, shape)
        given[f"{name}_scale"] = np.clip(near, 0, 254).astype(np.uint8)
    return given


def nvfp4_inputs(shape: tuple[int, int], seed: int) -> dict[str, Array]:
    """As `dot_inputs`, with scales in E4M3; of some the highest bit is 1."""
    given = dot_inputs((E2M1, E2M1), shape, seed, size=16)
    draw = np.random.default_rng(seed + 1)
    scales = {f"{name}_scale": draw.integers(0, 127, shape).astype(np.uint8) for name in "ab"}
    scales["a_scale"][draw.random(shape) < 0.2] = 0x7E
    scales["b_scale"][draw.random(shape) < 0.2] |= 0x80
    scales["b_scale"][draw.random(shape) < 0.1] = 0x01
    return {**given, **scales}
