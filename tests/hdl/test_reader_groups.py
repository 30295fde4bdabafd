"""Instances that become arrays: which, and that they do as Icarus does with the Verilog itself."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.hdl.verilog_bench import NEEDS_ICARUS, Design, disagreements, drawn
from tests.hdl.verilog_structures import structure
from zhufeng.hdl import ir
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.examples import systolic
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.passes import Flattening

pytest.importorskip("pyosys")

CYCLES = 24
_NODES = """
module node #(parameter K = 1) (input clk, input en, input [7:0] d, input [7:0] e,
  output reg [7:0] q);
  initial q = K;
  always @(posedge clk) if (en) q <= q * 3 + (d ^ {e[3:0], e[7:4]});
endmodule
module link (input [7:0] d, input c, output [7:0] z);
  assign z = {d[6:0], d[7] ^ c};
endmodule
"""


class Known(Design):
    """A design that is read but once."""

    def read(self, folder: Path) -> ir.Module:
        """As a module of the IR."""
        if self.text not in _READ:
            _READ[self.text] = super().read(folder)
        return _READ[self.text]


_READ: Final[dict[str, ir.Module]] = {}


def loop(body: str, count: int = 6) -> Design:
    """A design with a generate loop over `i` that drives a byte of `q` at a time."""
    return Known(
        f"""{_NODES}
module top (input clk, input en, input [7:0] c, input [{8 * count - 1}:0] a,
  input [0:{9 * count - 1}] b, output [{8 * count - 1}:0] y);
  wire [{8 * count - 1}:0] q; assign y = q;
  genvar i; generate for (i = 0; i < {count}; i = i + 1) begin : g
    wire [7:0] d;
    {body}
  end endgenerate
endmodule"""
    )


def read(design: Design) -> ir.Module:
    """As a module of the IR."""
    with tempfile.TemporaryDirectory() as name:
        return design.read(Path(name))


def shapes(module: ir.Module) -> Mapping[str, tuple[int, ...]]:
    """Of its instances."""
    return {name: one.shape for name, one in module.instances.items()}


def joined(module: ir.Module, name: str, port: str) -> int:
    """Of how many parts an input is put together."""
    waiting, found = [module.instances[name].inputs[port]], 0
    while waiting:
        let = module.lets[waiting.pop()]
        waiting += let.args if let.op == "join" else ()
        found += let.op != "join"
    return found


# Where values come from.

_NODE = "node u (clk, en, d, a[8*i +: 8], q[8*i +: 8]);"
_SOURCES: Mapping[str, tuple[str, int]] = {
    "the one before": ("if (i == 0) assign d = c; else assign d = q[8*i-8 +: 8];", 2),
    "the one behind": ("if (i == 5) assign d = c; else assign d = q[8*i+8 +: 8];", 2),
    "the one before and a number": ("if (i == 0) assign d = 9; else assign d = q[8*i-8 +: 8];", 2),
    "a ring": ("assign d = q[8*((i + 5) % 6) +: 8];", 2),
    "a ring the other way": ("assign d = q[8*((i + 1) % 6) +: 8];", 2),
    "itself": ("assign d = q[8*i +: 8];", 1),
    "the one opposite": ("assign d = q[8*(5 - i) +: 8];", 1),
    "one value": ("assign d = c;", 1),
    "one bit of it": ("assign d = {8{c[3]}};", 1),
    "numbers": ("assign d = 7 * i * i;", 1),
    "a port": ("assign d = a[8*i +: 8];", 1),
    "a port from its end on": ("assign d = a[8*(5 - i) +: 8];", 1),
    "a port whose bits ascend": ("assign d = b[8*i +: 8];", 1),
    "bits of a port": ("assign d = a[i];", 1),
    "every third bit": ("assign d = {2'd2, a[3*i +: 2]};", 1),
    "parts of bundles": ("assign d = {b[9*i +: 4], b[9*i+5 +: 4]};", 1),
    "the last of bundles": ("assign d = b[9*i+1 +: 8];", 1),
    "logic of its own": ("assign d = q[8*((i + 1) % 6) +: 8] ^ a[8*i +: 8];", 1),
    "a choice of its own": ("assign d = b[i] ? a[8*i +: 8] : c;", 1),
    "a part of a product": (
        "wire [15:0] t; assign t = a[8*i +: 8] * q[8*i +: 8]; assign d = t[11:4];",
        1,
    ),
    "two kinds of products": (
        "if (i == 0) assign d = c[3:0] * c[7:4]; else assign d = c * a[8*i +: 8];",
        2,
    ),
    "a number with a sign": ("wire signed [3:0] s; assign s = a[4*i +: 4]; assign d = s;", 1),
}


@NEEDS_ICARUS
@pytest.mark.parametrize(("body", "parts"), _SOURCES.values(), ids=_SOURCES)
def test_values_from_everywhere_are_few_operations(body: str, parts: int) -> None:
    design = loop(f"{body} {_NODE}")
    found = read(design)
    assert shapes(found) == {"g_u": (6,)}
    assert joined(found, "g_u", "d") <= parts
    assert [found.lets[value].op for value in found.outputs.values()] == ["pack"]
    assert not disagreements(design, cycles=CYCLES, least=1)


@NEEDS_ICARUS
def test_where_nothing_is_regular_instances_stay_apart() -> None:
    draw, places = np.random.default_rng(3), "  "
    body = places.join(f"if (i == {n}) assign d = q[{draw.integers(88)} +: 8];" for n in range(12))
    design = loop(f"{body} {_NODE}", 12)
    assert [*shapes(read(design)).values()] == [()] * 12
    assert not disagreements(design, cycles=CYCLES, least=1)


def test_two_that_differ_stay_apart_and_two_alike_do_not() -> None:
    for source, shape in (("c", {"g_u": (2,)}), ("(i ? q[7:0] : c)", {"g_0_u": (), "g_1_u": ()})):
        assert shapes(read(loop(f"assign d = {source}; {_NODE}", 2))) == shape


# Grids.

_GRID = """
module top (input clk, input en, input [7:0] c, input [23:0] a, input [31:0] b,
  output [23:0] x, output [31:0] y, output [7:0] z);
  wire [95:0] r, s; assign z = s[8*6 +: 8];
  HEAD
      wire [7:0] left, above, other;
      if (j == 0) assign left = a[8*i +: 8]; else assign left = r[8*(4*i+j-1) +: 8];
      if (i == 0) assign above = b[8*j +: 8]; else assign above = s[8*(4*i+j-4) +: 8];
      node u (clk, en, left, above, r[8*(4*i+j) +: 8]);
      node #(7) v (clk, en, above, 8'd3, s[8*(4*i+j) +: 8]);
      if (j == 3) assign x[8*i +: 8] = r[8*(4*i+j) +: 8];
      if (i == 2) assign y[8*j +: 8] = s[8*(4*i+j) +: 8];
  TAIL
  endgenerate
