"""What is compiled for arrays of blocks that others have: a block at a time (chapter 7)."""

from __future__ import annotations

from functools import cache

from zhufeng.formats import blocks
from zhufeng.formats.host._functions import given_numbers
from zhufeng.formats.microscaling import (
    MX_BLOCK,
    NVFP4_BLOCK,
    Element,
    MxNumbers,
    Nvfp4Block,
    mx_decoder,
    mx_numbers,
    mx_quantiser,
    nvfp4_quantiser,
    nvfp4_tensor_scale,
)
from zhufeng.hdl import Bits, Signal, UInt, cat, const, function, inline, reshape, stack
from zhufeng.hdl.compile import HostFunction, compile_function

_KEY, _INDEX = Bits(32).array(4), Bits(32)
_RANDOM = {"key": _KEY, "index": _INDEX}


@cache
def mx(element: Element, *, stochastic: bool, half: bool) -> HostFunction:
    """Blocks ``x`` [32] as their ``scale``, rounded up, and their ``numbers``.

    Args:
        element: the format of an element.
        stochastic: rounded by the random bytes of the block ``index`` with the words of ``key``.
        half: whether numbers are first rounded to bf16.
    """
    quantiser = inline(mx_numbers(element, "up", noisy=stochastic))
    octets = inline(blocks.block_bytes())

    def mx(x: Signal, **random: Signal) -> MxNumbers:
        x = given_numbers(x, half=half)
        if not random:
            return quantiser(x)
        key, index = random["key"], random["index"]
        bits = const(Bits(1).array(2), (0, 1))
        # As two blocks of 16 have them (rule 7.17).
        two = stack(*(octets(key, cat(index[0:31], one)) for one in bits))
        return quantiser(x, reshape(two, (MX_BLOCK,)))

    ports = {"x": Bits(32).array(MX_BLOCK)} | (_RANDOM if stochastic else {})
    return compile_function(function(**ports)(mx).ir, 1)


@cache
def nvfp4(*, stochastic: bool, half: bool, shared: bool) -> HostFunction:
    """Blocks ``x`` [16] of a tensor with ``tensor_scale`` as their ``scale`` and ``elements``.

    Args:
        stochastic: as for `mx`.
        half: as for `mx`.
        shared: whether scales are those of the largest magnitudes ``amax`` of tiles.
    """
    quantiser = nvfp4_quantiser(noisy=stochastic, shared=shared)
    octets = inline(blocks.block_bytes())

    def nvfp4(x: Signal, tensor_scale: Signal, **more: Signal) -> Nvfp4Block:
        named = {"amax": more["amax"]} if shared else {}
        if stochastic:
            named["noise"] = octets(more["key"], more["index"])
        found: Nvfp4Block = inline(quantiser)(given_numbers(x, half=half), tensor_scale, **named)
        return found

    ports = {"x": Bits(32).array(NVFP4_BLOCK), "tensor_scale": Bits(32)}
    ports |= {"amax": UInt(31)} if shared else {}
    ports |= _RANDOM if stochastic else {}
    return compile_function(function(**ports)(nvfp4).ir, 1)


@cache
def tensor_scale() -> HostFunction:
    """The scale of a tensor of NVFP4 with the largest magnitude ``amax``."""
    return compile_function(nvfp4_tensor_scale().ir, 1)


@cache
def codes(element: Element) -> HostFunction:
    """Blocks ``x`` [32] as their ``scale``, rounded up, and ``elements``."""
    return compile_function(mx_quantiser(element, "up").ir, 1)


@cache
def decoded(element: Element) -> HostFunction:
    """The numbers of blocks with a ``scale`` and ``elements``."""
    return compile_function(mx_decoder(element).ir, 16)
