"""What is merged and how: the recipe, as TOML or as mergekit's YAML has it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from zhufeng.base import nearest, parse, read_toml, record
from zhufeng.fusion.merge._mergekit import read_mergekit
from zhufeng.fusion.merge._table import METHODS, Method

Dtype = Literal["float64", "float32", "float16", "bfloat16"]

UNION = "union"
# Keys of a recipe that hold folders, and those whose tables do.
_FOLDERS, _OF_MODELS = {"model", "base", "tokenizer"}, {"models", "slices", "sources"}

# What a layer's share of the depth may be: a number, or numbers spread over the layers.
Scalar = bool | float | tuple[float, ...]


@record
class Filtered:
    """A value for the tensors whose name contains `filter`; for all where it is None."""

    filter: str | None = None
    value: Scalar


Setting = Scalar | tuple[Filtered, ...]
Settings = Mapping[str, Setting]


@record
class Source:
    """One model that is merged."""

    model: str
    """Its folder."""
    parameters: Settings = field(default_factory=dict)


@record
class SliceSource:
    """Some consecutive layers of one model."""

    model: str
    layers: tuple[int, int]
    """The first, and the one after the last."""
    parameters: Settings = field(default_factory=dict)


@record
class Slice:
    """Consecutive layers of the output, merged from as many layers of each source."""

    sources: tuple[SliceSource, ...]
    parameters: Settings = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("a slice with at least one source")
        if any(not 0 <= source.layers[0] < source.layers[1] for source in self.sources):
            raise ValueError("layers [first, after the last], first at least 0")
        if len({source.layers[1] - source.layers[0] for source in self.sources}) > 1:
            raise ValueError("sources of a slice with equally many layers")


@record
class Recipe:
    """A merge in full.

    A parameter is looked for with the source, then with the slice, then in `parameters`.
    """

    method: str
    """A key of `METHODS`."""
    models: tuple[Source, ...] = ()
    """Whole models. Either these or slices."""
    slices: tuple[Slice, ...] = ()
    base: str | None = None
    """The model that differences are taken from, and whose configuration the output has."""
    parameters: Settings = field(default_factory=dict)
    dtype: Dtype | None = None
    """Of the output; each tensor keeps the base's (else the first model's) where it is None."""
    tokenizer: str = "same"
    """``"same"``: all models must have the same; ``"union"``: the tokens of all; else the model
    whose tokenizer is taken."""
    compat: Literal["none", "mergekit"] = "none"
    """``"mergekit"``: rounding of counts and rescaling as mergekit 0.1.5 has them."""
    seed: int = 0
    """Of random masks."""
    max_shard_bytes: int | None = None
    """A file of the output begins anew beyond this; None: one file."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            close = nearest(self.method, METHODS)
            raise ValueError(f"method '{close}'" if close else "method " + ", ".join(METHODS))
        if bool(self.models) == bool(self.slices):
            raise ValueError("either models or slices, not both")
        method = METHODS[self.method]
        if method.base == "required" and self.base is None:
            raise ValueError(f"a base: {self.method} takes differences from it")
        if self.max_shard_bytes is not None and self.max_shard_bytes < 1:
            raise ValueError("max_shard_bytes of at least 1")
        for group in self._groups():
            if len(set(group)) < len(group):
                raise ValueError("every model once, in a slice too")
            count = len([model for model in group if self._counts(model)])
            if not method.least <= count <= method.most:
                raise ValueError(_wanted(self.method, method))
        for settings in self._settings():
            for key, setting in settings.items():
                _check_setting(self.method, method, key, setting)

    @property
    def folders(self) -> tuple[str, ...]:
        """Every model once, the base first."""
        named = [self.base] if self.base is not None else []
        return tuple(
            dict.fromkeys([*named, *(model for group in self._groups() for model in group)])
        )

    def _counts(self, model: str) -> bool:
        return METHODS[self.method].base == "unused" or model != self.base

    def _groups(self) -> list[list[str]]:
        if self.models:
            return [[source.model for source in self.models]]
        return [[source.model for source in part.sources] for part in self.slices]

    def _settings(self) -> Iterator[Settings]:
        yield self.parameters
        yield from (source.parameters for source in self.models)
        for part in self.slices:
            yield part.parameters
            yield from (source.parameters for source in part.sources)


