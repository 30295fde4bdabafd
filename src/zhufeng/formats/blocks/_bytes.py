"""Random bytes for stochastic rounding, as a function of where they are used (chapter 3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from zhufeng.hdl import (
    Bits,
    Function,
    Signal,
    UInt,
    as_bits,
    as_uint,
    cat,
    const,
    function,
    reshape,
    stack,
    unpack,
    vmap,
    wrap,
)

ROUNDS: Final = 5
"""Of the permutation, for the bytes of a block."""
_KEY_ROUNDS = 8
# The first bits of the fraction of pi.
_CONSTANTS: Final = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
_WORD: Final = Bits(32)
WORDS: Final = _WORD.array(4)


@cache
def block_bytes() -> Function[..., Signal]:
    """The 16 random bytes of the block ``index``, with the four words of ``key``
    (rules 3.3 and 3.4).
    """

    @function(key=WORDS, index=_WORD)
    def block_bytes(key: Signal, index: Signal) -> Signal:
        words = permuted((key[0] ^ index, key[1], key[2], key[3]), ROUNDS)
        return reshape(vmap(lambda word: unpack(UInt(8).array(4), word))(stack(*words)), (16,))

    return block_bytes


@cache
def tensor_key() -> Function[..., Signal]:
    """The key of a tensor in one orientation (rule 3.2): of the words ``of``, the lower and the
    upper half of the seed, the step, and 2·tensor + orientation.
    """

    @function(of=WORDS)
    def tensor_key(of: Signal) -> Signal:
        return stack(*permuted(tuple(of ^ const(WORDS, _CONSTANTS)), _KEY_ROUNDS))

    return tensor_key


def permuted(words: Sequence[Signal], rounds: int) -> tuple[Signal, Signal, Signal, Signal]:
    """So many rounds of Chaskey's permutation of four words (rule 3.1)."""
    v0, v1, v2, v3 = words
    for _ in range(rounds):
        v0 = _plus(v0, v1)
        v1 = _turned(v1, 5) ^ v0
        v0 = _turned(v0, 16)
        v2 = _plus(v2, v3)
        v3 = _turned(v3, 8) ^ v2
        v0 = _plus(v0, v3)
        v3 = _turned(v3, 13) ^ v0
        v2 = _plus(v2, v1)
        v1 = _turned(v1, 7) ^ v2
        v2 = _turned(v2, 16)
    return v0, v1, v2, v3


def _plus(a: Signal, b: Signal) -> Signal:
    return as_bits(wrap(as_uint(a) + as_uint(b), 32))


def _turned(word: Signal, by: int) -> Signal:
    """Rotated to the left."""
    return cat(word[0 : 32 - by], word[32 - by :])
