"""mergekit's YAML, read into the keys of our recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zhufeng.base import InputError, brief, needs_extra, read_text, shown

# What changes how mergekit works but not what it makes.
_WITHOUT_EFFECT = {"int8_mask"}


def read_mergekit(path: Path) -> dict[str, Any]:
    """The table that `Recipe` is parsed from.

    Raises:
        InputError: it is not YAML, or uses something of mergekit that we have not; names it.
    """
    with needs_extra("fusion"):
        import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 (comes with transformers)

    try:
        loader = yaml.SafeLoader(read_text(path, "mergekit's YAML"))
        node = loader.get_single_node()
        # Deeply: what is part of itself is an error then.
        found: Any = None if node is None else loader.construct_object(node, deep=True)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(
            f"{path} is not YAML",
            expected="a merge as mergekit's YAML has it",
            came=brief(error),
            do="correct the file at that place",
        ) from None
    keys: dict[str, Callable[[Any], Mapping[str, Any]]] = {
        "merge_method": lambda value: {"method": value},
        "base_model": lambda value: {"base": _folder(path, value)},
        "models": lambda value: {"models": [_source(path, entry) for entry in _list(path, value)]},
        "slices": lambda value: {"slices": [_slice(path, entry) for entry in _list(path, value)]},
        "parameters": lambda value: {"parameters": _parameters(path, value)},
        "dtype": lambda value: {"dtype": value},
        "out_dtype": lambda value: {"dtype": value},
        "tokenizer_source": lambda value: _tokenizer(path, value, found),
    }
    return {"compat": "mergekit", **_translate(path, found, keys, "a merge")}


def _translate(
    path: Path,
    table: object,
    keys: Mapping[str, Callable[[Any], Mapping[str, Any]]],
    what: str,
) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise _unsupported(path, f"{what} as a table", shown(repr(table)))
    translated: dict[str, Any] = {}
    for key in table:
        if key not in keys:
            raise _unsupported(path, f"{what} of {', '.join(keys)}", shown(str(key)))
    for key, translate in keys.items():  # in this order, so that out_dtype follows dtype
        if table.get(key) is not None:
            translated.update(translate(table[key]))
    return translated


def _source(path: Path, entry: object) -> dict[str, Any]:
    keys: dict[str, Callable[[Any], Mapping[str, Any]]] = {
        "model": lambda value: {"model": _folder(path, value)},
        "layer_range": lambda value: {"layers": value},
        "parameters": lambda value: {"parameters": _parameters(path, value)},
    }
    return _translate(path, entry, keys, "a source")


def _slice(path: Path, entry: object) -> dict[str, Any]:
    keys: dict[str, Callable[[Any], Mapping[str, Any]]] = {
        "sources": lambda value: {"sources": [_source(path, part) for part in _list(path, value)]},
        "parameters": lambda value: {"parameters": _parameters(path, value)},
    }
    return _translate(path, entry, keys, "a slice")


def _parameters(path: Path, table: object) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise _unsupported(path, "parameters as a table", shown(repr(table)))
    return {
        str(key): _setting(value)
        for key, value in table.items()
        if key not in _WITHOUT_EFFECT and value is not None
    }


def _setting(value: Any) -> Any:
    """YAML reads 1e-3 as a text; a single filter stands without a list."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if isinstance(value, list):
        entries = [_setting(inner) for inner in value]
        mixed = any(isinstance(entry, dict) for entry in entries)
        return (
            [entry if isinstance(entry, dict) else {"value": entry} for entry in entries]
            if (mixed)
            else entries
        )
    if isinstance(value, dict):
        entry = {str(key): inner for key, inner in value.items()}
        return {**entry, "value": _setting(entry.get("value"))}
    return value


def _list(path: Path, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _unsupported(path, "a list of models, slices or sources", shown(repr(value)))
    return value


def _folder(path: Path, value: object) -> str:
    named = value.get("model") if isinstance(value, dict) else value
    named = named.get("path") if isinstance(named, dict) else named
    if not isinstance(named, str) or (isinstance(value, dict) and set(value) - {"model"}):
        raise _unsupported(path, "the folder of a model", shown(repr(value)))
    if "+" in Path(named).name and not (path.parent / named).exists():
        raise _unsupported(path, "a model without an adapter", shown(named))
    return named


def _tokenizer(path: Path, value: object, table: Mapping[str, Any]) -> dict[str, Any]:
    if value == "union":
        return {"tokenizer": value}
    chosen = table.get("base_model") if value == "base" else value
    return {} if chosen is None else {"tokenizer": _folder(path, chosen)}


def _unsupported(path: Path, expected: str, came: str) -> InputError:
    return InputError(
        f"{path} uses something of mergekit that is not supported",
        expected=expected,
        came=came,
        do="write the merge without it, or as a TOML recipe",
    )
