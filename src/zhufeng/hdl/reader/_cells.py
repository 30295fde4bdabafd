"""Yosys' operations, each in terms of the IR's.

Their meaning is that of Yosys' own models (``simlib.v``). Where those give x, this gives 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from zhufeng.hdl.ir import BIT, Form, Let
from zhufeng.hdl.reader._netlist import Bit, Bits, Cell
from zhufeng.hdl.reader._words import Words

Made = Callable[[Cell, Words], Let]


def _y(cell: Cell) -> Form:
    return Form(len(cell.pins["Y"]))


def _both_signed(cell: Cell) -> bool:
    return bool(cell.number("A_SIGNED") and cell.number("B_SIGNED"))


def _operand(bits: Bits, words: Words, *, signed: bool) -> str:
    return words.signed(bits) if signed else words.word(bits)


def _operands(cell: Cell, words: Words) -> tuple[str, str]:
    signed = _both_signed(cell)
    a, b = cell.pins["A"], cell.pins["B"]
    return _operand(a, words, signed=signed), _operand(b, words, signed=signed)


def _a(cell: Cell, words: Words, form: Form) -> str:
    """Operand A, as wide as `form`."""
    bits = cell.pins["A"]
    signed = bool(cell.number("A_SIGNED"))
    if len(bits) == form.width:
        return words.word(bits)
    return words.wrap(_operand(bits, words, signed=signed), form)


def _arithmetic(op: str) -> Made:
    def made(cell: Cell, words: Words) -> Let:
        return words.let(op, _y(cell), *_operands(cell, words))

    return made


def _product(cell: Cell, words: Words) -> Let:
    """Of numbers with signs it is one too: then it is exact, however it is added to others."""
    form = Form(len(cell.pins["Y"]), signed=_both_signed(cell))
    found = words.let("mul", form, *_operands(cell, words))
    return words.let("wrap", _y(cell), words.add(found)) if form.signed else found


def _bitwise(op: str, *, inverted: bool = False) -> Made:
    def made(cell: Cell, words: Words) -> Let:
        form, signed = _y(cell), _both_signed(cell)
        args = [
            words.word(bits)
            if len(bits) == form.width
            else words.wrap(_operand(bits, words, signed=signed), form)
            for bits in (cell.pins["A"], cell.pins["B"])
        ]
        found = words.let(op, form, *args)
        return words.let("not", form, words.add(found)) if inverted else found

    return made


def _same(cell: Cell, words: Words) -> Let:
    return words.let("wrap", _y(cell), _a(cell, words, _y(cell)))


def _negative(cell: Cell, words: Words) -> Let:
    zero = words.constant(0, _y(cell))
    return words.let("sub", _y(cell), zero, _a(cell, words, _y(cell)))


def _not(cell: Cell, words: Words) -> Let:
    return words.let("not", _y(cell), _a(cell, words, _y(cell)))


def _truth(found: Let, cell: Cell, words: Words) -> Let:
    """One bit, the lowest of Y; those above it are 0."""
    return found if _y(cell) == BIT else words.let("wrap", _y(cell), words.add(found))


def _reduced(op: str, *, inverted: bool = False) -> Made:
    def made(cell: Cell, words: Words) -> Let:
        found = words.let(op, BIT, words.word(cell.pins["A"]))
        if inverted:
            found = words.let("not", BIT, words.add(found))
        return _truth(found, cell, words)

    return made


def _logic(op: str) -> Made:
    def made(cell: Cell, words: Words) -> Let:
        a, b = (words.to_bit(words.word(cell.pins[pin]), len(cell.pins[pin])) for pin in "AB")
        return _truth(words.let(op, BIT, a, b), cell, words)

    return made


def _compared(op: str, *, swapped: bool = False) -> Made:
    def made(cell: Cell, words: Words) -> Let:
        a, b = _operands(cell, words)
        return _truth(words.let(op, BIT, *((b, a) if swapped else (a, b))), cell, words)

    return made


def _equal(*, inverted: bool) -> Made:
    """Nothing is equal to x."""

    def made(cell: Cell, words: Words) -> Let:
        if "x" in (*cell.pins["A"], *cell.pins["B"]):
            return words.let("const", _y(cell), data=(int(inverted),))
        found = words.let("eq", BIT, *_operands(cell, words))
        if inverted:
            found = words.let("not", BIT, words.add(found))
        return _truth(found, cell, words)

    return made


def _left(cell: Cell, words: Words) -> Let:
    a = _a(cell, words, _y(cell))
    return words.let("shl", _y(cell), a, words.word(cell.pins["B"]))


def _right(cell: Cell, words: Words) -> Let:
    return words.let("shr", _y(cell), _widened(cell, words), words.word(cell.pins["B"]))


def _widened(cell: Cell, words: Words) -> str:
    """Operand A, at least as wide as the result: what comes in at the top is 0."""
    return _a(cell, words, Form(max(len(cell.pins["A"]), len(cell.pins["Y"]))))


def _right_with_sign(cell: Cell, words: Words) -> Let:
    if not cell.number("A_SIGNED"):
        return _right(cell, words)
    return words.let("shr", _y(cell), words.signed(cell.pins["A"]), words.word(cell.pins["B"]))


def _either_way(*, extended: bool) -> Made:
    """To the right, and by a negative amount to the left."""

    def made(cell: Cell, words: Words) -> Let:
        form, amount = _y(cell), cell.pins["B"]
        a = _widened(cell, words) if extended else words.word(cell.pins["A"])
        b = words.word(amount)
        right = words.let("shr", form, a, b)
        if not cell.number("B_SIGNED"):
            return right
        width = Form(len(amount))
        back = words.make("sub", width, words.constant(0, width), b)
        left = words.make("shl", form, a, back)
        return words.let("mux", form, words.bit(amount[-1]), left, words.add(right))

    return made


def _mux(cell: Cell, words: Words) -> Let:
    pins = cell.pins
    no, yes = words.word(pins["A"]), words.word(pins["B"])
    return words.let("mux", _y(cell), words.bit(pins["S"][0]), yes, no)


def _choices(cell: Cell, words: Words) -> Let:
    """The choice whose bit is 1; of several, which Yosys leaves open, the lowest."""
    form, pins = _y(cell), cell.pins
    found = words.let("wrap", form, words.word(pins["A"]))
    below = words.word(pins["A"])
    for number in reversed(range(len(pins["S"]))):
        chosen = words.word(pins["B"][number * form.width : (number + 1) * form.width])
        found = words.let("mux", form, words.bit(pins["S"][number]), chosen, below)
        below = words.add(found) if number else ""
    return found


def _element(cell: Cell, words: Words) -> Let:
    """The part of A that S counts to."""
    form, pins = _y(cell), cell.pins
    parts = Form(form.width, shape=(1 << len(pins["S"]),))
    array = words.make("unpack", parts, words.word(pins["A"]))
    return words.let("take", form, array, words.word(pins["S"]))


def _spread(cell: Cell, words: Words) -> Let:
    """A, at the part of the result that S counts to."""
    form, pins = _y(cell), cell.pins
    width = len(pins["A"])
    parts = Form(width, shape=(1 << len(pins["S"]),))
    array = words.make("const", parts, data=(0,))
    put = words.make("put", parts, array, words.word(pins["S"]), words.word(pins["A"]))
    return words.let("pack", form, put)


def _table(cell: Cell, words: Words) -> Let:
    """The bit of a table that A counts to."""
    form = Form(1 << len(cell.pins["A"]))
    table = words.constant(cell.number("LUT") & form.high, form)
    return words.let("shr", BIT, table, words.word(cell.pins["A"]))


def _slice(cell: Cell, words: Words) -> Let:
    low = cell.number("OFFSET")
    bits = cell.pins["A"][low : low + len(cell.pins["Y"])]
    return words.let("wrap", _y(cell), words.word(bits))


def _concat(cell: Cell, words: Words) -> Let:
    return words.let("wrap", _y(cell), words.word(cell.pins["A"] + cell.pins["B"]))


def _selected(cell: Cell, words: Words) -> Let:
    """Bit by bit B where S is 1, else A."""
    form, pins = _y(cell), cell.pins
    yes = words.make("and", form, words.word(pins["B"]), words.word(pins["S"]))
    off = words.inverted(words.word(pins["S"]), form)
    no = words.make("and", form, words.word(pins["A"]), off)
    return words.let("or", form, yes, no)


OPERATIONS: Final[dict[str, Made]] = {
    "$add": _arithmetic("add"),
    "$sub": _arithmetic("sub"),
    "$mul": _product,
    "$neg": _negative,
    "$pos": _same,
    "$buf": _same,
    "$not": _not,
    "$and": _bitwise("and"),
    "$or": _bitwise("or"),
    "$xor": _bitwise("xor"),
    "$xnor": _bitwise("xor", inverted=True),
    "$reduce_and": _reduced("all"),
    "$reduce_or": _reduced("any"),
    "$reduce_bool": _reduced("any"),
    "$reduce_xor": _reduced("parity"),
    "$reduce_xnor": _reduced("parity", inverted=True),
    "$logic_not": _reduced("any", inverted=True),
    "$logic_and": _logic("and"),
    "$logic_or": _logic("or"),
    "$eq": _equal(inverted=False),
    "$ne": _equal(inverted=True),
    "$eqx": _equal(inverted=False),
    "$nex": _equal(inverted=True),
    "$lt": _compared("lt"),
    "$le": _compared("le"),
    "$gt": _compared("lt", swapped=True),
    "$ge": _compared("le", swapped=True),
    "$shl": _left,
    "$sshl": _left,
    "$shr": _right,
    "$sshr": _right_with_sign,
    "$shift": _either_way(extended=True),
    "$shiftx": _either_way(extended=False),
    "$mux": _mux,
    "$pmux": _choices,
    "$bmux": _element,
    "$demux": _spread,
    "$bwmux": _selected,
    "$lut": _table,
    "$slice": _slice,
    "$concat": _concat,
}
"""All that follow from their operands alone, but division."""

DIVISIONS: Final = frozenset({"$div", "$mod", "$divfloor", "$modfloor"})

_BY_BIT: Final = {
    "$and": "AB",
    "$or": "AB",
    "$xor": "AB",
    "$xnor": "AB",
    "$not": "A",
    "$pos": "A",
    "$buf": "A",
    "$mux": "AB",
    "$bwmux": "ABS",
}


def pieces(cell: Cell) -> Iterator[Cell]:
    """An operation on words as one for each bit, where its bits go their own ways."""
    width = len(cell.pins["Y"])
    for place in range(width):
        pins = dict(cell.pins)
        pins["Y"] = (cell.pins["Y"][place],)
        for pin in _BY_BIT[cell.kind]:
            pins[pin] = (_extended(cell, pin, place),)
        yield cell.piece(pins, f"{cell.name}[{place}]")


def splits(cell: Cell) -> bool:
    """Whether `pieces` can do anything about it."""
    return cell.kind in _BY_BIT and len(cell.pins["Y"]) > 1


def _extended(cell: Cell, pin: str, place: int) -> Bit:
    bits = cell.pins[pin]
    if place < len(bits):
        return bits[place]
    signed = cell.number("A_SIGNED") and ("B" not in cell.pins or cell.number("B_SIGNED"))
    return bits[-1] if signed else "0"
