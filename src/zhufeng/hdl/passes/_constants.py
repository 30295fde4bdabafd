"""Constant folding, and what follows of an operation from some of its operands alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from zhufeng.hdl.interpret import Values, dtype, evaluated
from zhufeng.hdl.ir import OPS, Form, Let, Module
from zhufeng.hdl.passes._pass import Pass
from zhufeng.hdl.passes._rewrite import Rewrite, rewritten

# Of one number for all elements they make one number for all elements.
_MOVES = frozenset({"spread", "reshape", "transpose", "slice", "join"})


@dataclass(frozen=True)
class ConstantFolding(Pass):
    """Computes what follows from constants alone, and simplifies what they meet."""

    elements: int = 4096
    """Constants of more elements that are not all one number stay as they are."""

    def one(self, module: Module) -> Module:
        """See `Pass`."""
        return rewritten(module, self._rule)

    def _rule(self, new: Rewrite, name: str, let: Let) -> str:
        constant = self._computed(new, let)
        if constant is not None:
            return new.keep(name, constant)
        simpler = _SIMPLER.get(let.op)
        found = simpler(new, let) if simpler else None
        return new.keep(name, let) if found is None else found

    def _computed(self, new: Rewrite, let: Let) -> Let | None:
        """The constant that an operation gives, if all its operands are constants."""
        if not let.args or any(new.numbers(arg) is None for arg in let.args):
            return None
        if OPS[let.op].elementwise or let.op in _MOVES:
            each = [new.number(arg) for arg in let.args]
            if None not in each and (OPS[let.op].elementwise or len(set(each)) == 1):
                return _constant(let, _one_for_all(new, let))
        if max(let.form.size, *(new.form(arg).size for arg in let.args)) > self.elements:
            return None
        forms = [new.form(arg) for arg in let.args]
        values = [_array(new, arg) for arg in let.args]
        return _constant(let, evaluated(let, forms, values))


def _one_for_all(new: Rewrite, let: Let) -> Values:
    if not OPS[let.op].elementwise:
        return np.array([new.number(let.args[0])], object)
    single = [replace(new.form(arg), shape=()) for arg in let.args]
    values: list[Values] = [
        np.array([new.number(arg)], object).astype(dtype(form))
        for arg, form in zip(let.args, single, strict=True)
    ]
    return evaluated(replace(let, form=replace(let.form, shape=())), single, values)


def _array(new: Rewrite, value: str) -> Values:
    """A constant's elements, of one lane."""
    form, numbers = new.form(value), np.array(new.numbers(value), object)
    whole = np.broadcast_to(numbers, (form.size,)).reshape(1, *form.shape)
    return whole.astype(dtype(form))


def _constant(let: Let, values: Values) -> Let:
    numbers = tuple(int(value) for value in values.reshape(-1))
    return Let("const", let.form, (), numbers[:1] if len(set(numbers)) == 1 else numbers, let.where)


# What stands for an operation, or None where it stays.
Simpler = Callable[[Rewrite, Let], "str | None"]


def _all(new: Rewrite, let: Let, number: int) -> str:
    return new.add("const", let.form, (), (number,), let.where)


def _to(new: Rewrite, let: Let, value: str) -> str:
    return new.wrapped(value, let.form, let.where)


def _sum(new: Rewrite, let: Let) -> str | None:
    a, b = let.args
    if new.number(b) == 0:
        return _to(new, let, a)
    return _to(new, let, b) if let.op == "add" and new.number(a) == 0 else None


def _product(new: Rewrite, let: Let) -> str | None:
    for one, other in (let.args, let.args[::-1]):
        if new.number(one) == 0:
            return _all(new, let, 0)
        if new.number(one) == 1:
            return _to(new, let, other)
    return None


def _shift(new: Rewrite, let: Let) -> str | None:
    return _to(new, let, let.args[0]) if new.number(let.args[1]) == 0 else None


def _bitwise(new: Rewrite, let: Let) -> str | None:
    for one, other in (let.args, let.args[::-1]):
        number = new.number(one)
        if number is not None:
            bits = number & ((1 << let.form.width) - 1)
            if bits == 0:
                return _all(new, let, 0) if let.op == "and" else _to(new, let, other)
            if bits == (1 << let.form.width) - 1:
                return _with_ones(new, let, other)
    if let.args[0] == let.args[1]:
        return _all(new, let, 0) if let.op == "xor" else _to(new, let, let.args[0])
    return None


