"""Values of a module that is being made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

from zhufeng.hdl.ir import BIT, Data, Form, Let

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


class Names:
    """Names that are the IR's, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, wanted: str) -> str:
        """A name like `wanted`."""
        plain = wanted
        if not _NAME.fullmatch(wanted):
            plain = re.sub("[^A-Za-z0-9_]+", "_", wanted).strip("_") or "x"
            plain = f"n{plain}" if plain[0].isdigit() else plain
        found = plain
        for number in count(2):
            if found not in self._taken:
                break
            found = f"{plain}_{number}"
        self._taken.add(found)
        return found


class Builder:
    """Makes values; those of a name to come may be used before they are made."""

    def __init__(self) -> None:
        self.lets: dict[str, Let] = {}
        self.names = Names()
        self.where = ""
        """Of what is made next."""
        self._numbers = count()
        self._constants: dict[tuple[int, Form], str] = {}

    def let(self, op: str, form: Form, *args: str, data: Iterable[Data] = ()) -> Let:
        """An operation that has no name yet."""
        return Let(op, form, args, tuple(data), self.where)

    def add(self, let: Let, name: str = "") -> str:
        """Give it a name, or a number for one."""
        called = name or str(next(self._numbers))
        self.lets[called] = let
        return called

    def make(self, op: str, form: Form, *args: str, data: Iterable[Data] = ()) -> str:
        """An operation; its name."""
        return self.add(self.let(op, form, *args, data=data))

    def constant(self, value: int, form: Form) -> str:
        """A number."""
        key = value, form
        if key not in self._constants:
            self._constants[key] = self.add(Let("const", form, (), (value,)))
        return self._constants[key]

    def wrap(self, value: str, form: Form) -> str:
        """The bits of a value as another form."""
        return self.make("wrap", form, value)

    def mux(self, condition: str, yes: str, no: str, form: Form) -> str:
        """One of two values."""
        return self.make("mux", form, condition, yes, no)

    def both(self, one: str | None, other: str | None) -> str | None:
        """Whether both are true; None is true."""
        if one is None or other is None:
            return other if one is None else one
        return self.make("and", BIT, one, other)

    def inverted(self, value: str, form: Form = BIT) -> str:
        """All bits the other way round."""
        return self.make("not", form, value)
