"""Operations that are no operators of Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace as with_
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from zhufeng.hdl._scope import scope, together, wrong
from zhufeng.hdl._signal import (
    Signal,
    common,
    constant,
    fitted,
    local,
    made,
    need_index,
    physical,
    rearranged,
    spread,
    spread_array,
)
from zhufeng.hdl._struct import AnyType, assembled, flatten, leaves_of
from zhufeng.hdl._types import Bits, Bool, Type, UInt
from zhufeng.hdl.ir import Claim

if TYPE_CHECKING:
    from typing import Literal

T = TypeVar("T")


def const(kind: Type, data: int | Sequence[Any]) -> Signal:
    """A constant.

    Args:
        kind: its type.
        data: a number for all elements, or nested lists (or a NumPy array) of its shape.
    """
    numbers = [data] if isinstance(data, int) else _flat(data)
    if len(numbers) not in (1, kind.form.size) or not all(map(kind.form.has, numbers)):
        raise wrong(
            f"a constant of {kind}",
            expected=f"{kind.form.size} numbers from {kind.low} to {kind.high}",
            came=f"{len(numbers)} from {min(numbers, default=0)} to {max(numbers, default=0)}",
            do="give numbers that fit, or another type",
        )
    return constant(kind, *numbers)


def _flat(data: Any) -> list[int]:
    if hasattr(data, "__len__"):
        return [number for part in data for number in _flat(part)]
    return [int(data)]


# Choices.


def mux(condition: Signal, yes: T, no: T) -> T:
    """`yes` where the condition is true, else `no`: signals, numbers or structs of one type."""
    _need_bool(condition, "the condition of mux")
    yeses, make = flatten(yes)
    nos, _ = flatten(no)
    if len(yeses) != len(nos) or (type(yes) is not type(no) and not _plain(yes, no)):
        raise _unlike("mux", yes, no)
    chosen: T = make([_mux(condition, *pair) for pair in zip(yeses, nos, strict=True)])
    return chosen


def _plain(*values: object) -> bool:
    return all(isinstance(value, Signal | int) for value in values)


def _unlike(what: str, *values: object) -> Exception:
    told = [str(one.type) if isinstance(one, Signal) else type(one).__name__ for one in values]
    return wrong(
        f"the choices of {what}",
        expected="values of one type",
        came=" and ".join(told),
        do="convert one of them: wrap, saturate, as_uint, as_sint, as_bits",
    )


def _mux(condition: Signal, yes: Any, no: Any) -> Signal:
    yes, no = _alike("mux", [yes, no])
    shape = common(yes, no)
    if condition.shape and shape and condition.shape != shape:
        raise wrong(
            "the condition of mux",
            expected=f"Bool, or an array of them of shape {list(shape)}",
            came=str(condition.type),
            do="reduce or index it",
        )
    kind = yes.type.element.array(*(shape or condition.shape))
    return made("mux", kind, condition, yes, no)


def _alike(what: str, values: Sequence[Any]) -> list[Signal]:
    """Signals of one type of elements; numbers take the signals'."""
    signals = [one for one in values if isinstance(one, Signal)]
    if not signals:
        raise wrong(
            f"the choices of {what}",
            expected="at least one signal, whose type the numbers take",
            came=", ".join(map(str, values)),
            do="make one of them a constant: const(UInt(8), 3)",
        )
    element = signals[0].type.element
    if any(one.type.element != element for one in signals):
        raise _unlike(what, *values)
    return [
        one if isinstance(one, Signal) else fitted(one, element, f"a choice of {what}")
        for one in values
    ]


def switch(selector: Signal, cases: Mapping[int, T], default: T) -> T:
    """The value among `cases` whose key the selector is, else `default`.

    Args:
        selector: a number or bits, of no shape.
        cases: by number.
        default: for every other number.
    """
    for key in cases:
        fitted(key, selector.type, "a key of switch")
    choices = [flatten(one) for one in (*cases.values(), default)]
    if len({len(leaves) for leaves, _ in choices}) != 1:
        raise _unlike("switch", *cases.values(), default)
    chosen = []
    for leaves in zip(*(leaves for leaves, _ in choices), strict=True):
        signals = _alike("switch", leaves)
        shape = next((one.shape for one in signals if one.shape), ())
        kind = signals[0].type.element.array(*shape)
        keys = [int(key) for key in cases]
        chosen.append(made("case", kind, selector, *signals, data=keys))
    found: T = choices[-1][1](chosen)
    return found


def _need_bool(value: object, what: str) -> None:
    if not isinstance(value, Signal) or value.type.kind != "Bool":
        came = str(value.type) if isinstance(value, Signal) else type(value).__name__
        raise wrong(what, expected="Bool", came=came, do="compare: x != 0")


