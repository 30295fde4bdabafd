"""One artifact into a run: the way of commands that produce just one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zhufeng.base import InputError, anchor, parse, read_toml
from zhufeng.route._recipe import (
    Header,
    Recipe,
    check_header,
    file_fields,
    from_environment,
    header_from_environment,
)
from zhufeng.route._run import RECIPE, Run, StageResult, new_run
from zhufeng.route._stage import load_stage


def add_to_run(
    folder: Path, name: str, flags: Mapping[str, Any], config_file: Path | None
) -> tuple[Run, StageResult]:
    """Make the artifact of one stage in a run, and its section of the page.

    Args:
        folder: the run's; made if it is not there.
        name: the stage.
        flags: values of the stage's configuration as the command line gave them, None where
            it did not, tables for what stands in a table; relative paths start at the working
            folder. They beat the environment, which beats the file.
        config_file: TOML with a section named as the stage; its relative paths start at its
            own folder.

    Raises:
        InputError: the configuration does not fit, or the artifact stands from other inputs.
    """
    stage = load_stage(name)
    table: dict[str, Any] = {}
    head: dict[str, Any] = {}
    if config_file is not None:
        table, head = _section(config_file, name)
        _anchor(table, stage.config, config_file.resolve().parent)
    nearer = from_environment(name, stage.config)
    nearer |= {key: value for key, value in flags.items() if value is not None}
    _anchor(nearer, stage.config, Path.cwd())
    source = str(config_file) if config_file else "the command line"
    config = parse(stage.config, _laid_over(table, nearer), source)
    run = _open_or_new(folder, head)
    return run, run.add(name, config)


def _laid_over(table: Mapping[str, Any], nearer: Mapping[str, Any]) -> dict[str, Any]:
    """`table` with the values of `nearer` in place of its own, in tables within it too."""
    merged = dict(table)
    for key, value in nearer.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _laid_over(below, value)
        else:
            merged[key] = value
    return merged


def _section(path: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    whole = read_toml(path)
    head = check_header(whole, str(path))
    table = whole.get(name)
    if not isinstance(table, dict):
        raise InputError(
            f"{path} has no section [{name}]",
            expected=f"a TOML file with [{name}]",
            came="a file without it",
            do=f"add [{name}], or leave --config out",
        )
    return dict(table), head


def _open_or_new(folder: Path, head: dict[str, Any]) -> Run:
    if (folder / RECIPE).exists():
        return Run.open(folder)
    named = {"name": folder.resolve().name or "run", **head, **header_from_environment()}
    header = parse(Header, named, "the recipe's header")
    return new_run(folder, Recipe(header.name, header.seed, Path.cwd(), {}))


def _anchor(table: dict[str, Any], config: type, base: Path) -> None:
    """Make the paths in fields that name files absolute."""
    for key, files in file_fields(config).items():
        value = table.get(key)
        if isinstance(value, str):
            table[key] = value if files.known(value, base) else anchor(value, base)
        elif isinstance(value, list):
            table[key] = [anchor(str(one), base) for one in value]
