"""The designs of bench/simulate.py compute what they say, in every form."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from simulation.catalogue import NAMES, design
from simulation.design import Design
from simulation.dot16 import LANES, dot16
from simulation.ours import Ours, WithArrays, harnessed, module_of
from simulation.program import PROGRAM, ROM, assemble, rom
from simulation.stimulus import (
    Sums,
    Words,
    checksums,
    inputs_of,
    seeds_of,
    words_of,
)
from simulation.verilator_rival import (
    Source,
    Workshop,
    compiler,
    simulate,
    vector_extensions,
    verilators,
)
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.oracle import has_verilator

Numbers = NDArray[np.int64]

NEEDS_VERILATOR = pytest.mark.skipif(not has_verilator(), reason="needs Verilator")
CYCLES, STIMULI = 300, 3


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"), optimise=False)


def seeds(which: Design) -> Words:
    return seeds_of(which.drives, STIMULI)


# Stimulus and checksum.


def test_generators_go_through_all_states_but_0() -> None:
    words = words_of(np.array([[1]], np.uint16), 1 << 16)[:, 0, 0].tolist()
    assert sorted(words[:-1]) == list(range(1, 1 << 16))
    assert words[-1] == words[0] == 1


@pytest.mark.parametrize("name", NAMES)
def test_lanes_differ_and_every_bit_of_an_input_is_both(name: str) -> None:
    which = design(name)
    given = seeds_of(which.drives, 64)
    assert len(np.unique(given, axis=0)) == 64
    for drive, values in zip(
        which.drives, inputs_of(which.drives, given, 200).values(), strict=True
    ):
        assert drive.kind.form.has(int(values.min()))
        assert drive.kind.form.has(int(values.max()))
        moving = np.bitwise_or.reduce(values ^ values[0, 0], (0, 1)) & drive.keep & ~drive.put
        assert (moving == moving.max()).all()
        assert moving.max() > 0


def test_chances_are_as_told() -> None:
    """Over all words."""
    known = {"load": 1 / 16, "valid": 15 / 16, "clear": 1 / 16, "stall": 1 / 8, "irq": 1 / 256}
    for drive in (one for name in ("sa8", "dot16", "cpu") for one in design(name).drives):
        if drive.port in known:
            words = np.zeros((1 << 16, drive.first + 1), np.uint16)
            words[:, drive.first] = range(1 << 16)
            assert drive.values(words).mean() == known[drive.port]


def test_operands_of_the_dot_unit_are_sane() -> None:
    which = design("dot16")
    for port in "ab":
        bits = inputs_of(which.drives, seeds(which), 500)[port]
        numbers = np.abs((bits.astype(np.uint32) << 16).view(np.float32))
        assert numbers.min() >= 2.0**-15
        assert 1 < numbers.max() < 2


def test_a_checksum_tells_where_and_when() -> None:
    outputs = {"x": np.zeros((40, 1, 2), np.int64), "y": np.zeros((40, 1), np.int64)}
    outputs["x"][3, 0, 1] = -1
    outputs["y"][39, 0] = 5
    outputs["y"][38, 0] = 1 << 31
    assert checksums(outputs).tolist() == [[0, 0xFFFF_FFFF, 5 ^ 1]]


# One stimulus, all forms of a design.


def ours(which: Design) -> Sums:
    """By the interpreter, with the stimulus and the checksum in NumPy."""
    assert which.traced is not None
    inputs = inputs_of(which.drives, seeds(which), CYCLES)
    return checksums(interpret(which.traced.ir, inputs).outputs)


@pytest.mark.parametrize("name", ["sa8", "dot16"])
def test_the_modules_around_a_design_are_the_same_in_numpy(name: str) -> None:
    which = design(name)
    assert which.traced is not None
    given, cycles = seeds(which), 40
    made = harnessed(which, module_of(which))
    start = np.zeros((cycles, STIMULI), np.int64)
    start[0] = 1
    each = np.broadcast_to(given.astype(np.int64), (cycles, *given.shape))
    found = interpret(made, {"start": start, "seed": each}).outputs["out"]
    run = interpret(which.traced.ir, inputs_of(which.drives, given, cycles))
    for cycle in (0, 1, cycles - 1):
        outputs = {port: values[: cycle + 1] for port, values in run.outputs.items()}
        assert np.array_equal(found[cycle], checksums(outputs))


@NEEDS_VERILATOR
@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("sa8", "hand-written"),
        pytest.param("dot16", "hand-written", marks=pytest.mark.soak),
        pytest.param("sa8", "printed", marks=pytest.mark.soak),
        pytest.param("dot16", "printed", marks=pytest.mark.soak),
        pytest.param("sa16", "hand-written", marks=pytest.mark.soak),
        pytest.param("sa16", "printed", marks=pytest.mark.soak),
    ],
)
def test_verilog_computes_what_ours_does(name: str, source: Source, workshop: Workshop) -> None:
    which = design(name)
    built = workshop.build(which, source, verilators()[0])
    truth = ours(which)
    assert len(np.unique(truth)) > 1
    for call in ("eval", "inner"):
        assert np.array_equal(simulate(built, seeds(which), CYCLES, call).sums, truth)
    alone = simulate(built, seeds(which), CYCLES, "generator-only")
    assert not alone.sums.any()
    assert built.build_s > 0


@NEEDS_VERILATOR
def test_the_compiler_uses_the_vectors_of_this_machine() -> None:
    """-march=native reaches it."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("the machine does not tell what it has")
    flags = set(re.findall(r"\b(sse2|avx2|avx512f)\b", cpuinfo.read_text()))
    assert compiler()
    assert {f"__{flag.upper()}__" for flag in flags} <= vector_extensions()


