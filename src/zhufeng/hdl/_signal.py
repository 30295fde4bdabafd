"""Signals: what hardware computes with, written as one writes NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import SupportsIndex, TypeAlias

from zhufeng.hdl._refusals import OF_SIGNALS, refuse
from zhufeng.hdl._scope import Levels, Scope, scope, sizes, together, told, wrong
from zhufeng.hdl._types import (
    Bits,
    Bool,
    SInt,
    Type,
    UInt,
    conversion,
    least,
    result_type,
    whole,
)
from zhufeng.hdl.ir import Data, Form

Index: TypeAlias = "SupportsIndex | slice | Signal | tuple[SupportsIndex | slice, ...]"
Operand: TypeAlias = "Signal | SupportsIndex"
"""A signal, or an integer of Python's or NumPy's."""


class Signal:
    """A value in a module under trace: a number, bits, or an array of them."""

    __slots__ = ("levels", "scope", "type", "value")
    __array_ufunc__ = None  # NumPy's numbers leave their operators to ours.

    def __init__(self, home: Scope, value: str, kind: Type, levels: Levels = ()) -> None:
        self.scope = home
        self.value = value
        self.type = kind
        self.levels = levels

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an array; () of a single element."""
        return self.type.shape

    @property
    def width(self) -> int:
        """Bits of an element."""
        return self.type.width

    # Arithmetic loses nothing: the result has room for every number.

    def __add__(self, other: Operand) -> Signal:
        """The sum: a bit wider than its operands."""
        return _arithmetic("add", "+", self, other)

    def __sub__(self, other: Operand) -> Signal:
        """The difference: signed, a bit wider than its operands."""
        return _arithmetic("sub", "-", self, other)

    def __mul__(self, other: Operand) -> Signal:
        """The product: as wide as both operands together."""
        return _arithmetic("mul", "*", self, other)

    def __radd__(self, other: SupportsIndex) -> Signal:
        """As `+`."""
        return _arithmetic("add", "+", other, self)

    def __rsub__(self, other: SupportsIndex) -> Signal:
        """As `-`."""
        return _arithmetic("sub", "-", other, self)

    def __rmul__(self, other: SupportsIndex) -> Signal:
        """As `*`."""
        return _arithmetic("mul", "*", other, self)

    def __pos__(self) -> Signal:
        """The same."""
        _need_number(self, "+")
        return self

    def __neg__(self) -> Signal:
        """The negative: signed, a bit wider."""
        _need_number(self, "-")
        return made("sub", SInt(self.width + 1).array(*self.shape), constant(UInt(0), 0), self)

    # On bits, of operands of one type.

    def __and__(self, other: Operand) -> Signal:
        """And, bit by bit."""
        return _bitwise("and", "&", self, other)

    def __or__(self, other: Operand) -> Signal:
        """Or, bit by bit."""
        return _bitwise("or", "|", self, other)

    def __xor__(self, other: Operand) -> Signal:
        """Exclusive or, bit by bit."""
        return _bitwise("xor", "^", self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Signal:
        """All bits turned over."""
        return made("not", self.type, self)

    def __lshift__(self, amount: SupportsIndex) -> Signal:
        """Times 2^amount, and so many bits wider; by a signal: `shift_left`."""
        if isinstance(amount, Signal):
            raise wrong(
                f"{self.type} << {amount.type}",
                expected="a shift by a number, or a stated width of the result",
                came="a shift by a signal",
                do="write shift_left(x, amount, width=...)",
            )
        need_wide(self, "<<")
        by = index_of(amount, f"{self.type} << {_shown(amount)}")
        wider = replace(self.type, width=self.width + (whole(amount) or 0))
        return made("shl", wider, self, by)

    def __rshift__(self, amount: Operand) -> Signal:
        """Divided by 2^amount and rounded down: moved to the right, the sign kept."""
        need_wide(self, ">>")
        by = index_of(amount, f"{self.type} >> {_shown(amount)}")
        return made("shr", self.type.element.array(*common(self, by)), self, by)

    # By value, whatever the widths.

    def __eq__(self, other: object) -> Signal:  # type: ignore[override]
        """Whether they are equal."""
        return _compare("eq", "==", self, other)

    def __ne__(self, other: object) -> Signal:  # type: ignore[override]
        """Whether they differ."""
        return ~_compare("eq", "!=", self, other)

    def __lt__(self, other: Operand) -> Signal:
        """Whether it is less."""
        return _compare("lt", "<", self, other)

    def __le__(self, other: Operand) -> Signal:
        """Whether it is no greater."""
        return _compare("le", "<=", self, other)

    def __gt__(self, other: Operand) -> Signal:
        """Whether it is greater."""
        return ~_compare("le", ">", self, other)

    def __ge__(self, other: Operand) -> Signal:
        """Whether it is no less."""
        return ~_compare("lt", ">=", self, other)

    __hash__ = object.__hash__

    # Parts.

    def __getitem__(self, index: Index) -> Signal:
        """Elements of an array, or bits of a single number.

        As in NumPy: ``x[3]``, ``x[-1]``, ``x[2:5]``, ``x[:, 0]``. By a signal, ``x[i]``, along the
        first axis: 0 where it is out of range. Of a single number, ``x[3]`` is a bit, the lowest
        one 0, and ``x[0:4]`` are the lowest four.
        """
        if isinstance(index, Signal):
            return _taken(self, index)
        if self.shape:
            return _elements(self, index)
        return _bits(self, index)

    def __len__(self) -> int:
        """Elements along the first axis."""
        if not self.shape:
            raise wrong(
                f"len of {self.type}",
                expected="an array",
                came=str(self.type),
                do="write x.width for its bits",
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Signal]:
        """Its elements along the first axis."""
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        """Its type and what it is called."""
        return f"<{self.type} {self.scope.name}.{self.scope.name_of(self.value)}>"


refuse(Signal, OF_SIGNALS)


def constant(kind: Type, *values: int) -> Signal:
    """A constant: its elements in row-major order, or one for all."""
    here = scope()
    return Signal(here, here.add("const", kind.form, data=values), kind)


def made(op: str, kind: Type, *operands: Signal, data: Sequence[Data] = ()) -> Signal:
    """An operation on each element; single elements meet arrays by being repeated."""
    here = scope()
    own = [local(one) for one in operands]
    levels = together(*(one.levels for one in own))
    args = [spread(one, levels, kind.shape) for one in own]
    return Signal(here, here.add(op, physical(kind, levels), args, data), kind, levels)


def rearranged(op: str, kind: Type, signal: Signal, data: Sequence[Data] = ()) -> Signal:
    """An operation on one whole array; `data` as the IR has it, outer axes included."""
    here, own = scope(), local(signal)
    value = here.add(op, physical(kind, own.levels), (own.value,), data)
    return Signal(here, value, kind, own.levels)


def physical(kind: Type, levels: Levels) -> Form:
    """The form of a value with its repetitions before its own axes."""
    return replace(kind.form, shape=(*sizes(levels), *kind.shape))


def local(signal: Signal) -> Signal:
    """A signal as the module under trace has it: one from further out becomes an input."""
    here, home = scope(), signal.scope
    if signal.levels and not set(signal.levels) <= set(home.levels):
        raise wrong(
            f"an element of {signal.type} is used outside of its vmap",
            expected="what vmap returns",
            came="an element of it, kept elsewhere",
            do="return it from the function that vmap calls",
        )
    if home is here:
        return signal
    if home not in here.around():
        inside = here in home.around()
        raise wrong(
            f"{signal.type} of {home.name} is used in {here.name}",
            expected="values of this module",
            came=f"a value of {home.name}",
            do="return it from the function that fold calls"
            if inside
            else "give it to the module as an input",
        )
    return Signal(here, here.capture(signal), signal.type)


def spread(signal: Signal, levels: Levels, shape: tuple[int, ...]) -> str:
    """The value repeated over all of `levels`; a single element over `shape` too."""
    here = scope()
    form = replace(signal.type.form, shape=(*sizes(levels), *shape))
    new = [axis for axis, one in enumerate(levels) if one not in signal.levels]
    if not signal.shape:
        new += range(len(levels), len(levels) + len(shape))
    return here.add("spread", form, (signal.value,), new) if new else signal.value


# The rules of types.


def common(left: Signal, right: Signal) -> tuple[int, ...]:
    """The shape of an operation on two operands."""
    if left.shape and right.shape and left.shape != right.shape:
        raise wrong(
            f"{left.type} meets {right.type}",
            expected="arrays of one shape, or a single element",
            came=f"{list(left.shape)} and {list(right.shape)}",
            do="index, reshape or vmap one of them",
        )
    return left.shape or right.shape


def fitted(value: object, kind: Type, what: str) -> Signal:
    """A value where `kind` is asked for: a signal of that type, or a number that fits."""
    if isinstance(value, Signal):
        if value.type != kind:
            raise wrong(
                what, expected=str(kind), came=str(value.type), do=conversion(value.type, kind)
            )
        return local(value)
    number = whole(value)
    if number is None:
        raise wrong(
            what,
            expected=str(kind),
            came=told(value),
            do="give a signal or an int; const(type, data) makes arrays",
        )
    if not kind.form.has(number):
        raise wrong(
            what,
            expected=f"{kind}: {kind.low} to {kind.high}",
            came=str(number),
            do="give a number that fits, or widen the type",
        )
    return constant(kind, number)


def _arithmetic(op: str, sign: str, left: object, right: object) -> Signal:
    a, b = (_number(one, sign) for one in (left, right))
    kind = result_type(op, a.type, b.type)
    return made(op, kind.array(*common(a, b)), a, b)


def _number(value: object, sign: str) -> Signal:
    if isinstance(value, Signal):
        _need_number(value, sign)
        return value
    number = None if isinstance(value, bool) else whole(value)
    if number is None:
        raise _no_operand(value, sign)
    return constant(least(number), number)


def _no_operand(value: object, sign: str) -> Exception:
    return wrong(
        f"{told(value)} beside {sign}",
        expected="a signal or an int",
        came=told(value),
        do="give one; const(type, data) makes arrays",
    )


def _need_number(value: Signal, sign: str) -> None:
    if not value.type.numeric:
        raise wrong(
            f"{value.type} beside {sign}",
            expected="UInt or SInt",
            came=str(value.type),
            do="write as_uint(x) or as_sint(x), which keep the bits",
        )


def need_wide(value: Signal, sign: str) -> None:
    """Refuse to shift what has one bit for ever."""
    if value.type.kind == "Bool":
        raise wrong(
            f"Bool beside {sign}",
            expected="UInt, SInt or Bits",
            came=str(value.type),
            do="write as_uint(x)",
        )


def index_of(index: Operand, what: str) -> Signal:
    """An index or an amount: a UInt, or a number from 0."""
    if isinstance(index, Signal):
        if index.type.kind != "UInt":
            raise wrong(what, expected="UInt", came=str(index.type), do="write as_uint(x)")
        return index
    number = whole(index)
    if number is None or number < 0:
        raise wrong(
            what,
            expected="UInt, or a number of at least 0",
            came=told(index) if number is None else str(number),
            do="give a number from 0 on",
        )
    return constant(least(number), number)


def need_one(index: Signal, what: str) -> None:
    """Refuse an array of indices."""
    if index.shape:
        raise wrong(what, expected="one index", came=str(index.type), do="vmap over the indices")


def need_signal(value: object, what: str) -> None:
    """Refuse what is no signal."""
    if not isinstance(value, Signal):
        raise wrong(
            what,
            expected="a signal",
            came=told(value),
            do="give a field of it, or pack(x)"
            if hasattr(type(value), "fields_")
            else "give one; const(type, data) makes one of numbers",
        )


def _bitwise(op: str, sign: str, left: Signal, right: object) -> Signal:
    other = right if isinstance(right, Signal) else _literal(left, sign, right)
    if other.type.element != left.type.element:
        raise wrong(
            f"{left.type} {sign} {other.type}",
            expected="operands of one type",
            came=f"{left.type.element} and {other.type.element}",
            do=conversion(other.type.element, left.type.element),
        )
    return made(op, left.type.element.array(*common(left, other)), left, other)


def _literal(left: Signal, sign: str, right: object) -> Signal:
    if whole(right) is None:
        raise _no_operand(right, sign)
    return fitted(right, left.type.element, f"{left.type} {sign} {right}")


def _compare(op: str, sign: str, left: Signal, right: object) -> Signal:
    other = right if isinstance(right, Signal) else _literal(left, sign, right)
    numbers = left.type.numeric and other.type.numeric
    if not numbers and (op != "eq" or left.type.element != other.type.element):
        raise wrong(
            f"{left.type} {sign} {other.type}",
            expected="numbers, which are compared by value" + ("; or one type" * (op == "eq")),
            came=f"{left.type} and {other.type}",
            do="write as_uint(x) or as_sint(x), which keep the bits",
        )
    return made(op, Bool.array(*common(left, other)), left, other)


# Parts of arrays and numbers.


def _taken(array: Signal, index: Signal) -> Signal:
    need_one(index_of(index, f"{array.type}[{index.type}]"), f"{array.type}[{index.type}]")
    if not array.shape:
        if not array.width:
            return constant(Bool, 0)
        array = bits_as_array(array)
    here, own, at = scope(), local(array), local(index)
    levels = together(own.levels, at.levels)
    kind = own.type.element.array(*own.shape[1:])
    args = (spread_array(own, levels), spread(at, levels, ()))
    return Signal(here, here.add("take", physical(kind, levels), args), kind, levels)


def spread_array(array: Signal, levels: Levels) -> str:
    """An array repeated over all of `levels`."""
    here = scope()
    form = physical(array.type, levels)
    new = [axis for axis, one in enumerate(levels) if one not in array.levels]
    return here.add("spread", form, (array.value,), new) if new else array.value


def bits_as_array(number: Signal) -> Signal:
    """Its bits, the lowest first."""
    return rearranged("unpack", Bool.array(number.width), number)


def _elements(array: Signal, index: object) -> Signal:
    items = index if isinstance(index, tuple) else (index,)
    if len(items) > len(array.shape):
        raise _out(array, index, f"at most {len(array.shape)} indices")
    found, axis = array, 0
    for item in items:
        if isinstance(item, slice):
            found = _sliced(found, axis, item)
            axis += 1
        else:
            found = _dropped(found, axis, item)
    return found


def _sliced(array: Signal, axis: int, item: slice) -> Signal:
    size = array.shape[axis]
    chosen = _chosen(array, item, size)
    if not chosen:
        raise _out(array, item, f"some of the elements 0 to {size - 1}")
    if chosen == range(size):
        return array
    shape = (*array.shape[:axis], len(chosen), *array.shape[axis + 1 :])
    data = (len(local(array).levels) + axis, chosen.start, chosen.step)
    return rearranged("slice", array.type.element.array(*shape), array, data)


def _chosen(value: Signal, item: slice, size: int) -> range:
    """The places of a slice, whose ends must be there."""
    given = (item.start, item.stop, item.step)
    known = [None if one is None else whole(one) for one in given]
    start, stop, step = known
    inside = all(one is None or -size <= one <= size for one in (start, stop))
    if known.count(None) != given.count(None) or not inside or step == 0:
        raise _out(value, item, f"a slice of what is there, 0 to {size}")
    return range(size)[start:stop:step]


def place_of(array: Signal, axis: int, item: object) -> int:
    """The element, counted from 0, that a number stands for."""
    size, place = array.shape[axis], whole(item)
    if place is None:
        do = "index by a signal alone, x[i]; transpose brings another axis to the front"
        raise _out(array, item, "numbers and slices", do)
    if not -size <= place < size:
        raise _out(array, item, f"an element from 0 to {size - 1}")
    return place % size


def _dropped(array: Signal, axis: int, item: object) -> Signal:
    place = place_of(array, axis, item)
    one = _sliced(array, axis, slice(place, place + 1))
    shape = (*array.shape[:axis], *array.shape[axis + 1 :])
    return rearranged("reshape", array.type.element.array(*shape), one)


def _bits(number: Signal, index: object) -> Signal:
    width, place = number.width, None if isinstance(index, slice) else whole(index)
    if isinstance(index, slice):
        chosen = _chosen(number, index, width)
        if chosen.step != 1:
            do = f"take them as an array: pack(unpack(Bool.array({width}), x)[...])"
            raise _out(number, index, "bits side by side, without a step", do)
        if chosen.start > chosen.stop:
            do = f"write x[{chosen.stop}:{chosen.start + 1}] for the bits that Verilog calls so"
            raise _out(number, index, "the lower end first, and the upper end behind it", do)
        return made("bits", Bits(len(chosen)), number, data=(chosen.start,))
    if place is None:
        raise _out(number, index, "one index or slice: it is no array")
    if not -width <= place < width:
        raise _out(number, index, f"a bit from 0 to {width - 1}")
    return made("bits", Bool, number, data=(place % width,))


def _out(value: Signal, index: object, expected: str, do: str = "index what is there") -> Exception:
    items = index if isinstance(index, tuple) else (index,)
    came = f"[{', '.join(map(_shown, items))}]"
    return wrong(f"a part of {value.type}", expected=expected, came=came, do=do)


def _shown(item: object) -> str:
    if isinstance(item, slice):
        ends = ["" if one is None else _shown(one) for one in (item.start, item.stop, item.step)]
        return ":".join(ends if item.step is not None else ends[:2])
    return told(item) if isinstance(item, Signal) else str(item)
