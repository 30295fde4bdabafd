"""Make the texts on which the demo's three small decoders learn.

    python docs/make_fuse_texts.py     # writes the package's demo/members/*.txt

Of each kind as much: English prose from these documents, Python from the package's own modules, and
SystemVerilog as `zhufeng.hdl` prints it. They were made once, and are not made again when a
document or a module changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from zhufeng.formats.baseline import bf16_dot
from zhufeng.formats.blocks import block_dot, packed_block, quantiser, scale_code
from zhufeng.formats.floats import BF16, add, fma, multiply
from zhufeng.hdl.examples.products import products
from zhufeng.hdl.examples.systolic import systolic
from zhufeng.hdl.passes import simplify
from zhufeng.hdl.verilog import to_verilog

ROOT = Path(__file__).parents[1]
MEMBERS = ROOT / "src" / "zhufeng" / "route" / "demo" / "members"
BYTES = 24_000
_SHORT = 200
_MARKS = re.compile(r"\[([^\]]*)\]\([^)]*\)|[*`]")


def prose() -> Iterator[str]:
    """Paragraphs of the documents, without tables, code, lists and marks."""
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
        for part in text.split("\n\n"):
            if len(part) > _SHORT and part[0].isupper() and "|" not in part:
                yield _MARKS.sub(lambda found: found[1] or "", part) + "\n\n"


def python() -> Iterator[str]:
    """Modules of the rooms that everything stands on."""
    for room in ("base", "records", "report"):
        for path in sorted((ROOT / "src" / "zhufeng" / room).glob("_*.py")):
            yield path.read_text() + "\n"


def verilog() -> Iterator[str]:
    """Designs as they are printed."""
    designs = (systolic(4), products(4), scale_code(6), quantiser(6), packed_block(6))
    floats = (multiply(BF16), add(BF16), fma(BF16), bf16_dot(4, 24), block_dot(6, 6))
    for design in (*designs, *floats):
        for text in to_verilog(simplify(design.ir)).files.values():
            yield text + "\n"


def main() -> None:
    """Write them."""
    MEMBERS.mkdir(exist_ok=True)
    for name, parts in (("prose", prose()), ("python", python()), ("verilog", verilog())):
        text = "".join(parts).encode()[:BYTES].decode(errors="ignore")
        (MEMBERS / f"{name}.txt").write_text(text)


if __name__ == "__main__":
    main()
