"""A systolic array: a matrix product by numbers that only ever go to a neighbour.

Each element of an n x n grid holds one weight. Activations enter on the left and go right, sums
start as 0 on top and go down; on its way, each sum has the product of every element that it
passes added (weight-stationary: H. T. Kung and C. E. Leiserson, "Systolic arrays for VLSI", 1978).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl import (
    Bool,
    Module,
    Signal,
    SInt,
    State,
    Struct,
    connect,
    const,
    instance,
    module,
    mux,
    of,
    reg,
    shift_in,
    vmap,
    wire,
    wrap,
)

Numbers = NDArray[np.int64]


def systolic(n: int = 8, bits: int = 8, acc_bits: int = 24) -> Module[Any, ..., Signal]:
    """An array of n x n processing elements.

    Ports: `a`, an activation for each row; `w`, a weight for each column, taken while `load` is 1,
    the last row's first; `out`, the sum that leaves each column.

    Args:
        n: rows and columns.
        bits: of a signed weight or activation.
        acc_bits: of a sum, which wraps: 2 * bits + ceil(log2 n) hold any.
    """
    number, total = SInt(bits), SInt(acc_bits)

    class Pe(State):
        a: Signal = reg(number, reset=0)
        w: Signal = reg(number, reset=0)
        p: Signal = reg(total, reset=0)

    class PeOut(Struct):
        a: Signal = of(number)
        w: Signal = of(number)
        p: Signal = of(total)

    @module(Pe, a=number, w=number, p=total, load=Bool)
    def pe(s: Pe, a: Signal, w: Signal, p: Signal, load: Signal) -> tuple[Pe, PeOut]:
        product = a * s.w
        return (
            Pe(a=a, w=mux(load, w, s.w), p=wrap(p + product, acc_bits)),
            PeOut(a=s.a, w=s.w, p=s.p),
        )

    class Array(State):
        pes: Pe = instance(pe, n, n)

    @module(Array, a=number.array(n), w=number.array(n), load=Bool)
    def array(s: Array, a: Signal, w: Signal, load: Signal) -> tuple[Array, Signal]:
        between = wire(PeOut.array(n, n))
        a_in = shift_in(a, between.a, axis=1)
        w_in = shift_in(w, between.w)
        p_in = shift_in(const(total.array(n), 0), between.p)
        row = vmap(pe, in_axes=(0, 0, 0, 0, None))
        pes, out = vmap(row, in_axes=(0, 0, 0, 0, None))(s.pes, a_in, w_in, p_in, load)
        connect(between, out)
        return Array(pes=pes), out.p[-1]

    return array


@dataclass(frozen=True)
class SystolicRun:
    """What an array is given to compute x @ w."""

    inputs: dict[str, Numbers]
    """Each port, [cycles, 1, ...]."""
    reset: list[int]
    sums_at: tuple[Numbers, Numbers]
    """The cycle and the column in which each element of the product leaves: [rows of x, n]."""


def skewed(x: Numbers, w: Numbers) -> SystolicRun:
    """The stimulus: two cycles of reset, then the weights, then the activations.

    Column k of x is k cycles late: then it meets the sums to which it belongs.

    Args:
        x: [any, n].
        w: [n, n].
    """
    n, rows, start = len(w), len(x), 2
    cycles = start + 3 * n + rows
    a, weights = np.zeros((2, cycles, 1, n), np.int64)
    load = np.zeros((cycles, 1), np.int64)
    weights[start : start + n, 0], load[start : start + n] = w[::-1], 1
    t, k = np.indices((rows, n))
    a[start + n + t + k, 0, k] = x
    reset = [int(cycle < start) for cycle in range(cycles)]
    # A sum is one cycle in each of the n elements of its column, which begins k cycles late too.
    leaves = start + 2 * n + t + k
    return SystolicRun({"a": a, "w": weights, "load": load}, reset, (leaves, k))


def sums_of(run: SystolicRun, out: Numbers) -> Numbers:
    """The product in what left the array.

    Args:
        run: what it was given.
        out: its output, [cycles, 1, n].
    """
    cycle, column = run.sums_at
    sums: Numbers = out[cycle, 0, column]
    return sums
