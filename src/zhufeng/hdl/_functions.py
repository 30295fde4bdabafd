"""Operations that are no operators of Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, cast, overload

from zhufeng.hdl._choices import alike, need_bool, shape_of, side_by_side
from zhufeng.hdl._scope import scope, together, told, where, wrong
from zhufeng.hdl._signal import (
    Operand,
    Signal,
    constant,
    fitted,
    index_of,
    local,
    made,
    need_one,
    need_signal,
    need_wide,
    physical,
    place_of,
    rearranged,
    spread,
    spread_array,
)
from zhufeng.hdl._struct import AnyType, assembled, flatten, leaves_of, need_type
from zhufeng.hdl._types import (
    Bits,
    Bool,
    Kind,
    Numbers,
    Type,
    UInt,
    axes_of,
    need_plain,
    numbers_of,
    whole,
)
from zhufeng.hdl.ir import Claim

if TYPE_CHECKING:
    from typing import Literal

T = TypeVar("T")


def const(kind: Type, data: Numbers) -> Signal:
    """A constant.

    Args:
        kind: its type.
        data: a number for all elements; or nested lists, or a NumPy array, of its shape; or a
            list of all elements in row-major order.
    """
    need_plain(kind, "a constant")
    return constant(kind, *numbers_of(kind, data, f"a constant of {kind}"))


# Widths and kinds.


def wrap(value: Signal, to: SupportsIndex | Type) -> Signal:
    """The lower bits, or the number of a type that has them; a wider one keeps the number.

    Args:
        value: of any type.
        to: a width, the kind staying the same, or a type of elements.
    """
    return made("wrap", _narrowed("wrap", value, to), value)


def saturate(value: Signal, to: SupportsIndex | Type) -> Signal:
    """The nearest number of `to` bits, or of type `to`."""
    kind = _narrowed("saturate", value, to)
    if not (value.type.numeric and kind.numeric):
        raise wrong(
            f"saturate({value.type}, {to})",
            expected="numbers: UInt or SInt",
            came=str(value.type if kind.numeric else kind),
            do="write as_uint(x) or as_sint(x) first, or wrap",
        )
    return made("saturate", kind, value)


def _narrowed(what: str, value: Signal, to: SupportsIndex | Type) -> Type:
    need_signal(value, what)
    if isinstance(to, Type):
        if to.shape not in {(), value.shape}:
            raise wrong(
                f"{what}({value.type}, {to})",
                expected=f"the type of an element, such as {to.element}",
                came=str(to),
                do="leave its shape out",
            )
        return to.element.array(*value.shape)
    if value.type.kind == "Bool":
        raise wrong(
            f"Bool to {to} bits",
            expected="a type, such as UInt(1)",
            came=str(to),
            do=f"write {what}(x, UInt({to}))" if what == "wrap" else "write mux(x, a, b)",
        )
    return Type(value.type.kind, cast("int", to), value.shape)


def as_uint(value: Signal) -> Signal:
    """The same bits as a number from 0."""
    return _same_bits("as_uint", "UInt", value)


def as_sint(value: Signal) -> Signal:
    """The same bits as a number in two's complement."""
    return _same_bits("as_sint", "SInt", value)


def as_bits(value: Signal) -> Signal:
    """The same bits as no number."""
    return _same_bits("as_bits", "Bits", value)


def as_bool(value: Signal) -> Signal:
    """A single bit as a condition."""
    need_signal(value, "as_bool")
    if value.width != 1:
        raise wrong(
            f"as_bool({value.type})", expected="one bit", came=str(value.type), do="write x != 0"
        )
    return _same_bits("as_bool", "Bool", value)


def _same_bits(what: str, kind: Kind, value: Signal) -> Signal:
    need_signal(value, what)
    return made("wrap", Type(kind, value.width, value.shape), value)


