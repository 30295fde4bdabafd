"""Where each of our tensors' rows lie in a family's files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from zhufeng.fusion.families._family import LAYER_NAMES, Experts, Family
from zhufeng.models import DecoderConfig

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """A tensor of theirs, which is a stretch of one of ours.

    Rows are what the first index counts; for experts' matrices, which lie in one of ours behind
    each other, what the first two count together.
    """

    theirs: str
    shape: Shape
    order: tuple[int, ...] | None = None
    """Of every so many rows as there are numbers, ours' row i is theirs' row order[i]; None for
    the same order."""


def pieces(
    family: Family, config: DecoderConfig, shapes: Mapping[str, Shape], *, whole_experts: bool
) -> dict[str, tuple[Piece, ...]]:
    """Of each of our tensors, theirs in the order of bytes.

    Args:
        family: whose names are asked for.
        config: the model's.
        shapes: of our tensors, by name.
        whole_experts: whether theirs hold all experts of a layer in one, as newer ones do.
    """
    return {
        name: tuple(_pieces(family, config, name, shape, whole_experts=whole_experts))
        for name, shape in shapes.items()
    }


def _pieces(
    family: Family, config: DecoderConfig, name: str, shape: Shape, *, whole_experts: bool
) -> Iterator[Piece]:
    parts = name.split(".")
    inner = parts[2:] if parts[0] == "layers" else parts
    prefix = f"{family.layers}.{parts[1]}." if parts[0] == "layers" else ""
    if family.experts is not None and inner == ["feed_forward", "correction"]:
        yield Piece(prefix + family.experts.correction, shape)
    elif family.experts is not None and inner[-1] in ("gate_up", "down"):
        stem = prefix + family.experts.block
        yield from _experts(family.experts, stem, inner[-1], shape, whole=whole_experts)
    else:
        suffix = inner[-1]
        order = _order(family, config, ".".join(inner[:-1]))
        yield Piece(
            f"{prefix}{_stem(family, config, inner)}.{suffix_of(family, inner)}", shape, order
        )
        assert suffix in ("weight", "bias")


def suffix_of(family: Family, inner: list[str]) -> str:
    """Of a norm's tensor, or of an embedding's, where they are called otherwise."""
    if family.suffixes and inner[0] == "embedding":
        return "embedding_table"
    is_norm = inner[-2].endswith("norm")
    return family.suffixes.get(inner[-1], inner[-1]) if is_norm else inner[-1]


def _stem(family: Family, config: DecoderConfig, inner: list[str]) -> str:
    stem = ".".join(inner[:-1])
    if stem in family.outer:
        return family.outer[stem]
    if stem == "attention.q_up":
        latent = config.latent
        assert latent is not None
        return "self_attn.q_proj" if latent.query_rank is None else "self_attn.q_b_proj"
    return {**LAYER_NAMES, **family.names}[stem]


def _experts(
    experts: Experts, stem: str, kind: str, shape: Shape, *, whole: bool
) -> Iterator[Piece]:
    if whole:
        yield Piece(f"{stem}.{'gate_up_proj' if kind == 'gate_up' else 'down_proj'}", shape)
        return
    gate, up, down = experts.names
    names = (gate, up) if kind == "gate_up" else (down,)
    rows = shape[1] // len(names)
    for expert in range(shape[0]):
        for name in names:
            yield Piece(f"{stem}.{expert}.{name}.weight", (rows, shape[2]))


def _order(family: Family, config: DecoderConfig, stem: str) -> tuple[int, ...] | None:
    """Neighbours that turn together come to stand half of all that turn apart."""
    if not family.interleaved:
        return None
    turned = config.rotary_width
    halves = (*range(0, turned, 2), *range(1, turned, 2))
    if config.latent is None:
        if stem not in ("attention.q", "attention.k"):
            return None
        return halves + tuple(range(turned, config.per_head))
    before = {
        "attention.q_up": config.per_head - turned,
        "attention.kv_down": config.latent.kv_rank,
    }.get(stem)
    if before is None:
        return None
    return tuple(range(before)) + tuple(before + i for i in halves)


def rows_of(shape: Shape) -> int:
    """Rows of a tensor, as `Piece` counts them."""
    return math.prod(shape[:-1]) if len(shape) > 1 else shape[0]
