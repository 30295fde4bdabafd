"""Types are values: ``SInt(8)``, ``Bits(3)``, ``UInt(4).array(16, 16)``."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeAlias

from zhufeng.hdl._scope import told, wrong
from zhufeng.hdl.ir import Form

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["UInt", "SInt", "Bits", "Bool"]
Numbers: TypeAlias = "SupportsIndex | Sequence[Any] | NDArray[Any]"
"""A number, nested lists of numbers, or an array of NumPy's."""


def whole(value: Any) -> int | None:
    """An integer of Python's or NumPy's as Python's; None for anything else."""
    try:
        return int(operator.index(value))
    except TypeError:
        return None


@dataclass(frozen=True)
class Type:
    """An array of numbers or bits; one of them by itself has no shape."""

    kind: Kind
    width: int
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        width = whole(self.width)
        if width is None or width < 0 or (self.kind == "Bool" and width != 1):
            raise wrong(
                f"a type {self.kind}",
                expected="one bit" if self.kind == "Bool" else "a width of at least 0",
                came=_shown(self.width),
                do="give a whole number of bits, such as UInt(8)",
            )
        object.__setattr__(self, "width", width)
        object.__setattr__(self, "shape", axes_of(self.shape, f"an array of {self.kind}"))

    def array(self, *shape: int) -> Type:
        """An array of these; of an array, its outer axes."""
        return replace(self, shape=(*shape, *self.shape))

    @property
    def element(self) -> Type:
        """What an array is of."""
        return replace(self, shape=())

    @property
    def signed(self) -> bool:
        """Whether it has numbers below 0."""
        return self.kind == "SInt"

    @property
    def numeric(self) -> bool:
        """Whether it can be added and ordered."""
        return self.kind in ("UInt", "SInt")

    @property
    def form(self) -> Form:
        """How the IR has it."""
        return Form(self.width, self.signed, self.shape)

    @property
    def low(self) -> int:
        """The least number."""
        return self.form.low

    @property
    def high(self) -> int:
        """The greatest number."""
        return self.form.high

    @property
    def told_(self) -> str:
        """What it is where a value is asked for."""
        return f"the type {self}"

    def __str__(self) -> str:
        name = self.kind if self.kind == "Bool" else f"{self.kind}({self.width})"
        return name + (f".array({', '.join(map(str, self.shape))})" if self.shape else "")


def axes_of(shape: Any, what: str) -> tuple[int, ...]:
    """The sizes of an array's axes, of one of them or of several.

    Raises:
        HdlError: there is one without an element.
    """
    given = shape if isinstance(shape, Sequence) else (shape,)
    sizes = tuple(whole(size) or 0 for size in given)
    if any(size < 1 for size in sizes):
        raise wrong(
            what,
            expected="axes of at least one element",
            came=", ".join(map(str, given)),
            do="give whole numbers: UInt(8).array(4, 2)",
        )
    return sizes


def UInt(width: int) -> Type:  # noqa: N802 (a type's name)
    """Numbers from 0 to 2^width - 1."""
    return Type("UInt", width)


def SInt(width: int) -> Type:  # noqa: N802
    """Numbers from -2^(width-1) to 2^(width-1) - 1, in two's complement."""
    return Type("SInt", width)


def Bits(width: int) -> Type:  # noqa: N802
    """Bits that are no number: without arithmetic and order."""
    return Type("Bits", width)


def _bool() -> Type:
    return Type("Bool", 1)


Bool = _bool()
"""False or true."""


def need_plain(kind: object, what: str) -> None:
    """Refuse what is no type of numbers or bits, or of arrays of them."""
    if not isinstance(kind, Type):
        raise wrong(
            what,
            expected="a type: UInt(8), SInt(8), Bits(8), Bool, or UInt(8).array(4)",
            came=str(getattr(kind, "__name__", told(kind))),
            do="name a type, with its width; of a struct, its fields or Bits for all of them",
        )


def numbers_of(kind: Type, data: Numbers, what: str) -> tuple[int, ...]:
    """The elements that `data` stands for, in row-major order, or one for all of them.

    Raises:
        HdlError: `data` is neither a number, nor of the type's shape, nor a list of all elements;
            or a number does not fit.
    """
    need_plain(kind, what)
    shape, numbers = nested(data)
    unfit = [one for one in numbers if whole(one) is None or not kind.form.has(one)]
    flat = (kind.form.size,) if kind.shape else ()
    if unfit or shape not in {(), kind.shape, flat}:
        axes = f": one, or of the shape {list(kind.shape)}" if kind.shape else ""
        raise wrong(
            what,
            expected=f"numbers from {kind.low} to {kind.high}{axes}",
            came=_shown(unfit[0]) if unfit else _told_shape(shape),
            do="give numbers that fit, or another type",
        )
    return tuple(int(one) for one in numbers)


def nested(data: Any) -> tuple[tuple[int, ...] | None, list[Any]]:
    """The shape of nested lists, None where they are ragged; and what is in them."""
    data = data.tolist() if hasattr(data, "tolist") else data
    if isinstance(data, str) or not isinstance(data, Sequence):
        return (), [data]
    parts = [nested(part) for part in data]
    shapes = {shape for shape, _ in parts}
    numbers = [number for _, inner in parts for number in inner]
    if len(shapes) > 1 or None in shapes:
        return None, numbers
    return (len(parts), *(axis for shape in shapes for axis in shape or ())), numbers


def _shown(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) else told(value)


def _told_shape(shape: tuple[int, ...] | None) -> str:
    return "ragged lists" if shape is None else f"the shape {list(shape)}"


def conversion(came: Type, kind: Type) -> str:
    """What to write to make `kind` of a signal of the type `came`."""
    if came.shape != kind.shape:
        shape = f"an array of shape {list(kind.shape)}" if kind.shape else "a single element"
        return f"give {shape}: index, stack, reshape or vmap it"
    if kind.kind == "Bool":
        return "write x != 0"
    if came.kind == kind.kind:
        nearest = f" or saturate(x, {kind.width})" if kind.numeric else ""
        return f"write wrap(x, {kind.width}){nearest}"
    if came.width == kind.width:
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


def least(value: int) -> Type:
    """The narrowest type of numbers that has `value`."""
    if value < 0:
        return SInt((-value - 1).bit_length() + 1)
    return UInt(value.bit_length())
