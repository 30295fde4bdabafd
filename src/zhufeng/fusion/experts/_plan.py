"""Where every tensor of a mixture comes from, settled from headers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from zhufeng.base import InputError, to_json
from zhufeng.fusion.experts._recipe import ExpertsRecipe
from zhufeng.fusion.tensors import Layout, TensorFolder, TensorSpec, lay_out, open_tensors
from zhufeng.models import DECODER, Decoder, DecoderConfig, MoeConfig

CONFIG = "config.json"


@dataclass(frozen=True)
class Part:
    """A whole tensor of one source, which becomes a stretch of one of the mixture's."""

    source: int
    """0 for the base, then the experts."""
    name: str
    bytes: int


@dataclass(frozen=True)
class ExpertsPlan:
    """A mixture, ready to be put together."""

    recipe: ExpertsRecipe
    sources: tuple[TensorFolder, ...]
    """The base, then the experts."""
    dense: DecoderConfig
    config: DecoderConfig
    layout: Layout
    parts: Mapping[str, tuple[Part, ...]]
    """Of each tensor but the routers', in the order of bytes."""

    @property
    def routers(self) -> list[str]:
        """Tensors that come of no source, a layer each."""
        return [name for name in self.layout.tensors if name not in self.parts]


def plan_experts(recipe: ExpertsRecipe) -> ExpertsPlan:
    """Check all folders against each other, and place every tensor.

    Raises:
        InputError: a folder is damaged, or not of the base's configuration; a decoder of such
            layers cannot become a mixture.
    """
    folders = [Path(recipe.base), *(Path(expert.model) for expert in recipe.experts)]
    dense = DECODER.read_json(folders[0] / CONFIG)
    for folder in folders[1:]:
        _check_alike(folders[0], dense, folder)
    _check_dense(folders[0], dense)
    sources = tuple(open_tensors(folder) for folder in folders)
    config = dataclasses.replace(dense, moe=_moe(recipe, dense, folders[0]))
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in Decoder(config).state_dict().items()}
    if config.tied:
        del shapes["head.weight"]
    parts = {
        name: tuple(_parts(name, sources)) for name in shapes if not name.endswith("router.weight")
    }
    dtype = sources[0].tensors["embedding.weight"].dtype
    specs = [
        TensorSpec(name, _dtype(parts[name], sources) if name in parts else dtype, shape)
        for name, shape in shapes.items()
    ]
    for spec in specs:
        held = sum(part.bytes for part in parts.get(spec.name, ()))
        assert spec.name not in parts or held == spec.bytes, spec.name
    return ExpertsPlan(recipe, sources, dense, config, lay_out(specs, {"format": "pt"}), parts)


def _check_alike(base: Path, dense: DecoderConfig, folder: Path) -> None:
    other = DECODER.read_json(folder / CONFIG)
    mine, its = to_json(dense), to_json(other)
    unlike = [name for name in mine if mine[name] != its[name]]
    if unlike:
        name = unlike[0]
        raise InputError(
            f"{folder} cannot be an expert of {base}",
            expected=f"'{name}' = {mine[name]!r}",
            came=f"{its[name]!r}",
            do="take models of one configuration, or let them answer together (mix)",
        )


def _check_dense(base: Path, dense: DecoderConfig) -> None:
    has = "experts" if dense.moe else "biases in its feed-forward" if dense.ff_bias else None
    if has is not None:
        raise InputError(
            f"{base} cannot become a mixture of experts",
            expected="a dense decoder without biases in its feed-forward",
            came=has,
            do="take other models",
        )


def _moe(recipe: ExpertsRecipe, dense: DecoderConfig, base: Path) -> MoeConfig:
    """As Mixtral has them: weights that sum to 1, in fp32."""
    try:
        moe = MoeConfig(
            experts=len(recipe.experts),
            active=recipe.active,
            ff_width=dense.ff_width,
            precise_weights=True,
        )
        dataclasses.replace(dense, moe=moe)
    except ValueError as error:
        raise InputError(
            f"{base} cannot become a mixture of experts",
            expected=str(error),
            came=f"width {dense.width}, ff_width {dense.ff_width}",
            do="take other models",
        ) from None
    return moe


def _parts(name: str, sources: tuple[TensorFolder, ...]) -> Iterator[Part]:
    stem, dot, kind = name.rpartition(".")
    if not stem.endswith("feed_forward"):
        yield _part(sources, 0, name)
        return
    joint = f"{stem}.gate_up.weight"
    names = [f"{name}.weight"]
    if kind == "gate_up" and joint not in sources[0].tensors:
        names = [f"{stem}{dot}gate.weight", f"{stem}{dot}up.weight"]
    for number in range(1, len(sources)):
        for one in names:
            yield _part(sources, number, one)


def _part(sources: tuple[TensorFolder, ...], number: int, name: str) -> Part:
    info = sources[number].tensors.get(name)
    first = sources[0].tensors.get(name)
    if info is None or first is None or (info.shape, info.dtype) != (first.shape, first.dtype):
        where = sources[number].folder
        told = "none" if first is None else f"{list(first.shape)} {first.dtype}"
        raise InputError(
            f"{where} has other tensors than the base",
            expected=f"{name}: {told}",
            came="none" if info is None else f"{list(info.shape)} {info.dtype}",
            do="take models of one configuration and one type",
        )
    return Part(number, name, info.bytes)


def _dtype(parts: tuple[Part, ...], sources: tuple[TensorFolder, ...]) -> str:
    return sources[parts[0].source].tensors[parts[0].name].dtype