endmodule"""
_LOOPS: Mapping[str, tuple[str, str]] = {
    "row_col": (
        """genvar i, j; generate for (i = 0; i < 3; i = i + 1) begin : row
        for (j = 0; j < 4; j = j + 1) begin : col""",
        "end end",
    ),
    "col_row": (
        """genvar i, j; generate for (j = 0; j < 4; j = j + 1) begin : col
        for (i = 0; i < 3; i = i + 1) begin : row""",
        "end end",
    ),
    "all": (
        """genvar n; generate for (n = 0; n < 12; n = n + 1) begin : all
        localparam i = n / 4, j = n % 4;""",
        "end",
    ),
}


@NEEDS_ICARUS
@pytest.mark.parametrize(
    ("names", "shape"), [("row_col", (3, 4)), ("col_row", (4, 3)), ("all", (3, 4))]
)
def test_grids_have_two_axes(names: str, shape: tuple[int, int]) -> None:
    head, tail = _LOOPS[names]
    design = Known(_NODES + _GRID.replace("HEAD", head).replace("TAIL", tail))
    found = read(design)
    assert shapes(found) == {f"{names}_u": shape, f"{names}_v": shape}
    assert joined(found, f"{names}_u", "d") == joined(found, f"{names}_u", "e") == 2
    assert not disagreements(design, cycles=CYCLES, least=1)


_CORNER = """
module top (input clk, input en, input [7:0] c, input [127:0] a, output [127:0] y, output [53:0] z);
  wire [127:0] q; assign y = q; wire [53:0] s; assign z = s;
  genvar i, j; generate for (i = 0; i < 4; i = i + 1) begin : row
    for (j = 0; j < 4; j = j + 1) begin : col
      if (KEPT) begin : some1
        node u (clk, en, c, a[8*(4*j+i) +: 8], q[8*(4*i+j) +: 8]);
      end
      else assign q[8*(4*i+j) +: 8] = 0;
    end
  end
  for (i = 0; i < 6; i = i + 1) begin : out
    assign s[9*i +: 9] = {q[8*(4*((i * i) % 4)) + i], q[8*i +: 8]};
  end endgenerate
