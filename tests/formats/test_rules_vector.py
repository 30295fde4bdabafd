"""Chapter 6 of docs/formats.md: vector functions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.formats import vector_oracle as oracle
from tests.formats.vector_oracle import (
    INFINITY,
    NAN,
    REAL,
    SIGN,
    Bits,
    Survey,
    binade,
    decimal_error,
)
from zhufeng.formats import vector
from zhufeng.formats.vector import TABLES, Op, Unary
from zhufeng.formats.vector._fit import fitted
from zhufeng.formats.vector._segments import segments
from zhufeng.hdl.compile import HostFunction, compile_function
from zhufeng.hdl.interpret import interpret

FUNCTIONS: dict[str, Unary] = {
    "exp2": vector.exp2(),
    "log2": vector.log2(),
    "reciprocal": vector.reciprocal(),
    "rsqrt": vector.rsqrt(),
}
of_each = pytest.mark.parametrize("name", FUNCTIONS)
ONE = 0x3F800000
LANES = 16


@cache
def compiled(name: str) -> HostFunction:
    return compile_function(FUNCTIONS[name].ir, LANES)


def run(name: str, x: Any) -> Bits:
    """Of the bits of fp32, or of numbers that are fp32."""
    given = np.asarray(x)
    bits = given if given.dtype == np.uint32 else given.astype(np.float32).view(np.uint32)
    return np.asarray(compiled(name)(x=bits)["out"], np.uint32)


@cache
def anything(count: int = 200_000) -> Bits:
    """Bits at random; numbers of a moderate size; and such as are near 1."""
    draw = np.random.default_rng(6)
    moderate = draw.standard_normal(count) * np.exp2(draw.uniform(-30, 7, count))
    near = ONE + np.concatenate([np.arange(-999, 999), draw.integers(-(2**23), 2**23, count)])
    bits = draw.integers(0, 2**32, count, dtype=np.uint32)
    return np.concatenate([bits, moderate.astype(np.float32).view(np.uint32), near]).astype(
        np.uint32
    )


def check(name: str) -> None:
    """Against the rules in whole numbers."""
    x = anything()
    got, right = run(name, x), getattr(oracle, name)(x)
    wrong = np.flatnonzero(got != right)
    few = [tuple(hex(one[at]) for one in (x, got, right)) for at in wrong[:3]]
    assert not few, f"{len(wrong)} of {len(x)}: {few}"


# What is no ordinary number.


@of_each
def test_rule_6_1_subnormal_numbers_are_zeros_and_a_nan_gives_nan(name: str) -> None:
    draw = np.random.default_rng(1)
    subnormal = draw.integers(0, 2**23, 1000, dtype=np.uint32)
    for sign in (0, SIGN):
        of_zero = run(name, np.array([sign], np.uint32))
        assert np.all(run(name, subnormal | np.uint32(sign)) == of_zero)
        nans = draw.integers(1, 2**23, 1000, dtype=np.uint32) | np.uint32(INFINITY + sign)
        assert np.all(run(name, nans) == NAN)


def test_rule_6_2_zeros_infinities_and_numbers_below_0() -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf])
    right = {
        "exp2": [1.0, 1.0, np.inf, 0.0],
        "log2": [-np.inf, -np.inf, np.inf, np.nan],
        "reciprocal": [np.inf, -np.inf, 0.0, -0.0],
        "rsqrt": [np.inf, -np.inf, 0.0, np.nan],
    }
    for name, results in right.items():
        expected = np.array(results, np.float32).view(np.uint32)
        assert run(name, x).tolist() == expected.tolist()
    draw = np.random.default_rng(2)
    negative = draw.integers(SIGN + 2**23, SIGN + INFINITY, 10_000, dtype=np.uint32)
    for name in ("log2", "rsqrt"):
        assert np.all(run(name, negative) == NAN)


def test_rule_6_3_what_is_too_large_is_infinite_and_what_would_be_subnormal_is_a_zero() -> None:
    below, above = (
        np.nextafter(np.float32(x), np.float32(to)) for x, to in ((128, 0), (-126, -200))
    )
    got = run("exp2", np.array([128, below, -126, above, 3e38, -3e38])).view(np.float32)
    assert got[[0, 2, 3, 4, 5]].tolist() == [np.inf, 2.0**-126, 0, np.inf, 0]
    assert np.isfinite(got[1])
    assert not np.signbit(got).any()
    beyond = np.nextafter(np.float32(2**126), np.float32(np.inf))
    found = run("reciprocal", np.array([2.0**126, beyond, -beyond, 2.0**127, -3e38, 2.0**-126]))
    assert found.view(np.float32).tolist() == [2.0**-126, 0, -0.0, 0, -0.0, 2.0**126]
    assert (found >> 31).tolist() == [0, 0, 1, 0, 1, 0]
    for name in FUNCTIONS:
        magnitudes = run(name, anything()) & np.uint32(SIGN - 1)
        assert not np.any((magnitudes > 0) & (magnitudes < 2**23))


# The interpolator and its tables.


@pytest.mark.parametrize("table", TABLES)
def test_rule_6_4_the_interpolator_leaves_columns_out(table: str) -> None:
    draw = np.random.default_rng(4)
    rows = np.array(TABLES[table]).T[:, :, None]
    t = np.concatenate([[0, 1, 2**19 - 1], draw.integers(0, 2**19, 200)])
    c0, c1, c2 = rows
    right = oracle.interpolated(c0, c1, c2, t)
    assert right.min() >= 2**26
    assert right.max() < 2**28
    got = interpolator()(c0=c0, c1=c1, c2=c2, t=t)["out"]
    assert np.array_equal(got, right)
    polynomial = c0 - c1 * t / 2**16 + c2 * (t / 2**19) ** 2 * 4
    assert np.abs(got - polynomial).max() < 8


@cache
def interpolator() -> HostFunction:
    return compile_function(vector.interpolate().ir, LANES)


def test_rule_6_5_the_tables_are_these_numbers() -> None:
    found = {}
    for table, rows in TABLES.items():
        text = "".join(f"{c0} {c1} {c2}\n" for c0, c1, c2 in rows)
        found[table] = len(rows), hashlib.sha256(text.encode()).hexdigest()[:16]
        assert np.all(np.array(rows) < [2**28, 2**24, 2**13])
        assert np.all(np.array(rows) >= 0)
    assert found == {
        "exp2": (64, "0cb7e4239a053bf7"),
        "log2_above": (129, "a7cb99446b3306f7"),
        "log2_below": (99, "87c2597515b0286c"),
        "reciprocal": (104, "6850b6da6c459f2d"),
        "rsqrt": (160, "aaebe8629fca8e7c"),
    }


def test_rule_6_6_the_row_and_t_of_the_reciprocal() -> None:
    check("reciprocal")


def test_rule_6_7_the_row_and_t_of_rsqrt() -> None:
    check("rsqrt")


def test_rule_6_8_the_argument_of_exp2_is_rounded_to_25_bits() -> None:
    check("exp2")


def test_rule_6_9_log2_has_segments_by_octaves_about_1() -> None:
    fraction = np.concatenate([np.arange(2**23 - 70_000, 2**23), np.arange(70_000)])
    # At an exponent of 0 the result tells the value to all bits that it keeps.
    for x in (ONE + fraction % 2**22, ONE - 2**23 + 2**22 + fraction % 2**22):
        bits = x.astype(np.uint32)
        assert np.array_equal(run("log2", bits), oracle.log2(bits))


def test_rule_6_10_log2_adds_the_exponent_and_rounds_once() -> None:
    check("log2")


# What follows from it.

BOUNDS = {"exp2": 0.97, "log2": 0.92, "reciprocal": 0.97, "rsqrt": 0.97}
"""Of errors, in units of the last place."""
SIGNS = {"exp2": (0, SIGN), "log2": (0,), "reciprocal": (0, SIGN), "rsqrt": (0,)}
SOME: dict[str, Sequence[int]] = {
    "exp2": (-27, *range(-3, 1)),
    "log2": range(-3, 3),
    "reciprocal": (0,),
    "rsqrt": (0, 1),
}
"""Exponents of which one number of ten is tried."""
POWERS = tuple(2**n for n in range(7))
ALL: dict[str, Sequence[int]] = {
    # Below 2^-26 the argument is rounded to 0.
    "exp2": range(-27, 7),
    # The place of rounding changes at powers of 2; what is rounded depends on the fraction alone.
    "log2": sorted(
        {-126, 0, 127, *POWERS, *(n - 1 for n in POWERS)}
        | {-n for n in POWERS}
        | {-n - 1 for n in POWERS}
    ),
    # The fraction alone matters, and whether the exponent is odd.
    "reciprocal": (-126, 0, 125),
    "rsqrt": (-126, -125, 0, 1, 126, 127),
}
"""Exponents of which all numbers are tried: together they stand for all inputs."""


@cache
def surveys(name: str, *, everything: bool) -> list[Survey]:
    """One for each sign."""
    return [_survey(name, sign, everything=everything) for sign in SIGNS[name]]


def _survey(name: str, sign: int, *, everything: bool) -> Survey:
    survey, draw = Survey(name), None if everything else np.random.default_rng(sign)
    for exponent in (ALL if everything else SOME)[name]:
        for magnitudes in binade(exponent, draw):
            x = magnitudes | np.uint32(sign)
            survey.add(x, run(name, x))
    return survey


how_many = pytest.mark.parametrize(
    "everything", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["some", "all"]
)


@of_each
@how_many
def test_rule_6_11_errors_are_below_a_unit_of_the_last_place(name: str, everything: bool) -> None:
    for survey in surveys(name, everything=everything):
        assert survey.error < BOUNDS[name]
        # float64 was exact enough to tell.
        error = decimal_error(name, survey.at, survey.got)
        assert error == pytest.approx(survey.error, abs=1e-5)


@of_each
def test_rule_6_11_errors_of_numbers_of_any_size(name: str) -> None:
    x = anything()
    with np.errstate(all="ignore"):
        real = np.abs(REAL[name](x.view(np.float32).astype(np.float64)))
    x = x[(real < 2.0**128) & (x << 1 >= 2**24)]
    survey = Survey(name)
    survey.add(x, run(name, x))
    assert survey.error < BOUNDS[name]
    assert len(x) > 100_000


def test_rule_6_12_powers_of_two_are_exact() -> None:
    n = np.arange(-126, 128)
    powers = np.ldexp(np.float32(1), n).astype(np.float32)
    assert np.array_equal(run("exp2", n).view(np.float32), powers)
    assert np.array_equal(run("log2", powers).view(np.float32), n.astype(np.float32))
    assert not run("log2", np.array([1.0])).any()
    inner = powers[n <= 126]
    assert np.array_equal(run("reciprocal", inner).view(np.float32), 1 / inner)
    assert np.array_equal(run("reciprocal", -inner).view(np.float32), -1 / inner)
    even = n[n % 2 == 0]
    roots = np.ldexp(np.float32(1), -even // 2).astype(np.float32)
    assert np.array_equal(run("rsqrt", powers[n % 2 == 0]).view(np.float32), roots)


@of_each
@how_many
def test_rule_6_13_all_are_monotonic(name: str, everything: bool) -> None:
    for survey, sign in zip(surveys(name, everything=everything), SIGNS[name], strict=True):
        # Magnitudes ascend.
        rises = name == "log2" or (name == "exp2" and not sign) or (name == "reciprocal" and sign)
        assert survey.rises if rises else survey.falls
        assert not (survey.rises and survey.falls)


def test_rule_6_14_one_unit_does_all_four() -> None:
    assert [op.name.lower() for op in Op] == list(FUNCTIONS)
    x = anything()[::600]
    for op in Op:
        inputs = {"op": np.full((1, len(x)), int(op)), "x": x[None]}
        got = interpret(vector.special_function().ir, inputs).outputs["out"][0]
        assert np.array_equal(got, getattr(oracle, op.name.lower())(x))


@pytest.mark.soak
def test_rule_6_14_one_unit_compiled() -> None:
    x = anything()
    unit = compile_function(vector.special_function().ir, LANES)
    for op in Op:
        assert np.array_equal(unit(op=int(op), x=x)["out"], getattr(oracle, op.name.lower())(x))


@how_many
@pytest.mark.parametrize("table", TABLES)
def test_rule_6_15_the_tables_come_out_of_their_search(table: str, everything: bool) -> None:
    wanted = list(zip(segments(table), TABLES[table], strict=True))
    for segment, row in wanted if everything else wanted[:: len(wanted) // 3]:
        assert fitted(segment) == row
