"""docs/formats.md, chapter 4: the dot unit against the golden model."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.formats import golden
from tests.formats.golden import Blocks as Parts
from zhufeng.base import InputError
from zhufeng.formats import blocks, floats
from zhufeng.formats.host import Blocks, Planes, multiply, quantise, quantise_planes
from zhufeng.hdl import Bool, Signal, SInt, UInt, function
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.compile import compile_function
from zhufeng.hdl.interpret import interpret

Array = npt.NDArray[Any]
WIDTHS = (4, 5, 6, 8)
PAIRS = [(6, 6), (4, 4), (5, 5), (8, 8), (4, 8), (6, 5)]


def parts(seed: int, lead: tuple[int, ...], count: int, bits: int, spread: int = 8) -> Parts:
    """Random blocks: of near scales, among them zero blocks, poison, and the largest elements."""
    draw = np.random.default_rng(seed)
    largest = 2 ** (bits - 1) - 1
    elements = draw.integers(-largest, largest + 1, (*lead, count, 16)).astype(np.int8)
    full = draw.random((*lead, count)) < 0.2
    elements[full] = largest * draw.choice([-1, 1], (full.sum(), 1)).astype(np.int8)
    codes = draw.integers(120, 120 + spread, (*lead, count)).astype(np.uint8)
    far = draw.random((*lead, count)) < 0.1
    codes[far] = draw.integers(1, 255, far.sum())
    for code, share in ((0, 0.1), (255, 0.002)):
        hit = draw.random((*lead, count)) < share
        codes[hit], elements[hit] = code, 0
    return Parts(codes, elements)


def blocks_of(found: Parts, bits: int) -> Blocks:
    """For the functions over arrays."""
    count = found.codes.shape[-1]
    whole = golden.steps_many(found)
    codes = whole.codes.reshape(*found.codes.shape[:-1], -1)
    return Blocks(bits, count * 16, codes, whole.elements.reshape(*codes.shape, 16))


def golden_product(a: Parts, b: Parts, a_bits: int, b_bits: int) -> Array:
    """All rows of a with all rows of b."""
    ac, ae = golden.steps_many(a)
    bc, be = golden.steps_many(b)
    return golden.dot_many(
        ac[..., :, None, :, :],
        ae[..., :, None, :, :, :],
        bc[..., None, :, :, :],
        be[..., None, :, :, :, :],
        a_bits,
        b_bits,
    )


def bits_of(product_: npt.NDArray[np.float32]) -> Array:
    """The bits of fp32."""
    return product_.view(np.uint32)


@pytest.mark.parametrize(("a_bits", "b_bits"), PAIRS)
@pytest.mark.parametrize("count", [1, 2, 3, 8, 21])
def test_products_equal_the_golden_model(a_bits: int, b_bits: int, count: int) -> None:
    a, b = parts(1, (2, 19), count, a_bits), parts(2, (2, 37), count, b_bits)
    found = multiply(blocks_of(a, a_bits), blocks_of(b, b_bits))
    assert np.array_equal(bits_of(found), golden_product(a, b, a_bits, b_bits))
    assert np.isnan(found).any() == (a.codes == 255).any() or (b.codes == 255).any()


def test_rule_4_1_the_accumulator_is_a_number_an_exponent_and_poison() -> None:
    held = blocks.Accumulator.fields_
    assert list(held) == ["sum", "exponent", "poison"]
    # A single product of 1·1 at all codes: the value is 2^(e_a + e_b).
    for bits in WIDTHS:
        codes = np.arange(65 + bits, 185 + bits, dtype=np.uint8)
        one = np.zeros((codes.size, 1, 16), np.int8)
        one[:, 0, 4] = 1
        a = blocks_of(Parts(codes[:, None], one), bits)
        found = np.diag(multiply(a, a)).astype(np.float64)
        assert np.array_equal(found, 4.0 ** (codes.astype(int) - 124 - bits))


def test_rule_4_2_a_pair_with_a_zero_block_takes_no_part() -> None:
    a, b = parts(3, (40,), 8, 6), parts(4, (40,), 8, 6)
    none = np.random.default_rng(5).random(8) < 0.5
    without = Parts(np.where(none, 0, a.codes), np.where(none[:, None], 0, a.elements))
    # What stands in the other block of such a pair has no influence.
    other = Parts(np.where(none, 77, b.codes), b.elements)
    found = [multiply(blocks_of(without, 6), blocks_of(one, 6)) for one in (b, other)]
    poison = (b.codes[:, none] == 255).any(-1)
    assert np.array_equal(bits_of(found[0])[:, ~poison], bits_of(found[1])[:, ~poison])
    # Whole steps may be left out.
    steps = golden.steps_many(a)
    longer = Parts(np.insert(steps.codes, 2, 0, -2), np.insert(steps.elements, 2, 0, -3))
    wide = Blocks(6, 160, longer.codes.reshape(40, -1), longer.elements.reshape(40, -1, 16))
    also = golden.steps_many(
        Parts(np.insert(b.codes, [4, 4], 9, -1), np.insert(b.elements, [4, 4], 5, -2))
    )
    beside = Blocks(6, 160, also.codes.reshape(40, -1), also.elements.reshape(40, -1, 16))
    assert np.array_equal(
        bits_of(multiply(wide, beside)), bits_of(multiply(blocks_of(a, 6), blocks_of(b, 6)))
    )


def test_rule_4_3_poison_stays_and_counts_before_zero_does() -> None:
    a, b = parts(6, (1,), 6, 6), parts(7, (1,), 6, 6)
    for place, side in product(range(6), range(2)):
        both = [Parts(np.full_like(one.codes, 100), one.elements.copy()) for one in (a, b)]
        both[side].codes[0, place], both[side].elements[0, place] = 255, 0
        both[1 - side].codes[0, place], both[1 - side].elements[0, place] = 0, 0
        found = bits_of(multiply(*(blocks_of(one, 6) for one in both)))
        assert found.item() == 0x7FC00000


@pytest.mark.parametrize(("a_bits", "b_bits"), PAIRS)
def test_rule_4_4_numbers_are_aligned_to_the_largest_exponent(a_bits: int, b_bits: int) -> None:
    # Scales that differ by more than the accumulator is wide, in any order.
    a, b = parts(8, (30,), 10, a_bits, 90), parts(9, (30,), 10, b_bits, 90)
    found = multiply(blocks_of(a, a_bits), blocks_of(b, b_bits))
    assert np.array_equal(bits_of(found), golden_product(a, b, a_bits, b_bits))


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("sign", [1, -1])
def test_rule_4_5_nothing_overflows_at_any_number_of_steps(bits: int, sign: int) -> None:
    # The largest products, all of one sign, at rising and falling scales: all states stay within.
    largest = 2 ** (bits - 1) - 1
    unit = blocks.block_dot(bits, bits)
    steps = 3000
    draw = np.random.default_rng(bits)
    given = {
        "a": np.full((steps, 3, 2, 16), largest, np.int8),
        "b": np.full((steps, 3, 2, 16), sign * largest, np.int8),
        "a_codes": np.stack(
            [
                np.full((steps, 2), 128),
                np.sort(draw.integers(100, 140, (steps, 2)), 0),
                draw.integers(1, 255, (steps, 2)),
            ],
            1,
        ),
        "b_codes": np.full((steps, 3, 2), 130),
    }
    run = compiled(unit.ir, 8, record=["sum", "exponent"]).run(given)
    sums, exponents = run.recorded["sum"], run.recorded["exponent"]
    assert -(2**30) <= sums.min() <= sums.max() < 2**30
    assert sums.min() < -(2**29) if sign < 0 else sums.max() >= 2**29
    exact = [
        sum(
            (Fraction(2) ** int(c) for c in given["a_codes"][: steps - 1, lane].reshape(-1)),
            Fraction(),
        )
        for lane in range(3)
    ]
    for lane, total in enumerate(exact):
        right = total * 2**130 * 16 * largest**2 * sign
        held = Fraction(int(sums[-1, lane])) * Fraction(2) ** int(
            exponents[-1, lane] - blocks.GUARD
        )
        # Each step loses less than three units of the last place, all in one direction.
        unit_ = Fraction(2) ** int(exponents[-1, lane] - blocks.GUARD)
        assert 0 <= right - held < 4 * steps * unit_


def test_rule_4_5_the_largest_step_has_room() -> None:
    # From the largest sum that is held, by the two largest products there are.
    most = 2 * 16 * 127**2 * 2**blocks.GUARD
    assert 2**30 + most < 2**31
    assert (2**30 + most) // 2 <= 2**30


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_4_6_the_result_is_rounded_once(bits: int) -> None:
    draw = np.random.default_rng(10)
    count = 20_000
    sums = draw.integers(-(2**30), 2**30, count) >> draw.integers(0, 31, count)
    edges = np.array([2**k + d for k in range(31) for d in (-2, -1, 0, 1, 2)])
    halves = np.array([(2**24 - 1) * 2**k + 2 ** (k - 1) for k in range(1, 7)])
    sums = np.concatenate([sums, edges, -edges, halves, halves + 1, halves - 1, -halves])
    sums = np.clip(sums, -(2**30), 2**30 - 1)
    exponents = draw.integers(0, 1024, sums.size)
    exponents[: count // 2] = draw.integers(60, 340, count // 2)
    state = golden.StateMany(sums, exponents, draw.random(sums.size) < 0.01)
    scale = 248 + 2 * bits + blocks.GUARD

    @function(number=SInt(32), exponent=UInt(10), poison=Bool)
    def drained(number: Signal, exponent: Signal, poison: Signal) -> Signal:
        return blocks.to_fp32(number, exponent - scale, poison)

    found = compile_function(drained.ir)(number=sums, exponent=exponents, poison=state.poison)
    assert np.array_equal(found["out"], golden.result_many(state, bits, bits))


@pytest.mark.parametrize("bits", WIDTHS)
def test_rule_4_7_passes_follow_one_another_in_one_accumulator(bits: int) -> None:
    draw = np.random.default_rng(11)
    x, y = (draw.standard_normal((n, 80)).astype(np.float32) for n in (13, 21))
    a, b = quantise_planes(x, bits), quantise_planes(y, bits)
    right = [golden.planes_many(golden.cut(one, -1).view(np.uint32), bits) for one in (x, y)]
    both = [(one.hi, one.lo) for one in right]
    for left, other in product((1, 2), (1, 2)):
        ours = multiply(a if left > 1 else quantise(x, bits), b if other > 1 else quantise(y, bits))
        single = [golden.quantise_many(golden.cut(one, -1).view(np.uint32), bits) for one in (x, y)]
        first = both[0] if left > 1 else (single[0],)
        second = both[1] if other > 1 else (single[1],)
        passes = golden.passes_many(first, second)
        codes, elements = passes[0]
        other_codes, other_elements = passes[1]
        found = golden.dot_many(
            codes[:, None], elements[:, None], other_codes[None], other_elements[None], bits, bits
        )
        assert np.array_equal(bits_of(ours), found)
    assert isinstance(a, Planes)


def test_rule_4_8_a_split_sum_is_added_in_ascending_order() -> None:
    draw = np.random.default_rng(12)
    x, y = (draw.standard_normal((n, 256)).astype(np.float32) for n in (9, 75))
    whole = [multiply(quantise(x, 6), quantise(y, 6), threads=n) for n in (1, 2, 3)]
    assert all(np.array_equal(one, whole[0]) for one in whole)
    ends = [0, 96, 192, 256]
    every = []
    for begin, end in pairwise(ends):
        a, b = (quantise(np.ascontiguousarray(one[:, begin:end]), 6) for one in (x, y))
        every.append(multiply(a, b))
    added = compile_function(floats.add(floats.FP32).ir)
    total = np.zeros((9, 75), np.uint32)
    for one in every:
        total = added(a=total, b=bits_of(one))["out"]
    assert np.array_equal(total.view(np.float32), (every[0] + every[1]) + every[2])


def test_interpreter_gives_the_same_products() -> None:
    a, b = parts(13, (12,), 6, 6), parts(14, (12,), 6, 6)
    (ac, ae), (bc, be) = golden.steps_many(a), golden.steps_many(b)
    given = {"a": ae, "a_codes": ac, "b": be, "b_codes": bc}
    # [cycles, lanes, ...]; the last cycle shows what all before it have given.
    after = {
        p: np.append(v.swapaxes(0, 1), np.zeros_like(v[None, :, 0]), 0) for p, v in given.items()
    }
    run = interpret(blocks.block_dot(6, 6).ir, after)
    right = np.diag(golden_product(a, b, 6, 6))
    assert np.array_equal(run.outputs["out"][-1], right)


def test_operands_that_do_not_fit_are_refused() -> None:
    x = np.ones((4, 32), np.float32)
    with pytest.raises(InputError, match="alike but for m and n"):
        multiply(quantise(x, 6), quantise(x[:, :16], 6))
    with pytest.raises(InputError, match="4, 5, 6 or 8"):
        quantise(x, 7)
    with pytest.raises(InputError, match="array of float32"):
        quantise(x.astype(np.float64), 6)