endmodule"""


@NEEDS_ICARUS
@pytest.mark.parametrize(("kept", "shape"), [("1", (4, 4)), ("j <= i", (10,)), ("i < 3", (3, 4))])
def test_turned_and_cornered_grids(kept: str, shape: tuple[int, ...]) -> None:
    design = Known(_NODES + _CORNER.replace("KEPT", kept))
    found = shapes(read(design))
    assert found == {"row_col_some1_u": shape}
    assert not disagreements(design, cycles=CYCLES, least=1)


@NEEDS_ICARUS
@pytest.mark.parametrize("source", ["i % 2 ? a[8*i +: 8] : c", "a[8*(i / 2) +: 8]"])
def test_the_wiring_makes_two_axes_of_one(source: str) -> None:
    design = loop(f"assign d = {source}; {_NODE}")
    found = read(design)
    assert shapes(found) == {"g_u": (3, 2)}
    assert joined(found, "g_u", "d") <= 2
    assert not disagreements(design, cycles=CYCLES, least=1)


_SYSTOLIC = """
module pe (input clk, input load, input signed [7:0] a_in, input signed [7:0] w_in,
  input signed [31:0] p_in, output reg signed [7:0] a, output reg signed [7:0] w,
  output reg signed [31:0] p);
  initial begin a = 0; w = 0; p = 0; end
  always @(posedge clk) begin
    a <= a_in;
    if (load) w <= w_in;
    p <= p_in + a_in * w;
  end
endmodule
module top #(parameter N = 4) (input clk, input load, input [8*N-1:0] a, input [8*N-1:0] w,
  output [32*N-1:0] out);
  wire [8*N*N-1:0] ao, wo; wire [32*N*N-1:0] po;
  genvar i, j;
  generate for (i = 0; i < N; i = i + 1) begin : row
    for (j = 0; j < N; j = j + 1) begin : col
      wire [7:0] ai, wi; wire [31:0] pi;
      if (j == 0) assign ai = a[8*i +: 8]; else assign ai = ao[8*(N*i+j-1) +: 8];
      if (i == 0) begin assign wi = w[8*j +: 8]; assign pi = 0; end
      else begin assign wi = wo[8*(N*(i-1)+j) +: 8]; assign pi = po[32*(N*(i-1)+j) +: 32]; end
      pe u (clk, load, ai, wi, pi, ao[8*(N*i+j) +: 8], wo[8*(N*i+j) +: 8],
        po[32*(N*i+j) +: 32]);
    end
  end endgenerate
  assign out = po[32*N*(N-1) +: 32*N];
endmodule
"""


def _joins(module: ir.Module) -> Mapping[str, tuple[object, ...]]:
    """How each input of its one instance is joined: the axis, the shapes of the parts."""
    (one,) = module.instances.values()
    lets = {port: module.lets[value] for port, value in one.inputs.items()}
    return {
        port[0]: (*let.data, *(module.form(arg).shape for arg in let.args))
        for port, let in lets.items()
        if let.op == "join"
    }


def test_a_systolic_array_in_verilog_is_the_one_that_is_traced() -> None:
    found, traced = read(Known(_SYSTOLIC)), systolic(4, 8, acc_bits=32).ir
    assert shapes(found) == {"row_col_u": (4, 4)}
    assert _joins(found) == _joins(traced)
    draw = np.random.default_rng(5)
    rows = {port: draw.integers(-128, 128, (60, 8, 4)) for port in "aw"}
    load = draw.integers(0, 2, (60, 8))
    sums = interpret(traced, {**rows, "load": load}).outputs["out"]
    given = {port: (one & 255) @ (1 << 8 * np.arange(4)) for port, one in rows.items()}
    out = compiled(found, 8).run({**given, "load": load}).outputs["out"].astype(object)
    for column in range(4):
        there = sums[:, :, column].astype(object) & 0xFFFFFFFF
        assert ((out >> 32 * column & 0xFFFFFFFF) == there).all()


@NEEDS_ICARUS
def test_rows_of_rows() -> None:
    text = f"""{_NODES}
