"""Verilog that Amaranth prints of its standard library: read, it does as its own simulator says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.reader import from_verilog

pytest.importorskip("pyosys")
hdl: Any = pytest.importorskip("amaranth.hdl")
rtlil: Any = pytest.importorskip("amaranth.back.rtlil")
sim: Any = pytest.importorskip("amaranth.sim")
fifo: Any = pytest.importorskip("amaranth.lib.fifo")
crc: Any = pytest.importorskip("amaranth.lib.crc")
coding: Any = pytest.importorskip("amaranth.lib.coding")
memory: Any = pytest.importorskip("amaranth.lib.memory")

CYCLES = 60
# As Amaranth itself prints Verilog: Yosys writes it from its RTLIL.
_PRINT = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in (["read_rtlil", sys.argv[1]], ["proc"], ["write_verilog", "-norename", sys.argv[2]]):
    libyosys.Pass.call(design, command)
"""


@dataclass(frozen=True)
class Thing:
    """Something of Amaranth's, and its ports."""

    made: Callable[[], Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    clocked: bool = True


class _Lfsr(hdl.Elaboratable):  # type: ignore[misc]
    """The register of Galois' form for x^16 + x^14 + x^13 + x^11 + 1."""

    def __init__(self) -> None:
        self.step = hdl.Signal()
        self.load = hdl.Signal(16)
        self.out = hdl.Signal(16)

    def elaborate(self, platform: object) -> Any:
        m, held = hdl.Module(), hdl.Signal(16, init=0xACE1)
        with m.If(self.load[:4] == 3):
            m.d.sync += held.eq(self.load)
        with m.Elif(self.step):
            m.d.sync += held.eq((held >> 1) ^ hdl.Mux(held[0], 0xB400, 0))
        m.d.comb += self.out.eq(held)
        return m


class _Memory(hdl.Elaboratable):  # type: ignore[misc]
    """Byte enables; a port that sees what is written, one that does not, one without a clock."""

    def __init__(self) -> None:
        self.w_addr = hdl.Signal(3)
        self.r_addr = hdl.Signal(3)
        self.w_data = hdl.Signal(16)
        self.w_en = hdl.Signal(2)
        self.r_en = hdl.Signal()
        self.seen = hdl.Signal(16)
        self.earlier = hdl.Signal(16)
        self.now = hdl.Signal(16)

    def elaborate(self, platform: object) -> Any:
        m = hdl.Module()
        m.submodules.held = held = memory.Memory(
            shape=16, depth=8, init=[n * 4099 & 0xFFFF for n in range(8)]
        )
        write = held.write_port(granularity=8)
        m.d.comb += [
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            write.en.eq(self.w_en),
        ]
        ports = (
            (held.read_port(transparent_for=(write,)), self.seen),
            (held.read_port(), self.earlier),
            (held.read_port(domain="comb"), self.now),
        )
        for port, shown in ports:
            m.d.comb += [port.addr.eq(self.r_addr), shown.eq(port.data)]
            if shown is not self.now:
                m.d.comb += port.en.eq(self.r_en)
        return m


def _crc(name: str, width: int) -> Any:
    return getattr(crc.catalog, name)(width).create()


_FIFO_IN = ("w_data", "w_en", "r_en")
_FIFO_OUT = ("w_rdy", "w_level", "r_data", "r_rdy", "r_level")
_THINGS: Mapping[str, Thing] = {
    **{
        f"{kind}-{width}-{depth}": Thing(
            partial(getattr(fifo, kind), width=width, depth=depth),
            _FIFO_IN,
            _FIFO_OUT,
        )
        for kind in ("SyncFIFO", "SyncFIFOBuffered")
        for width, depth in ((1, 1), (8, 2), (3, 3), (16, 4), (70, 5))
    },
    **{
        f"{name}-{width}": Thing(
            partial(_crc, name, width),
            ("start", "data", "valid"),
            ("crc", "match_detected"),
        )
        for name, width in (("CRC32_ISO_HDLC", 2), ("CRC16_ARC", 4), ("CRC12_UMTS", 3))
    },
    **{
        f"{kind}-{width}": Thing(partial(getattr(coding, kind), width), inputs, outputs, False)
        for kind, inputs, outputs in (
            ("Encoder", ("i",), ("o", "n")),
            ("PriorityEncoder", ("i",), ("o", "n")),
            ("Decoder", ("i", "n"), ("o",)),
            ("GrayEncoder", ("i",), ("o",)),
            ("GrayDecoder", ("i",), ("o",)),
        )
        for width in (3, 8)
    },
    "lfsr": Thing(_Lfsr, ("step", "load"), ("out",)),
    "memory": Thing(
        _Memory, ("w_addr", "r_addr", "w_data", "w_en", "r_en"), ("seen", "earlier", "now")
    ),
}


def _stimulus(made: Any, thing: Thing, name: str) -> dict[str, list[int]]:
    draw = np.random.default_rng([*name.encode()])
    found = {
        port: [
            int.from_bytes(draw.bytes(16), "little") & ((1 << len(getattr(made, port))) - 1)
            for _ in range(CYCLES)
        ]
        for port in thing.inputs
    }
    # Amaranth's simulator resets the read ports of a memory, its Verilog does not.
    found["rst"] = [int(one) for one in draw.random(CYCLES) < 0.04 * (name != "memory")]
    if "w_en" in found and "w_rdy" in thing.outputs:
        # Now the one side is the faster, now the other.
        wave = 0.5 + 0.5 * np.sin(np.arange(CYCLES) / 6)
        found["w_en"] = [int(one) for one in draw.random(CYCLES) < wave]
        found["r_en"] = [int(one) for one in draw.random(CYCLES) < 1 - wave]
    return found


def _simulated(made: Any, thing: Thing, given: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """What Amaranth's simulator gives."""
    top, domain = hdl.Module(), hdl.ClockDomain("sync")
    top.domains += domain
    top.submodules.inside = made
    found: dict[str, list[int]] = {port: [] for port in thing.outputs}

    async def drive(simulated: Any) -> None:
        for cycle in range(CYCLES):
            simulated.set(domain.rst, given["rst"][cycle])
            for port in thing.inputs:
                simulated.set(getattr(made, port), given[port][cycle])
            for port, seen in found.items():
                seen.append(simulated.get(getattr(made, port)))
            await simulated.tick()

    simulator = sim.Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return found


def _printed(made: Any, thing: Thing, folder: Path) -> Path:
    ports = [getattr(made, port) for port in (*thing.inputs, *thing.outputs)]
    (folder / "design.il").write_text(rtlil.convert(made, name="top", ports=ports))
    files = (str(folder / "design.il"), str(folder / "design.v"))
    subprocess.run((sys.executable, "-c", _PRINT, *files), check=True, stdout=subprocess.DEVNULL)
    return folder / "design.v"


@pytest.mark.parametrize("name", _THINGS)
def test_amaranths_verilog_does_as_its_simulator_says(name: str, tmp_path: Path) -> None:
    thing = _THINGS[name]
    read = from_verilog(_printed(thing.made(), thing, tmp_path), "top")
    made = thing.made()
    given = _stimulus(made, thing, name)
    theirs = _simulated(made, thing, given)
    inputs = {port: np.array(given[port], object)[:, None] for port in read.inputs}
    assert read.inputs.keys() - {"rst"} == {*thing.inputs}
    assert ("rst" in read.inputs) == thing.clocked
    ours = interpret(read, inputs).outputs
    for port, values in theirs.items():
        there = _there(port, given, theirs)
        assert sum(there) > CYCLES // 4
        assert ours[port][there, 0].tolist() == np.array(values, object)[there].tolist(), port


def _there(
    port: str, given: Mapping[str, list[int]], theirs: Mapping[str, list[int]]
) -> list[bool]:
    """In which cycles there is something at an output: before, Amaranth has 0 in a read port."""
    if port == "r_data":
        return [one == 1 for one in theirs["r_rdy"]]
    first = given["r_en"].index(1) if port in ("seen", "earlier") else -1
    return [cycle > first for cycle in range(CYCLES)]
