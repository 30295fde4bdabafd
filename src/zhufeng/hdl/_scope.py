"""Where values are written down while a function is traced."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from zhufeng.base import InputError
from zhufeng.hdl.ir import Claim, Data, Fold, Form, Instance, Let, Memory, Register

if TYPE_CHECKING:
    from zhufeng.hdl._signal import Signal

T = TypeVar("T")
_HERE = str(Path(__file__).parent)
# Functions of ours and of Python have local variables that are no names of the user's; those of
# the libraries on top of the language describe hardware as the user's do.
_NOT_USERS = (_HERE, sysconfig.get_path("stdlib"), "<frozen")
# Examples are read as a user's code is: errors and values name their lines.
_EXAMPLES = str(Path(__file__).parent / "examples")
_LIBRARIES = (str(Path(__file__).parent / "streams"), _EXAMPLES)
_WIRE = "wire"


class HdlError(InputError):
    """Hardware that cannot be built; names the user's line."""


def wrong(what: str, *, expected: str, came: str, do: str) -> HdlError:
    """An error at the user's line."""
    frame = _users_frame()
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}: " if frame else ""
    return HdlError(place + what, expected=expected, came=came, do=do)


def told(value: Any) -> str:
    """What a value is, for the text of an error."""
    kind = type(value)
    if isinstance(value, type):
        return value.__name__
    for name in ("told_", "type"):
        if hasattr(kind, name):
            return str(getattr(value, name))
    return kind.__name__


def where() -> str:
    """The user's line, without the folder: it goes into the IR."""
    frame = _users_frame()
    return f"{_base(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else ""


@cache
def _base(file: str) -> str:
    return Path(file).name


def _users_frame() -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (the one way that is fast)
    while frame is not None and _is_ours(frame.f_code.co_filename, frame.f_code.co_name):
        frame = frame.f_back
    return frame


@cache
def _is_ours(file: str, name: str) -> bool:
    if file == "<string>":
        # Where a dataclass has its constructor.
        return name == "__init__"
    if file.startswith(_HERE):  # which may lie in site-packages, too
        return not file.startswith(_EXAMPLES)
    return file.startswith(_NOT_USERS) and "site-packages" not in file


@dataclass(frozen=True, eq=False)
class Level:
    """A `vmap` under way."""

    size: int
    depth: int


Levels = tuple[Level, ...]


def together(*many: Levels) -> Levels:
    """All of them, outermost first."""
    return tuple(sorted({one for levels in many for one in levels}, key=lambda one: one.depth))


def sizes(levels: Levels) -> tuple[int, ...]:
    """Their sizes, which are the outer axes of what is repeated over them."""
    return tuple(one.size for one in levels)


