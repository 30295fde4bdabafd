"""The eight references' settings, frozen. Without torch, so that plans can read them.

Learning rates are those that train best in bf16 autocast (bench/tune_references.py); the formats
that are compared with bf16 train with the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from zhufeng.base import record
from zhufeng.models._config import Activation, DecoderConfig

CLASSES = 20

# As constraints.txt pins them; torch requires all four, so that [train] always brings them.
_PACKAGES = (("Jinja2", "3.1.6"), ("mpmath", "1.3.0"), ("networkx", "3.6.1"), ("sympy", "1.14.0"))


@record
class TextData:
    """Python source out of installed packages, as bytes (`_text`)."""

    sequence: int
    """Tokens a sequence."""
    packages: tuple[tuple[str, str], ...]
    """Names and versions; their wheels are the same bytes on every platform."""
    train_sha256: str
    """Of the training tokens, little-endian uint16."""
    held_out_sha256: str


@record
class ImageData:
    """Shapes that a generator draws (`_images`), as many as are asked for."""

    size: int
    """Pixels along each side."""
    channels: int
    shift: float
    """By how much at most a shape lies off the middle; the image's half side is 1."""
    turn: float
    """A shape turns by at most 2 atan(this); at 1 it also stands on its head."""
    distractors: int
    """Small patches of other colours, some in front of the shape."""
    noise: int
    """Amplitude of a pixel's noise at most, of 255."""
    train_sha256: str
    """Of the first 64 training images of seed 0 and of their classes."""
    held_out_sha256: str
    """Of all held-out images and of their classes."""


@record
class CnnConfig:
    """Residual stages of 3x3 convolutions with batch norm."""

    width: int
    """Channels of the first stage; each further stage has twice the channels of the one before,
    at half the size."""
    stages: int
    channels: int
    classes: int = CLASSES


@record
class MlpConfig:
    """Fully connected layers with ReLU."""

    inputs: int
    width: int
    hidden: int
    """Layers before the last."""
    classes: int = CLASSES


@record
class Settings:
    """One reference: AdamW, linear warm-up, then a cosine from the peak to its final share."""

    model: DecoderConfig | CnnConfig | MlpConfig
    data: TextData | ImageData
    batch: int
    """Sequences or images a step."""
    steps: int
    held_out: int
    """Sequences or images of the held-out set, which is the same for every seed."""
    learning_rate: float
    """At the peak; tuned in bf16."""
    warmup: int
    """Steps."""
    final_share: float = 0.0
    """Of the peak, at the last step."""
    weight_decay: float = 0.1
    """Decoupled; on matrices and kernels alone, not on gains and biases."""
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    clip: float = 1.0
    """Largest norm of all gradients together."""

    @property
    def sequence(self) -> int | None:
        """Tokens a sequence; None for images."""
        return self.data.sequence if isinstance(self.data, TextData) else None


def _text(sequence: int) -> TextData:
    return TextData(
        sequence=sequence,
        packages=_PACKAGES,
        train_sha256="27988834bf25e704e9b216fa5e180364087c79903b06bd16a139715d03c5e012",
        held_out_sha256="3e43c085d2bd26dbe6fa214faebde13db8ef872d9a141ef6c80d347b7a91afd8",
    )


COLOUR = ImageData(
    size=24,
    channels=3,
    shift=0.3,
    turn=1.0,
    distractors=4,
    noise=64,
    train_sha256="eee241ea7abed4435868aa4612f6076992014b9aaa315fdabc7c13e4d0266750",
    held_out_sha256="57688d04df376cfd5063ff4df60277bf81395d3f41cf7aa58397a448b0a8f289",
)
GRAY = ImageData(
    size=16,
    channels=1,
    shift=0.15,
    turn=0.2,
    distractors=2,
    noise=48,
    train_sha256="172bb1034980abb51e8be9e8001895f82ad1ae2aa93249f1b39d50c7220ce536",
    held_out_sha256="f28bded951d597377331f7ffd22afc50cb7d15e24764b4e65573ffad242dc870",
)


def _gpt(activation: Activation, *, base: bool, learning_rate: float) -> Settings:
    # Heads of 32: two blocks of the formats' 16, and CPUs' attention is slow below.
    model = DecoderConfig(
        vocabulary=257,
        layers=4 if base else 3,
        width=128 if base else 64,
        heads=4 if base else 2,
        ff_width=512 if base else 256,
        norm="layer",
        activation=activation,
        gated=False,
        tied=True,
    )
    return Settings(
        model=model,
        data=_text(256 if base else 128),
        batch=16,
        steps=4100 if base else 1700,
        held_out=512 if base else 1024,
        learning_rate=learning_rate,
        warmup=200 if base else 100,
    )


def _cnn(*, base: bool, learning_rate: float) -> Settings:
    return Settings(
        model=CnnConfig(width=32 if base else 16, stages=3, channels=COLOUR.channels),
        data=COLOUR,
        batch=64,
        steps=2000,
        held_out=2048,
        learning_rate=learning_rate,
        warmup=100,
    )


def _mlp(*, base: bool, learning_rate: float) -> Settings:
    inputs = GRAY.size**2 * GRAY.channels
    return Settings(
        model=MlpConfig(inputs=inputs, width=1024 if base else 256, hidden=3 if base else 2),
        data=GRAY,
        batch=64,
        steps=4000,
        held_out=2048,
        learning_rate=learning_rate,
        warmup=200,
    )


REFERENCES: Mapping[str, Settings] = MappingProxyType(
    {
        "gpt-gelu-small": _gpt("gelu", base=False, learning_rate=8e-3),
        "gpt-gelu-base": _gpt("gelu", base=True, learning_rate=4e-3),
        "gpt-relu2-small": _gpt("relu2", base=False, learning_rate=8e-3),
        "gpt-relu2-base": _gpt("relu2", base=True, learning_rate=4e-3),
        "cnn-small": _cnn(base=False, learning_rate=8e-3),
        "cnn-base": _cnn(base=True, learning_rate=4e-3),
        "mlp-small": _mlp(base=False, learning_rate=4e-3),
        "mlp-base": _mlp(base=True, learning_rate=2e-3),
    }
)
