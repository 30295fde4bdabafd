"""Verify a 16 x 16 systolic array against a matrix product: what its designer runs after an edit.

    python verify.py SOURCE VECTORS LANES SEED

SOURCE is a file of Python with `systolic`, as zhufeng.hdl.examples has it; VECTORS are verified,
each of `CYCLES` cycles, as many as LANES side by side. Printed is JSON: how many were right, and a
digest of all sums; the exit code is 1 unless all were.

Stimulus: four 32-bit xorshift generators a vector, x ^= x << 13; x ^= x >> 17; x ^= x << 5 (G.
Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003), whose bytes are 16 signed
numbers a cycle. A tile of `PERIOD` cycles takes weights in its first 16 cycles, then activations,
then zeros until all sums have left. Every cycle, a sum of each column is multiplied by `FACTOR` and
what leaves the column is added, modulo 2^32.

The model knows nothing of the array but which element of which row goes in when, and when its sum
leaves. Where X has the rows of a tile, W its weights, and r the powers of FACTOR, the sums are
r (X W). It computes (r X) W, as R. Freivalds checks a product of matrices ("Probabilistic machines
can use less running time", IFIP Congress 1977, 839-842): the same numbers, with less to do. FACTOR
is odd, so that no single wrong output can pass; of several, one in 2^32.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl import (
    Bits,
    Bool,
    Module,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    as_bits,
    as_sint,
    as_uint,
    const,
    join,
    module,
    mux,
    of,
    reg,
    wrap,
)
from zhufeng.hdl.compile import compile, harness  # noqa: A004

N, BITS, ACC_BITS = 16, 8, 32
TILES, PERIOD = 4, 250
CYCLES = TILES * PERIOD
FED = PERIOD - 2 * N + 1
"""From this cycle of a tile on nothing more goes in: the last sum leaves in its last one."""
FACTOR = 0x9E37_79B1
"""A prime near 2^32 over the golden ratio."""
GENERATORS = N // 4
SHIFTS = (13, -17, 5)
"""Left; right where negative."""

Words = NDArray[np.uint32]
Numbers = NDArray[np.int32]


# The array between its stimulus and its sums.


class Generators(State):
    """They take their start values in the first cycle."""

    x: Signal = reg(Bits(32).array(GENERATORS), reset=0)
    begun: Signal = reg(Bool, reset=0)
    cycle: Signal = reg(UInt(8), reset=0)


class Driven(Struct):
    """The inputs of the array."""

    a: Signal = of(SInt(BITS).array(N))
    w: Signal = of(SInt(BITS).array(N))
    load: Signal = of(Bool)


@module(Generators, seed=Bits(32).array(GENERATORS))
def stimulus(s: Generators, seed: Signal) -> tuple[Generators, Driven]:
    """Byte b of generator g is number 4 b + g."""
    x = mux(s.begun, s.x, seed)
    after = x
    for by in SHIFTS:
        after = after ^ (wrap(after << by, 32) if by > 0 else after >> -by)
    numbers = as_sint(join(*(wrap(x >> 8 * byte, BITS) for byte in range(4))))
    load = s.cycle < N
    cycle = mux(s.cycle == PERIOD - 1, 0, wrap(s.cycle + 1, 8))
    a = mux(load | (s.cycle >= FED), 0, numbers)
    return Generators(x=after, begun=const(Bool, 1), cycle=cycle), Driven(a, numbers, load)


class Sums(State):
    """Of each column."""

    sums: Signal = reg(UInt(32).array(N), reset=0)


@module(Sums, out=SInt(ACC_BITS).array(N))
def monitor(s: Sums, out: Signal) -> tuple[Sums, Signal]:
    """The sums, this cycle's number in them."""
    after = wrap(s.sums * FACTOR + as_uint(as_bits(out)), UInt(32))
    return Sums(sums=after), after


