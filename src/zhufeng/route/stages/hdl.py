"""The stage ``[hdl]``: a design, simulated and printed as Verilog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from zhufeng.base import Files, derive_seed, record, write_durable
from zhufeng.report import Section
from zhufeng.route import Stage, Work

if TYPE_CHECKING:
    from zhufeng.hdl.designs import Trial

WAVE = "wave.vcd"
VERILOG = "verilog"
_CYCLES = 64


@record
class HdlConfig:
    """Which design is simulated and printed; the section ``[hdl]`` of a recipe.

    Without `function` it is `zhufeng.hdl.examples.systolic`, which multiplies matrices.
    """

    function: str | None = None
    """``"package.module:function"``: a module of `zhufeng.hdl`, or what returns one."""
    code: Annotated[str | None, Files(endings=(".py",))] = None
    """The Python file that holds it."""
    parameters: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    """The function's arguments."""
    cycles: int | None = None
    """How long a function's design is given random inputs; 64 without."""

    def __post_init__(self) -> None:
        if self.function is None and (self.code is not None or self.cycles is not None):
            raise ValueError("the function of the code to call, and to run for so many cycles")
        if self.cycles is not None and self.cycles < 1:
            raise ValueError("at least 1 cycle")


def _make(config: HdlConfig, work: Work) -> Section:
    from zhufeng.hdl.designs import census, design_section  # noqa: PLC0415 (slow to import)
    from zhufeng.hdl.interpret import interpret  # noqa: PLC0415
    from zhufeng.hdl.passes import simplify  # noqa: PLC0415
    from zhufeng.hdl.verilog import to_verilog  # noqa: PLC0415
    from zhufeng.hdl.waves import signals, waves_of, write_vcd  # noqa: PLC0415

    trial = _trial(config, work)
    design = simplify(trial.design)
    run = interpret(
        design,
        trial.inputs,
        cycles=len(trial.reset),
        reset=trial.reset,
        seed=derive_seed(work.seed, "hdl", "start"),
        record=signals(design),
    )
    verdict = trial.judge(run)
    verilog = to_verilog(design)
    (work.folder / VERILOG).mkdir()
    for name, text in verilog.files.items():
        write_durable(work.folder / VERILOG / name, text.encode())
    waves = waves_of(design, trial.inputs, run, reset=trial.reset)
    write_vcd(work.folder / WAVE, waves)
    parts = census(design)
    work.draft.figures |= {
        "cycles": waves.cycles,
        "register_bits": sum(part.copies * part.register_bits for part in parts),
        "memory_bits": sum(part.copies * part.memory_bits for part in parts),
        "ir_values": sum(part.values for part in parts),
        **verdict.figures,
    }
    return design_section(trial, verdict, design, verilog, waves)


def _trial(config: HdlConfig, work: Work) -> Trial:
    from zhufeng.hdl.designs import (  # noqa: PLC0415 (slow to import)
        load_design,
        random_trial,
        systolic_trial,
    )

    seed = derive_seed(work.seed, "hdl")
    if config.function is None:
        return systolic_trial(config.parameters, seed)
    code = next((source.path for source in work.sources["code"]), None)
    design = load_design(config.function, code, config.parameters)
    return random_trial(design, config.cycles or _CYCLES, seed)


STAGE = Stage(
    name="hdl",
    title="Hardware",
    version=1,
    config=HdlConfig,
    make=_make,
    packages=("numpy", "pyvcd"),
)
