"""Recipes: a run's whole configuration as typed TOML, a section a stage."""

from __future__ import annotations

import dataclasses
import graphlib
import logging
import os
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhufeng.base import (
    UNKEYED,
    Files,
    InputError,
    dump_toml,
    is_utf8,
    nearest,
    parse,
    read_toml,
    record,
    shown,
    to_json,
    unknown_key,
)
from zhufeng.route._stage import ROUTE, Stage, known_stages, load_stage

RECIPE_VERSION = 1
_ENVIRONMENT = "ZHUFENG_"
# Keys of the header that flags and the environment may set; the others belong to the file.
_OVERRIDDEN = ("name", "seed")

log = logging.getLogger(__name__)


@record
class Header:
    """The keys of a recipe outside its sections."""

    version: int = RECIPE_VERSION
    name: str
    """The page's title."""
    seed: int = 0
    base: str | None = None
    """Where relative paths start; the recipe's own folder without it."""

    def __post_init__(self) -> None:
        if self.version < 1:
            raise ValueError("a version of at least 1")


@dataclass(frozen=True)
class Recipe:
    """A run's configuration: which stages, and each one's."""

    name: str
    seed: int
    base: Path
    sections: Mapping[str, Any]
    """Stage to its configuration (a record of the stage's `config` class), in route order."""

    def __post_init__(self) -> None:
        if not is_utf8(str(self.base)):
            raise InputError(
                f"the folder {self.base} has a name that is not UTF-8",
                expected="a recipe in a folder, or a command given in one, that TOML can name",
                came=str(self.base),
                do="rename the folder, or work in another",
            )

    def dump(self) -> bytes:
        """TOML that reads back as this recipe from anywhere on this machine."""
        header = Header(name=self.name, seed=self.seed, base=str(self.base))
        sections = {name: to_json(config) for name, config in self.sections.items()}
        return dump_toml({**to_json(header), **sections})


def read_recipe(
    path: Path, settings: Mapping[str, str] | None = None, *, environment: bool = True
) -> Recipe:
    """Read a recipe file.

    Args:
        path: the TOML file.
        settings: flags, by dotted key (``"seed"``, ``"corpus.tokenizer"``). They beat the
            environment (``ZHUFENG_SEED``, ``ZHUFENG_CORPUS_TOKENIZER``), which beats the file.
        environment: whether it is asked.

    Raises:
        InputError: unknown keys or sections (names the nearest known one), values that do not
            fit, stages whose needs are absent.
    """
    table, folder = read_toml(path), path.resolve().parent
    return recipe_of(table, str(path), folder, settings or {}, environment=environment)


def recipe_of(
    table: Mapping[str, Any],
    source: str,
    folder: Path,
    settings: Mapping[str, str],
    *,
    environment: bool = True,
) -> Recipe:
    """The recipe in a TOML table; see `read_recipe`.

    Args:
        table: what the file holds.
        source: the file's name, for errors.
        folder: where relative paths start if the table does not say.
        settings: flags by dotted key.
        environment: whether it is asked.
    """
    head = {key: value for key, value in table.items() if not isinstance(value, dict)}
    bodies = {key: dict(value) for key, value in table.items() if isinstance(value, dict)}
    _check_names(head, bodies, source)
    stages = {name: load_stage(name) for name in bodies}
    if environment:
        _apply_environment(head, bodies, stages)
    _apply_settings(head, bodies, stages, settings)
    if not bodies:
        raise InputError(
            f"{source} has no section",
            expected="a section a stage: " + ", ".join(f"[{name}]" for name in known_stages()),
            came="a recipe without one",
            do="add one",
        )
    if settings:
        source = f"{source} with --set"
    header = parse(Header, head, source)
    configs = {
        name: parse(stage.config, bodies[name], f"{source} [{name}]")
        for name, stage in stages.items()
    }
    needs = {name: stages[name].needs_of(config) for name, config in configs.items()}
    sections = {name: configs[name] for name in _ordered(needs, source)}
    return Recipe(header.name, header.seed, _base(header, folder, source), sections)


def _base(header: Header, folder: Path, source: str) -> Path:
    # It need not be there: a run outlives the folder that its recipe came from.
    try:
        return (folder / Path(header.base or ".").expanduser()).resolve()
    except (RuntimeError, ValueError):
        # No such user after '~', or a name that no folder can have.
        raise InputError(
            f"{source}: base is not usable",
            expected="a folder where relative paths start",
            came=shown(header.base or str(folder)),
            do="correct base",
        ) from None


