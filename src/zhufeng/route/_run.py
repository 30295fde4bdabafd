"""Runs: one folder, an artifact a stage, one page."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zhufeng.base import (
    UNFINISHED,
    DamagedError,
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
    read_toml,
    sha256_json,
    shown,
    standing,
    sync_folder,
    to_json,
    write_durable,
)
from zhufeng.report import SECTION, Section, read_section, write_section
from zhufeng.route._page import PAGE, write_page
from zhufeng.route._recipe import Recipe, file_fields, read_recipe, unkeyed_fields
from zhufeng.route._stage import Sources, Stage, Work, load_stage, owner_of
from zhufeng.route._status import StageStatus

# Not "recipe.toml": a folder that holds a user's own recipe is not therefore a run.
RECIPE = "run.toml"
# Beside an artifact: what its stage keeps for another time.
KEPT = ".parts"
_HALF_WRITTEN = (RECIPE + UNFINISHED, PAGE + UNFINISHED)
_HALF_MADE = re.compile(r"\..+\.(draft-[0-9a-f]{16}|replaced)")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageResult:
    """What a run did for one stage."""

    name: str
    did: Literal["made", "nothing"]
    cpu_s: float
    manifest: Manifest


class Run:
    """A run's folder: ``run.toml``, a folder a stage, ``index.html``."""

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
        # What the run was made with is written there; today's environment has no say.
        return Run(folder, read_recipe(folder / RECIPE, environment=False))

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
            self._warn_of_dropped_sections()
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
            manifests = self._whole_needs(stage)
            # Refused before anything is touched; then the recipe first, so that what is killed
            # later is known for a run.
            standing(self.place(name), self._spec(stage, sources, manifests), replace=False)
            write_durable(self.folder / RECIPE, self.recipe.dump())
            result = self._make(name, sources, manifests, replace=False)
            self._write_page()
        return result

    def rewrite_page(self) -> None:
        """Write the page from the artifacts that stand.

        Raises:
            InputError: one of them is damaged.
        """
        with _owned(self.folder):
            for name in self.recipe.sections:
                if find(self.place(name)):
                    read_section(self.place(name))
            self._write_page()

    def _write_page(self) -> None:
        write_page(self.folder, self.recipe, self.status())

    def _warn_of_dropped_sections(self) -> None:
        before: dict[str, Any] = {}
        with suppress(InputError):  # none yet, or one that is damaged and gives way
            before = read_toml(self.folder / RECIPE)
        for name, table in before.items():
            if isinstance(table, dict) and name not in self.recipe.sections:
                log.warning("%s: no longer in the recipe; its folder is left as it is", name)

    def _needs(self, stage: Stage[Any]) -> tuple[str, ...]:
        return stage.needs_of(self.recipe.sections[stage.name])

    def _whole_needs(self, stage: Stage[Any]) -> dict[str, Manifest]:
        found = {status.name: status for status in self.status()}
        manifests = {}
        for need in self._needs(stage):
            status = found.get(need)
            if status is None or not status.whole or status.manifest is None:
                # A run that does not have it in its recipe cannot make it by walking that.
                alone = load_stage(need).command if status is None else ""
                command = alone or f"zhufeng run {self.folder / RECIPE}"
                raise InputError(
                    f"'{stage.name}' needs the run's '{need}'",
                    expected=f"a fresh artifact {self.place(need)}",
                    came=f"{status.state}: {status.why}" if status else "a run without it",
                    do=f"make it first: {command} -o {self.folder}",
                )
            manifests[need] = status.manifest
        return manifests

    def _stage_status(
        self, name: str, before: Mapping[str, StageStatus], *, thorough: bool
    ) -> StageStatus:
        try:
            manifest = find(self.place(name))
        except DamagedError as error:
            return StageStatus(name, "stale", error.where, None)
        if manifest is None:
            return StageStatus(name, "missing", "not made yet", None)
        if broken := damage(self.place(name), manifest, thorough=thorough):
            return StageStatus(name, "stale", broken, manifest)
        return self._compared(load_stage(name), manifest, before)

    def _compared(
        self, stage: Stage[Any], manifest: Manifest, before: Mapping[str, StageStatus]
    ) -> StageStatus:
        """The status of a whole artifact: is it what would be made today?"""
        upstream = {need: before[need] for need in self._needs(stage)}
        for need, status in upstream.items():
            if not status.whole:
                return StageStatus(stage.name, "stale", f"{need} has to be made first", manifest)
        manifests = {need: s.manifest for need, s in upstream.items() if s.manifest}
        try:
            spec = self._spec(stage, self._sources(stage), manifests)
        except InputError as error:
            why = f"its inputs are out of reach: {error.where}"
            return StageStatus(stage.name, "stale", why, manifest, whole=True)
        if spec.key != manifest.spec.key:
            why = "; ".join(differences(manifest.spec, spec))
            return StageStatus(stage.name, "stale", why, manifest)
        return StageStatus(stage.name, "fresh", "", manifest, whole=True)

    def _sources(self, stage: Stage[Any]) -> Sources:
        config = self.recipe.sections[stage.name]
        sources: dict[str, tuple[Source, ...]] = {}
        for field, files in file_fields(stage.config).items():
            value = getattr(config, field)
            patterns = [value] if isinstance(value, str) else list(value or ())
            where = f"[{stage.name}] {field}"
            found = expand(patterns, self.recipe.base, files, where, outside=self.folder)
            if isinstance(value, str) and len(found) != 1:
                raise InputError(
                    f"{where}: '{shown(value)}' names {len(found)} files",
                    expected="one file",
                    came=", ".join(shown(source.name) for source in found[:3]),
                    do="name one of them",
                )
            sources[field] = found
            log.debug("%s: %d files", where, len(found))
        return sources

    def _spec(self, stage: Stage[Any], sources: Sources, upstream: Mapping[str, Manifest]) -> Spec:
        config = to_json(self.recipe.sections[stage.name])
        inputs = {f"{f}: {s.name}": s.sha256 for f, found in sources.items() for s in found}
        inputs |= {f"stage: {name}": _content_sha256(m) for name, m in upstream.items()}
        inputs |= stage.models_of(self.recipe.sections[stage.name], sources)
        unkeyed = unkeyed_fields(stage.config)
        return Spec(
            kind=stage.name,
            version=stage.version,
            # How a file is reached is not what the artifact is made from; its content is.
            configuration={
                k: v for k, v in config.items() if k not in sources and k not in unkeyed
            },
            inputs=inputs,
            seed=self.recipe.seed if stage.seeded else 0,
        )

    def _make(
        self, name: str, sources: Sources, manifests: Mapping[str, Manifest], *, replace: bool
    ) -> StageResult:
        stage = load_stage(name)
        spec = self._spec(stage, sources, {need: manifests[need] for need in self._needs(stage)})
        config = self.recipe.sections[name]
        made = False

        def fill(draft: Draft) -> None:
            nonlocal made
            made = True
            log.info("%s: at work", name)
            places = {need: self.place(need) for need in self._needs(stage)}
            kept = self.folder / f"{name}{KEPT}"
            work = Work(draft, sources, places, self.recipe.seed, kept)
            section = stage.make(config, work)
            if not isinstance(section, Section):
                raise TypeError(f"the stage '{name}' must return a Section, not {section!r}")
            write_section(draft.folder, section)

        log.debug("%s: key %s", name, spec.key)
        begin = _cpu_s()
        manifest = make(
            self.place(name),
            spec,
            fill,
            replace=replace,
            resumes=stage.resumes,
            packages=(*stage.packages, *owner_of(name)),
        )
        cpu_s = _cpu_s() - begin
        log.info("%s: %s", name, f"made in {cpu_s:.1f} s of CPU time" if made else "fresh")
        return StageResult(name, "made" if made else "nothing", cpu_s, manifest)


def _cpu_s() -> float:
    """CPU seconds of this process and of those it has waited for."""
    return sum(os.times()[:4])


def new_run(folder: Path, recipe: Recipe) -> Run:
    """A run of `recipe` in `folder`, which need not be there yet.

    Raises:
        InputError: `folder` holds other things than a run.
    """
    if folder.exists() and not (folder / RECIPE).exists():
        if not folder.is_dir():
            raise _not_empty(folder, "a file")
        # What a run killed at its very beginning leaves does not count.
        names = [path.name for path in folder.iterdir()]
        others = [n for n in names if n not in _HALF_WRITTEN and not _HALF_MADE.fullmatch(n)]
        if others:
            raise _not_empty(folder, f"a folder with {shown(min(others))} in it")
    return Run(folder, recipe)


def _content_sha256(manifest: Manifest) -> str:
    """Hash of what an artifact gives to those that need it; its section is for the page alone."""
    return sha256_json({n: f.sha256 for n, f in manifest.files.items() if n != SECTION})


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    if not folder.exists():
        folder.mkdir(parents=True)
        sync_folder(folder.parent)
    with exclusive(folder):
        for name in _HALF_WRITTEN:
            (folder / name).unlink(missing_ok=True)
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
