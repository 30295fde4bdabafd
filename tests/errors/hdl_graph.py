"""Errors of zhufeng.hdl: wires, repetition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.errors.hdl_case import says
from tests.hdl.rules import made, stepped
from zhufeng import hdl
from zhufeng.hdl import (
    Signal,
    State,
    Struct,
    UInt,
    connect,
    const,
    fold,
    function,
    instance,
    module,
    of,
    reg,
    tree,
    vmap,
    wire,
)

# As somebody writes who has no type checker.
any_hdl: Any = hdl


class Count(State):
    """A number."""

    n: Signal = reg(UInt(4), reset=0)


@module(Count, by=UInt(4))
def count(s: Count, by: Signal) -> tuple[Count, Signal]:
    """Counts."""
    return Count(hdl.wrap(s.n + by, 4)), s.n


@function(a=UInt(4), b=UInt(4))
def less(a: Signal, b: Signal) -> Signal:
    """The difference."""
    return a - b


class Parent(State):
    """An instance."""

    one: Count = instance(count)


def tried(f: Callable[..., object], *kinds: Any) -> None:
    """Trace a program of these inputs."""
    made(f, *kinds)


def called(f: Callable[..., object], *kinds: Any) -> None:
    """Trace a step with instances."""
    stepped(Parent, f, *kinds)


# Wires.


@says(
    "a wire",
    "a type: UInt(8), SInt(8), Bits(8), Bool, an array of one, or a Struct",
    "Signal",
    "name a type, with its width",
)
def wire_of_no_type() -> None:
    tried(lambda: any_hdl.wire(Signal))


@says(
    "hdl_graph.py:*: a wire that is never connected",
    "connect(wire, value) once, in the function that made it",
    "none",
    "connect it, or leave it out",
    line=False,
)
def wire_never_connected() -> None:
    tried(lambda: wire(UInt(4)))


@says(
    "connect",
    "a wire of this module that is not connected yet",
    "a wire that is",
    "make one with wire(type) in this function, and connect it once as a whole",
)
def wire_connected_twice() -> None:
    def f(x: Signal) -> object:
        w = wire(UInt(4))
        connect(w, x)
        connect(w, x)
        return w

    tried(f, UInt(4))


@says(
    "connect",
    "a wire of this module that is not connected yet",
    "no wire",
    "make one with wire(type) in this function, and connect it once as a whole",
)
def wire_that_is_none() -> None:
    tried(lambda x: connect(x, x), UInt(4))


@says("what is connected to a wire", "UInt(3)", "UInt(4)", "write wrap(x, 3) or saturate(x, 3)")
def wire_of_another_type() -> None:
    tried(lambda x: connect(wire(UInt(3)), x), UInt(4))


@says("what is connected to a wire", "Point", "UInt(4)", "give a Point")
def wire_of_a_struct_given_a_signal() -> None:
    class Point(Struct):
        x: Signal = of(UInt(4))

    tried(lambda x: connect(wire(Point), x), UInt(4))


@says(
    "connect",
    "a wire that is made within the same vmap",
    "one from outside of it",
    "make the wire in the function that vmap calls, or connect what vmap returns",
)
def wire_across_a_vmap() -> None:
    def f(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        vmap(lambda y: connect(w, y))(x)
        return w

    tried(f, UInt(4).array(2))


@says(
    "hdl_graph.py:*, hdl_graph.py:*: wires that are connected to one another alone",
    "a value at the end of them",
    "the wire again",
    "connect one of them to a value",
    line=False,
)
def wires_connected_to_one_another() -> None:
    def f() -> Signal:
        a: Signal = wire(UInt(4))
        b: Signal = wire(UInt(4))
        connect(a, b)
        connect(b, a)
        return const(UInt(1), 0)

    tried(f)


@says(
    "traced: a value follows from itself within a cycle",
    "a register on every way round",
    "turned (hdl_graph.py:*) <- 3 (hdl_graph.py:*) <- turned (hdl_graph.py:*)",
    "put a register on the way, or make one side independent of the other",
    line=False,
)
def value_that_follows_from_itself() -> None:
    def f(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        turned = x ^ w
        connect(w, ~turned)
        return turned

    tried(f, UInt(4))


# Repetition.


@says("vmap", "arguments by position: in_axes names their axes", "a, b", "give them by position")
def vmap_with_names() -> None:
    tried(lambda x: any_hdl.vmap(less)(a=x, b=x), UInt(4).array(2))


@says("vmap", "2 arguments, as in_axes has", "1", "give an axis, or None, for each")
def vmap_with_too_many_axes() -> None:
    tried(vmap(hdl.total, (0, 0)), UInt(4).array(2, 2))


@says(
    "vmap",
    "arrays of one length along their axes",
    "2 and 3",
    "give in_axes=None to what is the same for every element",
)
def vmap_of_unlike_lengths() -> None:
    tried(vmap(less), UInt(4).array(2), UInt(4).array(3))


@says(
    "vmap",
    "an array with an axis 2",
    "UInt(4).array(2, 2)",
    "give it in_axes=None, or an axis that it has",
)
def vmap_along_an_axis_that_is_not_there() -> None:
    tried(vmap(hdl.total, 2), UInt(4).array(2, 2))


@says(
    "vmap",
    "an array with an axis 0",
    "the state of an instance, 0 axes",
    "declare an array of them: instance(module, 8), or mem(..., banks=(8,))",
)
def vmap_along_an_axis_of_instances_that_is_not_there() -> None:
    called(lambda s, x: vmap(count)(s.one, x), UInt(4).array(2))


@says(
    "vmap",
    "signals, ints, states of instances and memories",
    "ndarray",
    "make a constant of an array: const(type, data); give in_axes=None to the rest",
)
def vmap_of_an_array_of_numpy() -> None:
    tried(lambda x: any_hdl.vmap(less)(x, np.arange(2)), UInt(4).array(2))


@says("what vmap gives", "signals", "int", "make a constant of it: const(type, number)")
def vmap_that_gives_a_number() -> None:
    tried(any_hdl.vmap(lambda _: 3), UInt(4).array(2))


@says(
    "an element of UInt(4) is used outside of its vmap",
    "what vmap returns",
    "an element of it, kept elsewhere",
    "return it from the function that vmap calls",
)
def element_used_outside_of_its_vmap() -> None:
    def f(x: Signal) -> Signal:
        kept: list[Signal] = []
        vmap(kept.append)(x)
        return kept[0] + 1

    tried(f, UInt(4).array(2))


@says("what enters fold", "a signal", "int", "give one; const(type, data) makes one of numbers")
def fold_from_a_number() -> None:
    tried(lambda x: any_hdl.fold(lambda c, _: (c, c), 0, x), UInt(4).array(2))


@says(
    "fold",
    "arrays of one length along their first axes",
    "UInt(4)",
    "give an array with an element for each link",
)
def fold_of_a_single_element() -> None:
    tried(lambda x: fold(lambda c, _: (c, c), x, x), UInt(4))


@says("the carry of fold", "UInt(4)", "UInt(5)", "write wrap(x, 4) or saturate(x, 4)")
def fold_whose_carry_grows() -> None:
    tried(lambda x: fold(lambda c, y: (c + y, c), x[0], x), UInt(4).array(2))


@says(
    "what a link of fold returns",
    "(UInt(4), ...): the carry and what is beside it, or None",
    "UInt(4)",
    "return a pair: carry, y",
)
def fold_whose_link_returns_the_carry_alone() -> None:
    tried(lambda x: any_hdl.fold(lambda c, _: c, x[0], x), UInt(4).array(2))


@says(
    "UInt(4) of link is used in traced",
    "values of this module",
    "a value of link",
    "return it from the function that fold calls",
)
def element_used_outside_of_its_fold() -> None:
    def f(x: Signal) -> Signal:
        kept: list[Signal] = []

        def link(c: Signal, y: Signal) -> tuple[Signal, None]:
            kept.append(y)
            return c, None

        fold(link, x[0], x)
        return kept[0]

    tried(f, UInt(4).array(2))


@says(
    "tree of an odd number of elements",
    "a result that has every UInt(4), for the one that is left over",
    "Bool",
    "convert the elements first, or give as many as a power of two",
)
def tree_that_leaves_one_over() -> None:
    tried(lambda x: tree(lambda a, b: a == b, x), UInt(4).array(3))


@says(
    "what the function of tree returns",
    "one value such as it takes two of, UInt(4)",
    "(UInt(4), Bool)",
    "of several values, give tree an array of structs, or a tuple of arrays",
)
def tree_whose_function_returns_a_pair() -> None:
    tried(lambda x: any_hdl.tree(lambda a, b: (a, a == b), x), UInt(4).array(4))


@says(
    "tree",
    "arrays of one length along their first axes",
    "UInt(4)",
    "give an array of what is joined",
)
def tree_of_a_single_element() -> None:
    tried(lambda x: tree(lambda a, _: a, x), UInt(4))
