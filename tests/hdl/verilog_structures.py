"""Random arrays of instances in Verilog, wired as people wire them, and as nobody would."""

from __future__ import annotations

import random
from collections.abc import Callable

_CELLS = """
module node #(parameter W = 4, parameter K = 1, parameter Z = 0) (input clk, input en,
  input [W-1:0] d, input [W-1:0] e, output reg [W-1:0] q, output [W-1:0] z);
  initial q = K;
  always @(posedge clk) if (en) q <= q + (d ^ {e[W-2:0], e[W-1]});
  assign z = Z ? e + q : ~q;
endmodule
"""


def structure(seed: int) -> str:
    """A design of one or two generate loops; its top is `top`, its clock `clk`."""
    draw = random.Random(seed)
    width, nested = draw.choice((2, 3, 8)), draw.random() < 0.25
    loops = [_Loop(draw, "g", width, None)]
    if draw.random() < 0.5:
        loops.append(_Loop(draw, "h", width, loops[0]))
    most = width * max(loop.count for loop in loops)
    name = "inner" if nested else "top"
    text = [_CELLS, f"module {name} (input clk, input en, input [{width - 1}:0] c,"]
    text += [f"input [{most - 1}:0] a, input [0:{most - 1}] b, output [{width - 1}:0] x"]
    text += [f", output [{width * loop.count - 1}:0] y{loop.name}" for loop in loops]
    text += [");", *(line for loop in loops for line in loop.lines())]
    every = " ^ ".join(one for loop in loops for one in loop.some())
    text += [f"assign x = {every};", "endmodule"]
    if nested:
        text += _around(width, most, [loop.name for loop in loops], loops[0].count)
    return "\n".join(text) + "\n"


def _around(width: int, most: int, names: list[str], count: int) -> list[str]:
    """A top with a row of it: each takes the first output of the one before."""
    rest = "".join(f", .y{name}()" for name in names[1:])
    return [
        f"module top (input clk, input en, input [{width - 1}:0] c, input [{most - 1}:0] a,",
        f"input [0:{most - 1}] b, output [{width - 1}:0] x, output [{3 * most - 1}:0] y);",
        f"wire [{3 * width - 1}:0] xs; wire [{4 * most - 1}:0] ys; assign ys[{most - 1}:0] = a;",
        f"genvar r; generate for (r = 0; r < 3; r = r + 1) begin : row wire [{most - 1}:0] s;",
        f"assign s = ys[{most}*r +: {most}]; wire [{width * count - 1}:0] o;",
        f"inner u (.clk(clk), .en(en), .c(c), .a(s), .b(b), .x(xs[{width}*r +: {width}]),",
        f".yg(o){rest}); assign ys[{most}*(r+1) +: {most}] = o; end endgenerate",
        f"assign x = xs[{width - 1}:0] ^ xs[{3 * width - 1}:{2 * width}];",
        f"assign y = ys[{4 * most - 1}:{most}];",
        "endmodule",
    ]