def shift_left(value: Signal, amount: Operand, width: SupportsIndex) -> Signal:
    """Times 2^amount, of which the lower `width` bits are kept."""
    need_signal(value, "shift_left")
    need_wide(value, "shift_left")
    by = index_of(amount, f"shift_left({value.type}, {told(amount)})")
    kind = Type(value.type.kind, cast("int", width), shape_of(value, by))
    return made("shl", kind, value, by)


# Bits.


def cat(*parts: Signal) -> Signal:
    """Bits side by side, the first part on top."""
    if not parts:
        raise wrong("cat()", expected="at least one part", came="none", do="give some")
    for part in parts:
        need_signal(part, "a part of cat")
    kind = Bits(sum(part.width for part in parts)).array(*shape_of(*parts))
    return made("cat", kind, *parts)


def all_bits(value: Signal) -> Signal:
    """Whether all bits are 1, of each element."""
    return _of_bits("all", "all_bits", value)


def any_bit(value: Signal) -> Signal:
    """Whether some bit is 1, of each element."""
    return _of_bits("any", "any_bit", value)


def parity(value: Signal) -> Signal:
    """Whether the number of ones is odd, of each element."""
    return _of_bits("parity", "parity", value)


def _of_bits(op: str, what: str, value: Signal) -> Signal:
    need_signal(value, what)
    return made(op, Bool.array(*value.shape), value)


def leading_zeros(value: Signal) -> Signal:
    """How many zeros stand above the highest one; the width where there is none."""
    need_signal(value, "leading_zeros")
    kind = UInt(value.width.bit_length())
    return made("leading", kind.array(*value.shape), value)


def pack(value: Any) -> Signal:
    """All bits of an array or a struct: of arrays element 0, of structs the last field lowest."""
    leaves, _ = flatten(value)
    for leaf in leaves:
        need_signal(leaf, "what is packed")
    return cat(*map(_flat_bits, leaves)) if leaves else constant(Bits(0), 0)


def _flat_bits(signal: Signal) -> Signal:
    found = signal
    while found.shape:
        *outer, size = found.shape
        found = rearranged("pack", Bits(size * found.width).array(*outer), found)
    return as_bits(found)


