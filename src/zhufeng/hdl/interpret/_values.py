"""Arrays of exact integers, and the IR's operations on them.

An array is ``[lanes, ...]``: of int64 where every element fits, else of Python's integers. Every
operation is computed without loss and only then wrapped to its form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from zhufeng.hdl.ir import Form, Let

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values: TypeAlias = "NDArray[Any]"
_NARROW = 62


def dtype(form: Form) -> type:
    """What holds values of a form."""
    return np.int64 if form.width <= _NARROW else object


def wrapped(values: Values, form: Form) -> Values:
    """Integers, however large, into a form."""
    mask = (1 << form.width) - 1
    low = values & mask
    if form.signed and form.width:
        low = low - ((low >> (form.width - 1)) << form.width)
    return np.asarray(low).astype(dtype(form))


def _exact(values: Values) -> Values:
    return values.astype(object)


def _unsigned(values: Values, form: Form) -> Values:
    """The bits of the elements, as numbers from 0."""
    return _exact(values) & ((1 << form.width) - 1)


def _bool(values: Values) -> Values:
    return np.asarray(values).astype(np.int64)


class Given(NamedTuple):
    """An operation, and the forms and values of its operands."""

    let: Let
    forms: Sequence[Form]
    args: Sequence[Values]


Operation = Callable[[Given], Values]


def _add(of: Given) -> Values:
    return wrapped(_exact(of.args[0]) + _exact(of.args[1]), of.let.form)


def _sub(of: Given) -> Values:
    return wrapped(_exact(of.args[0]) - _exact(of.args[1]), of.let.form)


def _mul(of: Given) -> Values:
    return wrapped(_exact(of.args[0]) * _exact(of.args[1]), of.let.form)


def _shl(of: Given) -> Values:
    # Bits that are moved out of the result are none of its; no need to make a number of them.
    amount = np.minimum(_exact(of.args[1]), of.let.form.width)
    return wrapped(_exact(of.args[0]) << amount, of.let.form)


def _shr(of: Given) -> Values:
    amount = np.minimum(_exact(of.args[1]), of.forms[0].width)
    return wrapped(_exact(of.args[0]) >> amount, of.let.form)


def _wrap(of: Given) -> Values:
    return wrapped(_exact(of.args[0]), of.let.form)


def _saturate(of: Given) -> Values:
    nearest = np.minimum(np.maximum(_exact(of.args[0]), of.let.form.low), of.let.form.high)
    return nearest.astype(dtype(of.let.form))


def _eq(of: Given) -> Values:
    return _bool(_exact(of.args[0]) == _exact(of.args[1]))


def _lt(of: Given) -> Values:
    return _bool(_exact(of.args[0]) < _exact(of.args[1]))


def _le(of: Given) -> Values:
    return _bool(_exact(of.args[0]) <= _exact(of.args[1]))


def _mux(of: Given) -> Values:
    return np.where(of.args[0] != 0, of.args[1], of.args[2])


def _case(of: Given) -> Values:
    selector, *choices, found = of.args
    for key, choice in zip(of.let.data, choices, strict=True):
        found = np.where(selector == key, choice, found)
    return found


def _and(of: Given) -> Values:
    return wrapped(_exact(of.args[0]) & _exact(of.args[1]), of.let.form)


def _or(of: Given) -> Values:
    return wrapped(_exact(of.args[0]) | _exact(of.args[1]), of.let.form)


def _xor(of: Given) -> Values:
    return wrapped(_exact(of.args[0]) ^ _exact(of.args[1]), of.let.form)


def _not(of: Given) -> Values:
    return wrapped(~_exact(of.args[0]), of.let.form)


def _cat(of: Given) -> Values:
    parts = [_unsigned(arg, form) for arg, form in zip(of.args, of.forms, strict=True)]
    found = parts[0]
    for part, form in zip(parts[1:], of.forms[1:], strict=True):
        found = (found << form.width) | part
    return wrapped(found, of.let.form)


def _bits(of: Given) -> Values:
    return wrapped(_unsigned(of.args[0], of.forms[0]) >> of.let.data[0], of.let.form)


def _all(of: Given) -> Values:
    return _bool(_unsigned(of.args[0], of.forms[0]) == (1 << of.forms[0].width) - 1)


def _any(of: Given) -> Values:
    return _bool(_unsigned(of.args[0], of.forms[0]) != 0)


def _counted(values: Values, count: Callable[[int], int]) -> Values:
    counts = [count(int(value)) for value in values.flat]
    return np.array(counts, np.int64).reshape(values.shape)


def _parity(of: Given) -> Values:
    return _counted(_unsigned(of.args[0], of.forms[0]), lambda value: value.bit_count() & 1)


def _leading(of: Given) -> Values:
    width = of.forms[0].width
    return _counted(_unsigned(of.args[0], of.forms[0]), lambda value: width - value.bit_length())


# Of arrays. The axis of the lanes stands before all others.


def _spread(of: Given) -> Values:
    axes = tuple(int(str(axis)) + 1 for axis in of.let.data)
    widened = np.expand_dims(of.args[0], axes)
    return np.broadcast_to(widened, (len(of.args[0]), *of.let.form.shape))


def _reshape(of: Given) -> Values:
    return of.args[0].reshape(len(of.args[0]), *of.let.form.shape)


def _transpose(of: Given) -> Values:
    return of.args[0].transpose(0, *(int(str(axis)) + 1 for axis in of.let.data))


def _slice(of: Given) -> Values:
    axis, start, step = (int(str(one)) for one in of.let.data)
    chosen = [start + step * number for number in range(of.let.form.shape[axis])]
    return np.take(of.args[0], chosen, axis + 1)


def _join(of: Given) -> Values:
    return np.concatenate(of.args, int(str(of.let.data[0])) + 1)


def _take(of: Given) -> Values:
    found: Values = np.zeros((len(of.args[0]), *of.let.form.shape), dtype(of.let.form))
    for place, index in np.ndenumerate(of.args[1]):
        if index < of.forms[0].shape[len(place) - 1]:
            found[place] = of.args[0][place][int(index)]
    return found


def _put(of: Given) -> Values:
    found = of.args[0].copy()
    for place, index in np.ndenumerate(of.args[1]):
        if index < of.forms[0].shape[len(place) - 1]:
            found[(*place, int(index))] = of.args[2][place]
    return found


def _pack(of: Given) -> Values:
    parts = np.moveaxis(_unsigned(of.args[0], of.forms[0]), -1, 0)
    width = of.forms[0].width
    found = reduce(lambda total, part: (total << width) | part, reversed(list(parts)))
    return wrapped(np.asarray(found, object), of.let.form)


def _unpack(of: Given) -> Values:
    bits = _unsigned(of.args[0], of.forms[0])
    width = of.let.form.width
    parts = [wrapped(bits >> (width * n), of.let.form) for n in range(of.let.form.shape[-1])]
    return np.stack(parts, -1)


OPERATIONS: Final[dict[str, Operation]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "shl": _shl,
    "shr": _shr,
    "wrap": _wrap,
    "saturate": _saturate,
    "eq": _eq,
    "lt": _lt,
    "le": _le,
    "mux": _mux,
    "case": _case,
    "and": _and,
    "or": _or,
    "xor": _xor,
    "not": _not,
    "cat": _cat,
    "bits": _bits,
    "all": _all,
    "any": _any,
    "parity": _parity,
    "leading": _leading,
    "spread": _spread,
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "join": _join,
    "take": _take,
    "put": _put,
    "pack": _pack,
    "unpack": _unpack,
}


def evaluated(let: Let, forms: Sequence[Form], args: Sequence[Values]) -> Values:
    """An operation of the IR.

    Args:
        let: which; not a leaf.
        forms: of its operands.
        args: their values, [lanes, ...].
    """
    return OPERATIONS[let.op](Given(let, forms, args))
