"""Containers wider than need be, where that saves work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from zhufeng.hdl.compile._plan import is_straight
from zhufeng.hdl.ir import Let, Module

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
        if fits and summed and name not in kept and _exact(let, module):
            lets[name] = replace(let, form=replace(let.form, width=_WIDE))
    return replace(module, lets=lets)


def _exact(let: Let, module: Module) -> bool:
    a, b = (module.form(arg) for arg in let.args)
    ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return let.form.low <= min(ends) and max(ends) <= let.form.high


def wide_registers(module: Module, guarded: Mapping[str, str]) -> frozenset[str]:
    """Registers that are read more often than set, as factors of wide products."""
    found = set()
    for name in guarded:
        values = {
            key for key, let in module.lets.items() if (let.op, let.data) == ("register", (name,))
        }
        users = [let for let in module.lets.values() if values & {*let.args}]
        if any(user.op == "mul" and user.form.width == _WIDE for user in users):
            found.add(name)
    return frozenset(found)
