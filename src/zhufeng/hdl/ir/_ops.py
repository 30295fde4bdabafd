"""The operations of the IR: what each one means, and which forms it may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from zhufeng.hdl.ir._form import Form
from zhufeng.hdl.ir._module import Let

Problems = Iterator[str]


@dataclass(frozen=True)
class Op:
    """An operation."""

    arity: int | None
    """How many values it takes; None for one or more."""
    rule: Callable[[Let, Sequence[Form]], Problems]
    """What is wrong with its forms."""
    elementwise: bool
    """Whether each element of the result follows from the elements at its place alone."""


def _any(let: Let, args: Sequence[Form]) -> Problems:
    del let, args
    yield from ()


def _const(let: Let, args: Sequence[Form]) -> Problems:
    del args
    if len(let.data) not in (1, let.form.size):
        yield f"{len(let.data)} numbers for {let.form.size} elements"
    for number in let.data:
        if not isinstance(number, int) or not let.form.has(number):
            yield f"{number} is no {Form(let.form.width, let.form.signed)}"


def _bitwise(let: Let, args: Sequence[Form]) -> Problems:
    if any(arg.width != let.form.width for arg in args):
        yield "operands and result of one width"


def _amount(let: Let, args: Sequence[Form]) -> Problems:
    del let
    if args[1].signed:
        yield "an amount without sign"


def _bit(let: Let, args: Sequence[Form]) -> Problems:
    del args
    if (let.form.width, let.form.signed) != (1, False):
        yield "a result of u1"


def _mux(let: Let, args: Sequence[Form]) -> Problems:
    yield from _condition(args[0])
    yield from _all_like(let.form, args[1:])


def _condition(form: Form) -> Problems:
    if (form.width, form.signed) != (1, False):
        yield f"a condition of u1, not {form}"


def _all_like(form: Form, args: Sequence[Form]) -> Problems:
    if any((arg.width, arg.signed) != (form.width, form.signed) for arg in args):
        yield "choices of the form of the result"


def _case(let: Let, args: Sequence[Form]) -> Problems:
    if len(let.data) != len(args) - 2:
        yield "a key for each choice but the last"
    if not all(isinstance(key, int) and args[0].has(key) for key in let.data):
        yield f"keys that are {args[0]}"
    if len(set(let.data)) != len(let.data):
        yield "keys that differ"
    yield from _all_like(let.form, args[1:])


def _cat(let: Let, args: Sequence[Form]) -> Problems:
    if let.form.signed or let.form.width != sum(arg.width for arg in args):
        yield "an unsigned result as wide as all parts"


def _bits(let: Let, args: Sequence[Form]) -> Problems:
    (low,) = let.data
    if let.form.signed or not isinstance(low, int):
        yield "an unsigned result and the place of its lowest bit"
    elif not 0 <= low <= low + let.form.width <= args[0].width:
        yield f"bits of those that are there: 0 to {args[0].width - 1}"


def _leading(let: Let, args: Sequence[Form]) -> Problems:
    if let.form.signed or let.form.high < args[0].width:
        yield f"an unsigned result that has {args[0].width}"


def _same_elements(let: Let, args: Sequence[Form]) -> Problems:
    for arg in args:
        if (arg.width, arg.signed) != (let.form.width, let.form.signed):
            yield "elements of the form of the result's"


def _spread(let: Let, args: Sequence[Form]) -> Problems:
    yield from _same_elements(let, args)
    axes = set(let.data)
    kept = tuple(size for axis, size in enumerate(let.form.shape) if axis not in axes)
    if kept != args[0].shape:
        yield "the axes of its operand, beside the new ones"


def _reshape(let: Let, args: Sequence[Form]) -> Problems:
    yield from _same_elements(let, args)
    if let.form.size != args[0].size:
        yield "as many elements as its operand"


def _transpose(let: Let, args: Sequence[Form]) -> Problems:
    yield from _same_elements(let, args)
    shape = args[0].shape
    if sorted(map(str, let.data)) != sorted(map(str, range(len(shape)))):
        yield "every axis once"
    elif let.form.shape != tuple(shape[axis] for axis in let.data if isinstance(axis, int)):
        yield "the shape of its operand with the axes in that order"


def _slice(let: Let, args: Sequence[Form]) -> Problems:
    yield from _same_elements(let, args)
    axis, start, step = _numbers(let)
    shape = args[0].shape
    if axis >= len(shape) or len(let.form.shape) != len(shape):
        yield "an axis of its operand"
        return
    count = let.form.shape[axis]
    last = start + (count - 1) * step
    if not (0 <= start < shape[axis] and 0 <= last < shape[axis]):
        yield "elements that are there"
    if _without(let.form.shape, axis) != _without(shape, axis):
        yield "the other axes of its operand"


def _join(let: Let, args: Sequence[Form]) -> Problems:
    yield from _same_elements(let, args)
    (axis,) = _numbers(let)
    shapes = [arg.shape for arg in args]
    if any(axis >= len(shape) for shape in (*shapes, let.form.shape)):
        yield "an axis of all operands"
    elif sum(shape[axis] for shape in shapes) != let.form.shape[axis]:
        yield "a result as long as all operands"
    elif any(_without(shape, axis) != _without(let.form.shape, axis) for shape in shapes):
        yield "operands that differ along that axis only"


def _take(let: Let, args: Sequence[Form]) -> Problems:
    array, index = args
    yield from _same_elements(let, (array,))
    yield from _index(array, index)
    if let.form.shape != _without(array.shape, len(index.shape)):
        yield "the shape of its operand without the axis of the index"


def _put(let: Let, args: Sequence[Form]) -> Problems:
    array, index, value = args
    yield from _same_elements(let, (array, value))
    yield from _index(array, index)
    if let.form.shape != array.shape or value.shape != _without(array.shape, len(index.shape)):
        yield "an array, and a value without the axis of the index"


def _index(array: Form, index: Form) -> Problems:
    axes = len(index.shape)
    if index.signed or array.shape[:axes] != index.shape or len(array.shape) <= axes:
        yield "an unsigned index, one for each of the outer axes, and an axis after them"


def _pack(let: Let, args: Sequence[Form]) -> Problems:
    shape = args[0].shape
    if not shape or let.form.shape != shape[:-1]:
        yield "an operand with one axis more"
    elif let.form.signed or let.form.width != shape[-1] * args[0].width:
        yield "an unsigned result of all bits of the last axis"


def _unpack(let: Let, args: Sequence[Form]) -> Problems:
    shape = let.form.shape
    if not shape or args[0].shape != shape[:-1]:
        yield "a result with one axis more"
    elif shape[-1] * let.form.width != args[0].width:
        yield "a result of all bits"


def _numbers(let: Let) -> tuple[int, ...]:
    return tuple(one for one in let.data if isinstance(one, int))


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


OPS: Final = {
    # Leaves: a constant (its numbers in row-major order, or one for all), an input, a register, an
    # output of an instance or a fold, and what stands at a port of a memory.
    "const": Op(0, _const, elementwise=False),
    "input": Op(0, _any, elementwise=False),
    "register": Op(0, _any, elementwise=False),
    "port": Op(0, _any, elementwise=False),
    "read": Op(0, _any, elementwise=False),
    # On numbers: what integers give, wrapped to the result's form. A shift is a product or a
    # rounded-down quotient with a power of two.
    "add": Op(2, _any, elementwise=True),
    "sub": Op(2, _any, elementwise=True),
    "mul": Op(2, _any, elementwise=True),
    "shl": Op(2, _amount, elementwise=True),
    "shr": Op(2, _amount, elementwise=True),
    "wrap": Op(1, _any, elementwise=True),
    "saturate": Op(1, _any, elementwise=True),
    "eq": Op(2, _bit, elementwise=True),
    "lt": Op(2, _bit, elementwise=True),
    "le": Op(2, _bit, elementwise=True),
    # Choices: by a bit; by a number among keys (the data), else the last.
    "mux": Op(3, _mux, elementwise=True),
    "case": Op(None, _case, elementwise=True),
    # On bits. `cat` has its first operand on top; `bits` those from its datum on; `leading` counts
    # the zeros above the highest one.
    "and": Op(2, _bitwise, elementwise=True),
    "or": Op(2, _bitwise, elementwise=True),
    "xor": Op(2, _bitwise, elementwise=True),
    "not": Op(1, _bitwise, elementwise=True),
    "cat": Op(None, _cat, elementwise=True),
    "bits": Op(1, _bits, elementwise=True),
    "all": Op(1, _bit, elementwise=True),
    "any": Op(1, _bit, elementwise=True),
    "parity": Op(1, _bit, elementwise=True),
    "leading": Op(1, _leading, elementwise=True),
    # On arrays: repeated along new axes (the data); `slice` from an element on, in steps, along
    # an axis; `take` and `put` by an index along the axis after the index's own, nothing where
    # it is out of range; `pack` makes the last axis one number, its element 0 lowest.
    "spread": Op(1, _spread, elementwise=False),
    "reshape": Op(1, _reshape, elementwise=False),
    "transpose": Op(1, _transpose, elementwise=False),
    "slice": Op(1, _slice, elementwise=False),
    "join": Op(None, _join, elementwise=False),
    "take": Op(2, _take, elementwise=False),
    "put": Op(3, _put, elementwise=False),
    "pack": Op(1, _pack, elementwise=False),
    "unpack": Op(1, _unpack, elementwise=False),
}


def problems(let: Let, args: Sequence[Form]) -> list[str]:
    """What is wrong with an operation on values of these forms."""
    op = OPS.get(let.op)
    if op is None:
        return ["an operation of the IR"]
    if len(args) != op.arity and not (op.arity is None and args):
        return [f"{op.arity or 'some'} operands"]
    if op.elementwise and any(arg.shape != let.form.shape for arg in args):
        return ["operands of the shape of the result"]
    return list(op.rule(let, args))