# The dot unit, against integers and NumPy's fp32.

_SMALLEST = 2.0**-126
_NAN = 0x7FC0_0000


def _product(a: int, b: int) -> tuple[int, int, float]:
    """The signed significand and the scale; and NaN, an infinity or 0."""
    negative = (a ^ b) >> 15
    ea, eb = a >> 7 & 0xFF, b >> 7 & 0xFF
    if 255 in {ea, eb}:
        nan = any(one & 0x7FFF > 0x7F80 for one in (a, b)) or 0 in {ea, eb}
        return 0, 0, np.nan if nan else -np.inf if negative else np.inf
    if 0 in {ea, eb}:
        return 0, 0, 0.0
    significand = (a & 0x7F | 0x80) * (b & 0x7F | 0x80)
    return -significand if negative else significand, ea + eb, 0.0


def _flushed(x: float) -> np.float32:
    """To fp32 as if it had no least exponent, then 0 for what is below it."""
    scale = 2.0**100 if abs(x) < 1 else 1.0
    with np.errstate(over="ignore"):
        near = float(np.float32(x * scale)) / scale
    return np.float32(near) if abs(near) >= _SMALLEST else np.float32(0)


def _dot(a: Sequence[int], b: Sequence[int]) -> np.float32:
    """The sum of products as the unit's text says it."""
    products = [_product(*pair) for pair in zip(a, b, strict=True)]
    special = sum(one for *_, one in products)
    if special != 0:
        return np.float32(special)
    largest = max(scale for _, scale, _ in products)
    unit = largest + 2 - 24 + 14  # so many products' last bits are below the last one kept
    total = 0
    for significand, scale, _ in products:
        magnitude = abs(significand) << 600 >> 600 + unit - scale
        total += magnitude if significand > 0 else -magnitude
    return _flushed(total * 2.0 ** (unit - 2 * 127 - 14))


def _accumulated(run: Mapping[str, Numbers]) -> list[int]:
    """The accumulator's bits after each cycle's operands, of one lane."""
    total, found = np.float32(0), []
    for a, b, valid, clear in zip(*run.values(), strict=True):
        total = np.float32(0) if clear else total
        if valid:
            with np.errstate(all="ignore"):
                total = np.float32(total + _dot(a.tolist(), b.tolist()))
            total = total if not abs(total) < _SMALLEST else np.float32(0)
        found.append(_NAN if np.isnan(total) else int(total.view(np.uint32)))
    return found


def _operands(draw: np.random.Generator, cycles: int, lanes: int) -> dict[str, Numbers]:
    """Each lane with exponents of another range, some with numbers that cancel."""
    shape = (cycles, lanes, LANES)
    low = draw.choice([0, 1, 40, 56, 64, 100, 120, 127, 180, 190, 240], lanes)
    wide = draw.choice([1, 2, 8, 24, 256], lanes)
    exponents = np.minimum(low[:, None] + draw.integers(0, wide[:, None], shape), 255)
    # Infinities and NaN are rare, so that sums stay numbers for a while.
    exponents = np.where(draw.random(shape) < 0.997, np.minimum(exponents, 254), exponents)
    a, b = (
        draw.integers(0, 2, shape) << 15 | exponents << 7 | draw.integers(0, 128, shape)
        for _ in range(2)
    )
    mantissas = draw.random(shape) < 0.3
    a = np.where(mantissas, a & 0xFF80, a)
    cancels = draw.random((cycles, lanes)) < 0.3
    a[..., 1::2] = np.where(cancels[..., None], a[..., ::2] ^ 0x8000, a[..., 1::2])
    b[..., 1::2] = np.where(cancels[..., None], b[..., ::2] ^ (a[..., ::2] & 1), b[..., 1::2])
    valid = (draw.random((cycles, lanes)) < 0.8).astype(np.int64)
    clear = (draw.random((cycles, lanes)) < 0.2).astype(np.int64)
    return {"a": a, "b": b, "valid": valid, "clear": clear}


