"""Amaranth's FIFOs and CRCs, written anew: port by port what its own simulator says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.hdl import amaranth_designs as designs
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.oracle import Case, has_icarus, has_verilator, icarus, verilator

if TYPE_CHECKING:
    from numpy.typing import NDArray

amaranth_hdl: Any = pytest.importorskip("amaranth.hdl")
amaranth_sim: Any = pytest.importorskip("amaranth.sim")
amaranth_fifo: Any = pytest.importorskip("amaranth.lib.fifo")
amaranth_crc: Any = pytest.importorskip("amaranth.lib.crc")

Ports = Mapping[str, "NDArray[Any]"]

_RESET = [1, 1, *[0] * 45, 1, *[0] * 52]
_FIFOS = [
    (kind, width, depth)
    for kind in ("SyncFIFO", "SyncFIFOBuffered")
    for width, depth in ((1, 1), (8, 2), (3, 3), (16, 4), (70, 5), (8, 9))
]
_ALGORITHMS: dict[str, Any] = {}
for _name, _one in vars(amaranth_crc.catalog).items():
    # Some have several names.
    if isinstance(_one, amaranth_crc.Algorithm) and _one not in _ALGORITHMS.values():
        _ALGORITHMS[_name] = _one
_TENTH = np.random.default_rng(10).permutation([*_ALGORITHMS])[: len(_ALGORITHMS) // 10].tolist()

Key = tuple[str, int, int]
"""The kind, width and depth of a FIFO; the name of an algorithm, its width of words, 0."""


@dataclass(frozen=True)
class Pair:
    """A design of ours, and Amaranth's."""

    ours: ir.Module
    theirs: Any
    inputs: Ports
    """[cycles, ...]; nothing is asked for in the first cycle: our state is not known yet."""


def _fifo(kind: str, width: int, depth: int) -> Pair:
    made = {"SyncFIFO": designs.sync_fifo, "SyncFIFOBuffered": designs.sync_fifo_buffered}[kind]
    draw = np.random.default_rng([width, depth])
    # Now the one side is the faster, now the other, so that it is full and empty at times.
    wave = 0.5 + 0.5 * np.sin(np.arange(len(_RESET)) / 8)
    inputs = {
        "w_data": _words(draw, width),
        "w_en": (draw.random(len(_RESET)) < wave).astype(int),
        "r_en": (draw.random(len(_RESET)) < 1 - wave).astype(int),
    }
    inputs["w_en"][0] = inputs["r_en"][0] = 0
    theirs = getattr(amaranth_fifo, kind)(width=width, depth=depth)
    return Pair(made(width, depth), theirs, inputs)


def _crc(name: str, width: int) -> Pair:
    algorithm = _ALGORITHMS[name]
    draw = np.random.default_rng([*name.encode(), width])
    ours = designs.crc(
        algorithm.crc_width,
        algorithm.polynomial,
        algorithm.initial_crc,
        algorithm.xor_output,
        width,
        reflect_input=algorithm.reflect_input,
        reflect_output=algorithm.reflect_output,
    )
    inputs = {
        "start": (draw.random(len(_RESET)) < 0.1).astype(int),
        "data": _words(draw, width),
        "valid": (draw.random(len(_RESET)) < 0.7).astype(int),
    }
    message = inputs["data"][2:5].tolist()
    message += _appended(algorithm, width, message)
    if 2 + len(message) < _RESET.index(1, 2):
        here = slice(2, 2 + len(message))
        inputs["start"][here], inputs["valid"][here], inputs["data"][here] = 0, 1, message
        inputs["start"][2] = 1
    return Pair(ours, algorithm(width).create(), inputs)


def _words(draw: np.random.Generator, width: int) -> NDArray[Any]:
    whole = [int.from_bytes(draw.bytes(16), "little") % (1 << width) for _ in _RESET]
    return np.array(whole, object)


def _appended(algorithm: Any, width: int, message: Sequence[int]) -> list[int]:
    """The words of a message's CRC, its highest power first; none where they are not whole."""
    if algorithm.crc_width % width:
        return []
    bits = f"{algorithm(width).compute(message):0{algorithm.crc_width}b}"
    bits = bits[::-1] if algorithm.reflect_output else bits
    words = [bits[at : at + width] for at in range(0, len(bits), width)]
    return [int(word[::-1] if algorithm.reflect_input else word, 2) for word in words]


@cache
def _pair(key: Key) -> Pair:
    name, width, depth = key
    return _fifo(name, width, depth) if depth else _crc(name, width)