class Names:
    """Names that are taken."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        # Where to count on: thousands of values may be called alike.
        self._numbers: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        """Whether it is taken."""
        return name in self._taken

    def take(self, wanted: str) -> str:
        """`wanted`, or with a number behind it where it is taken; taken from now on."""
        name, number = wanted, self._numbers.get(wanted, 1)
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._numbers[wanted] = number
        self._taken.add(name)
        return name


class Scope:
    """A module that is being traced."""

    def __init__(self, name: str, parent: Scope | None = None, fields: Iterable[str] = ()) -> None:
        """Begin a trace.

        Args:
            name: of the module.
            parent: the scope around it, of a link of a fold.
            fields: of its state; other parts of it are called otherwise.
        """
        self.name = name
        self.parent = parent
        self.inputs: dict[str, Form] = {}
        self.lets: dict[str, Let] = {}
        self.registers: dict[str, Register] = {}
        self.memories: dict[str, Memory] = {}
        self.instances: dict[str, Instance] = {}
        self.folds: dict[str, Fold] = {}
        self.claims: list[Claim] = []
        self.ports: set[tuple[str, str, int]] = set()
        """The ports of memories that are used: memory, read or write, number."""
        self.captured: dict[str, Signal] = {}
        """Values of the scope around this one, by the input that they have become."""
        self.levels: Levels = ()
        """The repetitions under way."""
        self._ports = Names()
        self._parts = Names(fields)
        self._names: dict[str, str] = {}
        self._joined: dict[str, str] = {}
        self._inner: dict[tuple[int, str, Levels], str] = {}

    def add(
        self,
        op: str,
        form: Form,
        args: Sequence[str] = (),
        data: Sequence[Data] = (),
    ) -> str:
        """Write an operation down; its name."""
        name = str(len(self.lets))
        self.lets[name] = Let(op, form, tuple(args), tuple(data), where())
        return name

    def around(self) -> Iterator[Scope]:
        """The scopes of which this one is a part, from the nearest."""
        outer = self.parent
        while outer is not None:
            yield outer
            outer = outer.parent

    def wire(self, form: Form) -> str:
        """A value that is given later."""
        return self.add(_WIRE, form)

    def join(self, wire: str, value: str) -> None:
        """Give a wire its value."""
        self._joined[wire] = value

    def is_wire(self, value: str) -> bool:
        """Whether a value is a wire."""
        return self.lets[value].op == _WIRE

    def joined(self, wire: str) -> bool:
        """Whether a wire has its value."""
        return wire in self._joined

    def call_it(self, value: str, name: str) -> None:
        """What a value is called where it has no better name, if the IR has such names."""
        if self.lets[value].op not in ("input", "register", "const") and name.isascii():
            self._names[value] = name

    def part_name(self, wanted: str) -> str:
        """A name for an instance or a fold that no other part of the state has."""
        return self._parts.take(wanted)

    def input(self, wanted: str, form: Form) -> tuple[str, str]:
        """A new input, with a number behind its name where that is taken: its port, its value."""
        port = self._ports.take(wanted)
        self.inputs[port] = form
        return port, self.add("input", form, data=(port,))

    def capture(self, signal: Signal) -> str:
        """The input that stands for a value of a scope further out."""
        # A vmap shows one value as an array and as an element of it.
        key = (id(signal.scope), signal.value, signal.levels)
        if key not in self._inner:
            outer = signal.scope.name_of(signal.value)
            wanted = outer if not outer.isdigit() else "captured"
            port, self._inner[key] = self.input(wanted, signal.type.form)
            self.captured[port] = signal
        return self._inner[key]

    def name_of(self, value: str) -> str:
        """What a value is called so far."""
        let = self.lets[value]
        if let.op in ("input", "register"):
            return str(let.data[0])
        return self._names.get(value, value)

    def resolve(self, value: str) -> str:
        """The value behind wires."""
        seen: list[str] = []
        while self.lets[value].op == _WIRE:
            if value in seen:
                lines = ", ".join(self.lets[one].where for one in seen)
                raise HdlError(
                    f"{lines}: wires that are connected to one another alone",
                    expected="a value at the end of them",
                    came="the wire again",
                    do="connect one of them to a value",
                )
            seen.append(value)
            if value not in self._joined:
                raise HdlError(
                    f"{self.lets[value].where}: a wire that is never connected",
                    expected="connect(wire, value) once, in the function that made it",
                    came="none",
                    do="connect it, or leave it out",
                )
            value = self._joined[value]
        return value

    def wires(self) -> Iterator[str]:
        """All wires."""
        return (name for name, let in self.lets.items() if let.op == _WIRE)

    def names(self) -> dict[str, str]:
        """What every value but wires is called in the finished module, by its name here."""
        # Ports are seen from outside: nothing else may have their names.
        found = {value: str(let.data[0]) for value, let in self.lets.items() if let.op == "input"}
        taken = Names((*self.inputs, *self.memories, *self.instances, *self.folds))
        for value, let in self.lets.items():
            if let.op == "register":
                wanted = str(let.data[0])
                found[value] = taken.take(f"{wanted}_reg" if wanted in taken else wanted)
        for value, let in self.lets.items():
            if value not in found and let.op != _WIRE:
                called = self._names.get(value)
                found[value] = taken.take(called) if called else value
        return found


_SCOPES: list[Scope] = []


def scope() -> Scope:
    """The module that is being traced.

    Raises:
        HdlError: none is.
    """
    if not _SCOPES:
        raise wrong(
            "hardware outside a module",
            expected="a function that @module or @function traces",
            came="a call from elsewhere",
            do="move it into such a function; interpret(f.ir, inputs) computes with numbers",
        )
    return _SCOPES[-1]


@contextmanager
def entered(inner: Scope) -> Iterator[None]:
    """Trace into a scope."""
    _SCOPES.append(inner)
    try:
        yield
    finally:
        _SCOPES.pop()


@contextmanager
def level(size: int) -> Iterator[Level]:
    """Repeat over a new axis."""
    here = scope()
    made = Level(size, len(here.levels))
    here.levels = (*here.levels, made)
    try:
        yield made
    finally:
        here.levels = here.levels[:-1]


@cache
def _has_names(file: str) -> bool:
    return file.startswith(_LIBRARIES) or not file.startswith(_NOT_USERS)


@contextmanager
def named_locals(visit: Callable[[str, object], None]) -> Iterator[None]:
    """Show `visit` the local variables of every function of the user's that returns meanwhile."""
    before: Any = sys.getprofile()
    # cProfile's, before Python 3.12, is no function that could be set again.
    compiled = before is not None and not callable(before)

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and _has_names(frame.f_code.co_filename):
            for name, value in frame.f_locals.items():
                visit(name, value)

    if compiled:
        before.disable()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(None if compiled else before)
        if compiled:
            before.enable()
