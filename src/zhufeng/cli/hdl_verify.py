"""``zhufeng hdl verify``: random regressions of a design."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from zhufeng.base import (
    Draft,
    InputError,
    Spec,
    code_of,
    exclusive,
    make,
    sha256_json,
    shown,
    to_json,
)
from zhufeng.cli._common import FINDING, Several, Talk, Whole, emit, emit_json, emit_table
from zhufeng.cli.hdl import split_parameter

if TYPE_CHECKING:
    from zhufeng.hdl.ir import Module
    from zhufeng.hdl.verify import Bench, Knob, Report, ReportFile

_NO_TALK = Talk()
_VERILOG = (".v", ".sv")
_MISSING = 12
_EXPECTED = "package.module:name, file.py:name, or Verilog files"


def verify(
    design: str,
    /,
    *more: str,
    top: str | None = None,
    seeds: Whole = 8,
    lanes: Whole = 64,
    cycles: Whole = 1000,
    stimulus: str | None = None,
    monitor: str | None = None,
    knob: Annotated[tuple[str, ...], Several] = (),
    stream: Annotated[tuple[str, ...] | None, Several] = None,
    reset: Annotated[tuple[str, ...] | None, Several] = None,
    reset_cycles: Whole = 2,
    reset_again: bool = True,
    toggles: bool = True,
    replay: Path | None = None,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    talk: Talk = _NO_TALK,
) -> int:
    """Run a design with random inputs in many lanes: assertions, coverage, least failures.

    Exit code 1 where an assertion failed.

    Parameters
    ----------
    design
        package.module:name or file.py:name of a module of zhufeng.hdl, or of a function that
        returns one; or a Verilog file.
    more
        The function's arguments or the top's parameters, each as NAME=VALUE; more Verilog files.
    top
        The module of the Verilog files to verify.
    seeds
        How many seeds.
    lanes
        How many runs of each, all different.
    cycles
        Of each run.
    stimulus
        A module, named as a design is, that gives inputs of the design; its own are random.
    monitor
        A module that takes inputs and outputs of the design, with assertions.
    knob
        What is known of an input, as PORT.ones=0.9, PORT.hold=0.5, PORT.corners=0.5.
    stream
        A stream whose rule the inputs keep, as VALID=READY; without it, by the names of ports.
    reset
        An input that resets, as NAME=1, or NAME=0 where 0 does; without it, by its name.
    reset_cycles
        How long the reset lasts with which each run begins.
    reset_again
        Whether there are resets in mid run.
    toggles
        Whether it is watched which bits rise and fall.
    replay
        The .npz of a failure: run it again, and nothing else.
    output
        A folder to write; a run that was killed goes on there.
    """
    talk.begin()
    given = {"stimulus": _named(stimulus), "monitor": _named(monitor)}
    module = _loaded(design, more, top)
    streams = None if stream is None else dict(map(_stream, stream))
    if replay is not None:
        from zhufeng.hdl.verify import Bench  # noqa: PLC0415 (--help needs none of it)

        bench = Bench(module, given["stimulus"], given["monitor"], streams=streams, toggles=False)
        return _replayed(bench, replay, talk)
    options = {
        "seeds": seeds,
        "lanes": lanes,
        "cycles": cycles,
        "streams": streams,
        "resets": None if reset is None else dict(map(_level, reset)),
        "reset_cycles": reset_cycles,
        "reset_again": reset_again,
        "toggles": toggles,
    }
    knobs = _knobs(knob)

    def run(ledger: Path | None = None) -> Report:
        from zhufeng.hdl.verify import regress  # noqa: PLC0415

        return regress(module, **given, knobs=knobs, **options, ledger=ledger)  # type: ignore[arg-type]

    if output is None:
        told = run().told()
    else:
        modules = {"design": module, **{name: one for name, one in given.items() if one}}
        configuration = {**options, "knobs": {port: to_json(one) for port, one in knobs.items()}}
        told = _written(output.resolve(), modules, configuration, run)
    _tell(told, talk)
    return 0 if told.passed else FINDING


def _loaded(design: str, more: Sequence[str], top: str | None) -> Module:
    files = [one for one in (design, *more) if one.endswith(_VERILOG)]
    parameters = dict(map(split_parameter, (one for one in more if one not in files)))
    if design not in files:
        if files or top is not None:
            raise InputError(
                f"{shown(design)} with {'--top' if top else shown(files[0])}",
                expected=_EXPECTED,
                came="both",
                do="name Verilog files alone with --top, or a design of Python without",
            )
        return _design(design, parameters)
    if top is None:
        raise InputError(
            f"the design in {shown(design)}",
            expected="the module to verify",
            came="no --top",
            do="name it: --top MODULE",
        )
    from zhufeng.hdl.reader import from_verilog  # noqa: PLC0415 (--help needs none of it)

    return from_verilog(files, top, parameters)


def _design(name: str, parameters: Mapping[str, object]) -> Module:
    from zhufeng.hdl.designs import load_design  # noqa: PLC0415 (--help needs none of it)

    code_of(name, expected=_EXPECTED)
    return load_design(name, None, parameters)


def _named(name: str | None) -> Module | None:
    return None if name is None else _design(name, {})


def _knobs(given: Sequence[str]) -> dict[str, Knob]:
    from zhufeng.hdl.verify import Knob  # noqa: PLC0415 (--help needs none of it)

    found: dict[str, dict[str, float]] = {}
    for text in given:
        place, _, value = text.partition("=")
        port, _, kind = place.rpartition(".")
        try:
            number = float(value)
        except ValueError:
            number = -1
        if not port or kind not in ("ones", "hold", "corners") or not 0 <= number <= 1:
            raise InputError(
                "a knob is not usable",
                expected="PORT.ones=P, PORT.hold=P or PORT.corners=P with P from 0 to 1",
                came=shown(text),
                do="write for instance push.ones=0.9",
            )
        found.setdefault(port, {})[kind] = number
    return {port: Knob(**parts) for port, parts in found.items()}  # type: ignore[arg-type]


def _stream(text: str) -> tuple[str, str]:
    valid, _, ready = text.partition("=")
    if not (valid and ready):
        raise InputError(
            "a stream is not usable",
            expected="VALID=READY, two ports",
            came=shown(text),
            do="write for instance in_valid=in_ready",
        )
    return valid, ready


def _level(text: str) -> tuple[str, int]:
    name, _, level = text.partition("=")
    if level not in ("0", "1"):
        raise InputError(
            "a reset is not usable",
            expected="NAME=1, or NAME=0 where 0 resets",
            came=shown(text),
            do="write for instance rst_n=0",
        )
    return name, int(level)


def _written(
    folder: Path,
    modules: Mapping[str, Module],
    configuration: Mapping[str, object],
    run: Callable[[Path], Report],
) -> ReportFile:
    from zhufeng.hdl.ir import print_ir  # noqa: PLC0415 (--help needs none of it)
    from zhufeng.hdl.verify import ReportFile  # noqa: PLC0415

    def fill(draft: Draft) -> None:
        ledger = draft.folder / "seeds"
        ledger.mkdir(exist_ok=True)
        report = run(ledger)
        report.write(draft.folder)
        draft.figures["lane_cycles"] = report.lane_cycles
        draft.figures["assertions_failed"] = len(report.failures)

    spec = Spec(
        kind="regression",
        version=1,
        configuration=configuration,
        inputs={name: sha256_json(print_ir(one)) for name, one in modules.items()},
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.parent):
        make(folder, spec, fill, resumes=True)
    return ReportFile.read(folder)


def _tell(told: ReportFile, talk: Talk) -> None:
    from zhufeng.hdl.verify import (  # noqa: PLC0415 (--help needs none of it)
        CLAIM_COLUMNS,
        POINT_COLUMNS,
        TOGGLE_COLUMNS,
        claim_rows,
        point_rows,
        toggle_rows,
    )

    if talk.json:
        emit_json(to_json(told))
        return
    tables = (
        (CLAIM_COLUMNS, claim_rows(told.claims)),
        (POINT_COLUMNS, point_rows(told.coverage)),
        (TOGGLE_COLUMNS, toggle_rows(told.coverage)),
    )
    for columns, rows in tables:
        if rows:
            emit_table(columns, rows)
            emit("\n")
    _tell_missing(told)
    for one in told.failures:
        emit(
            f"{one.path}: {one.text} ({one.where}) fails in cycle {one.cycle} of seed {one.seed}, "
            f"lane {one.lane}; the least sequence has {one.cycles} cycles:\n\n{one.table}\n"
        )
    emit(_summary(told))


def _tell_missing(told: ReportFile) -> None:
    missing = [(text, one.where) for one in told.coverage.toggles for text in one.missing()]
    for text, where in missing[:_MISSING]:
        emit(f"{text} ({where})\n")
    if missing:
        more = len(missing) - _MISSING
        emit(f"and {more} more: --json tells all\n\n" if more > 0 else "\n")


def _summary(told: ReportFile) -> str:
    cover, runs = told.coverage, len(told.seeds) * told.lanes
    parts = [f"{told.design}: {runs:,} runs of {told.cycles:,} cycles"]
    asserted = [one for one in told.claims if one.kind == "assert"]
    parts.append(f"{sum(not one.lanes for one in asserted)} of {len(asserted)} assertions held")
    if cover.points:
        parts.append(f"{cover.points_hit} of {len(cover.points)} cover points hit")
    if cover.bits:
        parts.append(f"{cover.bits_covered:,} of {cover.bits:,} bits toggled")
    return "".join(f"warning: {one}\n" for one in told.warnings) + "; ".join(parts) + "\n"


def _replayed(bench: Bench, path: Path, talk: Talk) -> int:
    from zhufeng.hdl.verify import Replay, table_of  # noqa: PLC0415 (--help needs none of it)

    replay = Replay.read(path)
    done = replay.run(bench)
    cycle = done.cycle(bench, replay.claim)
    same = done.start.origin.content == replay.content
    if talk.json:
        told = {"claim": str(replay.claim), "fails_in_cycle": cycle, "design_unchanged": same}
        emit_json(told)
    else:
        emit(table_of(done.waves))
        said = "holds now" if cycle is None else f"fails in cycle {cycle}"
        changed = "" if same else "; the design has changed since it was written"
        emit(f"\n{replay.claim} {said}{changed}\n")
    return 0 if cycle is None else FINDING