def _wanted(name: str, method: Method) -> str:
    if method.least == method.most:
        count = f"exactly {method.least}"
    elif method.most == 1:
        count = "one"
    else:
        count = f"at least {method.least}"
    return f"{count} models for {name}" + (" beside the base" * (method.base == "required"))


# The range that a parameter's numbers must lie in; others can be of any size that fp32 can add up.
_RANGES: Mapping[str, tuple[float, float]] = {
    "density": (0, 1),
    "gamma": (0, 1),
    "epsilon": (0, 0.5),
    "select_topk": (0, 1),
}
_MOST = 1e9


def _check_setting(name: str, method: Method, key: str, setting: Setting) -> None:
    known = {**method.shared, **method.each}
    if key not in known:
        raise ValueError(f"parameters of {name}: {', '.join(known)}; not '{key}'")
    low, high = _RANGES.get(key, (-_MOST, _MOST))
    for value in _values(setting):
        if isinstance(value, bool) != isinstance(known[key], bool):
            kind = "true or false" if isinstance(known[key], bool) else "a number"
            raise ValueError(f"{key}: {kind}")
        if not low <= value <= high:  # "not a number" neither
            raise ValueError(f"{key} in [{low:g}, {high:g}]")


def _values(setting: Setting) -> Iterator[bool | float]:
    if isinstance(setting, Filtered):
        yield from _values(setting.value)
    elif isinstance(setting, tuple):
        if not setting:
            raise ValueError("at least one value")
        for inner in setting:
            yield from _values(inner)  # type: ignore[arg-type]
    else:
        yield setting


def resolve(setting: Setting | None, name: str, depth: float) -> bool | float | None:
    """A parameter's value for one tensor; None where it says nothing of it.

    Numbers in a list are points of a line over the layers; between two it is straight.

    Args:
        setting: as the recipe has it.
        name: the tensor's.
        depth: of its layer, 0 the first to 1 the last.
    """
    if not isinstance(setting, tuple):
        return setting
    for inner in setting:
        if isinstance(inner, Filtered):
            if inner.filter in {None, "*"} or str(inner.filter) in name:
                return resolve(inner.value, name, depth)
        else:
            return _between([float(value) for value in setting], depth)  # type: ignore[arg-type]
    return None


def _between(points: list[float], depth: float) -> float:
    at = depth * (len(points) - 1)
    low = min(int(at), len(points) - 1)
    high = min(low + 1, len(points) - 1)
    return (1 - (at - low)) * points[low] + (at - low) * points[high]


def read_recipe(path: Path) -> Recipe:
    """A recipe from TOML, or from mergekit's YAML (``.yml``, ``.yaml``).

    Folders that the recipe names stand relative to its own.

    Raises:
        InputError: it cannot be read, or says something that is not supported; names it.
    """
    yaml = path.suffix in {".yml", ".yaml"}
    table: Mapping[str, Any] = read_mergekit(path) if yaml else read_toml(path)
    return parse(Recipe, _anchored(table, path.parent), str(path))


def _anchored(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The table with each folder under the one name that it has, so that equal ones are seen."""

    def at(value: Any, key: str) -> Any:
        if isinstance(value, list):
            return [at(inner, key) for inner in value]
        if isinstance(value, dict) and key in _OF_MODELS:
            return {name: at(inner, name) for name, inner in value.items()}
        if not isinstance(value, str) or key not in _FOLDERS:
            return value
        own = key == "tokenizer" and value in {"same", UNION}
        return value if own else os.path.abspath(folder / value)  # noqa: PTH100 (a link keeps its name)

    return {key: at(value, key) for key, value in table.items()}