class _Loop:
    """Instances in one generate loop, or in two of which one is inside the other."""

    def __init__(self, draw: random.Random, name: str, width: int, other: _Loop | None) -> None:
        self._draw, self.name, self._width, self._other = draw, name, width, other
        self._rows, self._columns = draw.choice(((1, 4), (1, 7), (2, 3), (3, 4), (4, 4), (3, 5)))
        self._flat = draw.random() < 0.3
        self._seen = draw.random() < 0.3
        """Whether an output follows from an input in the same cycle."""
        self._start = draw.randrange(1 << width)

    @property
    def count(self) -> int:
        """How many instances there are."""
        return self._rows * self._columns

    def lines(self) -> list[str]:
        """Its text."""
        w, n = self._width, self.name
        high = w * self.count - 1
        draw = self._draw
        enable = draw.choice(("en", "en", "1'b1", f"en ^ a[{w}*n]", "b[n]", f"{n}q[{w}*n]"))
        d = self._source(draw.choice("qqz"))
        return [
            f"wire [{high}:0] {n}q, {n}z;",
            f"assign y{n} = {draw.choice((f'{n}q', f'{n}z', f'{n}q ^ {n}z'))};",
            *self._heads(),
            f"wire [{w - 1}:0] d, e; wire on;",
            *d,
            *(line.replace("assign d", "assign e") for line in self._source("q")),
            f"assign on = {enable};",
            f"node #(.W({w}), .K({self._start}), .Z({int(self._seen)})) u (.clk(clk), .en(on),",
            f".d(d), .e(e), .q({n}q[{w}*n +: {w}]), .z({n}z[{w}*n +: {w}]));",
            *(["end endgenerate"] if self._flat else ["end end endgenerate"]),
        ]

    def some(self) -> list[str]:
        """A few of what comes out."""
        draw, w = self._draw, self._width
        places = {draw.randrange(self.count) for _ in range(2)}
        return [f"{self.name}q[{w * place} +: {w}]" for place in sorted(places)]

    def _heads(self) -> list[str]:
        n, columns = self.name, self._columns
        if self._flat:
            return [
                f"genvar {n}n; generate for ({n}n = 0; {n}n < {self.count}; {n}n = {n}n + 1)",
                f"begin : {n} localparam n = {n}n, i = n / {columns}, j = n % {columns};",
            ]
        return [
            f"genvar {n}i, {n}j; generate for ({n}i = 0; {n}i < {self._rows}; {n}i = {n}i + 1)",
            f"begin : {n} for ({n}j = 0; {n}j < {columns}; {n}j = {n}j + 1) begin : col",
            f"localparam i = {n}i, j = {n}j, n = i * {columns} + j;",
        ]

    def _source(self, pin: str) -> list[str]:
        """What goes to `d`."""
        kinds: list[Callable[[str], list[str]]] = [
            self._chain, self._chain, self._chain, self._ring, self._given, self._given,
            self._with_logic,
        ]  # fmt: skip
        return self._draw.choice(kinds)(pin)

    def _bits(self, value: str, place: str) -> str:
        return f"{value}[{self._width}*({place}) +: {self._width}]"

    def _chain(self, pin: str) -> list[str]:
        """From the neighbour before, the first from an edge."""
        draw, own = self._draw, f"{self.name}{pin}"
        first, back = draw.choice((("j == 0", "n - 1"), ("i == 0", f"n - {self._columns}")))
        if pin == "q" and draw.random() < 0.3:  # the other way
            first, back = {
                "j == 0": (f"j == {self._columns - 1}", "n + 1"),
                "i == 0": (f"i == {self._rows - 1}", f"n + {self._columns}"),
            }[first]
        edges = ["0", "c", str(draw.randrange(1 << self._width)), "~c"]
        edges += [self._bits("a", "i"), self._bits("a", "j")]
        return [
            f"if ({first}) assign d = {draw.choice(edges)};",
            f"else assign d = {self._bits(own, back)};",
        ]

    def _ring(self, _: str) -> list[str]:
        """From anywhere, in order or not."""
        by = self._draw.choice((1, self.count - 1, 2, 3, self._columns))
        times = self._draw.choice((1, 1, 3))
        return [
            f"assign d = {self._bits(f'{self.name}q', f'(n * {times} + {by}) % {self.count}')};"
        ]

    def _given(self, _: str) -> list[str]:
        """From ports, or from the other loop."""
        w, last = self._width, self.count - 1
        choices = [self._bits("a", "n"), self._bits("a", f"{last} - n"), self._bits("b", "n"), "c"]
        choices += [self._bits("a", "i"), f"{{{self._bits('a', 'j')}}}", "n", f"{w}'d5 * i"]
        choices += [f"{{a[n], c[{w - 1}:1]}}"]
        if self._other:
            for pin in "qz":
                other = f"{self._other.name}{pin}"
                choices += [self._bits(other, f"n % {self._other.count}")] * 3
        return [f"assign d = {self._draw.choice(choices)};"]

    def _with_logic(self, _: str) -> list[str]:
        """What each element has logic of its own for."""
        own = self._bits(f"{self.name}q", f"(n + 1) % {self.count}")
        given = self._bits("a", "n")
        texts = (f"{own} ^ {given}", f"en ? {own} : {given}", f"({own} + c) & ~{given}")
        return [f"assign d = {self._draw.choice(texts)};"]
