"""Common subexpressions."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from zhufeng.hdl.ir import Let, Module
from zhufeng.hdl.passes._pass import Pass
from zhufeng.hdl.passes._rewrite import Rewrite, rewritten

_COMMUTE = frozenset({"add", "mul", "and", "or", "xor", "eq"})


@dataclass(frozen=True)
class CommonSubexpressions(Pass):
    """Writes once what is written twice."""

    def one(self, module: Module) -> Module:
        """See `Pass`."""
        known: dict[Hashable, str] = {}

        def rule(new: Rewrite, name: str, let: Let) -> str:
            args = tuple(sorted(let.args)) if let.op in _COMMUTE else let.args
            key = (let.op, let.form, args, let.data)
            if key not in known:
                known[key] = new.keep(name, let)
            return known[key]

        return rewritten(module, rule)
