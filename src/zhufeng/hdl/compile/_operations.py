"""The IR's operations on elements, as LLVM code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final, NamedTuple

from llvmlite import binding
from llvmlite import ir as llvm

from zhufeng.hdl.compile._lanes import Lanes, container
from zhufeng.hdl.ir import Form, Let

PRODUCT: Final = "product16"
"""An operation on numbers of 16 bits in 32: the first one, and the bits of the second one."""


_SINGLE, _FRACTION, _BIAS = 32, 23, 127
"""Bits of a single (IEEE 754 binary32), of its fraction, and the bias of its exponent."""


class Value(NamedTuple):
    """An element."""

    lanes: Any
    """Of LLVM; its type is that of the form in these lanes, or a wider one for what is added,
    subtracted or multiplied in such."""
    clean: bool
    """Whether each lane holds the number, and not only its bits with anything above them."""
    wide: Any = None
    """The same bits in wider lanes, with anything above them, where they come from such."""


_PAIRS: Final = {8: "llvm.x86.avx2.pmadd.wd", 16: "llvm.x86.avx512.pmaddw.d.512"}
_PAIRS_ADDED: Final = "llvm.x86.avx512.vpdpwssd.512"
_OCTETS: Final = {16: "llvm.x86.avx2.pmadd.ub.sw", 32: "llvm.x86.avx512.pmaddubs.w.512"}
_WHOLE, _LEAST = 32, 256
"""Bits of a number with halves of 16, and of the least vector with instructions for such."""
_SHIFTS: Final = {
    (op, bits, size): f"llvm.x86.{extension}.{name}.{letter}{suffix}"
    for op, name in (("shl", "psllv"), ("lshr", "psrlv"), ("ashr", "psrav"))
    for bits, letter in ((32, "d"), (64, "q"))
    for size, extension, suffix in ((256, "avx2", ".256"), (512, "avx512", ".512"))
    if (op, bits, size) != ("ashr", 64, 256)
}
"""By operation, bits of a number, and those of a vector."""


_COUNTS: Final = frozenset({8, 16, 32, 64})


@cache
def has_feature(name: str) -> bool:
    """Whether this machine has some instructions, by LLVM's name for them."""
    return bool(binding.get_host_cpu_features().get(name))


@cache
def vector_bits() -> int:
    """Of the widest register of the machine in which integers are computed."""
    return 512 if has_feature("avx512bw") else 256


def vectors() -> int:
    """How many of them there are."""
    return 32 if has_feature("avx512vl") else 16


class Given(NamedTuple):
    """An operation, and the forms and values of its operands."""

    let: Let
    forms: Sequence[Form]
    args: Sequence[Value]


