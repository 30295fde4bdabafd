"""Streams: what they are known to do, in the interpreter, Verilator and Icarus alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import zhufeng.hdl
from tests.hdl import stream_designs as designs
from tests.hdl.stream_designs import DESIGNS, Item, Place
from zhufeng.hdl import UInt, assert_, assume, ir, streams
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.oracle import Case, has_icarus, has_verilator, icarus, verilator
from zhufeng.hdl.streams import arbiter, fifo, monitor, pipeline, row, skid, stage, stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ports = Mapping[str, "NDArray[Any]"]

# How often something comes and how often it may go: 22 cycles of each.
_PHASES = ((0.5, 0.5), (1, 1), (1, 0), (1, 1), (0.9, 0.3), (0.3, 0.9), (0, 1))
_RESET = [1, 1, *[0] * 83, 1, *[0] * 68]
_LANES = 2
JOINED = {f"joined_{n}": n for n in (1, 2, 3, 5)}
_MODULES = {
    **{name: one.module for name, one in DESIGNS.items()},
    "source_first": designs.source_first.ir,
    "sink_first": designs.sink_first.ir,
    **{name: designs.joined(n) for name, n in JOINED.items()},
}


def _stimulus(module: ir.Module, seed: int) -> dict[str, NDArray[Any]]:
    """[cycles, lanes, ...]; valid and ready by phases, everything else anything."""
    draw = np.random.default_rng(seed)
    often = np.repeat(_PHASES, 22, axis=0)
    found = {}
    for port, form in module.inputs.items():
        shape = (len(_RESET), _LANES, *form.shape)
        if port.endswith(("valid", "ready")):
            chance = often[:, int(port.endswith("ready"))].reshape(-1, *[1] * (len(shape) - 1))
            found[port] = (draw.random(shape) < chance).astype(int)
        else:
            numbers = [int.from_bytes(draw.bytes(10), "little") for _ in range(np.prod(shape))]
            whole = np.array([form.wrap(number) for number in numbers], object)
            found[port] = whole.reshape(shape)
    return found


_INPUTS = {name: _stimulus(one, seed) for seed, (name, one) in enumerate(_MODULES.items())}
for _name in ("source_first", "sink_first"):
    _INPUTS[_name] = _INPUTS["source_first"]


def _lane(ports: Ports, lane: int) -> Ports:
    return {port: values[:, lane] for port, values in ports.items()}


@cache
def _runs(name: str) -> list[tuple[Ports, Ports]]:
    """Inputs and outputs of each lane, [cycles, ...]."""
    run = interpret(_MODULES[name], _INPUTS[name], reset=_RESET)
    assert not run.failures
    return [(_lane(_INPUTS[name], lane), _lane(run.outputs, lane)) for lane in range(_LANES)]


def _item(ports: Ports, side: str, cycle: int) -> Item:
    parts = [np.ravel(values[cycle]) for port, values in ports.items() if f"{side}_data" in port]
    return tuple(int(number) for part in parts for number in part)


# From one stream to another.


@pytest.mark.parametrize("name", DESIGNS)
def test_it_is_the_queue_that_it_is_said_to_be(name: str) -> None:
    for inputs, outputs in _runs(name):
        _check_queue(name, inputs, outputs)


def _check_queue(name: str, inputs: Ports, outputs: Ports) -> None:
    places = DESIGNS[name].places()
    for cycle in range(1, len(_RESET)):
        _check_cycle(places, inputs, outputs, cycle)
        if _RESET[cycle]:
            places = DESIGNS[name].places()


def _check_cycle(places: list[Place], inputs: Ports, outputs: Ports, cycle: int) -> None:
    flows = [(bool(inputs["up_valid"][cycle]), _item(inputs, "up", cycle))]
    for place in places:
        flows.append(place.forward(*flows[-1]))
    readies = [bool(inputs["down_ready"][cycle])]
    for place in reversed(places):
        readies.insert(0, place.backward(readies[0]))
    valid, item = flows[-1]
    assert (outputs["up_ready"][cycle], outputs["down_valid"][cycle]) == (readies[0], valid), cycle
    assert not valid or _item(outputs, "down", cycle) == item, cycle
    assert "level" not in outputs or outputs["level"][cycle] == len(places[0].items), cycle
    moves = [offered and ready for (offered, _), ready in zip(flows, readies, strict=True)]
    for place, (_, entering), (comes, leaves) in zip(places, flows, pairwise(moves), strict=False):
        place.clock(entering if comes else None, leaves)


@pytest.mark.parametrize("name", DESIGNS)
def test_nothing_is_lost_or_doubled_and_the_order_is_kept(name: str) -> None:
    for inputs, outputs in _runs(name):
        _check_transfers(name, inputs, outputs)


def _check_transfers(name: str, inputs: Ports, outputs: Ports) -> None:
    design, passed = DESIGNS[name], 0
    came: list[Item] = []
    left: list[Item] = []
    for cycle in range(1, len(_RESET)):
        if outputs["down_valid"][cycle] and inputs["down_ready"][cycle]:
            left.append(_item(outputs, "down", cycle))
        if inputs["up_valid"][cycle] and outputs["up_ready"][cycle]:
            came.append(design.f(_item(inputs, "up", cycle)))
        assert left == came[: len(left)], cycle
        assert len(came) - len(left) in range(design.holds + 1), cycle
        if _RESET[cycle]:
            passed += len(left)
            came, left = [], []
    assert passed + len(left) > 20


@pytest.mark.parametrize("name", DESIGNS)
def test_it_holds_so_many_and_then_passes_one_a_cycle(name: str) -> None:
    design, stopped, flowing = DESIGNS[name], 40, 60
    given = _stimulus(design.module, 5)
    inputs = {port: values[: stopped + flowing, :1] for port, values in given.items()}
    inputs["up_valid"][:] = 1
    inputs["down_ready"][:] = np.arange(stopped + flowing)[:, None] >= stopped
    outputs = interpret(design.module, inputs).outputs
    came, left = outputs["up_ready"][:, 0], (outputs["down_valid"] * inputs["down_ready"])[:, 0]
    assert came[:stopped].sum() == design.holds
    # A fifo of one place is full or empty; a gate is closed after each transfer.
    every = 2 if name == "fifo_1" or "gate" in name or name == "fifo_sync_1" else 1
    assert came[-20:].sum() == left[-20:].sum() == 20 // every


@pytest.mark.parametrize(
    ("module", "forward", "backward"),
    [
        (stage(designs.Byte).ir, False, True),
        (skid(designs.Byte).ir, True, False),
        (fifo(designs.Byte, 3).ir, False, False),
        (fifo(designs.Byte, 3, "sync").ir, False, False),
        (row(stage(designs.Byte), skid(designs.Byte)).ir, False, False),
        (row(skid(designs.Byte), stage(designs.Byte)).ir, False, False),
        (pipeline(designs.Byte, designs.plus3, designs.twice).ir, False, True),
        (arbiter(designs.Byte, 3).ir, True, True),
    ],
)
def test_what_passes_within_a_cycle(module: ir.Module, forward: bool, backward: bool) -> None:
    reaches = ir.port_graph(module)
    down = reaches["down_valid"] | reaches["down_data"]
    assert "down_ready" not in down
    assert ("up_valid" in reaches["down_valid"], "up_data" in down) == (forward, forward)
    assert ("down_ready" in reaches["up_ready"]) == backward


def test_stages_are_modules_of_their_own() -> None:
    made = pipeline(designs.Byte, designs.plus3, designs.twice, designs.plus3, designs.plus3)
    assert [one.module.name for one in made.ir.instances.values()] == [
        *("stage_plus3", "stage_twice", "stage_plus3", "stage_plus3")
    ]
    assert not made.ir.registers


def test_streams_of_one_payload_are_one_type() -> None:
    assert stream(UInt(8)) is designs.Byte
    assert stream(designs.Pixel.array(2)) is designs.Pairs
    assert stream(UInt(9)) is not designs.Byte


def test_the_example_of_the_package_is_a_queue() -> None:
    assert streams.__doc__
    lines = streams.__doc__.splitlines()
    code = "\n".join(line[4:] for line in lines if line.startswith("    ") or not line)
    names = {**vars(zhufeng.hdl), **vars(streams)}
    exec(code, names)
    made = names["top"].ir
    (inner,) = (one.module for one in made.instances.values())
    assert (inner.name, inner.memories["items"].depth) == ("fifo", 16)


# The rules.


@pytest.mark.parametrize("claim", [assert_, assume])
def test_a_monitor_tells_each_cycle_in_which_an_offer_was_changed(claim: Any) -> None:
    module = monitor(stream(UInt(2)), claim).ir
    draw = np.random.default_rng(3)
    valid, ready = draw.integers(0, 2, (2, 200, 1))
    data = draw.integers(0, 4, (200, 1))
    run = interpret(module, {"watched_valid": valid, "watched_data": data, "ready": ready})
    waits = (valid & ~ready)[:-1] == 1
    gone, changed = waits & (valid[1:] == 0), waits & (valid[1:] == 1) & (data[1:] != data[:-1])
    assert gone.any()
    assert changed.any()
    found = {(one.cycle, one.text.partition(" is ")[2], one.kind) for one in run.failures}
    kind = "assert" if claim is assert_ else "assume"
    assert found == {
        *((cycle + 1, "offered still", kind) for cycle in np.flatnonzero(gone).tolist()),
        *((cycle + 1, "the same still", kind) for cycle in np.flatnonzero(changed).tolist()),
    }
    assert np.array_equal(run.outputs["out"][1:] == 0, gone | changed)
    assert sorted(run.covered.values()) == sorted(
        [(valid & ready).sum(), (valid & ~ready & 1).sum()]
    )


@pytest.mark.parametrize("name", DESIGNS)
def test_what_is_offered_stays_if_it_does_upstream(name: str) -> None:
    made = DESIGNS[name].made
    up: Any = made.inputs["up"]
    lawful = row(stage(up), made).ir
    inputs = {port: values[:90, :1] for port, values in _stimulus(lawful, 9).items()}
    found, waits = _lane(interpret(lawful, inputs).outputs, 0), 0
    for cycle in range(89):
        if found["down_valid"][cycle] and not inputs["down_ready"][cycle]:
            waits += 1
            assert found["down_valid"][cycle + 1]
            assert _item(found, "down", cycle + 1) == _item(found, "down", cycle)
    assert waits > 20


# Both ways within a cycle.


def test_neither_side_of_the_handshake_can_go_first() -> None:
    source, sink = ir.port_graph(designs.source.ir), ir.port_graph(designs.sink.ir)
    assert source["gone"] == {"on", "down_ready"}
    assert source["down_valid"] == {"on"}
    assert sink["up_ready"] == {"up_valid", "up_data", "opened"}


@pytest.mark.parametrize("name", ["source_first", "sink_first"])
def test_a_handshake_between_modules_is_the_same_whoever_is_called_first(name: str) -> None:
    for inputs, outputs in _runs(name):
        _check_handshake(name, inputs, outputs)


def _check_handshake(name: str, inputs: Ports, outputs: Ports) -> None:
    n = total = passed = 0
    for cycle in range(1, len(_RESET)):
        goes = bool(inputs["on"][cycle] and (inputs["opened"][cycle] or n % 4 == 0))
        found = tuple(int(outputs[port][cycle]) for port in ("gone", "got", "total"))
        assert found == (goes, goes, total), (name, cycle)
        n, total, passed = (n + goes) % 256, (total + n * goes) % 65536, passed + goes
        if _RESET[cycle]:
            n = total = 0
    assert passed > 30


# Streams that join.


class _Fairness:
    """An arbiter as it is seen from outside."""

    def __init__(self, n: int) -> None:
        self.waiting: list[Item | None] = [None] * n
        self.meanwhile = np.zeros((n, n), int)
        """How many items of each stream have gone while the item of each waits."""
        self.offered: int | None = None
        """The stream whose item was offered in the last cycle and not taken."""

    def check(self, inputs: Ports, outputs: Ports, cycle: int) -> int:
        """A cycle; how many items pass."""
        valid = bool(outputs["down_valid"][cycle])
        waits = [one is not None for one in self.waiting]
        assert list(outputs["waiting"][cycle]) == waits
        assert valid == any(waits)
        taken = np.flatnonzero(outputs["waiting"][cycle] * outputs["taken"][cycle]).tolist()
        assert len(taken) == (valid and inputs["down_ready"][cycle])
        if valid:
            chosen = int(outputs["chosen"][cycle])
            assert self.offered in (None, chosen)
            assert self.waiting[chosen] == _item(outputs, "down", cycle)
            assert taken in ([], [chosen])
            assert outputs["kept"][cycle] == 1
            self.offered = None if len(taken) else chosen
        for one in taken:
            self.waiting[one], self.meanwhile[one] = None, 0
            self.meanwhile[[other is not None for other in self.waiting], one] += 1
        assert self.meanwhile.max() <= 1
        comes = inputs["up_valid"][cycle] * outputs["up_ready"][cycle]
        for one in np.flatnonzero(comes).tolist():
            self.waiting[one] = (int(inputs["up_data"][cycle][one]),)
        return len(taken)


@pytest.mark.parametrize("name", JOINED)
def test_an_arbiter_takes_one_at_a_time_and_all_have_their_turn(name: str) -> None:
    for inputs, outputs in _runs(name):
        _check_arbiter(name, inputs, outputs)


def _check_arbiter(name: str, inputs: Ports, outputs: Ports) -> None:
    seen, passed = _Fairness(JOINED[name]), 0
    for cycle in range(1, len(_RESET)):
        passed += seen.check(inputs, outputs, cycle)
        if _RESET[cycle]:
            seen = _Fairness(JOINED[name])
    assert passed > 30


@pytest.mark.parametrize("n", [1, 3, 4])
def test_busy_streams_have_equal_shares(n: int) -> None:
    module, cycles = arbiter(stream(UInt(0)), n).ir, 7 * n
    ones = np.ones((cycles, 1, n), int)
    ready = np.ones((cycles, 1), int)
    run = interpret(module, {"up_valid": ones, "up_data": 0 * ones, "down_ready": ready})
    assert run.outputs["up_ready"].sum(0).tolist() == [[7] * n]
    assert run.outputs["up_ready"].sum(2).tolist() == [[1]] * cycles


# Other simulators: all designs in one build, for a build takes long.


@pytest.mark.parametrize(
    "simulate",
    [
        pytest.param(
            verilator, marks=pytest.mark.skipif(not has_verilator(), reason="needs Verilator")
        ),
        pytest.param(icarus, marks=pytest.mark.skipif(not has_icarus(), reason="needs Icarus")),
    ],
)
def test_the_printed_verilog_does_the_same(
    simulate: Callable[[list[Case], list[int]], list[Ports]],
) -> None:
    cases = [Case(one, _lane(_INPUTS[name], 0)) for name, one in _MODULES.items()]
    for name, case, outputs in zip(_MODULES, cases, simulate(cases, _RESET), strict=True):
        for check in _CHECKS[name]:
            check(name, case.inputs, outputs)


_CHECKS = {
    **dict.fromkeys(DESIGNS, (_check_queue, _check_transfers)),
    **dict.fromkeys(JOINED, (_check_arbiter,)),
    **dict.fromkeys(("source_first", "sink_first"), (_check_handshake,)),
}