# Widths and kinds.


def wrap(value: Signal, to: int | Type) -> Signal:
    """The lower bits, or the number of a type that has them; a wider one keeps the number.

    Args:
        value: of any type.
        to: a width, the kind staying the same, or a type of elements.
    """
    return made("wrap", _narrowed(value, to), value)


def saturate(value: Signal, to: int | Type) -> Signal:
    """The nearest number of `to` bits, or of type `to`."""
    kind = _narrowed(value, to)
    if not (value.type.numeric and kind.numeric):
        raise wrong(
            f"saturate({value.type}, {to})",
            expected="numbers: UInt or SInt",
            came=str(value.type),
            do="write as_uint(x) or as_sint(x) first, or wrap",
        )
    return made("saturate", kind, value)


def _narrowed(value: Signal, to: int | Type) -> Type:
    if isinstance(to, Type):
        return to.element.array(*value.shape)
    if value.type.kind == "Bool":
        raise wrong(
            f"Bool to {to} bits",
            expected="a type, such as UInt(1)",
            came=str(to),
            do=f"write wrap(x, UInt({to}))",
        )
    return with_(value.type, width=to)


def as_uint(value: Signal) -> Signal:
    """The same bits as a number from 0."""
    return made("wrap", UInt(value.width).array(*value.shape), value)


def as_sint(value: Signal) -> Signal:
    """The same bits as a number in two's complement."""
    return made("wrap", Type("SInt", value.width, value.shape), value)


def as_bits(value: Signal) -> Signal:
    """The same bits as no number."""
    return made("wrap", Bits(value.width).array(*value.shape), value)


def as_bool(value: Signal) -> Signal:
    """A single bit as a condition."""
    if value.width != 1:
        raise wrong(
            f"as_bool({value.type})", expected="one bit", came=str(value.type), do="write x != 0"
        )
    return made("wrap", Bool.array(*value.shape), value)


def shift_left(value: Signal, amount: Signal, width: int) -> Signal:
    """Times 2^amount, of which the lower `width` bits are kept."""
    need_index(amount, f"shift_left({value.type}, {amount.type})")
    kind = with_(value.type, width=width, shape=common(value, amount))
    return made("shl", kind, value, amount)


# Bits.


def cat(*parts: Signal) -> Signal:
    """Bits side by side, the first part on top."""
    if not parts:
        raise wrong("cat()", expected="at least one part", came="none", do="give some")
    shape: tuple[int, ...] = ()
    for left, right in pairwise(parts):
        shape = shape or common(left, right)
    kind = Bits(sum(part.width for part in parts)).array(*(shape or parts[0].shape))
    return made("cat", kind, *parts)


def all_bits(value: Signal) -> Signal:
    """Whether all bits are 1, of each element."""
    return made("all", Bool.array(*value.shape), value)


def any_bit(value: Signal) -> Signal:
    """Whether some bit is 1, of each element."""
    return made("any", Bool.array(*value.shape), value)


def parity(value: Signal) -> Signal:
    """Whether the number of ones is odd, of each element."""
    return made("parity", Bool.array(*value.shape), value)


def leading_zeros(value: Signal) -> Signal:
    """How many zeros stand above the highest one; the width where there is none."""
    kind = UInt(value.width.bit_length())
    return made("leading", kind.array(*value.shape), value)


def pack(value: Any) -> Signal:
    """All bits of an array or a struct: of arrays element 0, of structs the last field lowest."""
    leaves, _ = flatten(value)
    return cat(*map(_flat_bits, leaves))


def _flat_bits(signal: Signal) -> Signal:
    found = signal
    while found.shape:
        *outer, size = found.shape
        found = rearranged("pack", Bits(size * found.width).array(*outer), found)
    return as_bits(found)


def unpack(kind: AnyType, bits: Signal) -> Any:
    """What `pack` has packed of a value of that type."""
    leaves = list(leaves_of(kind, "").values())
    width = sum(leaf.width * leaf.form.size for leaf in leaves)
    if bits.shape or bits.width != width:
        raise wrong(
            f"unpack({kind}, {bits.type})",
            expected=f"Bits({width})",
            came=str(bits.type),
            do="give as many bits as the type has",
        )
    parts, top = [], width
    for leaf in leaves:
        low = top - leaf.width * leaf.form.size
        part = made("bits", Bits(top - low), bits, data=(low,))
        parts.append(_unflat(leaf, part))
        top = low
    return assembled(kind, parts)


def _unflat(kind: Type, bits: Signal) -> Signal:
    if not kind.shape:
        return made("wrap", kind, bits)
    flat = Bits(kind.width).array(kind.form.size)
    array = reshape(rearranged("unpack", flat, bits), kind.shape)
    return made("wrap", kind, array)


