"""What drives the designs and judges their outputs: one definition in three forms.

Stimulus: 16-bit xorshift generators, x ^= x << 7; x ^= x >> 9; x ^= x << 8 (G. Marsaglia,
"Xorshift RNGs", Journal of Statistical Software 8(14), 2003; these shifts go through all 65,535
states but 0). In cycle 0 a generator stands at its seed, which is never 0, and every cycle moves
it on. Each element of an input is wired to some bits of one generator.

Checksum: a word of 32 bits for each element of an output. Every cycle it is rotated left by one
and the element is added by exclusive or; the last cycle's is the result.

Here in NumPy (`seeds_of`, `inputs_of`, `checksums`) and in our language (`stimulus_module`,
`checksum_module`); in C++ in `driver`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl import (
    Bits,
    Bool,
    Module,
    Signal,
    State,
    Struct,
    Type,
    any_bit,
    as_bits,
    cat,
    join,
    module,
    mux,
    of,
    reg,
    reshape,
    wrap,
)

Words = NDArray[np.uint16]
Sums = NDArray[np.uint32]

BITS, SUM_BITS = 16, 32
SHIFTS = (7, -9, 8)
"""Left; right where negative."""
_ALL = 0xFFFF


@dataclass(frozen=True)
class Drive:
    """How an input follows from the generators."""

    port: str
    kind: Type
    """The elements of one axis, or a single one, of at most 16 bits."""
    first: int
    """The generator of element 0; the next element's is the next one."""
    how: Literal["bits", "none", "some"] = "bits"
    """The bits as they are; or, of a Bool, whether none of them is 1, or some of them is."""
    low: int = 0
    """The lowest bit that is taken."""
    width: int = BITS
    """How many are taken."""
    keep: int = _ALL
    """Of "bits": those that are taken as they are,"""
    put: int = 0
    """and those that are 1 for ever."""

    @property
    def count(self) -> int:
        """Elements."""
        return self.kind.form.size

    def values(self, x: Words) -> NDArray[np.int64]:
        """Of the generators' words [..., generators]."""
        own = x[..., self.first : self.first + self.count].astype(np.int64)
        taken = own >> self.low & (1 << self.width) - 1
        shaped = taken.reshape(*x.shape[:-1], *self.kind.shape)
        if self.how == "bits":
            found = shaped & self.keep | self.put
            sign = int(self.kind.signed) << (self.kind.width - 1)
            signed: NDArray[np.int64] = (found ^ sign) - sign
            return signed
        wanted: NDArray[np.bool_] = (shaped != 0) == (self.how == "some")
        return wanted.astype(np.int64)

    def signal(self, x: Signal) -> Signal:
        """Of the generators' words as a signal."""
        own = x[self.first : self.first + self.count] if self.kind.shape else x[self.first]
        taken = wrap(own >> self.low if self.low else own, Bits(self.width))
        if self.how == "bits":
            masked = taken if self.keep == _ALL else taken & self.keep
            return wrap(masked | self.put if self.put else masked, self.kind.element)
        some = any_bit(taken)
        return some if self.how == "some" else ~some

    def text(self, x: str) -> str:
        """Of a generator's word, in C++."""
        taken = f"({x} >> {self.low} & {(1 << self.width) - 1:#x})"
        if self.how == "bits":
            return f"{taken} & {self.keep:#x} | {self.put:#x}"
        return f"{taken} {'!=' if self.how == 'some' else '=='} 0"


def generators_of(drives: Sequence[Drive]) -> int:
    """How many there are."""
    return max(one.first + one.count for one in drives)


def seeds_of(drives: Sequence[Drive], lanes: int, seed: int = 1) -> Words:
    """Start values for each lane, all different within it, and no two lanes alike.

    Args:
        drives: how the inputs are driven.
        lanes: how many.
        seed: draws them.

    Returns:
        [lanes, generators], from 1.
    """
    draw = np.random.default_rng(seed)
    every = np.arange(1, 1 << BITS, dtype=np.uint16)
    rows = [draw.choice(every, generators_of(drives), replace=False) for _ in range(lanes)]
    found = np.stack(rows)
    assert len(np.unique(found, axis=0)) == lanes
    return found


# In NumPy.


def words_of(seeds: Words, cycles: int) -> Words:
    """The generators in each cycle: [cycles, lanes, generators]."""
    x, found = seeds.copy(), np.empty((cycles, *seeds.shape), np.uint16)
    for row in found:
        row[...] = x
        for by in SHIFTS:
            x ^= x << np.uint16(by) if by > 0 else x >> np.uint16(-by)
    return found


def inputs_of(drives: Sequence[Drive], seeds: Words, cycles: int) -> dict[str, NDArray[np.int64]]:
    """Each input, [cycles, lanes, ...]."""
    words = words_of(seeds, cycles)
    return {one.port: one.values(words) for one in drives}


def checksums(outputs: Mapping[str, NDArray[Any]]) -> Sums:
    """Of outputs [cycles, lanes, ...], in their order: [lanes, elements]."""
    flat = [
        (one.astype(np.int64) & 0xFFFF_FFFF).astype(np.uint32).reshape(*one.shape[:2], -1)
        for one in outputs.values()
    ]
    rows = np.concatenate(flat, axis=2)
    sums = np.zeros(rows.shape[1:], np.uint32)
    for row in rows:
        sums = (sums << np.uint32(1) | sums >> np.uint32(SUM_BITS - 1)) ^ row
    return sums


# In our language.


def stimulus_module(drives: Sequence[Drive]) -> Module[Any, ..., Any]:
    """A module that gives each input of a design.

    Ports: `start`, 1 in cycle 0 and 0 from then on; `seed`, an array of the generators' start
    values, taken in cycle 0. Outputs: the design's inputs, by their names.
    """
    word = Bits(BITS).array(generators_of(drives))

    class Generators(State):
        x: Signal = reg(word, reset=0)

    outputs = type("Stimulus", (Struct,), {one.port: of(one.kind) for one in drives})

    @module(Generators, start=Bool, seed=word)
    def stimulus(s: Generators, start: Signal, seed: Signal) -> tuple[Generators, Any]:
        x = mux(start, seed, s.x)
        after = x
        for by in SHIFTS:
            moved = wrap(after << by, BITS) if by > 0 else after >> -by
            after = after ^ moved
        return Generators(x=after), outputs(**{one.port: one.signal(x) for one in drives})

    return stimulus


def checksum_module(kinds: Mapping[str, Type]) -> Module[Any, ..., Signal]:
    """A module that takes each output of a design and gives the checksums of this cycle.

    Args:
        kinds: of each output, a single element or of one axis, of at most 32 bits.
    """
    rows = Bits(SUM_BITS).array(sum(kind.form.size for kind in kinds.values()))

    class Checksum(State):
        sums: Signal = reg(rows, reset=0)

    def checksum(s: Checksum, **outputs: Signal) -> tuple[Checksum, Signal]:
        words = [_words(one) for one in outputs.values()]
        turned = cat(wrap(s.sums, SUM_BITS - 1), wrap(s.sums >> (SUM_BITS - 1), 1))
        after = turned ^ join(*words)
        return Checksum(sums=after), after

    made: Callable[..., Any] = module(Checksum, **kinds)
    found: Module[Any, ..., Signal] = made(checksum)
    return found


def _words(output: Signal) -> Signal:
    """An output as bits of 32, signed or not, along one axis."""
    flat = output if output.shape else reshape(output, (1,))
    return wrap(as_bits(flat), SUM_BITS) if flat.type.signed else wrap(flat, Bits(SUM_BITS))
