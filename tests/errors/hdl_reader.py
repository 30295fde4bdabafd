"""Errors of zhufeng.hdl.reader: Verilog that is none, or that the IR has no words for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, cast

import pytest

from tests.errors.case import case
from tests.errors.hdl_oracle import without
from zhufeng.hdl.reader import from_verilog

Patch = pytest.MonkeyPatch
READS = "Verilog or SystemVerilog that Yosys can make hardware of"
CORRECT = "correct it, or write it in the part of the language that Yosys reads"
NAME_FILES = "name the files that the design stands in"
FIND_SPEC = importlib.util.find_spec


def read(folder: Path, text: str, top: str = "top", **parameters: object) -> None:
    path = folder / "f.v"
    path.write_text(text)
    from_verilog(path, top, cast("Any", parameters))


def refused(text: str, *told: str) -> None:
    """Register a case of Verilog that is refused: the error's four parts, and the case's name."""

    def act(folder: Path, _: Patch) -> None:
        read(folder, text)

    where, expected, came, do, act.__name__ = told
    case(where, expected, came, do)(act)


@case("the Verilog files", "one or more", "none", NAME_FILES)
def no_files(_: Path, __: Patch) -> None:
    from_verilog([], "top")


@case("TMP/a.v", "a Verilog file", "no file of that name", NAME_FILES)
def missing_file(folder: Path, _: Patch) -> None:
    from_verilog([folder / "a.v"], "top")


@case("TMP", "a Verilog file", "a folder", NAME_FILES)
def folder_for_a_file(folder: Path, _: Patch) -> None:
    from_verilog(str(folder), "top")


@case(
    "the package 'pyosys' is not installed",
    "the extra [hdl], which brings 'pyosys'",
    "an installation without it",
    "pip install 'zhufeng[hdl]'",
)
def no_yosys(folder: Path, patch: Patch) -> None:
    without(patch, "pyosys")
    read(folder, "module top; endmodule")


@case("TMP/f.v:2", READS, "syntax error, unexpected ';'", CORRECT)
def no_verilog(folder: Path, _: Patch) -> None:
    read(folder, "module top(input a, output b);\nassign b = a + ;\nendmodule")


@case(
    "parameter W of module top",
    "a whole number or text",
    "2.5",
    "give a number that stands for it",
)
def parameter_of_another_type(folder: Path, _: Patch) -> None:
    read(folder, "module top #(parameter W = 1); endmodule", W=2.5)


@case(
    "the parameters of module top",
    "those that it declares",
    "V",
    "spell it as in the Verilog, or leave it out",
)
def unknown_parameter(folder: Path, _: Patch) -> None:
    read(folder, "module top #(parameter W = 1) (input a); endmodule", V=2)


@case("the top module", "one, two", "top", "name one of them as top")
def no_top(folder: Path, _: Patch) -> None:
    read(folder, "module one; endmodule module two; endmodule")


@case("the top module", "a module in the files, which have none", "top", "name one of them as top")
def no_module_at_all(folder: Path, _: Patch) -> None:
    read(folder, "// nothing")


refused(
    "module top(input a, output b);\nother u(a, b);\nendmodule",
    "instance u in module top",
    "a module that one of the files has",
    "module other, which is in none",
    "add its file; write Verilog for what only a vendor's tools know",
    "unknown_module",
)
refused(
    "(* blackbox *) module other(input a, output b); endmodule\n"
    "module top(input a, output b);\nother u(a, b);\nendmodule",
    "instance u in top (TMP/f.v:3)",
    "a module with something in it",
    "other, which is empty: a black box",
    "add a file with a model of it",
    "black_box",
)
refused(
    "module top(input a, inout b);\nendmodule",
    "port b of top (TMP/f.v:1)",
    "an input or an output",
    "an inout",
    "make an input, an output and an enable of it",
    "inout",
)
refused(
    "module top(input a, input e, output b);\nassign b = e ? a : 1'bz;\nendmodule",
    "b in top (TMP/f.v:2)",
    "0 or 1",
    "z: it is driven at times only",
    "choose between drivers with a condition; values here have no z",
    "tristate",
)
LATCH = (
    "a value in every case, or a flip-flop",
    "a latch: it holds its value while nothing sets it",
    "set it in every branch, or in an always block at the clock's edge",
)
refused(
    "module top(input a, input e, output reg b);\nalways @* if (e) b = a;\nendmodule",
    "b in top (TMP/f.v:2)",
    *LATCH,
    "latch_inferred",
)
refused(
    "module top(input a, input e, output reg b);\nalways_comb if (e) b = a;\nendmodule",
    "b in top",
    *LATCH,
    "latch_in_always_comb",
)
refused(
    "module top(input [7:0] a, input [7:0] b, output [7:0] y);\nassign y = a ** b;\nendmodule",
    "pow$TMP/f.v:2* in top (TMP/f.v:2)",
    "operations, flip-flops, memories and instances",
    "$pow, of which no value is made",
    "write it with other operations; a power with products",
    "power",
)
ONE_CLOCK = "clock everything with one input; hold values with enables, not by gating or dividing"
AN_INPUT = "an input of one bit, passed down as it is"
refused(
    "module top(input clk, input e, input a, output reg b);\nwire g = clk & e;\n"
    "always @(posedge g) b <= a;\nendmodule",
    "the clock of b in top (TMP/f.v:3)",
    AN_INPUT,
    "g, which a and makes (TMP/f.v:2)",
    ONE_CLOCK,
    "gated_clock",
)
refused(
    "module top(input clk, input a, output reg b);\nreg half = 0;\n"
    "always @(posedge clk) half <= ~half;\nalways @(posedge half) b <= a;\nendmodule",
    "the clock of b in top (TMP/f.v:4)",
    AN_INPUT,
    "half, which a dff makes (TMP/f.v:3)",
    ONE_CLOCK,
    "divided_clock",
)
refused(
    "module buffer(input a, output b); assign b = a; endmodule\n"
    "module top(input clk, input a, output reg b);\nwire g; buffer u(clk, g);\n"
    "always @(posedge g) b <= a;\nendmodule",
    "the clock of b in top (TMP/f.v:4)",
    AN_INPUT,
    "g, which buffer makes (TMP/f.v:3)",
    ONE_CLOCK,
    "clock_through_a_module",
)
refused(
    "module top(input [1:0] clk, input a, output reg b);\nalways @(posedge clk[1]) b <= a;\n"
    "endmodule",
    "the clock of b in top (TMP/f.v:2)",
    AN_INPUT,
    "clk[1], a part of port clk",
    ONE_CLOCK,
    "clock_in_a_port",
)
INNER = "module inner(input c, input a, output reg b); always @(posedge c) b <= a; endmodule\n"
refused(
    f"{INNER}module top(input a, output b);\ninner u(1'b0, a, b);\nendmodule",
    "the clock of u in top (TMP/f.v:3)",
    AN_INPUT,
    "the constant 0",
    ONE_CLOCK,
    "constant_clock",
)
refused(
    f"{INNER}module top(input a, output b);\nwire w; inner u(w, a, b);\nendmodule",
    "the clock of u in top (TMP/f.v:3)",
    AN_INPUT,
    "w, which nothing drives",
    ONE_CLOCK,
    "undriven_clock",
)
refused(
    "module top(input c, input d, input a, output reg p, output reg q);\n"
    "always @(posedge c) p <= a;\nalways @(posedge d) q <= a;\nendmodule",
    "the clocks of top",
    "one",
    "2: * (TMP/f.v:*), * (TMP/f.v:*)",
    "read the parts on each clock by themselves, or clock all with one and use enables",
    "two_clocks",
)
refused(
    "module top(input c, input a, output reg p, output reg q);\n"
    "always @(posedge c) p <= a;\nalways @(negedge c) q <= a;\nendmodule",
    "the clock c of top",
    "one edge",
    "the rising edge of p (TMP/f.v:2) and the falling one of q (TMP/f.v:3)",
    "use one edge throughout",
    "both_edges",
)
refused(
    "module top(input c, input a, output reg p, output q);\n"
    "always @(posedge c) p <= a;\nassign q = c & a;\nendmodule",
    "input c of top (TMP/f.v:2)",
    "a clock alone",
    "a clock that is read as a value too",
    "give what is read another input",
    "clock_as_a_value",
)
refused(
    "module top(input w, input [1:0] a, input [3:0] d, output [3:0] y);\nreg [3:0] m [0:3];\n"
    "always @* if (w) m[a] = d;\nassign y = m[a];\nendmodule",
    "m* in top (TMP/f.v:3)",
    *LATCH,
    "memory_without_a_clock",
)
refused(
    "module top(input c, input w, input [3:0] a, input [3:0] d, output [3:0] y);\n"
    "reg [3:0] m [-2:3];\nalways @(posedge c) if (w) m[a] <= d;\nassign y = m[a];\nendmodule",
    "memory m (TMP/f.v:2)",
    "addresses from 0 on, or from a positive number on",
    "addresses from -2 on",
    "add to its addresses what makes them positive",
    "negative_addresses",
)
refused(
    "module top(input a, input b, output y);\nassign y = ~a;\nassign y = ~b;\nendmodule",
    "y in top (TMP/f.v:*)",
    "one driver",
    "two: they are tied together",
    "choose between them with a condition",
    "two_drivers",
)
refused(
    "module top(input a, output y);\nwire w = ~(y & a);\nassign y = w;\nendmodule",
    "a combinational loop in top",
    "values that follow from inputs and registers",
    "*(TMP/f.v:2)*",
    "put a register on the way round; an asynchronous reset must not follow from what it resets",
    "loop",
)
refused(
    "module inner(input a, output b); assign b = ~a; endmodule\n"
    "module top(input a, output y);\ninner u(y & a, y);\nendmodule",
    "a combinational loop in top",
    "values that follow from inputs and registers",
    "*(TMP/f.v:*)*",
    "put a register on the way round; an asynchronous reset must not follow from what it resets",
    "loop_through_a_module",
)
refused(
    "module top(input clk, input a);\nalways @(posedge clk) assert (s_eventually a);\nendmodule",
    "a claim in top (TMP/f.v:2)",
    "assert, assume or cover of what is true now",
    "one of what comes later: live",
    "count cycles in a register, and assert that it stays below a number",
    "liveness",
)
