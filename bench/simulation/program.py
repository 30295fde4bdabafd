"""The CPU's program, and an assembler for what it is written in.

The program goes on for ever: it takes 16 words from `data`, sorts them (insertion sort), computes
the CRC-16 of the sorted ones bit by bit (x^16 + x^15 + x^2 + 1, reflected; as MODBUS has it) and
the sum of products of the first with the last, the second with the last but one, and so on, by
shifting and adding; all goes into a running result in `out`. An interrupt counts `events` up.

``python -m simulation.program`` in ``bench`` writes the ROM's Verilog anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

ROM = Path(__file__).parent / "verilog" / "rom.v"

PROGRAM = """
        addi s11, x0, 0         # events
        mret
        jal x0, main
handler:
        addi s11, s11, 1
        sw s11, 0x404(x0)
        mret
main:
        addi s0, x0, 0          # the running result
        addi s3, x0, 64         # the end of the array
        lui s4, 0x10
        addi s4, s4, -1         # 0xFFFF, what a CRC begins with
        lui s5, 0xa
        addi s5, s5, 1          # 0xA001, its polynomial
again:
        addi t0, x0, 0
take:
        lw t1, 0x400(x0)
        sw t1, 0(t0)
        addi t0, t0, 4
        bne t0, s3, take
        addi t0, x0, 4
sort:
        lw t1, 0(t0)
        addi t2, t0, 0
down:
        beq t2, x0, place
        lw t3, -4(t2)
        bgeu t1, t3, place
        sw t3, 0(t2)
        addi t2, t2, -4
        jal x0, down
place:
        sw t1, 0(t2)
        addi t0, t0, 4
        bne t0, s3, sort
        addi s1, s4, 0
        addi t0, x0, 0
word:
        lw t1, 0(t0)
        xor s1, s1, t1
        addi t2, x0, 16
bit:
        andi t3, s1, 1
        srli s1, s1, 1
        beq t3, x0, even
        xor s1, s1, s5
even:
        addi t2, t2, -1
        bne t2, x0, bit
        addi t0, t0, 4
        bne t0, s3, word
        addi s2, x0, 0
        addi t0, x0, 0
        addi t1, x0, 60
pair:
        lw a0, 0(t0)
        lw a1, 0(t1)
        jal ra, multiply
        add s2, s2, a0
        addi t0, t0, 4
        addi t1, t1, -4
        blt t0, t1, pair
        srli t0, s0, 31         # turned left by one
        slli s0, s0, 1
        or s0, s0, t0
        xor s0, s0, s2
        add s0, s0, s1
        sw s0, 0x400(x0)
        jal x0, again
multiply:
        addi a2, a0, 0
        addi a0, x0, 0
step:
        beq a1, x0, finished
        andi a3, a1, 1
        beq a3, x0, none
        add a0, a0, a2
none:
        slli a2, a2, 1
        srli a1, a1, 1
        jal x0, step
finished:
        jalr x0, 0(ra)
