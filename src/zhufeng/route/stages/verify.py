"""The stage ``[verify]``: a design under random inputs, what fails and what is covered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from zhufeng.base import Files, derive_seed, record
from zhufeng.report import Section
from zhufeng.route import Stage, Work

if TYPE_CHECKING:
    from zhufeng.hdl.ir import Module

_SYSTOLIC = "zhufeng.hdl.examples:systolic"
_PRODUCTS = "zhufeng.hdl.examples:products"


@record
class VerifyConfig:
    """Which design is verified, and how much; the section ``[verify]`` of a recipe.

    Without `function` it is `zhufeng.hdl.examples.systolic`, watched by its `products`.
    """

    function: str | None = None
    """``"package.module:function"``: a module of `zhufeng.hdl`, or what returns one."""
    monitor: str | None = None
    """The same of a module that takes inputs and outputs of the design, by name."""
    stimulus: str | None = None
    """The same of a module that gives inputs of the design, by name; its own are random."""
    code: Annotated[str | None, Files(endings=(".py",))] = None
    """The Python file that holds them."""
    parameters: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    """The arguments of the function, and of the monitor of the systolic array."""
    seeds: int = 2
    lanes: int = 64
    """Runs of each seed."""
    cycles: int = 256
    """Of each run."""

    def __post_init__(self) -> None:
        if self.function is None and (self.code or self.monitor or self.stimulus):
            raise ValueError("the function of the code that is the design")
        if min(self.seeds, self.lanes) < 1:
            raise ValueError("at least 1 seed and 1 lane")
        if self.cycles <= 2:  # noqa: PLR2004 (the cycles of the reset)
            raise ValueError("at least 3 cycles, the 2 of the reset among them")


def _make(config: VerifyConfig, work: Work) -> Section:
    from zhufeng.hdl.verify import regress, verification_section  # noqa: PLC0415 (slow to import)

    first = derive_seed(work.seed, "verify") % 1_000_000
    ledger = work.folder / "seeds"
    ledger.mkdir(exist_ok=True)
    parts = _parts(config, work)
    report = regress(
        parts["design"],
        stimulus=parts.get("stimulus"),
        monitor=parts.get("monitor"),
        seeds=range(first, first + config.seeds),
        lanes=config.lanes,
        cycles=config.cycles,
        ledger=ledger,
    )
    report.write(work.folder)
    cover = report.coverage
    asserted = [one for one in report.claims if one.kind == "assert"]
    work.draft.figures |= {
        "lane_cycles": report.lane_cycles,
        "lost_cycles": report.lost_cycles,
        "assertions": len(asserted),
        "assertions_failed": sum(one.lanes > 0 for one in asserted),
        "cover_points": len(cover.points),
        "cover_points_hit": cover.points_hit,
        "bits": cover.bits,
        "bits_toggled": cover.bits_covered,
    }
    return verification_section(report)


def _parts(config: VerifyConfig, work: Work) -> dict[str, Module]:
    from zhufeng.hdl.designs import load_design  # noqa: PLC0415 (slow to import)

    if config.function is None:
        return {
            "design": load_design(_SYSTOLIC, None, config.parameters),
            "monitor": load_design(_PRODUCTS, None, config.parameters),
        }
    code = next((source.path for source in work.sources["code"]), None)
    around = {"monitor": config.monitor, "stimulus": config.stimulus}
    found = {"design": load_design(config.function, code, config.parameters)}
    found |= {part: load_design(name, code, {}) for part, name in around.items() if name}
    return found


STAGE = Stage(
    name="verify",
    title="Verification",
    version=1,
    config=VerifyConfig,
    make=_make,
    resumes=True,
    packages=("llvmlite", "numpy", "pyvcd"),
    command="zhufeng hdl verify DESIGN",
)