def unpack(kind: AnyType, bits: Signal) -> Any:
    """What `pack` has packed of a value of that type."""
    need_type(kind, "unpack")
    need_signal(bits, "unpack")
    leaves = list(leaves_of(kind, "").values())
    width = sum(leaf.width * leaf.form.size for leaf in leaves)
    if bits.shape or bits.width != width:
        raise wrong(
            f"unpack({getattr(kind, '__name__', kind)}, {bits.type})",
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


@overload
def stack(*values: Operand) -> Signal: ...


@overload
def stack(*values: T) -> T: ...


def stack(*values: Any) -> Any:
    """An array of values of one type, along a new first axis."""
    if not values:
        raise wrong("stack()", expected="at least one value", came="none", do="give some")
    places, make = side_by_side("what is stacked", values)
    return make([_stack(leaves) for leaves in places])


def _stack(values: Sequence[Any]) -> Signal:
    shape = next((one.shape for one in values if isinstance(one, Signal)), ())
    kind = alike("what is stacked", values)[0].type.element.array(*shape)
    parts = [fitted(one, kind, "what is stacked") for one in values]
    return join(*(reshape(one, (1, *shape)) for one in parts))


def join(*arrays: Signal, axis: int = 0) -> Signal:
    """Arrays one after another along an axis."""
    here = scope()
    for one in arrays:
        need_signal(one, "what is joined")
    own = [local(one) for one in alike("what is joined", arrays)]
    levels = together(*(one.levels for one in own))
    shapes = [one.shape for one in own]
    place = _axis(own[0], axis, "join")
    rest = {shape[:place] + shape[place + 1 :] for shape in shapes}
    if len(rest) != 1 or not all(0 <= place < len(shape) for shape in shapes):
        raise wrong(
            "join",
            expected=f"arrays that differ along axis {axis} only",
            came=" and ".join(str(one.type) for one in own),
            do="reshape or index them; stack(...) makes an array of single elements",
        )
    length = sum(shape[place] for shape in shapes)
    shape = (*shapes[0][:place], length, *shapes[0][place + 1 :])
    kind = own[0].type.element.array(*shape)
    args = [spread_array(one, levels) for one in own]
    value = here.add("join", physical(kind, levels), args, (len(levels) + place,))
    return Signal(here, value, kind, levels)


def _axis(array: Signal, axis: object, what: str) -> int:
    """An axis counted from 0, which need not be there."""
    known = whole(axis)
    if known is None:
        raise wrong(
            what,
            expected="the number of an axis",
            came=told(axis),
            do="count from 0, or from the end: axis=-1",
        )
    return known + len(array.shape) if known < 0 else known


def reshape(value: Signal, shape: Sequence[int]) -> Signal:
    """The same elements in the same row-major order."""
    need_signal(value, "reshape")
    given = (shape,) if isinstance(shape, SupportsIndex) else tuple(shape)
    kind = value.type.element.array(*axes_of(given, f"reshape of {value.type}"))
    if kind.form.size != value.type.form.size:
        raise wrong(
            f"{value.type} in the shape {list(kind.shape)}",
            expected=f"{value.type.form.size} elements",
            came=str(kind.form.size),
            do="give a shape of as many",
        )
    return value if kind == value.type else rearranged("reshape", kind, value)


def transpose(value: Signal, *axes: int) -> Signal:
    """The axes in another order; reversed without one."""
    need_signal(value, "transpose")
    count = len(value.shape)
    order = axes or tuple(reversed(range(count)))
    known = [whole(axis) for axis in order]
    places = [axis + count if axis < 0 else axis for axis in known if axis is not None]
    if sorted(places) != list(range(count)):
        raise wrong(
            f"{value.type} transposed",
            expected=f"the axes 0 to {count - 1}, each once",
            came=", ".join(map(str, order)),
            do="name every axis: transpose(x, 1, 0)",
        )
    outer = len(local(value).levels)
    kind = value.type.element.array(*(value.shape[axis] for axis in places))
    return rearranged("transpose", kind, value, (*range(outer), *(outer + a for a in places)))


def shift_in(new: Operand, array: Signal, axis: int = 0) -> Signal:
    """The array moved by one: `new` becomes element 0, the last one is left out.

    Args:
        new: of the array's shape without the axis.
        array: what neighbours hand on.
        axis: along which it moves.
    """
    need_signal(array, "the array of shift_in")
    shape = array.shape
    place = _axis(array, axis, f"shift_in into {array.type}")
    if place not in range(len(shape)):
        raise wrong(
            f"shift_in into {array.type}",
            expected="an array with that axis",
            came=f"axis {axis}",
            do="write shift_in(new, array, axis)",
        )
    axis = place
    entering = fitted(
        new, array.type.element.array(*shape[:axis], *shape[axis + 1 :]), "what is shifted in"
    )
    first = reshape(entering, (*shape[:axis], 1, *shape[axis + 1 :]))
    if shape[axis] == 1:
        return first
    kept = array[(*[slice(None)] * axis, slice(0, shape[axis] - 1))]
    return join(first, kept, axis=axis)


def put(array: Signal, index: Operand, value: Operand) -> Signal:
    """The array with one element along the first axis replaced; as it was out of range."""
    need_signal(array, "put")
    what = f"put({array.type}, {told(index)}, ...)"
    if not array.shape:
        raise wrong(
            what, expected="an array", came=str(array.type), do="of bits, take cat of the parts"
        )
    place = index if isinstance(index, Signal) else place_of(array, 0, index)
    at = index_of(place, what)
    need_one(at, what)
    entering = fitted(value, array.type.element.array(*array.shape[1:]), "what is put")
    here = scope()
    own, at, new = local(array), local(at), entering
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
    need_bool(condition, f"{kind} '{text}'")
    own = local(condition)
    levels = together(own.levels, scope().levels)
    value = spread_array(own, levels)
    scope().claims.append(Claim(kind, value, str(text), where()))
