"""The tensors that become one, streamed through a few reused buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from zhufeng.fusion.merge._table import Value

CHUNK = 1 << 18
"""Elements: a megabyte of fp32. Shorter ones fit a core's own cache better, but then calls cost
more than arithmetic: 2.6 s of CPU for a linear merge with 2^16, 1.7 s with this."""


Load = Callable[[int, int, Tensor], None]
"""``load(source, start, out)`` fills `out` from the source's elements from `start` on."""


class Workspace:
    """Buffers of one thread, made once and used for every tensor."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.dtype], Tensor] = {}

    def take(self, name: str, elements: int, dtype: torch.dtype) -> Tensor:
        """A flat tensor of `elements`; the one of the same name before it is given up."""
        buffer = self._buffers.get((name, dtype))
        if buffer is None or buffer.numel() < elements:
            buffer = torch.empty(max(elements, CHUNK), dtype=dtype)
            self._buffers[name, dtype] = buffer
        return buffer[:elements]


@dataclass(frozen=True)
class Chunk:
    """The same stretch of every tensor of a group. A law may write into all of it."""

    start: int
    """The first element's number in the tensor."""
    base: Tensor
    """(elements,), or (rows, columns) where rows were asked for; empty where there is no base."""
    inputs: tuple[Tensor, ...]
    scratch: Callable[[str], Tensor]
    """Memory of the same shape and dtype, by name; what it holds is left from before."""


@dataclass(frozen=True)
class Group:
    """One tensor of the output, and what it is merged from.

    Sources are numbered: the base first where there is one, then the models.
    """

    shape: tuple[int, ...]
    count: int
    """Models, beside the base."""
    has_base: bool
    load: Load
    shared: Mapping[str, Value] = field(default_factory=dict)
    each: Sequence[Mapping[str, Value]] = ()
    """Parameters of each model."""
    seeds: tuple[int, ...] = ()
    """Of each model's random mask."""
    like_mergekit: bool = False
    coarse: bool = False
    """Magnitudes are ranked as bf16: all sources are that or fp16."""
    dtype: torch.dtype = torch.float32
    """In which everything is computed; float64 where a source is."""
    workspace: Workspace = field(default_factory=Workspace)

    @property
    def elements(self) -> int:
        """Of each tensor."""
        return torch.Size(self.shape).numel()

    @property
    def columns(self) -> int:
        """Of a row: the last dimension; a tensor of one dimension is one row."""
        return self.shape[-1] if self.shape else 1

    def chunks(self, *, rows: bool = False) -> Iterator[Chunk]:
        """Read every source once, in order; `rows` gives whole rows, (rows, columns)."""
        width = max(1, self.columns)
        step = max(1, CHUNK // width) * width if rows else CHUNK
        for start in range(0, self.elements, step):
            size = min(step, self.elements - start)
            yield self._chunk(start, size, (-1, width) if rows else (-1,))

    def _chunk(self, start: int, size: int, shape: tuple[int, ...]) -> Chunk:
        def scratch(name: str) -> Tensor:
            return self.workspace.take(name, size, self.dtype).view(shape)

        sources = []
        for number in range(self.has_base + self.count):
            out = scratch(f"source {number}")
            self.load(number, start, out.view(-1))
            sources.append(out)
        base = sources[0] if self.has_base else torch.empty(0, dtype=self.dtype)
        return Chunk(start, base, tuple(sources[self.has_base :]), scratch)

    def deltas(self, *, rows: bool = False) -> Iterator[Chunk]:
        """Chunks in which every input is the model's difference from the base."""
        for chunk in self.chunks(rows=rows):
            for tensor in chunk.inputs:
                tensor.sub_(chunk.base)
            yield chunk
