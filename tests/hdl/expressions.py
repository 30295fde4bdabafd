"""Random expressions of the language: every operator and function on signals."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from zhufeng.hdl import (
    Bits,
    Bool,
    Function,
    Signal,
    SInt,
    Struct,
    Type,
    UInt,
    all_bits,
    any_bit,
    as_bits,
    as_bool,
    as_sint,
    as_uint,
    cat,
    connect,
    const,
    fold,
    inline,
    join,
    leading_zeros,
    mux,
    of,
    pack,
    parity,
    put,
    replace,
    reshape,
    saturate,
    shift_in,
    shift_left,
    stack,
    switch,
    total,
    transpose,
    tree,
    unpack,
    vmap,
    wire,
    wrap,
)

Pool = list[Signal]
"""What an expression may be made of; the last ones are the newest."""
_NEW = 6
Operation = Callable[[Pool], Signal]

_WIDTHS = (8, 4, 1, 2, 3, 5, 13, 16, 31, 33, 64, 70)
_WIDEST = 80
_LARGEST = 24  # elements
_DEEPEST = 2  # repetitions within one another


def leaves(value: Any) -> Pool:
    """The signals of a value."""
    if isinstance(value, Signal):
        return [value]
    parts = [getattr(value, name) for name in value.fields_] if isinstance(value, Struct) else value
    return [leaf for part in parts for leaf in leaves(part)]


def struct(name: str, fields: dict[str, Any]) -> Any:
    """A new struct."""
    return type(name, (Struct,), {field: of(kind) for field, kind in fields.items()})


class Draw(random.Random):
    """Random choices."""

    def rarely(self, one_in: int) -> bool:
        """True once in so many times."""
        return self.randrange(one_in) == 0


class Expressions:
    """Makes random values of values."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.functions: list[tuple[Function[..., Any], dict[str, Type]]] = []
        """Those that may be called, with the types of their inputs."""
        self._depth = 0
        self._plain: tuple[Operation, ...] = (
            *3 * (self._arithmetic,),
            *2 * (self._comparison, self._bitwise, self._mux, self._sized, self._shifted),
            self._bits_joined,
            self._bits_chosen,
            self._reduced,
            self._element,
            self._elements,
            self._rearranged,
            self._joined,
            self._replaced,
            self._packed,
            self._switched,
            self._negated,
            self._recast,
            self._constant,
            self._tree,
            self._by_wire,
            self._structured,
            *2 * (self._called,),
        )
        self._repeated: tuple[Operation, ...] = 2 * (self._mapped, self._folded)

    # Types and choices.

    def scalar_type(self) -> Type:
        """A type of single elements."""
        kind = self.draw.choice((UInt, SInt, Bits, None))
        if kind is None:
            return Bool
        return kind(0 if self.draw.rarely(24) else self.draw.choice(_WIDTHS))

    def type_(self) -> Type:
        """A type, an array's now and then."""
        kind = self.scalar_type()
        if not self.draw.rarely(3):
            return kind
        return kind.array(*(1 + self.draw.randrange(4) for _ in range(1 + self.draw.randrange(2))))

    def fitting(self, kind: Type) -> int:
        """A number of a type: an end of its range as likely as any."""
        ends = (0, kind.high, kind.low)
        if not self.draw.rarely(2):
            number = self.draw.choice(ends)
        else:
            number = kind.low + self.draw.randrange(kind.high - kind.low + 1)
        return number

    def numbers(self, kind: Type) -> Any:
        """A number of a type, or a list of one for each element, or lists of such lists."""
        found = np.array([self.fitting(kind) for _ in range(kind.form.size)], object)
        if not kind.shape:
            return found[0]
        return (found if self.draw.rarely(2) else found.reshape(kind.shape)).tolist()

    def pick(self, pool: Pool, fits: Callable[[Type], bool] = lambda _: True) -> Signal | None:
        """One of the signals whose type fits."""
        found = [one for one in pool if fits(one.type)]
        return self.any(found) if found else None

    def any(self, pool: Pool) -> Signal:
        """One of the signals, more often a new one."""
        return self.draw.choice(pool[-_NEW:] if self.draw.rarely(2) else pool)

    def scalar(self, pool: Pool, least: int = 0) -> Signal:
        """A single element of so many bits at least."""
        found = self.pick(pool, lambda kind: not kind.shape and kind.width >= least)
        if found is None:
            found = self.any(pool)
            while found.shape:
                found = found[self.draw.randrange(found.shape[0])]
        return found if found.width >= least else parity(found)

    def array(self, pool: Pool) -> Signal:
        """An array."""
        found = self.pick(pool, lambda kind: bool(kind.shape))
        if found is not None:
            return found
        kind = self.scalar_type()
        return stack(*(self.to(self.scalar(pool), kind) for _ in range(3)))

    def number(self, pool: Pool, shape: tuple[int, ...] | None = None) -> Signal:
        """A number, or an array of them, that meets arrays of a shape."""

        def fits(kind: Type) -> bool:
            return kind.numeric and (shape is None or kind.shape in {(), shape})

        found = self.pick(pool, fits)
        return self.as_number(self.scalar(pool)) if found is None else found

    def as_number(self, value: Signal) -> Signal:
        """The same bits as a number."""
        return value if value.type.numeric else self.draw.choice((as_uint, as_sint))(value)

    def condition(self, pool: Pool) -> Signal:
        """A single Bool."""
        found = self.pick(pool, lambda kind: kind == Bool)
        if found is None or self.draw.rarely(3):
            return self.draw.choice((any_bit, parity, all_bits))(self.scalar(pool))
        return found

    def index(self, pool: Pool) -> Signal:
        """A single UInt of few bits."""
        found = self.pick(pool, lambda kind: kind.kind == "UInt" and not kind.shape)
        if found is None or found.width > 5:
            return wrap(self.scalar(pool), UInt(self.draw.choice((2, 1, 3, 4, 0))))
        return found

    def to(self, value: Signal, kind: Type) -> Signal:
        """A value of a type that follows from another value."""
        while value.shape and value.shape != kind.shape:
            value = value[self.draw.randrange(value.shape[0])]
        if kind.kind == "Bool" and value.type.kind != "Bool":
            found = any_bit(value)
        else:
            found = value if value.type.element == kind.element else wrap(value, kind.element)
        if found.shape == kind.shape:
            return found
        return const(kind, self.fitting(kind)) ^ found

    def like(self, value: Signal, pool: Pool) -> Signal:
        """Another value of the same type."""
        return self.of_type(value.type, pool)

    def of_type(self, wanted: Type, pool: Pool) -> Signal:
        """A value of a type."""
        found = self.pick(pool, lambda kind: kind == wanted)
        if found is None or self.draw.rarely(3):
            return self.to(self.any(pool), wanted)
        return found

    def grow(self, pool: Pool, count: int) -> None:
        """Add so many expressions to what there is."""
        for _ in range(count):
            pool.append(self.made(pool))

    def made(self, pool: Pool) -> Signal:
        """An expression, of no more bits and elements than are good."""
        repeated = self._repeated if self._depth < _DEEPEST else ()
        found = self.draw.choice((*self._plain, *repeated))(pool)
        while found.type.form.size > _LARGEST:
            found = found[0]
        if found.width > _WIDEST:
            found = wrap(found, self.draw.choice((8, 16, 40)))
        return found

    # Numbers.

    def _constant(self, pool: Pool) -> Signal:
        kind = self.type_()
        return const(kind, self.numbers(kind))

    def _integer(self) -> int:
        if self.draw.rarely(8):
            return self.fitting(SInt(40))
        number = self.draw.randrange(41)
        return number // 2 if number % 2 == 0 else -(number + 1) // 2

    def _arithmetic(self, pool: Pool) -> Signal:
        left = self.number(pool)
        if self.draw.rarely(8):
            right = self.number(pool, left.shape)
            return (left - right) * (right - left)
        apply = self.draw.choice((operator.add, operator.sub, operator.mul))
        sides: tuple[Any, Any] = (left, self.number(pool, left.shape))
        match self.draw.randrange(6):
            case 4:
                sides = (left, self._integer())
            case 5:
                sides = (self._integer(), left)
        found: Signal = apply(*sides)
        return found

    def _negated(self, pool: Pool) -> Signal:
        return -self.number(pool) if self.draw.rarely(2) else ~self.any(pool)

    def _comparison(self, pool: Pool) -> Signal:
        orders = (operator.lt, operator.le, operator.gt, operator.ge)
        equal: tuple[Any, ...] = (operator.eq, operator.ne)
        if self.draw.rarely(4):
            left = self.any(pool)
            same: Signal = self.draw.choice(equal)(left, self.like(left, pool))
            return same
        left = self.number(pool)
        right: Any = self.number(pool, left.shape)
        if self.draw.rarely(4):
            right = self.fitting(left.type)
        found: Signal = self.draw.choice((*orders, *equal))(left, right)
        return found

    def _bitwise(self, pool: Pool) -> Signal:
        left = self.any(pool)
        right: Any = self.like(left, pool)
        if self.draw.rarely(4):
            right = self.fitting(left.type)
        apply = self.draw.choice((operator.xor, operator.and_, operator.or_))
        found: Signal = apply(right, left) if self.draw.rarely(4) else apply(left, right)
        return found

    def _mux(self, pool: Pool) -> Signal:
        yes = self.any(pool)
        no: Any = self.like(yes, pool)
        shape = yes.shape
        several = self.pick(
            pool,
            lambda kind: kind.kind == "Bool" and kind.shape != () and shape in {(), kind.shape},
        )
        condition = self.condition(pool)
        if several is not None and self.draw.rarely(2):
            condition = several
        if self.draw.rarely(4):
            no = self.fitting(yes.type)
        choices = (no, yes) if self.draw.rarely(4) else (yes, no)
        found: Signal = mux(condition, *choices)
        return found

    def _switched(self, pool: Pool) -> Signal:
        selector, plain = self.scalar(pool), self.any(pool)
        if self.draw.rarely(2):
            selector = wrap(selector, self.draw.choice((UInt(3), SInt(2), Bits(2))))
        keys = [self.fitting(selector.type) for _ in range(1 + self.draw.randrange(3))]
        cases: dict[int, Any] = {key: self.like(plain, pool) for key in keys}
        found: Signal = switch(selector, cases, plain)
        return found

    def _sized(self, pool: Pool) -> Signal:
        # What is made only to be cut is narrowed by a pass.
        value = self._arithmetic(pool) if self.draw.rarely(3) else self.any(pool)
        to = self.draw.choice((UInt, SInt))(self.draw.choice((4, 1, 8, 20, 0)))
        if self.draw.rarely(2):
            return saturate(self.as_number(value), to)
        return wrap(value, Bits(self.draw.choice((3, 9, 0))) if self.draw.rarely(4) else to)

    def _recast(self, pool: Pool) -> Signal:
        value = self.any(pool)
        if value.width == 1 and self.draw.rarely(2):
            return as_bool(value)
        return self.draw.choice((as_uint, as_sint, as_bits))(value)

    def _shifted(self, pool: Pool) -> Signal:
        value = self.any(pool)
        if value.type.kind == "Bool":
            value = as_bits(value)
        match self.draw.randrange(4):
            case 0:
                return value >> self.draw.randrange(12)
            case 1:
                return value << self.draw.randrange(5)
            case 2:
                return value >> self._amount(value, pool)
            case _:
                amount = self._amount(value, pool)
                return shift_left(value, amount, self.draw.choice((9, 4, 17, 1)))

    def _amount(self, value: Signal, pool: Pool) -> Signal:
        found = self.pick(pool, lambda kind: kind.kind == "UInt" and kind.shape == value.shape)
        return self.index(pool) if found is None or found.width > 8 else found

    # Bits.

    def _bits_joined(self, pool: Pool) -> Signal:
        first = self.any(pool)
        shape = first.shape
        parts = [first]
        for _ in range(self.draw.randrange(3)):
            other = self.pick(pool, lambda kind: kind.shape in {(), shape})
            parts.append(first if other is None else other)
        return cat(*parts)

    def _bits_chosen(self, pool: Pool) -> Signal:
        value = self.scalar(pool, least=1)
        match self.draw.randrange(4):
            case 0:
                low = self.draw.randrange(value.width)
                return value[low : low + 1 + self.draw.randrange(value.width - low)]
            case 1:
                return value[self.draw.randrange(value.width)]
            case 2:
                return value[-1 - self.draw.randrange(value.width)]
            case _:
                return value[self.index(pool)]

    def _reduced(self, pool: Pool) -> Signal:
        reduction = self.draw.choice((any_bit, all_bits, parity, leading_zeros))
        return reduction(self.any(pool))

    # Arrays.

    def _element(self, pool: Pool) -> Signal:
        array = self.array(pool)
        if self.draw.rarely(2):
            return array[self.index(pool)]
        return array[self.draw.randrange(array.shape[0]) - array.shape[0] * self.draw.randrange(2)]

    def _elements(self, pool: Pool) -> Signal:
        found = self.array(pool)
        for _ in range(1 + self.draw.randrange(2)):
            if found.shape:
                axes = 1 + self.draw.randrange(len(found.shape))
                found = found[tuple(self._item(size) for size in found.shape[:axes])]
        return found

    def _item(self, size: int) -> int | slice:
        match self.draw.randrange(5):
            case 0:
                return self.draw.randrange(size)
            case 1:
                return slice(None, None, -1)
            case 2:
                return slice(None)
            case 3:
                return slice(self.draw.randrange(size), None, 2)
            case _:
                first = self.draw.randrange(size)
                return slice(first, first + 1 + self.draw.randrange(size - first))

    def _rearranged(self, pool: Pool) -> Signal:
        array = self.array(pool)
        size = array.type.form.size
        match self.draw.randrange(4):
            case 0:
                return transpose(array)
            case 1:
                axes = list(range(len(array.shape)))
                order = [axes.pop(self.draw.randrange(len(axes))) for _ in array.shape]
                return transpose(array, *order)
            case 2:
                return reshape(array, (size,))
            case _:
                inner = self.draw.choice([n for n in range(1, size + 1) if size % n == 0])
                return reshape(array, (size // inner, inner))

    def _joined(self, pool: Pool) -> Signal:
        array = self.any(pool)
        if not array.shape or self.draw.rarely(3):
            return stack(
                array, *(self.like(array, pool) for _ in range(1 + self.draw.randrange(2)))
            )
        axis = self.draw.randrange(len(array.shape))
        return join(array, self.like(array, pool), axis=axis)

    def _replaced(self, pool: Pool) -> Signal:
        array = self.array(pool)
        if self.draw.rarely(2):
            axis = self.draw.randrange(len(array.shape))
            rest = array.type.element.array(*array.shape[:axis], *array.shape[axis + 1 :])
            entering = self.to(self.any(pool), rest)
            negative = len(array.shape) * self.draw.randrange(2)
            return shift_in(entering, array, axis=axis - negative)
        rest = array.type.element.array(*array.shape[1:])
        value: Any = self.to(self.any(pool), rest)
        if not rest.shape and self.draw.rarely(4):
            value = self.fitting(rest)
        return put(array, self.index(pool), value)

    def _packed(self, pool: Pool) -> Signal:
        if self.draw.rarely(2):
            small = [one for one in pool if one.width * one.type.form.size <= _WIDEST]
            parts = [
                self.any(small or [self.scalar(pool)]) for _ in range(1 + self.draw.randrange(2))
            ]
            return pack(parts[0] if len(parts) == 1 else tuple(parts))
        kind = self.draw.choice((UInt, SInt, Bits))(self.draw.choice((4, 1, 7)))
        kind = kind.array(*(1 + self.draw.randrange(3) for _ in range(1 + self.draw.randrange(2))))
        bits = self.to(self.scalar(pool), Bits(kind.width * kind.form.size))
        found: Signal = unpack(kind, bits)
        return found

    def _tree(self, pool: Pool) -> Signal:
        array = self.array(pool)
        if not array.type.numeric:
            return tree(self.draw.choice((operator.xor, operator.and_, operator.or_)), array)
        if self.draw.rarely(2):
            return total(array)
        return tree(self.draw.choice((_least, _greatest, operator.sub)), array)

    # Ways round.

    def _by_wire(self, pool: Pool) -> Signal:
        value = self.any(pool)
        later = wire(value.type)
        found = self.to(later, self.scalar_type())
        connect(later, value)
        return found

    def _structured(self, pool: Pool) -> Signal:
        """Through a struct with a struct inside."""
        parts = [self.any(pool) for _ in range(3)]
        inner = struct("Inner", {"left": parts[0].type, "right": parts[1].type})
        outer = struct("Outer", {"both": inner, "third": parts[2].type})
        one = outer(inner(parts[0], parts[1]), parts[2])
        other = replace(one, third=self.like(parts[2], pool))
        match self.draw.randrange(4):
            case 0:
                found = mux(self.condition(pool), one, other)
            case 1:
                found = switch(self.scalar(pool), {0: one}, other)
            case 2:
                found = stack(one, other)[self.index(pool)]
            case _:
                if sum(part.width * part.type.form.size for part in parts) > 3 * _WIDEST:
                    found = one
                else:
                    found = unpack(outer, pack(one))
        return self.draw.choice(leaves(found))

    def _called(self, pool: Pool) -> Signal:
        """A call of a function, or its content."""
        if not self.functions:
            return self._comparison(pool)
        called, inputs = self.draw.choice(self.functions)
        given = {port: self.to(self.any(pool), kind) for port, kind in inputs.items()}
        found = inline(called)(**given) if self.draw.rarely(3) else called(*given.values())
        return self.draw.choice(leaves(found))

    # Repetition.

    def _mapped(self, pool: Pool) -> Signal:
        array = self.array(pool)
        axis = self.draw.randrange(len(array.shape))
        given, axes = [array], [axis - len(array.shape) * self.draw.randrange(2)]
        size = array.shape[axis]
        other = self.pick(pool, lambda kind: size in kind.shape)
        if other is not None and self.draw.rarely(2):
            given.append(other)
            axes.append(other.shape.index(size))
        shared = self.any(pool)
        outside = self._few(pool)

        def body(same: Signal, *elements: Signal) -> tuple[Signal, Signal]:
            inside = [*outside, same, *elements]
            self._within(inside)
            return inside[-1], self.any(inside)

        both = vmap(body, in_axes=[None, *axes])(shared, *given)
        return self.draw.choice(both)

    def _folded(self, pool: Pool) -> Signal:
        each = self.array(pool)
        several = self.draw.rarely(3)
        start = self.any(pool)
        second = self.pick(pool, lambda kind: kind.shape[:1] == each.shape[:1]) if several else None
        outside = self._few(pool)

        def link(carry: Any, element: Any) -> tuple[Any, Signal]:
            inside = [*outside, *leaves(carry), *leaves(element)]
            self._within(inside)
            after = tuple(self.to(self.any(inside), kind.type) for kind in carry)
            return after, self.any(inside)

        carries = (start, self.condition(pool)) if several else (start,)
        elements = (each,) if second is None else (each, second)
        last, every = fold(link, carries, elements)
        found: Signal = self.draw.choice((*last, every))
        return found

    def _few(self, pool: Pool) -> Pool:
        """Values from outside that a repeated function reaches."""
        return [self.any(pool) for _ in range(self.draw.randrange(3))]

    def _within(self, pool: Pool) -> None:
        self._depth += 1
        if self.functions and self.draw.rarely(4):
            pool.append(self._called(pool))
        self.grow(pool, 1 + self.draw.randrange(3))
        self._depth -= 1


def _least(a: Signal, b: Signal) -> Signal:
    return mux(a < b, a, b)


def _greatest(a: Signal, b: Signal) -> Signal:
    return mux(a < b, b, a)
