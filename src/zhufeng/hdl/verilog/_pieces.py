"""Pieces of SystemVerilog: types, constants, indices, loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from zhufeng.hdl.ir import Form
from zhufeng.hdl.verilog._expressions import literal
from zhufeng.hdl.verilog._names import INDEX

INDENT = "  "
_LINE = 96
_ROW = 16


def declared(form: Form) -> str:
    """The type of a port or a variable, after ``logic`` or ``wire``; "" of a single bit."""
    sizes = [*form.shape] if form.width == 1 and not form.signed else [*form.shape, form.width]
    sign = "signed " if form.signed and not form.shape else ""
    return sign + "".join(f"[{size - 1}:0]" for size in sizes)


def variable(kind: str, form: Form, name: str) -> str:
    """A declaration, without its end."""
    return " ".join(part for part in (kind, declared(form), name) if part)


def message(text: str) -> str:
    """A string that ``$error`` prints as it is."""
    written = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "%": "%%"}
    shown = (written.get(c, c if c.isprintable() else f"\\{ord(c) % 256:03o}") for c in text)
    return f'"{"".join(shown)}"'


def indexed(name: str, index: Sequence[str]) -> str:
    """An element of something."""
    return name + "".join(f"[{one}]" for one in index)


def variable_of(name: str, index: Sequence[str], form: Form) -> str:
    """An element of something, where a procedural block sets it.

    Args:
        name: of the whole.
        index: of the element.
        form: of the whole.
    """
    # Icarus 11 fails there on an element of what is one bit in all.
    return name if form.size == form.width == 1 else indexed(name, index)


def offset_index(start: int, step: int, index: str) -> str:
    """The place of a sliced or joined element in its source."""
    if index.isdigit():
        return str(start + step * int(index))
    scaled = index if index.isidentifier() or step == 1 else f"({index})"
    scaled = scaled if step == 1 else f"{step} * {scaled}"
    return f"{scaled} + {start}" if start else scaled


def array_of(numbers: Sequence[int], form: Form) -> str:
    """An array of numbers, element 0 in the lowest bits.

    Args:
        numbers: one for all elements, or each in row-major order.
        form: of the array.
    """
    element = Form(form.width, form.signed)
    texts = [literal(number, element) for number in reversed(numbers)]
    if not form.shape:
        return texts[0]
    if len(set(numbers)) == 1:
        return f"{{{form.size}{{{texts[0]}}}}}"
    if len(texts) <= _ROW:
        return f"{{{', '.join(texts)}}}"
    rows = [", ".join(texts[begin : begin + _ROW]) for begin in range(0, len(texts), _ROW)]
    return "{\n" + ",\n".join(INDENT * 2 + row for row in rows) + f"\n{INDENT}}}"


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


def bracketed(head: str, items: Sequence[str], end: str) -> list[str]:
    """Items between brackets: on one line where they fit, else a line each."""
    line = f"{head}({', '.join(items)}){end}"
    if len(line) <= _LINE:
        return [line]
    lines = [f"{INDENT}{item}," for item in items[:-1]]
    return [f"{head}(", *lines, f"{INDENT}{items[-1]}", f"){end}"]
