"""What a design is made of, counted."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

from zhufeng.hdl import ir
from zhufeng.hdl.verilog._names import legal


@dataclass(frozen=True)
class Part:
    """A module of a design, without what is inside it."""

    name: str
    """Of the printed module: its file is ``NAME.sv``."""
    copies: int
    """How many of it the design has, the links of folds among them."""
    values: int
    """Of the IR, of whatever shape."""
    register_bits: int
    """Of one copy."""
    memory_bits: int
    """Of one copy's memories: what they hold."""


def census(design: ir.Module) -> tuple[Part, ...]:
    """Every module of a design, the outermost first; equal ones are one."""
    names = ir.module_names(design)
    copies = Counter({id(design): 1})
    found: dict[str, Part] = {}
    for one in reversed(ir.below(design)):
        for instance in one.instances.values():
            copies[id(instance.module)] += copies[id(one)] * math.prod(instance.shape)
        for fold in one.folds.values():
            links = fold.length * math.prod(fold.shape)
            copies[id(fold.module)] += copies[id(one)] * links
        part = _counted(one, legal(names[id(one)]), copies[id(one)])
        same = found.get(part.name)
        found[part.name] = replace(part, copies=part.copies + (same.copies if same else 0))
    return tuple(found.values())


def _counted(module: ir.Module, name: str, copies: int) -> Part:
    registers = [one.form for one in module.registers.values()]
    memories = list(module.memories.values())
    return Part(
        name,
        copies,
        len(module.lets),
        sum(form.width * form.size for form in registers),
        sum(one.form.width * one.form.size * one.depth for one in memories),
    )
