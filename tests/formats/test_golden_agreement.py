"""The two golden models against one another, and against float64 and fractions.

float64 holds every number of these rules but the sums exactly, so NumPy's arithmetic in it is a
truth of its own; sums have Python's fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.formats import golden
from tests.formats.golden import POISON, SIZE, WIDTHS, ZERO_BLOCK, Block, Blocks, Pair, State

Words = npt.NDArray[np.uint32]
NO_SIGN = np.uint32(0x7FFFFFFF)
ONE = Block(128, (1,) + (0,) * 15)  # 1 where b is 4


def hard_bits(rng: np.random.Generator, blocks: int) -> Words:
    """Blocks over the whole range of fp32, with ties, zeros, subnormals, infinities and NaNs."""
    base = rng.integers(0, 256, (blocks, 1)).clip(1, 254)
    spread = rng.choice([1, 3, 10, 30], (blocks, 1))
    field = (base - rng.integers(0, 30, (blocks, SIZE)) % spread).clip(0, 254)
    fraction = rng.integers(0, 2**23, (blocks, SIZE))
    kept = rng.choice([1, 2, 4, 6, 8, 14, 23], (blocks, SIZE))
    fraction = fraction >> (23 - kept) << (23 - kept)  # few bits: ties, and exact maxima
    bits = rng.integers(0, 2, (blocks, SIZE)) << 31 | field << 23 | fraction
    bits[rng.random((blocks, SIZE)) < 0.05] &= 1 << 31
    special = rng.random((blocks, SIZE)) < 0.002
    bits[special] |= 255 << 23
    hard: Words = bits.astype(np.uint32)
    return hard


def noise_of(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    noise = rng.integers(0, 256, shape, np.uint8)
    edge = rng.random(shape) < 0.2
    return np.where(edge, rng.choice(np.array([0, 1, 254, 255], np.uint8), shape), noise)


def one_of(blocks: Blocks, index: tuple[int, ...]) -> Block:
    return Block(int(blocks.codes[index]), tuple(blocks.elements[index].tolist()))


def blocks_of(codes: npt.NDArray[Any], elements: npt.NDArray[Any]) -> list[Block]:
    return [Block(c, tuple(e)) for c, e in zip(codes.tolist(), elements.tolist(), strict=True)]


@pytest.mark.parametrize("b", WIDTHS)
def test_every_scale(b: int) -> None:
    # The largest element that has a code, in every octave, and its neighbours.
    limit = ((1 << (b - 1)) - 1) << (25 - b)
    significands = np.array([2**23, limit - 1, limit, limit + 1, 2**24 - 1])
    bits = (np.arange(1, 255)[:, None] << 23) + significands - 2**23
    many = golden.quantise_many(bits.reshape(-1, 1).repeat(SIZE, -1).astype(np.uint32), b)
    assert many.codes.tolist() == [golden.scale_code([x], b) for x in bits.ravel().tolist()]
    assert many.codes.min() == 0
    assert many.codes.max() == 254
    assert np.abs(many.elements).max() == (1 << (b - 1)) - 1
    assert (many.elements[many.codes > 0] >= (1 << (b - 2))).all()


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("b", WIDTHS)
def test_both_quantise_alike(b: int, stochastic: bool) -> None:
    rng = np.random.default_rng([b, stochastic])
    bits = hard_bits(rng, 400)
    noise = noise_of(rng, bits.shape) if stochastic else None
    rows = [None] * len(bits) if noise is None else noise.tolist()
    slow = [golden.quantise(x, b, u) for x, u in zip(bits.tolist(), rows, strict=True)]
    assert blocks_of(*golden.quantise_many(bits, b, noise)) == slow
    slow_planes = [golden.planes(x, b, u) for x, u in zip(bits.tolist(), rows, strict=True)]
    many = golden.planes_many(bits, b, noise)
    assert blocks_of(*many.hi) == [p.hi for p in slow_planes]
    assert blocks_of(*many.lo) == [p.lo for p in slow_planes]


@pytest.mark.parametrize("b", WIDTHS)
def test_both_quantise_tiles_alike(b: int) -> None:
    rng = np.random.default_rng(b)
    bits = hard_bits(rng, 8 * SIZE).reshape(2, 4, SIZE, SIZE)
    bits[0, 0, 3, 5] = 0x7F800001
    bits[0, 1:] &= np.uint32(0xBFFFFFFF)  # no infinities
    noise = noise_of(rng, bits.shape)
    many = golden.quantise_many(bits, b, noise, tiles=True)
    planes = golden.planes_many(bits, b, noise, tiles=True)
    assert many.codes.shape == planes.lo_codes.shape == (2, 4, SIZE)
    for i in np.ndindex(2, 4, SIZE):
        row, u, tile = bits[i].tolist(), noise[i].tolist(), bits[i[:2]].ravel().tolist()
        assert one_of(many, i) == golden.quantise(row, b, u, tile)
        slow = golden.planes(row, b, u, tile)
        assert (one_of(planes.hi, i), one_of(planes.lo, i)) == (slow.hi, slow.lo)
    turned = golden.quantise_many(bits.swapaxes(-1, -2).copy(), b, tiles=True)
    straight = golden.quantise_many(bits, b, tiles=True)
    assert (turned.elements.swapaxes(-1, -2) == straight.elements).all()
    assert (turned.codes == straight.codes).all()


def in_float64(
    bits: Words, b: int, noise: npt.NDArray[np.uint8] | None, plane: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The code of each block with no infinity in it, and x·2^(plane-e) rounded."""
    with np.errstate(invalid="ignore"):
        x = bits.view(np.float32).astype(np.float64)
    x[np.abs(x) < 2.0**-126] = 0
    scales = ((1 << (b - 1)) - 1) * 2.0 ** np.arange(-140, 130)
    amax = np.abs(x).max(-1)
    e = np.searchsorted(scales, amax) - 140  # the first scale that is not below amax
    codes = np.where(amax == 0, 0, np.maximum(e + 124 + b, 0))
    scaled = np.ldexp(np.abs(x), (plane - e)[:, None])
    bytes_ = 0 if noise is None else noise
    noisy = np.floor((np.floor(scaled * 256) + bytes_) / 256)
    sizes = np.rint(scaled) if noise is None else noisy
    return codes, np.copysign(sizes, x) * (codes > 0)[:, None]


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("b", WIDTHS)
def test_float64_quantises_alike(b: int, stochastic: bool) -> None:
    rng = np.random.default_rng([b, stochastic])
    bits = hard_bits(rng, 20000)
    poison = ((bits & NO_SIGN) >= 0x7F800000).any(-1)
    assert 100 < poison.sum() < 2000
    noise = noise_of(rng, bits.shape) if stochastic else None
    made = golden.quantise_many(bits, b, noise)
    planes = golden.planes_many(bits, b, noise)
    for codes, elements in (made, planes.hi, planes.lo):
        assert (codes[poison] == POISON).all()
        assert not elements[poison].any()
    fine, u = bits[~poison], None if noise is None else noise[~poison]
    wanted, numbers = in_float64(fine, b, u, 0)
    assert (made.codes[~poison] == wanted).all()
    assert (made.elements[~poison] == numbers).all()
    assert np.abs(made.elements).max() == (1 << (b - 1)) - 1
    wanted, both = in_float64(fine, b, u, b - 1)
    hi, lo = (plane.elements[~poison].astype(int) for plane in (planes.hi, planes.lo))
    assert (planes.hi_codes[~poison] == wanted).all()
    kept = wanted > b - 1
    assert (((hi << (b - 1)) + lo) == both)[kept].all()
    assert not lo[~kept].any()
    # hi is nearest to Q/2^(b-1), and of two as near, the one that is further from 0.
    halves = np.floor(np.abs(both) / 2 ** (b - 1) + 0.5)
    assert (np.abs(hi) == halves).all()
    zero_lo = ~kept | ~lo.any(-1)
    assert (planes.lo_codes[~poison] == np.where(zero_lo, 0, wanted - (b - 1))).all()