"""

# Of the RISC-V Instruction Set Manual, volume I, chapter "RV32/64G Instruction Set Listings".
_ALU = {
    "add": (0, 0),
    "sub": (0, 0x20),
    "sll": (1, 0),
    "slt": (2, 0),
    "sltu": (3, 0),
    "xor": (4, 0),
    "srl": (5, 0),
    "sra": (5, 0x20),
    "or": (6, 0),
    "and": (7, 0),
}
_BRANCHES = {"beq": 0, "bne": 1, "blt": 4, "bge": 5, "bltu": 6, "bgeu": 7}
_SHIFTS = ("sll", "srl", "sra")
_NAMES = (
    *("zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"),
    *(f"a{k}" for k in range(8)),
    *(f"s{k}" for k in range(2, 12)),
    *(f"t{k}" for k in range(3, 7)),
)
_REGISTERS = {**{f"x{k}": k for k in range(32)}, **{name: k for k, name in enumerate(_NAMES)}}
_PLACE = re.compile(r"(.+)\((\w+)\)")
_WORD = 4


def assemble(text: str) -> list[int]:
    """The words of a program that begins at address 0.

    A line has an instruction, or a label before a colon; ``#`` begins a comment.
    """
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    labels: dict[str, int] = {}
    instructions: list[str] = []
    for line in filter(None, lines):
        if line.endswith(":"):
            labels[line[:-1]] = _WORD * len(instructions)
        else:
            instructions.append(line)
    return [_word(one, _WORD * k, labels) for k, one in enumerate(instructions)]


def _word(line: str, pc: int, labels: Mapping[str, int]) -> int:
    name, _, rest = line.partition(" ")
    parts = [part.strip() for part in rest.split(",")]
    if name == "mret":
        return 0x3020_0073
    if name in _BRANCHES:
        offset = _branch(labels[parts[2]] - pc)
        return offset | _of(parts[1]) << 20 | _of(parts[0]) << 15 | _BRANCHES[name] << 12 | 0x63
    if name == "sw":
        offset, base = _place(parts[1])
        high, low = _bits(offset, 12) >> 5, offset & 31
        return high << 25 | _of(parts[0]) << 20 | base << 15 | 2 << 12 | low << 7 | 0x23
    return _rest(name, parts, pc, labels) | _of(parts[0]) << 7


def _rest(name: str, parts: Sequence[str], pc: int, labels: Mapping[str, int]) -> int:
    """An instruction with a destination, which is left 0."""
    if name in {"lui", "auipc"}:
        return _bits(int(parts[1], 0), 20) << 12 | (0x37 if name == "lui" else 0x17)
    if name == "jal":
        return _jump(labels[parts[1]] - pc) | 0x6F
    if name in {"lw", "jalr"}:
        offset, base = _place(parts[1])
        return _bits(offset, 12) << 20 | base << 15 | (0x2003 if name == "lw" else 0x67)
    if name in _ALU:
        funct3, funct7 = _ALU[name]
        last, opcode = funct7 << 5 | _of(parts[2]), 0x33
    else:
        funct3, funct7 = _ALU[name[:-2] + "u" if name.endswith("iu") else name[:-1]]
        shift = name[:-1] in _SHIFTS
        number = int(parts[2], 0)
        last, opcode = funct7 << 5 | _bits(number, 5) if shift else _bits(number, 12), 0x13
    return last << 20 | _of(parts[1]) << 15 | funct3 << 12 | opcode


def _of(register: str) -> int:
    return _REGISTERS[register]


def _place(text: str) -> tuple[int, int]:
    """An address as ``offset(register)``."""
    found = _PLACE.fullmatch(text)
    assert found is not None, text
    return int(found[1], 0), _of(found[2])


def _bits(number: int, width: int) -> int:
    assert -(1 << width - 1) <= number < 1 << width, number
    return number & (1 << width) - 1


def _jump(offset: int) -> int:
    low, high = offset >> 1 & 0x3FF, offset >> 12 & 0xFF
    return (offset >> 20 & 1) << 31 | low << 21 | (offset >> 11 & 1) << 20 | high << 12


def _branch(offset: int) -> int:
    assert -(1 << 12) <= offset < 1 << 12
    high, low = (offset >> 12 & 1) << 6 | offset >> 5 & 0x3F, offset & 0x1E | offset >> 11 & 1
    return high << 25 | low << 7


def rom(words: list[int]) -> str:
    """A module with these words, in Verilog; 0 behind them."""
    rows = "".join(f"      8'd{k}: word = 32'h{word:08x};\n" for k, word in enumerate(words))
    return (
        "// Made by bench/simulation/program.py.\n"
        "module rom (\n  input  wire [7:0]  address,\n  output reg  [31:0] word\n);\n"
        "  always @* begin\n    case (address)\n"
        f"{rows}      default: word = 32'd0;\n    endcase\n  end\nendmodule\n"
    )


if __name__ == "__main__":
    ROM.write_text(rom(assemble(PROGRAM)))