module row (input clk, input en, input [7:0] first, input [23:0] above, output [23:0] q);
  genvar j; generate for (j = 0; j < 3; j = j + 1) begin : col
    wire [7:0] left; if (j == 0) assign left = first; else assign left = q[8*j-8 +: 8];
    node #(5) u (clk, en, left, above[8*j +: 8], q[8*j +: 8]);
  end endgenerate
endmodule
module top (input clk, input en, input [39:0] a, input [23:0] b, output [23:0] y);
  wire [119:0] q; assign y = q[119:96];
  genvar i; generate for (i = 0; i < 5; i = i + 1) begin : all
    wire [23:0] above; if (i == 0) assign above = b; else assign above = q[24*i-24 +: 24];
    row r (clk, en, a[8*i +: 8], above, q[24*i +: 24]);
  end endgenerate
endmodule"""
    found = read(Known(text))
    assert shapes(found) == {"all_r": (5,)}
    assert shapes(found.instances["all_r"].module) == {"col_u": (3,)}
    (held,) = Flattening()(found).registers.values()
    assert held.form == ir.Form(8, shape=(5, 3))
    assert not disagreements(Known(text), cycles=CYCLES, least=1)


# Which belong together.


@NEEDS_ICARUS
def test_two_arrays_that_feed_each_other() -> None:
    design = loop(
        """wire [7:0] p; assign d = p;
        node #(3) v (clk, en, q[8*((i + 1) % 6) +: 8], c, p);
        node u (clk, b[i], d, a[8*i +: 8], q[8*i +: 8]);"""
    )
    assert shapes(read(design)) == {"g_u": (6,), "g_v": (6,)}
    assert not disagreements(design, cycles=CYCLES, least=1)


@NEEDS_ICARUS
def test_other_parameters_are_another_array() -> None:
    other = _NODE.replace("node", "node #(9)")
    design = loop(
        f"""assign d = a[8*(5 - i) +: 8];
        if (i < 4) begin : some {_NODE} end else begin : more {other} end"""
    )
    assert shapes(read(design)) == {"g_some_u": (4,), "g_more_u": (2,)}
    assert not disagreements(design, cycles=CYCLES, least=1)


@NEEDS_ICARUS
def test_the_first_may_stand_apart_in_the_verilog() -> None:
    design = loop(
        """if (i == 0) begin : first node u (clk, en, c, a[7:0], q[7:0]); end
        else begin : rest node u (clk, en, q[8*i-8 +: 8], a[8*i +: 8], q[8*i +: 8]); end"""
    )
    assert shapes(read(design)) == {"g_u": (6,)}
    assert not disagreements(design, cycles=CYCLES, least=1)


@NEEDS_ICARUS
def test_names_without_numbers_count_by_name() -> None:
    nodes = "".join(
        f"node {name} (clk, en, c, a[{8 * n} +: 8], q[{8 * n} +: 8]);"
        for n, name in enumerate(("east", "north", "south", "west"))
    )
    design = loop(f"if (i == 0) begin {nodes} end", 4)
    ((_, shape),) = shapes(read(design)).items()
    assert shape == (4,)
    assert not disagreements(design, cycles=CYCLES, least=1)


def test_numbers_count_from_the_least_not_letter_by_letter() -> None:
    module = read(loop(f"assign d = a[8*i +: 8]; {_NODE}", 12))
    inputs = drawn(module, 3, 6)
    lanes = {port: one[:, None] for port, one in inputs.items()}
    run = interpret(module, lanes, record=["g_u.d"])
    given = run.recorded["g_u.d"][:, 0]
    for n in range(12):
        assert (given[:, n] == (inputs["a"] >> 8 * n & 255)).all()


# Values within a cycle.


@NEEDS_ICARUS
def test_a_chain_within_a_cycle_stays_apart() -> None:
    body = """if (i == 0) assign d = c; else assign d = q[8*i-8 +: 8];
    link u (d, a[i], q[8*i +: 8]);"""
    assert [*shapes(read(loop(body))).values()] == [()] * 6
    assert not disagreements(loop(body), cycles=CYCLES, least=1)


@NEEDS_ICARUS
def test_chains_side_by_side_are_arrays_link_by_link() -> None:
    design = loop(
        """wire [7:0] t, s; assign d = t;
        link first (a[8*i +: 8], c[0], t); link second (d, c[1], s);
        node u (clk, en, s, c, q[8*i +: 8]);"""
    )
    assert shapes(read(design)) == {"g_first": (6,), "g_second": (6,), "g_u": (6,)}
    assert not disagreements(design, cycles=CYCLES, least=1)
    text = design.text.replace("first", "u_0").replace("second", "u_1").replace("node u", "node v")
    found = read(Known(text))
    assert sorted(shapes(found).values()) == [(6,), (6,), (6,)]
    assert not disagreements(Known(text), cycles=CYCLES, least=1)


@NEEDS_ICARUS
def test_an_array_ties_no_ports_together() -> None:
    """Of four links two pass on one input and two another, which follows from the first."""
    text = f"""{_NODES}
