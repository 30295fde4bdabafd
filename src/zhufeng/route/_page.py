"""The run's page, made from the artifacts that stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from zhufeng.base import Manifest, damage, shown, write_durable
from zhufeng.report import Page, PagePart, Step, StepState, read_section, render
from zhufeng.route._recipe import Recipe
from zhufeng.route._stage import ROUTE, RouteStep, load_stage, unbuilt_steps
from zhufeng.route._status import StageStatus

PAGE = "index.html"
_INPUTS_TOLD = 20


def write_page(folder: Path, recipe: Recipe, statuses: Sequence[StageStatus]) -> None:
    """Write ``index.html`` unless it says this already.

    Args:
        folder: the run's.
        recipe: the run's.
        statuses: where each stage stands; what is damaged is left out.
    """
    parts = []
    for status in statuses:
        manifest = status.manifest
        if manifest is None or damage(folder / status.name, manifest):
            continue
        section = read_section(folder / status.name)
        parts.append(PagePart(status.name, section, _provenance(manifest), manifest.log))
    steps = _steps(recipe, {status.name: status.state for status in statuses})
    page = render(Page(recipe.name, recipe.seed, steps, parts))
    path = folder / PAGE
    if not path.exists() or path.read_bytes() != page:
        write_durable(path, page)


def _steps(recipe: Recipe, states: Mapping[str, str]) -> list[Step]:
    unbuilt = unbuilt_steps()
    others = [
        RouteStep(name, load_stage(name).title)
        for name in recipe.sections
        if name not in {step.name for step in ROUTE}
    ]
    shown_as: dict[str, StepState] = {"fresh": "done", "stale": "stale", "missing": "absent"}
    return [
        Step(
            step.name,
            step.title,
            "not built yet" if step in unbuilt else shown_as[states.get(step.name, "missing")],
        )
        for step in (*ROUTE, *others)
    ]


def _provenance(manifest: Manifest) -> list[tuple[str, str]]:
    spec = manifest.spec
    told = [(name, f"sha256 {digest[:16]}…") for name, digest in spec.inputs.items()]
    rows = told[:_INPUTS_TOLD]
    if len(told) > _INPUTS_TOLD:
        rows.append(("more inputs", f"{len(told) - _INPUTS_TOLD:,}"))
    rows += [(key, shown(str(value))) for key, value in spec.configuration.items()]
    rows.append(("seed", str(spec.seed)))
    rows += [(f"version of {name}", version) for name, version in manifest.versions.items()]
    return [*rows, ("key", f"{spec.key[:16]}…")]
