"""Containers wider than need be, where that saves work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Final, Literal

from zhufeng.hdl.compile._lanes import container
from zhufeng.hdl.compile._operations import PRODUCT, is_exact
from zhufeng.hdl.compile._plan import is_straight, is_view
from zhufeng.hdl.ir import Form, Let, Module

_WIDE: Final = 32
_FACTOR: Final = 16
_SUMS: Final = frozenset({"add", "sub", "wrap"})


def products_as_wide_as_sums(module: Module) -> Module:
    """Products that are only ever added to something wider are computed as wide as that.

    Of numbers of 16 bits, vectors are multiplied and added in one go where the sum has 32.
    """
    users: dict[str, list[Let]] = {}
    for let in module.lets.values():
        for arg in let.args:
            users.setdefault(arg, []).append(let)
    kept = {*module.outputs.values(), *(claim.value for claim in module.claims)}
    kept |= {register.next for register in module.registers.values()}
    kept |= {
        one
        for memory in module.memories.values()
        for port in memory.writes
        for one in (port.address, port.data)
    }
    lets = dict(module.lets)
    for name, let in module.lets.items():
        narrow = let.op == "mul" and let.form.width <= _FACTOR and not is_straight(let.form.shape)
        factors = [module.form(arg) for arg in let.args]
        fits = narrow and all(form.width + (not form.signed) <= _FACTOR for form in factors)
        summed = all(
            user.op in _SUMS and _FACTOR < user.form.width <= _WIDE for user in users.get(name, ())
        )
        if fits and summed and name not in kept and is_exact(let, factors):
            lets[name] = replace(let, form=replace(let.form, width=_WIDE))
    return replace(module, lets=lets)


def wide_registers(module: Module, guarded: Mapping[str, str]) -> dict[str, int]:
    """Registers that are read more often than set, as factors of wide products: their bits."""
    found = {}
    for name in guarded:
        values = {
            key for key, let in module.lets.items() if (let.op, let.data) == ("register", (name,))
        }
        users = [let for let in module.lets.values() if values & {*let.args}]
        if any(user.op == "mul" and user.form.width == _WIDE for user in users):
            found[name] = _FACTOR
    return found


Kind = Literal["number", "bits"]
_NUMBERS: Final = frozenset({"add", "sub", "eq", "lt", "le"})
"""Operations that take the same number in any form."""


def widened(module: Module) -> Module:
    """Registers as wide as what is computed of them, so that nothing is converted in every cycle.

    A factor of 16 bits or fewer stands in its register as its bits alone, with 0 above them; so two
    of them are multiplied in one go (`PRODUCT`).
    """
    return _Widening(products_as_wide_as_sums(module)).module()


class _Widening:
    def __init__(self, module: Module) -> None:
        self._before = module
        self._lets = dict(module.lets)
        self._names = (f"wide {number}" for number in count())
        self._known: dict[tuple[str, Kind], str] = {}
        shaped = [let for let in module.lets.values() if not is_straight(let.form.shape)]
        self._most = max((container(let.form.width) for let in shaped), default=1)
        self._kinds: dict[str, Kind] = {
            name: "number"
            for name, one in module.registers.items()
            if 1 < container(one.form.width) < self._most <= _WIDE
        }

    def module(self) -> Module:
        """The module, rewritten."""
        before = self._before
        products = dict(self._products())
        for name, (other, factor) in products.items():
            args = self._wide(other, "number"), self._wide(factor, "bits")
            self._lets[name] = replace(before.lets[name], op=PRODUCT, args=args)
        registers = {
            name: replace(
                one,
                form=self._form(one.form, self._kinds[name]),
                next=self._wide(one.next, self._kinds[name]),
            )
            if name in self._kinds
            else one
            for name, one in before.registers.items()
        }
        for name, let in before.lets.items():
            kind = self._kind(name)
            if kind is not None:
                self._lets[name] = Let("wrap", let.form, (self._wide(name, kind),))
            elif let.op in _NUMBERS and not is_straight(let.form.shape):
                numbers = tuple(self._as_number(arg) for arg in let.args)
                self._lets[name] = replace(let, args=numbers)
        return replace(before, lets=self._lets, registers=registers)

    def _products(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """Products of which a factor is a register: that factor last."""
        for name, let in self._before.lets.items():
            if (
                let.op != "mul"
                or container(let.form.width) != _WIDE
                or not is_exact(let, [*map(self._before.form, let.args)])
            ):
                continue
            first, second = let.args
            forms = map(self._before.form, let.args)
            fits = all(form.width + (not form.signed) <= _FACTOR for form in forms)
            for factor, other in ((first, second), (second, first)):
                held = self._before.lets[factor]
                if fits and held.op == "register" and held.data[0] in self._kinds:
                    self._kinds[str(held.data[0])] = "bits"
                    yield name, (other, factor)
                    break

    def _form(self, form: Form, kind: Kind) -> Form:
        if kind == "bits":
            return replace(form, width=_WIDE, signed=False)
        return replace(form, width=self._most)

    def _as_number(self, name: str) -> str:
        return self._wide(name, "number") if self._kind(name) == "number" else name

    def _kind(self, name: str) -> Kind | None:
        """The kind of the wide register whose elements a value is, at any places."""
        let = self._before.lets[name]
        if let.op == "register":
            return self._kinds.get(str(let.data[0]))
        if not is_view(self._before, name):
            return None
        return next((kind for arg in let.args if (kind := self._kind(arg))), None)

    def _wide(self, name: str, kind: Kind) -> str:
        """A value in the form of wide registers of a kind."""
        if (name, kind) not in self._known:
            self._known[name, kind] = self._widened(name, kind)
        return self._known[name, kind]

    def _widened(self, name: str, kind: Kind) -> str:
        let, own = self._before.lets[name], self._kind(name)
        form = self._form(let.form, kind)
        if own is not None and own != kind:
            return self._halved(self._wide(name, own), form, signed=kind == "number")
        if let.op == "register" and own is not None:
            return self._add(replace(let, form=form))
        if is_view(self._before, name):
            return self._add(replace(let, form=form, args=self._both(let.args, kind)))
        if let.op == "mux":
            args = (let.args[0], *self._both(let.args[1:], kind))
            return self._add(replace(let, form=form, args=args))
        if kind == "bits":
            return self._halved(name, form, signed=False)
        return self._add(Let("wrap", form, (name,)))

    def _halved(self, name: str, form: Form, *, signed: bool) -> str:
        """The lower half of a value, as bits or with its sign, in a form."""
        half = replace(form, width=_FACTOR, signed=signed and form.signed)
        return self._add(Let("wrap", form, (self._add(Let("wrap", half, (name,))),)))

    def _both(self, names: Iterable[str], kind: Kind) -> tuple[str, ...]:
        return tuple(self._wide(name, kind) for name in names)

    def _add(self, let: Let) -> str:
        name = next(self._names)
        self._lets[name] = let
        return name
