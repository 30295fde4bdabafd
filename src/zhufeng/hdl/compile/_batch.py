"""As many simulations as run side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl.compile._build import Kernel
from zhufeng.hdl.compile._data import Bytes, aligned, unpacked
from zhufeng.hdl.compile._lower import Site
from zhufeng.hdl.interpret import Failure, Values

Claims = NDArray[np.int64]
"""By claim and lane the first cycle in which it failed, or -1; and how often it did or was true."""


class Batch:
    """Runs cycles of them; what it starts from is left as it is."""

    def __init__(
        self,
        kernel: Kernel,
        start: Bytes,
        cycle: int,
        outputs: Sequence[str],
        *,
        claims: int,
        last: bool = True,
    ) -> None:
        """Begin.

        Args:
            kernel: their code.
            start: their state.
            cycle: how many cycles that has behind it.
            outputs: which to keep.
            claims: how many the module has.
            last: whether outputs are kept of the last cycle only.
        """
        self._kernel = kernel
        self._cycle = cycle
        self._last = last
        self.state = aligned(len(start))
        self.state[:] = start
        self.claims = no_claims(claims, kernel.lanes)
        self.code_s = 0.0
        """CPU seconds of the code itself."""
        self._scratch = aligned(kernel.places.scratch_bytes)
        self._parts: dict[str, list[Bytes]] = {port: [] for port in outputs}

    def go(
        self, given: Mapping[str, Bytes], cycles: int, *, ring: int, rst: Bytes | None = None
    ) -> None:
        """Some cycles more.

        Args:
            given: each input, [cycles, bytes of a cycle].
            cycles: how many.
            ring: after how many the inputs begin again.
            rst: a byte for each of them, or one for all.
        """
        places, rst = self._kernel.places, np.zeros(1, np.uint8) if rst is None else rst
        table = [n for data in given.values() for n in (data.ctypes.data, data.shape[1])]
        held = []
        for port, room in places.outputs.items():
            kept = port in self._parts
            rows = cycles if kept and not self._last else 1
            data = aligned(rows * room.bytes).reshape(rows, -1)
            held.append(data)
            table += [data.ctypes.data, data.shape[1] if rows > 1 else 0]
            if kept:
                self._parts[port] = [data] if self._last else [*self._parts[port], data]
        pointers = np.array(table, np.int64)
        begin = time.process_time()
        self._kernel.code.run(
            self.state.ctypes.data,
            self._scratch.ctypes.data,
            pointers.ctypes.data,
            rst.ctypes.data,
            self.claims.ctypes.data,
            cycles,
            self._cycle,
            0,
            ring,
            int(rst.size > 1),
            places.doubled * (self._cycle % 2),
        )
        self.code_s += time.process_time() - begin
        self._cycle += cycles

    def output(self, port: str, lanes: int) -> Values:
        """What an output was, [cycles, lanes, ...]."""
        room = self._kernel.places.outputs[port]
        every = [unpacked(data, room, self._kernel.lanes, lanes) for data in self._parts[port]]
        return np.concatenate(every) if every else np.zeros((0, lanes, *room.form.shape), np.int64)


def no_claims(count: int, lanes: int) -> Claims:
    """Before any cycle."""
    claims = np.zeros((count, 2, lanes), np.int64)
    claims[:, 0] = -1
    return claims


def failures_of(sites: Sequence[Site], claims: Claims, first: int, lanes: int) -> Iterator[Failure]:
    """Of each claim that did not hold the first cycle, in each of `lanes` from the `first`."""
    for site, (cycles, _) in zip(sites, claims, strict=True):
        if site.kind == "cover":
            continue
        for lane in np.flatnonzero(cycles[:lanes] >= 0).tolist():
            yield Failure(
                int(cycles[lane]), first + lane, site.kind, site.text, site.path, site.where
            )


def covered_by(sites: Sequence[Site], claims: Claims, lanes: int) -> Iterator[tuple[str, int]]:
    """How often each cover point was true."""
    for site, (_, counts) in zip(sites, claims, strict=True):
        if site.kind == "cover":
            yield f"{site.path}: {site.text}", int(counts[:lanes].sum())
