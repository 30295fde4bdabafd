"""Stages that tests put into the registry."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from zhufeng.base import Files, record, write_durable
from zhufeng.report import Section
from zhufeng.route import Stage, Work


@record
class CopyConfig:
    """Copies a file and what an upstream stage has made."""

    source: Annotated[str | None, Files()] = None
    word: str = ""
    ignored_upstream: bool = False


def copy(config: CopyConfig, work: Work) -> Section:
    made = [source.path.read_text() for source in work.sources["source"]]
    if not config.ignored_upstream:
        made += [(place / "out.txt").read_text() for place in work.upstream.values()]
    write_durable(work.folder / "out.txt", "+".join([*made, config.word]).encode())
    return Section(title="Copy", summary=f"{len(made)} parts")


def stage(name: str, *needs: str, version: int = 1) -> Stage[CopyConfig]:
    return Stage(name, name.title(), version, CopyConfig, copy, needs=needs)


class Point(metadata.EntryPoint):
    """An entry point that needs no installed package."""

    def load(self) -> Any:
        return REGISTERED[self.name]


REGISTERED: dict[str, Any] = {}


def write_recipe(folder: Path, **sections: dict[str, Any]) -> Path:
    """A recipe whose keys are as given."""
    text = 'name = "test"\n'
    for name, keys in sections.items():
        text += f"\n[{name}]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in keys.items())
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
