"""Structs, the state of a module, and values made of others in general."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeAlias, TypeVar, cast, dataclass_transform

from zhufeng.hdl._refusals import OF_STRUCTS, refuse
from zhufeng.hdl._scope import told, wrong
from zhufeng.hdl._signal import Signal, fitted
from zhufeng.hdl._types import Numbers, Type, axes_of, need_plain, nested, numbers_of, whole

S = TypeVar("S", bound="Struct | State")


@dataclass(frozen=True)
class StructType:
    """A struct, or an array of structs, as a type."""

    cls: type[Struct]
    shape: tuple[int, ...] = ()

    def array(self, *shape: int) -> StructType:
        """An array of these; of an array, its outer axes."""
        return StructType(self.cls, (*axes_of(shape, f"an array of {self}"), *self.shape))

    @property
    def told_(self) -> str:
        """What it is where a value is asked for."""
        return f"the type {self}"

    def __str__(self) -> str:
        shape = f".array({', '.join(map(str, self.shape))})" if self.shape else ""
        return self.cls.__name__ + shape


AnyType: TypeAlias = "Type | StructType | type[Struct]"


def need_type(kind: object, what: str) -> None:
    """Refuse what is no type of signals or structs."""
    cls = kind.cls if isinstance(kind, StructType) else kind
    if isinstance(cls, Type):
        return
    if not isinstance(cls, type) or not issubclass(cls, Struct):
        raise wrong(
            what,
            expected="a type: UInt(8), SInt(8), Bits(8), Bool, an array of one, or a Struct",
            came=str(getattr(kind, "__name__", told(kind))),
            do="name a type, with its width",
        )
    need_declared(cls, "of(UInt(8))")


def need_declared(cls: type[_Parts], such: str) -> None:
    """Refuse a struct or a state with a field that has an annotation alone."""
    missing = [
        name
        for base in cls.__mro__
        if issubclass(base, _Parts)
        for name, kind in vars(base).get("__annotations__", {}).items()
        if name not in cls.fields_ and "ClassVar" not in str(kind)
    ]
    if missing:
        raise wrong(
            f"{cls.__name__}.{missing[0]}",
            expected="a field with its type",
            came="an annotation alone",
            do=f"write {missing[0]}: Signal = {such}",
        )


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


class _Declared:
    """What stands behind a field in its class."""

    told_: ClassVar[str]


@dataclass(frozen=True)
class _Field(_Declared):
    told_ = "of(...)"
    kind: AnyType


def of(kind: AnyType) -> Any:
    """A field of a struct: ``data: Signal = of(UInt(8))``."""
    need_type(kind, "a field of a struct")
    return _Field(kind)


def _need_field(cls: type[_Parts], name: str, value: object) -> None:
    """Refuse what looks like a field and is none."""
    declared = isinstance(value, _Declared)
    annotation = str(vars(cls).get("__annotations__", {}).get(name, "ClassVar"))
    if isinstance(value, cls._made):
        if hasattr(_Parts, name) or name == "told_" or not name.isascii():
            raise wrong(
                f"{cls.__name__}.{name}",
                expected="a name of the letters a to z, digits and _ that is not taken",
                came=name,
                do="call it otherwise",
            )
    elif declared or isinstance(value, Type | StructType) or "ClassVar" not in annotation:
        raise wrong(
            f"{cls.__name__}.{name}",
            expected=cls._expected,
            came=told(value),
            do="declare in a State what is held, in a Struct what is passed on",
        )


def given_as(values: Sequence[object], named: Iterable[str]) -> str:
    """The arguments of a call, for the text of an error."""
    return ", ".join(([f"{len(values)} by position"] if values else []) + [*named]) or "none"


class _Parts(ABC):
    """Fields that are given by position or name, and never changed."""

    fields_: ClassVar[Mapping[str, Any]] = {}
    _made: ClassVar[type]
    _expected: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = {name: one for name, one in vars(cls).items() if isinstance(one, cls._made)}
        for name, one in vars(cls).items():
            _need_field(cls, name, one)
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
                expected="each field once: " + (", ".join(self.fields_) or "none"),
                came=given_as(values, named),
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
    _expected = "of(type)"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        leaves = [leaf for name, one in cls.fields_.items() for leaf in leaves_of(one, name)]
        twice = [leaf for leaf in leaves if leaves.count(leaf) > 1]
        if twice:
            raise wrong(
                f"{cls.__name__}.{twice[0]}",
                expected="names that differ, also from those of a field's fields",
                came="two signals that are called so",
                do="rename one of the fields",
            )

    @classmethod
    def _read(cls, declared: Any) -> Any:
        return declared.kind

    @classmethod
    def array(cls, *shape: int) -> StructType:
        """The type of arrays of these."""
        return StructType(cls).array(*shape)

    def _fit(self, name: str, declared: Any, value: Any) -> Any:
        return fit(value, declared, f"{type(self).__name__}.{name}")

    def __getitem__(self, index: Any) -> Self:
        """Of an array of structs, some; as `Signal` does."""
        return self.rebuilt({name: getattr(self, name)[index] for name in self.fields_})

    def __len__(self) -> int:
        """Of an array of structs, its elements along the first axis."""
        shape = type_of(self).shape
        if not shape:
            raise wrong(
                f"len of {told(self)}",
                expected="an array of structs",
                came=told(self),
                do="take its fields by name",
            )
        return shape[0]

    @property
    def told_(self) -> str:
        """What it is, for the text of an error."""
        return str(type_of(self))

    def __iter__(self) -> Iterator[Self]:
        """Of an array of structs, its elements along the first axis."""
        return (self[number] for number in range(len(self)))


refuse(Struct, OF_STRUCTS)


def type_of(value: Struct) -> StructType:
    """The type of a struct, or of an array of them."""
    cls = type(value)
    leaves, _ = flatten(value)
    for leaf, own in zip(leaves, leaves_of(cls, "").values(), strict=True):
        # An array of structs has its axes before those of each signal.
        return StructType(cls, leaf.shape[: len(leaf.shape) - len(own.shape)])
    return StructType(cls)


def fit(value: Any, kind: AnyType, what: str) -> Any:
    """A value where a type is asked for."""
    if isinstance(kind, Type):
        return fitted(value, kind, what)
    struct = kind if isinstance(kind, StructType) else StructType(kind)
    if not isinstance(value, struct.cls):
        raise wrong(
            what, expected=str(struct), came=told(value), do=f"give a {struct.cls.__name__}"
        )
    leaves, _ = flatten(value)
    for leaf, (name, expected) in zip(leaves, leaves_of(struct, "").items(), strict=True):
        fitted(leaf, expected, f"{what}, its {name}")
    return value


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
class Reg(_Declared):
    """A register as it is declared."""

    told_ = "reg(...)"
    kind: Type
    reset: tuple[int, ...] | None


@dataclass(frozen=True)
class Mem(_Declared):
    """A memory as it is declared."""

    told_ = "mem(...)"
    kind: Type
    depth: int
    reads: tuple[Literal["sync", "async"], ...]
    writes: int
    transparent: bool
    byte_enable: int | None
    init: tuple[int, ...] | None
    banks: tuple[int, ...]


@dataclass(frozen=True)
class Inside(_Declared):
    """An instance as it is declared."""

    told_ = "instance(...)"
    module: Any
    shape: tuple[int, ...]


def reg(kind: Type, *, reset: Numbers | None) -> Any:
    """A register: ``count: Signal = reg(UInt(8), reset=0)``.

    Args:
        kind: of what it holds.
        reset: what it holds while and after `rst` is 1, as `const` takes it: a number for all
            elements, or one for each; None: `rst` leaves it alone, and it starts with anything.
    """
    need_plain(kind, "a register")
    if reset is None:
        return Reg(kind, None)
    numbers = numbers_of(kind, reset, f"the reset of a register of {kind}")
    return Reg(kind, numbers * (kind.form.size // len(numbers)))


def instance(module: Any, *shape: int) -> Any:
    """A module inside this one, or an array of it: ``left: Pe = instance(pe)``."""
    if not getattr(module, "has_state", False):
        raise wrong(
            "instance(...)",
            expected="a module: what @module makes of a function",
            came=told(module),
            do="call a @function as it is; it needs no field",
        )
    return Inside(module, axes_of(shape, f"an array of {module.name}"))


def mem(
    kind: Type,
    depth: int,
    *,
    reads: Sequence[Literal["sync", "async"]] = ("sync",),
    writes: int = 1,
    transparent: bool = False,
    byte_enable: int | None = None,
    initial: Numbers | None = None,
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
    need_plain(kind, "a memory")
    start = None if initial is None else _start(kind, depth, initial)
    sizes = axes_of(banks, "the banks of a memory")
    made = Mem(kind, depth, _listed(reads), writes, transparent, byte_enable, start, sizes)
    for expected, came, right in _mem_rules(made):
        if not right:
            raise wrong(
                f"a memory of {kind}",
                expected=expected,
                came=came,
                do="declare it so: mem(UInt(8), 256, reads=['sync'], writes=1, byte_enable=4)",
            )
    return made


def _listed(ports: Any) -> tuple[Any, ...]:
    return tuple(ports) if isinstance(ports, Sequence) else (ports,)


def _mem_rules(made: Mem) -> Iterator[tuple[str, str, bool]]:
    """What is expected, what came, and whether that is right."""
    width, group = made.kind.width, made.byte_enable
    single = not made.kind.shape
    yield "a single element: Bits(n) and pack(x) for an array", str(made.kind), single
    yield "a depth of at least 1", str(made.depth), (whole(made.depth) or 0) > 0
    known = all(port in ("sync", "async") for port in made.reads)
    yield "reads such as ('sync', 'async')", str(made.reads), known
    ports = whole(made.writes)
    yield "at least 0 writes", str(made.writes), ports is not None and ports >= 0
    groups = group is None or (0 < (whole(group) or 0) <= width and not width % group)
    yield f"a byte_enable that divides {width}", str(group), groups


def _start(kind: Type, depth: int, initial: Numbers) -> tuple[int, ...]:
    shape, given = nested(initial)
    numbers = [whole(one) for one in given]
    known = [one for one in numbers if one is not None and kind.form.has(one)]
    if len(known) != len(numbers) or len(known) > depth or shape != (len(known),):
        raise wrong(
            f"the start of a memory of {kind}",
            expected=f"at most {depth} numbers from {kind.low} to {kind.high}",
            came=f"{told(initial)} of {len(numbers)}, of which {len(known)} fit",
            do="give numbers that fit, or make it deeper",
        )
    return (*known, *[0] * (depth - len(known)))


@dataclass_transform(field_specifiers=(reg, instance, mem))
class State(_Parts):
    """What a module holds from one cycle to the next: registers, memories, instances."""

    _made = (Reg, Mem, Inside)  # type: ignore[assignment]
    _expected = "reg(type, reset=...), mem(type, depth) or instance(module)"

    def _fit(self, name: str, declared: Any, value: Any) -> Any:
        what = f"{type(self).__name__}.{name}"
        return fitted(value, declared.kind, what) if isinstance(declared, Reg) else value


def replace(value: S, **changes: Any) -> S:
    """A struct or a state with some fields changed."""
    if not isinstance(value, Struct | State):
        raise wrong(
            "replace",
            expected="a struct or a state",
            came=told(value),
            do="name it first: replace(x, field=value)",
        )
    if not changes.keys() <= value.fields_.keys():
        raise wrong(
            f"replace({type(value).__name__}, ...)",
            expected="some of its fields: " + ", ".join(value.fields_),
            came=", ".join(changes),
            do="name those",
        )
    kept = {name: getattr(value, name) for name in value.fields_}
    fitting = {
        name: like(kept[name], new, f"{type(value).__name__}.{name}")
        for name, new in changes.items()
    }
    return cast("S", value.rebuilt({**kept, **fitting}))


def like(model: Any, value: Any, what: str) -> Any:
    """A value where one like `model` is asked for."""
    if isinstance(model, Signal):
        return fitted(value, model.type, what)
    if not isinstance(model, Struct):
        return value
    if type(value) is not type(model):
        raise wrong(what, expected=told(model), came=told(value), do=f"give a {told(model)}")
    return value.rebuilt(
        {
            name: like(getattr(model, name), getattr(value, name), f"{what}.{name}")
            for name in model.fields_
        }
    )


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
        # A named tuple takes its parts one by one.
        make = type(value)._make if hasattr(value, "_make") else type(value)
        return _joined([flatten(part) for part in value], make)
    return [value], lambda leaves: leaves[0]


def structure(value: Any) -> object:
    """How a value is made of its leaves: equal where two values are made alike."""
    if isinstance(value, Struct | State):
        return type(value), *(structure(getattr(value, name)) for name in value.fields_)
    if isinstance(value, tuple | list):
        return type(value), *map(structure, value)
    return value is None


def told_whole(value: object) -> str:
    """What a value, or each of several, is, for the text of an error."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(told_whole, value))})"
    return told(value)


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
