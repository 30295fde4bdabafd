"""Runs: one folder, an artifact a stage, one page."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zhufeng.base import (
    UNFINISHED,
    Draft,
    InputError,
    Manifest,
    Source,
    Spec,
    damage,
    differences,
    exclusive,
    expand,
    find,
    make,
    nearest,
    shown,
    to_json,
    write_durable,
)
from zhufeng.report import write_section
from zhufeng.route._page import PAGE, write_page
from zhufeng.route._recipe import Recipe, file_fields, read_recipe
from zhufeng.route._stage import Stage, Work, load_stage

RECIPE = "recipe.toml"
State = Literal["fresh", "stale", "missing"]
Sources = dict[str, tuple[Source, ...]]
_LEFT_BY_US = re.compile(rf".+{re.escape(UNFINISHED)}|\..+\.(draft-[0-9a-f]{{16}}|replaced)")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageStatus:
    """Where one stage of a run stands."""

    name: str
    state: State
    why: str
    """For a person; empty where fresh."""
    manifest: Manifest | None
    """Of the artifact that stands there, fresh or stale."""


@dataclass(frozen=True)
class StageResult:
    """What a run did for one stage."""

    name: str
    did: Literal["made", "nothing"]
    cpu_s: float
    manifest: Manifest


class Run:
    """A run's folder: ``recipe.toml``, a folder a stage, ``index.html``."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self.recipe = recipe

    @staticmethod
    def open(folder: Path) -> Run:
        """The run in `folder`.

        Raises:
            InputError: there is none.
        """
        if not (folder / RECIPE).exists():
            raise _no_run(folder)
        return Run(folder, read_recipe(folder / RECIPE))

    @property
    def page(self) -> Path:
        """The run's page."""
        return self.folder / PAGE

    def place(self, name: str) -> Path:
        """Folder of a stage's artifact."""
        return self.folder / name

    def status(self, *, thorough: bool = False) -> list[StageStatus]:
        """Where each stage stands, in order; `thorough` reads every byte of every artifact."""
        found: dict[str, StageStatus] = {}
        for name in self.recipe.sections:
            found[name] = self._stage_status(name, found, thorough=thorough)
        return list(found.values())

    def walk(self) -> Iterator[StageResult]:
        """Make what is missing or stale, in order, writing the page after each.

        Yields what was done for each stage as soon as it stands.
        """
        # Every file that the recipe names is found before anything of the run is touched.
        sources = {name: self._sources(load_stage(name)) for name in self.recipe.sections}
        with _owned(self.folder):
            write_durable(self.folder / RECIPE, self.recipe.dump())
            manifests: dict[str, Manifest] = {}
            for name in self.recipe.sections:
                result = self._make(name, sources[name], manifests, replace=True)
                manifests[name] = result.manifest
                self._write_page()
                yield result

    def add(self, name: str, config: Any) -> StageResult:
        """Make one stage with this configuration and make it part of the run.

        The way of commands that produce one artifact. Nothing is changed where the artifact
        stands from other inputs.

        Raises:
            InputError: it does, or a stage that it needs is not fresh.
        """
        self.recipe = replace(self.recipe, sections={**self.recipe.sections, name: config})
        stage = load_stage(name)
        sources = self._sources(stage)
        with _owned(self.folder):
            result = self._make(name, sources, self._fresh_needs(stage), replace=False)
            write_durable(self.folder / RECIPE, self.recipe.dump())
            self._write_page()
        return result

    def rewrite_page(self) -> None:
        """Write the page from the artifacts that stand."""
        with _owned(self.folder):
            self._write_page()

    def _write_page(self) -> None:
        write_page(self.folder, self.recipe, {s.name: s.state for s in self.status()})

    def _fresh_needs(self, stage: Stage[Any]) -> dict[str, Manifest]:
        standing = {status.name: status for status in self.status()}
        manifests = {}
        for need in stage.needs:
            status = standing.get(need)
            if status is None or status.state != "fresh" or status.manifest is None:
                raise InputError(
                    f"'{stage.name}' needs the run's '{need}'",
                    expected=f"a fresh artifact {self.place(need)}",
                    came=f"{status.state}: {status.why}" if status else "a run without it",
                    do=f"make it first: zhufeng run {self.folder / RECIPE} -o {self.folder}",
                )
            manifests[need] = status.manifest
        return manifests

    def _stage_status(
        self, name: str, before: Mapping[str, StageStatus], *, thorough: bool
    ) -> StageStatus:
        manifest = find(self.place(name))
        if manifest is None:
            return StageStatus(name, "missing", "not made yet", None)
        stage = load_stage(name)
        unready = [need for need in stage.needs if before[need].state != "fresh"]
        if unready:
            return StageStatus(name, "stale", f"{unready[0]} has to be made first", manifest)
        upstream = {need: before[need].manifest for need in stage.needs}
        standing = {need: made for need, made in upstream.items() if made is not None}
        spec = self._spec(stage, self._sources(stage), standing)
        if spec.key != manifest.spec.key:
            why = "; ".join(differences(manifest.spec, spec))
            return StageStatus(name, "stale", why, manifest)
        if broken := damage(self.place(name), manifest, thorough=thorough):
            return StageStatus(name, "stale", broken, manifest)
        return StageStatus(name, "fresh", "", manifest)

    def _sources(self, stage: Stage[Any]) -> Sources:
        config = self.recipe.sections[stage.name]
        sources: Sources = {}
        for field, files in file_fields(stage.config).items():
            value = getattr(config, field)
            patterns = [value] if isinstance(value, str) else list(value or ())
            where = f"[{stage.name}] {field}"
            sources[field] = expand(patterns, self.recipe.base, files, where)
        return sources

    def _spec(self, stage: Stage[Any], sources: Sources, upstream: Mapping[str, Manifest]) -> Spec:
        config = to_json(self.recipe.sections[stage.name])
        inputs = {f"{f}: {s.name}": s.sha256 for f, found in sources.items() for s in found}
        inputs |= {f"stage: {name}": m.content_sha256 for name, m in upstream.items()}
        return Spec(
            kind=stage.name,
            version=stage.version,
            # How a file is reached is not what the artifact is made from; its content is.
            configuration={key: value for key, value in config.items() if key not in sources},
            inputs=inputs,
            seed=self.recipe.seed,
        )

    def _make(
        self, name: str, sources: Sources, manifests: Mapping[str, Manifest], *, replace: bool
    ) -> StageResult:
        stage = load_stage(name)
        spec = self._spec(stage, sources, {need: manifests[need] for need in stage.needs})
        config = self.recipe.sections[name]
        made = False

        def fill(draft: Draft) -> None:
            nonlocal made
            made = True
            log.info("%s: at work", name)
            places = {need: self.place(need) for need in stage.needs}
            work = Work(draft, sources, places, self.recipe.seed)
            write_section(draft.folder, stage.make(config, work))

        begin = time.process_time()
        manifest = make(
            self.place(name),
            spec,
            fill,
            replace=replace,
            resumes=stage.resumes,
            packages=stage.packages,
        )
        cpu_s = time.process_time() - begin
        log.info("%s: %s", name, f"made in {cpu_s:.1f} s of CPU time" if made else "fresh")
        return StageResult(name, "made" if made else "nothing", cpu_s, manifest)


