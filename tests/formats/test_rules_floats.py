"""Chapter 5 of docs/formats.md: floating point."""

from __future__ import annotations

import ctypes
from fractions import Fraction
from functools import cache
from typing import Any, Final

import numpy as np
import pytest

from tests.formats.floats_cases import (
    FORMATS,
    corners,
    halfway,
    integers,
    numbers_to_try,
    to_convert,
    triples,
    two_to_try,
)
from tests.formats.floats_compiled import (
    Host,
    Named,
    assert_equal,
    check_arithmetic,
    check_fused,
    compiled,
    conversions,
    fused_of,
    operations,
    together,
)
from tests.formats.floats_oracle import (
    DTYPES,
    INFINITY,
    LARGEST,
    QUIET,
    canonical,
    fused,
    nearest,
    nearest_one,
    odd_sum,
    typed,
    untyped,
    values,
)
from zhufeng.formats.floats import (
    BF16,
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    FP16,
    FP32,
    FloatFormat,
    from_int,
    rounded,
    to_int,
    unpacked,
    unpacked_type,
)
from zhufeng.hdl import Bits as BitsOf
from zhufeng.hdl import Bool, Function, Signal, SInt, Type, UInt, function

of_each = pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)


# 5.1 and 5.2: what bits are.


@of_each
def test_rule_5_1_a_number_is_a_sign_an_exponent_field_and_a_fraction(fmt: FloatFormat) -> None:
    bits = numbers_to_try(fmt)
    found = parts_of(fmt)(x=bits)
    sign = np.where(found["sign"], -1.0, 1.0)
    scale = found["exponent"].astype(int) - fmt.bias - fmt.fraction
    computed = sign * np.ldexp(found["significand"].astype(np.float64), scale)
    right = values(fmt, bits)
    finite = np.isfinite(right)
    assert np.array_equal(computed[finite], right[finite])
    assert np.array_equal(np.signbit(computed[finite]), np.signbit(right[finite]))
    assert finite.sum() > len(bits) // 2


@of_each
def test_rule_5_2_infinities_and_nans_are_those_of_ieee_and_ocp(fmt: FloatFormat) -> None:
    bits = numbers_to_try(fmt)
    found, right = parts_of(fmt)(x=bits), values(fmt, bits)
    assert np.array_equal(found["is_nan"], np.isnan(right))
    assert np.array_equal(found["is_inf"], np.isinf(right))
    assert np.array_equal(found["is_zero"], right == 0)
    assert np.isnan(right).any() == (fmt in QUIET)
    assert np.isinf(right).any() == (fmt in INFINITY)


@cache
def parts_of(fmt: FloatFormat) -> Host:
    def parts(x: Signal) -> Any:
        found = unpacked(fmt, x)
        assert isinstance(found, unpacked_type(fmt))
        return found

    return compiled(function(x=BitsOf(fmt.bits))(parts))


# 5.3 to 5.7: rounding, and what is no finite number.


