"""Value change dumps (IEEE 1800-2012, 21.7), which GTKWave, Surfer and others open."""

from __future__ import annotations

import io
from pathlib import Path

from zhufeng.base import durable
from zhufeng.hdl.verilog._names import CLOCK
from zhufeng.hdl.waves._waves import Wave, Waves, indexed

PERIOD_NS = 10


def write_vcd(path: Path, waves: Waves) -> None:
    """Write a file whose cycle is 10 ns, from one rising edge of `clk` to the next.

    Instances are scopes, elements of arrays variables of their own. The same waves give the same
    bytes: the file has no date.
    """
    from vcd import VCDWriter  # noqa: PLC0415 (only for whoever writes waves)

    with durable(path) as file:
        text = io.TextIOWrapper(file, "ascii", newline="\n")
        with VCDWriter(text, timescale="1 ns", date="", version="Zhufeng") as writer:
            clock = None
            if waves.clocked:
                clock = writer.register_var(waves.module, CLOCK, "wire", 1, init=1)
            variables = [
                writer.register_var(
                    (waves.module, *wave.path),
                    reference(wave),
                    "reg" if wave.held else "wire",
                    wave.width,
                    init=wave.values[0],
                )
                for wave in waves.signals
            ]
            for cycle in range(waves.cycles):
                begin = cycle * PERIOD_NS
                if clock is not None:
                    writer.change(clock, begin, 1)
                for wave, variable in zip(waves.signals, variables, strict=True):
                    writer.change(variable, begin, wave.values[cycle])
                if clock is not None:
                    writer.change(clock, begin + PERIOD_NS // 2, 0)
            writer.flush(waves.cycles * PERIOD_NS)
        text.detach()


def reference(wave: Wave) -> str:
    """A name, with the range of its bits where a viewer could take an index for one."""
    bits = f" [{wave.width - 1}:0]" if wave.index or wave.width > 1 else ""
    return indexed(wave.name, wave.index) + bits
