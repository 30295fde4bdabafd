"""Rules of docs/hdl-semantics.md, chapters 3 to 7: arithmetic, order, bits, shifts, narrowing."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import ceil, log2
from typing import Any

import pytest

from tests.hdl.rules import computed, constant_of, kind_of, made, outputs, refuses, text_of
from zhufeng import hdl
from zhufeng.hdl import Bits, Bool, Signal, SInt, Struct, Type, UInt, const, of

any_cat: Any = hdl.cat
NUMBERS = (UInt(0), UInt(1), UInt(3), SInt(1), SInt(3), UInt(4), SInt(5))
PAIRS = [(left, right) for left in NUMBERS for right in NUMBERS]
Pairwise = Callable[[Any, Any], Any]


# Chapter 3: arithmetic.


def assert_exact(f: Pairwise, left: Type, right: Type) -> Type:
    """That a program on two numbers is what Python computes, and in its type; the type."""
    kind, found, given = computed(f, left, right)
    assert found == [int(f(*numbers)) for numbers in given], (left, right)
    assert all(kind.form.has(value) for value in found)
    return kind


def widened(kind: Type, other: Type) -> int:
    """The width of a number beside another: a UInt that meets an SInt has a bit more."""
    return kind.width + (other.signed and not kind.signed)


def test_rule_3_1_a_sum_is_a_bit_wider_than_the_wider_operand() -> None:
    for a, b in PAIRS:
        kind = assert_exact(operator.add, a, b)
        width = max(widened(a, b), widened(b, a)) + 1
        assert kind == (SInt(width) if a.signed or b.signed else UInt(width))
    assert kind_of(operator.add, UInt(3), UInt(5)) == UInt(6)
    assert kind_of(operator.add, UInt(4), SInt(3)) == SInt(6)


def test_rule_3_2_a_difference_is_signed_and_a_bit_wider() -> None:
    for a, b in PAIRS:
        width = max(widened(a, b), widened(b, a)) + 1
        assert assert_exact(operator.sub, a, b) == SInt(width)
    assert kind_of(operator.sub, UInt(3), UInt(5)) == SInt(6)


def test_rule_3_3_a_product_is_as_wide_as_both_operands() -> None:
    for a, b in PAIRS:
        width = widened(a, b) + widened(b, a)
        kind = assert_exact(operator.mul, a, b)
        assert kind == (SInt(width) if a.signed or b.signed else UInt(width))
    assert kind_of(operator.mul, SInt(3), SInt(5)) == SInt(8)
    assert kind_of(operator.mul, UInt(3), SInt(5)) == SInt(9)


@pytest.mark.parametrize("kind", NUMBERS, ids=str)
def test_rule_3_4_a_negative_is_signed_and_a_bit_wider(kind: Type) -> None:
    negative, found, given = computed(operator.neg, kind)
    assert negative == SInt(kind.width + 1)
    assert found == [-number for (number,) in given]
    assert computed(operator.pos, kind)[:2] == (kind, [number for (number,) in given])


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 9])
def test_rule_3_5_a_sum_of_n_grows_by_the_logarithm_of_n(length: int) -> None:
    kind, found, given = computed(lambda x: hdl.total(hdl.stack(*[x] * length)), UInt(4))
    assert kind == UInt(4 + ceil(log2(length)))
    assert found == [number * length for (number,) in given]


def test_rule_3_6_only_numbers_are_computed_with() -> None:
    for kind in (Bits(4), Bool):
        for f in (operator.add, operator.sub, operator.mul):
            program: Pairwise = f
            assert "expected: UInt or SInt" in refuses(program, kind, UInt(4))
            assert "expected: UInt or SInt" in refuses(program, UInt(4), kind)
        assert "expected: UInt or SInt" in refuses(operator.neg, kind)
        assert "expected: UInt or SInt" in refuses(operator.pos, kind)


def test_rule_3_7_arrays_are_computed_with_element_by_element() -> None:
    rows = [[1, 2, 3], [4, 5, 6]]

    def array() -> Signal:
        return const(UInt(3).array(2, 3), rows)

    assert constant_of(lambda: array() + array()) == [[2, 4, 6], [8, 10, 12]]
    assert constant_of(lambda: array() * const(UInt(2), 3)) == [[3, 6, 9], [12, 15, 18]]
    assert constant_of(lambda: 1 - array()) == [[0, -1, -2], [-3, -4, -5]]
    assert constant_of(lambda: const(UInt(2), 3) < array()) == [[0, 0, 0], [1, 1, 1]]
    assert constant_of(lambda: hdl.wrap(array(), 1)) == [[1, 0, 1], [0, 1, 0]]
    assert constant_of(lambda: hdl.cat(array(), const(Bits(1), 1))) == [[3, 5, 7], [9, 11, 13]]
    for kind in (UInt(3).array(3), UInt(3).array(3, 2), UInt(3).array(1, 3)):
        assert "expected: arrays of one shape" in refuses(operator.add, UInt(3).array(2, 3), kind)


# Chapter 4: equality and order.

ORDER: tuple[Pairwise, ...] = (
    *(operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge),
)


@pytest.mark.parametrize("f", ORDER)
def test_rule_4_1_numbers_are_compared_by_value_whatever_their_types(f: Pairwise) -> None:
    for a, b in PAIRS:
        assert assert_exact(f, a, b) == Bool


def test_rule_4_2_bits_and_bools_are_equal_or_not_and_have_no_order() -> None:
    for kind in (Bits(2), Bool):
        assert assert_exact(operator.eq, kind, kind) == Bool
        assert assert_exact(operator.ne, kind, kind) == Bool
        for f in ORDER[2:]:
            assert "expected: numbers, which are compared by value" in refuses(f, kind, kind)
            assert "expected: numbers, which are compared by value" in refuses(
                lambda x, f=f: f(x, 1), kind
            )
    for other in (Bits(3), UInt(2), Bool, SInt(2)):
        assert "or one type" in refuses(operator.eq, Bits(2), other)
        assert "or one type" in refuses(operator.ne, other, Bits(2))


def test_rule_4_3_an_int_that_does_not_fit_is_an_error_and_not_always_false() -> None:
    for f in ORDER:
        for kind, unfit in ((UInt(4), 16), (UInt(4), -1), (SInt(4), 8), (SInt(4), -9)):
            assert f"{kind}: {kind.low} to {kind.high}" in refuses(
                lambda x, f=f, unfit=unfit: f(x, unfit), kind
            )
        assert computed(lambda x, f=f: f(x, 7), SInt(4)).found == [
            int(f(x, 7)) for x in range(-8, 8)
        ]


# Chapter 5: bits.


@pytest.mark.parametrize("kind", [UInt(3), SInt(3), Bits(3), Bool, Bits(0)], ids=str)
def test_rule_5_1_bit_by_bit_operands_are_of_one_type_and_so_is_the_result(kind: Type) -> None:
    for f in (operator.and_, operator.or_, operator.xor):
        program: Pairwise = f
        found = computed(program, kind, kind)
        assert found.kind == kind
        assert found.found == [kind.form.wrap(f(a, b)) for a, b in found.given]
    inverse = computed(operator.invert, kind)
    assert inverse[:2] == (kind, [kind.form.wrap(~number) for (number,) in inverse.given])
    for other in (UInt(4), SInt(4), Bits(4)):
        assert "expected: operands of one type" in refuses(operator.and_, kind, other)


@pytest.mark.parametrize("kind", [UInt(4), SInt(4), Bits(4)], ids=str)
def test_rule_5_2_a_bit_is_a_bool_and_the_lowest_one_is_0(kind: Type) -> None:
    for place in range(-4, 4):
        found = computed(lambda x, place=place: x[place], kind)
        assert found.kind == Bool
        assert found.found == [int(text_of(x, 4)[::-1][place]) for (x,) in found.given]
    for place in (4, -5):
        assert "expected: a bit from 0 to 3" in refuses(lambda x, place=place: x[place], kind)


@pytest.mark.parametrize("kind", [UInt(4), SInt(4), Bits(4)], ids=str)
def test_rule_5_3_a_slice_is_the_bits_from_its_lower_end_to_before_its_upper(kind: Type) -> None:
    ends = [None, *range(-4, 5)]
    for low in ends:
        for high in ends:
            places = range(4)[low:high]
            if places.start <= places.stop:
                found = computed(lambda x, low=low, high=high: x[low:high], kind)
                assert found.kind == Bits(len(places))
                assert found.found == [
                    sum((x >> place & 1) << n for n, place in enumerate(places))
                    for (x,) in found.given
                ]
            else:
                assert "the lower end first" in refuses(
                    lambda x, low=low, high=high: x[low:high], kind
                )
    for unfit in (slice(0, 5), slice(-5, 2), slice(5, 5), slice(0, 4, 2), slice(None, None, -1)):
        assert "a part of" in refuses(lambda x, unfit=unfit: x[unfit], kind)


def test_rule_5_4_a_bit_chosen_by_a_signal_is_0_where_there_is_none() -> None:
    for kind in (Bits(3), SInt(3), UInt(1), UInt(0)):
        found = computed(lambda x, i: x[i], kind, UInt(3))
        assert found.kind == Bool
        bits = [(x & ((1 << kind.width) - 1)) >> i & 1 for x, i in found.given]
        assert found.found == bits
    for kind in (SInt(2), Bits(2), Bool):
        assert "expected: UInt" in refuses(lambda x, i: x[i], Bits(3), kind)


def test_rule_5_5_cat_has_its_first_part_on_top() -> None:
    found = computed(hdl.cat, UInt(2), SInt(3), Bool)
    assert found.kind == Bits(6)
    assert found.found == [
        int(text_of(x, 2) + text_of(y, 3) + text_of(z, 1), 2) for x, y, z in found.given
    ]
    assert "expected: at least one part" in refuses(lambda _: any_cat(), UInt(2))
    assert "expected: a signal" in refuses(lambda x: any_cat(x, 1), UInt(2))


class Mixed(Struct):
    """Two fields, one of them an array."""

    head: Signal = of(SInt(3))
    tail: Signal = of(UInt(2).array(2))


def test_rule_5_6_pack_has_element_0_and_the_last_field_lowest() -> None:
    def packed(x: Signal, y: Signal) -> Signal:
        return hdl.pack(Mixed(x, hdl.stack(y, ~y)))

    def back(x: Signal, y: Signal) -> Signal:
        mixed: Mixed = hdl.unpack(Mixed, packed(x, y))
        assert (mixed.head.type, mixed.tail.type) == (SInt(3), UInt(2).array(2))
        return (mixed.head == x) & (mixed.tail[0] == y) & (mixed.tail[1] == ~y)

    found = computed(packed, SInt(3), UInt(2))
    assert found.kind == Bits(7)
    assert found.found == [(x & 7) << 4 | (3 - y) << 2 | y for x, y in found.given]
    assert set(computed(back, SInt(3), UInt(2)).found) == {1}
    assert constant_of(lambda: hdl.pack(const(UInt(4).array(2, 2), [[1, 2], [3, 4]]))) == 0x4321
    assert constant_of(lambda: hdl.unpack(Bool.array(4), const(UInt(4), 6))) == [0, 1, 1, 0]
    assert "expected: Bits(7)" in refuses(lambda x: hdl.unpack(Mixed, x), Bits(8))


def test_rule_5_7_reductions_say_something_of_all_bits() -> None:
    known: tuple[tuple[Callable[[Signal], Signal], Callable[[str], bool]], ...] = (
        (hdl.all_bits, lambda text: "0" not in text),
        (hdl.any_bit, lambda text: "1" in text),
        (hdl.parity, lambda text: text.count("1") % 2 == 1),
    )
    for program, of_text in known:
        for kind in (UInt(4), SInt(4), Bits(4), Bool, Bits(0)):
            found = computed(lambda x, program=program: program(x), kind)
            assert found.kind == Bool
            assert found.found == [int(of_text(text_of(x, kind.width))) for (x,) in found.given]


def test_rule_5_8_leading_zeros_stand_above_the_highest_one() -> None:
    for kind in (UInt(4), SInt(4), Bits(5), Bool, Bits(0)):
        found = computed(hdl.leading_zeros, kind)
        assert found.kind == UInt(kind.width.bit_length())
        texts = [text_of(x, kind.width) for (x,) in found.given]
        assert found.found == [len(text) - len(text.lstrip("0")) for text in texts]


# Chapter 6: shifts.

SHIFTED = (UInt(4), SInt(4), Bits(4), UInt(0))


@pytest.mark.parametrize("kind", SHIFTED, ids=str)
def test_rule_6_1_to_the_left_by_a_number_nothing_is_lost(kind: Type) -> None:
    for amount in (0, 1, 3, 9):
        found = computed(lambda x, amount=amount: x << amount, kind)
        assert found.kind == Type(kind.kind, kind.width + amount)
        assert found.found == [x * 2**amount for (x,) in found.given]


@pytest.mark.parametrize("kind", SHIFTED, ids=str)
def test_rule_6_2_to_the_right_is_a_division_that_rounds_down(kind: Type) -> None:
    for amount in (0, 1, 3, 4, 9):
        found = computed(lambda x, amount=amount: x >> amount, kind)
        assert found[:2] == (kind, [x // 2**amount for (x,) in found.given])
    found = computed(lambda x, n: x >> n, kind, UInt(3))
    assert found[:2] == (kind, [x // 2**n for x, n in found.given])


@pytest.mark.parametrize("kind", SHIFTED, ids=str)
@pytest.mark.parametrize("width", [0, 2, 4, 7, 12])
def test_rule_6_3_to_the_left_by_a_signal_the_width_is_stated(kind: Type, width: int) -> None:
    found = computed(lambda x, n: hdl.shift_left(x, n, width), kind, UInt(3))
    assert found.kind == Type(kind.kind, width)
    assert found.found == [found.kind.form.wrap(x << n) for x, n in found.given]
    assert "do:       write shift_left" in refuses(lambda x, n: x << n, kind, UInt(3))


def test_rule_6_4_an_amount_is_a_uint_or_a_number_from_0() -> None:
    programs: tuple[Pairwise, ...] = (
        lambda x, n: x >> n,
        lambda x, n: hdl.shift_left(x, n, 8),
    )
    for program in programs:
        for kind in (SInt(3), Bits(3), Bool):
            assert "expected: UInt" in refuses(program, UInt(4), kind)
        assert "a number of at least 0" in refuses(lambda x, f=program: f(x, -1), UInt(4))
        assert "expected: UInt, SInt or Bits" in refuses(program, Bool, UInt(1))
        rows = computed(
            lambda n, f=program: hdl.pack(f(const(UInt(4).array(2), [6, 9]), n)), UInt(2)
        )
        by_hand = [f_of(n) for f_of in (_SHIFTS[program is programs[1]],) for n in range(4)]
        assert rows.found == by_hand
    assert "a number of at least 0" in refuses(lambda x: x << -1, UInt(4))


_SHIFTS: tuple[Callable[[int], int], ...] = (
    lambda n: (9 >> n) << 4 | 6 >> n,
    lambda n: (9 << n) << 8 | 6 << n,
)


# Chapter 7: narrowing, and from one kind to another.

KINDS = (UInt(2), SInt(2), UInt(7), SInt(7), UInt(0), SInt(1))


@pytest.mark.parametrize("kind", [*NUMBERS, Bits(4), Bool], ids=str)
def test_rule_7_1_wrap_keeps_the_lower_bits_of_the_number(kind: Type) -> None:
    for to in (*KINDS, Bits(3), Bool):
        found = computed(lambda x, to=to: hdl.wrap(x, to), kind)
        assert found.kind == to
        assert all(
            (a - b) % 2**to.width == 0 for a, (b,) in zip(found.found, found.given, strict=True)
        )
        assert all(map(to.form.has, found.found))
    for width in (0, 2, 7):
        if kind != Bool:
            assert kind_of(lambda x, width=width: hdl.wrap(x, width), kind).width == width
    assert "a type, such as UInt(1)" in refuses(lambda x: hdl.wrap(x, 1), Bool)


@pytest.mark.parametrize("kind", NUMBERS, ids=str)
def test_rule_7_2_saturate_is_the_nearest_number(kind: Type) -> None:
    for to in KINDS:
        found = computed(lambda x, to=to: hdl.saturate(x, to), kind)
        assert found[:2] == (to, [min(max(x, to.low), to.high) for (x,) in found.given])
    for other in (Bits(4), Bool):
        assert "expected: numbers: UInt or SInt" in refuses(
            lambda x: hdl.saturate(x, UInt(2)), other
        )
        assert "expected: numbers: UInt or SInt" in refuses(
            lambda x, other=other: hdl.saturate(x, other), kind
        )


def test_rule_7_3_as_keeps_the_bits_and_changes_the_kind() -> None:
    for kind in (UInt(3), SInt(3), Bits(3)):
        for program, to in ((hdl.as_uint, UInt(3)), (hdl.as_sint, SInt(3)), (hdl.as_bits, Bits(3))):
            found = computed(lambda x, program=program: program(x), kind)
            assert found[:2] == (to, [to.form.wrap(x) for (x,) in found.given])
    for kind in (UInt(1), SInt(1), Bits(1), Bool):
        found = computed(hdl.as_bool, kind)
        assert found[:2] == (Bool, [x & 1 for (x,) in found.given])
    assert "expected: one bit" in refuses(hdl.as_bool, UInt(2))


def test_rule_7_4_an_array_is_narrowed_element_by_element() -> None:
    program = made(lambda x: hdl.saturate(hdl.wrap(x, 3), UInt(2)), UInt(4).array(2))
    assert outputs(program, x0=[[9, 6]])["out"] == [[1, 3]]
    assert "leave its shape out" in refuses(
        lambda x: hdl.wrap(x, UInt(2).array(3)), UInt(4).array(2)
    )