def test_rule_5_3_results_are_rounded_once_to_nearest_ties_to_even() -> None:
    for to in FORMATS[1:]:
        bits = halfway(to)
        exact = values(FP32, bits)
        got = conversions(FP32)(x=bits)[to.name]
        assert_equal(got, nearest(to, exact), x=bits)
        # Of each three, the lower one goes down, and the upper one up.
        down, tie, up = got[: len(bits) // 2].reshape(3, -1)
        whole = np.arange(LARGEST[to])
        assert np.array_equal(down[:-1], whole)
        assert np.array_equal(up[:-1], whole + 1)
        assert np.array_equal(tie[:-1], whole + whole % 2)


TOO_LARGE: Final = [
    (FP16, 65519.996, 0x7BFF),
    (FP16, 65520.0, 0x7C00),
    (BF16, 3.3961775e38, 0x7F80),
    (BF16, 3.3961773e38, 0x7F7F),
    (E5M2, 61439.996, 0x7B),
    (E5M2, 61440.0, 0x7C),
    (E4M3, 464.0, 0x7E),
    (E4M3, 464.00003, 0x7F),
    (E3M2, 1e30, 0x1F),
    (E2M3, 1e30, 0x1F),
    (E2M1, np.inf, 0x07),
]


def test_rule_5_4_what_is_too_large_is_an_infinity_a_nan_or_the_largest() -> None:
    for to, number, right in TOO_LARGE:
        given = untyped(np.array([number, -number], np.float32))
        found = conversions(FP32)(x=given)[to.name].tolist()
        sign = 0 if to == E4M3 and right == QUIET[E4M3] else 1 << (to.bits - 1)
        assert found == [right, right | sign], (to.name, number)
    for fmt in FORMATS:
        largest = np.array([LARGEST[fmt]])
        negative = largest | 1 << (fmt.bits - 1)
        right = INFINITY.get(fmt, QUIET.get(fmt, LARGEST[fmt]))
        below = right if fmt == E4M3 else right | 1 << (fmt.bits - 1)
        assert operations(fmt)(a=largest, b=largest)["total"] == right
        assert operations(fmt)(a=negative, b=largest)["difference"] == below
        assert operations(fmt)(a=negative, b=largest)["product"] == below
        assert fused_of(fmt)(a=largest, b=negative, c=0)["out"] == below


@pytest.mark.parametrize("fmt", list(QUIET), ids=lambda fmt: fmt.name)
def test_rule_5_5_a_nan_as_a_result_has_no_sign_and_no_payload(fmt: FloatFormat) -> None:
    bits = numbers_to_try(fmt, 1 << 12)
    nans = bits[np.isnan(values(fmt, bits))]
    other = np.resize(corners(fmt, 999, np.random.default_rng(3)), len(nans))
    for a, b in ((nans, other), (other, nans)):
        found = operations(fmt)(a=a, b=b)
        for name in ("total", "difference", "product", "least", "greatest"):
            assert np.all(found[name] == QUIET[fmt]), name
        assert np.all(fused_of(fmt)(a=a, b=b, c=other)["out"] == QUIET[fmt])
    assert np.all(fused_of(fmt)(a=other, b=other, c=nans)["out"] == QUIET[fmt])
    for to in QUIET:
        assert np.all(conversions(fmt)(x=nans)[to.name] == QUIET[to])
        assert np.all(conversions(fmt)(x=nans)[f"{to.name}s"] == QUIET[to])


@of_each
def test_rule_5_6_infinities_and_invalid_operations_are_those_of_ieee(fmt: FloatFormat) -> None:
    one = fmt.bias << fmt.fraction
    some = [0, 1, one, LARGEST[fmt], *([INFINITY[fmt]] if fmt in INFINITY else [])]
    signed = np.array([bits | sign << (fmt.bits - 1) for bits in some for sign in (0, 1)])
    all_ = np.append(signed, QUIET[fmt]) if fmt in QUIET else signed
    a, b, c = (axis.reshape(-1) for axis in np.meshgrid(all_, all_, all_))
    right = nearest(fmt, fused(*(values(fmt, bits) for bits in (a, b, c))))
    assert_equal(fused_of(fmt)(a=a, b=b, c=c)["out"], right, a=a, b=b, c=c)
    found = operations(fmt)(a=a, b=b)
    with np.errstate(invalid="ignore"):
        x, y = values(fmt, a), values(fmt, b)
        assert_equal(found["product"], nearest(fmt, x * y), a=a, b=b)
    assert_equal(found["total"], nearest(fmt, odd_sum(x, y)), a=a, b=b)
    assert_equal(found["difference"], nearest(fmt, odd_sum(x, -y)), a=a, b=b)


@of_each
def test_rule_5_7_a_sum_that_is_0_has_a_sign_only_if_both_have_it(fmt: FloatFormat) -> None:
    minus = 1 << (fmt.bits - 1)
    one = fmt.bias << fmt.fraction
    found = operations(fmt)
    for a, b, total in [(0, 0, 0), (0, minus, 0), (minus, 0, 0), (minus, minus, minus)]:
        assert found(a=a, b=b)["total"] == total
        assert found(a=a, b=b ^ minus)["difference"] == total
        assert fused_of(fmt)(a=a, b=one, c=b)["out"] == total
    assert found(a=one, b=one | minus)["total"] == 0
    assert fused_of(fmt)(a=one | minus, b=one, c=one)["out"] == 0
    # A product has the sign of its factors, also where it is rounded to 0.
    assert found(a=1 | minus, b=1)["product"] == minus
    assert found(a=minus, b=one | minus)["product"] == 0
    assert fused_of(fmt)(a=1, b=1 | minus, c=0)["out"] == minus


# 5.8 and 5.9: arithmetic.


@of_each
def test_rule_5_8_sums_differences_and_products_are_rounded_once(fmt: FloatFormat) -> None:
    check_arithmetic(fmt, 1 << 18)


@of_each
def test_rule_5_9_a_fused_multiply_add_is_rounded_once(fmt: FloatFormat) -> None:
    check_fused(fmt, 1 << 19)


def test_rule_5_9_a_fused_multiply_add_of_fp32_is_that_of_libm() -> None:
    fmaf = ctypes.CDLL(None).fmaf
    fmaf.restype, fmaf.argtypes = ctypes.c_float, [ctypes.c_float] * 3
    given = triples(FP32, 200_000, np.random.default_rng(13))
    numbers = [typed(FP32, bits).tolist() for bits in given]
    right = canonical(FP32, np.array(list(map(fmaf, *numbers)), np.float32))
    a, b, c = given
    assert_equal(fused_of(FP32)(a=a, b=b, c=c)["out"], right, a=a, b=b, c=c)


@pytest.mark.parametrize("fmt", INFINITY, ids=lambda fmt: fmt.name)
def test_rule_5_9_a_fused_multiply_add_is_that_of_fractions(fmt: FloatFormat) -> None:
    given = triples(fmt, 4_000, np.random.default_rng(17))
    finite = np.logical_and.reduce([np.isfinite(values(fmt, bits)) for bits in given])
    a, b, c = (bits[finite] for bits in given)
    got = fused_of(fmt)(a=a, b=b, c=c)["out"].tolist()
    numbers = zip(*(map(Fraction, values(fmt, bits).tolist()) for bits in (a, b, c)), strict=True)
    compared = 0
    for found, (x, y, z) in zip(got, numbers, strict=True):
        exact = x * y + z
        if exact:
            assert found == nearest_one(fmt, exact), (x, y, z)
            compared += 1
    assert compared > 1_000


# 5.10 and 5.11: from one format to another.


@of_each
def test_rule_5_10_a_conversion_is_rounded_once(fmt: FloatFormat) -> None:
    bits = to_convert(fmt)
    found, exact = conversions(fmt)(x=bits), values(fmt, bits)
    for to in FORMATS:
        assert_equal(found[to.name], nearest(to, exact), x=bits)
        with np.errstate(all="ignore"):
            theirs = canonical(to, typed(fmt, bits).astype(DTYPES[to]))
        # Where there is no NaN, ml_dtypes makes a zero of it.
        known = ~np.isnan(exact) | (to in QUIET)
        assert_equal(found[to.name][known], theirs[known], x=bits[known])
        if to not in QUIET:
            assert np.all(found[to.name][~known] == LARGEST[to])


@of_each
def test_rule_5_11_a_saturating_conversion_gives_the_largest_number(fmt: FloatFormat) -> None:
    bits = to_convert(fmt)
    found, exact = conversions(fmt)(x=bits), values(fmt, bits)
    for to in FORMATS:
        assert_equal(found[f"{to.name}s"], nearest(to, exact, saturate=True), x=bits)
        too_large = found[to.name] != found[f"{to.name}s"]
        assert np.all(found[f"{to.name}s"][too_large] % (1 << (to.bits - 1)) == LARGEST[to])
        assert np.all(np.abs(exact[too_large]) > values(to, np.array([LARGEST[to]])))


# 5.12 and 5.13: order.


@of_each
def test_rule_5_12_numbers_are_less_equal_greater_or_unordered(fmt: FloatFormat) -> None:
    a, b = two_to_try(fmt, 1 << 18)
    found = operations(fmt)(a=a, b=b)
    x, y = values(fmt, a), values(fmt, b)
    assert_equal(found["order_equal"], x == y, a=a, b=b)
    assert_equal(found["order_less"], x < y, a=a, b=b)
    assert_equal(found["order_unordered"], np.isnan(x) | np.isnan(y), a=a, b=b)


@of_each
def test_rule_5_13_a_minimum_is_that_of_ieee_and_minus_0_is_below_0(fmt: FloatFormat) -> None:
    a, b = two_to_try(fmt, 1 << 18)
    found = operations(fmt)(a=a, b=b)
    x, y = values(fmt, a), values(fmt, b)
    unordered = np.isnan(x) | np.isnan(y)
    first = (x < y) | ((x == y) & np.signbit(x))
    unknown = np.full_like(a, QUIET.get(fmt, 0))
    assert_equal(found["least"], np.where(unordered, unknown, np.where(first, a, b)), a=a, b=b)
    assert_equal(found["greatest"], np.where(unordered, unknown, np.where(first, b, a)), a=a, b=b)


# 5.14 and 5.15: integers.

KINDS: Final = (SInt(32), UInt(32), SInt(8), UInt(5))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_rule_5_14_an_integer_becomes_the_nearest_number(kind: Type) -> None:
    given = integers(kind)
    some = (FP32, FP16, E4M3, E2M1)
    made: Named = {to.name: (from_int(kind, to), BitsOf(to.bits)) for to in some}
    found = compiled(together(made))(x=given)
    for to in some:
        assert_equal(found[to.name], nearest(to, given.astype(np.float64)), x=given)
    assert np.array_equal(found["fp32"], untyped(given.astype(np.float32)))


def told(kind: Type) -> str:
    return f"{kind.kind}{kind.width}"


@pytest.mark.parametrize("fmt", [FP32, FP16, E4M3, E2M1], ids=lambda fmt: fmt.name)
def test_rule_5_15_a_number_becomes_the_nearest_integer(fmt: FloatFormat) -> None:
    bits = numbers_to_try(fmt, 1 << 16)
    if fmt == FP32:
        quarters = np.arange(-(1 << 12), 1 << 12) / 4
        near_edges = [integers(kind) for kind in KINDS]
        some = [untyped(one.astype(np.float32)) for one in (quarters, *near_edges)]
        bits = np.concatenate([bits, *some])
    exact = values(fmt, bits)
    made: Named = {told(kind): (to_int(fmt, kind), kind) for kind in KINDS}
    found = compiled(together(made))(x=bits)
    for kind in KINDS:
        known = np.clip(np.rint(exact), kind.low, kind.high)
        right = np.where(np.isnan(exact), 0, known).astype(np.int64)
        assert_equal(found[told(kind)], right, x=bits)


# 5.16 and 5.17: what others round.


@pytest.mark.parametrize("width", [1, 12, 26, 40])
def test_rule_5_16_any_significand_and_exponent_is_rounded_so(width: int) -> None:
    draw = np.random.default_rng(width)
    count = 1 << 14
    sign, exponent = draw.integers(0, 2, count), draw.integers(-512, 512, count)
    significand = draw.integers(0, 1 << width, count) >> draw.integers(0, width, count)
    some = (FP32, FP16, E4M3, E2M1)
    made: Named = {fmt.name: (rounding(fmt, width), BitsOf(fmt.bits)) for fmt in some}
    given = {"sign": sign, "exponent": exponent, "significand": significand}
    found = compiled(together(made))(**given)
    for fmt in some:
        scale = exponent - (width - 1) - fmt.bias
        exact = np.ldexp(np.where(sign, -1.0, 1.0) * significand, scale)
        assert_equal(found[fmt.name], nearest(fmt, exact), **given)


def rounding(fmt: FloatFormat, width: int, *, subnormals: bool = True) -> Function[..., Signal]:
    @function(sign=Bool, exponent=SInt(10), significand=UInt(width))
    def alone(sign: Signal, exponent: Signal, significand: Signal) -> Signal:
        return rounded(fmt, sign, exponent, significand, subnormals=subnormals)

    return alone


@pytest.mark.parametrize("fmt", [FP32, BF16, E4M3], ids=lambda fmt: fmt.name)
def test_rule_5_17_without_subnormal_numbers_0_stands_for_them(fmt: FloatFormat) -> None:
    draw = np.random.default_rng(23)
    count, width = 1 << 16, 32
    sign = draw.integers(0, 2, count)
    exponent = np.where(draw.random(count) < 0.5, 0, draw.integers(-400, 400, count))
    significand = draw.integers(0, 1 << width, count) >> draw.integers(0, width, count)
    # Such that rounding reaches the next power of two, or nearly.
    full = (1 << width) - 1 - (significand & (0x1FF << (width - fmt.precision - 8)))
    significand = np.where(draw.random(count) < 0.5, significand, full)
    exact = np.ldexp(np.where(sign, -1.0, 1.0) * significand, exponent - (width - 1) - fmt.bias)
    # To the full precision: of exponents without an end.
    mantissa, place = np.frexp(exact)
    whole = np.ldexp(np.rint(np.ldexp(mantissa, fmt.precision)), place - fmt.precision)
    low = 2.0**fmt.lowest
    given = {"sign": sign, "exponent": exponent, "significand": significand}
    found = compiled(rounding(fmt, width, subnormals=False))(**given)["out"]
    assert_equal(found, nearest(fmt, np.where(np.abs(whole) < low, 0.0, whole)), **given)
    assert ((np.abs(exact) < low) & (np.abs(whole) == low)).sum() > 10
