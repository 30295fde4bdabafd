"""A module's values written anew, one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from zhufeng.hdl.ir import Data, Form, Let, Module, order


class Rewrite:
    """The values so far."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.lets: dict[str, Let] = {}
        numbers = [int(name) for name in module.lets if name.isdigit()]
        self._numbers = count(max(numbers, default=-1) + 1)

    def form(self, value: str) -> Form:
        """Of a value that has been written."""
        return self.lets[value].form

    def keep(self, name: str, let: Let) -> str:
        """Write a value under the name that it had."""
        self.lets[name] = let
        return name

    def add(
        self,
        op: str,
        form: Form,
        args: Sequence[str] = (),
        data: Sequence[Data] = (),
        where: str = "",
    ) -> str:
        """Write a new value; its name."""
        name = str(next(self._numbers))
        self.lets[name] = Let(op, form, tuple(args), tuple(data), where)
        return name

    def wrapped(self, value: str, form: Form, where: str = "") -> str:
        """A value in a form of its shape: itself if it has it."""
        return value if self.form(value) == form else self.add("wrap", form, (value,), (), where)

    def numbers(self, value: str) -> tuple[int, ...] | None:
        """Of a constant: one for all elements, or each."""
        let = self.lets[value]
        if let.op != "const":
            return None
        return tuple(one for one in let.data if isinstance(one, int))

    def number(self, value: str) -> int | None:
        """The one that all elements are, of a constant."""
        found = set(self.numbers(value) or ())
        return found.pop() if len(found) == 1 else None


Rule = Callable[[Rewrite, str, Let], str]
"""Of a value, its operands being new ones: what stands for it now."""


def rewritten(module: Module, rule: Rule) -> Module:
    """A module with a rule applied to each value, after those of which it is made."""
    new = Rewrite(module)
    to: dict[str, str] = {}
    for name in order(module):
        let = module.lets[name]
        to[name] = rule(new, name, replace(let, args=tuple(to[arg] for arg in let.args)))
    called = _names(to, new.lets)
    lets = {
        called.get(name, name): replace(let, args=tuple(called.get(arg, arg) for arg in let.args))
        for name, let in new.lets.items()
    }
    return module.revalued(lets, lambda value: called.get(to[value], to[value]))


def _names(to: Mapping[str, str], lets: Mapping[str, Let]) -> dict[str, str]:
    """Names of the user's that have gone, for nameless values that stand for theirs."""
    called: dict[str, str] = {}
    for old, value in to.items():
        gone = not old.isdigit() and old not in lets
        if gone and value.isdigit() and value not in called:
            called[value] = old
    return called
