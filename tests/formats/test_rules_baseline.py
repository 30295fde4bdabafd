"""Chapter 8 of docs/formats.md: the bf16 baseline."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Final, NamedTuple

import ml_dtypes
import numpy as np
import pytest

from tests.formats.microscaling_oracle import NAN, Array, to_fp32
from zhufeng.base import InputError
from zhufeng.formats.baseline import KEPT, LANES, bf16_dot
from zhufeng.hdl.compile import Simulator
from zhufeng.hdl.compile import compile as compiled

UNITS: Final = [(lanes, kept) for lanes in LANES for kept in KEPT]
SMALLEST: Final = (4, 16)
FEW: Final = [SMALLEST, (16, 24), (32, 28)]

of_each_unit = pytest.mark.parametrize(("lanes", "kept"), UNITS)
of_few_units = pytest.mark.parametrize(("lanes", "kept"), FEW)


class Held(NamedTuple):
    """What an accumulator holds after some steps, of each run."""

    number: Array
    exponent: Array
    poison: Array


@cache
def simulator(lanes: int, kept: int) -> Simulator:
    return compiled(bf16_dot(lanes, kept).ir, 1)


def run(lanes: int, kept: int, a: Array, b: Array) -> Array:
    """What it shows in each cycle: fp32 bits [cycles, runs]; the last inputs are not seen."""
    found: Array = simulator(lanes, kept).run({"a": a, "b": b}).outputs["out"]
    return found.astype(np.uint32)


def model(lanes: int, kept: int, a: Array, b: Array) -> list[Held]:
    """Rules 8.1 to 8.5 in integers: what is held before each cycle.

    Args:
        lanes: of the unit.
        kept: of the unit.
        a: bits of bf16 [cycles, runs, lanes].
        b: as a.
    """
    runs = a.shape[1]
    held = Held(np.zeros(runs, int), np.zeros(runs, int), np.zeros(runs, bool))
    shown = [held]
    room = 1 << (kept + int(np.log2(lanes)))
    for one_a, one_b in zip(a[:-1].astype(int), b[:-1].astype(int), strict=True):
        fields = [one >> 7 & 255 for one in (one_a, one_b)]
        part = (fields[0] > 0) & (fields[1] > 0)
        exponents = fields[0] + fields[1]
        products = (128 + one_a % 128) * (128 + one_b % 128)
        signs = np.where((one_a ^ one_b) >> 15, -1, 1)
        top = np.maximum(held.exponent, np.where(part, exponents, 0).max(-1))
        far = np.where(part, top[:, None] - exponents, 0)
        # Further than 62 places numpy does not shift.
        sizes = np.where(part & (far < 62), products << (kept - 16) >> np.minimum(far, 62), 0)
        number = (held.number >> np.minimum(top - held.exponent, 62)) + (signs * sizes).sum(-1)
        high = (number < -room) | (number >= room)
        poison = held.poison | (np.maximum(*fields) == 255).any(-1)
        held = Held(np.where(high, number >> 1, number), top + high, poison)
        shown.append(held)
    return shown


def result(kept: int, held: Held) -> Array:
    """Rule 8.6, as bits."""
    found = [
        to_fp32(Fraction(int(number)) * Fraction(2) ** (int(exponent) - 252 - kept))
        for number, exponent in zip(held.number, held.exponent, strict=True)
    ]
    return np.where(held.poison, NAN, np.array(found).view(np.uint32))


def results(lanes: int, kept: int, a: Array, b: Array) -> Array:
    """What the unit should show in each cycle."""
    return np.array([result(kept, held) for held in model(lanes, kept, a, b)])


def bf16(numbers: Array | float) -> Array:
    return np.asarray(numbers).astype(ml_dtypes.bfloat16).view(np.uint16)


def exactly(bits: Array) -> Array:
    """Bits of bf16 as float64, those of subnormals as 0."""
    whole = bits.view(ml_dtypes.bfloat16).astype(np.float64)
    return np.where(np.abs(whole) < 2.0**-126, 0, whole)


def fp32(bits: Array) -> Array:
    return bits.view(np.float32)


def drawn(lanes: int, shape: tuple[int, int], seed: int) -> tuple[Array, Array]:
    """Pairs of finite bf16 [cycles, runs, lanes]: each run of another kind."""
    draw = np.random.default_rng(seed)
    whole = (*shape, lanes)
    found = []
    kind = draw.integers(0, 5, shape[1])[:, None]
    for _ in "ab":
        kinds = [
            draw.standard_normal(whole),
            draw.standard_normal(whole) * np.ldexp(1.0, draw.integers(-20, 20, whole)),
            draw.standard_normal(whole) * np.ldexp(1.0, draw.integers(-126, 126, whole)),
            draw.choice([-1.0, 1.0], whole) * 255 / 128,
            draw.standard_normal(whole) * np.ldexp(1.0, draw.integers(-70, -50, whole)),
        ]
        numbers = np.choose(kind, kinds)
        numbers[draw.random(whole) < 0.1] = 0
        bits = bf16(numbers)
        subnormal = draw.random(whole) < 0.03
        bits[subnormal] = draw.integers(0, 128, subnormal.sum())
        found.append(bits)
    # Steps that take back the step before.
    back = draw.random(shape) < 0.2
    back[0] = False
    for cycle, one in zip(*np.nonzero(back), strict=True):
        found[0][cycle, one] = found[0][cycle - 1, one] ^ 0x8000
        found[1][cycle, one] = found[1][cycle - 1, one]
    # All lanes but one are 0.
    alone = draw.random(shape) < 0.1
    found[0][alone, 1:] = 0
    return found[0], found[1]


def lone(lanes: int, *numbers: tuple[float, float]) -> tuple[Array, Array]:
    """Steps of one product each, beside zeros, and one that is not seen."""
    a, b = np.zeros((2, len(numbers) + 1, 1, lanes))
    for cycle, (x, y) in enumerate(numbers):
        a[cycle, 0, cycle % lanes], b[cycle, 0, cycle % lanes] = x, y
    return bf16(a), bf16(b)


@of_each_unit
def test_rule_8_1_the_accumulator_is_a_number_an_exponent_and_poison(lanes: int, kept: int) -> None:
    registers = bf16_dot(lanes, kept).ir.registers
    forms = {name: (one.form.width, one.reset) for name, one in registers.items()}
    room = kept + int(np.log2(lanes)) + 1
    assert forms == {"sum": (room, (0,)), "exponent": (10, (0,)), "poison": (1, (0,))}
    a, b = lone(lanes, (1.0, 1.0), (-1.5, 2.0**-3), (2.0**30, 3.0))
    shown = fp32(run(lanes, kept, a, b))[:, 0].tolist()
    assert shown == [0.0, 1.0, 1 - 1.5 / 8, 3.0 * 2**30]


def test_rule_8_1_there_are_no_other_units() -> None:
    with pytest.raises(InputError, match="expected: 4, 8, 16, 32\n"):
        bf16_dot(2, 16)
    with pytest.raises(InputError, match="expected: 16, 20, 24, 28\n"):
        bf16_dot(4, 18)


@of_few_units
def test_rule_8_2_a_subnormal_number_is_0_and_its_product_takes_no_part(
    lanes: int, kept: int
) -> None:
    for odd in (0x0000, 0x8000, 0x0001, 0x007F, 0x807F):
        a, b = lone(lanes, (2.0**-60, 2.0**-60), (0.0, 2.0**127))
        a[1, 0, 1], a[1, 0, 0], b[1, 0, 0] = odd, bf16(1.5 * 2.0**-60).item(), bf16(2.0**-60).item()
        for x, y in ((a, b), (b, a)):
            # Had it the exponent of 2^127, nothing would be left of the others.
            assert fp32(run(lanes, kept, x, y))[:, 0].tolist() == [0.0, 2.0**-120, 2.5 * 2.0**-120]


@of_few_units
def test_rule_8_3_poison_stays_and_counts_beside_0(lanes: int, kept: int) -> None:
    odd = [0x7F80, 0xFF80, 0x7F81, 0xFFC0, 0x7FFF]
    for other in (0x0000, 0x8001, 0x3F80):
        a = np.zeros((6, len(odd) * 2, lanes), np.uint16)
        b = np.full_like(a, other)
        for i, bits in enumerate(odd):
            a[2, 2 * i, i % lanes] = b[2, 2 * i + 1, i % lanes] = bits
        found = run(lanes, kept, a, b)
        assert (found[:3] == 0).all()
        assert (found[3:] == NAN).all()


@of_each_unit
def test_rule_8_4_products_are_cut_at_the_largest_exponent(lanes: int, kept: int) -> None:
    a, b = drawn(lanes, (30, 24), seed=lanes + kept)
    assert np.array_equal(run(lanes, kept, a, b), results(lanes, kept, a, b))


@of_few_units
def test_rule_8_4_by_hand(lanes: int, kept: int) -> None:
    # Beside 1·1 = 2^14·2^-14, places down to 2^(2-kept) are kept, and magnitudes cut there.
    last = 2.0 ** (2 - kept)
    for other, left in ((1.0, 1), (1.984375, 1), (0.9921875, 0), (-1.984375, -1), (-0.5, 0)):
        a, b = np.zeros((2, 2, 1, lanes))
        a[0, 0, :2], b[0, 0, :2] = (1.0, other), (1.0, last)
        expected = np.float32(1.0 + left * last)
        assert fp32(run(lanes, kept, bf16(a), bf16(b)))[1, 0] == expected
        # What is held already is rounded down.
        a, b = lone(lanes, (other, last), (1.0, 1.0))
        floor = np.float32(1.0 + np.floor(other) * last)
        assert fp32(run(lanes, kept, a, b))[2, 0] == floor


@of_each_unit
def test_rule_8_5_nothing_overflows_at_any_number_of_steps(lanes: int, kept: int) -> None:
    # All products as large as they can be, of either sign, and of signs that differ.
    most = bf16(255 / 128).item()
    a = np.full((300, 3, lanes), most, np.uint16)
    b = a.copy()
    a[:, 1] |= 0x8000
    a[::7, 2] |= 0x8000
    shown = run(lanes, kept, a, b)
    assert np.array_equal(shown, results(lanes, kept, a, b))
    exact = (exactly(a) * exactly(b)).sum(-1).cumsum(0)
    # The first one is off by what 300 steps can lose, no more.
    assert np.allclose(fp32(shown)[1:], exact[:-1], rtol=300 * 2.0 ** (1 - kept))


@pytest.mark.parametrize("sign", [0, 0x8000])
def test_rule_8_5_the_exponent_ends_where_no_product_reaches(sign: int) -> None:
    # Until nothing of the products is left; from there on nothing changes.
    lanes, kept = SMALLEST
    a = np.full((1, 1, lanes), bf16(255 / 128).item() | sign, np.uint16)
    b = a & np.uint16(0x7FFF)
    ends = [
        simulator(lanes, kept).run({"a": a, "b": b}, cycles, last=True).outputs["out"].item()
        for cycles in (1 << 17, 1 << 18)
    ]
    assert ends[0] == ends[1]
    unit = 2.0 ** (254 + kept - 252 - kept)
    magnitude = np.abs(fp32(np.array(ends[:1], np.uint32))[0])
    assert unit * 2 ** (kept + 1) <= magnitude <= unit * 2 ** (kept + 2)


@of_few_units
def test_rule_8_6_the_result_is_rounded_once(lanes: int, kept: int) -> None:
    top = 2.0**127
    steps = [(top, 1.9921875), (top, 1.0), (-top, 1.0), (-top, 1.5), (2.0**-60, 2.0**-67)]
    a, b = lone(lanes, *steps)
    found = fp32(run(lanes, kept, a, b))[:, 0].tolist()
    # An infinity is but shown: the sum goes on.
    assert found[:4] == [0.0, 255 / 128 * top, np.inf, 255 / 128 * top]
    assert found[4] == 63 / 128 * top
    # The largest result below 2^-126 is 0, of either sign.
    for sign in (1, -1):
        a, b = lone(lanes, (sign * 2.0**-63, 2.0**-64), (sign * 2.0**-63, 2.0**-64))
        shown = run(lanes, kept, a, b)[:, 0]
        assert shown[:2].tolist() == [0, 0]
        assert fp32(shown)[2] == sign * 2.0**-126
    # Ties to even at 24 bits: 1 + 2^-24 and 1 + 3·2^-24, where so many are kept.
    for thirds, even in ((1, 0), (3, 4), (-1, -1)) if kept == 28 else ():
        a, b = lone(lanes, (1.0, 1.0), (thirds * 2.0**-12, 2.0**-12))
        assert fp32(run(lanes, kept, a, b))[2, 0] == np.float32(1 + even * 2.0**-24)


@of_each_unit
def test_rule_8_7_the_order_of_the_lanes_has_no_influence(lanes: int, kept: int) -> None:
    a, b = drawn(lanes, (30, 16), seed=7 * lanes + kept)
    order = np.random.default_rng(0).permuted(np.broadcast_to(np.arange(lanes), a.shape), axis=-1)
    moved = (np.take_along_axis(one, order, -1) for one in (a, b))
    assert np.array_equal(run(lanes, kept, a, b), run(lanes, kept, *moved))


@of_each_unit
def test_rule_8_8_the_error_is_below_a_bound(lanes: int, kept: int) -> None:
    steps = 30
    a, b = drawn(lanes, (steps, 16), seed=3 * lanes + kept)
    products = exactly(a) * exactly(b)  # 16 bits each; where they underflow, so does the bound.
    held = model(lanes, kept, a, b)[-1]
    for one in range(a.shape[1]):
        terms = [Fraction(x) for x in products[:-1, one].ravel().tolist()]
        exact, total = sum(terms, Fraction(0)), sum(map(abs, terms), Fraction(0))
        unit = Fraction(2) ** (int(held.exponent[one]) - 252 - kept)
        value = int(held.number[one]) * unit
        assert abs(value - exact) < steps * (lanes + 1) * unit
        # The unit is what the largest product or, if that is more, the sum leads to.
        largest = max(map(abs, terms))
        assert unit <= max(largest * 4, total * 4 / lanes) / 2**kept
    exact_sums = products[:-1].sum((0, -1))
    shown = fp32(run(lanes, kept, a, b))[-1].astype(np.float64)
    unit = np.ldexp(1.0, held.exponent - 252 - kept)
    inside = np.isfinite(shown) & (np.abs(shown) >= 2.0**-126)
    error = np.abs(shown - exact_sums)[inside]
    slack = steps * (lanes + 1) * unit + np.abs(exact_sums) * 2.0**-23
    assert inside.sum() > 5
    assert (error <= slack[inside]).all()


@pytest.mark.soak
@of_each_unit
def test_rule_8_4_of_many_steps(lanes: int, kept: int) -> None:
    a, b = drawn(lanes, (300, 200), seed=11 * lanes + kept)
    assert np.array_equal(run(lanes, kept, a, b), results(lanes, kept, a, b))