def test_the_dot_unit_computes_what_its_text_says() -> None:
    cycles, lanes = 60, 120
    run = _operands(np.random.default_rng(5), cycles, lanes)
    out = interpret(dot16.ir, run).outputs["out"]
    for lane in range(lanes):
        own = {port: values[:, lane] for port, values in run.items()}
        assert out[4:, lane].tolist() == _accumulated(own)[:-4], lane
    known = out[4:].astype(np.uint32).view(np.float32)
    assert all(kind(known).any() for kind in (np.isnan, np.isposinf, np.isneginf))
    assert np.isfinite(known).mean() > 0.5
    assert len(np.unique(known)) > 1000


def test_the_dot_unit_is_exact_on_small_integers() -> None:
    cycles, lanes = 40, 16
    draw = np.random.default_rng(6)
    x, y = draw.integers(-128, 129, (2, cycles, lanes, LANES))
    a, b = (one.astype(np.float32).view(np.uint32).astype(np.int64) >> 16 for one in (x, y))
    ones = np.ones((cycles, lanes), np.int64)
    run = interpret(dot16.ir, {"a": a, "b": b, "valid": ones, "clear": 0 * ones})
    out = run.outputs["out"].astype(np.uint32).view(np.float32)
    assert np.array_equal(out[4:], (x * y).sum(-1).cumsum(0)[:-4])


INF, NAN = float("inf"), float("nan")


def bf16(*numbers: float) -> Numbers:
    """Their bits, 0 behind them."""
    whole = np.zeros(LANES, np.float32)
    whole[: len(numbers)] = numbers
    return whole.view(np.uint32).astype(np.int64) >> 16


@pytest.mark.parametrize(
    ("a", "b", "out"),
    [
        # Where fp32 would still have it, each product is cut off before the sum.
        ([1, *[2.0**-22] * 15], [1] * 16, 1 + 15 * 2.0**-22),
        ([1, *[2.0**-23] * 15], [1] * 16, 1),
        ([-1, *[-(2.0**-23)] * 15], [1] * 16, -1),
        # A product of 0 has no say, nor has a subnormal operand.
        ([0, 1.5], [2.0**127, 2.0**-60], 1.5 * 2.0**-60),
        ([2.0**127, 1.5], [2.0**-127, 2.0**-60], 1.5 * 2.0**-60),
        ([2.0**-126], [0.5], 0),
        ([2.0**-100, 2.0**-100], [2.0**-26, 2.0**-26], 2.0**-125),
        ([2.0**127, 2.0**127], [1, 1], INF),
        ([-(2.0**127)], [2], -INF),
        ([INF, 3], [1, -5], INF),
        ([INF], [-1], -INF),
        ([INF, INF], [1, 2], INF),
        ([INF, INF], [1, -1], NAN),
        ([INF, 1], [0, 1], NAN),
        ([0], [-INF], NAN),
        ([2.0**-127], [INF], NAN),
        ([NAN, INF], [0, 1], NAN),
    ],
)
def test_the_dot_unit_at_the_edges_of_its_numbers(a: Any, b: Any, out: float) -> None:
    each = {port: np.broadcast_to(bf16(*x), (6, 1, LANES)) for port, x in (("a", a), ("b", b))}
    ones = np.ones((6, 1), np.int64)
    found = interpret(dot16.ir, {**each, "valid": ones, "clear": ones}).outputs["out"]
    assert found[4, 0] == (_NAN if np.isnan(out) else np.float32(out).view(np.uint32))


# The CPU, against a model that reads its program's text.

_MASK = 0xFFFF_FFFF


def _signed(x: int) -> int:
    return x - (x >> 31 << 32)


