"""Errors of zhufeng.hdl: modules, states, instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.errors.hdl_case import says
from tests.hdl.rules import made, stepped
from zhufeng import hdl
from zhufeng.hdl import (
    Bool,
    Signal,
    State,
    Struct,
    UInt,
    const,
    fold,
    function,
    instance,
    module,
    of,
    reg,
    vmap,
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
    """Instances, one and many."""

    one: Count = instance(count)
    other: Count = instance(count)
    many: Count = instance(count, 3)


any_less: Any = less


def tried(f: Callable[..., object], *kinds: Any) -> None:
    """Trace a program of these inputs."""
    made(f, *kinds)


def counted(f: Callable[..., object], *kinds: Any) -> None:
    """Trace a step of a counter."""
    stepped(Count, f, *kinds)


def called(f: Callable[..., object], *kinds: Any) -> None:
    """Trace a step with instances."""
    stepped(Parent, f, *kinds)


# Modules.


@says(
    "@function",
    "the type of each input, by name",
    "function",
    "write @function(x=UInt(8)) before a function of x",
)
def function_without_types() -> None:
    any_hdl.function(lambda a: a)


@says(
    "@module",
    "the class of its state, then the type of each input",
    "the type UInt(4)",
    "write @module(S, x=UInt(8)), S derived from State; @function has no state",
)
def module_without_a_state() -> None:
    any_hdl.module(UInt(4))


@says(
    "Bare.n",
    "a field with its type",
    "an annotation alone",
    "write n: Signal = reg(UInt(8), reset=0)",
)
def module_whose_state_has_a_bare_field() -> None:
    class Bare(State):
        n: Signal

    module(Bare)


@says(
    "the name of a module",
    "a name of the letters a to z, digits and _",
    "<lambda>",
    "define a function with def, and call it and its inputs so",
)
def function_without_a_name() -> None:
    function(a=UInt(4))(lambda a: a)


@says(
    "an input of less",
    "a name of the letters a to z, digits and _",
    "größe",
    "define a function with def, and call it and its inputs so",
)
def input_with_a_name_that_verilog_has_not() -> None:
    function(größe=UInt(4))(less.step)


@says(
    "the arguments of less",
    "a, b, c",
    "a, b",
    "declare the type of each input: @function(x=UInt(8)), @module(S, x=UInt(8))",
)
def input_that_the_function_does_not_take() -> None:
    function(a=UInt(4), b=UInt(4), c=UInt(4))(less.step)


@says(
    "the arguments of count",
    "the state",
    "s, by",
    "declare the type of each input: @function(x=UInt(8)), @module(S, x=UInt(8))",
)
def input_without_a_type() -> None:
    module(Count)(count.step)


@says(
    "input p_x of f",
    "names that differ",
    "an input and a field of another one that are called so",
    "rename one of them",
)
def inputs_that_are_called_alike() -> None:
    class Point(Struct):
        x: Signal = of(UInt(4))

    def f(p: Point, p_x: Signal) -> Signal:
        return p.x + p_x

    function(p=Point, p_x=UInt(4))(f)


@says("the inputs of less", "a, b", "1 by position", "give each of them once")
def call_without_an_input() -> None:
    tried(any_less, UInt(4))


@says("the inputs of less", "a, b", "2 by position, a", "give each of them once")
def call_with_an_input_twice() -> None:
    tried(lambda a: any_less(a, a, a=a), UInt(4))


@says("input a of less", "UInt(4)", "UInt(5)", "write wrap(x, 4) or saturate(x, 4)")
def call_with_another_type() -> None:
    tried(lambda a: less(a, a), UInt(5))


@says(
    "hardware outside a module",
    "a function that @module or @function traces",
    "a call from elsewhere",
    "move it into such a function; interpret(f.ir, inputs) computes with numbers",
)
def call_outside_of_a_module() -> None:
    any_less(3, 1)


@says(
    "UInt(4) of traced is used in traced",
    "values of this module",
    "a value of traced",
    "give it to the module as an input",
)
def value_of_another_module() -> None:
    kept: list[Signal] = []

    def f(a: Signal) -> Signal:
        kept.append(a)
        return a + kept[0]

    tried(f, UInt(4))
    tried(f, UInt(4))


@says(
    "the outputs of traced",
    "a signal or a Struct",
    "NoneType",
    "return a Struct with a field for each output, an empty one for none",
)
def output_of_nothing() -> None:
    tried(lambda _: None, UInt(4))


@says(
    "the outputs of traced",
    "a signal or a Struct",
    "tuple",
    "return a Struct with a field for each output, an empty one for none",
)
def output_of_a_tuple() -> None:
    tried(lambda a: (a, a), UInt(4))


@says(
    "the outputs of traced",
    "a signal or a Struct",
    "int",
    "make a constant of it: const(UInt(8), 3)",
)
def output_of_a_number() -> None:
    tried(lambda _: 3, UInt(4))


@says(
    "inline",
    "what @module or @function has made",
    "function",
    "call a plain function as it is; it is traced into the caller anyway",
)
def inline_of_a_plain_function() -> None:
    hdl.inline(less.step)  # type: ignore[arg-type]


# States.


@says(
    "a register",
    "a type: UInt(8), SInt(8), Bits(8), Bool, or UInt(8).array(4)",
    "Parent",
    "name a type, with its width; of a struct, its fields or Bits for all of them",
)
def register_of_a_struct() -> None:
    any_hdl.reg(Parent, reset=0)


@says(
    "the reset of a register of UInt(4)",
    "numbers from 0 to 15",
    "16",
    "give numbers that fit, or another type",
)
def reset_that_does_not_fit() -> None:
    reg(UInt(4), reset=16)


@says(
    "the reset of a register of UInt(4).array(2, 2)",
    "numbers from 0 to 15: one, or of the shape [2, 2]",
    "the shape [2]",
    "give numbers that fit, or another type",
)
def reset_of_another_shape() -> None:
    reg(UInt(4).array(2, 2), reset=[1, 2])


@says(
    "what traced returns",
    "(Count(...), outputs)",
    "UInt(4)",
    "return the next state and the outputs, an empty Struct if there are none",
)
def step_that_returns_its_outputs_alone() -> None:
    counted(lambda s: s.n)


@says(
    "what traced returns",
    "(Count(...), outputs)",
    "(Parent, UInt(4))",
    "return the next state and the outputs, an empty Struct if there are none",
)
def step_that_returns_another_state() -> None:
    counted(lambda s: (Parent.rebuilt({}), s.n))


@says("Count(...)", "each field once: n", "none", "give all of them, by name or in this order")
def state_without_a_field() -> None:
    counted(lambda s: (any_hdl.replace(s).__class__(), s.n))


@says("Count.n", "UInt(4)", "UInt(5)", "write wrap(x, 4) or saturate(x, 4)")
def state_of_another_width() -> None:
    counted(lambda s: (Count(s.n + 1), s.n))


@says("Count.n = ...", "a new one", "an assignment", "write replace(x, n=...)")
def state_that_is_assigned() -> None:
    def step(s: Any) -> object:
        s.n = s.n + 1
        return s, s.n

    counted(step)


@says(
    "Count.n",
    "UInt(4)",
    "UInt(4).array(2)",
    "give a single element: index, stack, reshape or vmap it",
)
def state_of_an_array() -> None:
    counted(lambda s, x: (vmap(Count)(x), s.n), UInt(4).array(2))


# Instances.


@says(
    "instance(...)",
    "a module: what @module makes of a function",
    "Function",
    "call a @function as it is; it needs no field",
)
def instance_of_a_function() -> None:
    instance(less)


@says(
    "an array of count",
    "axes of at least one element",
    "0",
    "give whole numbers: UInt(8).array(4, 2)",
)
def instance_of_no_elements() -> None:
    instance(count, 0)


@says(
    "a call of count",
    "the field of this module's state that holds it, as it is now",
    "Count",
    "declare a field with instance(count) and give it: count(s.field)",
)
def call_with_a_new_state() -> None:
    called(lambda s, x: (s, count(Count(x), x)[1]), UInt(4))


@says(
    "a call of other on one",
    "the module that it holds, count",
    "other",
    "call that one, or declare the field anew",
)
def call_with_another_modules_state() -> None:
    @module(Count)
    def other(s: Count) -> tuple[Count, Signal]:
        return s, s.n

    called(lambda s: other(s.one))


@says(
    "a call of count on an array of [3]",
    "one instance",
    "an array of them",
    "write vmap(count)(s.many, ...)",
)
def call_of_many_as_one() -> None:
    called(lambda s, x: count(s.many, x), UInt(4))


@says(
    "one, one instance, is called once for each of 3 elements",
    "an array of instances",
    "one",
    "declare it as instance(count, 3), and vmap over it too",
)
def call_of_one_for_many() -> None:
    called(lambda s, x: vmap(count, (None, 0))(s.one, x), UInt(4).array(3))


@says(
    "one is called twice in a cycle",
    "at most one call",
    "another",
    "declare an instance for each call, or choose its inputs with mux",
)
def call_twice() -> None:
    called(lambda s, x: count(count(s.one, x)[0], x), UInt(4))


@says(
    "a call of count",
    "the field of this module's state that holds it, as it is now",
    "the state of an instance",
    "vmap over an array of instances: a link of fold holds no state",
)
def call_in_a_fold() -> None:
    called(lambda s, x: fold(lambda c, y: count(s.one, y), x[0], x), UInt(4).array(3))


@says("the enable of one", "Bool", "UInt(4)", "write x != 0")
def call_with_an_enable_of_a_number() -> None:
    called(lambda s, x: count.when(x)(s.one, x), UInt(4))


@says(
    "the field one of the next state",
    "what the call on s.one returned",
    "its state of before the call",
    "write one, out = module(s.one, ...) and return one=one",
)
def state_of_a_call_that_is_dropped() -> None:
    called(lambda s, x: (s, count(s.one, x)[1]), UInt(4))


@says(
    "the field one of the next state",
    "what the call on s.one returned",
    "s.other",
    "store the state of each instance where it came from: one=one",
)
def states_of_instances_swapped() -> None:
    called(lambda s, x: (hdl.replace(s, one=count(s.other, x)[0]), x), UInt(4))


@says(
    "the field one of the next state",
    "what the call on s.one returned",
    "UInt(4)",
    "store the state of each instance where it came from: one=one",
)
def state_of_an_instance_that_is_a_number() -> None:
    called(lambda s, x: (hdl.replace(s, one=x), x), UInt(4))


@says(
    "the field many of the next state",
    "what the call on s.many returned",
    "one of an array of instances",
    "store the state of each instance where it came from: many=many",
)
def state_of_one_of_many() -> None:
    def step(s: Parent, x: Signal) -> object:
        kept: list[Any] = []

        def one(state: Any) -> Signal:
            kept.append(count(state, x)[0])
            return x

        out = vmap(one)(s.many)
        return hdl.replace(s, many=kept[0]), out

    called(step, UInt(4))


@says(
    "the field one of the next state",
    "what the call on s.one returned",
    "one of traced",
    "store the state of each instance where it came from: one=one",
)
def state_of_another_trace() -> None:
    kept: list[Parent] = []

    def step(s: Parent) -> object:
        kept.append(s)
        return hdl.replace(s, one=kept[0].one), const(UInt(1), 0)

    called(step)
    called(step)


@says(
    "one.n", "outputs of the instance", "a look into its state", "give the module an output for it"
)
def look_into_an_instance() -> None:
    called(lambda s: (s, s.one.n))


@says(
    "an index of the state of an instance",
    "a call of all of them",
    "the state of an instance",
    "vmap over the array, and index what it returns",
)
def element_of_instances() -> None:
    called(lambda s, x: count(s.many[0], x), UInt(4))


@says(
    "the choices of mux",
    "signals and ints, alone or in structs and tuples",
    "the state of an instance",
    "give those; of an instance or a memory, choose inputs or the enable",
)
def choice_of_instances() -> None:
    called(lambda s, c: (hdl.replace(s, one=hdl.mux(c, s.one, s.other)), c), Bool)
