"""A tensor seen as matrices (batch, rows, k) without being copied into that shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Folded:
    """Matrices whose rows and columns may each be folded from several dimensions.

    The patches of a convolution hold every pixel many times; as a strided view they need no
    memory, as a matrix they would need as much as all of them.
    """

    tensor: Tensor
    """Shape (batch, *row dimensions, *k dimensions)."""
    row_dims: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(batch, rows, k)."""
        batch, *rest = self.tensor.shape
        return batch, math.prod(rest[: self.row_dims]), math.prod(rest[self.row_dims :])

    @property
    def transposed(self) -> Folded:
        """Rows and k exchanged."""
        dims = list(range(1, self.tensor.dim()))
        rows, k = dims[: self.row_dims], dims[self.row_dims :]
        return Folded(self.tensor.permute(0, *k, *rows), len(k))

    def matrix(self) -> Tensor:
        """Shape (batch, rows, k); copied where it has to be."""
        return self.tensor.reshape(self.shape)

    def at(self, batch: Tensor, rows: Tensor, k: Tensor) -> Tensor:
        """Elements at these places (integer tensors of one shape, or that broadcast to one)."""
        dims = tuple(self.tensor.shape[1:])
        row = _unravelled(rows, dims[: self.row_dims])
        column = _unravelled(k, dims[self.row_dims :])
        return self.tensor[(batch, *row, *column)]

    @property
    def run(self) -> int:
        """How many elements lie side by side along the last dimension."""
        return self.tensor.shape[-1] if self.tensor.stride(-1) == 1 else 1


def _unravelled(index: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, ...]:
    return (index,) if len(dims) == 1 else torch.unravel_index(index, dims)
