"""The references that are no decoders: a residual network and a multilayer perceptron."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.base import derive_seed
from zhufeng.models.reference._settings import CnnConfig, MlpConfig


@dataclass
class Classified:
    """What a classifier returns."""

    logits: Tensor
    """Shape (batch, classes)."""
    loss: Tensor | None = None
    """Mean cross-entropy over the images, in nats, in fp32."""


class Cnn(nn.Module):
    """A residual network for small images (ResNet, He et al. 2015), one block a stage."""

    def __init__(self, config: CnnConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = _convolution(config.channels, config.width, 3, 1)
        widths = [config.width << stage for stage in range(config.stages)]
        self.blocks = nn.ModuleList(
            _Block(before, width, 1 if stage == 0 else 2)
            for stage, (before, width) in enumerate(pairwise([config.width, *widths]))
        )
        self.head = nn.Linear(widths[-1], config.classes)

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Classified:
        """Classify uint8 images of shape (batch, channels, height, width)."""
        # Convolutions are a quarter faster with a pixel's channels side by side.
        x = _centred(images).contiguous(memory_format=torch.channels_last)
        x = functional.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return _classified(self.head(x.mean((2, 3))), targets)


class _Block(nn.Module):
    """relu(shortcut(x) + two convolutions of x)."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(before, width, 3, stride)
        self.second = _convolution(width, width, 3, 1)
        same = stride == 1 and before == width
        self.shortcut = nn.Identity() if same else _convolution(before, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.first(x))
        return functional.relu(self.second(inner) + self.shortcut(x))


class Mlp(nn.Module):
    """Fully connected layers with ReLU between them."""

    def __init__(self, config: MlpConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.inputs] + [config.width] * config.hidden
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.head = nn.Linear(config.width, config.classes)

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Classified:
        """Classify uint8 images of shape (batch, channels, height, width)."""
        x = _centred(images).flatten(1)
        for layer in self.layers:
            x = functional.relu(layer(x))
        return _classified(self.head(x), targets)


def initialise_classifier(model: nn.Module, seed: int) -> None:
    """Draw the weights: matrices and kernels from N(0, 2 / fan-in) (He et al. 2015).

    Gains are 1 and biases 0; each parameter has its own stream, named as it is.
    """
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.dim() == 1:
                parameter.fill_(1.0)
            else:
                stream = torch.Generator().manual_seed(derive_seed(seed, "weights", name))
                spread = (2 / parameter[0].numel()) ** 0.5
                parameter.copy_(torch.randn(parameter.shape, generator=stream) * spread)


def _convolution(before: int, after: int, kernel: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after))


def _centred(images: Tensor) -> Tensor:
    """Bytes to about -2 to 2."""
    return (images.float() - 127.5) / 64


def _classified(logits: Tensor, targets: Tensor | None) -> Classified:
    if targets is None:
        return Classified(logits)
    return Classified(logits, functional.cross_entropy(logits.float(), targets))
