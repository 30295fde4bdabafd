"""Choices: one of several values, of signals, numbers, or structs of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from zhufeng.hdl._scope import told, wrong
from zhufeng.hdl._signal import Operand, Signal, common, fitted, made, need_signal
from zhufeng.hdl._struct import flatten, structure, told_whole
from zhufeng.hdl._types import Type, whole

T = TypeVar("T")


@overload
def mux(condition: Signal, yes: Operand, no: Operand) -> Signal: ...


@overload
def mux(condition: Signal, yes: T, no: T) -> T: ...


def mux(condition: Signal, yes: Any, no: Any) -> Any:
    """`yes` where the condition is true, else `no`: signals, numbers or structs of one type."""
    need_bool(condition, "the condition of mux")
    places, make = side_by_side("the choices of mux", (yes, no))
    return make([_mux(condition, leaves) for leaves in places])


def _mux(condition: Signal, choices: Sequence[Any]) -> Signal:
    yes, no = alike("the choices of mux", choices)
    kind = yes.type.element.array(*shape_of(condition, yes, no))
    return made("mux", kind, condition, yes, no)


def side_by_side(
    what: str, values: Sequence[T]
) -> tuple[list[tuple[Any, ...]], Callable[[Sequence[Any]], T]]:
    """The leaves of values that are made alike, place by place; and how to make one of them."""
    if len({structure(value) for value in values}) != 1:
        raise _unlike(what, values)
    flat = [flatten(value) for value in values]
    return list(zip(*(leaves for leaves, _ in flat), strict=True)), flat[0][1]


def _unlike(what: str, values: Sequence[object]) -> Exception:
    return wrong(
        what,
        expected="values of one type",
        came=" and ".join(map(told_whole, values)),
        do="convert one of them: wrap(x, type), saturate, as_uint, as_sint, as_bits",
    )


def alike(what: str, values: Sequence[Any]) -> list[Signal]:
    """Signals of one type of elements; numbers take the signals'."""
    signals = [one for one in values if isinstance(one, Signal)]
    for one in values:
        if not isinstance(one, Signal) and whole(one) is None:
            raise wrong(
                what,
                expected="signals and ints, alone or in structs and tuples",
                came=told(one),
                do="give those; of an instance or a memory, choose inputs or the enable",
            )
    if not signals:
        raise wrong(
            what,
            expected="at least one signal, whose type the numbers take",
            came=", ".join(map(str, values)) or "none",
            do="make one of them a constant: const(UInt(8), 3)",
        )
    element = signals[0].type.element
    if any(one.type.element != element for one in signals):
        raise _unlike(what, values)
    return [one if isinstance(one, Signal) else fitted(one, element, what) for one in values]


def shape_of(*signals: Signal) -> tuple[int, ...]:
    """The shape of an operation on all of them."""
    widest = signals[0]
    for one in signals[1:]:
        widest = widest if common(widest, one) == widest.shape else one
    return widest.shape


@overload
def switch(selector: Signal, cases: Mapping[int, Operand], default: Operand) -> Signal: ...


@overload
def switch(selector: Signal, cases: Mapping[int, T], default: T) -> T: ...


def switch(selector: Signal, cases: Mapping[int, Any], default: Any) -> Any:
    """The value among `cases` whose key the selector is, else `default`.

    Args:
        selector: a signal of any type; of an array, each element chooses for its place.
        cases: by number.
        default: for every other number.
    """
    need_signal(selector, "the selector of switch")
    if not isinstance(cases, Mapping):
        raise wrong(
            "the cases of switch",
            expected="values by number: {0: a, 1: b}",
            came=told(cases),
            do="give a dict",
        )
    keys = [_key(selector.type, key) for key in cases]
    places, make = side_by_side("the choices of switch", (*cases.values(), default))
    return make([_case(selector, keys, leaves) for leaves in places])


def _case(selector: Signal, keys: Sequence[int], choices: Sequence[Any]) -> Signal:
    signals = alike("the choices of switch", choices)
    kind = signals[0].type.element.array(*shape_of(selector, *signals))
    return made("case", kind, selector, *signals, data=keys)


def _key(kind: Type, key: object) -> int:
    number = None if isinstance(key, Signal) else whole(key)
    if number is None or not kind.form.has(number):
        raise wrong(
            "a key of switch",
            expected=f"{kind.element}: {kind.low} to {kind.high}",
            came=told(key) if number is None else str(number),
            do="give numbers that the selector may be",
        )
    return number


def need_bool(value: object, what: str) -> None:
    """Refuse what is no Bool."""
    if not isinstance(value, Signal) or value.type.kind != "Bool":
        do = "compare: x != 0"
        if not isinstance(value, Signal):
            do = "give a signal; for what Python knows, use Python's if"
        raise wrong(what, expected="Bool", came=told(value), do=do)
