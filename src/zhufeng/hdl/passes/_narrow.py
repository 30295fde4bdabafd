"""Width narrowing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from zhufeng.hdl.ir import Form, Let, Module, references
from zhufeng.hdl.passes._pass import Pass
from zhufeng.hdl.passes._ranges import Range, range_of, whole
from zhufeng.hdl.passes._rewrite import Rewrite, rewritten

# These take their operands as numbers, whatever their widths.
_BY_VALUE = frozenset({"add", "sub", "mul", "shl", "shr", "wrap", "saturate", "eq", "lt", "le"})
# Of these, fewer bits of the result need fewer bits of nothing but themselves.
_FROM_BELOW = frozenset({"add", "sub", "mul", "shl", "wrap"})
_CHOICES = frozenset({"mux", "case"})


@dataclass(frozen=True)
class WidthNarrowing(Pass):
    """Computes in no more bits than the numbers that can occur, or than anybody reads, need."""

    def one(self, module: Module) -> Module:
        """See `Pass`."""
        return rewritten(module, _Narrower(module).rule)


class _Narrower:
    def __init__(self, module: Module) -> None:
        self._uses = _uses(module)
        self._old: dict[str, str] = {}
        self._ranges: dict[str, Range] = {}
        self._narrow: dict[str, str] = {}

    def rule(self, new: Rewrite, name: str, let: Let) -> str:
        """Of a value: itself, or what has been narrowed and widened again."""
        let = self._by_value(let)
        forms = [new.form(arg) for arg in let.args]
        found = range_of(let, forms, [self._range(new, arg) for arg in let.args])
        low, high = found
        if low == high and let.op not in ("const", "input", "register", "port", "read"):
            return self._known(new.add("const", let.form, (), (low,), let.where), found)
        form = _least(let.form, found)
        if form.width < let.form.width and let.op in _BY_VALUE | _CHOICES and let.op != "wrap":
            return self._narrowed(new, name, self._fitted(new, let, form), found)
        if let.op == "wrap" and self._reads_alone(new, let):
            source = new.lets[let.args[0]]
            let = self._by_value(replace(source, form=let.form, where=let.where))
        return self._known(new.keep(name, let), found)

    def _known(self, value: str, found: Range) -> str:
        self._ranges[value] = found
        return value

    def _range(self, new: Rewrite, value: str) -> Range:
        return self._ranges.get(value, whole(new.form(value)))

    def _by_value(self, let: Let) -> Let:
        """With the narrow ones of its operands, where it takes numbers of any width."""
        if let.op not in _BY_VALUE:
            return let
        return replace(let, args=tuple(self._narrow.get(arg, arg) for arg in let.args))

    def _fitted(self, new: Rewrite, let: Let, form: Form) -> Let:
        """In a narrower form; a choice's operands with it."""
        if let.op not in _CHOICES:
            return replace(let, form=form)
        choices = [self._narrow.get(arg, arg) for arg in let.args[1:]]
        fitted = [_in_form(new, arg, form, let.where) for arg in choices]
        return replace(let, form=form, args=(let.args[0], *fitted))

    def _narrowed(self, new: Rewrite, name: str, let: Let, found: Range) -> str:
        form = new.module.lets[name].form
        narrow = self._known(new.keep(name, let), found)
        wide = self._known(new.add("wrap", form, (narrow,), (), let.where), found)
        self._narrow[wide] = narrow
        self._uses[narrow] = 2
        return wide

    def _reads_alone(self, new: Rewrite, let: Let) -> bool:
        """Whether nobody else reads what a `wrap` cuts off."""
        source = let.args[0]
        inner = new.lets[source]
        return (
            inner.op in _FROM_BELOW
            and let.form.width <= inner.form.width
            and self._uses[source] == 1
            and (inner.op != "wrap" or bool(inner.args))
        )


def _in_form(new: Rewrite, value: str, form: Form, where: str) -> str:
    """A value whose numbers the form has."""
    numbers = new.numbers(value)
    if numbers is None:
        return new.wrapped(value, form, where)
    return new.add("const", form, (), numbers, where)


def _least(form: Form, found: Range) -> Form:
    """The narrowest form of that sign that has the numbers of a range."""
    low, high = found
    if form.signed:
        return replace(
            form, width=max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1
        )
    return replace(form, width=high.bit_length())


def _uses(module: Module) -> Counter[str]:
    """How often each value is referred to."""
    uses = Counter(references(module))
    for let in module.lets.values():
        uses.update(let.args)
    return uses
