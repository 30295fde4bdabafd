"""Verilog in: what each thing becomes, and that it does as Icarus does with the Verilog itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.hdl.verilog_bench import NEEDS_ICARUS, Design, disagreements
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.passes import Flattening, simplify
from zhufeng.hdl.reader import from_verilog

pytest.importorskip("pyosys")


def module(body: str, ports: str = "input clk, input rst, input [7:0] a, output [7:0] y") -> Design:
    return Design(f"module top ({ports});\n{body}\nendmodule\n")


# Flip-flops.

_FLIP_FLOPS: Mapping[str, str] = {
    "plain": "always @(posedge clk) q <= a;",
    "enable": "always @(posedge clk) if (a[0]) q <= a;",
    "enable at 0": "always @(posedge clk) if (!a[0]) q <= a;",
    "synchronous reset": "always @(posedge clk) if (rst) q <= 5; else q <= a;",
    "reset before enable": "always @(posedge clk) if (rst) q <= 5; else if (a[0]) q <= a;",
    "reset after enable": "always @(posedge clk) if (a[0]) if (rst) q <= 5; else q <= a;",
    "asynchronous reset": "always @(posedge clk or posedge rst) if (rst) q <= 5; else q <= a + q;",
    "asynchronous reset at 0": "always @(posedge clk or negedge rst) if (!rst) q <= 5;\n"
    "else q <= a + q;",
    "asynchronous reset and enable": "always @(posedge clk or posedge rst) if (rst) q <= 5;\n"
    "else if (a[0]) q <= a;",
    "some bits only reset": "always @(posedge clk or posedge rst) if (rst) q <= 200;\n"
    "else q[3:0] <= a;",
    "bits with enables of their own": "always @(posedge clk) begin if (a[0]) q[3:0] <= a;\n"
    "if (a[1]) q[7:4] <= a; end",
}


@NEEDS_ICARUS
@pytest.mark.parametrize("body", _FLIP_FLOPS.values(), ids=_FLIP_FLOPS)
def test_flip_flops_of_every_kind(body: str) -> None:
    design = module(f"reg [7:0] q = 17; assign y = q;\n{body}")
    assert not disagreements(design)
    falling = design.text.replace("posedge clk", "negedge clk")
    assert not disagreements(replace(design, text=falling, rising=False))


def test_a_set_and_a_clear_work_at_once(tmp_path: Path) -> None:
    body = """reg q = 0; assign y = q;
    always @(posedge clk or posedge s or posedge c) if (c) q <= 0; else if (s) q <= 1;
    else q <= d;"""
    read = module(body, "input clk, input s, input c, input d, output y").read(tmp_path)
    given = {"s": [0, 1, 0, 0, 1, 0], "c": [0, 0, 0, 1, 1, 0], "d": [0, 0, 0, 1, 1, 1]}
    inputs = {port: np.array(one)[:, None] for port, one in given.items()}
    assert interpret(read, inputs).outputs["y"][:, 0].tolist() == [0, 1, 1, 0, 0, 0]


def test_a_register_starts_with_what_the_verilog_says_or_with_anything(tmp_path: Path) -> None:
    body = """reg [7:0] p = 8'd41, q, r; initial r = 7; assign y = p ^ q ^ r;
    always @(posedge clk) begin p <= a; q <= a; r <= a; end"""
    read = module(body).read(tmp_path)
    assert {name: one.reset for name, one in read.registers.items()} == {
        "p": (41,),
        "q": None,
        "r": (7,),
    }


# Memories.

_MEMORIES: Mapping[str, str] = {
    "read at once": "always @(posedge clk) if (rst) m[a[3:0]] <= a; assign y = m[a[7:4]];",
    "read at the edge": "always @(posedge clk) begin if (rst) m[a[3:0]] <= a; q <= m[a[7:4]]; end",
    "read while enabled": "always @(posedge clk) begin if (rst) m[a[3:0]] <= a;\n"
    "if (a[6]) q <= m[a[5:2]]; end",
    "reset after reading": "always @(posedge clk) begin m[a[3:0]] <= a;\n"
    "if (rst) q <= 9; else q <= m[a[5:2]]; end",
    "reset at once after reading": "always @(posedge clk) m[a[3:0]] <= a;\n"
    "always @(posedge clk or posedge rst) if (rst) q <= 9; else q <= m[a[5:2]];",
    "sees what is written": "reg [3:0] h = 0; assign y = m[h];\n"
    "always @(posedge clk) begin if (rst) m[a[3:0]] <= a; h <= a[5:2]; end",
    "sees one of two writes": "always @(posedge clk) begin if (rst) m[a[3:0]] <= a;\n"
    "if (a[7]) m[a[4:1]] <= ~a; q <= rst && a[3:0] == a[5:2] ? a : m[a[5:2]]; end",
    "nibbles": "always @(posedge clk) begin if (rst) m[a[3:0]][3:0] <= a;\n"
    "if (a[7]) m[a[3:0]][7:4] <= a; q <= m[a[5:2]]; end",
    "bits": "integer i; always @(posedge clk) begin for (i = 0; i < 8; i = i + 1)\n"
    "if (a[i]) m[a[3:0]][i] <= rst; q <= m[a[5:2]]; end",
    "two writes": "always @(posedge clk) begin if (rst) m[a[3:0]] <= a;\n"
    "if (a[7]) m[a[4:1]] <= ~a; q <= m[a[5:2]]; end",
    "words of two": "always @(posedge clk) begin if (rst) begin m[{a[2:0], 1'b0}] <= a;\n"
    "m[{a[2:0], 1'b1}] <= ~a; end q <= m[{a[5:3], 1'b0}] ^ m[{a[5:3], 1'b1}]; end",
}


@NEEDS_ICARUS
@pytest.mark.parametrize(("name", "body"), _MEMORIES.items(), ids=_MEMORIES)
def test_memories_of_every_kind(name: str, body: str, tmp_path: Path) -> None:
    start = "initial for (k = 0; k < 16; k = k + 1) m[k] = 37 * k;"
    shown = "" if "assign y" in body else "assign y = q;"
    design = module(f"reg [7:0] m [0:15]; integer k; {start} reg [7:0] q = 1; {shown}\n{body}")
    assert not disagreements(design, cycles=150)
    (memory,) = design.read(tmp_path).memories.values()
    bits = "".join(f"{one:0{memory.form.width}b}" for one in reversed(memory.init or ()))
    assert int(bits, 2) == sum(37 * k % 256 << 8 * k for k in range(16))
    groups = {"nibbles": 2, "bits": 8}.get(name)
    masks = [one.mask for one in memory.writes]
    assert all((mask is None) == (groups is None) for mask in masks), masks


@pytest.mark.parametrize(
    ("body", "sync", "transparent"),
    [
        ("assign y = m[a[7:4]];", False, False),
        ("reg [7:0] q; assign y = q; always @(posedge clk) q <= m[a[7:4]];", True, False),
        ("reg [3:0] h; assign y = m[h]; always @(posedge clk) h <= a[7:4];", True, True),
    ],
)
def test_a_port_of_a_memory_stays_one(
    body: str, sync: bool, transparent: bool, tmp_path: Path
) -> None:
    write = "always @(posedge clk) if (rst) m[a[3:0]] <= a;"
    read = module(f"reg [7:0] m [0:15]; {write} {body}").read(tmp_path)
    (port,) = read.memories["m"].reads
    assert (port.sync, port.transparent) == (sync, transparent)
    assert not read.registers
    assert read.memories["m"].init is None


@NEEDS_ICARUS
@pytest.mark.parametrize("ends", ["4:11", "11:4", "3:20", "0:9"])
def test_a_memory_whose_addresses_begin_anywhere(ends: str) -> None:
    low, high = sorted(map(int, ends.split(":")))
    design = module(
        f"""reg [7:0] m [{ends}]; integer k; initial for (k = {low}; k <= {high}; k = k + 1)
        m[k] = 37 * k; wire [4:0] at = a[7:3];
        always @(posedge clk) if (rst && at >= {low} && at <= {high}) m[at] <= a;
        wire [4:0] by = a[4:0]; assign y = by >= {low} && by <= {high} ? m[by] : 0;"""
    )
    assert not disagreements(design, cycles=150)


@NEEDS_ICARUS
def test_a_table_from_a_file_and_one_from_a_case() -> None:
    table = "".join(f"{37 * n % 256:x}\n" for n in range(16))
    cases = "".join(f"4'd{n}: c = {n * n % 256};\n" for n in range(15))
    body = f"""`include "depth.vh"
    reg [7:0] m [0:`DEPTH - 1]; initial $readmemh("table.hex", m); reg [7:0] c;
    always @* case (a[7:4]) {cases} default: c = 3; endcase
    assign y = m[a[3:0]] ^ c;"""
    headers = {"table.hex": table, "depth.vh": "`define DEPTH 16\n"}
    assert not disagreements(replace(module(body), headers=headers))


# Parts and names.

_HIERARCHY = """
module delay #(parameter WIDTH = 1) (
    input ck, input [WIDTH-1:0] d, output reg [WIDTH-1:0] q);
  always @(posedge ck) q <= d;
