"""What a change of layout reads and writes, settled from headers alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from zhufeng.base import InputError, read_json, record, shown, to_json
from zhufeng.fusion.families import FAMILIES, Family, Piece, pieces, read_settings, rows_of
from zhufeng.fusion.tensors import (
    Layout,
    TensorFolder,
    TensorSpec,
    lay_out,
    open_tensors,
)
from zhufeng.models import DECODER, Decoder, DecoderConfig
from zhufeng.records import Form

CONFIG, ORIGIN_FILE = "config.json", "origin.json"
_FLOATS = ("F64", "F32", "BF16", "F16")
_SHARD_BYTES = 5_000_000_000
# Made anew from the settings, or of training alone.
_MADE_ANEW = re.compile(r"(rotary_emb\.inv_freq|attention_mask|slice_sparse_mask)$")


@record
class Origin:
    """What a canonical folder was made from; ``origin.json``."""

    family: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The family's ``config.json``."""
    left_out: tuple[str, ...] = ()
    """Tensors that are not part of the decoder."""


ORIGIN = Form("origin", Origin)


@dataclass(frozen=True)
class Move:
    """Rows of one tensor that become rows of another."""

    source: str
    source_start: int
    """In bytes."""
    target: str
    target_start: int
    rows: int
    row_bytes: int
    order: tuple[int, ...] | None
    """Of every so many rows as there are numbers, the target's row i is the source's order[i]."""


@dataclass(frozen=True)
class LayoutPlan:
    """A change of layout, ready to be carried out."""

    source: TensorFolder
    layout: Layout
    moves: Mapping[str, tuple[Move, ...]]
    """By target."""
    config: DecoderConfig
    origin: Origin
    """The family that it comes from or becomes one of, with that family's settings."""


def plan_unify(folder: Path) -> LayoutPlan:
    """How a model of another family becomes a canonical folder.

    Raises:
        InputError: the family, a setting or a tensor is not understood; tensors are missing or of
            other shapes than the settings say; a file is damaged.
    """
    settings = read_json(folder / CONFIG)
    family, config = read_settings(settings, str(folder / CONFIG))
    source = open_tensors(folder)
    whole = any(name.endswith(".experts.gate_up_proj") for name in source.tensors)
    _check_counts(source, config, whole_experts=whole)
    shapes = shapes_of(config)
    theirs = pieces(family, config, shapes, whole_experts=whole)
    specs = [TensorSpec(name, _dtype(source, theirs[name]), shapes[name]) for name in shapes]
    left_out = _left_out(source, theirs, family, config)
    moves = {spec.name: tuple(_inward(spec, theirs[spec.name])) for spec in specs}
    origin = Origin(family=family.name, settings=settings, left_out=left_out)
    return LayoutPlan(source, lay_out(specs, {"format": "pt"}), moves, config, origin)


def plan_export(folder: Path, family_name: str | None = None) -> LayoutPlan:
    """How a canonical folder becomes a model of another family.

    Args:
        folder: a canonical folder.
        family_name: a key of `FAMILIES`; that which the folder came from where None.

    Raises:
        InputError: the family cannot be what the folder is; names the first setting that it
            cannot have.
    """
    config = DECODER.read_json(folder / CONFIG)
    origin = ORIGIN.read_json(folder / ORIGIN_FILE) if (folder / ORIGIN_FILE).is_file() else None
    family = _family(folder, family_name, origin)
    settings = _settings(config, family, origin, folder)
    source = open_tensors(folder)
    shapes = shapes_of(config)
    _check_ours(source, shapes)
    theirs = pieces(family, config, shapes, whole_experts=False)
    specs, moves = [], {}
    for name, parts in theirs.items():
        info = source.tensors[name]
        start = 0
        for piece in parts:
            spec = TensorSpec(piece.theirs, info.dtype, piece.shape)
            specs.append(spec)
            moves[piece.theirs] = (_outward(name, start, spec, piece),)
            start += spec.bytes
    layout = lay_out(specs, {"format": "pt"}, _SHARD_BYTES)
    return LayoutPlan(source, layout, moves, config, Origin(family=family.name, settings=settings))


