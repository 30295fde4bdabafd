"""Typed configuration and records: frozen dataclasses read from TOML and JSON, strictly."""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zhufeng.base._errors import InputError, printable

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")
Json = Mapping[str, Any]

_SHOWN_CHARACTERS = 80
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}  # a validator costs milliseconds to build


@typing.dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[T]) -> type[T]:
    """A frozen, keyword-only dataclass that `parse` reads strictly.

    Strictly: an unknown key is an error, "1" is not 1, and 1.0 is not an integer. A
    ``__post_init__`` that raises ValueError adds rules between fields.
    """
    strict = {"extra": "forbid", "strict": True, "ser_json_inf_nan": "constants"}
    cls.__pydantic_config__ = strict  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


UNKEYED = "unkeyed"
"""Marks a field of a stage's configuration that no byte of the artifact depends on, such as how
many processes make it: a change of it leaves the artifact fresh.

>>> workers: Annotated[int, UNKEYED] = 2
"""


def parse(kind: type[T], data: Any, source: str) -> T:
    """Build a `record` from what TOML or JSON gave.

    Args:
        kind: the record's class, or any type made of records, tuples, mappings and scalars.
        data: dicts, lists and scalars.
        source: where `data` came from, for the error ("recipe.toml").

    Raises:
        InputError: `data` does not fit; names the first place that does not, and the nearest
            known key where one is unknown.
    """
    from pydantic import ValidationError  # noqa: PLC0415 (slow to import)

    try:
        # By way of JSON, because strict JSON reads lists as tuples and TOML's integers as
        # floats where a float is wanted, and nothing else is converted.
        value: T = _adapter(kind).validate_json(json.dumps(data, default=_foreign))
    except ValidationError as error:
        raise _input_error(kind, error.errors(include_url=False), source) from None
    return value


def _foreign(value: Any) -> Any:
    # TOML has dates and times; no record has, and they must not pass for strings.
    return {type(value).__name__: str(value)}


def to_json(value: Any) -> Any:
    """The dicts, lists and scalars that `parse` reads back as `value`."""
    return _adapter(type(value)).dump_python(value, mode="json")


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's table.

    Raises:
        InputError: the file cannot be read or is not TOML.
    """
    text = read_text(path, "a TOML file")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is not TOML",
            expected="TOML (https://toml.io)",
            came=brief(error),
            do="correct the file at that place",
        ) from None


def dump_toml(table: Mapping[str, Any]) -> bytes:
    """A TOML file's bytes; keys whose value is None are left out, for TOML has no None."""
    import tomli_w  # noqa: PLC0415 (few commands write TOML)

    return tomli_w.dumps(_without_none(table)).encode()


def read_json(path: Path) -> Any:
    """A JSON file's value.

    Raises:
        InputError: the file cannot be read or is not JSON.
    """
    return loads_json(read_text(path, "a JSON file"), str(path))


def loads_json(text: str | bytes, source: str) -> Any:
    """The JSON value that `text` spells; `source` names it in the error."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{source} is not JSON",
            expected="one JSON value",
            came=brief(error),
            do="restore the file from a copy, or make it again",
        ) from None


def read_text(path: Path, what: str) -> str:
    """A UTF-8 file's text; `what` says in the error what kind of file was wanted.

    Raises:
        InputError: there is no such file, it cannot be read, or it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist",
            expected=what,
            came="no file of that name" + similar_name(path),
            do="check the path",
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not text",
            expected=f"{what} in UTF-8",
            came=f"byte 0x{error.object[error.start]:02x} at offset {error.start}",
            do="save the file as UTF-8, or check the path",
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read", expected=what, came=brief(error), do="check the path"
        ) from None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, if one is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def similar_name(path: Path) -> str:
    """For an error about a path that is not there: what is there of nearly that name, or ""."""
    try:
        close = nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""
    return f" (there is '{shown(close)}')" if close else ""


def is_utf8(text: str) -> bool:
    """Whether a file can hold `text`: a lone surrogate, as some file names have, it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: Any) -> str:
    """A value as an error message shows it: on one line, printable, and short."""
    text = value if isinstance(value, str) and value.strip() else repr(value)
    text = printable(text[:1000])
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def unknown_key(where: str, key: str, known: Sequence[str]) -> InputError:
    """The error for a key, section or name that is not among those known."""
    close = nearest(key, known)
    otherwise = "take one of these, or remove it" if known else "remove it"
    return InputError(
        f"{where} has an unknown key '{shown(key)}'",
        expected="one of " + ", ".join(sorted(known)) if known else "no key here",
        came=shown(key),
        do=f"write '{close}'" if close else otherwise,
    )


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        from pydantic import TypeAdapter  # noqa: PLC0415 (slow to import)

        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _input_error(kind: type, errors: Sequence[ErrorDetails], source: str) -> InputError:
    # A misspelt key is also a missing one; what was written tells more.
    unknown = [e for e in errors if e["type"] == "unexpected_keyword_argument"]
    error = [*unknown, *errors][0]
    place = error["loc"]
    more = f" ({len(errors) - 1} more of its values are wrong)" if len(errors) > 1 else ""
    if error["type"] == "unexpected_keyword_argument":
        inner = _spell(place[:-1])
        where = f"{source}{more}" + (f": {inner}" if inner else "")
        return unknown_key(where, str(place[-1]), _known_keys(kind, place[:-1]))
    where = f"{source}{more}" + (f": {_spell(place)}" if place else "")
    if error["type"] == "missing":
        return InputError(
            f"{where} is missing",
            expected=f"a value for '{place[-1]}'",
            came="none",
            do=f"add '{place[-1]}'",
        )
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return InputError(
        f"{where} is not usable",
        expected=message,
        came=shown(error["input"]),
        do=f"correct it in {source}",
    )


def _spell(place: tuple[int | str, ...]) -> str:
    """``('corpus', 'inputs', 2)`` as ``corpus.inputs[2]``."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part)}" if text else shown(part)
    return text


def _known_keys(kind: Any, place: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the record found at `place` inside the type `kind`."""
    for part in place:
        kind = _inner(kind, part)
    records = [option for option in _options(kind) if _is_record(option)]
    return [field.name for option in records for field in dataclasses.fields(option)]


def _inner(kind: Any, part: int | str) -> Any:
    for option in _options(kind):
        if _is_record(option):
            hints = typing.get_type_hints(option)
            if part in hints:
                return hints[str(part)]
        elif isinstance(option, type) or typing.get_origin(option) is None:
            continue
        elif arguments := [a for a in typing.get_args(option) if a is not Ellipsis]:
            return arguments[-1]
    return None


def _options(kind: Any) -> list[Any]:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return list(typing.get_args(kind))
    return [kind]


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def brief(error: Exception) -> str:
    """What another's exception says, for the `came` of ours; without the path of a file."""
    told = error.strerror if isinstance(error, OSError) else None
    return shown(told or str(error) or type(error).__name__)


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_none(inner) for inner in value]
    return value
