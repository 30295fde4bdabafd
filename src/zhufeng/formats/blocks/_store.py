"""Blocks in memory: elements side by side, as many bits each as they have (rule 1.4)."""

from __future__ import annotations

from functools import cache

from zhufeng.formats.blocks._form import BLOCK, checked_bits
from zhufeng.hdl import Function, Signal, SInt, UInt, function, pack, unpack


@cache
def packed_block(bits: int) -> Function[..., Signal]:
    """The bytes of the elements ``x`` of a block."""
    checked_bits(bits)

    @function(x=SInt(bits).array(BLOCK))
    def packed_block(x: Signal) -> Signal:
        found: Signal = unpack(UInt(8).array(2 * bits), pack(x))
        return found

    return packed_block


@cache
def unpacked_block(bits: int) -> Function[..., Signal]:
    """The elements of a block of which ``x`` are the bytes."""
    checked_bits(bits)

    @function(x=UInt(8).array(2 * bits))
    def unpacked_block(x: Signal) -> Signal:
        elements: Signal = unpack(SInt(bits).array(BLOCK), pack(x))
        return elements

    return unpacked_block
