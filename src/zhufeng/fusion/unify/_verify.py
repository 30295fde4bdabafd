"""A canonical folder beside the model that it was made from: the same numbers, or how far off."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.base import InputError, derive_seed, read_json
from zhufeng.fusion.families import FAMILIES, Family, read_settings
from zhufeng.fusion.unify._plan import CONFIG
from zhufeng.models import DecoderConfig, read_decoder

Precision = Literal["fp64", "fp32", "bf16"]
Build = Callable[[torch.dtype], nn.Module]
DTYPES: dict[Precision, torch.dtype] = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
}


@dataclass(frozen=True)
class Difference:
    """Between a model and its canonical form, in one type."""

    precision: Precision
    logits: float
    """Largest absolute difference."""
    gradient: float
    """Largest absolute difference of the embedding's gradient, of the mean cross-entropy."""
    largest_logit: float
    largest_gradient: float

    @property
    def none(self) -> bool:
        """Whether both are the same to the bit."""
        return self.logits == 0 and self.gradient == 0


def verify(
    folder: Path,
    canonical: Path,
    precisions: tuple[Precision, ...] = ("fp64", "bf16"),
    *,
    batch: int = 2,
    tokens: int = 16,
    seed: int = 0,
    theirs: Build | None = None,
) -> list[Difference]:
    """Compare logits and the embedding's gradient on random tokens.

    Both models are in memory, one after the other, in the type that is compared.

    Args:
        folder: the model, as transformers has it; transformers' own code runs it, none from
            elsewhere.
        canonical: what `unify` made of it.
        precisions: in which both compute.
        batch: sequences.
        tokens: of each.
        seed: of the tokens.
        theirs: builds the model in a type, where transformers has no code for it.

    Raises:
        InputError: transformers has no code for the family; a folder is damaged.
    """
    settings = read_json(folder / CONFIG)
    family, config = read_settings(settings, str(folder / CONFIG))
    inputs, targets = _tokens(settings, config, (batch, tokens), seed)
    build = theirs or partial(_load, folder, family, config)
    found = []
    for precision in precisions:
        dtype = DTYPES[precision]
        # One after the other: only one of them is in memory.
        one = _run(build(dtype), inputs, targets)
        other = _run(read_decoder(canonical).to(dtype).eval(), inputs, targets)
        found.append(_compare(precision, one, other))
    return found


def _run(model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and the gradient of the mean cross-entropy by the embedding's weight."""
    embedding = next(part for part in model.modules() if isinstance(part, nn.Embedding)).weight
    logits = model(inputs).logits
    loss = functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
    (gradient,) = torch.autograd.grad(loss, [embedding])
    return logits.detach(), gradient


def _compare(
    precision: Precision, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]
) -> Difference:
    """How far two pairs of logits and gradients are from each other."""
    logits, gradient = (
        float((a.double() - b.double()).abs().max()) for a, b in zip(one, other, strict=True)
    )
    largest = (float(part.double().abs().max()) for part in one)
    return Difference(precision, logits, gradient, *largest)


def _tokens(
    settings: dict[str, Any], config: DecoderConfig, shape: tuple[int, int], seed: int
) -> tuple[Tensor, Tensor]:
    """Random ones; never the padding's, of which torch learns nothing."""
    stream = torch.Generator().manual_seed(derive_seed(seed, "verify"))
    drawn = torch.randint(config.vocabulary, (shape[0], shape[1] + 1), generator=stream)
    padding = settings.get("pad_token_id")
    if isinstance(padding, int):
        drawn[drawn == padding] = (padding + 1) % config.vocabulary
    return drawn[:, :-1], drawn[:, 1:]


def _load(folder: Path, family: Family, config: DecoderConfig, dtype: torch.dtype) -> nn.Module:
    """transformers' model in a type.

    Raises:
        InputError: transformers has no code for the family.
    """
    import transformers  # noqa: PLC0415 (heavy)

    more: dict[str, Any] = {}
    name = family.like
    if family.name == "PanguEmbedded":
        # Llama with biases; its own code would have to be run from its folder.
        llama = FAMILIES["llama"]
        name = llama.like
        kind = transformers.LlamaConfig
        more["config"] = kind(**llama.write(config))
    if not name:
        raise InputError(
            f"{folder} cannot be verified",
            expected="a family that transformers has code for",
            came=f"'{family.name}'",
            do="compare it with its own implementation",
        )
    if dtype == torch.float64:
        # Grouped products have no fp64.
        more["experts_implementation"] = "eager"
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        model = getattr(transformers, name).from_pretrained(
            folder, dtype=dtype, attn_implementation="sdpa", local_files_only=True, **more
        )
    evaluated: nn.Module = model.eval()
    return evaluated


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own bar of progress."""
    from transformers.utils import logging  # noqa: PLC0415 (heavy)

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