def _with_ones(new: Rewrite, let: Let, other: str) -> str:
    match let.op:
        case "and":
            return _to(new, let, other)
        case "or":
            return _all(new, let, let.form.wrap(-1))
        case _:
            return new.add("not", let.form, (other,), (), let.where)


def _not(new: Rewrite, let: Let) -> str | None:
    inner = new.lets[let.args[0]]
    return _to(new, let, inner.args[0]) if inner.op == "not" else None


def _same(new: Rewrite, let: Let) -> str | None:
    return _all(new, let, int(let.op != "lt")) if let.args[0] == let.args[1] else None


def _mux(new: Rewrite, let: Let) -> str | None:
    condition, yes, no = let.args
    chosen = new.number(condition)
    if chosen is not None:
        return yes if chosen else no
    return yes if yes == no else None


def _case(new: Rewrite, let: Let) -> str | None:
    selector, *choices = let.args
    chosen = new.number(selector)
    if chosen is not None:
        return choices[let.data.index(chosen)] if chosen in let.data else choices[-1]
    return choices[0] if len(set(choices)) == 1 else None


def _wrap(new: Rewrite, let: Let) -> str | None:
    source = let.args[0]
    inner = new.lets[source]
    if inner.op == "wrap" and (
        let.form.width <= inner.form.width or _has(inner.form, new.form(inner.args[0]))
    ):
        source = inner.args[0]
    if new.form(source) == let.form:
        return source
    return None if source == let.args[0] else _to(new, let, source)


def _has(form: Form, other: Form) -> bool:
    return form.low <= other.low and other.high <= form.high


def _saturate(new: Rewrite, let: Let) -> str | None:
    return _to(new, let, let.args[0]) if _has(let.form, new.form(let.args[0])) else None


def _all_bits(new: Rewrite, let: Let) -> str | None:
    whole = len(let.args) == 1 and new.form(let.args[0]).width == let.form.width
    return _to(new, let, let.args[0]) if whole else None


# Of arrays.


def _unmoved(new: Rewrite, let: Let) -> str | None:
    source = let.args[0]
    moved = let.op == "transpose" and let.data != tuple(range(len(let.form.shape)))
    turned = let.op == "slice" and let.data[2] == -1
    return source if new.form(source) == let.form and not moved and not turned else None


def _reshape(new: Rewrite, let: Let) -> str | None:
    inner = new.lets[let.args[0]]
    if inner.op != "reshape":
        return _unmoved(new, let)
    if new.form(inner.args[0]) == let.form:
        return inner.args[0]
    return new.add("reshape", let.form, inner.args, (), let.where)


def _join(_: Rewrite, let: Let) -> str | None:
    return let.args[0] if len(let.args) == 1 else None


def _take(new: Rewrite, let: Let) -> str | None:
    """Elements at constant places are a slice."""
    array, index = let.args
    places = new.numbers(index)
    if places is None:
        return None
    axes = len(new.form(index).shape)
    count = math.prod(new.form(index).shape)
    source = new.lets[array]
    if axes == 0:
        return _element(new, let, array, places[0])
    if axes > 1 or source.op != "spread" or source.data != (0,):
        return None
    places = places if len(places) > 1 else places * count
    step = places[1] - places[0] if count > 1 else 1
    steady = step != 0 and places == tuple(places[0] + step * n for n in range(count))
    if not steady or max(places) >= new.form(source.args[0]).shape[0]:
        return None
    sliced = Let("slice", let.form, source.args, (0, places[0], step), let.where)
    return _unmoved(new, sliced) or new.add("slice", let.form, source.args, sliced.data, let.where)


def _element(new: Rewrite, let: Let, array: str, place: int) -> str:
    if place >= new.form(array).shape[0]:
        return _all(new, let, 0)
    kept = replace(let.form, shape=(1, *let.form.shape))
    one = new.add("slice", kept, (array,), (0, place, 1), let.where)
    return new.add("reshape", let.form, (one,), (), let.where)


_SIMPLER: Final[dict[str, Simpler]] = {
    "add": _sum,
    "sub": _sum,
    "mul": _product,
    "shl": _shift,
    "shr": _shift,
    **dict.fromkeys(("and", "or", "xor"), _bitwise),
    "not": _not,
    **dict.fromkeys(("eq", "lt", "le"), _same),
    "mux": _mux,
    "case": _case,
    "wrap": _wrap,
    "saturate": _saturate,
    **dict.fromkeys(("bits", "cat"), _all_bits),
    **dict.fromkeys(("spread", "transpose", "slice"), _unmoved),
    "reshape": _reshape,
    "join": _join,
    "take": _take,
}