@cache
def _theirs(key: Key) -> Ports:
    """What Amaranth's simulator gives, [cycles]."""
    pair = _pair(key)
    top, domain = amaranth_hdl.Module(), amaranth_hdl.ClockDomain("sync")
    top.domains += domain
    top.submodules.inside = pair.theirs
    found: dict[str, list[int]] = {port: [] for port in pair.ours.outputs}

    async def drive(simulated: Any) -> None:
        for cycle, reset in enumerate(_RESET):
            simulated.set(domain.rst, reset)
            for port, values in pair.inputs.items():
                simulated.set(getattr(pair.theirs, port), int(values[cycle]))
            for port, seen in found.items():
                seen.append(simulated.get(getattr(pair.theirs, port)))
            await simulated.tick()

    simulator = amaranth_sim.Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return {port: np.array(values, object) for port, values in found.items()}


def _check(key: Key, ours: Ports) -> None:
    theirs = _theirs(key)
    assert theirs.keys() == ours.keys()
    for port, values in ours.items():
        known = _known(key, port)[: len(values)]
        assert values[known].tolist() == theirs[port][: len(values)][known].tolist(), (key, port)


def _known(key: Key, port: str) -> NDArray[Any]:
    """The cycles in which both say the same: the second and all after it, with one exception.

    Amaranth's memory gives 0 at the start and after a reset, where none of an item's is there.
    """
    if key[0] != "SyncFIFOBuffered" or port != "r_data":
        return np.arange(len(_RESET)) > 0
    known, seen = [], False
    for ready, reset in zip(_theirs(key)["r_rdy"], _RESET, strict=True):
        seen = seen or ready == 1
        known.append(seen)
        seen = seen and not reset
    return np.array(known)


def _interpreted(key: Key, cycles: int = len(_RESET)) -> Ports:
    pair = _pair(key)
    inputs = {port: values[:cycles, None] for port, values in pair.inputs.items()}
    outputs = interpret(pair.ours, inputs, reset=_RESET[:cycles]).outputs
    return {port: values[:, 0] for port, values in outputs.items()}


def _told(key: Key) -> str:
    return "-".join(map(str, key))


@pytest.mark.parametrize("key", _FIFOS, ids=_told)
def test_a_fifo_is_amaranths(key: Key) -> None:
    _check(key, _interpreted(key))
    theirs, (_, _, depth) = _theirs(key), key
    assert {0, depth} <= {*theirs["level"]}
    assert {*theirs["w_rdy"]} == {*theirs["r_rdy"]} == {0, 1}


# A CRC of wide words is slow: a long chain. The first half of the cycles has all there is.


@pytest.mark.parametrize("name", _ALGORITHMS)
def test_a_crc_is_amaranths(name: str) -> None:
    width = 1 + len(name) % 4
    _check((name, width, 0), _interpreted((name, width, 0), 52))


@pytest.mark.parametrize("width", [8, 32])
@pytest.mark.parametrize("name", _TENTH[:3])
def test_a_crc_of_wide_words_is_amaranths(name: str, width: int) -> None:
    _check((name, width, 0), _interpreted((name, width, 0), 52))


@pytest.mark.soak
@pytest.mark.parametrize("name", _ALGORITHMS)
def test_a_crc_of_words_of_any_width_is_amaranths(name: str) -> None:
    for width in (1, 2, 5, 8, 16, 32):
        _check((name, width, 0), _interpreted((name, width, 0)))


@pytest.mark.parametrize(
    ("name", "width"),
    [("CRC32_ISO_HDLC", 8), ("CRC16_ARC", 4), ("CRC12_UMTS", 3), ("CRC82_DARC", 2)],
)
def test_a_message_with_its_own_crc_is_detected(name: str, width: int) -> None:
    key = name, width, 0
    words = 3 + _ALGORITHMS[name].crc_width // width
    assert _theirs(key)["match_detected"][2 + words] == 1
    _check(key, _interpreted(key, 47))


_SIMULATORS = [
    pytest.param(
        verilator, marks=pytest.mark.skipif(not has_verilator(), reason="needs Verilator")
    ),
    pytest.param(icarus, marks=pytest.mark.skipif(not has_icarus(), reason="needs Icarus")),
]
Simulate = Callable[[Sequence[Case], Sequence[int]], Sequence[Ports]]


@pytest.mark.parametrize("simulate", _SIMULATORS)
def test_the_printed_verilog_is_amaranths(simulate: Simulate) -> None:
    _check_printed([*_FIFOS, *((name, 8, 0) for name in _TENTH)], simulate)


@pytest.mark.soak
@pytest.mark.parametrize("simulate", _SIMULATORS)
def test_the_printed_verilog_of_every_crc_is_amaranths(simulate: Simulate) -> None:
    for width in (1, 8, 32):
        _check_printed([(name, width, 0) for name in _ALGORITHMS], simulate)


def _check_printed(keys: Sequence[Key], simulate: Simulate) -> None:
    cases = [Case(_pair(key).ours, _pair(key).inputs) for key in keys]
    for key, outputs in zip(keys, simulate(cases, _RESET), strict=True):
        _check(key, outputs)
