"""Chapters 1 to 4 of docs/formats.md for one block and one sum, as the rules put it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple

SIZE = 16
"""Elements of a block."""
WIDTHS = (4, 5, 6, 8)
"""What b may be."""
ZERO, POISON = 0, 255
"""The codes that are no scale."""
GUARD = 10
"""G of rule 4.1."""
QUIET_NAN = 0x7FC00000


# Blocks.


class Block(NamedTuple):
    """16 elements under one scale (rule 1.1)."""

    code: int
    elements: tuple[int, ...]


class Planes(NamedTuple):
    """The two blocks that are one block of twice the bits (rule 2.6)."""

    hi_code: int
    hi_elements: tuple[int, ...]
    lo_code: int
    lo_elements: tuple[int, ...]

    @property
    def hi(self) -> Block:
        """The plane of the upper bits."""
        return Block(self.hi_code, self.hi_elements)

    @property
    def lo(self) -> Block:
        """The plane of the lower bits."""
        return Block(self.lo_code, self.lo_elements)


ZERO_BLOCK = Block(ZERO, (0,) * SIZE)
POISON_BLOCK = Block(POISON, (0,) * SIZE)


@cache
def power(exponent: int) -> Fraction:
    """2^exponent."""
    return Fraction(2**exponent) if exponent >= 0 else Fraction(1, 2**-exponent)


def largest_element(b: int) -> int:
    """Qmax of rule 1.1."""
    assert b in WIDTHS, b
    return (1 << (b - 1)) - 1


def exponent_of(code: int, b: int) -> int:
    """The e of a code from 1 to 254 (rule 1.2)."""
    assert ZERO < code < POISON, code
    return code - 124 - b


def numbers(block: Block, b: int) -> tuple[Fraction, ...]:
    """What the elements of a block that is not poison are (rule 1.2)."""
    if block.code == ZERO:
        return (Fraction(0),) * SIZE
    return tuple(q * power(exponent_of(block.code, b)) for q in block.elements)


def magnitude(bits: int) -> Fraction | None:
    """|x| of the bits of an fp32; None of an infinity or a NaN (rules 2.1 and 2.2)."""
    assert 0 <= bits < 2**32, bits
    field, fraction = bits >> 23 & 255, bits & (2**23 - 1)
    if field == 255:
        return None
    return (2**23 + fraction) * power(field - 150) if field else Fraction(0)


def sign(bits: int) -> int:
    """1 or -1."""
    return -1 if bits >> 31 else 1


def scale_code(tile: Sequence[int], b: int) -> int:
    """The code that the bits under one scale have (rules 2.2 and 2.3)."""
    magnitudes = [size for size in map(magnitude, tile) if size is not None]
    if len(magnitudes) < len(tile):
        return POISON
    amax = max(magnitudes)
    if amax == 0:
        return ZERO
    # 127·2^-140 is below 2^-126, the smallest amax: the search starts below every e.
    e = next(e for e in itertools.count(-140) if amax <= largest_element(b) * power(e))
    return max(e + 124 + b, ZERO)


def rounded(exact: Fraction, byte: int | None) -> int:
    """A number from 0 on as an integer: to nearest, or with a byte of noise (rules 2.4, 2.5)."""
    if byte is None:
        return round(exact)  # a Fraction's ties go to even
    return (math.floor(exact * 256) + byte) // 256


def _scaled(
    bits: Sequence[int], exponent: int, noise: Sequence[int] | None
) -> list[tuple[int, int]]:
    """The sign of each x, and |x|·2^-exponent rounded."""
    bytes_ = [None] * SIZE if noise is None else list(noise)
    assert len(bits) == len(bytes_) == SIZE
    sizes = [magnitude(x) or Fraction(0) for x in bits]
    return [
        (sign(x), rounded(size * power(-exponent), byte))
        for x, size, byte in zip(bits, sizes, bytes_, strict=True)
    ]


def quantise(
    bits: Sequence[int],
    b: int,
    noise: Sequence[int] | None = None,
    tile: Sequence[int] | None = None,
) -> Block:
    """A block of the bits of 16 fp32 (rules 2.1 to 2.5), or of 16 in a tile under one scale (2.8).

    Args:
        bits: Of the 16 elements.
        b: Bits of an element of the result.
        noise: 16 bytes, for stochastic rounding.
        tile: All the bits that share the scale, where they are more than these 16.
    """
    code = scale_code(bits if tile is None else tile, b)
    if code in {ZERO, POISON}:
        return Block(code, (0,) * SIZE)
    scaled = _scaled(bits, exponent_of(code, b), noise)
    return Block(code, tuple(s * q for s, q in scaled))


def planes(
    bits: Sequence[int],
    b: int,
    noise: Sequence[int] | None = None,
    tile: Sequence[int] | None = None,
) -> Planes:
    """The block in two planes (rules 2.6 and 2.7); arguments as of `quantise`."""
    code = scale_code(bits if tile is None else tile, b)
    if code in {ZERO, POISON}:
        return Planes(code, (0,) * SIZE, code, (0,) * SIZE)
    scaled = _scaled(bits, exponent_of(code, b) - (b - 1), noise)
    above = [(q + 2 ** (b - 2)) // 2 ** (b - 1) for _, q in scaled]
    hi = tuple(s * h for (s, _), h in zip(scaled, above, strict=True))
    lo = tuple(s * (q - h * 2 ** (b - 1)) for (s, q), h in zip(scaled, above, strict=True))
    if code - (b - 1) < 1 or not any(lo):
        return Planes(code, hi, *ZERO_BLOCK)
    return Planes(code, hi, code - (b - 1), lo)


# Random bytes.


def _rotl(word: int, distance: int) -> int:
    return (word << distance | word >> (32 - distance)) % 2**32


def chaskey_round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    """Rule 3.1."""
    v0 = (v0 + v1) % 2**32
    v1 = _rotl(v1, 5) ^ v0
    v0 = _rotl(v0, 16)
    v2 = (v2 + v3) % 2**32
    v3 = _rotl(v3, 8) ^ v2
    v0 = (v0 + v3) % 2**32
    v3 = _rotl(v3, 13) ^ v0
    v2 = (v2 + v1) % 2**32
    v1 = _rotl(v1, 7) ^ v2
    v2 = _rotl(v2, 16)
    return v0, v1, v2, v3


def permute(words: tuple[int, int, int, int], rounds: int) -> tuple[int, int, int, int]:
    """P_r of rule 3.1, of four words."""
    for _ in range(rounds):
        words = chaskey_round(*words)
    return words


def tensor_key(seed: int, step: int, tensor: int, orientation: int) -> tuple[int, int, int, int]:
    """The key of a tensor (rule 3.2)."""
    assert 0 <= seed < 2**64, seed
    assert 0 <= step < 2**32, step
    assert 0 <= tensor < 2**31, tensor
    assert orientation in {0, 1}, orientation
    low, high = seed % 2**32 ^ 0x243F6A88, seed // 2**32 ^ 0x85A308D3
    return permute((low, high, step ^ 0x13198A2E, (2 * tensor + orientation) ^ 0x03707344), 8)


def block_bytes(seed: int, step: int, tensor: int, orientation: int, index: int) -> bytes:
    """The 16 bytes of the block with a number (rules 3.3 and 3.4)."""
    assert 0 <= index < 2**32, index
    k0, k1, k2, k3 = tensor_key(seed, step, tensor, orientation)
    words = permute((k0 ^ index, k1, k2, k3), 5)
    return bytes(words[j // 4] >> 8 * (j % 4) & 255 for j in range(SIZE))


# The accumulator.


class State(NamedTuple):
    """What an accumulator holds (rule 4.1)."""

    a: int = 0
    x: int = 0
    poison: bool = False


Pair = tuple[Block, Block]
"""A block of each operand."""


def step(state: State, pairs: Sequence[Pair]) -> State:
    """The state after a step of one pair or two (rules 4.2 to 4.5)."""
    assert 1 <= len(pairs) <= 2
    poison = any(block.code == POISON for pair in pairs for block in pair)
    terms = [
        (a.code + b.code, sum(p * q for p, q in zip(a.elements, b.elements, strict=True)))
        for a, b in pairs
        if ZERO < a.code < POISON and ZERO < b.code < POISON
    ]
    x = max([state.x, *(e for e, _ in terms)])
    a = state.a >> (x - state.x)
    a += sum((s * 2**GUARD) >> (x - e) for e, s in terms)
    if not -(2**30) <= a < 2**30:
        a, x = a >> 1, x + 1
    assert -(2**30) <= a < 2**30, a
    assert x < 2**10, x
    return State(a, x, state.poison or poison)


def value(state: State, b_a: int, b_b: int) -> Fraction:
    """What a state without poison is worth (rule 4.1)."""
    return state.a * power(state.x - 248 - b_a - b_b - GUARD)


def to_fp32(number: Fraction) -> int:
    """The bits of a number rounded by rule 4.6."""
    size = abs(number)
    if size == 0:
        return 0
    k = size.numerator.bit_length() - size.denominator.bit_length()
    if power(k) > size:
        k -= 1  # now 2^k is the largest power of two that is not above
    significand = round(size / power(k - 23))
    if significand == 2**24:
        significand, k = 2**23, k + 1
    negative = 2**31 if number < 0 else 0
    if k >= 128:
        return negative + (255 << 23)
    if k < -126:
        return 0
    return negative + (k + 127 << 23) + significand - 2**23


def result(state: State, b_a: int, b_b: int) -> int:
    """The fp32 of a state, as bits (rule 4.6)."""
    return QUIET_NAN if state.poison else to_fp32(value(state, b_a, b_b))


def passes(a: Sequence[Sequence[Block]], b: Sequence[Sequence[Block]]) -> list[list[Pair]]:
    """The pairs of each pass of two operands (rule 4.7).

    Args:
        a: The blocks of the first operand: one sequence, or that of the hi and that of the lo.
        b: Of the second one, likewise.
    """
    both = [(0, 0), (0, 1), (1, 0)]
    return [list(zip(a[i], b[j], strict=True)) for i, j in both if i < len(a) and j < len(b)]


def states(passes_: Sequence[Sequence[Pair]]) -> list[State]:
    """The state at the start, then that after each step of all passes (rules 4.2 and 4.7)."""
    held = [State()]
    for pairs in passes_:
        for first in range(0, len(pairs), 2):
            held.append(step(held[-1], pairs[first : first + 2]))
    return held


def dot(pairs: Sequence[Pair], b_a: int, b_b: int) -> int:
    """The bits of the fp32 sum of the products of pairs of blocks, in one pass."""
    return dot_passes([pairs], b_a, b_b)


def dot_passes(passes_: Sequence[Sequence[Pair]], b_a: int, b_b: int) -> int:
    """The bits of the fp32 sum of `passes`."""
    return result(states(passes_)[-1], b_a, b_b)
