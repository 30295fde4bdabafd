"""``zhufeng hdl sim``: any design in lanes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from zhufeng.base import InputError, code_of
from zhufeng.cli._common import FINDING, Several, Talk, Whole, emit, emit_json, emit_table
from zhufeng.cli.hdl import split_parameter

if TYPE_CHECKING:
    from zhufeng.hdl.compile import Simulator, State
    from zhufeng.hdl.ir import Module
    from zhufeng.hdl.simulation import Beside, Simulated, Stimulus, Watch

_NO_TALK = Talk()
_CYCLES, _LANES = 1000, 16
_SHOWN = 8
"""Lanes, failures and outputs of a table."""
_VERILOG = (".v", ".sv")
_RST = "rst"
log = logging.getLogger(__name__)


def sim(
    *designs: str,
    top: str | None = None,
    param: Annotated[tuple[str, ...], Several] = (),
    lanes: Whole | None = None,
    cycles: Whole | None = None,
    stimulus: Path | None = None,
    seed: Whole = 0,
    reset: Annotated[tuple[str, ...], Several] = (),
    against: Literal["verilator"] | None = None,
    outputs: Annotated[Path | None, Parameter(name=("--outputs", "-o"))] = None,
    vcd: Path | None = None,
    fst: Path | None = None,
    lane: Whole = 0,
    signals: Annotated[tuple[str, ...], Several] = (),
    start: Path | None = None,
    save: Path | None = None,
    talk: Talk = _NO_TALK,
) -> int:
    """Simulate a design in many lanes at once, each with a stimulus of its own.

    Ends with 1 if an assertion or assumption did not hold, or Verilator gave something else.

    Parameters
    ----------
    designs
        Files of Verilog (.v, .sv); or one design of zhufeng.hdl, as for `zhufeng hdl verilog`.
    top
        The top module of the Verilog.
    param
        A parameter of the design, NAME=VALUE; may be given often.
    lanes
        How many simulations; 16 where no stimulus tells.
    cycles
        How many; 1000 where no stimulus tells.
    stimulus
        A .npz file with an array [cycles, lanes, ...] for each input, or [cycles, ...] for all
        lanes; it begins again where it is shorter than the run. Without it inputs are random.
    seed
        Draws the inputs, and what nothing has set.
    reset
        An input that is held first, NAME[=CYCLES][,high|,low]; may be given often. Without it those
        that are resets by their names are held for 4 cycles. Of a design of zhufeng.hdl it is rst,
        without which registers begin as after a reset.
    against
        Give the Verilog the same in Verilator, and compare in every cycle. Both then begin with 0
        where nothing has set anything.
    outputs
        Write all outputs to a .npz file, [cycles, lanes, ...].
    vcd
        Write the waves of one lane.
    fst
        Write them as a fast signal trace.
    lane
        Which.
    signals
        A value to see in the waves beside the ports, instance.value; may be given often. Without it
        all that have names.
    start
        Begin with a state that --save has written.
    save
        Write the state at the end.
    """
    talk.begin()
    from zhufeng.hdl.compile import compile  # noqa: A004, PLC0415 (--help needs none of it)
    from zhufeng.hdl.simulation import Kept, check_signals, simulated  # noqa: PLC0415

    design = _design(designs, top, param)
    if against and not design.files:
        raise InputError(
            "--against is not usable",
            expected="a design in files of Verilog",
            came=f"{design.module.name}, of zhufeng.hdl",
            do="print it first: zhufeng hdl verilog ... -o DIR",
        )
    if against and start:
        raise InputError(
            "--against is not usable",
            expected="a run from the start",
            came=f"--start {start}",
            do="leave one of them out: Verilator cannot begin there",
        )
    if vcd is None and fst is None and (lane or signals):
        log.warning("--lane and --signals say what --vcd and --fst write: nothing without them")
    check_signals(design.module, signals)
    driven = _driven(design, stimulus, (lanes, cycles), seed, reset, begun=start is not None)
    _need_lane(lane, driven.stimulus.lanes)
    begin = _Begin(start, driven, None if against else seed)
    before = time.process_time()
    simulator = compile(design.module, driven.stimulus.lanes)
    compile_s = time.process_time() - before
    kept = Kept(design.module)
    with ExitStack() as stack:
        beside = stack.enter_context(_beside(design, driven)) if against else None
        watch: list[Watch] = [*([kept] if outputs else []), *([beside] if beside else [])]
        ran = simulated(simulator, driven.stimulus, begin(simulator), reset=driven.rst, watch=watch)
    if outputs:
        kept.write(outputs)
    if save:
        ran.end.write(save)
    if vcd or fst:
        _write_waves((vcd, fst), design.module, begin, lane, signals)
    told = _Told(design, simulator, compile_s, ran, beside)
    if talk.json:
        emit_json(told.json())
    else:
        told.emit()
    return FINDING if ran.failures or (beside and beside.difference) else 0


# What is simulated, and what it is given.


@dataclass(frozen=True)
class _Design:
    module: Module
    parameters: Mapping[str, Any]
    files: tuple[Path, ...] = ()
    """Of Verilog, where it comes from that."""
    top: str = ""


def _design(designs: Sequence[str], top: str | None, param: Sequence[str]) -> _Design:
    from zhufeng.hdl.designs import load_design  # noqa: PLC0415
    from zhufeng.hdl.reader import from_verilog  # noqa: PLC0415

    given = dict(map(split_parameter, param))
    verilog = [name for name in designs if name.endswith(_VERILOG)]
    if verilog and len(verilog) == len(designs):
        if top is None:
            raise InputError(
                "the top module",
                expected="its name",
                came="none",
                do="write --top NAME",
            )
        files = tuple(map(Path, designs))
        return _Design(from_verilog(files, top, given), given, files, top)
    if verilog or len(designs) != 1 or top is not None:
        told = [*designs, *([f"--top {top}"] if top is not None else [])]
        raise InputError(
            "the design",
            expected="files of Verilog (.v, .sv) and --top; or one package.module:name or "
            "file.py:name",
            came=" ".join(told) or "none",
            do="name one design",
        )
    (name,) = designs
    code_of(name, expected="files of Verilog (.v, .sv), package.module:name, or file.py:name")
    return _Design(load_design(name, None, given), given)


@dataclass(frozen=True)
class _Driven:
    stimulus: Stimulus
    rst: Sequence[int] | None
    """Of a design that has it without saying so, in each cycle."""


def _driven(
    design: _Design,
    path: Path | None,
    sizes: tuple[int | None, int | None],
    seed: int,
    texts: Sequence[str],
    *,
    begun: bool,
) -> _Driven:
    from zhufeng.hdl.simulation import (  # noqa: PLC0415
        FromFile,
        Random,
        parse_reset,
        reset_inputs,
        resets_of,
    )

    module = design.module
    for what, size in zip(("--lanes", "--cycles"), sizes, strict=True):
        if size is not None and size < 1:
            raise InputError(
                f"{what} is not usable",
                expected="a number from 1",
                came=str(size),
                do=f"write for instance {what} 16",
            )
    implied = [] if design.files or _RST in module.inputs else [_RST]
    asked = [parse_reset(text, [*reset_inputs(module), *implied]) for text in texts]
    # What goes on has been reset before.
    known = [replace(one, cycles=0) if begun else one for one in resets_of(module)]
    by_port = {one.port: one for one in (*known, *asked)}
    rst_cycles = by_port.pop(_RST).cycles if implied and _RST in by_port else None
    resets, (lanes, cycles) = tuple(by_port.values()), sizes
    made: Stimulus
    if path is None:
        made = Random(module, lanes or _LANES, cycles or _CYCLES, seed, resets)
    else:
        made = FromFile(module, path, lanes, cycles, resets)
    for one in made.resets:
        log.info("%s", one)
    rst = None
    if rst_cycles is not None:
        rst = [int(cycle < rst_cycles) for cycle in range(made.cycles)]
    return _Driven(made, rst)


@dataclass(frozen=True)
class _Begin:
    """What all lanes begin with."""

    path: Path | None
    driven: _Driven
    seed: int | None

    def __call__(self, simulator: Simulator) -> State:
        """In a simulator of the design."""
        from zhufeng.hdl.compile import State  # noqa: PLC0415

        lanes = self.driven.stimulus.lanes
        if self.path is None:
            return simulator.start(lanes, self.seed, reset=self.driven.rst is None)
        state = State.read(self.path)
        if state.lanes != lanes:
            raise InputError(
                str(self.path),
                expected=f"a state of {lanes} lanes",
                came=f"one of {state.lanes}",
                do=f"write --lanes {state.lanes}, or give as many stimuli",
            )
        return state


def _need_lane(lane: int, lanes: int) -> None:
    if not 0 <= lane < lanes:
        raise InputError(
            "--lane is not usable",
            expected=f"a lane from 0 to {lanes - 1}",
            came=str(lane),
            do="name one of the lanes",
        )


def _beside(design: _Design, driven: _Driven) -> AbstractContextManager[Beside]:
    from zhufeng.hdl.simulation import verilator_of  # noqa: PLC0415

    return verilator_of(design.files, design.module, design.top, design.parameters, driven.stimulus)


def _write_waves(
    paths: tuple[Path | None, Path | None],
    module: Module,
    begin: _Begin,
    lane: int,
    signals: Sequence[str],
) -> None:
    from zhufeng.hdl.simulation import waves_of_lane  # noqa: PLC0415
    from zhufeng.hdl.waves import write_fst, write_vcd  # noqa: PLC0415

    driven, names = begin.driven, signals or None
    waves = waves_of_lane(module, driven.stimulus, begin, lane, names=names, reset=driven.rst)
    for path, write in zip(paths, (write_vcd, write_fst), strict=True):
        if path:
            write(path, waves)


# What is told of it.


@dataclass(frozen=True)
class _Told:
    design: _Design
    simulator: Simulator
    compile_s: float
    ran: Simulated
    beside: Beside | None

    @property
    def _lane_cycles(self) -> int:
        return self.ran.cycles * self.ran.lanes

    def json(self) -> dict[str, Any]:
        ran, beside = self.ran, self.beside
        told: dict[str, Any] = {
            "design": self.design.module.name,
            "lanes": ran.lanes,
            "cycles": ran.cycles,
            "side_by_side": self.simulator.lanes,
            "compile_s": self.compile_s,
            "cpu_s": ran.code_s,
            "lane_cycles_per_s": _rate(self._lane_cycles, ran.code_s),
            "arrays_cpu_s": ran.cpu_s,
            "checksums": [f"{one:08x}" for one in ran.checksums],
            "last": {port: values.tolist() for port, values in ran.last.items()},
            "failures": [asdict(one) for one in ran.failures],
            "covered": dict(ran.covered),
        }
        if beside is not None:
            told["verilator"] = {
                "build_s": beside.build_s,
                "cpu_s": beside.cpu_s,
                "lane_cycles_per_s": _rate(self._lane_cycles, beside.cpu_s),
                "difference": asdict(beside.difference) if beside.difference else None,
            }
        return told

    def emit(self) -> None:
        ran = self.ran
        emit(
            f"{self.design.module.name}: {ran.lanes} lanes of {ran.cycles:,} cycles, "
            f"{self.simulator.lanes} side by side\n\n"
        )
        emit_table(["", "build, CPU s", "run, CPU s", "lane-cycles/s"], self._speeds())
        emit("\n")
        ports = [port for port, values in ran.last.items() if values.ndim == 1][:_SHOWN]
        rows = [
            [str(lane), f"{ran.checksums[lane]:08x}", *(f"{ran.last[p][lane]:,}" for p in ports)]
            for lane in range(min(_SHOWN, ran.lanes))
        ]
        emit_table(["lane", "checksum", *(f"last {port}" for port in ports)], rows)
        if ran.lanes > _SHOWN:
            emit(f"and {ran.lanes - _SHOWN} lanes more\n")
        self._claims()
        if self.beside is not None:
            emit(f"\n{self._compared(self.beside)}\n")

    def _speeds(self) -> list[list[str]]:
        ran = self.ran
        every = [
            ("here", f"{self.compile_s:.2f}", ran.code_s),
            ("with NumPy's arrays", "", ran.cpu_s),
        ]
        if self.beside is not None:
            every.append(("Verilator", f"{self.beside.build_s:.2f}", self.beside.cpu_s))
        return [
            [name, build, f"{cpu_s:.3f}", f"{_rate(self._lane_cycles, cpu_s):,.0f}"]
            for name, build, cpu_s in every
        ]

    def _claims(self) -> None:
        for one in self.ran.failures[:_SHOWN]:
            emit(
                f"\n{one.kind} does not hold in lane {one.lane}, cycle {one.cycle}: {one.text} "
                f"({one.path}, {one.where})"
            )
        if self.ran.failures:
            emit(f"\n{len(self.ran.failures)} in all, of each claim the first in each lane\n")
        if self.ran.covered:
            emit("\n")
            rows = [[text, f"{count:,}"] for text, count in self.ran.covered.items()]
            emit_table(["cover point", "times"], rows)

    def _compared(self, beside: Beside) -> str:
        one = beside.difference
        if one is None:
            return f"Verilator gives the same in all {self._lane_cycles:,} cycles of all lanes"
        return (
            f"Verilator differs first in cycle {one.cycle}, lane {one.lane}: {one.port} is "
            f"{one.ours:#x} here and {one.verilators:#x} there"
        )


def _rate(count: int, cpu_s: float) -> float:
    return count / max(cpu_s, 1e-9)