module two (input [7:0] m, input [7:0] n, output [15:0] x, output [15:0] y);
  link u0 (m, 1'b0, x[7:0]); link u1 (m, 1'b0, x[15:8]);
  link u2 (n, 1'b0, y[7:0]); link u3 (n, 1'b0, y[15:8]);
endmodule
module top (input [7:0] a, output [15:0] y);
  wire [15:0] x; two t (a, x[15:8], x, y);
endmodule"""
    found = read(Known(text, clock=None))
    assert [*shapes(found)] == ["t"]
    assert [*shapes(found.instances["t"].module).values()] == [()] * 4
    assert not disagreements(Known(text, clock=None), cycles=CYCLES, least=1)


# What is inside.


def test_claims_are_judged_in_every_element() -> None:
    design = loop("assign d = a[8*i +: 8]; fine u (clk, d, q[8*i +: 8]);")
    module_ = """module fine (input clk, input [7:0] d, output reg [7:0] q); initial q = 0;
    always @(posedge clk) begin q <= d; small: assert (d < 200); seen: cover (d == 7); end
    endmodule"""
    found = read(Known(module_ + design.text))
    assert shapes(found) == {"g_u": (6,)}
    given = np.zeros((6, 6), object)
    given[2, 3], given[4, 5], given[5, 0] = 200, 255, 7
    packed = (given << np.arange(0, 48, 8).astype(object)).sum(1)[:, None]
    others = {port: np.zeros((6, 1), object) for port in found.inputs}
    for run in (
        interpret(found, {**others, "a": packed}),
        compiled(found, 1).run({**others, "a": packed}),
    ):
        assert run.failures[0].cycle == 2
        assert {(one.path, one.text) for one in run.failures} == {("top.g_u", "small")}
        assert [*run.covered.values()] == [1]
    cycles = [one.cycle for one in interpret(found, {**others, "a": packed}).failures]
    assert sorted({*cycles}) == [2, 4]


@NEEDS_ICARUS
def test_memories_and_divisions_inside() -> None:
    text = """module part (input clk, input en, input [7:0] d, output [7:0] z);
  reg [7:0] m [0:3]; integer k; initial for (k = 0; k < 4; k = k + 1) m[k] = 40 * k + 1;
  reg [1:0] at = 0; always @(posedge clk) begin at <= d[1:0]; if (en) m[d[3:2]] <= d; end
  assign z = m[at] / (d | 8'd1);
endmodule
"""
    design = loop("assign d = a[8*i +: 8]; part u (clk, b[i], d, q[8*i +: 8]);", 4)
    design = Known(text + design.text)
    assert shapes(read(design)) == {"g_u": (4,)}
    assert not disagreements(design, cycles=CYCLES, least=1)


# Random ones.


@NEEDS_ICARUS
@pytest.mark.parametrize("seed", range(6))
def test_random_structures_do_the_same(seed: int) -> None:
    assert not disagreements(Known(structure(seed)), seed, CYCLES, least=1)


@NEEDS_ICARUS
@pytest.mark.soak
def test_many_random_structures_do_the_same() -> None:
    found = {
        seed: disagreements(Known(structure(seed)), seed, 40, least=1) for seed in range(6, 1000)
    }
    assert not {seed: one for seed, one in found.items() if one}


def test_random_structures_have_arrays_of_both_kinds() -> None:
    assert structure(3) == structure(3)
    axes = {
        len(shape)
        for seed in range(6)
        for one in ir.below(read(Known(structure(seed))))
        for shape in shapes(one).values()
    }
    assert axes >= {1, 2}
