"""Pieces of SystemVerilog: types, literals, loops, and what is written where it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from zhufeng.hdl import ir
from zhufeng.hdl.ir import Form, Let
from zhufeng.hdl.verilog._expressions import literal
from zhufeng.hdl.verilog._names import INDEX

INDENT = "  "

ON_NAMES = frozenset({"bits", "leading"})
# Their results are as wide as they look in any context.
_PLAIN = frozenset({"and", "or", "xor", "eq", "lt", "le", "all", "any", "parity", "bits", "cat"})


def closed(let: Let, text: str) -> str:
    """An expression as an operand: with its own width and sign in any context."""
    if let.form.signed:
        return f"$signed({text})"
    return f"({text})" if let.op in _PLAIN else f"$unsigned({text})"


def inlined_values(module: ir.Module) -> frozenset[str]:
    """Values that are written where they are used."""
    whole: set[str] = set(module.outputs.values())
    uses: Counter[str] = Counter()
    for let in module.lets.values():
        uses.update(let.args)
        elementwise = ir.OPS[let.op].elementwise and let.op not in ON_NAMES
        if not (elementwise or let.op in ("transpose", "slice", "join", "take", "put")):
            whole.update(let.args)
    whole.update(one.next for one in module.registers.values())
    parts: list[ir.Instance | ir.Fold] = [*module.instances.values(), *module.folds.values()]
    for part in parts:
        whole.update(part.inputs.values())
    for memory in module.memories.values():
        whole.update(ir.memory_values(memory))
    uses.update(one.enable for one in module.instances.values() if one.enable)
    uses.update(claim.value for claim in module.claims)
    found = set()
    for name, let in module.lets.items():
        if name in whole:
            if let.op == "const" and not let.form.shape:
                found.add(name)
        elif (
            let.op == "spread"
            or (let.op == "const" and len(set(let.data)) == 1)
            or (ir.OPS[let.op].elementwise and name.isdigit() and uses[name] == 1)
        ):
            found.add(name)
    return frozenset(found)


def declared(form: Form) -> str:
    """The type of a port or a variable."""
    sizes = [*form.shape] if form.width == 1 and not form.signed else [*form.shape, form.width]
    sign = " signed" if form.signed and not form.shape else ""
    return "logic" + sign + "".join(f" [{size - 1}:0]" for size in sizes).replace("] [", "][")


def indexed(name: str, index: Sequence[str]) -> str:
    """An element of something."""
    return name + "".join(f"[{one}]" for one in index)


def offset_index(start: int, step: int, index: str) -> str:
    """The place of a sliced or joined element in its source."""
    scaled = index if step == 1 else f"{step} * {index}"
    if not index.isidentifier():
        scaled = f"({index})" if step == 1 else f"{step} * ({index})"
    return f"{start} + {scaled}" if start else scaled


def array_of(numbers: Sequence[int], form: Form) -> str:
    """An array of numbers, element 0 in the lowest bits."""
    element = Form(form.width, form.signed)
    texts = [literal(number, element) for number in reversed(numbers)]
    if not form.shape:
        return texts[0]
    if len(set(numbers)) == 1:
        return f"{{{len(numbers)}{{{texts[0]}}}}}" if numbers[0] else "'0"
    return f"{{{', '.join(texts)}}}"


def array_literal(let: Let) -> str:
    """A constant array."""
    numbers = [int(str(one)) for one in let.data]
    return array_of(numbers * (let.form.size if len(numbers) == 1 else 1), let.form)


def loops(
    shape: Sequence[int], body: Callable[[Sequence[str]], Sequence[str]], label: str
) -> Iterator[str]:
    """Lines for every element of an array: generate loops around those for one."""
    letters = [f"{INDEX}{axis}" for axis in range(len(shape))]
    for depth, (size, letter) in enumerate(zip(shape, letters, strict=True)):
        name = label if depth == len(shape) - 1 else f"{label}_{letter}"
        head = f"for (genvar {letter} = 0; {letter} < {size}; {letter}++) begin : {name}"
        yield INDENT * depth + head
    for line in body(letters):
        yield INDENT * len(shape) + line
    for depth in reversed(range(len(shape))):
        yield f"{INDENT * depth}end"
