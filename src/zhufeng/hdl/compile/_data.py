"""Arrays of NumPy as kernels have them, and back.

NumPy's are ``[..., lanes, ...]`` of integers; a kernel's have the lanes last, in containers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl.compile._layout import ALIGNMENT, Room
from zhufeng.hdl.interpret import Values, dtype

Bytes = NDArray[np.uint8]
_LIMB: Final = 64


def aligned(size: int) -> Bytes:
    """So many bytes, all 0, where vectors may begin."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def packed(values: Values, room: Room, lanes: int) -> Bytes:
    """Integers as a kernel has them.

    Args:
        values: [cycles, lanes, ...] that fit the form; lanes beyond them are 0.
        room: of the kernel.
        lanes: of the kernel.

    Returns:
        [cycles, bytes of a cycle].
    """
    cycles, given = values.shape[:2]
    last = np.moveaxis(values, 1, -1)
    bits = room.bits
    if bits == 1:
        whole = np.zeros((*last.shape[:-1], lanes), bool)
        whole[..., :given] = last
        data = np.packbits(whole, axis=-1, bitorder="little")
    else:
        data = _containers(last, room, lanes).view(np.uint8)
    found = aligned(data.size).reshape(cycles, -1)
    found[:] = data.reshape(cycles, -1)
    return found


def _containers(last: Values, room: Room, lanes: int) -> NDArray[Any]:
    if room.bits <= _LIMB:
        kind = f"{'i' if room.form.signed else 'u'}{room.bits // 8}"
        whole = np.zeros((*last.shape[:-1], lanes), kind)
        whole[..., : last.shape[-1]] = last
        return whole
    limbs = room.bits // _LIMB
    found = np.zeros((*last.shape[:-1], lanes, limbs), np.uint64)
    exact = last.astype(object) & ((1 << room.bits) - 1)
    for number in range(limbs):
        part = (exact >> (_LIMB * number)) & ((1 << _LIMB) - 1)
        found[..., : last.shape[-1], number] = part.astype(np.uint64)
    return found


def unpacked(data: Bytes, room: Room, lanes: int, wanted: int) -> Values:
    """What a kernel has made.

    Args:
        data: [cycles, bytes of a cycle].
        room: of the kernel.
        lanes: of the kernel.
        wanted: how many of them.

    Returns:
        [cycles, wanted, ...] of integers.
    """
    form, cycles = room.form, len(data)
    rows = data.reshape(cycles, *form.shape, room.element)
    if room.bits == 1:
        bits = np.unpackbits(rows, axis=-1, count=lanes, bitorder="little").astype(np.int64)
        values = -bits if form.signed else bits
    elif room.bits <= _LIMB:
        kind = f"{'i' if form.signed else 'u'}{room.bits // 8}"
        values = rows.view(kind).astype(dtype(form))
    else:
        limbs = rows.view(np.uint64).reshape(*rows.shape[:-1], lanes, -1).astype(object)
        values = np.asarray(sum(limbs[..., n] << (_LIMB * n) for n in range(limbs.shape[-1])))
        if form.signed:
            values = values - ((values >> (room.bits - 1)) << room.bits)
    return np.moveaxis(np.asarray(values)[..., :wanted], -1, 1)
