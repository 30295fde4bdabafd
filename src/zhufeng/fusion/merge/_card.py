"""What stands beside merged weights: configuration, tokenizer, lineage and card."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from zhufeng.base import dump_toml, record, sha256_json, shown, to_json
from zhufeng.fusion.merge._models import Model
from zhufeng.fusion.merge._plan import Plan
from zhufeng.fusion.merge._recipe import Recipe
from zhufeng.fusion.merge._table import METHODS
from zhufeng.fusion.tensors import TOKENIZER_FILES

LINEAGE = "lineage.json"
_HEAD = "lm_head.weight"


@record
class Origin:
    """One source of a merge."""

    name: str
    """Of its folder, without the path."""
    licence: str | None
    """As its README or LICENSE names it."""
    sha256: str
    """Over the names and hashes of `tensors`."""
    tensors: Mapping[str, str]
    """Name to the BLAKE3 of its bytes, of every tensor that took part."""


@record
class Lineage:
    """What a merged model came from; ``lineage.json``."""

    lineage: int = 2
    recipe: Recipe
    """As it was followed; models by the names of `sources`."""
    sources: tuple[Origin, ...]
    notes: tuple[str, ...]


def lineage_of(settled: Plan, finished: Mapping[str, Mapping[str, Any]]) -> Lineage:
    """From a plan and the hashes that were taken while its sources were read."""
    hashes: list[dict[str, str]] = [{} for _ in settled.models]
    for task in settled.tasks:
        digests = finished[task.spec.name]["blake3"]
        for part, digest in zip(task.parts, digests, strict=True):
            hashes[part.source][part.tensor.name] = digest
    names = _names(settled.models)
    origins = tuple(
        Origin(
            name=name,
            licence=model.licence,
            sha256=sha256_json(found),
            tensors=dict(sorted(found.items())),
        )
        for name, model, found in zip(names, settled.models, hashes, strict=True)
    )
    notes = (*settled.notes, *_licence_notes(origins))
    return Lineage(recipe=_renamed(settled, names), sources=origins, notes=notes)


def _names(models: tuple[Model, ...]) -> list[str]:
    """A name for each model; folders of one name are numbered."""
    names = [model.name for model in models]
    return [
        name if names.count(name) == 1 else f"{name}#{number}" for number, name in enumerate(names)
    ]


def _renamed(settled: Plan, names: list[str]) -> Recipe:
    """The recipe without paths."""
    recipe = settled.recipe
    named = dict(zip(recipe.folders, names, strict=True))

    def renamed(source: Any) -> Any:
        return dataclasses.replace(source, model=named[source.model])

    return dataclasses.replace(
        recipe,
        models=tuple(map(renamed, recipe.models)),
        slices=tuple(
            dataclasses.replace(part, sources=tuple(map(renamed, part.sources)))
            for part in recipe.slices
        ),
        base=None if recipe.base is None else named[recipe.base],
        tokenizer=named.get(recipe.tokenizer, recipe.tokenizer),
    )


def _licence_notes(origins: tuple[Origin, ...]) -> list[str]:
    notes = [
        f"the licence of {origin.name} is not known" for origin in origins if not origin.licence
    ]
    different = sorted({origin.licence for origin in origins if origin.licence})
    if len(different) > 1:
        notes.append(f"the sources have different licences: {', '.join(different)}")
    return notes


def beside_weights(settled: Plan, lineage: Lineage) -> dict[str, bytes]:
    """The other files of the output, by name."""
    first = settled.models[0]
    files = _tokenizer(settled)
    generation = first.folder / "generation_config.json"
    if generation.is_file():
        files[generation.name] = generation.read_bytes()
    if first.config:
        files["config.json"] = _json(_config(settled))
    files[LINEAGE] = _json(to_json(lineage))
    files["README.md"] = _card(lineage).encode()
    return files


def _tokenizer(settled: Plan) -> dict[str, bytes]:
    if settled.tokens is not None:
        return dict(settled.tokens.files)
    models = dict(zip(settled.recipe.folders, settled.models, strict=True))
    folder = models.get(settled.recipe.tokenizer, settled.models[0]).folder
    named = [name for name in TOKENIZER_FILES if (folder / name).is_file()]
    return {name: (folder / name).read_bytes() for name in named}


def _config(settled: Plan) -> dict[str, Any]:
    """The first model's configuration, with what the merge has changed."""
    config = dict(settled.models[0].config)
    if "num_hidden_layers" in config and settled.layers:
        config["num_hidden_layers"] = settled.layers
    if settled.recipe.slices and isinstance(config.get("layer_types"), list):
        config["layer_types"] = _layer_types(settled)
    if settled.recipe.dtype is not None:
        config["dtype" if "dtype" in config else "torch_dtype"] = settled.recipe.dtype
    if settled.tokens is not None:
        config = settled.tokens.resized(config)
    head = any(task.spec.name == _HEAD for task in settled.tasks)
    if head and not all(model.tied for model in settled.models):
        config["tie_word_embeddings"] = False
    return config


def _layer_types(settled: Plan) -> list[Any]:
    """Of every layer, as its first source has it."""
    models = dict(zip(settled.recipe.folders, settled.models, strict=True))
    types: list[Any] = []
    for part in settled.recipe.slices:
        source = part.sources[0]
        types += list(models[source.model].config.get("layer_types") or [])[slice(*source.layers)]
    return types


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _cell(text: str) -> str:
    """As one cell of a table in Markdown."""
    return shown(text).replace("|", "\\|")


def _card(lineage: Lineage) -> str:
    recipe, method = lineage.recipe, METHODS[lineage.recipe.method]
    lines = ["---", "tags:", "- merge", "---", "", "# A merge of models", ""]
    lines += [f"Method: {method.title}: {method.formula}.", ""]
    if method.paper:
        lines += [f"Source: {method.paper}.", ""]
    lines += ["| source | licence | SHA-256 of its tensors |", "|---|---|---|"]
    lines += [
        f"| {_cell(o.name)} | {_cell(o.licence or 'not known')} | `{o.sha256}` |"
        for o in lineage.sources
    ]
    lines += [""]
    if lineage.notes:
        lines += [*(f"- {note}" for note in lineage.notes), ""]
    lines += ["The licences of all sources hold for the result.", ""]
    lines += ["```toml", dump_toml(to_json(recipe)).decode().rstrip(), "```", ""]
    lines += [f"`{LINEAGE}` has the hash of every tensor that took part.", ""]
    return "\n".join(lines)
