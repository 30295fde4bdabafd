"""Rules of docs/hdl-semantics.md, chapters 8 and 9: choices and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.hdl.rules import computed, constant_of, free, kind_of, made, outputs, refuses, stepped
from zhufeng import hdl
from zhufeng.hdl import Bits, Bool, Signal, SInt, State, Struct, Type, UInt, const, of, reg

DRAW = np.random.default_rng(11)


class Point(Struct):
    """Two numbers."""

    x: Signal = of(SInt(4))
    y: Signal = of(UInt(2))


class Other(Struct):
    """The same numbers in another struct."""

    x: Signal = of(SInt(4))
    y: Signal = of(UInt(2))


any_hdl: Any = hdl


# Chapter 8: choices.


def test_rule_8_1_mux_is_the_first_value_where_the_condition_is_true() -> None:
    found = computed(hdl.mux, Bool, SInt(3), SInt(3))
    assert found[:2] == (SInt(3), [a if c else b for c, a, b in found.given])
    for kind in (UInt(1), Bits(1), SInt(2)):
        assert "expected: Bool" in refuses(lambda c: hdl.mux(c, 1, c), kind)
    assert "expected: Bool" in refuses(lambda x: any_hdl.mux(True, x, x), UInt(2))


def test_rule_8_1_the_choices_are_of_one_type() -> None:
    for kind in (UInt(4), SInt(3), Bits(3), Bool):
        assert f"came:     UInt(3) and {kind}" in refuses(hdl.mux, Bool, UInt(3), kind)
    assert "at least one signal" in refuses(lambda c: hdl.mux(c, 1, 2), Bool)


def test_rule_8_2_of_arrays_each_element_is_chosen_for_itself() -> None:
    a, b = [[1, 2], [3, 4]], [[5, 6], [7, 0]]

    def chosen(condition: Any, yes: Any, no: Any) -> Any:
        def program() -> Signal:
            kind = Bool.array(2, 2) if isinstance(condition, list) else Bool
            return hdl.mux(const(kind, condition), of_shape(yes), of_shape(no))

        def of_shape(data: Any) -> Signal:
            return const(UInt(3).array(2, 2) if isinstance(data, list) else UInt(3), data)

        return constant_of(program)

    assert chosen([[1, 0], [0, 1]], a, b) == [[1, 6], [7, 4]]
    assert chosen(1, a, 7) == a
    assert chosen(0, a, 7) == [[7, 7], [7, 7]]
    assert chosen([[1, 0], [0, 1]], 1, 2) == [[1, 2], [2, 1]]
    unlike = (Bool.array(2), UInt(3).array(3), UInt(3).array(3))
    assert "expected: arrays of one shape" in refuses(hdl.mux, *unlike)


def test_rule_8_3_switch_is_the_value_of_the_key_that_the_selector_is() -> None:
    found = computed(lambda s: hdl.switch(s, {0: s, 2: 3, 1: 0}, 1), UInt(2))
    assert found[:2] == (UInt(2), [0, 0, 3, 1])
    signed = computed(lambda s: hdl.switch(s, {-1: 5, 1: const(UInt(3), 6)}, 0), SInt(2))
    assert signed.found == [{-1: 5, 1: 6}.get(s, 0) for (s,) in signed.given]
    assert computed(lambda s: hdl.switch(s, {2: const(Bool, 1)}, 0), Bits(2)).found == [0, 0, 1, 0]
    assert computed(lambda s: hdl.switch(s, {}, s), UInt(2)).found == [0, 1, 2, 3]
    rows = constant_of(
        lambda: hdl.switch(const(UInt(2).array(3), [2, 0, 1]), {0: const(UInt(3), 4), 1: 5}, 6)
    )
    assert rows == [6, 4, 5]


def test_rule_8_3_keys_are_numbers_that_the_selector_may_be() -> None:
    for key in (4, -1, "x", 1.5, None):
        assert "expected: UInt(2): 0 to 3" in refuses(
            lambda s, key=key: any_hdl.switch(s, {key: s}, s), UInt(2)
        )
    assert "expected: values by number" in refuses(lambda s: any_hdl.switch(s, [s, s], s), UInt(2))
    assert "expected: a signal" in refuses(lambda s: any_hdl.switch(1, {1: s}, s), UInt(2))
    unlike = refuses(lambda s, x: hdl.switch(s, {1: s}, x), UInt(2), UInt(3))
    assert "came:     UInt(2) and UInt(3)" in unlike


def test_rule_8_4_structs_and_tuples_are_chosen_as_a_whole() -> None:
    def chosen(c: Signal, x: Signal, y: Signal) -> Signal:
        point = hdl.mux(c, Point(x, y), Point(hdl.wrap(-x, 4), ~y))
        other = hdl.switch(as_uint(c), {1: Point(x, y)}, Point(hdl.wrap(-x, 4), ~y))
        pair = hdl.mux(c, (x, y), (hdl.wrap(-x, 4), ~y))
        return hdl.cat(*map(hdl.pack, (point, other, pair)))

    as_uint = hdl.as_uint
    found = computed(chosen, Bool, SInt(4), UInt(2))
    for bits, (c, x, y) in zip(found.found, found.given, strict=True):
        one = (x & 15) << 2 | y if c else (-x & 15) << 2 | (3 - y)
        assert bits == one << 12 | one << 6 | one
    for unlike in (Other, UInt(6)):
        assert "values of one type" in refuses(hdl.mux, Bool, Point, unlike)
    assert "values of one type" in refuses(lambda c, x: any_hdl.mux(c, (x, x), (x,)), Bool, UInt(2))
    assert "came:     dict" in refuses(lambda c, x: any_hdl.mux(c, {1: x}, {1: x}), Bool, UInt(2))


# Chapter 9: arrays.

CUBE = DRAW.integers(0, 16, (3, 2, 4))


def cube() -> Signal:
    """The numbers of CUBE as a constant."""
    return const(UInt(4).array(3, 2, 4), CUBE)


INDICES: tuple[Any, ...] = (
    *(
        0,
        -1,
        np.int64(2),
        slice(1, 3),
        slice(None, None, 2),
        slice(None, None, -1),
        slice(-2, None),
    ),
    *((1, 1), (0, 1, -1), (slice(None), 0), (slice(0, 2), slice(1, 2), slice(3, 0, -2)), (2, 1, 0)),
)


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_rule_9_1_numbers_and_slices_index_as_in_numpy(index: Any) -> None:
    assert constant_of(lambda: cube()[index]) == CUBE[index].tolist()


@pytest.mark.parametrize(
    "index",
    [3, -4, slice(0, 4), slice(1, 1), (0, 0, 0, 0), None, ..., [0, 1], 1.0, "a", (0, slice(0, 9))],
    ids=str,
)
def test_rule_9_1_what_is_not_there_is_an_error(index: Any) -> None:
    assert "a part of UInt(4)" in refuses(lambda x: x[index], UInt(4).array(3, 2, 4))


def test_rule_9_2_a_signal_indexes_the_first_axis_and_reads_0_out_of_range() -> None:
    program = made(lambda i: cube()[i], UInt(3))
    found = outputs(program, x0=range(8))["out"]
    assert found == [CUBE[i].tolist() if i < 3 else np.zeros((2, 4)).tolist() for i in range(8)]
    narrow = computed(lambda i: const(SInt(4).array(5), [-1, -2, -3, -4, -5])[i], UInt(1))
    assert narrow[:2] == (SInt(4), [-1, -2])
    assert "expected: UInt" in refuses(lambda x, i: x[i], UInt(4).array(3), SInt(2))
    assert "vmap over the indices" in refuses(lambda x, i: x[i], UInt(4).array(3), UInt(2).array(2))


def test_rule_9_3_put_replaces_one_element_and_nothing_out_of_range() -> None:
    program = made(lambda i, x: hdl.put(cube(), i, x), UInt(3), UInt(4).array(2, 4))
    new = DRAW.integers(0, 16, (8, 2, 4))
    found = outputs(program, x0=range(8), x1=new)["out"]
    for i in range(8):
        after = CUBE.copy()
        if i < 3:
            after[i] = new[i]
        assert found[i] == after.tolist()
    for place in (0, 2, -1):
        after = CUBE.copy()
        after[place] = 5
        assert constant_of(lambda place=place: hdl.put(cube(), place, 5)) == after.tolist()
    assert "an element from 0 to 2" in refuses(lambda x: hdl.put(x, 3, 1), UInt(4).array(3))
    assert "expected: an array" in refuses(lambda x: hdl.put(x, 0, 1), UInt(4))


def test_rule_9_4_stack_makes_a_new_first_axis_and_join_lengthens_one() -> None:
    assert constant_of(lambda: hdl.stack(cube(), cube())) == np.stack([CUBE, CUBE]).tolist()
    for axis in (0, 1, 2, -1, -3):
        assert constant_of(lambda axis=axis: hdl.join(cube(), cube()[::-1], axis=axis)) == (
            np.concatenate([CUBE, CUBE[::-1]], axis).tolist()
        )
    uneven = constant_of(lambda: hdl.join(cube(), cube()[:, 0:1], axis=1))
    assert uneven == np.concatenate([CUBE, CUBE[:, 0:1]], 1).tolist()
    assert "arrays that differ along axis 0 only" in refuses(
        hdl.join, UInt(4).array(3, 2), UInt(4).array(3, 3)
    )
    assert "arrays that differ along axis 0 only" in refuses(hdl.join, UInt(4), UInt(4))
    assert "values of one type" in refuses(hdl.stack, UInt(4), UInt(5))
    assert "at least one value" in refuses(lambda _: any_hdl.stack(), UInt(4))


def test_rule_9_5_reshape_keeps_the_row_major_order_and_transpose_moves_axes() -> None:
    for shape in ((24,), (6, 4), (2, 3, 2, 2), (3, 2, 4)):
        assert constant_of(lambda shape=shape: hdl.reshape(cube(), shape)) == (
            CUBE.reshape(shape).tolist()
        )
    for axes in ((), (0, 1, 2), (2, 0, 1), (-1, 1, 0)):
        assert constant_of(lambda axes=axes: hdl.transpose(cube(), *axes)) == (
            CUBE.transpose(axes or None).tolist()
        )
    assert constant_of(lambda: hdl.reshape(const(UInt(4), 5), (1, 1))) == [[5]]
    assert "expected: 24 elements" in refuses(
        lambda x: hdl.reshape(x, (5, 5)), UInt(4).array(3, 2, 4)
    )
    assert "each once" in refuses(lambda x: hdl.transpose(x, 0, 0), UInt(4).array(2, 3))


def test_rule_9_6_shift_in_moves_every_element_by_one() -> None:
    for axis in (0, 1, 2, -1):
        new = np.take(CUBE, -1, axis)

        def moved(axis: int = axis, new: Any = new) -> Signal:
            entering = const(UInt(4).array(*new.shape), new)
            return hdl.shift_in(entering, cube(), axis)

        assert constant_of(moved) == np.roll(CUBE, 1, axis).tolist()
    assert constant_of(lambda: hdl.shift_in(7, const(UInt(3).array(3), [1, 2, 3]))) == [7, 1, 2]
    assert constant_of(lambda: hdl.shift_in(7, const(UInt(3).array(1), [1]))) == [7]
    assert "an array with that axis" in refuses(lambda x: hdl.shift_in(x, x), UInt(4))


def test_rule_9_7_an_array_of_structs_is_indexed_field_by_field() -> None:
    kinds: tuple[Type, ...] = (UInt(1), UInt(2))
    for kind in kinds:
        program = made(lambda p, i: p[i], Point.array(2), kind)
        for i in range(2**kind.width):
            found = outputs(program, x0_x=[[-8, 7]], x0_y=[[3, 1]], x1=[i])
            known = [(-8, 3), (7, 1)][i] if i < 2 else (0, 0)
            assert (found["x"][0], found["y"][0]) == known
    last = made(lambda p: hdl.stack(p[-1], *p[0:1]), Point.array(2))
    assert outputs(last, x0_x=[[-8, 7]], x0_y=[[3, 1]]) == {"x": [[7, -8]], "y": [[1, 3]]}


def test_rule_9_8_an_array_of_bools_is_a_condition_for_each_element() -> None:
    class Flags(State):
        on: Signal = reg(Bool.array(3), reset=[1, 0, 1])
        left: Signal = reg(UInt(2).array(3), reset=2)

    def counted(s: Flags) -> tuple[Flags, Signal]:
        left = hdl.mux(s.on, hdl.wrap(s.left - 1, UInt(2)), s.left)
        return Flags(on=s.on & (left != 0), left=left), s.left

    assert free(stepped(Flags, counted), 4)["out"] == [[2, 2, 2], [1, 2, 1], [0, 2, 0], [0, 2, 0]]
    assert kind_of(lambda x: x == 1, UInt(2).array(3)) == Bool.array(3)
    assert constant_of(lambda: hdl.pack(const(Bool.array(4), [1, 0, 0, 1]))) == 9