def check_header(table: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The keys of `table` outside its sections, all of them known.

    Raises:
        InputError: one is not.
    """
    head = {key: value for key, value in table.items() if not isinstance(value, dict)}
    _check_names(head, {}, source)
    return head


def file_fields(config: type) -> dict[str, Files]:
    """The fields of a configuration that name files, with the kinds of file meant."""
    hints = typing.get_type_hints(config, include_extras=True)
    return {
        name: marker
        for name, hint in hints.items()
        if typing.get_origin(hint) is typing.Annotated
        for marker in hint.__metadata__
        if isinstance(marker, Files)
    }


def unkeyed_fields(config: type) -> set[str]:
    """The fields of a configuration that the artifact does not depend on."""
    hints = typing.get_type_hints(config, include_extras=True)
    return {name for name, hint in hints.items() if UNKEYED in getattr(hint, "__metadata__", ())}


def _check_names(head: Mapping[str, Any], bodies: Mapping[str, Any], source: str) -> None:
    version = head.get("version", RECIPE_VERSION)
    if isinstance(version, int) and version > RECIPE_VERSION:
        raise InputError(
            f"{source} is a recipe of a newer version",
            expected=f"version {RECIPE_VERSION} or older",
            came=f"version {version}",
            do="upgrade: pip install -U zhufeng",
        )
    keys = [field.name for field in dataclasses.fields(Header)]
    stages = known_stages()
    for name in head:
        if name in stages:
            raise InputError(
                f"{source}: '{name}' is not a section",
                expected=f"a section [{name}]",
                came=f"a value, or a list of sections [[{name}]]",
                do=f"write [{name}]",
            )
        if name not in keys:
            raise unknown_key(source, name, [*keys, *stages])
    unbuilt = [step.name for step in ROUTE]
    for name in bodies:
        if name not in stages and name not in unbuilt:
            raise unknown_key(source, name, [*keys, *stages])


def from_environment(section: str, config: type) -> dict[str, Any]:
    """What the environment says of a section's keys: ``ZHUFENG_SECTION_KEY``.

    Args:
        section: the stage.
        config: its configuration's class.

    Raises:
        InputError: a variable's text is no value of its key's kind.
    """
    values = {}
    for key, hint in typing.get_type_hints(config).items():
        variable = _variable(section, key)
        if variable in os.environ:
            values[key] = _value(os.environ[variable], hint, variable)
    return values


def header_from_environment() -> dict[str, Any]:
    """What the environment says of a recipe's name and seed."""
    given = from_environment("", Header)
    return {key: value for key, value in given.items() if key in _OVERRIDDEN}


def _apply_environment(
    head: dict[str, Any], bodies: dict[str, dict[str, Any]], stages: Mapping[str, Stage[Any]]
) -> None:
    head.update(header_from_environment())
    for name, stage in stages.items():
        bodies[name].update(from_environment(name, stage.config))
    _warn_of_ignored(stages)


def _warn_of_ignored(stages: Mapping[str, Stage[Any]]) -> None:
    """A setting that is ignored warns; those of stages that are not in the recipe may wait."""
    known = {"ZHUFENG_CACHE", *(_variable("", key) for key in _OVERRIDDEN)}
    for name, stage in stages.items():
        known |= {_variable(name, key) for key in typing.get_type_hints(stage.config)}
    absent = tuple(_variable(name, "") for name in known_stages() if name not in stages)
    for variable in sorted(os.environ):
        if variable.startswith(_ENVIRONMENT) and variable not in known:
            if absent and variable.startswith(absent):
                continue
            close = nearest(variable, known)
            hint = f"; was {close} meant?" if close else ""
            log.warning("the environment's %s is ignored: no such setting%s", variable, hint)


def _apply_settings(
    head: dict[str, Any],
    bodies: dict[str, dict[str, Any]],
    stages: Mapping[str, Stage[Any]],
    settings: Mapping[str, str],
) -> None:
    places: dict[str, tuple[dict[str, Any], str, Any]] = {
        key: (head, key, typing.get_type_hints(Header)[key]) for key in _OVERRIDDEN
    }
    for name, stage in stages.items():
        for key, hint in typing.get_type_hints(stage.config).items():
            places[f"{name}.{key}"] = (bodies[name], key, hint)
    for dotted, text in settings.items():
        if dotted not in places:
            raise unknown_key("--set", dotted, sorted(places))
        place, key, hint = places[dotted]
        place[key] = _value(text, hint, dotted)


def _variable(section: str, key: str) -> str:
    words = f"{section}_{key}" if section else key
    return _ENVIRONMENT + words.replace("-", "_").upper()


def _value(text: str, hint: Any, where: str) -> Any:
    """What a flag or variable says, as TOML would; strings need no quotes, lists of one none."""
    options = typing.get_args(hint) if _is_union(hint) else (hint,)
    if str in options or any(text in typing.get_args(o) for o in options if _is_literal(o)):
        return text
    if any(typing.get_args(option)[:1] == (str,) for option in options) and text[:1] != "[":
        return [text]
    try:
        (value,) = tomllib.loads(f"value = {text}").values()
    except (ValueError, RecursionError):
        raise InputError(
            f"{where} is not usable",
            expected="a value as TOML spells it: 3, 0.5, true, [1, 2]",
            came=shown(text),
            do=f"correct {where}",
        ) from None
    return value


def _is_literal(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.Literal


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _ordered(needs: Mapping[str, tuple[str, ...]], source: str) -> Iterable[str]:
    """Stage names, each after what it needs, else in the order of the route."""
    for name, needed in needs.items():
        for need in needed:
            if need not in needs:
                raise InputError(
                    f"{source}: [{name}] needs [{need}]",
                    expected=f"a section [{need}]",
                    came="sections " + ", ".join(needs),
                    do=f"add [{need}]",
                )
    graph = {name: needs[name] for name in known_stages() if name in needs}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        cycle = " needs ".join(reversed(error.args[1]))
        raise InputError(
            f"{source}: the stages need each other",
            expected="an order in which every stage follows those it needs",
            came=cycle,
            do="remove one of them; the package that brings it is at fault",
        ) from None
    order: list[str] = []
    while left := [name for name in graph if name not in order]:
        order.append(next(name for name in left if set(graph[name]) <= set(order)))
    return order