# Arrays.


def stack(*values: T) -> T:
    """An array of values of one type, along a new first axis."""
    leaves = [flatten(one) for one in values]
    stacked = [_stack(parts) for parts in zip(*(found for found, _ in leaves), strict=True)]
    result: T = leaves[0][1](stacked)
    return result


def _stack(values: Sequence[Any]) -> Signal:
    signals = _alike("stack", values)
    shape = signals[0].shape
    raised = [reshape(one, (1, *shape)) for one in signals]
    return join(*raised)


def join(*arrays: Signal, axis: int = 0) -> Signal:
    """Arrays one after another along an axis."""
    here = scope()
    own = [local(one) for one in _alike("join", arrays)]
    levels = together(*(one.levels for one in own))
    shapes = [one.shape for one in own]
    rest = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(rest) != 1 or not all(axis < len(shape) for shape in shapes):
        raise wrong(
            "join",
            expected=f"arrays that differ along axis {axis} only",
            came=" and ".join(str(list(shape)) for shape in shapes),
            do="reshape or index them",
        )
    length = sum(shape[axis] for shape in shapes)
    shape = (*shapes[0][:axis], length, *shapes[0][axis + 1 :])
    kind = own[0].type.element.array(*shape)
    args = [spread_array(one, levels) for one in own]
    value = here.add("join", physical(kind, levels), args, (len(levels) + axis,))
    return Signal(here, value, kind, levels)


def reshape(value: Signal, shape: Sequence[int]) -> Signal:
    """The same elements in the same row-major order."""
    kind = value.type.element.array(*shape)
    if kind.form.size != value.type.form.size:
        raise wrong(
            f"{value.type} in the shape {list(shape)}",
            expected=f"{value.type.form.size} elements",
            came=str(math.prod(shape)),
            do="give a shape of as many",
        )
    return value if kind == value.type else rearranged("reshape", kind, value)


def transpose(value: Signal, *axes: int) -> Signal:
    """The axes in another order; reversed without one."""
    order = axes or tuple(reversed(range(len(value.shape))))
    if sorted(order) != list(range(len(value.shape))):
        raise wrong(
            f"{value.type} transposed",
            expected=f"the axes 0 to {len(value.shape) - 1}, each once",
            came=str(order),
            do="name every axis",
        )
    outer = len(local(value).levels)
    kind = value.type.element.array(*(value.shape[axis] for axis in order))
    return rearranged("transpose", kind, value, (*range(outer), *(outer + a for a in order)))


def shift_in(new: Signal, array: Signal, axis: int = 0) -> Signal:
    """The array moved by one: `new` becomes element 0, the last one is left out.

    Args:
        new: of the array's shape without the axis.
        array: what neighbours hand on.
        axis: along which it moves.
    """
    shape = array.shape
    if not -len(shape) <= axis < len(shape):
        raise wrong("shift_in", expected="an axis of the array", came=str(axis), do="name one")
    axis %= len(shape)
    entering = fitted(
        new, array.type.element.array(*shape[:axis], *shape[axis + 1 :]), "what is shifted in"
    )
    first = reshape(entering, (*shape[:axis], 1, *shape[axis + 1 :]))
    if shape[axis] == 1:
        return first
    kept = array[(*[slice(None)] * axis, slice(0, shape[axis] - 1))]
    return join(first, kept, axis=axis)


def put(array: Signal, index: Signal, value: Signal | int) -> Signal:
    """The array with one element along the first axis replaced; as it was out of range."""
    need_index(index, f"put({array.type}, {index.type})")
    entering = fitted(value, array.type.element.array(*array.shape[1:]), "what is put")
    here = scope()
    own, at, new = local(array), local(index), entering
    levels = together(own.levels, at.levels, new.levels)
    args = (spread_array(own, levels), spread(at, levels, ()), spread_array(new, levels))
    made_ = here.add("put", physical(own.type, levels), args)
    return Signal(here, made_, own.type, levels)


# Claims.


def assert_(condition: Signal, text: str) -> None:
    """What must be true in every cycle without reset in which the module is enabled."""
    _claim("assert", condition, text)


def assume(condition: Signal, text: str) -> None:
    """What the inputs are counted on for, in the same cycles."""
    _claim("assume", condition, text)


def cover(condition: Signal, text: str) -> None:
    """What should happen at least once, in the same cycles."""
    _claim("cover", condition, text)


def _claim(kind: Literal["assert", "assume", "cover"], condition: Signal, text: str) -> None:
    _need_bool(condition, f"{kind} '{text}'")
    own = local(condition)
    levels = together(own.levels, scope().levels)
    value = spread_array(own, levels)
    scope().claims.append(Claim(kind, value, text))
