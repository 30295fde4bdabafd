"""The systolic array in Amaranth, in Amaranth's own simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

BITS, ACC_BITS = 8, 32


def run(n: int, inputs: Mapping[str, Sequence[Any]]) -> list[list[int]]:
    """What leaves an n x n array in each cycle.

    Args:
        n: rows and columns.
        inputs: `a` and `w`, a list for each cycle, and `load`.
    """
    a, w = ([Signal(signed(BITS)) for _ in range(n)] for _ in range(2))
    load, m = Signal(), Module()
    a_q, w_q = ([[Signal(signed(BITS)) for _ in range(n)] for _ in range(n)] for _ in range(2))
    p_q = [[Signal(signed(ACC_BITS)) for _ in range(n)] for _ in range(n)]
    for r in range(n):
        for c in range(n):
            left = a_q[r][c - 1] if c else a[r]
            above = p_q[r - 1][c] if r else 0
            m.d.sync += [a_q[r][c].eq(left), p_q[r][c].eq(above + left * w_q[r][c])]
            with m.If(load):
                m.d.sync += w_q[r][c].eq(w_q[r - 1][c] if r else w[c])
    found: list[list[int]] = []

    async def bench(context: Any) -> None:
        for row, column, loads in zip(inputs["a"], inputs["w"], inputs["load"], strict=True):
            for signal, value in zip((*a, *w, load), (*row, *column, loads), strict=True):
                context.set(signal, value)
            found.append([context.get(one) for one in p_q[-1]])
            await context.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found