def shapes_of(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a decoder's tensors in its file; tied ones once."""
    with torch.device("meta"):
        model = Decoder(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if config.tied:
        del shapes["head.weight"]
    return shapes


def _check_counts(source: TensorFolder, config: DecoderConfig, *, whole_experts: bool) -> None:
    """Sizes that no file could hold are refused before anything is counted through."""
    parts = config.layers
    if config.moe is not None and not whole_experts:
        parts = max(parts, config.moe.experts)
    largest = max(config.vocabulary, config.width, config.ff_width, config.heads * config.per_head)
    if parts > len(source.tensors) or largest > source.bytes:
        came = f"{len(source.tensors)} tensors of {source.bytes} bytes"
        raise _unlike(source, f"{parts} layers or experts, and {largest} rows", came)


def _dtype(source: TensorFolder, parts: Iterable[Piece]) -> str:
    """The one type of the pieces, which are checked on the way."""
    dtypes = {}
    for piece in parts:
        info = source.tensors.get(piece.theirs)
        came = "no such tensor" if info is None else f"shape {list(info.shape)}"
        if info is None or tuple(info.shape) != piece.shape:
            raise _unlike(source, f"{piece.theirs} of shape {list(piece.shape)}", came)
        if info.dtype not in _FLOATS:
            raise _unlike(source, f"{piece.theirs} of {', '.join(_FLOATS)}", info.dtype)
        dtypes[info.dtype] = piece.theirs
    if len(dtypes) > 1:
        raise _unlike(source, "matrices of one type in each layer's experts", ", ".join(dtypes))
    return next(iter(dtypes))


def _unlike(source: TensorFolder, expected: str, came: str) -> InputError:
    return InputError(
        f"{source.folder} has other tensors than its settings say",
        expected=expected,
        came=shown(came),
        do="use the config.json that belongs to these weights",
    )


def _left_out(
    source: TensorFolder,
    theirs: Mapping[str, tuple[Piece, ...]],
    family: Family,
    config: DecoderConfig,
) -> tuple[str, ...]:
    """Tensors that are not the decoder's, all of them known.

    Raises:
        InputError: there is one of which nobody knows what it is for.
    """
    used = {piece.theirs for parts in theirs.values() for piece in parts}
    left = [name for name in source.tensors if name not in used]
    for name in left:
        tied_head = config.tied and name == f"{family.outer['head']}.weight"
        if not (tied_head or _MADE_ANEW.search(name) or _is_later(name, family, config)):
            raise _unlike(source, f"tensors that are known of '{family.name}'", name)
    return tuple(sorted(left))


def _is_later(name: str, family: Family, config: DecoderConfig) -> bool:
    """Layers behind the last one predict further tokens (DeepSeek-V3, 2024, section 2.2)."""
    found = re.match(re.escape(family.layers) + r"\.(\d{1,9})\.", name)
    return found is not None and int(found[1]) >= config.layers


def _inward(spec: TensorSpec, parts: Iterable[Piece]) -> Iterable[Move]:
    start = 0
    for piece in parts:
        size = TensorSpec(piece.theirs, spec.dtype, piece.shape).bytes
        rows = rows_of(piece.shape)
        yield Move(piece.theirs, 0, spec.name, start, rows, size // rows, piece.order)
        start += size


def _outward(ours: str, start: int, spec: TensorSpec, piece: Piece) -> Move:
    order = piece.order
    if order is not None:
        order = tuple(sorted(range(len(order)), key=order.__getitem__))
    rows = rows_of(spec.shape)
    return Move(ours, start, spec.name, 0, rows, spec.bytes // rows, order)


def _family(folder: Path, name: str | None, origin: Origin | None) -> Family:
    chosen = name if name is not None else origin.family if origin is not None else None
    if chosen is not None and chosen in FAMILIES:
        return FAMILIES[chosen]
    raise InputError(
        f"{folder} cannot be exported so",
        expected="a family: " + ", ".join(FAMILIES),
        came="none, and no origin.json that names one" if chosen is None else shown(repr(chosen)),
        do="name one of these families",
    )


def _settings(
    config: DecoderConfig, family: Family, origin: Origin | None, folder: Path
) -> dict[str, Any]:
    """The family's settings, which read back as `config`."""
    if origin is not None and origin.family == family.name:
        first = dict(origin.settings)
        if read_settings(first, str(folder / ORIGIN_FILE))[1] == config:
            return first
    written = family.write(config)
    back = read_settings(written, f"the settings for '{family.name}'")[1]
    mine, other = to_json(config), to_json(back)
    unlike = [name for name in mine if mine[name] != other[name]]
    if unlike:
        name = unlike[0]
        raise InputError(
            f"{folder} cannot be of the family '{family.name}'",
            expected=f"'{name}' = {shown(repr(other[name]))}, as this family has it",
            came=shown(repr(mine[name])),
            do="export it as another family: " + ", ".join(FAMILIES),
        )
    return written


def _check_ours(source: TensorFolder, shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        info = source.tensors.get(name)
        if info is None or tuple(info.shape) != shape:
            came = "no such tensor" if info is None else f"shape {list(info.shape)}"
            raise _unlike(source, f"{name} of shape {list(shape)}", came)
    unknown = sorted(source.tensors.keys() - shapes.keys())
    if unknown:
        raise _unlike(source, "tensors of the decoder alone", unknown[0])
