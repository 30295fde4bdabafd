"""How values are written where they are used.

A value has a declaration of its own where the user has named it or it is used more than once;
else it stands where it is used. What only moves elements (slices, spreads, reshapes) is an index
into what it moves, or a concatenation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from zhufeng.hdl import ir
from zhufeng.hdl.ir import Form, Let
from zhufeng.hdl.verilog._expressions import expression, literal, place_in
from zhufeng.hdl.verilog._names import Names
from zhufeng.hdl.verilog._pieces import array_of, indexed, offset_index

LEAVES: Final = frozenset({"input", "register", "port", "read"})
_VIEWS: Final = frozenset({"spread", "reshape", "transpose", "slice", "pack", "unpack"})
# They index their operands' bits.
_ON_NAMES: Final = frozenset({"bits"})
# Their operands are written more than once.
_REPEATING: Final = frozenset({"saturate", "take", "put", "spread", "leading"})
# Their results are as wide as they look in any context.
_PLAIN: Final = frozenset({"eq", "lt", "le", "all", "any", "parity", "bits"})
_BITWISE: Final = frozenset({"and", "or", "xor"})
# Parts of something are unsigned.
_PART = re.compile(r"\w+(\[[^\[\]]*\])+|\{[^{}]*\}")
_LONG = 64
_DEEP = 8
_CHOICES = 4


class Values:
    """The values of a module, as text."""

    def __init__(self, module: ir.Module, names: Names, declared: set[str]) -> None:
        """With those that are declared; more may turn out to be needed on the way."""
        self.module = module
        self.declared = declared
        self._names = names
        uses = _uses(module)
        self._leaves: dict[tuple[object, ...], str] = {}
        for name, let in module.lets.items():
            if let.op in LEAVES and uses[name]:
                self._leaves.setdefault((let.op, *let.data), name)

    def name(self, value: str) -> str:
        """What a value is called."""
        let = self.module.lets[value]
        if let.op == "input":
            return self._names.of("input", str(let.data[0]))
        if let.op not in LEAVES:
            return self._names.of("value", value)
        first = self._leaves[let.op, *let.data]
        return self._names.of("value", first, _leaf_name(let) if first.isdigit() else first)

    def leaf(self, op: str, *data: object) -> str | None:
        """The value that stands for a register, an output of a part, or what is read.

        None: nobody uses it.
        """
        return self._leaves.get((op, *data))

    def leaves(self) -> Iterator[str]:
        """All of these, and the inputs that are used."""
        return iter(self._leaves.values())

    def path(self, value: str, index: Sequence[str] = ()) -> str:
        """A name, and indices: what can be indexed further."""
        value, index = self._seen_through(value, index)
        if self.module.lets[value].op not in LEAVES:
            self.declared.add(value)
        return indexed(self.name(value), index)

    def bits(self, value: str, index: Sequence[str] = ()) -> str:
        """The bits of a value, or of what of it stands at `index`; no operand of an operator."""
        value, index = self._seen_through(value, index)
        if value in self.declared or self.module.lets[value].op in LEAVES:
            return self.path(value, index)
        found = self.definition(value, index)
        return self.path(value, index) if found is None or len(found) > _LONG else found

    def element(self, value: str, index: Sequence[str], *, alike: bool = False) -> str:
        """An element as an operand, with its sign.

        Args:
            value: of which.
            index: where, in all its axes.
            alike: beside others of its width and sign alone, so that nothing widens it.
        """
        value, index = self._seen_through(value, index)
        let = self.module.lets[value]
        if not let.form.width:
            return "1'd0"
        single = Form(let.form.width, let.form.signed)
        if let.op == "const" and len(set(let.data)) == 1:
            return literal(int(str(let.data[0])), single)
        found = None
        if value not in self.declared and let.op not in LEAVES:
            found = self.definition(value, index)
        if found is None or len(found) > _LONG:
            text = self.path(value, index)
            return f"$signed({text})" if let.form.signed and index else text
        return found if alike and let.op == "not" else self._closed(let, found)

    def definition(self, value: str, index: Sequence[str]) -> str | None:
        """What of a value stands at `index`, by what it is made of; None: look deeper inside."""
        let = self.module.lets[value]
        whole = len(index) == len(let.form.shape)
        place = self._place(let, list(index)) if let.op in _VIEWS else None
        if place is not None:
            return self.bits(let.args[0], place)
        if is_procedural(let):
            return None
        if ir.OPS[let.op].elementwise:
            return self._computed(let, index) if whole else None
        written = _WRITTEN.get(let.op)
        return written(self, let, index) if written else None

    def _computed(self, let: Let, index: Sequence[str]) -> str:
        forms = [self.module.form(arg) for arg in let.args]
        if let.op in _ON_NAMES:
            return expression(let, forms, [self.path(arg, index) for arg in let.args])
        alike = let.op in _BITWISE and len({(one.width, one.signed) for one in forms}) == 1
        args = [self.element(arg, index, alike=alike) for arg in let.args]
        return expression(let, forms, args)

    def _closed(self, let: Let, text: str) -> str:
        """An expression as an operand: with its own width and sign in any context."""
        if let.form.signed:
            return f"$signed({text})"
        if _PART.fullmatch(text):
            return text
        signs = any(self.module.form(arg).signed for arg in let.args)
        if let.op == "wrap" and not signs:
            return text
        plain = let.op in _PLAIN or (let.op in _BITWISE and not signs)
        return f"({text})" if plain else f"$unsigned({text})"

    # What stands for an element of something that only moves them.

    def _seen_through(self, value: str, index: Sequence[str]) -> tuple[str, Sequence[str]]:
        """The value, and the place in it, that something undeclared stands for."""
        while value not in self.declared:
            let = self.module.lets[value]
            place = self._place(let, list(index)) if let.op in _VIEWS else None
            if place is None:
                break
            value, index = let.args[0], place
        return value, index

    def _place(self, let: Let, index: list[str]) -> list[str] | None:
        """Where in its operand all of what stands at `index` is."""
        data = [int(str(one)) for one in let.data]
        match let.op:
            case "spread" if all(axis < len(index) for axis in data):
                return [one for axis, one in enumerate(index) if axis not in data]
            case "slice" if data[0] < len(index):
                axis, start, step = data
                index[axis] = offset_index(start, step, index[axis])
                return index
            case "transpose" if data[len(index) :] == list(range(len(index), len(data))):
                found = [""] * len(index)
                for place, axis in enumerate(data[: len(index)]):
                    found[axis] = index[place]
                return found
            case "reshape":
                return _without_ones(let.form.shape, self.module.form(let.args[0]).shape, index)
        return None

    # What stands at a place, as a text of its own; None: look deeper inside.

    def _constant(self, let: Let, index: Sequence[str]) -> str | None:
        numbers = [int(str(one)) for one in let.data]
        if index and len(set(numbers)) > 1:
            return None
        form = Form(let.form.width, let.form.signed, let.form.shape[len(index) :])
        return array_of(numbers, form)

    def _sliced(self, let: Let, index: Sequence[str]) -> str | None:
        axis, start, step = (int(str(one)) for one in let.data)
        if axis != len(index) or step != 1:
            return None
        source, count = self.path(let.args[0], index), let.form.shape[axis]
        return f"{source}[{start}]" if count == 1 else f"{source}[{start + count - 1}:{start}]"

    def _spread(self, let: Let, index: Sequence[str]) -> str | None:
        deeper = [axis for axis in let.data if isinstance(axis, int) and axis >= len(index)]
        if deeper != list(range(len(index), len(index) + len(deeper))):
            return None
        kept = [one for axis, one in enumerate(index) if axis not in let.data]
        times = Form(1, signed=False, shape=tuple(let.form.shape[axis] for axis in deeper)).size
        return f"{{{times}{{{self.bits(let.args[0], kept)}}}}}"

    def _reshaped(self, let: Let, index: Sequence[str]) -> str | None:
        axes = len(index)
        alike = let.form.shape[:axes] == self.module.form(let.args[0]).shape[:axes]
        return self.bits(let.args[0], index) if alike else None

    def _packed(self, let: Let, index: Sequence[str]) -> str:
        return self.bits(let.args[0], index)

    def _unpacked(self, let: Let, index: Sequence[str]) -> str:
        if len(index) < len(let.form.shape):
            return self.bits(let.args[0], index)
        source, place, width = self.path(let.args[0], index[:-1]), index[-1], let.form.width
        if self.module.form(let.args[0]).width == 1:
            return source
        if width == 1:
            return f"{source}[{place}]"
        return f"{source}[{offset_index(0, width, place)} +: {width}]"

    def _joined(self, let: Let, index: Sequence[str]) -> str | None:
        if len(index) != let.data[0]:
            return None
        return f"{{{', '.join(self.bits(arg, index) for arg in reversed(let.args))}}}"

    def _taken(self, let: Let, index: Sequence[str]) -> str | None:
        array, chosen = let.args
        form, at = self.module.form(array), self.module.form(chosen)
        outer = len(at.shape)
        # Icarus takes no index of a loop behind one that varies.
        if len(index) != outer:
            return None
        place, size = self.element(chosen, index[:outer]), form.shape[outer]
        rest = Form(form.width, signed=False, shape=let.form.shape[len(index) :])
        whole, bits = self.path(array, index), rest.width * rest.size
        found = f"{whole}[{place_in(size, place, at)}]"
        if rest.shape and bits == 1:
            # Icarus 11 fails on a part that is one bit and has axes.
            # And Verilator 5.48 shifts an array of such parts wrongly; in braces it is a number.
            found = f"1'({{{whole}}} >> {place_in(size, place, at)})"
        if at.high < size:
            return found
        nothing = literal(0, Form(bits))
        return f"{place} < {literal(size, Form(at.width))} ? {found} : {nothing}"

    def _put(self, let: Let, index: Sequence[str]) -> str | None:
        array, chosen, value = let.args
        at = self.module.form(chosen)
        outer = len(at.shape)
        if len(index) <= outer:
            return None
        place = self.element(chosen, index[:outer])
        width = max(at.width, _GENVAR)
        same = f"{width}'({place}) == {_as_wide(index[outer], width)}"
        new = self.bits(value, (*index[:outer], *index[outer + 1 :]))
        return f"{same} ? {new} : {self.bits(array, index)}"


# A loop's variable is an int.
_GENVAR: Final = 32


def _as_wide(index: str, width: int) -> str:
    return index if width == _GENVAR else f"{width}'({index})"


def _leaf_name(let: Let) -> str:
    """What a nameless output of an instance, or what is read, is called: `queue_level`."""
    part, *rest = map(str, let.data)
    return "_".join((part, *(["read"] if let.op == "read" else []), *rest))


_WRITTEN: Final = {
    "const": Values._constant,  # noqa: SLF001 (its own)
    "slice": Values._sliced,  # noqa: SLF001
    "spread": Values._spread,  # noqa: SLF001
    "reshape": Values._reshaped,  # noqa: SLF001
    "pack": Values._packed,  # noqa: SLF001
    "unpack": Values._unpacked,  # noqa: SLF001
    "join": Values._joined,  # noqa: SLF001
    "take": Values._taken,  # noqa: SLF001
    "put": Values._put,  # noqa: SLF001
}


def _without_ones(
    shape: Sequence[int], source: Sequence[int], index: Sequence[str]
) -> list[str] | None:
    """The place in an array that differs by axes of one element alone."""
    if [size for size in shape if size != 1] != [size for size in source if size != 1]:
        return None
    given = iter(one for one, size in zip(index, shape, strict=False) if size != 1)
    left = sum(size != 1 for size in shape[: len(index)])
    found: list[str] = []
    for size in source:
        if size != 1:
            if not left:
                break
            left -= 1
        found.append("0" if size == 1 else next(given))
    # What remains must be of one shape, for it may be indexed.
    return found if tuple(source[len(found) :]) == tuple(shape[len(index) :]) else None


def _uses(module: ir.Module) -> Counter[str]:
    """How often each value would be written, if all that could stood where they are used."""
    uses = Counter(ir.references(module))
    for memory in module.memories.values():
        uses.update(ir.memory_values(memory))  # once more: in a condition, and as an index
    for name in reversed(ir.order(module)):
        let = module.lets[name]
        if not uses[name]:
            continue
        through = name.isdigit() and let.op in _VIEWS
        for place, arg in enumerate(let.args):
            again = let.op in _REPEATING or (let.op == "case" and place == 0)
            uses[arg] += 2 if again else uses[name] if through else 1
    return uses


def is_procedural(let: Let) -> bool:
    """Whether an operation is no expression but a block of its own."""
    return let.op == "leading" or (let.op == "case" and len(let.data) > _CHOICES)


def to_declare(module: ir.Module) -> set[str]:
    """Values with a name of the user's, those used more than once, and deep ones in between."""
    uses = _uses(module)
    found: set[str] = set()
    depths: dict[str, int] = {}
    for name in ir.order(module):
        let = module.lets[name]
        depth = 1 + max((depths[arg] for arg in let.args), default=0)
        own = not name.isdigit() or (let.op not in _VIEWS and uses[name] > 1)
        if uses[name] and let.op not in LEAVES | {"const"} and (own or depth > _DEEP):
            found.add(name)
        depths[name] = 0 if name in found or not let.args else depth
    return found
