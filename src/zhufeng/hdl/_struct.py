"""Structs, the state of a module, and values made of others in general."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeAlias, TypeVar, dataclass_transform

from zhufeng.hdl._scope import wrong
from zhufeng.hdl._signal import Signal, fitted
from zhufeng.hdl._types import Type

S = TypeVar("S", bound="Struct | State")


@dataclass(frozen=True)
class StructType:
    """A struct, or an array of structs, as a type."""

    cls: type[Struct]
    shape: tuple[int, ...] = ()

    def __str__(self) -> str:
        shape = f".array({', '.join(map(str, self.shape))})" if self.shape else ""
        return self.cls.__name__ + shape


AnyType: TypeAlias = "Type | StructType | type[Struct]"


def leaves_of(kind: AnyType, name: str) -> dict[str, Type]:
    """The signals of which a type is made, by their names where it is called `name`."""
    if isinstance(kind, Type):
        return {name: kind}
    struct = kind if isinstance(kind, StructType) else StructType(kind)
    found: dict[str, Type] = {}
    for part, inner in struct.cls.fields_.items():
        below = leaves_of(inner, f"{name}_{part}" if name else part)
        found |= {leaf: one.array(*struct.shape) for leaf, one in below.items()}
    return found


@dataclass(frozen=True)
class _Field:
    kind: AnyType


def of(kind: AnyType) -> Any:
    """A field of a struct: ``data: Signal = of(UInt(8))``."""
    return _Field(kind)


class _Parts(ABC):
    """Fields that are given by position or name, and never changed."""

    fields_: ClassVar[Mapping[str, Any]] = {}
    _made: ClassVar[type]

    def __init_subclass__(cls) -> None:
        own = {name: one for name, one in vars(cls).items() if isinstance(one, cls._made)}
        cls.fields_ = {**cls.fields_, **{name: cls._read(one) for name, one in own.items()}}
        for name in own:
            delattr(cls, name)

    @classmethod
    def _read(cls, declared: Any) -> Any:
        return declared

    def __init__(self, *values: Any, **named: Any) -> None:
        given = {**dict(zip(self.fields_, values, strict=False)), **named}
        if given.keys() != self.fields_.keys() or len(values) + len(named) != len(given):
            raise wrong(
                f"{type(self).__name__}(...)",
                expected="each field once: " + ", ".join(self.fields_),
                came=", ".join((*map(str, range(len(values))), *named)) or "none",
                do="give all of them, by name or in this order",
            )
        for name, one in self.fields_.items():
            object.__setattr__(self, name, self._fit(name, one, given[name]))

    @abstractmethod
    def _fit(self, name: str, declared: Any, value: Any) -> Any:
        """A value where a field is asked for."""

    @classmethod
    def rebuilt(cls, values: Mapping[str, Any]) -> Self:
        """One with these values, whatever their shapes."""
        made = object.__new__(cls)
        for name, value in values.items():
            object.__setattr__(made, name, value)
        return made

    def __setattr__(self, name: str, value: object) -> None:
        """Refused: hardware does not change while it is described."""
        del value
        raise wrong(
            f"{type(self).__name__}.{name} = ...",
            expected="a new one",
            came="an assignment",
            do=f"write replace(x, {name}=...)",
        )


@dataclass_transform(field_specifiers=(of,))
class Struct(_Parts):
    """Signals under names: ``class Pixel(Struct): red: Signal = of(UInt(8))``."""

    _made = _Field

    @classmethod
    def _read(cls, declared: Any) -> Any:
        return declared.kind

    @classmethod
    def array(cls, *shape: int) -> StructType:
        """The type of arrays of these."""
        return StructType(cls, shape)

    def _fit(self, name: str, declared: Any, value: Any) -> Any:
        return fit(value, declared, f"{type(self).__name__}.{name}")

    def __getitem__(self, index: Any) -> Self:
        """Of an array of structs, some; as `Signal` does."""
        return self.rebuilt({name: getattr(self, name)[index] for name in self.fields_})


def fit(value: Any, kind: AnyType, what: str) -> Any:
    """A value where a type is asked for."""
    if isinstance(kind, Type):
        return fitted(value, kind, what)
    struct = kind if isinstance(kind, StructType) else StructType(kind)
    if not isinstance(value, struct.cls):
        raise wrong(
            what, expected=str(struct), came=_told(value), do=f"give a {struct.cls.__name__}"
        )
    leaves, _ = flatten(value)
    for leaf, (name, expected) in zip(leaves, leaves_of(struct, what).items(), strict=True):
        fitted(leaf, expected, name)
    return value


def _told(value: object) -> str:
    return str(value.type) if isinstance(value, Signal) else type(value).__name__


def assembled(kind: AnyType, signals: Sequence[Any]) -> Any:
    """A value of a type, of its signals."""
    if isinstance(kind, Type):
        return signals[0]
    cls = kind if isinstance(kind, type) else kind.cls
    values, at = {}, 0
    for name, inner in cls.fields_.items():
        count = len(leaves_of(inner, ""))
        values[name] = assembled(inner, signals[at : at + count])
        at += count
    return cls.rebuilt(values)


# State.


@dataclass(frozen=True)
class Reg:
    """A register as it is declared."""

    kind: Type
    reset: tuple[int, ...] | None


@dataclass(frozen=True)
class Mem:
    """A memory as it is declared."""

    kind: Type
    depth: int
    reads: tuple[Literal["sync", "async"], ...]
    writes: int
    transparent: bool
    byte_enable: int | None
    init: tuple[int, ...] | None
    banks: tuple[int, ...]


@dataclass(frozen=True)
class Inside:
    """An instance as it is declared."""

    module: Any
    shape: tuple[int, ...]


def reg(kind: Type, *, reset: int | Sequence[int] | None) -> Any:
    """A register: ``count: Signal = reg(UInt(8), reset=0)``.

    Args:
        kind: of what it holds.
        reset: what it holds while and after `rst` is 1: a number for all elements, or one for
            each in row-major order; None: `rst` leaves it alone, and it starts with anything.
    """
    if reset is None:
        return Reg(kind, None)
    numbers = (int(reset),) * kind.form.size if isinstance(reset, int) else tuple(reset)
    if len(numbers) != kind.form.size or not all(map(kind.form.has, numbers)):
        raise wrong(
            f"a register of {kind}",
            expected=f"a reset of {kind.form.size} numbers from {kind.low} to {kind.high}",
            came=str(reset),
            do="give one number for all elements, or one for each",
        )
    return Reg(kind, numbers)


def instance(module: Any, *shape: int) -> Any:
    """A module inside this one, or an array of it: ``left: Pe = instance(pe)``."""
    return Inside(module, shape)


def mem(
    kind: Type,
    depth: int,
    *,
    reads: Sequence[Literal["sync", "async"]] = ("sync",),
    writes: int = 1,
    transparent: bool = False,
    byte_enable: int | None = None,
    initial: Sequence[int] | None = None,
    banks: tuple[int, ...] = (),
) -> Any:
    """A memory: ``ram: Memory = mem(UInt(32), 256)``. It is never reset.

    Args:
        kind: of one element.
        depth: elements.
        reads: its read ports; a synchronous one gives in a cycle what was asked for in the last.
        writes: how many write ports it has; of two writes to one address the later port's wins.
        transparent: whether reads see what is written in the same cycle.
        byte_enable: bits that a bit of a write's mask lets through; no mask without it.
        initial: what it holds at the start, then zeros; anything without it.
        banks: for `vmap`: an array of memories.
    """
    start = None if initial is None else (*initial, *[0] * (depth - len(initial)))
    problem = _mem_problem(kind, depth, byte_enable, start)
    if problem is not None:
        raise wrong(f"a memory of {kind}", expected=problem[0], came=problem[1], do="change it")
    return Mem(kind, depth, tuple(reads), writes, transparent, byte_enable, start, banks)


def _mem_problem(
    kind: Type, depth: int, group: int | None, init: Sequence[int] | None
) -> tuple[str, str] | None:
    if kind.shape:
        return "a single element: pack(x) makes one of an array", str(kind)
    if depth < 1:
        return "a depth of at least 1", str(depth)
    if group is not None and (group < 1 or kind.width % group):
        return f"byte_enable that divides {kind.width}", str(group)
    if init is not None and (len(init) > depth or not all(map(kind.form.has, init))):
        return f"initial of at most {depth} numbers from {kind.low} to {kind.high}", str(len(init))
    return None


@dataclass_transform(field_specifiers=(reg, instance, mem))
class State(_Parts):
    """What a module holds from one cycle to the next: registers, memories, instances."""

    _made = (Reg, Mem, Inside)  # type: ignore[assignment]

    def _fit(self, name: str, declared: Any, value: Any) -> Any:
        what = f"{type(self).__name__}.{name}"
        return fitted(value, declared.kind, what) if isinstance(declared, Reg) else value


def replace(value: S, **changes: Any) -> S:
    """A struct or a state with some fields changed."""
    kept = {name: getattr(value, name) for name in value.fields_}
    return type(value)(**{**kept, **changes})


# Values made of others.


def flatten(value: Any) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """The signals and handles of which a value is made, and how to make one like it of others."""
    if value is None:
        return [], lambda _: None
    if isinstance(value, Struct | State):
        inner = [flatten(getattr(value, name)) for name in value.fields_]
        names, cls = tuple(value.fields_), type(value)
        return _joined(inner, lambda parts: cls.rebuilt(dict(zip(names, parts, strict=True))))
    if isinstance(value, tuple | list):
        return _joined([flatten(part) for part in value], type(value))
    return [value], lambda leaves: leaves[0]


def leaf_names(value: Any, name: str) -> list[str]:
    """What the leaves that `flatten` finds are called where `value` is called `name`."""
    if value is None:
        return []
    if isinstance(value, Struct | State):
        parts = [(field, getattr(value, field)) for field in value.fields_]
    elif isinstance(value, tuple | list):
        parts = [(str(place), part) for place, part in enumerate(value)]
    else:
        return [name]
    return [leaf for inner, part in parts for leaf in leaf_names(part, f"{name}_{inner}")]


def _joined(
    inner: Sequence[tuple[list[Any], Callable[[Sequence[Any]], Any]]],
    make: Callable[[list[Any]], Any],
) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    def rebuild(leaves: Sequence[Any]) -> Any:
        parts, at = [], 0
        for own, build in inner:
            parts.append(build(leaves[at : at + len(own)]))
            at += len(own)
        return make(parts)

    return [leaf for own, _ in inner for leaf in own], rebuild
