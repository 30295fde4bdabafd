"""A reference: its settings, its model, and its data as tensors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from zhufeng.base import generator, unknown_key
from zhufeng.models._config import DecoderConfig
from zhufeng.models._decoder import Decoder, initialise
from zhufeng.models.reference import _images, _text
from zhufeng.models.reference._networks import Cnn, Mlp, initialise_classifier
from zhufeng.models.reference._settings import REFERENCES, CnnConfig, ImageData, Settings, TextData

Batch = tuple[Tensor, Tensor]

# Held-out sequences or images a batch: fixed, so that every evaluation sums in one order.
_HELD_OUT_BATCH = 64


class Data(Protocol):
    """A reference's training and held-out data; both are pairs of inputs and targets."""

    def batch(self, step: int, size: int) -> Batch:
        """The training batch of a step: a function of the seed, `step` and `size` alone."""

    def held_out(self) -> Iterator[Batch]:
        """The held-out set in batches of 64, the same for every seed."""


class Reference:
    """One of the frozen models, by its name."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name, self.settings = name, settings

    @property
    def bytes_per_target(self) -> float | None:
        """Bytes of text that a target stands for; None for images.

        Loss / ln 2 / bytes_per_target is bits a byte.
        """
        return 1.0 if isinstance(self.settings.data, TextData) else None

    def build(self, seed: int) -> nn.Module:
        """The model, initialised; ``model(inputs, targets)`` has a loss and logits."""
        config = self.settings.model
        if isinstance(config, DecoderConfig):
            decoder = Decoder(config)
            initialise(decoder, seed)
            return decoder
        model = Cnn(config) if isinstance(config, CnnConfig) else Mlp(config)
        initialise_classifier(model, seed)
        return model

    def data(self, seed: int) -> Data:
        """The data in an order, or drawn from a stream, of this seed's."""
        data = self.settings.data
        if isinstance(data, ImageData):
            return _Pictures(data, self.settings.held_out, seed)
        return _Sequences(data, self.settings.held_out, seed)


def load_reference(name: str) -> Reference:
    """The reference called `name`.

    Raises:
        InputError: there is none of that name; names the nearest.
    """
    if name not in REFERENCES:
        raise unknown_key("the table of references", name, list(REFERENCES))
    return Reference(name, REFERENCES[name])


class _Pictures:
    """Images drawn as they are asked for; none is seen twice."""

    def __init__(self, data: ImageData, held_out: int, seed: int) -> None:
        self.settings, self.count, self.seed = data, held_out, seed

    def batch(self, step: int, size: int) -> Batch:
        images, classes = _images.draw(self.settings, size, self.seed, "train", step)
        return torch.from_numpy(images), torch.from_numpy(classes)

    def held_out(self) -> Iterator[Batch]:
        images, classes = _held_out_images(self.settings, self.count)
        for begin in range(0, self.count, _HELD_OUT_BATCH):
            part = slice(begin, begin + _HELD_OUT_BATCH)
            yield torch.from_numpy(images[part]), torch.from_numpy(classes[part])


@cache
def _held_out_images(data: ImageData, count: int) -> tuple[_images.Images, _images.Classes]:
    return _images.draw(data, count, 0, "held out")


class _Sequences:
    """Windows of text side by side, in an order of the seed's; an epoch repeats none."""

    def __init__(self, data: TextData, held_out: int, seed: int) -> None:
        self.length, self.count, self.seed = data.sequence, held_out, seed
        self.train, self.kept = _text.assemble(data)
        self.windows = (len(self.train) - 1) // self.length
        self.orders: dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}

    def batch(self, step: int, size: int) -> Batch:
        begins = [self._window(step * size + i) * self.length for i in range(size)]
        return self._cut(self.train, begins)

    def held_out(self) -> Iterator[Batch]:
        windows = (len(self.kept) - 1) // self.length
        begins = [i * windows // self.count * self.length for i in range(self.count)]
        for begin in range(0, self.count, _HELD_OUT_BATCH):
            yield self._cut(self.kept, begins[begin : begin + _HELD_OUT_BATCH])

    def _window(self, number: int) -> int:
        """Which window of the text the training's window `number` is."""
        epoch, place = divmod(number, self.windows)
        if epoch not in self.orders:
            stream = generator(self.seed, "reference text", "epoch", epoch)
            # Raw words, whose stream NumPy guarantees; equal ones of 2^64 keep their order.
            words = stream.bit_generator.random_raw(self.windows)
            self.orders[epoch] = np.argsort(words, kind="stable")
        return int(self.orders[epoch][place])

    def _cut(self, tokens: _text.Tokens, begins: list[int]) -> Batch:
        rows = np.stack([tokens[begin : begin + self.length + 1] for begin in begins])
        both = torch.from_numpy(rows.astype(np.int64))
        return both[:, :-1], both[:, 1:]
