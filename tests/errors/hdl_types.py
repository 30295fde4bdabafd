"""Errors of zhufeng.hdl: types, structs, numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.errors.hdl_case import says
from tests.hdl.rules import made
from zhufeng import hdl
from zhufeng.hdl import Bits, Bool, Signal, SInt, State, Struct, UInt, const, of, reg

# As somebody writes who has no type checker.
any_hdl: Any = hdl


class Point(Struct):
    """Two numbers."""

    x: Signal = of(UInt(4))
    y: Signal = of(SInt(3))


any_point: Any = Point
none: Any = None


def tried(f: Callable[..., object], *kinds: Any) -> None:
    """Trace a program of these inputs."""
    made(f, *kinds)


# Types and structs.


@says(
    "a type UInt", "a width of at least 0", "eight", "give a whole number of bits, such as UInt(8)"
)
def width_is_no_number() -> None:
    any_hdl.UInt("eight")


@says("a type UInt", "a width of at least 0", "-1", "give a whole number of bits, such as UInt(8)")
def width_below_0() -> None:
    tried(lambda x: hdl.wrap(x, -1), UInt(4))


@says(
    "an array of UInt",
    "axes of at least one element",
    "3, 0",
    "give whole numbers: UInt(8).array(4, 2)",
)
def array_without_elements() -> None:
    UInt(4).array(3, 0)


@says(
    "reshape of UInt(4).array(2)",
    "axes of at least one element",
    "-1",
    "give whole numbers: UInt(8).array(4, 2)",
)
def reshaped_to_nothing() -> None:
    tried(lambda x: hdl.reshape(x, (-1,)), UInt(4).array(2))


@says(
    "a field of a struct",
    "a type: UInt(8), SInt(8), Bits(8), Bool, an array of one, or a Struct",
    "UInt",
    "name a type, with its width",
)
def field_of_no_type() -> None:
    of(any_hdl.UInt)


@says(
    "input a of f",
    "a type: UInt(8), SInt(8), Bits(8), Bool, an array of one, or a Struct",
    "int",
    "name a type, with its width",
)
def input_of_no_type() -> None:
    def f(a: Signal) -> Signal:
        return a

    any_hdl.function(a=3)(f)


@says(
    "Point(...)",
    "each field once: x, y",
    "1 by position, x",
    "give all of them, by name or in this order",
)
def field_twice() -> None:
    tried(lambda x: any_point(x, x=x), UInt(4))


@says(
    "Point(...)",
    "each field once: x, y",
    "1 by position",
    "give all of them, by name or in this order",
)
def field_missing() -> None:
    tried(any_point, UInt(4))


@says("Point.y", "SInt(3)", "UInt(3)", "write as_sint(x), which keeps the bits")
def field_of_another_type() -> None:
    tried(Point, UInt(4), UInt(3))


@says("Point.x", "UInt(4): 0 to 15", "16", "give a number that fits, or widen the type")
def field_given_a_number_that_does_not_fit() -> None:
    tried(lambda x: any_point(16, x), SInt(3))


@says("Point.x", "UInt(4)", "float", "give a signal or an int; const(type, data) makes arrays")
def field_given_a_float() -> None:
    tried(lambda x: any_point(0.5, x), SInt(3))


@says(
    "Wrong.x",
    "of(type)",
    "the type UInt(4)",
    "declare in a State what is held, in a Struct what is passed on",
)
def field_with_a_type_alone() -> None:
    type("Wrong", (Struct,), {"x": UInt(4)})


@says(
    "Wrong.x",
    "of(type)",
    "reg(...)",
    "declare in a State what is held, in a Struct what is passed on",
)
def field_of_a_state_in_a_struct() -> None:
    type("Wrong", (Struct,), {"x": reg(UInt(4), reset=0)})


@says(
    "Wrong.x",
    "reg(type, reset=...), mem(type, depth) or instance(module)",
    "of(...)",
    "declare in a State what is held, in a Struct what is passed on",
)
def field_of_a_struct_in_a_state() -> None:
    type("Wrong", (State,), {"x": of(UInt(4))})


@says(
    "Wrong.rebuilt",
    "a name of the letters a to z, digits and _ that is not taken",
    "rebuilt",
    "call it otherwise",
)
def field_with_a_name_that_is_taken() -> None:
    type("Wrong", (State,), {"rebuilt": reg(UInt(4), reset=0)})


@says(
    "Wrong.p_x",
    "names that differ, also from those of a field's fields",
    "two signals that are called so",
    "rename one of the fields",
)
def fields_that_are_called_alike() -> None:
    type("Wrong", (Struct,), {"p": of(Point), "p_x": of(UInt(4))})


class Bare(Struct):
    """A field without its type."""

    x: Signal


@says("Bare.x", "a field with its type", "an annotation alone", "write x: Signal = of(UInt(8))")
def field_with_an_annotation_alone() -> None:
    tried(lambda p: p.x, Bare)


@says("Point.x = ...", "a new one", "an assignment", "write replace(x, x=...)")
def field_is_assigned() -> None:
    def program(p: Any) -> object:
        p.x = p.x + 1
        return p

    tried(program, Point)


@says("replace(Point, ...)", "some of its fields: x, y", "z", "name those")
def field_to_replace_is_none() -> None:
    tried(lambda p: hdl.replace(p, z=1), Point)


@says("replace", "a struct or a state", "UInt(4)", "name it first: replace(x, field=value)")
def field_replaced_in_what_has_none() -> None:
    tried(lambda x: any_hdl.replace(x, z=1), UInt(4))


@says("Outer.p", "Point", "UInt(4)", "give a Point")
def struct_in_the_place_of_another() -> None:
    class Outer(Struct):
        p: Point = of(Point)

    tried(lambda o, x: hdl.replace(o, p=x), Outer, UInt(4))


@says("Outer.p", "Point.array(2)", "UInt(4)", "give a Point")
def struct_field_for_a_signal() -> None:
    class Outer(Struct):
        p: Point = of(Point.array(2))

    any_outer: Any = Outer
    tried(any_outer, UInt(4))


@says(
    "Outer.p, its x",
    "UInt(4).array(2)",
    "UInt(4).array(3)",
    "give an array of shape [2]: index, stack, reshape or vmap it",
)
def array_of_structs_of_another_length() -> None:
    class Outer(Struct):
        p: Point = of(Point.array(2))

    tried(Outer, Point.array(3))


@says("len of Point", "an array of structs", "Point", "take its fields by name")
def length_of_one_struct() -> None:
    tried(lambda p: [*p], Point)


@says(
    "Python asks whether Point is true (if, while, and, or, not, in, a < b < c)",
    "a choice that hardware can make",
    "Point",
    "ask one of its signals",
)
def truth_of_a_struct() -> None:
    tried(lambda p: p or p, Point)


@says("Point beside ==", "signals", "Point", "compare fields, or all bits: pack(a) == pack(b)")
def structs_compared() -> None:
    tried(lambda p: p == p.x, Point)


@says("an operator on Point", "signals", "Point", "write it for each field")
def structs_added() -> None:
    tried(lambda p: p + 1, Point)


# Numbers.


@says(
    "a constant",
    "a type: UInt(8), SInt(8), Bits(8), Bool, or UInt(8).array(4)",
    "Point",
    "name a type, with its width; of a struct, its fields or Bits for all of them",
)
def constant_of_no_type() -> None:
    tried(lambda: any_hdl.const(Point, 3))


@says("a constant of UInt(3)", "numbers from 0 to 7", "8", "give numbers that fit, or another type")
def constant_too_large() -> None:
    tried(lambda: const(UInt(3), 8))


@says(
    "a constant of UInt(3).array(2)",
    "numbers from 0 to 7: one, or of the shape [2]",
    "0.5",
    "give numbers that fit, or another type",
)
def constant_of_a_float() -> None:
    tried(lambda: const(UInt(3).array(2), [0.5, 1]))


@says(
    "a constant of UInt(3).array(2, 3)",
    "numbers from 0 to 7: one, or of the shape [2, 3]",
    "the shape [3, 2]",
    "give numbers that fit, or another type",
)
def constant_of_another_shape() -> None:
    tried(lambda: const(UInt(3).array(2, 3), np.ones((3, 2), int)))


@says(
    "a constant of UInt(3).array(2, 2)",
    "numbers from 0 to 7: one, or of the shape [2, 2]",
    "ragged lists",
    "give numbers that fit, or another type",
)
def constant_of_ragged_lists() -> None:
    tried(lambda: const(UInt(3).array(2, 2), [[1, 2], [3]]))


@says(
    "Python takes UInt(3) for a number",
    "a number that is known while hardware is built",
    "UInt(3)",
    "index with x[i], or (x >> i)[0:4]; repeat with vmap or fold",
)
def constant_of_a_signal() -> None:
    tried(lambda x: const(UInt(3), x), UInt(3))


@says(
    "hardware outside a module",
    "a function that @module or @function traces",
    "a call from elsewhere",
    "move it into such a function; interpret(f.ir, inputs) computes with numbers",
)
def constant_outside_of_a_module() -> None:
    const(UInt(3), 1)


@says("float beside +", "a signal or an int", "float", "give one; const(type, data) makes arrays")
def sum_with_a_float() -> None:
    tried(lambda x: x + 0.5, UInt(4))


@says("bool beside +", "a signal or an int", "bool", "give one; const(type, data) makes arrays")
def sum_with_a_bool() -> None:
    tried(lambda x: x + True, UInt(4))


@says(
    "Bits(4) beside +",
    "UInt or SInt",
    "Bits(4)",
    "write as_uint(x) or as_sint(x), which keep the bits",
)
def sum_of_bits() -> None:
    tried(lambda x, y: x + y, Bits(4), UInt(4))


@says(
    "UInt(4).array(2) meets UInt(4).array(3)",
    "arrays of one shape, or a single element",
    "[2] and [3]",
    "index, reshape or vmap one of them",
)
def sum_of_unlike_shapes() -> None:
    tried(lambda x, y: x + y, UInt(4).array(2), UInt(4).array(3))


@says(
    "Bits(4) < Bits(4)",
    "numbers, which are compared by value",
    "Bits(4) and Bits(4)",
    "write as_uint(x) or as_sint(x), which keep the bits",
)
def order_of_bits() -> None:
    tried(lambda x: x < 3, Bits(4))


@says(
    "Bits(4) == UInt(4)",
    "numbers, which are compared by value; or one type",
    "Bits(4) and UInt(4)",
    "write as_uint(x) or as_sint(x), which keep the bits",
)
def equality_of_bits_and_numbers() -> None:
    tried(lambda x, y: x == y, Bits(4), UInt(4))


@says(
    "NoneType beside ==",
    "a signal or an int",
    "NoneType",
    "give one; const(type, data) makes arrays",
)
def comparison_with_none() -> None:
    tried(lambda x: x == none, UInt(4))


@says("UInt(4) >= -1", "UInt(4): 0 to 15", "-1", "give a number that fits, or widen the type")
def comparison_with_a_number_that_does_not_fit() -> None:
    tried(lambda x: x >= -1, UInt(4))


@says("UInt(4) & 255", "UInt(4): 0 to 15", "255", "give a number that fits, or widen the type")
def masked_by_a_number_that_does_not_fit() -> None:
    tried(lambda x: x & 0xFF, UInt(4))


@says(
    "UInt(4) & UInt(5)",
    "operands of one type",
    "UInt(4) and UInt(5)",
    "write wrap(x, 4) or saturate(x, 4)",
)
def masked_by_another_width() -> None:
    tried(lambda x, y: x & y, UInt(4), UInt(5))


@says(
    "UInt(4) & SInt(4)",
    "operands of one type",
    "UInt(4) and SInt(4)",
    "write as_uint(x), which keeps the bits",
)
def masked_by_another_kind() -> None:
    tried(lambda x, y: x & y, UInt(4), SInt(4))


@says(
    "UInt(4) & Bits(5)",
    "operands of one type",
    "UInt(4) and Bits(5)",
    "write wrap(x, UInt(4)), which keeps what fits",
)
def masked_by_another_kind_and_width() -> None:
    tried(lambda x, y: x & y, UInt(4), Bits(5))


@says("Bits(4) & Bits(5)", "operands of one type", "Bits(4) and Bits(5)", "write wrap(x, 4)")
def masked_by_bits() -> None:
    tried(lambda x, y: x & y, Bits(4), Bits(5))


@says("Bool & UInt(4)", "operands of one type", "Bool and UInt(4)", "write x != 0")
def masked_by_a_number() -> None:
    tried(lambda x, y: x & y, Bool, UInt(4))


@says("Bool beside <<", "UInt, SInt or Bits", "Bool", "write as_uint(x)")
def shift_of_a_bool() -> None:
    tried(lambda x: x << 1, Bool)


@says(
    "UInt(4) << UInt(2)",
    "a shift by a number, or a stated width of the result",
    "a shift by a signal",
    "write shift_left(x, amount, width=...)",
)
def shift_by_a_signal_without_a_width() -> None:
    tried(lambda x, n: x << n, UInt(4), UInt(2))


@says("UInt(4) >> -1", "UInt, or a number of at least 0", "-1", "give a number from 0 on")
def shift_by_a_negative_number() -> None:
    tried(lambda x: x >> -1, UInt(4))


@says("UInt(4) >> SInt(2)", "UInt", "SInt(2)", "write as_uint(x)")
def shift_by_a_signed_number() -> None:
    tried(lambda x, n: x >> n, UInt(4), SInt(2))