def test_both_have_the_same_bytes() -> None:
    rng = np.random.default_rng(3)
    n = 2000
    seeds = rng.integers(0, 2**64, n, np.uint64)
    steps, indices = rng.integers(0, 2**32, (2, n))
    tensors, sides = rng.integers(0, 2**31, n), rng.integers(0, 2, n)
    many = golden.bytes_many(seeds, steps, tensors, sides, indices)
    each = zip(*(x.tolist() for x in (seeds, steps, tensors, sides, indices)), strict=True)
    assert [row.tobytes() for row in many] == [golden.block_bytes(*these) for these in each]
    assert golden.bytes_many(7, 1, 2, 0, 9).tobytes() == golden.block_bytes(7, 1, 2, 0, 9)
    grid = golden.bytes_many(7, 1, 2, np.arange(2)[:, None], np.arange(5))
    assert grid.shape == (2, 5, SIZE)
    assert grid[1, 4].tobytes() == golden.block_bytes(7, 1, 2, 1, 4)


def hard_blocks(rng: np.random.Generator, shape: tuple[int, ...], b: int) -> Blocks:
    """Blocks whose codes are near in some rows and far in others, few of them 0 or poison."""
    qmax = (1 << (b - 1)) - 1
    rows = (*shape[:-1], 1)
    middle, spread = rng.integers(1, 255, rows), rng.choice([1, 4, 20, 254], rows)
    codes = (middle + rng.integers(0, 254, shape) % spread).clip(1, 254)
    codes[rng.random(shape) < 0.1] = 0
    codes[rng.random(shape) < 0.005] = POISON
    elements = rng.integers(-qmax, qmax + 1, (*shape, SIZE))
    elements[rng.random(shape) < 0.2] = qmax
    elements[rng.random(shape) < 0.1] = -qmax
    elements[rng.random(shape) < 0.3] //= 16
    elements[(codes == 0) | (codes == POISON)] = 0
    return Blocks(codes.astype(np.uint8), elements.astype(np.int8))


