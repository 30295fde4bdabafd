"""The stage ``[trace]``: a step of the run's trained model, or of any other, as a Workload."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from zhufeng.base import Files, brief, derive_seed, record
from zhufeng.records import Mode, Point, Workload, write_workload
from zhufeng.report import Section
from zhufeng.route import Stage, Work
from zhufeng.workload import join, workload_section, write_timeline

if TYPE_CHECKING:
    from torch import nn

    from zhufeng.workload import Subject

TIMELINE = "timeline.json.gz"


@record
class TraceConfig:
    """Which model's step is traced; the section ``[trace]`` of a recipe.

    Without `model` and `function` it is the run's trained model, at every point of the training
    that `keep` of ``[train]`` names, or at its end.
    """

    model: Annotated[str | None, Files(endings=(".json",))] = None
    """The config.json of a Hugging Face model, or of a decoder."""
    weights: Annotated[tuple[str, ...], Files(endings=(".safetensors",))] = ()
    """Its weights; drawn at random without."""
    function: str | None = None
    """``"package.module:function"`` that returns a module, or (module, batch)."""
    code: Annotated[str | None, Files(endings=(".py",))] = None
    """The Python file that holds the function."""
    batch: int | None = None
    """Sequences; 1 without, or the training's own."""
    sequence: int | None = None
    """Tokens a sequence; 512, or the training's own, without."""
    mode: Mode = "train"
    optimizer: Literal["adamw", "none"] = "adamw"
    precision: Literal["fp32", "bf16"] | None = None
    """bf16 is torch's autocast; the training's own, or fp32, without."""
    meta: bool = False
    """Shapes, flops and bytes without data: for models that fit no machine."""

    def __post_init__(self) -> None:
        if self.model is not None and self.function is not None:
            raise ValueError("a model or a function, not both")
        if (self.batch is not None and self.batch < 1) or (
            self.sequence is not None and self.sequence < 1
        ):
            raise ValueError("a batch and a sequence of at least 1")
        if self.weights and (self.model is None or self.meta):
            raise ValueError("weights only with a model, and with data")
        if self.code is not None and self.function is None:
            raise ValueError("the function of the code to call")
        if self.is_of_run and (self.meta or self.batch or self.sequence):
            raise ValueError("no meta, batch or sequence for the run's own model and its data")

    @property
    def is_of_run(self) -> bool:
        """Whether the run's trained model is traced."""
        return self.model is None and self.function is None


def _needs(config: TraceConfig) -> tuple[str, ...]:
    return ("train",) if config.is_of_run else ()


def _make(config: TraceConfig, work: Work) -> Section:
    workload = _trained(config, work) if config.is_of_run else _given(config, work)
    write_workload(work.folder, workload)
    write_timeline(work.folder / TIMELINE, workload)
    if workload.uncounted:
        work.draft.note("flops not known, counted as 0: " + ", ".join(workload.uncounted))
    work.draft.figures |= {
        "parameters": workload.parameters,
        "operations": len(workload.operations),
        "flops": workload.flops,
        "products": len(workload.gemms),
        "bytes": sum(operation.bytes for operation in workload.operations),
        "gradient_error": workload.gradient_error,
    }
    return workload_section(workload)


def _trained(config: TraceConfig, work: Work) -> Workload:
    """The trained model at each point that was kept, joined by the training that it stands for."""
    from zhufeng.training import read_points  # noqa: PLC0415 (torch takes seconds to import)

    points = read_points(work.upstream["train"])
    captured = [
        _capture(config, work, point.model, point.batch, precision=point.precision)
        for point in points
    ]
    shares = _shares([point.step for point in points])
    names = [f"step {point.step}" for point in points]
    return join(captured, [Point(name=n, weight=w) for n, w in zip(names, shares, strict=True)])


def _shares(steps: list[int]) -> list[float]:
    """The share of the training that each point is nearest to."""
    if len(steps) == 1:
        return [1.0]
    middles = [(a + b) / 2 for a, b in pairwise(steps)]
    ends = [float(steps[0]), *middles, float(steps[-1])]
    span = ends[-1] - ends[0]
    return [(b - a) / span for a, b in pairwise(ends)]


def _given(config: TraceConfig, work: Work) -> Workload:
    from zhufeng.workload import (  # noqa: PLC0415 (torch takes seconds to import)
        Extent,
        subject_of_config,
        subject_of_function,
    )

    extent = Extent(
        batch=config.batch or 1,
        sequence=config.sequence,
        mode=config.mode,
        meta=config.meta,
        seed=derive_seed(work.seed, "trace"),
    )
    if config.function is not None:
        code = _only(work, "code")
        subject = subject_of_function(config.function, code, extent)
    else:
        path = _only(work, "model")
        assert path is not None
        weights = [source.path for source in work.sources["weights"]]
        subject = subject_of_config(path, weights, extent)
    small = None
    if config.meta and config.mode == "train" and subject.small is not None:
        small = _check_small(config, work, subject.small)
    return _capture(config, work, subject.model, subject.batch, name=subject.name, small=small)


def _check_small(config: TraceConfig, work: Work, make: Callable[[], Subject]) -> Workload | None:
    from zhufeng.workload import GradientError  # noqa: PLC0415 (torch takes seconds to import)

    try:
        small = make()
        return _capture(config, work, small.model, small.batch)
    except GradientError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a family makes of sizes it never saw)
        work.draft.note(f"gradients not checked, no small model could be made: {brief(error)}")
        return None


def _only(work: Work, field: str) -> Path | None:
    return next((source.path for source in work.sources[field]), None)


def _capture(
    config: TraceConfig,
    work: Work,
    model: nn.Module,
    batch: object,
    *,
    name: str | None = None,
    precision: str | None = None,
    small: Workload | None = None,
) -> Workload:
    import torch  # noqa: PLC0415 (takes seconds to import)

    from zhufeng.workload import capture  # noqa: PLC0415

    optimizer = None
    if config.mode == "train" and config.optimizer == "adamw":
        optimizer = torch.optim.AdamW(model.parameters())
    model.train(config.mode == "train")
    bf16 = (config.precision or precision) == "bf16"
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        return capture(
            model,
            batch,  # type: ignore[arg-type]
            optimizer,
            config.mode,
            name=name,
            seed=derive_seed(work.seed, "trace"),
            small=small,
        )


STAGE = Stage(
    name="trace",
    title="Workload",
    version=1,
    config=TraceConfig,
    make=_make,
    needs=_needs,
    packages=("numpy", "safetensors", "torch"),
    command="zhufeng trace MODEL",
)