_ALU: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "sll": lambda x, y: x << (y & 31),
    "slt": lambda x, y: int(_signed(x) < _signed(y)),
    "sltu": lambda x, y: int(x < y),
    "xor": lambda x, y: x ^ y,
    "srl": lambda x, y: x >> (y & 31),
    "sra": lambda x, y: _signed(x) >> (y & 31),
    "or": lambda x, y: x | y,
    "and": lambda x, y: x & y,
}
_MET: dict[str, Callable[[int, int], bool]] = {
    "beq": lambda x, y: x == y,
    "bne": lambda x, y: x != y,
    "blt": lambda x, y: _signed(x) < _signed(y),
    "bge": lambda x, y: _signed(x) >= _signed(y),
    "bltu": lambda x, y: x < y,
    "bgeu": lambda x, y: x >= y,
}
_IMMEDIATE = {f"{name}i" for name in _ALU} | {"sltiu"}


@dataclass
class Core:
    """The CPU cycle by cycle, as the head of its Verilog tells it."""

    text: str
    out: int = 0
    pc: int = 0
    events: int = 0
    took: int = 0
    slot: int | None = None
    """The address of what is executed."""
    back: int = 8
    serving: bool = True
    pending: bool = False
    regs: dict[str, int] = field(default_factory=lambda: {"x0": 0})
    ram: dict[int, int] = field(default_factory=dict)
    taken: list[int] = field(default_factory=list)
    """What was taken from `data`."""
    given: list[int] = field(default_factory=list)
    """What `out` was set to."""

    def __post_init__(self) -> None:
        lines = [line.partition("#")[0].strip() for line in self.text.splitlines()]
        self.lines: list[list[str]] = []
        self.labels: dict[str, int] = {}
        for line in filter(None, lines):
            if line.endswith(":"):
                self.labels[line[:-1]] = 4 * len(self.lines)
            else:
                self.lines.append(re.split(r"[\s,()]+", line.rstrip(")")))

    def cycle(self, data: int, stall: int, irq: int) -> None:
        line = None if self.slot is None else self.lines[self.slot // 4]
        hold = line is not None and line[0] in {"lw", "sw"} and bool(stall)
        served = line is not None and not hold and self.pending and not self.serving
        self.pending = bool(irq) or (self.pending and not served)
        self.took = 0
        target = None
        if served:
            assert self.slot is not None
            target, self.back, self.serving = self.labels["handler"], self.slot, True
        elif line is not None and not hold:
            target = self.execute(line, data)
        if target is not None:
            self.pc, self.slot = target, None
        elif not hold:
            self.pc, self.slot = self.pc + 4, self.pc

    def execute(self, line: Sequence[str], data: int) -> int | None:
        """One instruction; where it goes if it jumps."""
        assert self.slot is not None
        name, *parts = line
        x = self.regs
        if name == "mret":
            self.serving = False
            return self.back
        if name in _MET:
            return self.labels[parts[2]] if _MET[name](x[parts[0]], x[parts[1]]) else None
        if name in {"lw", "sw"}:
            self.memory(name, parts[0], (x[parts[2]] + int(parts[1], 0)) & _MASK, data)
            return None
        if name in {"jal", "jalr"}:
            where = self.labels.get(parts[1])
            target = (x[parts[2]] + int(parts[1], 0)) & ~1 if where is None else where
            self.put(parts[0], self.slot + 4)
            return target
        if name in {"lui", "auipc"}:
            self.put(parts[0], (int(parts[1], 0) << 12) + (self.slot if name == "auipc" else 0))
        elif name in _IMMEDIATE:
            plain = "sltu" if name == "sltiu" else name[:-1]
            self.put(parts[0], _ALU[plain](x[parts[1]], int(parts[2], 0) & _MASK))
        else:
            self.put(parts[0], _ALU[name](x[parts[1]], x[parts[2]]))
        return None

    def memory(self, name: str, register: str, address: int, data: int) -> None:
        outside, place = address >> 10 & 1, address >> 2 & 63
        if name == "lw":
            self.took = outside
            if outside:
                self.taken.append(data)
            self.put(register, data if outside else self.ram[place])
        elif not outside:
            self.ram[place] = self.regs[register]
        elif address & 4:
            self.events = self.regs[register]
        else:
            self.out = self.regs[register]
            self.given.append(self.out)

    def put(self, register: str, value: int) -> None:
        if register != "x0":
            self.regs[register] = value & _MASK

    def outputs(self) -> tuple[int, ...]:
        return self.out, self.pc, self.events, self.took


def run_core(core: Core, given: Words, cycles: int) -> Iterator[tuple[int, ...]]:
    """Its outputs in each cycle."""
    inputs = inputs_of(design("cpu").drives, given[None], cycles)
    for data, stall, irq in zip(
        *(values[:, 0].tolist() for values in inputs.values()), strict=True
    ):
        yield core.outputs()
        core.cycle(data, stall, irq)


def core_sums(core: Core, given: Words, cycles: int) -> list[int]:
    rows = np.array(list(run_core(core, given, cycles)))
    outputs = {str(k): column[:, None] for k, column in enumerate(rows.T)}
    sums: list[int] = checksums(outputs)[0].tolist()
    return sums


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def results(taken: Sequence[int]) -> Iterator[int]:
    """What the program makes of the words that it takes."""
    result = 0
    for first in range(0, len(taken) - 15, 16):
        words = sorted(taken[first : first + 16])
        crc = crc16(b"".join(word.to_bytes(2, "little") for word in words))
        products = sum(words[k] * words[15 - k] for k in range(8))
        turned = (result << 1 | result >> 31) & _MASK
        result = ((turned ^ products & _MASK) + crc) & _MASK
        yield result


def test_the_program_sorts_checks_and_multiplies() -> None:
    assert crc16(b"123456789") == 0x4B37  # the catalogue's check value
    core = Core(PROGRAM)
    for _ in run_core(core, seeds(design("cpu"))[0], 20_000):
        pass
    assert len(core.given) >= 5
    assert core.given == list(results(core.taken))[: len(core.given)]
    assert core.events > 50


def test_the_rom_holds_the_program() -> None:
    assert ROM.read_text() == rom(assemble(PROGRAM))


@NEEDS_VERILATOR
def test_the_cpu_does_what_its_programs_text_says(workshop: Workshop) -> None:
    which, cycles = design("cpu"), 4000
    built = workshop.build(which, "hand-written", verilators()[0])
    found = simulate(built, seeds(which), cycles).sums
    for lane, given in enumerate(seeds(which)):
        assert core_sums(Core(PROGRAM), given, cycles) == found[lane].tolist()


def test_the_imported_cpu_does_what_its_programs_text_says() -> None:
    which, cycles = design("cpu"), 4000
    given = seeds_of(which.drives, 8)
    ours_ = Ours(which, 8, given)
    ours_.cpu_s(cycles)
    _, with_arrays = WithArrays(which, given).cpu_s(cycles)
    for lane in (0, 5):
        truth = core_sums(Core(PROGRAM), given[lane], cycles)
        assert truth == ours_.sums[lane].tolist() == with_arrays[lane].tolist()


@NEEDS_VERILATOR
@pytest.mark.soak
def test_the_cpu_runs_other_programs(tmp_path: Path, workshop: Workshop) -> None:
    """With every instruction, of numbers of every sign."""
    text = _program(np.random.default_rng(9), 160)
    (tmp_path / "rom.v").write_text(rom(assemble(text)))
    which = design("cpu")
    files = (which.files[0], tmp_path / "rom.v")
    built = workshop.build(replace(which, files=files), "hand-written", verilators()[0])
    found = simulate(built, seeds(which), 4000).sums
    for lane, given in enumerate(seeds(which)):
        assert core_sums(Core(text), given, 4000) == found[lane].tolist()


def _program(draw: Any, count: int) -> str:
    """A loop of instructions drawn at random, that shows each result."""
    names = [f"x{k}" for k in range(8)]
    lines = ["addi s11, x0, 0", "mret", "jal x0, main"]
    lines += ["handler:", "addi s11, s11, 1", "sw s11, 0x404(x0)", "mret", "main:"]
    lines += [f"lui {name}, {draw.integers(0, 1 << 20):#x}" for name in names]
    lines += ["lw x4, 0x400(x0)", "slli x5, x4, 17", "again:"]
    for number in range(count // 4):
        to, left, right = draw.choice(names, 3)
        name = str(draw.choice([*_ALU, *_IMMEDIATE - {"subi"}, "auipc", "lui", *_MET, "jalr"]))
        after = f"after{number}"
        if name in _MET:
            lines += [f"{name} {left}, {right}, {after}", f"addi {to}, {to}, 77", f"{after}:"]
        elif name in {"auipc", "lui"}:
            lines.append(f"{name} {to}, {draw.integers(0, 1 << 20):#x}")
        elif name == "jalr":
            lines += ["auipc x9, 0", "jalr x10, 12(x9)", f"add {to}, {to}, x4", "xor x3, x3, x10"]
        elif name in _ALU:
            lines.append(f"{name} {to}, {left}, {right}")
        else:
            shift = name in {"slli", "srli", "srai"}
            constant = draw.integers(0, 32) if shift else draw.integers(-2048, 2048)
            lines.append(f"{name} {to}, {left}, {constant}")
        lines.append(f"sw {to}, 0x400(x0)")
    return "\n".join([*lines, "lw x4, 0x400(x0)", "jal x0, again"])