@pytest.mark.parametrize(("b_a", "b_b"), [(4, 4), (5, 8), (6, 6), (8, 8)])
def test_both_accumulate_alike(b_a: int, b_b: int) -> None:
    rng = np.random.default_rng([b_a, b_b])
    sums, count = 300, 9
    a, b = hard_blocks(rng, (sums, count), b_a), hard_blocks(rng, (sums, count), b_b)
    slow = [
        golden.states([list(zip(blocks_of(*x), blocks_of(*y), strict=True))])
        for x, y in zip(zip(*a, strict=True), zip(*b, strict=True), strict=True)
    ]
    stepped_a, stepped_b = golden.steps_many(a), golden.steps_many(b)
    state = golden.start_many((sums,))
    for k in range(stepped_a.codes.shape[1]):
        parts = (array[:, k] for array in (*stepped_a, *stepped_b))
        state = golden.step_many(state, *parts)
        held = [State(*s) for s in zip(*(part.tolist() for part in state), strict=True)]
        assert held == [states[k + 1] for states in slow]
    results = golden.dot_many(*stepped_a, *stepped_b, b_a, b_b).tolist()
    assert results == [golden.result(states[-1], b_a, b_b) for states in slow]
    assert sum(bits == golden.QUIET_NAN for bits in results) in range(5, 60)


def test_both_shift_alike_at_the_limit() -> None:
    # One step brings A from around the limit, by 1024 at a time, to it and past it.
    near = 2**30 - 1024 * np.array([1, 2, 3]) + np.arange(-2, 3)[:, None]
    held = np.concatenate([near, -near], axis=None)
    held = held[np.abs(held) < 2**30]
    state = golden.StateMany(held, np.full(held.shape, 256), np.zeros(held.shape, bool))
    signs = np.where(held < 0, -1, 1)[:, None, None]
    elements = np.zeros((1, 2, SIZE), np.int8)
    elements[..., 0] = 1
    codes = np.array([[128, 0]], np.uint8)
    made = golden.step_many(state, codes, elements * signs, codes, elements)
    slow = [
        golden.step(State(a, 256), [(Block(128, ((1 if a > 0 else -1), *[0] * 15)), ONE)])
        for a in held.tolist()
    ]
    assert list(zip(made.a.tolist(), made.x.tolist(), strict=True)) == [s[:2] for s in slow]
    assert {s.a for s in slow} >= {2**29, 2**30 - 1, -(2**30)}


def exact_sum(pairs: Sequence[Pair], b_a: int, b_b: int) -> Fraction:
    products = (
        p * q
        for x, y in pairs
        for p, q in zip(golden.numbers(x, b_a), golden.numbers(y, b_b), strict=True)
    )
    return sum(products, Fraction(0))


