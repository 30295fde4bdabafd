"""Fast signal traces, which GTKWave and Surfer open: as VCD, in a fraction of the space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zhufeng.base import needs_extra, write_durable
from zhufeng.hdl.verilog._names import CLOCK
from zhufeng.hdl.waves._vcd import PERIOD_NS, reference
from zhufeng.hdl.waves._waves import Wave, Waves


def write_fst(path: Path, waves: Waves) -> None:
    """Write what `write_vcd` writes, with the same names and times.

    The same waves give the same bytes: the file has no date. The writer is GTKWave's own, by
    `pylibfst` (BSD and MIT licences).

    Raises:
        MissingExtraError: `pylibfst` is not installed; it comes with zhufeng[hdl].
    """
    with needs_extra("hdl"):
        from pylibfst import lib  # noqa: PLC0415 (only for whoever writes such waves)
    with TemporaryDirectory() as folder:
        beside = Path(folder) / "waves.fst"
        writer = lib.fstWriterCreate(str(beside).encode(), 1)
        lib.fstWriterSetDate(writer, b"")
        lib.fstWriterSetVersion(writer, b"Zhufeng")
        lib.fstWriterSetTimescaleFromString(writer, b"1ns")
        _write(lib, writer, waves)
        lib.fstWriterClose(writer)
        write_durable(path, beside.read_bytes())


def _write(lib: Any, writer: Any, waves: Waves) -> None:
    lib.fstWriterSetScope(writer, lib.FST_ST_VCD_MODULE, waves.module.encode(), b"")
    clock = 0
    if waves.clocked:
        clock = _variable(lib, writer, lib.FST_VT_VCD_WIRE, 1, CLOCK)
    signals = sorted(waves.signals, key=lambda wave: wave.path)
    variables, inside = [], tuple[str, ...]()
    for wave in signals:
        _enter(lib, writer, inside, wave.path)
        inside = wave.path
        kind = lib.FST_VT_VCD_REG if wave.held else lib.FST_VT_VCD_WIRE
        variables.append(_variable(lib, writer, kind, wave.width, reference(wave)))
    _enter(lib, writer, inside, ())
    lib.fstWriterSetUpscope(writer)
    for cycle in range(waves.cycles):
        lib.fstWriterEmitTimeChange(writer, cycle * PERIOD_NS)
        if clock:
            lib.fstWriterEmitValueChange(writer, clock, b"1")
        for variable, bits in _changes(signals, variables, cycle):
            lib.fstWriterEmitValueChange(writer, variable, bits)
        if clock:
            lib.fstWriterEmitTimeChange(writer, cycle * PERIOD_NS + PERIOD_NS // 2)
            lib.fstWriterEmitValueChange(writer, clock, b"0")
    lib.fstWriterEmitTimeChange(writer, waves.cycles * PERIOD_NS)


def _variable(lib: Any, writer: Any, kind: int, width: int, name: str) -> int:
    variable: int = lib.fstWriterCreateVar(
        writer, kind, lib.FST_VD_IMPLICIT, width, name.encode(), 0
    )
    return variable


def _enter(lib: Any, writer: Any, path: Sequence[str], to: Sequence[str]) -> None:
    """Leave scopes, and enter others."""
    shared = 0
    for one, other in zip(path, to, strict=False):
        if one != other:
            break
        shared += 1
    for _ in path[shared:]:
        lib.fstWriterSetUpscope(writer)
    for name in to[shared:]:
        lib.fstWriterSetScope(writer, lib.FST_ST_VCD_MODULE, name.encode(), b"")


def _changes(
    signals: Sequence[Wave], variables: Sequence[int], cycle: int
) -> Iterator[tuple[int, bytes]]:
    """What is not as it was in the cycle before, in binary."""
    for wave, variable in zip(signals, variables, strict=True):
        value = wave.values[cycle]
        if cycle == 0 or value != wave.values[cycle - 1]:
            yield variable, format(value % (1 << wave.width), f"0{wave.width}b").encode()