def simulated(array: Module[Any, ..., Any], seeds: Words, lanes: int) -> Words:
    """What the array's sums are in the end, [vectors, N]; seeds are [vectors, GENERATORS]."""
    simulator = compile(harness(array.ir, stimulus.ir, monitor.ir), lanes)
    rows = np.zeros((-(-len(seeds) // lanes) * lanes, GENERATORS), np.int64)
    rows[: len(seeds)] = seeds
    begin = simulator.start(lanes)
    found = [
        simulator.run({"seed": some[None]}, CYCLES, last=True, start=begin).outputs["out"][0]
        for some in rows.reshape(-1, lanes, GENERATORS)
    ]
    return np.concatenate(found)[: len(seeds)].astype(np.uint32)


# The model.


def modelled(seeds: Words) -> Words:
    """What they must be."""
    numbers = _numbers(seeds)
    weights = np.empty((len(seeds), N, N), np.int32)
    sums = np.zeros((len(seeds), N), np.int32)
    # Column j's sum of the row whose element 0 goes in in cycle t leaves in cycle t + N + j.
    element, column = np.meshgrid(_PLACES, _PLACES, indexing="ij")
    late = _powers(N - 1 + element - column)
    for _ in range(TILES):
        for row in _PLACES[::-1]:
            weights[:, row] = next(numbers)
        rows = np.zeros((len(seeds), N), np.int32)
        for _ in range(N, FED):
            rows *= _FACTOR
            rows += next(numbers)
        for _ in range(FED, PERIOD):
            next(numbers)
        sums *= _powers(np.array(PERIOD))
        sums += np.einsum("vk,vkj->vj", rows, weights * late)
    return sums.view(np.uint32)[:, _PLACES]


_PLACES = np.arange(N).reshape(4, GENERATORS).T.reshape(-1)
"""Number k is the byte at this place, and the other way round."""
_FACTOR = np.array(FACTOR, np.uint32).view(np.int32)


def _numbers(seeds: Words) -> Iterator[NDArray[np.int8]]:
    """The generators' bytes in each cycle, [vectors, N], which the next one overwrites."""
    x, moved = seeds.copy(), np.empty_like(seeds)
    while True:
        yield x.view(np.int8)
        for by in SHIFTS:
            shift = np.left_shift if by > 0 else np.right_shift
            x ^= shift(x, np.uint32(abs(by)), out=moved)


def _powers(exponents: NDArray[np.int64]) -> Numbers:
    """Of the factor, modulo 2^32."""
    every = [pow(FACTOR, n, 1 << 32) for n in range(int(exponents.max()) + 1)]
    return np.array(every, np.uint32).view(np.int32)[exponents]


# Both.


def seeds_of(vectors: int, seed: int) -> Words:
    """Start values, [vectors, GENERATORS], from 1: of SplitMix's finaliser, in a row."""
    counted = np.arange(1, vectors * GENERATORS + 1, dtype=np.uint64) + np.uint64(seed << 32)
    z = counted * np.uint64(0x9E37_79B9_7F4A_7C15)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58_476D_1CE4_E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D0_49BB_1331_11EB)
    words = (z >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
    return words.reshape(vectors, GENERATORS)


def digest(sums: Words) -> int:
    """Of all of them, in whatever order."""
    return int(np.bitwise_xor.reduce(sums, axis=None))


def load(source: Path) -> Any:
    """The module of Python in a file."""
    spec = importlib.util.spec_from_file_location(source.stem, source)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[source.stem] = made
    spec.loader.exec_module(made)
    return made


def main(source: str, vectors: str, lanes: str, seed: str) -> int:
    """Verify; the exit code."""
    array = load(Path(source)).systolic(N, BITS, acc_bits=ACC_BITS)
    seeds = seeds_of(int(vectors), int(seed))
    found = simulated(array, seeds, int(lanes))
    right = int((found == modelled(seeds)).all(axis=1).sum())
    print(json.dumps({"vectors": len(seeds), "right": right, "digest": digest(found)}))
    return int(right < len(seeds))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
