"""Convolutions as matrix products: which pixels each place takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Window:
    """A convolution over images (images, channels, height, width): rows are places, and along a
    row stand the pixels of the kernel's window, row-major, each with all its channels.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    edges: tuple[int, int]
    """Zeros on both sides of the height and of the width."""
    spread: tuple[int, int]
    groups: int
    shape: tuple[int, int, int, int]
    """Of the images."""

    @property
    def places(self) -> tuple[int, int]:
        """Height and width of the result."""
        high, wide = (
            (size + 2 * edge - far * (window - 1) - 1) // step + 1
            for size, edge, far, window, step in zip(
                self.shape[2:], self.edges, self.spread, self.kernel, self.stride, strict=True
            )
        )
        return high, wide

    def rows(self, images: Tensor) -> Tensor:
        """(groups, images · places, kernel · channels); without the groups where there is one."""
        pixels = self._padded(images).permute(0, 2, 3, 1).contiguous()
        n, high, wide, channels = pixels.shape
        per, (up, across) = channels // self.groups, self.places
        steps = (high * wide * channels, wide * channels, channels)
        windows = pixels.as_strided(
            (n, up, across, *self.kernel, self.groups, per),
            (
                steps[0],
                steps[1] * self.stride[0],
                steps[2] * self.stride[1],
                steps[1] * self.spread[0],
                steps[2] * self.spread[1],
                per,
                1,
            ),
        )
        if self.groups == 1:
            return windows.reshape(n * up * across, -1)
        return windows.permute(5, 0, 1, 2, 3, 4, 6).reshape(self.groups, n * up * across, -1)

    def turned(self, images: Tensor) -> Tensor:
        """The same with its last two axes exchanged."""
        planes = self._padded(images).contiguous()
        n, channels, high, wide = planes.shape
        per, (up, across) = channels // self.groups, self.places
        steps = (channels * high * wide, high * wide, wide)
        windows = planes.as_strided(
            (self.groups, *self.kernel, per, n, up, across),
            (
                per * steps[1],
                steps[2] * self.spread[0],
                self.spread[1],
                steps[1],
                steps[0],
                steps[2] * self.stride[0],
                self.stride[1],
            ),
        )
        lead = () if self.groups == 1 else (self.groups,)
        return windows.reshape(*lead, -1, n * up * across)

    def folded(self, rows: Tensor) -> Tensor:
        """The sum of rows back in their pixels, place by place: shape of the images."""
        (n, channels, high, wide), (up, across) = self.shape, self.places
        per = channels // self.groups
        parts = rows.reshape(self.groups, n, up, across, *self.kernel, per)
        padded = (high + 2 * self.edges[0], wide + 2 * self.edges[1])
        out = rows.new_zeros(n, *padded, self.groups, per)
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                here = (
                    slice(i * self.spread[0], None, self.stride[0]),
                    slice(j * self.spread[1], None, self.stride[1]),
                )
                target = out[:, here[0], here[1]][:, :up, :across]
                target += parts[:, :, :, :, i, j].permute(1, 2, 3, 0, 4)
        kept = out[:, self.edges[0] :, self.edges[1] :][:, :high, :wide]
        return kept.reshape(n, high, wide, channels).permute(0, 3, 1, 2)

    @property
    def size(self) -> int:
        """Elements of a row: of a group's pixels in the kernel."""
        return math.prod(self.kernel) * self.shape[1] // self.groups

    def pixels(self, images: Tensor) -> Tensor:
        """All pixels of images as rows: (images · height · width, channels)."""
        return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])

    def gathered(self, pixels: Tensor) -> Tensor:
        """Rows put together from those of pixels, where there is one group.

        Args:
            pixels: (images · height · width, parts, ...).

        Returns:
            (images · places, kernel · parts, ...); zeros beyond the edges.
        """
        n, _, high, wide = self.shape
        (up, across), (parts, *own) = self.edges, pixels.shape[1:]
        pixels = pixels.reshape(n, high, wide, parts, *own)
        if up or across:
            pixels = functional.pad(pixels, (*(0,) * (2 * len(own) + 2), across, across, up, up))
        image, row, pixel, *rest = pixels.stride()
        windows = pixels.as_strided(
            (pixels.shape[0], *self.places, *self.kernel, *pixels.shape[3:]),
            (
                image,
                row * self.stride[0],
                pixel * self.stride[1],
                row * self.spread[0],
                pixel * self.spread[1],
                *rest,
            ),
        )
        return windows.reshape(n * math.prod(self.places), -1, *own)

    def _padded(self, images: Tensor) -> Tensor:
        edges = [edge for one in reversed(self.edges) for edge in (one, one)]
        return functional.pad(images, edges) if any(edges) else images


def filters(weight: Tensor, groups: int) -> Tensor:
    """(channels, channels of a group, height, width) as rows of the kernel's pixels, each with its
    channels: (groups, rows, kernel · channels), or without the groups where there is one.
    """
    rows = weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1)
    return rows if groups == 1 else rows.reshape(groups, weight.shape[0] // groups, -1)


def window_of(  # noqa: PLR0917 (as torch has it)
    images: Tensor,
    weight: Tensor,
    stride: int | Sequence[int],
    padding: str | int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
) -> tuple[Tensor, Window]:
    """The window of torch's arguments, and the images, padded where it cannot say so."""
    kernel = (weight.shape[2], weight.shape[3])
    spread = _both(dilation)
    edges = (0, 0)
    if padding == "same":
        wide = [far * (size - 1) for far, size in zip(spread, kernel, strict=True)]
        sides = [edge for one in reversed(wide) for edge in (one // 2, one - one // 2)]
        images = functional.pad(images, sides)
    elif not isinstance(padding, str):
        edges = _both(padding)
    n, channels, high, across = images.shape
    window = Window(kernel, _both(stride), edges, spread, groups, (n, channels, high, across))
    return images, window


def _both(value: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, *rest = value
    return first, (rest[0] if rest else first)
