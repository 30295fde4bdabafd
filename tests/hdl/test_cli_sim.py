"""``zhufeng hdl sim``: its figures against the interpreter, NumPy and Verilator itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zhufeng.cli import main
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.interpret import Values, interpret
from zhufeng.hdl.oracle import has_verilator
from zhufeng.hdl.reader import from_verilog
from zhufeng.hdl.simulation import FromFile, Random, Reset, resets_of, verilator_of

VERILOG = """
module add #(parameter W = 8) (input [W-1:0] a, b, output [W:0] y);
  assign y = a + b;
endmodule
module adder #(parameter W = 8) (
  input clk, input rst_n, input en, input [W-1:0] a, b,
  output reg [W:0] sum, output reg [3:0] loose, output [79:0] wide
);
  wire [W:0] y;
  reg [7:0] cells [0:15];
  add #(.W(W)) add (.a(a), .b(b), .y(y));
  always @(posedge clk or negedge rst_n)
    if (!rst_n) sum <= 0;
    else if (en) sum <= y;
  always @(posedge clk) begin
    if (en) begin cells[a[3:0]] <= b[7:0]; loose <= cells[b[3:0]]; end
    if (rst_n) assert (sum != 9'h1fe);
  end
  assign wide = {sum, {62{en}}, 9'h155};
endmodule
"""


@pytest.fixture
def adder(tmp_path: Path) -> str:
    path = tmp_path / "adder.v"
    path.write_text(VERILOG)
    return str(path)


def sim(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["hdl", "sim", *map(str, arguments), "--json"]) == code
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def stimulus(cycles: int = 40, lanes: int = 3) -> dict[str, Values]:
    draw = np.random.default_rng(0)
    rst_n = np.ones((cycles, lanes), np.uint8)
    rst_n[:2] = 0
    a, b = draw.integers(0, 256, (2, cycles, lanes), dtype=np.uint8)
    return {"rst_n": rst_n, "en": draw.integers(0, 2, (cycles, lanes)) == 1, "a": a, "b": b}


def test_a_stimulus_of_a_file_gives_what_the_interpreter_gives(
    adder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, file, out = stimulus(), tmp_path / "given.npz", tmp_path / "out.npz"
    np.savez(file, **given)  # type: ignore[arg-type]
    told = sim(capsys, adder, "--top", "adder", "--stimulus", file, "-o", out)
    assert (told["lanes"], told["cycles"]) == (3, 40)
    known = interpret(from_verilog(adder, "adder"), given).outputs
    with np.load(out) as found:
        assert np.array_equal(found["sum"], known["sum"])
        assert np.array_equal(found["loose"][20:], known["loose"][20:])
        assert found["sum"].dtype == np.uint16
        wide = found["wide"].astype(object)
    assert np.array_equal(wide[..., 0] + (wide[..., 1] << 64), known["wide"])
    assert told["last"]["sum"] == known["sum"][-1].tolist()
    sums = {}
    for lane in range(3):
        np.savez(file, **{port: one[:, lane] for port, one in given.items()})  # type: ignore[arg-type]
        one = sim(capsys, adder, "--top", "adder", "--stimulus", file, "--lanes", 2)
        assert one["last"]["sum"] == [int(known["sum"][-1, lane])] * 2
        sums[lane] = one["checksums"]
    assert len({*map(tuple, sums.values())}) == 3


def test_random_inputs_are_those_of_the_seed_whatever_the_lanes_side_by_side(
    adder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = (adder, "--top", "adder", "--cycles", 1100, "--seed", 3)
    first = sim(capsys, *base, "--lanes", 5)
    monkeypatch.setattr("zhufeng.hdl.simulation._simulated._BLOCK_VALUES", 700)
    assert sim(capsys, *base, "--lanes", 5)["checksums"] == first["checksums"]
    assert sim(capsys, *base[:-1], 4, "--lanes", 5)["checksums"] != first["checksums"]
    assert len(set(first["checksums"])) == 5


def test_random_inputs_reach_every_number() -> None:
    module = interpret_ports()
    block = Random(module, 4, 2000, 1).block(100, 1900)
    for port, form in module.inputs.items():
        assert block[port].shape == (1900, 4, *form.shape)
        assert (int(block[port].min()) < form.low // 2) == form.signed
        assert int(block[port].max()) > form.high // 2
    assert set(np.unique(block["s3"]).tolist()) == set(range(-4, 4))
    again = Random(module, 4, 2000, 1).block(777, 3)
    assert all(np.array_equal(again[p], block[p][677:680]) for p in again)


def interpret_ports() -> Any:
    from zhufeng.hdl.ir import parse_ir

    ports = {"u1": "u1", "s3": "s3", "u63": "u63[2]", "s64": "s64", "u100": "u100"}
    lines = "".join(f"input {name} : {form}\n" for name, form in ports.items())
    return parse_ir(f'module m {{\n{lines}%x = input["u1"] : u1\noutput o = %x\n}}')


@pytest.mark.parametrize(
    ("name", "low"),
    [
        *[
            (name, False)
            for name in ("rst", "reset", "i_rst", "rst_i", "areset", "sys_rst", "srst")
        ],
        *[(name, True) for name in ("rst_n", "rst_ni", "resetn", "aresetn", "HRESETn", "nrst")],
        *[(name, True) for name in ("PRESETn", "reset_l", "rst_n_i", "n_reset", "rstb")],
        *[(name, None) for name in ("preset", "first", "burst", "rest", "set", "resets", "en")],
    ],
)
def test_names_of_resets(name: str, low: bool | None) -> None:
    from zhufeng.hdl.ir import parse_ir

    text = f'module m {{\ninput {name} : u1\n%x = input["{name}"] : u1\noutput o = %x\n}}'
    found = [one.low for one in resets_of(parse_ir(text))]
    assert found == ([] if low is None else [low])


def test_resets_are_held_first(adder: str, tmp_path: Path) -> None:
    module = from_verilog(adder, "adder")
    (found,) = resets_of(module)
    assert found == Reset("rst_n", 4, low=True)
    assert (
        Random(module, 2, 9, 0, [found]).block(2, 4)["rst_n"].tolist()
        == [[0] * 2] * 2 + [[1] * 2] * 2
    )
    given = stimulus()
    file = tmp_path / "given.npz"
    np.savez(file, **{port: one for port, one in given.items() if port != "rst_n"})  # type: ignore[arg-type]
    block = FromFile(module, file, None, 99, [Reset("rst_n", 3, low=True)]).block(1, 98)
    assert block["rst_n"][:, 0].tolist() == [0, 0, *[1] * 96]
    assert np.array_equal(block["a"], np.concatenate([given["a"]] * 3)[1:99])


def test_what_a_claim_says_is_a_finding(adder: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = sim(capsys, adder, "--top", "adder", "--cycles", 60_000, "--lanes", 4, code=1)
    (text,) = {one["path"] for one in told["failures"]}
    assert text == "adder"
    lanes = [one["lane"] for one in told["failures"]]
    assert len(lanes) == len(set(lanes)) > 0


def test_a_state_is_saved_and_gone_on_from(
    adder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, files = stimulus(), [tmp_path / f"{n}.npz" for n in range(3)]
    np.savez(files[0], **given)  # type: ignore[arg-type]
    np.savez(files[1], **{port: one[:23] for port, one in given.items()})  # type: ignore[arg-type]
    np.savez(files[2], **{port: one[23:] for port, one in given.items()})  # type: ignore[arg-type]
    base, state = (adder, "--top", "adder"), tmp_path / "state.npz"
    whole = sim(capsys, *base, "--stimulus", files[0])
    sim(capsys, *base, "--stimulus", files[1], "--save", state)
    vcd = tmp_path / "wave.vcd"
    rest = sim(capsys, *base, "--stimulus", files[2], "--start", state, "--vcd", vcd, "--lane", 1)
    assert rest["last"] == whole["last"]
    text = vcd.read_text()
    assert "add" in text
    assert text.count("$var") > 8
    last = [line for line in text.splitlines() if line.startswith("b") or line[0] in "01"]
    assert last


def test_waves_of_chosen_signals_are_of_the_lane(
    adder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pywellen = pytest.importorskip("pywellen")
    vcd, fst = tmp_path / "wave.vcd", tmp_path / "wave.fst"
    base = (adder, "--top", "adder", "--cycles", 30, "--lanes", 3, "--vcd", vcd, "--fst", fst)
    texts = []
    for lane in range(3):
        told = sim(capsys, *base, "--lane", lane, "--signals", "add.y")
        text = vcd.read_text()
        assert text.count("$scope") == 2
        code = next(line.split()[3] for line in text.splitlines() if " sum [8:0]" in line)
        values = [line.split()[0] for line in text.splitlines() if line.endswith(f" {code}")]
        assert int(values[-1][1:], 2) == told["last"]["sum"][lane]
        trace = next(one for one in pywellen.Waveform(str(fst)).all_vars() if one.name == "sum")
        assert int(trace.signal.value_at(299)) == told["last"]["sum"][lane]
        texts.append(text)
    assert len(set(texts)) == 3


def test_a_design_of_ours_with_and_without_rst(capsys: pytest.CaptureFixture[str]) -> None:
    base = ("zhufeng.hdl.examples:systolic", "--param", "n=2", "--cycles", 30, "--lanes", 2)
    plain = sim(capsys, *base)
    reset = sim(capsys, *base, "--reset", "rst=5")
    assert plain["design"] == "array"
    assert plain["checksums"] != reset["checksums"]
    assert plain["last"] == reset["last"], "what was held has been shifted out"


def test_the_table_is_for_people(adder: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["hdl", "sim", adder, "--top", "adder", "--lanes", "20", "--cycles", "50"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert "20 lanes of 50 cycles" in said.out
    assert "and 12 lanes more" in said.out
    assert "rst_n: 0 for 4 cycles, then 1" in said.err


# Beside Verilator.

NEEDS_VERILATOR = pytest.mark.skipif(not has_verilator(), reason="needs Verilator")


@NEEDS_VERILATOR
def test_verilator_gives_the_same_and_a_difference_is_named(
    adder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One build: equal at first, in blocks; then one output of ours is changed, and found."""
    monkeypatch.setattr("zhufeng.hdl.simulation._verilator._OPTIMISED", ("-O0",))
    module = from_verilog(adder, "adder", {"W": 12})
    drawn = Random(module, 3, 500, 6, list(resets_of(module)))
    simulator = compiled(module, 8)
    state = simulator.start(3, None)
    with verilator_of([Path(adder)], module, "adder", {"W": 12}, drawn) as beside:
        for first in (0, 200):
            given = drawn.block(first, 200)
            run = simulator.run(given, start=state)
            state = run.end
            beside(first, given, run)
            assert beside.difference is None
        given = drawn.block(400, 100)
        run = simulator.run(given, start=state)
        for port, cycle, lane in (("wide", 40, 0), ("loose", 17, 2), ("sum", 17, 1), ("sum", 3, 1)):
            run.outputs[port][cycle, lane] ^= 1
        beside(400, given, run)
        found = beside.difference
    assert found is not None
    assert (found.cycle, found.lane, found.port) == (403, 1, "sum")
    assert found.ours == found.verilators ^ 1
    assert beside.cpu_s > 0


@NEEDS_VERILATOR
@pytest.mark.soak
def test_the_command_runs_verilator_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A falling clock, a name that needs escaping, a header beside the file, an `initial` block."""
    (tmp_path / "size.vh").write_text("`define SIZE 5\n")
    (tmp_path / "odd.v").write_text(
        '`include "size.vh"\n'
        "module odd (input \\tick! , input [`SIZE-1:0] \\d+1 , output reg [`SIZE-1:0] q);\n"
        "initial q = 7;\nalways @(negedge \\tick! ) q <= q ^ \\d+1 ;\n"
        'initial $display("hello"); endmodule\n'
    )
    told = sim(capsys, tmp_path / "odd.v", "--top", "odd", "--against", "verilator")
    assert told["verilator"]["difference"] is None
    assert told["verilator"]["lane_cycles_per_s"] > 0
