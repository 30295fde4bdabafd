"""Repetition in space: `vmap`, `fold`, `tree`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from zhufeng.hdl import ir
from zhufeng.hdl._functions import join, transpose, wrap
from zhufeng.hdl._memory import Memory
from zhufeng.hdl._module import Held, finished
from zhufeng.hdl._scope import (
    Level,
    Levels,
    Names,
    Scope,
    entered,
    level,
    named_locals,
    scope,
    sizes,
    together,
    told,
    where,
    wrong,
)
from zhufeng.hdl._signal import Signal, fitted, local, need_signal, physical, spread_array
from zhufeng.hdl._struct import flatten, leaf_names, structure, told_whole
from zhufeng.hdl._types import Type, whole

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


def vmap(f: Callable[P, R], in_axes: int | Sequence[int | None] | None = 0) -> Callable[P, R]:
    """`f` for each element along an axis of its arguments, side by side.

    Args:
        f: a function of signals, structs, states of instances and memories.
        in_axes: the axis of each positional argument, or one for all; None: the same for every
            element. Results have the axis in front.

    Returns:
        A function of arrays. Numbers among its arguments are the same for every element.
    """

    def mapped(*values: P.args, **named: P.kwargs) -> R:
        if named:
            raise wrong(
                "vmap",
                expected="arguments by position: in_axes names their axes",
                came=", ".join(named),
                do="give them by position",
            )
        axes = list(in_axes) if isinstance(in_axes, Sequence) else [in_axes] * len(values)
        if len(axes) != len(values):
            raise wrong(
                "vmap",
                expected=f"{len(axes)} arguments, as in_axes has",
                came=str(len(values)),
                do="give an axis, or None, for each",
            )
        flat = [flatten(value) for value in values]
        size = _size(
            [(leaf, axis) for (own, _), axis in zip(flat, axes, strict=True) for leaf in own]
        )
        with level(size) as here:
            inner = [
                make([_entered(leaf, axis, here) for leaf in leaves])
                for (leaves, make), axis in zip(flat, axes, strict=True)
            ]
            result = f(*inner)  # type: ignore[call-arg]
            leaves, make = flatten(result)
            gathered: R = make([_left(leaf, here) for leaf in leaves])
        return gathered

    return mapped


def _size(leaves: Sequence[tuple[Any, int | None]]) -> int:
    found = {
        leaf.shape[_along(leaf, axis)]
        for leaf, axis in leaves
        if axis is not None and isinstance(leaf, Signal | Held | Memory)
    }
    if len(found) != 1:
        raise wrong(
            "vmap",
            expected="arrays of one length along their axes",
            came=" and ".join(map(str, sorted(found))) or "no array",
            do="give in_axes=None to what is the same for every element",
        )
    return found.pop()


def _along(leaf: Signal | Held | Memory, axis: Any) -> int:
    """An axis, counted from 0."""
    place, count = whole(axis), len(leaf.shape)
    if place is None or not -count <= place < count:
        raise wrong(
            "vmap",
            expected=f"an array with an axis {axis}",
            came=told(leaf) if isinstance(leaf, Signal) else f"{told(leaf)}, {count} axes",
            do="give it in_axes=None, or an axis that it has"
            if isinstance(leaf, Signal)
            else "declare an array of them: instance(module, 8), or mem(..., banks=(8,))",
        )
    if place % count and not isinstance(leaf, Signal):
        raise wrong(
            "vmap",
            expected=f"axis 0 of {told(leaf)}",
            came=f"axis {axis}",
            do="nest: vmap over axis 0 outside, and over the next one inside",
        )
    return place % count


def _entered(leaf: Any, axis: int | None, here: Level) -> Any:
    if not isinstance(leaf, Signal | Held | Memory):
        if axis is not None and whole(leaf) is None:
            raise wrong(
                "vmap",
                expected="signals, ints, states of instances and memories",
                came=told(leaf),
                do="make a constant of an array: const(type, data); give in_axes=None to the rest",
            )
        return leaf
    if axis is None:
        return leaf
    axis = _along(leaf, axis)
    if not isinstance(leaf, Signal):
        return replace(leaf, shape=leaf.shape[1:], levels=(*leaf.levels, here))
    own = local(leaf)
    if axis:
        order = [axis, *(one for one in range(len(own.shape)) if one != axis)]
        own = transpose(own, *order)
    kind = own.type.element.array(*own.shape[1:])
    return Signal(own.scope, own.value, kind, (*own.levels, here))


def _left(leaf: Any, here: Level) -> Any:
    if isinstance(leaf, Held | Memory):
        if here not in leaf.levels:
            return leaf
        return replace(leaf, shape=(here.size, *leaf.shape), levels=leaf.levels[:-1])
    if not isinstance(leaf, Signal):
        raise wrong(
            "what vmap gives",
            expected="signals",
            came=told(leaf),
            do="make a constant of it: const(type, number)",
        )
    own = local(leaf)
    outer = tuple(one for one in own.levels if one is not here)
    value = spread_array(own, (*outer, here))
    return Signal(own.scope, value, own.type.array(here.size), outer)


def fold(f: Callable[[C, X], tuple[C, Y]], start: C, each: X) -> tuple[C, Y]:
    """A chain: ``carry, y = f(carry, x)`` for each element along the first axis, in one cycle.

    Args:
        f: traced once; what it reaches outside of its arguments is the same for every link. The
            carry keeps its type.
        start: what enters the first link.
        each: arrays of one length.

    Returns:
        The last carry, and the arrays of every `y`.
    """
    here = scope()
    carries, make_carry = _signals(start, "what enters fold")
    links, make_link = _signals(each, "the elements of fold")
    length = _length(links, "fold", "give an array with an element for each link")
    body = Scope(getattr(f, "__name__", "fold").replace("<lambda>", "fold"), here)
    carry_name, each_name = _parameters(f)
    carry_ports = leaf_names(start, carry_name)
    taken_ports = Names(carry_ports)
    each_ports = [taken_ports.take(port) for port in leaf_names(each, each_name)]
    with entered(body), named_locals(lambda name, value: _name(body, name, value)):
        taken = [_input(port, one.type) for port, one in zip(carry_ports, carries, strict=True)]
        given = [
            _input(port, one.type.element.array(*one.shape[1:]))
            for port, one in zip(each_ports, links, strict=True)
        ]
        after, outs = _pair(f(make_carry(taken), make_link(given)), start)
        nexts = [
            fitted(one, was.type, "the carry of fold")
            for one, was in zip(flatten(after)[0], carries, strict=True)
        ]
        results, make_outs = _signals(outs, "what fold gives beside the carry")
    next_ports = [f"next_{port}" for port in carry_ports]
    out_ports = leaf_names(outs, "out")
    outputs = {port: one.value for port, one in zip(next_ports, nexts, strict=True)}
    outputs |= {port: one.value for port, one in zip(out_ports, results, strict=True)}
    made = finished(body, outputs)
    inputs = dict(zip(carry_ports, carries, strict=True))
    inputs |= dict(zip(each_ports, links, strict=True))
    inputs |= {port: local(one) for port, one in body.captured.items()}
    levels = together(*(one.levels for one in inputs.values()))
    name = here.part_name(made.name)
    here.folds[name] = ir.Fold(
        made,
        {port: spread_array(one, levels) for port, one in inputs.items()},
        length,
        tuple(zip(carry_ports, next_ports, strict=True)),
        frozenset(each_ports),
        sizes(levels),
        where(),
    )
    last = [
        _port(name, port, one.type, levels) for port, one in zip(next_ports, nexts, strict=True)
    ]
    every = [
        _port(name, port, one.type.array(length), levels)
        for port, one in zip(out_ports, results, strict=True)
    ]
    return make_carry(last), make_outs(every)


def _signals(value: T, what: str) -> tuple[list[Signal], Callable[[Sequence[Any]], T]]:
    leaves, make = flatten(value)
    for leaf in leaves:
        need_signal(leaf, what)
    return [local(leaf) for leaf in leaves], make


def _pair(result: Any, start: object) -> tuple[Any, Any]:
    """What a link gives: the carry, of the structure that it had, and what is beside it."""
    pair = isinstance(result, tuple | list) and len(result) == 2  # noqa: PLR2004 (a pair)
    if not pair or structure(result[0]) != structure(start):
        raise wrong(
            "what a link of fold returns",
            expected=f"({told(start)}, ...): the carry and what is beside it, or None",
            came=told_whole(result),
            do="return a pair: carry, y",
        )
    return result[0], result[1]


def _parameters(f: Callable[..., Any]) -> tuple[str, str]:
    """What a link calls what it takes."""
    try:
        carry, each = inspect.signature(f).parameters
    except (TypeError, ValueError):
        return "carry", "each"
    return carry, each


def _input(port: str, kind: Type) -> Signal:
    here = scope()
    _, value = here.input(port, kind.form)
    return Signal(here, value, kind)


def _port(name: str, port: str, kind: Type, levels: Levels) -> Signal:
    here = scope()
    return Signal(here, here.add("port", physical(kind, levels), (), (name, port)), kind, levels)


def _name(here: Scope, name: str, value: object) -> None:
    if isinstance(value, Signal) and value.scope is here:
        here.call_it(value.value, name)


def _length(arrays: Sequence[Signal], what: str, do: str) -> int:
    lengths = {one.shape[0] if one.shape else 0 for one in arrays}
    if len(lengths) != 1 or 0 in lengths:
        raise wrong(
            what,
            expected="arrays of one length along their first axes",
            came=" and ".join(str(one.type) for one in arrays) or "none",
            do=do,
        )
    return lengths.pop()


def tree(f: Callable[[T, T], T], values: T) -> T:
    """The elements along the first axis joined pair by pair, in as few levels as there can be.

    Args:
        f: of two elements; gives one of their structure, whose signals may be wider than theirs.
        values: an array, or an array of structs, or a tuple of arrays of one length.

    Raises:
        HdlError: an element that is left over does not fit beside the results.
    """
    leaves, make = _signals(values, "tree")
    count = _length(leaves, "tree", "give an array of what is joined")

    def pair(left: T, right: T) -> T:
        found = f(left, right)
        if structure(found) != structure(values):
            raise wrong(
                "what the function of tree returns",
                expected=f"one value such as it takes two of, {told_whole(left)}",
                came=told_whole(found),
                do="of several values, give tree an array of structs, or a tuple of arrays",
            )
        return found

    while count > 1:
        even = count // 2 * 2
        sides = [make([leaf[side:even:2] for leaf in leaves]) for side in (0, 1)]
        pairs, make = flatten(vmap(pair)(*sides))
        leaves = [
            join(one, _left_over(leaf[even:], one.type)) if even < count else one
            for one, leaf in zip(pairs, leaves, strict=True)
        ]
        count = count - even // 2
    return make([leaf[0] for leaf in leaves])


def _left_over(one: Signal, kind: Type) -> Signal:
    """The last of an odd number, which goes on as it is."""
    own = one.type
    alike = own.kind == kind.kind or (own.numeric and kind.numeric)
    if not alike or own.low < kind.low or own.high > kind.high:
        raise wrong(
            "tree of an odd number of elements",
            expected=f"a result that has every {own.element}, for the one that is left over",
            came=str(kind.element),
            do="convert the elements first, or give as many as a power of two",
        )
    return wrap(one, kind.element)


def total(values: Signal) -> Signal:
    """The sum along the first axis: as many bits wider as its length has."""
    need_signal(values, "total")
    return tree(lambda a, b: a + b, values)