class Operations:
    """Writes operations on elements at the builder's place."""

    def __init__(self, builder: llvm.IRBuilder, lanes: Lanes) -> None:
        self.builder = builder
        self.lanes = lanes

    # Between forms.

    def number(self, number: int, form: Form) -> Value:
        """A constant."""
        return Value(self.lanes.constant(container(form.width), number), clean=True)

    def cleaned(self, value: Value, form: Form) -> Any:
        """The numbers: what stands above their bits continues their sign, or is 0."""
        bits = container(form.width)
        if value.clean or bits == form.width:
            return value.lanes
        if not form.signed:
            return self._and(value.lanes, bits, (1 << form.width) - 1)
        if form.width == 0:
            return self.lanes.constant(bits, 0)
        up = self.lanes.constant(bits, bits - form.width)
        return self.builder.ashr(self.builder.shl(value.lanes, up), up)

    def bits_of(self, value: Value, form: Form) -> Any:
        """The bits alone, with 0 above them."""
        bits = container(form.width)
        if bits == form.width or (value.clean and not form.signed):
            return value.lanes
        return self._and(value.lanes, bits, (1 << form.width) - 1)

    def _and(self, lanes: Any, bits: int, mask: int) -> Any:
        return self.builder.and_(lanes, self.lanes.constant(bits, mask))

    def resized(self, lanes: Any, bits: int, to: int, *, signed: bool) -> Any:
        """Numbers in containers of another size; what does not fit is cut off."""
        if bits == to:
            return lanes
        if bits > to:
            return self.builder.trunc(lanes, self.lanes.type(to))
        return (self.builder.sext if signed else self.builder.zext)(lanes, self.lanes.type(to))

    def low(self, value: Value, form: Form, to: int, needed: int) -> Any:
        """In containers of `to` bits, of which the lower `needed` ones must be right."""
        bits = container(form.width)
        wide = value.wide
        if not form.signed and wide is not None and wide.type == self.lanes.type(to):
            return wide if needed <= form.width else self._and(wide, to, (1 << form.width) - 1)
        if value.clean and value.lanes.type == self.lanes.type(to):
            return value.lanes
        known = value.lanes if needed <= form.width else self.cleaned(value, form)
        return self.resized(known, bits, to, signed=form.signed)

    def converted(self, value: Value, form: Form, to: Form) -> Value:
        """Wrapped to another form."""
        size = container(to.width)
        lanes = self.low(value, form, size, to.width)
        fits = to.low <= form.low and form.high <= to.high
        clean = to.width > form.width or value.clean
        return Value(lanes, clean=size == to.width or (fits and clean))

    # Operations.

    def made(self, let: Let, forms: Sequence[Form], args: Sequence[Value]) -> Value:
        """What an elementwise operation gives."""
        return _MADE[let.op](self, Given(let, forms, args))

    def part(self, value: Value, form: Form, low: int, to: Form) -> Value:
        """Bits of a value from a place on."""
        bits, size = container(form.width), container(to.width)
        lanes = value.lanes
        if to.width == 0:
            return self.number(0, to)
        if low:
            lanes = self.builder.lshr(lanes, self.lanes.constant(bits, low))
        top = value.clean and not form.signed and low + to.width == form.width and not to.signed
        wide = lanes if size < bits else None
        lanes = self.resized(lanes, bits, size, signed=False)
        return Value(lanes, clean=size == to.width or top, wide=wide)

    def intrinsic(self, name: str, lanes: Any, *flags: Any) -> Any:
        """What a function that LLVM has for every type gives."""
        row = lanes.type
        suffix = f"v{row.count}{row.element}" if isinstance(row, llvm.VectorType) else str(row)
        types = (flag.type for flag in flags)
        function = self._function(f"{name}.{suffix}", row, row, *types)
        return self.builder.call(function, [lanes, *flags])

    def halves_multiplied(self, a: Any, b: Any) -> Any:
        """Products of the lower halves of numbers of 32 bits, plus those of the upper ones."""
        parts = []
        for one, other in zip(self._rows(a, 32), self._rows(b, 32), strict=True):
            halves = llvm.VectorType(llvm.IntType(16), 2 * one.type.count)
            pair = [self.builder.bitcast(row, halves) for row in (one, other)]
            name = _PAIRS[one.type.count]
            parts.append(self.builder.call(self._function(name, one.type, halves, halves), pair))
        return self._joined(parts)

    def halves_multiplied_onto(self, total: Any, a: Any, b: Any) -> Any:
        """The same, added to numbers."""
        parts = []
        for rows in zip(*(self._rows(one, 32) for one in (total, a, b)), strict=True):
            kind = rows[0].type
            parts.append(self.builder.call(self._function(_PAIRS_ADDED, kind, *[kind] * 3), rows))
        return self._joined(parts)

    def multiplies_pairs(self, bits: int) -> bool:
        """Whether the machine multiplies halves of numbers of so many bits, and adds the two."""
        return self._fills_rows and bits in (16, 32) and self.lanes.count * bits >= _LEAST

    def pairs_multiplied(self, a: Any, b: Any, bits: int) -> Any:
        """Products of the lower halves of numbers, plus those of the upper ones; of halves of 8
        bits, those of `a` have no sign, and sums must have room.
        """
        if bits == _WHOLE:
            return self.halves_multiplied(a, b)
        parts = []
        for one, other in zip(self._rows(a, bits), self._rows(b, bits), strict=True):
            octets = llvm.VectorType(llvm.IntType(8), 2 * one.type.count)
            pair = [self.builder.bitcast(row, octets) for row in (one, other)]
            name = _OCTETS[one.type.count]
            parts.append(self.builder.call(self._function(name, one.type, octets, octets), pair))
        return self._joined(parts)

    def zeros_above(self, lanes: Any, bits: int, width: int) -> Any:
        """How many zeros are above the highest 1 in numbers of a width."""
        if self.lanes.count == 1 or bits != _SINGLE or width == bits or has_feature("avx512cd"):
            count = self.intrinsic("llvm.ctlz", lanes, llvm.Constant(llvm.IntType(1), 0))
            return self.builder.sub(count, self.lanes.constant(bits, bits - width))
        # The exponent of a single: that of the highest bit, as rounding finds no 1 below it.
        below = self.builder.lshr(lanes, self.lanes.constant(bits, 1))
        alone = self.builder.and_(lanes, self.builder.not_(below))
        rows = llvm.VectorType(llvm.FloatType(), self.lanes.count)
        single = self.builder.bitcast(self.builder.sitofp(alone, rows), self.lanes.type(bits))
        exponent = self.builder.lshr(single, self.lanes.constant(bits, _FRACTION))
        most = self.lanes.constant(bits, width)
        count = self.builder.sub(self.lanes.constant(bits, _BIAS + width - 1), exponent)
        none = self.builder.icmp_unsigned(">", count, most)
        return self.builder.select(none, most, count)

    def shifted(self, op: str, lanes: Any, amount: Any, bits: int) -> Any:
        """Numbers shifted by any amounts: 0, or all sign, where those are not below their bits.

        None where the machine has no instruction for that.
        """
        size = min(self.lanes.count * bits, vector_bits())
        if not self._fills_rows or (op, bits, size) not in _SHIFTS:
            return None
        parts = []
        for row, by in zip(self._rows(lanes, bits), self._rows(amount, bits), strict=True):
            function = self._function(_SHIFTS[op, bits, size], row.type, row.type, row.type)
            parts.append(self.builder.call(function, [row, by]))
        return self._joined(parts)

    def _rows(self, vector: Any, bits: int) -> list[Any]:
        """As many lanes of so many bits each as the widest vector of the machine has."""
        size = min(self.lanes.count, vector_bits() // bits)
        found = []
        for first in range(0, self.lanes.count, size):
            order = [llvm.IntType(32)(first + lane) for lane in range(size)]
            mask = llvm.Constant(llvm.VectorType(llvm.IntType(32), size), order)
            found.append(self.builder.shuffle_vector(vector, vector, mask))
        return found

    def _function(self, name: str, result: llvm.Type, *args: llvm.Type) -> Any:
        unit = self.builder.module
        found = unit.globals.get(name)
        return found or llvm.Function(unit, llvm.FunctionType(result, args), name)

    def _joined(self, parts: list[Any]) -> Any:
        while len(parts) > 1:
            a, b, *rest = parts
            size = a.type.count + b.type.count
            order = [llvm.IntType(32)(lane) for lane in range(size)]
            mask = llvm.Constant(llvm.VectorType(llvm.IntType(32), size), order)
            parts = [*rest, self.builder.shuffle_vector(a, b, mask)]
        return parts[0]

    @property
    def multiplies_halves(self) -> bool:
        """Whether the machine has an instruction for that."""
        return self._fills_rows

    @property
    def _fills_rows(self) -> bool:
        """Whether there are rows of the machine, and no part of one; elements may be any number."""
        return has_feature("avx2") and self.lanes.count in _COUNTS

    @property
    def adds_products(self) -> bool:
        """Whether it has one that adds them too."""
        return self.lanes.count % 16 == 0 and self._fills_rows and has_feature("avx512vnni")


def _arithmetic(code: Operations, of: Given) -> Value:
    to = of.let.form
    size = container(to.width)
    a, b = (
        code.low(arg, form, size, to.width) for arg, form in zip(of.args, of.forms, strict=True)
    )
    found = {"add": code.builder.add, "sub": code.builder.sub, "mul": code.builder.mul}
    exact = all(
        form.width < to.width or arg.clean for arg, form in zip(of.args, of.forms, strict=True)
    )
    return Value(
        found[of.let.op](a, b), clean=size == to.width or (exact and is_exact(of.let, of.forms))
    )


def _product16(code: Operations, of: Given) -> Value:
    (a, bits), size = (arg.lanes for arg in of.args), 32
    if code.multiplies_halves:
        return Value(code.halves_multiplied(a, bits), clean=True)
    up = code.lanes.constant(size, size // 2)
    b = code.builder.ashr(code.builder.shl(bits, up), up)
    return Value(code.builder.mul(a, b), clean=True)


def _shl(code: Operations, of: Given) -> Value:
    to, size = of.let.form, container(of.let.form.width)
    found = _shifted(code, "shl", code.low(of.args[0], of.forms[0], size, to.width), of, size)
    return Value(found, clean=size == to.width)


def _shr(code: Operations, of: Given) -> Value:
    form = of.forms[0]
    op, lanes = "ashr" if form.signed else "lshr", code.cleaned(of.args[0], form)
    found = _shifted(code, op, lanes, of, container(form.width))
    return code.converted(Value(found, clean=True), form, of.let.form)


def _shifted(code: Operations, op: str, lanes: Any, of: Given, size: int) -> Any:
    """Numbers in containers of so many bits: by that and more, nothing but signs is left."""
    value, form = of.args[1], of.forms[1]
    by, bits = code.cleaned(value, form), container(form.width)
    amount = code.resized(by, bits, size, signed=False)
    if form.high < size:
        return getattr(code.builder, op)(lanes, amount)
    found = code.shifted(op, lanes, amount, size) if bits <= size else None
    if found is not None:
        return found
    # LLVM takes no more.
    over = code.builder.icmp_unsigned(">=", by, code.lanes.constant(bits, size))
    most = code.lanes.constant(size, size - 1 if op == "ashr" else 0)
    found = getattr(code.builder, op)(lanes, code.builder.select(over, most, amount))
    if op == "ashr":
        return found
    return code.builder.select(over, code.lanes.constant(size, 0), found)


def _wrap(code: Operations, of: Given) -> Value:
    to = of.let.form
    found = code.converted(of.args[0], of.forms[0], to)
    if found.clean or to.signed:
        return found
    # Once, and not by everybody who needs the number; LLVM leaves it out where nobody does.
    return Value(code.bits_of(found, to), clean=True)


def _saturate(code: Operations, of: Given) -> Value:
    form, to = of.forms[0], of.let.form
    lanes = code.cleaned(of.args[0], form)
    compare = code.builder.icmp_signed if form.signed else code.builder.icmp_unsigned
    for sign, end, beyond in (
        ("<", to.low, to.low > form.low),
        (">", to.high, to.high < form.high),
    ):
        if beyond:
            at = code.lanes.constant(container(form.width), end)
            lanes = code.builder.select(compare(sign, lanes, at), at, lanes)
    found = code.converted(Value(lanes, clean=True), form, to)
    return Value(found.lanes, clean=True)


def _compare(code: Operations, of: Given) -> Value:
    signed = any(form.signed for form in of.forms)
    wide = max(form.width + (signed and not form.signed) for form in of.forms)
    size = container(wide)
    a, b = (
        code.resized(code.cleaned(arg, form), container(form.width), size, signed=form.signed)
        for arg, form in zip(of.args, of.forms, strict=True)
    )
    sign = {"eq": "==", "lt": "<", "le": "<="}[of.let.op]
    compare = code.builder.icmp_signed if signed else code.builder.icmp_unsigned
    return Value(compare(sign, a, b), clean=True)


def _mux(code: Operations, of: Given) -> Value:
    condition, a, b = of.args
    found = code.builder.select(condition.lanes, a.lanes, b.lanes)
    return Value(found, clean=a.clean and b.clean)


def _case(code: Operations, of: Given) -> Value:
    selector, *choices, found = of.args
    lanes, bits = code.cleaned(selector, of.forms[0]), container(of.forms[0].width)
    for key, choice in zip(of.let.data, choices, strict=True):
        assert isinstance(key, int)
        on = code.builder.icmp_unsigned("==", lanes, code.lanes.constant(bits, key))
        chosen = code.builder.select(on, choice.lanes, found.lanes)
        found = Value(chosen, clean=choice.clean and found.clean)
    return found


def _bitwise(code: Operations, of: Given) -> Value:
    to, size = of.let.form, container(of.let.form.width)
    found = {"and": code.builder.and_, "or": code.builder.or_, "xor": code.builder.xor}
    alike = all(
        arg.clean and form.signed == to.signed for arg, form in zip(of.args, of.forms, strict=True)
    )
    lanes = found[of.let.op](of.args[0].lanes, of.args[1].lanes)
    return Value(lanes, clean=size == to.width or alike)


def _not(code: Operations, of: Given) -> Value:
    to, size = of.let.form, container(of.let.form.width)
    clean = of.args[0].clean and to.signed and of.forms[0].signed
    return Value(code.builder.not_(of.args[0].lanes), clean=size == to.width or clean)


def _cat(code: Operations, of: Given) -> Value:
    size = container(of.let.form.width)
    wide = None
    if any(arg.wide is not None and arg.wide.type == code.lanes.type(2 * size) for arg in of.args):
        wide = _joined_bits(code, of, 2 * size)
    return Value(_joined_bits(code, of, size), clean=True, wide=wide)


def _joined_bits(code: Operations, of: Given, size: int) -> Any:
    place, whole = of.let.form.width, None
    for arg, form in zip(of.args, of.forms, strict=True):
        place -= form.width
        if form.width == 0:
            continue
        plain = replace(form, signed=False)
        part = code.low(
            Value(code.bits_of(arg, form), clean=True, wide=arg.wide), plain, size, size
        )
        if place:
            part = code.builder.shl(part, code.lanes.constant(size, place))
        whole = part if whole is None else code.builder.or_(whole, part)
    return code.lanes.constant(size, 0) if whole is None else whole


def _bits(code: Operations, of: Given) -> Value:
    (low,) = of.let.data
    assert isinstance(low, int)
    return code.part(of.args[0], of.forms[0], low, of.let.form)


def _all(code: Operations, of: Given) -> Value:
    return _is(code, of.args[0], of.forms[0], "==", (1 << of.forms[0].width) - 1)


def _any(code: Operations, of: Given) -> Value:
    return _is(code, of.args[0], of.forms[0], "!=", 0)


def _is(code: Operations, value: Value, form: Form, sign: str, number: int) -> Value:
    bits = container(form.width)
    at = code.lanes.constant(bits, number)
    return Value(code.builder.icmp_unsigned(sign, code.bits_of(value, form), at), clean=True)


def _parity(code: Operations, of: Given) -> Value:
    bits = code.bits_of(of.args[0], of.forms[0])
    if of.forms[0].width == 1:
        return Value(bits, clean=True)
    count = code.intrinsic("llvm.ctpop", bits)
    return Value(code.builder.trunc(count, code.lanes.type(1)), clean=True)


def _leading(code: Operations, of: Given) -> Value:
    form, size = of.forms[0], container(of.forms[0].width)
    bits = code.bits_of(of.args[0], form)
    if form.width == 1:
        bits, size = code.builder.zext(bits, code.lanes.type(8)), 8
    count = code.zeros_above(bits, size, form.width)
    # Of a signed or a narrow container it fits all the same: it is at most the width.
    lanes = code.resized(count, size, container(of.let.form.width), signed=False)
    return Value(lanes, clean=True)


def is_exact(let: Let, forms: Sequence[Form]) -> bool:
    """Whether the exact sum, difference or product of any numbers is one of its form; of another
    operation, False.
    """
    if let.op not in {"add", "sub", "mul"}:
        return False
    a, b = ((form.low, form.high) for form in forms)
    if let.op == "add":
        ends = (a[0] + b[0], a[1] + b[1])
    elif let.op == "sub":
        ends = (a[0] - b[1], a[1] - b[0])
    else:
        corners = [x * y for x in a for y in b]
        ends = (min(corners), max(corners))
    return let.form.low <= ends[0] and ends[1] <= let.form.high


_MADE: Final[dict[str, Callable[[Operations, Given], Value]]] = {
    "add": _arithmetic,
    "sub": _arithmetic,
    "mul": _arithmetic,
    PRODUCT: _product16,
    "shl": _shl,
    "shr": _shr,
    "wrap": _wrap,
    "saturate": _saturate,
    "eq": _compare,
    "lt": _compare,
    "le": _compare,
    "mux": _mux,
    "case": _case,
    "and": _bitwise,
    "or": _bitwise,
    "xor": _bitwise,
    "not": _not,
    "cat": _cat,
    "bits": _bits,
    "all": _all,
    "any": _any,
    "parity": _parity,
    "leading": _leading,
}