@pytest.mark.parametrize(("b_a", "b_b"), [(4, 5), (6, 6), (8, 8)])
def test_a_sum_is_never_above_the_exact_one_and_near_it(b_a: int, b_b: int) -> None:
    rng = np.random.default_rng([b_a, b_b])
    a, b = hard_blocks(rng, (100, 15), b_a), hard_blocks(rng, (100, 15), b_b)
    exactly = 0
    for i in range(100):
        x, y = blocks_of(a.codes[i], a.elements[i]), blocks_of(b.codes[i], b.elements[i])
        pairs = [p for p in zip(x, y, strict=True) if POISON not in {p[0].code, p[1].code}]
        states = golden.states([pairs])
        below = exact_sum(pairs, b_a, b_b) - golden.value(states[-1], b_a, b_b)
        # A step cuts at most four numbers, each by less than the last place A has in the end.
        unit = golden.value(State(1, states[-1].x), b_a, b_b)
        assert 0 <= below < 4 * len(states) * unit
        exactly += below == 0
        # Steps of zero blocks may be left out.
        more = [p for k in range(0, 14, 2) for p in (*pairs[k : k + 2], *[(ZERO_BLOCK, ONE)] * 2)]
        assert golden.states([more])[-1] == golden.states([pairs[:14]])[-1]
    assert 5 < exactly < 95


def test_both_round_alike_and_as_float32() -> None:
    rng = np.random.default_rng(4)
    n = 100000
    a = rng.integers(-(2**30) + 1, 2**30, n) >> rng.integers(0, 31, n)
    kept = rng.choice([1, 8, 23, 24, 25, 26, 30], n)
    a = a >> (30 - kept) << (30 - kept)  # ties
    a[:99] = 2**30 - 1 - np.arange(99)
    x = rng.integers(0, 1024, n)
    x[n // 2 :] = rng.integers(100, 450, n - n // 2)  # most of these are fp32
    poison = rng.random(n) < 0.01
    for b_a, b_b in ((4, 4), (8, 5)):
        many = golden.result_many(golden.StateMany(a, x, poison), b_a, b_b)
        for i in range(0, n, 50):
            state = State(int(a[i]), int(x[i]), bool(poison[i]))
            assert many[i] == golden.result(state, b_a, b_b)
        # float32 rounds A to 24 bits; its range is taken care of in float64.
        rounded = np.ldexp(a.astype(np.float32).astype(np.float64), x - 258 - b_a - b_b)
        rounded[np.abs(rounded) < 2.0**-126] = 0
        rounded[np.abs(rounded) >= 2.0**128] *= np.inf
        expected = (rounded + 0.0).astype(np.float32).view(np.uint32)
        assert (many == np.where(poison, golden.QUIET_NAN, expected)).all()


# Which plane of either operand a pass takes: of two and two, two and one, one and two, one and one.
PASSES: list[list[tuple[int, int]]] = [
    [(0, 0), (0, 1), (1, 0)],
    [(0, 0), (1, 0)],
    [(0, 0), (0, 1)],
    [(0, 0)],
]


@pytest.mark.parametrize("b", WIDTHS)
def test_rows_against_columns_in_planes(b: int) -> None:
    rng = np.random.default_rng(b)
    bits_a, bits_b = (
        rng.normal(size=(n, 5, SIZE)).astype(np.float32).view(np.uint32) for n in (270, 260)
    )
    planes_a, planes_b = golden.planes_many(bits_a, b), golden.planes_many(bits_b, b)
    for order in PASSES:
        a = [planes_a.hi, planes_a.lo][: 1 + max(i for i, _ in order)]
        c = [planes_b.hi, planes_b.lo][: 1 + max(j for _, j in order)]
        (ac, ae), (bc, be) = golden.passes_many(a, c)
        assert not ac[:, 2::3, 1].any()
        assert not bc[:, 2::3, 1].any()
        for k, (i, j) in enumerate(order):  # five blocks are three steps
            part = slice(3 * k, 3 * k + 3)
            assert (ae[:, part].reshape(270, 6, SIZE)[:, :5] == a[i].elements).all()
            assert (be[:, part].reshape(260, 6, SIZE)[:, :5] == c[j].elements).all()
        made = golden.dot_many(ac[:, None], ae[:, None], bc[None], be[None], b, b)
        assert made.shape == (270, 260)
        for i, j in rng.integers(0, 260, (10, 2)).tolist():
            rows = [blocks_of(p.codes[i], p.elements[i]) for p in a]
            columns = [blocks_of(p.codes[j], p.elements[j]) for p in c]
            assert made[i, j] == golden.dot_passes(golden.passes(rows, columns), b, b)
        single = golden.dot_many(ac[3], ae[3], bc, be, b, b)
        assert (single == made[3]).all()
