"""Signals: what hardware computes with, written as one writes NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from zhufeng.hdl._scope import Levels, Scope, scope, sizes, together, wrong
from zhufeng.hdl._types import Bits, Bool, SInt, Type, UInt, least
from zhufeng.hdl.ir import Data, Form

Index: TypeAlias = "int | slice | Signal | tuple[int | slice, ...]"


class Signal:
    """A value in a module under trace: a number, bits, or an array of them."""

    __slots__ = ("levels", "scope", "type", "value")

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

    def __add__(self, other: Signal | int) -> Signal:
        """The sum: a bit wider than its operands."""
        return _arithmetic("add", "+", self, other)

    def __sub__(self, other: Signal | int) -> Signal:
        """The difference: signed, a bit wider than its operands."""
        return _arithmetic("sub", "-", self, other)

    def __mul__(self, other: Signal | int) -> Signal:
        """The product: as wide as both operands together."""
        return _arithmetic("mul", "*", self, other)

    def __radd__(self, other: int) -> Signal:
        """As `+`."""
        return _arithmetic("add", "+", other, self)

    def __rsub__(self, other: int) -> Signal:
        """As `-`."""
        return _arithmetic("sub", "-", other, self)

    def __rmul__(self, other: int) -> Signal:
        """As `*`."""
        return _arithmetic("mul", "*", other, self)

    def __neg__(self) -> Signal:
        """The negative: signed, a bit wider."""
        _need_number(self, "-")
        return made("sub", SInt(self.width + 1).array(*self.shape), constant(UInt(0), 0), self)

    # On bits, of operands of one type.

    def __and__(self, other: Signal | int) -> Signal:
        """And, bit by bit."""
        return _bitwise("and", "&", self, other)

    def __or__(self, other: Signal | int) -> Signal:
        """Or, bit by bit."""
        return _bitwise("or", "|", self, other)

    def __xor__(self, other: Signal | int) -> Signal:
        """Exclusive or, bit by bit."""
        return _bitwise("xor", "^", self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Signal:
        """All bits turned over."""
        return made("not", self.type, self)

    def __lshift__(self, amount: int) -> Signal:
        """Times 2^amount, and so many bits wider; by a signal: `shift_left`."""
        if isinstance(amount, Signal):
            raise wrong(
                f"{self.type} << {amount.type}",
                expected="a shift by a number, or a stated width of the result",
                came="a shift by a signal",
                do="write shift_left(x, amount, width=...)",
            )
        _need_amount(self, "<<", amount)
        wider = replace(self.type, width=self.width + amount)
        return made("shl", wider, self, constant(least(amount), amount))

    def __rshift__(self, amount: Signal | int) -> Signal:
        """Divided by 2^amount and rounded down: moved to the right, the sign kept."""
        if isinstance(amount, int):
            _need_amount(self, ">>", amount)
            return made("shr", self.type, self, constant(least(amount), amount))
        need_index(amount, f"{self.type} >> {amount.type}")
        return made("shr", self.type.element.array(*common(self, amount)), self, amount)

    # By value, whatever the widths.

    def __eq__(self, other: object) -> Signal:  # type: ignore[override]
        """Whether they are equal."""
        return _compare("eq", "==", self, other)

    def __ne__(self, other: object) -> Signal:  # type: ignore[override]
        """Whether they differ."""
        return ~_compare("eq", "!=", self, other)

    def __lt__(self, other: Signal | int) -> Signal:
        """Whether it is less."""
        return _compare("lt", "<", self, other)

    def __le__(self, other: Signal | int) -> Signal:
        """Whether it is no greater."""
        return _compare("le", "<=", self, other)

    def __gt__(self, other: Signal | int) -> Signal:
        """Whether it is greater."""
        return ~_compare("le", ">", self, other)

    def __ge__(self, other: Signal | int) -> Signal:
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
            return _taken(self if self.shape else bits_as_array(self), index)
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

    # What only Python's own values can do.

    def __bool__(self) -> bool:
        """Refused: what it is, is not known while hardware is built."""
        raise wrong(
            f"Python asks whether {self.type} is true (if, while, and, or, not, in, a < b < c)",
            expected="a choice that hardware can make",
            came=str(self.type),
            do="write mux(condition, a, b); & | ~; two comparisons joined with &",
        )

    def __index__(self) -> int:
        """Refused: what it is, is not known while hardware is built."""
        raise wrong(
            f"Python takes {self.type} for a number",
            expected="a number that is known while hardware is built",
            came=str(self.type),
            do="index with x[i]; repeat with vmap or fold",
        )

    def __repr__(self) -> str:
        """Its type and what it is called."""
        return f"<{self.type} {self.scope.name}.{self.scope.name_of(self.value)}>"


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
    here = scope()
    if signal.scope is here:
        return signal
    around = here.parent
    while around is not None and around is not signal.scope:
        around = around.parent
    if around is None:
        raise wrong(
            f"{signal.type} of {signal.scope.name} is used in {here.name}",
            expected="values of this module",
            came=f"a value of {signal.scope.name}",
            do="give it to the module as an input",
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
            raise wrong(what, expected=str(kind), came=str(value.type), do=conversion(value, kind))
        return local(value)
    if isinstance(value, int):
        if not kind.form.has(int(value)):
            raise wrong(
                what,
                expected=f"{kind}: {kind.low} to {kind.high}",
                came=str(value),
                do="give a number that fits, or widen the type",
            )
        return constant(kind, int(value))
    raise wrong(
        what,
        expected=str(kind),
        came=type(value).__name__,
        do="give a signal or a number; const(type, data) makes arrays",
    )


def conversion(value: Signal, kind: Type) -> str:
    """What to write to make `kind` of a value."""
    if value.shape != kind.shape:
        return f"give an array of shape {list(kind.shape)}: index, reshape or vmap it"
    if value.type.kind == kind.kind:
        return f"write wrap(x, {kind.width}) or saturate(x, {kind.width})"
    if value.width == kind.width:
        return f"write as_{kind.kind.lower()}(x), which keeps the bits"
    return f"write wrap(x, {kind.element}), which keeps what fits"


def result_type(op: str, left: Type, right: Type) -> Type:
    """The type of elements that has every sum, difference or product."""
    signed = left.signed or right.signed
    a, b = (one.width + (signed and not one.signed) for one in (left, right))
    if op == "mul":
        return SInt(a + b) if signed else UInt(a + b)
    wide = max(a, b) + 1
    return SInt(wide) if signed or op == "sub" else UInt(wide)


def _arithmetic(op: str, sign: str, left: object, right: object) -> Signal:
    a, b = (_number(one, sign) for one in (left, right))
    kind = result_type(op, a.type, b.type)
    return made(op, kind.array(*common(a, b)), a, b)


def _number(value: object, sign: str) -> Signal:
    if isinstance(value, int) and not isinstance(value, bool):
        return constant(least(value), value)
    if not isinstance(value, Signal):
        raise _no_operand(value, sign)
    _need_number(value, sign)
    return value


def _no_operand(value: object, sign: str) -> Exception:
    return wrong(
        f"{type(value).__name__} beside {sign}",
        expected="a signal or an int",
        came=type(value).__name__,
        do="make a signal of it: const(type, data)",
    )


def _need_number(value: Signal, sign: str) -> None:
    if not value.type.numeric:
        raise wrong(
            f"{value.type} beside {sign}",
            expected="UInt or SInt",
            came=str(value.type),
            do="write as_uint(x) or as_sint(x), which keep the bits",
        )


def _need_amount(value: Signal, sign: str, amount: int) -> None:
    if amount < 0:
        raise wrong(
            f"{value.type} {sign} {amount}",
            expected="an amount of at least 0",
            came=str(amount),
            do="shift the other way",
        )


def need_index(index: Signal, what: str) -> None:
    """Refuse an index or an amount that is no UInt."""
    if index.type.kind != "UInt":
        raise wrong(what, expected="UInt", came=str(index.type), do="write as_uint(x) or x[...]")


def _bitwise(op: str, sign: str, left: Signal, right: object) -> Signal:
    other = (
        right if isinstance(right, Signal) else fitted(right, left.type.element, f"beside {sign}")
    )
    if other.type.element != left.type.element:
        raise wrong(
            f"{left.type} {sign} {other.type}",
            expected="operands of one type",
            came=f"{left.type.element} and {other.type.element}",
            do=conversion(other, left.type.element.array(*other.shape)),
        )
    return made(op, left.type.element.array(*common(left, other)), left, other)


def _compare(op: str, sign: str, left: Signal, right: object) -> Signal:
    if isinstance(right, Signal):
        other = right
    elif isinstance(right, int):
        other = fitted(right, left.type.element, f"{left.type} {sign} {right}")
    else:
        raise _no_operand(right, sign)
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
    need_index(index, f"{array.type}[{index.type}]")
    if index.shape:
        raise wrong(
            f"{array.type}[{index.type}]",
            expected="one index",
            came=str(index.type),
            do="vmap over the indices",
        )
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


def _elements(array: Signal, index: int | slice | tuple[int | slice, ...]) -> Signal:
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
    chosen = range(size)[item]
    if not chosen:
        raise _out(array, item, f"some of the elements 0 to {size - 1}")
    if chosen == range(size):
        return array
    shape = (*array.shape[:axis], len(chosen), *array.shape[axis + 1 :])
    data = (len(local(array).levels) + axis, chosen.start, chosen.step)
    return rearranged("slice", array.type.element.array(*shape), array, data)


def _dropped(array: Signal, axis: int, item: int) -> Signal:
    size = array.shape[axis]
    if not -size <= item < size:
        raise _out(array, item, f"an element from 0 to {size - 1}")
    one = _sliced(array, axis, slice(item % size, item % size + 1))
    shape = (*array.shape[:axis], *array.shape[axis + 1 :])
    return rearranged("reshape", array.type.element.array(*shape), one)


def _bits(number: Signal, index: int | slice | tuple[int | slice, ...]) -> Signal:
    if isinstance(index, tuple):
        raise _out(number, index, "one index: it is no array")
    if isinstance(index, slice):
        chosen = range(number.width)[index]
        if not chosen or chosen.step != 1:
            raise _out(number, index, f"some of the bits 0 to {number.width - 1}, without a step")
        return made("bits", Bits(len(chosen)), number, data=(chosen.start,))
    if not -number.width <= index < number.width:
        raise _out(number, index, f"a bit from 0 to {number.width - 1}")
    return made("bits", Bool, number, data=(index % number.width,))


def _out(value: Signal, index: object, expected: str) -> Exception:
    return wrong(
        f"a part of {value.type}",
        expected=expected,
        came=str(index).replace("slice", "the slice"),
        do="index what is there",
    )
