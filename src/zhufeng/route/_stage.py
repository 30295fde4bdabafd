"""Stages: how a capability joins the recipe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar

from zhufeng.base import Draft, InputError, Source, unknown_key
from zhufeng.report import Section

C = TypeVar("C")
Sources = Mapping[str, tuple[Source, ...]]
"""Files by the field of the configuration that names them."""

GROUP = "zhufeng.stages"
# A section, a folder and an anchor of the page at once; and no key of a recipe's header.
_NAME = re.compile(r"(?!(version|name|seed|base)$)[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Work:
    """What a stage is given to work with."""

    draft: Draft
    """The artifact being made: write below ``draft.folder``; figures and notes go there too."""
    sources: Sources
    """The files that the configuration names, by field (fields marked with `Files`)."""
    upstream: Mapping[str, Path]
    """Folder of the artifact of each stage that it needs."""
    seed: int
    """The run's seed; derive streams with `derive_seed(seed, ...)`."""
    kept: Path
    """A folder of the stage's own, perhaps not there yet, that outlives the artifact: what costs
    much and may serve again when the configuration changes. Nothing else reads it."""

    @property
    def folder(self) -> Path:
        """Where the artifact's files go."""
        return self.draft.folder


@dataclass(frozen=True)
class Stage(Generic[C]):
    """A keyed stage of the route. Its name is its section in the recipe and its folder in the run.

    Everything that `make` writes must follow from the configuration, the sources' content, the
    upstream artifacts and the seed: neither time, nor place, nor number of processes.
    """

    name: str
    title: str
    """As the page's strip shows it."""
    version: int
    """Raised whenever `make` would write something else from the same inputs."""
    config: type[C]
    """A `record`; its fields are the section's keys."""
    make: Callable[[C, Work], Section]
    """Writes the artifact; returns its section of the page."""
    needs: tuple[str, ...] | Callable[[C], tuple[str, ...]] = ()
    """Stages whose artifacts it reads; or a function that tells them from the configuration."""
    resumes: bool = False
    """Whether `make` takes up what a killed attempt left; see `zhufeng.base.make`."""
    packages: tuple[str, ...] = ()
    """Whose versions the manifest records, beside those of Zhufeng and the stage's own package."""
    seeded: bool = True
    """Whether anything in it is drawn at random; without, a new seed leaves it fresh."""
    command: str = ""
    """The command that makes it alone, without ``-o``: ``"zhufeng corpus build INPUT..."``."""

    models: Callable[[C, Sources], Mapping[str, str]] | None = None
    """Hashes, by name, of what it is made from beside the files that its fields name: models."""

    def models_of(self, config: C, sources: Sources) -> Mapping[str, str]:
        """Hashes of the models that it uses on these files when it is configured so."""
        found = self.models(config, sources) if self.models else {}
        return {f"model: {name}": sha256 for name, sha256 in found.items()}

    def needs_of(self, config: C) -> tuple[str, ...]:
        """Stages whose artifacts it reads when it is configured so."""
        return self.needs(config) if callable(self.needs) else self.needs


@dataclass(frozen=True)
class RouteStep:
    """A stage of the whole route as the product means it to be, built or not."""

    name: str
    title: str


# The route in the order in which the page tells it. A stage that is not registered shows as
# "not built yet"; stages of other packages stand after these.
ROUTE = (
    RouteStep("corpus", "Corpus"),
    RouteStep("train", "Training"),
    RouteStep("trace", "Workload"),
    RouteStep("fuse", "Fusion"),
    RouteStep("hdl", "Hardware"),
    RouteStep("verify", "Verification"),
    RouteStep("chip", "Chip"),
    RouteStep("stack", "Stack"),
    RouteStep("cluster", "Cluster"),
    RouteStep("embodied", "Embodied"),
)


@cache
def _points() -> tuple[metadata.EntryPoint, ...]:
    """All registered stages; looking through the installed packages takes a while."""
    return tuple(metadata.entry_points(group=GROUP))


def known_stages() -> list[str]:
    """Names of all registered stages, in the order of the route, others after by name."""
    route = [step.name for step in ROUTE]
    names = {point.name for point in _points()}
    return [n for n in route if n in names] + sorted(names.difference(route))


def unbuilt_steps() -> list[RouteStep]:
    """Steps of the route that no installed package provides."""
    return [step for step in ROUTE if step.name not in known_stages()]


def load_stage(name: str) -> Stage[Any]:
    """The registered stage of this name.

    Raises:
        InputError: there is none, two packages claim the name, or its package is broken.
    """
    points = [point for point in _points() if point.name == name]
    if not points:
        raise _no_stage(name)
    if len(points) > 1:
        owners = " and ".join(sorted(point.dist.name if point.dist else "?" for point in points))
        raise InputError(
            f"the stage '{name}' is claimed twice",
            expected="one package that provides it",
            came=f"both {owners}",
            do="uninstall one of them",
        )
    owner = points[0].dist.name if points[0].dist else "?"
    try:
        stage = points[0].load()
    except Exception as error:
        raise InputError(
            f"the stage '{name}' of the package {owner} cannot be loaded",
            expected=f"{points[0].value} to be importable",
            came=f"{type(error).__name__}: {error}",
            do=f"reinstall or uninstall {owner}",
        ) from error
    if not isinstance(stage, Stage) or stage.name != name or not _NAME.fullmatch(name):
        raise InputError(
            f"the stage '{name}' of the package {owner} is not a stage of that name",
            expected=f"{points[0].value} to be a zhufeng.route.Stage named '{name}'",
            came=f"a {type(stage).__name__}"
            + (f" named '{stage.name}'" if isinstance(stage, Stage) else ""),
            do=f"upgrade or uninstall {owner}",
        )
    return stage


def owner_of(name: str) -> tuple[str, ...]:
    """The package that brings a stage, if it is another than Zhufeng."""
    owners = {point.dist.name for point in _points() if point.name == name and point.dist}
    return tuple(owners - {"zhufeng"})


def _no_stage(name: str) -> InputError:
    if any(step.name == name for step in unbuilt_steps()):
        return InputError(
            f"the stage '{name}' is not built yet",
            expected="one of " + ", ".join(known_stages()),
            came=name,
            do=f"remove the section [{name}]; later versions of Zhufeng bring it",
        )
    return unknown_key("the recipe", name, known_stages())