def new_run(folder: Path, recipe: Recipe) -> Run:
    """A run of `recipe` in `folder`, which need not be there yet.

    Raises:
        InputError: `folder` holds other things than a run.
    """
    if folder.exists() and not (folder / RECIPE).exists():
        if not folder.is_dir():
            raise _not_empty(folder, "a file")
        # What a run killed at its very beginning leaves does not count.
        others = [p.name for p in folder.iterdir() if not _LEFT_BY_US.fullmatch(p.name)]
        if others:
            raise _not_empty(folder, f"a folder with {shown(min(others))} in it")
    return Run(folder, recipe)


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        for path in folder.glob(f"*{UNFINISHED}"):
            path.unlink()
        yield


def _no_run(folder: Path) -> InputError:
    close = None
    if folder.parent.is_dir():
        runs = [p.name for p in folder.parent.iterdir() if (p / RECIPE).exists()]
        close = nearest(folder.name, runs)
    return InputError(
        f"{folder} is not a run",
        expected=f"a run's folder, with a {RECIPE}",
        came="a folder without one" if folder.is_dir() else "no such folder",
        do=f"name '{close}'" if close else "check the path, or make one: zhufeng run RECIPE -o RUN",
    )


def _not_empty(folder: Path, came: str) -> InputError:
    return InputError(
        f"{folder} is not a run",
        expected="a new or empty folder, or an earlier run",
        came=came,
        do="name another folder with -o",
    )