endmodule
module wire_only (input ck, input d, output q);
  assign q = ~d;
endmodule
module top (input clk, input [7:0] a, input b, output [7:0] y, output z);
  wire [7:0] held;
  wire half, \\odd.one ;
  delay #(8) first (.ck(clk), .d(a), .q(held));
  delay #(8) second (clk, held, y);
  delay third (.ck(clk), .d(b), .q(half));
  wire_only fourth (.ck(clk), .d(half), .q(\\odd.one ));
  assign z = \\odd.one ;
endmodule
"""


def test_modules_stay_and_their_clocks_go(tmp_path: Path) -> None:
    read = Design(_HIERARCHY).read(tmp_path)
    assert [*read.inputs] == ["a", "b"]
    inside = {name: one.module for name, one in read.instances.items()}
    assert {*inside} == {"first", "second", "third", "fourth"}
    assert inside["first"] is inside["second"]
    assert inside["first"].name == "delay"
    assert inside["first"].inputs == {"d": ir.Form(8)}
    assert inside["third"].inputs == {"d": ir.Form(1)}
    assert inside["fourth"].inputs == {"d": ir.Form(1)}
    assert {"held", "half", "odd_one", "a", "y", "z"} <= read.lets.keys()
    assert read.lets["held"].where == f"{tmp_path / 'design.v'}:12"
    assert inside["first"].registers["q"].where == f"{tmp_path / 'design.v'}:4"


@NEEDS_ICARUS
def test_a_hierarchy_does_the_same() -> None:
    assert not disagreements(Design(_HIERARCHY))


def test_every_name_is_the_name_of_its_value(tmp_path: Path) -> None:
    body = """wire [7:0] sum = a + 3, same = sum; wire [3:0] part = sum[5:2];
    wire [7:0] mixed = {part, a[3:0]}; wire [2:0] five = 5; assign y = mixed;"""
    read = module(body).read(tmp_path)
    names = ("sum", "same", "part", "mixed", "five")
    inputs = {"clk": [[0]] * 256, "rst": [[0]] * 256, "a": np.arange(256)[:, None]}
    seen = interpret(read, {k: np.array(v) for k, v in inputs.items()}, record=names).recorded
    for a in range(256):
        s = (a + 3) % 256
        expected = s, s, s >> 2 & 15, (s >> 2 & 15) << 4 | a & 15, 5
        assert tuple(int(seen[name][a, 0]) for name in names) == expected


def test_a_part_may_have_two_clocks_that_are_one(tmp_path: Path) -> None:
    text = """module two (input c, input e, input d, output reg p, output reg q);
    always @(posedge c) p <= d; always @(posedge e) q <= p; endmodule
    module top (input clk, input d, output p, output q); two u (clk, clk, d, p, q); endmodule"""
    read = Design(text).read(tmp_path)
    assert [*read.inputs] == [*read.instances["u"].inputs] == ["d"]


@NEEDS_ICARUS
def test_parameters_of_the_top() -> None:
    text = """module top #(parameter W = 2, parameter STEP = 1)
    (input clk, output reg [W-1:0] y); initial y = 0; always @(posedge clk) y <= y + STEP;
    endmodule"""
    design = Design(text, parameters={"W": 9, "STEP": -3})
    assert not disagreements(replace(design, text=text.replace("output", "input i, output", 1)))


def test_a_parameter_may_be_text(tmp_path: Path) -> None:
    text = """module top #(parameter KIND = "and") (input a, input b, output y);
    generate if (KIND == "and") assign y = a & b; else assign y = a | b; endgenerate endmodule"""
    path = Design(text).write(tmp_path)
    ops = [
        {let.op for let in from_verilog([path], "top", {"KIND": kind}).lets.values()}
        for kind in ("and", "or")
    ]
    assert ("and" in ops[0], "or" in ops[0]) == (True, False)
    assert ("and" in ops[1], "or" in ops[1]) == (False, True)


def test_what_is_open_or_unknown_is_0(tmp_path: Path) -> None:
    text = """module inner (input [3:0] d, output [3:0] q); assign q = ~d; endmodule
    module top (input a, output [3:0] q, output [3:0] r, output e);
    wire [3:0] undriven; inner u (.q(q)); assign r = {2'b1x, undriven[1:0]};
    assign e = a === 1'bx; endmodule"""
    read = Design(text).read(tmp_path)
    outputs = interpret(read, {"a": np.array([[0], [1]])}).outputs
    assert outputs["q"].tolist() == [[15], [15]]
    assert outputs["r"].tolist() == [[8], [8]]
    assert outputs["e"].tolist() == [[0], [0]]


def test_division_by_0_gives_0(tmp_path: Path) -> None:
    body = "assign y = a / {8{rst}}, z = a % {8{rst}};"
    ports = "input rst, input [7:0] a, output [7:0] y, output [7:0] z"
    read = module(body, ports).read(tmp_path)
    inputs = {"rst": np.array([[0]]), "a": np.array([[77]])}
    outputs = interpret(read, inputs).outputs
    assert (outputs["y"].item(), outputs["z"].item()) == (0, 0)


def test_assertions_become_claims(tmp_path: Path) -> None:
    body = """always @(posedge clk) if (!rst) begin small: assert (a < 200); cover (a == 7); end
    always @* assume (a != 99); assign y = a; always @(posedge clk) $display("%d", a);"""
    read = module(body).read(tmp_path)
    assert "clk" not in read.inputs
    place = tmp_path / "design.v"
    assert {(one.kind, one.text) for one in read.claims} == {
        ("assert", "small"),
        ("cover", f"{place}:2"),
        ("assume", f"{place}:3"),
    }
    given = {"rst": [0, 0, 1, 0, 0], "a": [7, 250, 250, 99, 7]}
    run = interpret(read, {port: np.array(one)[:, None] for port, one in given.items()})
    assert {(one.cycle, one.kind) for one in run.failures} == {(1, "assert"), (3, "assume")}
    assert sum(run.covered.values()) == 2


def test_assertions_on_one_line_are_told_apart_by_their_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.sv"
    path.write_text(
        "module top(input clk, input [7:0] a);\n"
        "always @(posedge clk) begin assert (a != 1); assert (a != 2); end\n"
        "endmodule\n"
    )
    read = from_verilog([path], "top")
    assert {one.where for one in read.claims} == {f"{path}:2"}
    texts = [one.text for one in read.claims]
    assert len(set(texts)) == 2
    assert all(text.startswith(f"{path}:2.") for text in texts)


# Values that seem to follow from themselves.


@NEEDS_ICARUS
@pytest.mark.parametrize("op", ["&", "|", "^", "~^"])
def test_bits_that_follow_from_their_neighbours(op: str) -> None:
    design = module(f"assign y[0] = rst; assign y[7:1] = y[6:0] {op} a;")
    assert not disagreements(design)


@NEEDS_ICARUS
def test_a_sign_is_repeated_for_neighbours_too() -> None:
    body = """assign y[0] = rst; wire signed [6:0] low = y[6:0]; wire signed [2:0] few = a[2:0];
    assign y[7:1] = low ^ few;"""
    assert not disagreements(module(body))


@NEEDS_ICARUS
def test_choices_and_nots_that_follow_from_their_neighbours() -> None:
    body = """wire [7:0] n; assign n = ~{n[6:0], rst}; assign y[0] = n[3];
    assign y[7:1] = rst ? y[6:0] : a;"""
    assert not disagreements(module(body))


@NEEDS_ICARUS
def test_ports_that_go_both_ways_in_a_bundle(tmp_path: Path) -> None:
    """The instance becomes a part of the module around it: only so nothing is a loop."""
    text = """module stage (input clk, input [2:0] i, output [2:0] o);
    reg r = 0; always @(posedge clk) r <= i[2]; assign o = {r ^ i[2], i[0], ~i[1]}; endmodule
    module top (input clk, input a, output [2:0] y);
    wire [2:0] o; stage u (clk, {a, o[0], o[2]}, o); assign y = o; endmodule"""
    assert not disagreements(Design(text))
    assert [*Design(text).read(tmp_path).registers] == ["u_r"]


@NEEDS_ICARUS
def test_passes_take_what_is_read(tmp_path: Path) -> None:
    read = Design(_HIERARCHY).read(tmp_path)
    flat = simplify(Flattening()(read))
    ir.check(flat)
    draw = np.random.default_rng(3)
    inputs = {"a": draw.integers(256, size=(30, 4)), "b": draw.integers(2, size=(30, 4))}
    there = interpret(read, inputs).outputs
    here = interpret(flat, inputs).outputs
    assert all((here[port][2:] == there[port][2:]).all() for port in there)
    assert ir.print_ir(ir.parse_ir(ir.print_ir(read))) == ir.print_ir(read)
