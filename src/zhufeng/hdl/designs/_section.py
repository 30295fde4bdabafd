"""A design on the run's page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from zhufeng.hdl import ir
from zhufeng.hdl.designs._census import Part, census
from zhufeng.hdl.designs._trial import Trial, Verdict
from zhufeng.hdl.verilog import Verilog
from zhufeng.hdl.waves import Waves, draw_waves
from zhufeng.report import Block, Code, Figures, Section, Table

_CYCLES = 13
_SIGNALS = 12
_OF_AN_ARRAY = 2


def design_section(
    trial: Trial, verdict: Verdict, design: ir.Module, verilog: Verilog, waves: Waves
) -> Section:
    """What a design is, what it did, and its Verilog.

    Args:
        trial: what was tried.
        verdict: what came of it.
        design: what was simulated and printed.
        verilog: its files.
        waves: of the run.
    """
    parts = census(design)
    blocks: list[Block] = [_figures(parts, verilog, waves, verdict), *verdict.blocks]
    known = {wave.full_name for wave in waves.signals}
    names = [name for name in trial.watched if name in known] or list(_first(waves))
    if names:
        told = f": {trial.told}" if trial.told else ""
        last = min(trial.first + _CYCLES, waves.cycles)
        blocks.append(
            draw_waves(
                waves,
                names,
                first=trial.first,
                cycles=_CYCLES,
                alt=f"Some signals of {waves.module} from cycle {trial.first} to {last}",
                caption=f"Cycles {trial.first} to {last} of {waves.cycles}{told}. All signals "
                "are in hdl/wave.vcd, which GTKWave and Surfer open",
            )
        )
    blocks += [_modules(parts, verilog), _code(parts, verilog)]
    return Section(title="Hardware", summary=verdict.summary, blocks=tuple(blocks))


def _figures(parts: tuple[Part, ...], verilog: Verilog, waves: Waves, verdict: Verdict) -> Figures:
    memory = sum(part.copies * part.memory_bits for part in parts)
    lines = sum(text.count("\n") for name, text in verilog.files.items() if name.endswith(".sv"))
    figures = {
        **verdict.shown,
        "cycles simulated": f"{waves.cycles:,}",
        "register bits": f"{sum(part.copies * part.register_bits for part in parts):,}",
        **({"memory bits": f"{memory:,}"} if memory else {}),
        "values in the IR": f"{sum(part.values for part in parts):,}",
        "lines of Verilog": f"{lines:,}",
    }
    return Figures(figures=figures)


def _first(waves: Waves) -> Iterator[str]:
    """The first signals, few of each array, those of one instance of an array of them."""
    seen: Counter[tuple[tuple[str, ...], str]] = Counter()
    shown = 0
    for wave in waves.signals:
        place = tuple(part.partition("[")[0] for part in wave.path)
        seen[place, wave.name] += 1
        if seen[place, wave.name] <= _OF_AN_ARRAY and shown < _SIGNALS:
            shown += 1
            yield wave.full_name


def _modules(parts: tuple[Part, ...], verilog: Verilog) -> Table:
    return Table(
        columns=("module", "copies", "register bits", "memory bits", "lines of Verilog"),
        rows=tuple(
            (
                part.name,
                part.copies,
                part.register_bits,
                part.memory_bits,
                verilog.files[f"{part.name}.sv"].count("\n"),
            )
            for part in parts
        ),
        caption="The modules, each in its file hdl/verilog/MODULE.sv; bits of one copy",
    )


def _code(parts: tuple[Part, ...], verilog: Verilog) -> Code:
    """The innermost module: what is repeated."""
    file = f"{parts[-1].name}.sv"
    return Code(text=verilog.files[file], caption=f"hdl/verilog/{file}")
