"""What the bits below an accumulator's largest exponent are for: its error by their number G.

Shifting to the right rounds down, so each step of the dot unit (rule 4.4 of docs/formats.md) may
lose a little, always downwards. Here sums of 6-bit blocks are accumulated with several G, and what
is lost is compared with the exact sums of the same blocks, and with what quantising to 6 and 8
bits changes. With the contract's own G the result must be that of `zhufeng.formats.host`.

Figures, in parts per million of the root mean square of the exact sums: ``bias_gG_kK`` the mean
error, ``error_gG_kK`` its root mean square, ``quantising_b_kK`` that of quantising to b bits; of
centred numbers, and with ``positive_`` before it of positive ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import Figure, Report, main
from zhufeng.formats import host
from zhufeng.formats.blocks import BIAS, BLOCK, GUARD, PAIRS

Array = NDArray[Any]
GUARDS = (0, 4, 6, 8, 10, 12)
LENGTHS = (1 << 10, 1 << 14, 1 << 17)
BITS = 6
_SUMS = 1 << 12
_ROOM = 1 << 30


def measure(quick: bool, seed: int) -> Report:
    """All lengths, but the longest where it is to be quick."""
    figures: dict[str, Figure] = {}
    for length in LENGTHS[: 2 if quick else 3]:
        for kind in ("", "positive_"):
            x, y = operands(np.random.default_rng([seed, length]), length, positive=bool(kind))
            for name, error in errors(x, y).items():
                figures[f"{kind}{name}_k{length}"] = Figure(error, runs=_SUMS)
    return Report(figures)


def operands(draw: np.random.Generator, length: int, *, positive: bool) -> tuple[Array, Array]:
    """Rows of normal numbers, of which every block has a size of its own."""
    rows = 1 << 6
    found = []
    for _ in range(2):
        x = draw.standard_normal((rows, length // BLOCK, BLOCK)) * np.exp2(
            draw.normal(0, 2, (rows, length // BLOCK, 1))
        )
        found.append(np.float32(abs(x) if positive else x).reshape(rows, length))
    return found[0], found[1]


def errors(x: Array, y: Array) -> dict[str, float]:
    """By name, in parts per million."""
    a, b = host.quantise(x, BITS), host.quantise(y, BITS)
    exact = host.dequantise(a).astype(float) @ host.dequantise(b).astype(float).T
    size = float(np.sqrt(np.mean(exact**2))) / 1e6
    found = {}
    for guard in GUARDS:
        got = accumulated(a, b, guard)
        if guard == GUARD and not np.array_equal(np.float32(got), host.multiply(a, b)):
            raise AssertionError("the accumulator of this script is not that of the contract")
        found[f"bias_g{guard}"] = float(np.mean(got - exact)) / size
        found[f"error_g{guard}"] = float(np.sqrt(np.mean((got - exact) ** 2))) / size
    true = x.astype(float) @ y.astype(float).T
    for bits in (BITS, 8):
        p, q = (host.dequantise(host.quantise(one, bits)).astype(float) for one in (x, y))
        found[f"quantising_{bits}"] = float(np.sqrt(np.mean((p @ q.T - true) ** 2))) / size
    return found


def accumulated(a: host.Blocks, b: host.Blocks, guard: int) -> Array:
    """Rules 4.1 to 4.5 with another G, as fp64."""
    held = np.zeros((len(a.codes), len(b.codes)), np.int64)
    exponent = np.zeros_like(held)
    codes = [one.codes.astype(np.int64) for one in (a, b)]
    elements = [one.elements.astype(float) for one in (a, b)]
    for step in range(0, codes[0].shape[1], PAIRS):
        terms = []
        for place in range(step, step + PAIRS):
            left, right = (one[:, place] for one in codes)
            some = (left > 0)[:, None] & (right > 0)
            sums = (elements[0][:, place] @ elements[1][:, place].T).astype(np.int64)
            terms.append(
                (np.where(some, sums << guard, 0), np.where(some, left[:, None] + right, 0))
            )
        most = np.maximum(exponent, np.maximum(terms[0][1], terms[1][1]))
        held >>= np.minimum(most - exponent, 63)
        for sums, reached in terms:
            held += sums >> np.minimum(most - reached, 63)
        high = (held < -_ROOM) | (held >= _ROOM)
        held, exponent = np.where(high, held >> 1, held), most + high
    found: Array = np.ldexp(held.astype(float), exponent - 2 * (BIAS + BITS) - guard)
    return found


if __name__ == "__main__":
    main("guard_bits", __doc__ or "", measure, packages=("numpy",))
