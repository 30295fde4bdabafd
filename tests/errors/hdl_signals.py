"""Errors of zhufeng.hdl: parts of signals, choices, functions, what only Python's values can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.errors.hdl_case import says
from tests.hdl.rules import made
from zhufeng import hdl
from zhufeng.hdl import Bits, Bool, Signal, SInt, Struct, UInt, assert_, of

# As somebody writes who has no type checker.
any_hdl: Any = hdl


class Point(Struct):
    """Two numbers."""

    x: Signal = of(UInt(4))
    y: Signal = of(SInt(3))


any_point: Any = Point


def tried(f: Callable[..., object], *kinds: Any) -> None:
    """Trace a program of these inputs."""
    made(f, *kinds)


# What only Python's own values can do.


@says(
    "Python asks whether Bool is true (if, while, and, or, not, in, a < b < c)",
    "a choice that hardware can make",
    "Bool",
    "write mux(condition, a, b); & | ~; two comparisons joined with &",
)
def truth_of_a_signal() -> None:
    tried(lambda x: x if x > 3 else ~x, UInt(4))


@says(
    "Python takes UInt(4) for a number",
    "a number that is known while hardware is built",
    "UInt(4)",
    "index with x[i], or (x >> i)[0:4]; repeat with vmap or fold",
)
def number_of_a_signal() -> None:
    tried(range, UInt(4))


@says("len of UInt(4)", "an array", "UInt(4)", "write x.width for its bits")
def length_of_a_number() -> None:
    tried(lambda x: [*x], UInt(4))


@says(
    "a division with UInt(4)",
    "one by a power of two",
    "UInt(4)",
    "write x >> n for the quotient, as_uint(x[0:n]) for the remainder",
)
def division() -> None:
    tried(lambda x: x // 2, UInt(4))


@says("UInt(4) to a power", "a product", "UInt(4)", "write x * x")
def power() -> None:
    tried(lambda x: x**2, UInt(4))


@says(
    "a matrix product of UInt(4).array(2)",
    "a sum of products",
    "UInt(4).array(2)",
    "write total(a * b), with vmap over rows and columns",
)
def matrix_product() -> None:
    tried(lambda x: x @ x, UInt(4).array(2))


@says(
    "abs of SInt(4)",
    "a choice that hardware can make",
    "SInt(4)",
    "of an SInt, write mux(x < 0, -x, wrap(x, x.width + 1))",
)
def magnitude() -> None:
    tried(abs, SInt(4))


@says(
    "a number shifted by UInt(4)",
    "a signal that is shifted",
    "UInt(4)",
    "write shift_left(const(UInt(8), 1), amount, width=8), or const(UInt(8), 1) >> amount",
)
def number_shifted_by_a_signal() -> None:
    tried(lambda x: 1 << x, UInt(4))


@says(
    "an element of UInt(4).array(2) is changed",
    "a new array",
    "UInt(4).array(2)",
    "write x = put(x, i, value), or join(x[0:i], x[i + 1:])",
)
def element_assigned() -> None:
    def program(x: Any) -> object:
        x[0] = 1
        return x

    tried(program, UInt(4).array(2))


@says(
    "an element of Point.array(2) is changed",
    "a new array",
    "Point.array(2)",
    "write replace(x, field=put(x.field, i, value))",
)
def element_of_structs_assigned() -> None:
    def program(p: Any) -> object:
        p[0] = p[1]
        return p

    tried(program, Point.array(2))


@says(
    "NumPy takes UInt(4).array(2) for an array of its own",
    "functions of zhufeng.hdl",
    "UInt(4).array(2)",
    "write total, mux, stack, join, reshape, transpose",
)
def function_of_numpy() -> None:
    tried(np.sum, UInt(4).array(2))


# Parts.


@says("a part of UInt(4)", "a bit from 0 to 3", "[4]", "index what is there")
def bit_that_is_not_there() -> None:
    tried(lambda x: x[4], UInt(4))


@says(
    "a part of UInt(4)",
    "the lower end first, and the upper end behind it",
    "[3:0]",
    "write x[0:4] for the bits that Verilog calls so",
)
def bits_as_verilog_has_them() -> None:
    tried(lambda x: x[3:0], UInt(4))


@says("a part of UInt(4)", "a slice of what is there, 0 to 4", "[0:5]", "index what is there")
def bits_that_are_not_there() -> None:
    tried(lambda x: x[0:5], UInt(4))


@says(
    "a part of UInt(4)",
    "bits side by side, without a step",
    "[::-1]",
    "take them as an array: pack(unpack(Bool.array(4), x)[...])",
)
def bits_with_a_step() -> None:
    tried(lambda x: x[::-1], UInt(4))


@says(
    "Python takes UInt(2) for a number",
    "a number that is known while hardware is built",
    "UInt(2)",
    "index with x[i], or (x >> i)[0:4]; repeat with vmap or fold",
)
def bits_up_to_a_signal() -> None:
    tried(lambda x, i: x[0:i], UInt(4), UInt(2))


@says("a part of UInt(4)", "one index or slice: it is no array", "[0, 1]", "index what is there")
def two_indices_of_a_number() -> None:
    tried(lambda x: x[0, 1], UInt(4))


@says("a part of UInt(4).array(2)", "an element from 0 to 1", "[2]", "index what is there")
def element_that_is_not_there() -> None:
    tried(lambda x: x[2], UInt(4).array(2))


@says("a part of UInt(4).array(2)", "some of the elements 0 to 1", "[1:1]", "index what is there")
def elements_that_are_none() -> None:
    tried(lambda x: x[1:1], UInt(4).array(2))


@says("a part of UInt(4).array(2)", "at most 1 indices", "[0, 1]", "index what is there")
def indices_that_are_too_many() -> None:
    tried(lambda x: x[0, 1], UInt(4).array(2))


@says(
    "a part of UInt(4).array(2)",
    "numbers and slices",
    "[None]",
    "index by a signal alone, x[i]; transpose brings another axis to the front",
)
def index_that_is_none() -> None:
    tried(lambda x: x[None], UInt(4).array(2))


@says("UInt(4).array(2)[Bits(1)]", "UInt", "Bits(1)", "write as_uint(x)")
def index_of_bits() -> None:
    tried(lambda x, i: x[i], UInt(4).array(2), Bits(1))


@says(
    "UInt(4).array(2)[UInt(1).array(2)]", "one index", "UInt(1).array(2)", "vmap over the indices"
)
def index_of_many() -> None:
    tried(lambda x, i: x[i], UInt(4).array(2), UInt(1).array(2))


@says("put(UInt(4), int, ...)", "an array", "UInt(4)", "of bits, take cat of the parts")
def put_into_a_number() -> None:
    tried(lambda x: hdl.put(x, 0, 1), UInt(4))


@says("a part of UInt(4).array(2)", "an element from 0 to 1", "[2]", "index what is there")
def put_out_of_range() -> None:
    tried(lambda x: hdl.put(x, 2, 1), UInt(4).array(2))


@says(
    "what is put",
    "UInt(4).array(2)",
    "UInt(4)",
    "give an array of shape [2]: index, stack, reshape or vmap it",
)
def put_of_another_type() -> None:
    tried(lambda x, y: hdl.put(x, 0, y), UInt(4).array(2, 2), UInt(4))


# Choices.


@says("the condition of mux", "Bool", "UInt(1)", "compare: x != 0")
def condition_is_a_number() -> None:
    tried(lambda c, x: hdl.mux(c, x, x), UInt(1), UInt(4))


@says(
    "the condition of mux", "Bool", "bool", "give a signal; for what Python knows, use Python's if"
)
def condition_is_pythons() -> None:
    tried(lambda x: any_hdl.mux(True, x, x), UInt(4))


@says(
    "the choices of mux",
    "values of one type",
    "UInt(4) and UInt(5)",
    "convert one of them: wrap(x, type), saturate, as_uint, as_sint, as_bits",
)
def choices_of_two_types() -> None:
    tried(hdl.mux, Bool, UInt(4), UInt(5))


@says(
    "the choices of mux",
    "values of one type",
    "Point and Other",
    "convert one of them: wrap(x, type), saturate, as_uint, as_sint, as_bits",
)
def choices_of_two_structs() -> None:
    class Other(Struct):
        x: Signal = of(UInt(4))

    tried(hdl.mux, Bool, Point, Other)


@says(
    "the choices of mux",
    "at least one signal, whose type the numbers take",
    "1, 0",
    "make one of them a constant: const(UInt(8), 3)",
)
def choices_without_a_signal() -> None:
    tried(lambda c: hdl.mux(c, 1, 0), Bool)


@says("the choices of mux", "UInt(4): 0 to 15", "16", "give a number that fits, or widen the type")
def choice_that_does_not_fit() -> None:
    tried(lambda c, x: hdl.mux(c, x, 16), Bool, UInt(4))


@says(
    "the choices of mux",
    "signals and ints, alone or in structs and tuples",
    "float",
    "give those; of an instance or a memory, choose inputs or the enable",
)
def choice_of_a_float() -> None:
    tried(lambda c, x: any_hdl.mux(c, x, 0.5), Bool, UInt(4))


@says("the cases of switch", "values by number: {0: a, 1: b}", "list", "give a dict")
def cases_in_a_list() -> None:
    tried(lambda x: any_hdl.switch(x, [x, x], x), UInt(4))


@says("a key of switch", "UInt(4): 0 to 15", "16", "give numbers that the selector may be")
def case_that_cannot_be() -> None:
    tried(lambda x: hdl.switch(x, {16: x}, x), UInt(4))


@says(
    "the selector of switch", "a signal", "int", "give one; const(type, data) makes one of numbers"
)
def selector_is_pythons() -> None:
    tried(lambda x: any_hdl.switch(3, {3: x}, x), UInt(4))


# Functions.


@says("wrap", "a signal", "int", "give one; const(type, data) makes one of numbers")
def wrapped_number() -> None:
    tried(lambda _: any_hdl.wrap(3, 2), UInt(4))


@says("wrap", "a signal", "Point", "give a field of it, or pack(x)")
def wrapped_struct() -> None:
    tried(lambda p: any_hdl.wrap(p, 2), Point)


@says(
    "wrap(UInt(4), UInt(2).array(3))",
    "the type of an element, such as UInt(2)",
    "UInt(2).array(3)",
    "leave its shape out",
)
def wrapped_to_an_array() -> None:
    tried(lambda x: hdl.wrap(x, UInt(2).array(3)), UInt(4))


@says("Bool to 2 bits", "a type, such as UInt(1)", "2", "write wrap(x, UInt(2))")
def bool_wrapped_to_a_width() -> None:
    tried(lambda x: hdl.wrap(x, 2), Bool)


@says("Bool to 2 bits", "a type, such as UInt(1)", "2", "write mux(x, a, b)")
def bool_saturated_to_a_width() -> None:
    tried(lambda x: hdl.saturate(x, 2), Bool)


@says(
    "saturate(Bits(4), UInt(2))",
    "numbers: UInt or SInt",
    "Bits(4)",
    "write as_uint(x) or as_sint(x) first, or wrap",
)
def saturated_bits() -> None:
    tried(lambda x: hdl.saturate(x, UInt(2)), Bits(4))


@says("as_bool(UInt(4))", "one bit", "UInt(4)", "write x != 0")
def bool_of_many_bits() -> None:
    tried(hdl.as_bool, UInt(4))


@says("cat()", "at least one part", "none", "give some")
def cat_of_nothing() -> None:
    tried(lambda _: any_hdl.cat(), UInt(4))


@says("a part of cat", "a signal", "int", "give one; const(type, data) makes one of numbers")
def cat_with_a_number() -> None:
    tried(lambda x: any_hdl.cat(x, 1), UInt(4))


@says("unpack(Point, Bits(6))", "Bits(7)", "Bits(6)", "give as many bits as the type has")
def unpacked_from_too_few_bits() -> None:
    tried(lambda x: hdl.unpack(Point, x), Bits(6))


@says("stack()", "at least one value", "none", "give some")
def stack_of_nothing() -> None:
    tried(lambda _: any_hdl.stack(), UInt(4))


@says(
    "what is stacked",
    "UInt(4)",
    "UInt(4).array(2)",
    "give a single element: index, stack, reshape or vmap it",
)
def stack_of_unlike_shapes() -> None:
    tried(hdl.stack, UInt(4), UInt(4).array(2))


@says(
    "join",
    "arrays that differ along axis 0 only",
    "UInt(4) and UInt(4)",
    "reshape or index them; stack(...) makes an array of single elements",
)
def join_of_single_elements() -> None:
    tried(hdl.join, UInt(4), UInt(4))


@says("UInt(4).array(2) in the shape [3]", "2 elements", "3", "give a shape of as many")
def reshaped_to_another_size() -> None:
    tried(lambda x: hdl.reshape(x, (3,)), UInt(4).array(2))


@says(
    "UInt(4).array(2, 2) transposed",
    "the axes 0 to 1, each once",
    "0",
    "name every axis: transpose(x, 1, 0)",
)
def transposed_without_an_axis() -> None:
    tried(lambda x: hdl.transpose(x, 0), UInt(4).array(2, 2))


@says(
    "shift_in into UInt(4)", "an array with that axis", "axis 0", "write shift_in(new, array, axis)"
)
def shifted_into_a_number() -> None:
    tried(lambda x: hdl.shift_in(x, x), UInt(4))


AXIS = "count from 0, or from the end: axis=-1"


@says("shift_in into UInt(4).array(2)", "the number of an axis", "float", AXIS)
def shifted_along_half_an_axis() -> None:
    tried(lambda x: any_hdl.shift_in(x[0], x, axis=0.5), UInt(4).array(2))


@says("join", "the number of an axis", "str", AXIS)
def joined_along_a_letter() -> None:
    tried(lambda x: any_hdl.join(x, x, axis="a"), UInt(4).array(2))


@says(
    "the choices of mux",
    "values of one type",
    "(UInt(4), UInt(4)) and (UInt(4), UInt(4), UInt(4))",
    "convert one of them: wrap(x, type), saturate, as_uint, as_sint, as_bits",
)
def choices_of_unlike_lengths() -> None:
    tried(lambda x: any_hdl.mux(x == 0, (x, x), (x, x, x)), UInt(4))


@says("assert 'ready'", "Bool", "UInt(1)", "compare: x != 0")
def claim_of_a_number() -> None:
    tried(lambda x: assert_(x, "ready"), UInt(1))
