"""The designs."""

from __future__ import annotations

from functools import cache

from simulation.design import VERILOG, Design
from simulation.dot16 import BF16, FP32, LANES, dot16
from simulation.stimulus import Drive
from zhufeng.hdl import Bool, SInt, UInt
from zhufeng.hdl.examples import systolic

NAMES = ("sa8", "sa16", "dot16", "cpu")


@cache
def design(name: str) -> Design:
    """One of `NAMES`."""
    match name:
        case "sa8":
            return _systolic(8)
        case "sa16":
            return _systolic(16)
        case "dot16":
            return _dot16()
        case _:
            assert name == "cpu"
            return _cpu()


def _systolic(n: int) -> Design:
    """Generator i gives row i's activation and column i's weight; another one loads 1 in 16."""
    number, total = SInt(8), SInt(32)
    drives = (
        Drive("a", number.array(n), 0, low=0, width=8),
        Drive("w", number.array(n), 0, low=8, width=8),
        Drive("load", Bool, n, "none", width=4),
    )
    return Design(
        name=f"sa{n}",
        drives=drives,
        outputs={"out": total.array(n)},
        traced=systolic(n, number.width, acc_bits=total.width),
        top="sa",
        files=(VERILOG / "sa.sv",),
        parameters={"N": n},
    )


def _dot16() -> Design:
    """A generator for each operand, another for the controls.

    Exponents are 112 to 127, so magnitudes from 2^-15 to nearly 2: products reach over 30 powers
    of two, more than what alignment keeps, and sums stay finite.
    """
    keep, put = 0x87FF, 0x3800  # bits 14 to 11, on top of the exponent, are 0111
    drives = (
        Drive("a", BF16.array(LANES), 0, keep=keep, put=put),
        Drive("b", BF16.array(LANES), LANES, keep=keep, put=put),
        Drive("valid", Bool, 2 * LANES, "some", width=4),
        Drive("clear", Bool, 2 * LANES, "none", low=4, width=4),
    )
    return Design(
        name="dot16",
        drives=drives,
        outputs={"out": FP32},
        traced=dot16,
        top="dot16",
        files=(VERILOG / "dot16.sv",),
    )


def _cpu() -> Design:
    """A generator for the data that it takes, another for stalls (1 in 8) and interrupts."""
    drives = (
        Drive("data", UInt(16), 0),
        Drive("stall", Bool, 1, "none", width=3),
        Drive("irq", Bool, 1, "none", low=3, width=8),
    )
    return Design(
        name="cpu",
        drives=drives,
        outputs={"out": UInt(32), "pc": UInt(32), "events": UInt(32), "took": Bool},
        traced=None,
        top="cpu",
        files=(VERILOG / "cpu.v", VERILOG / "rom.v"),
    )
