"""Random Verilog, written as others write it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

_WIDTHS = (1, 1, 2, 3, 4, 5, 7, 8, 8, 11, 16, 33)
_BINARY = ("+", "-", "*", "&", "|", "^", "~^", "<<", ">>", "<<<", ">>>")
_COMPARING = ("==", "!=", "===", "!==", "<", "<=", ">", ">=", "&&", "||")
_UNARY = ("~", "-", "!", "&", "|", "^", "~&", "~|", "~^", "+")


@dataclass(frozen=True)
class Name:
    """Something that can be read."""

    name: str
    width: int
    signed: bool

    def declared(self, kind: str) -> str:
        """As it is declared."""
        signed = " signed" if self.signed else ""
        return f"{kind}{signed} [{self.width - 1}:0] {self.name}"


def verilog(seed: int) -> str:
    """A design of up to two levels; its top is `top`, its clock `clk`."""
    draw = random.Random(seed)
    inner = _Maker(draw, "inner", None).module()
    return inner + _Maker(draw, "top", "inner" if draw.random() < 0.5 else None).module()


class _Maker:
    """Writes one module."""

    def __init__(self, draw: random.Random, name: str, inner: str | None) -> None:
        self._draw = draw
        self._name = name
        self._inner = inner
        self._pool: list[Name] = []
        self._lines: list[str] = []
        self._count = 0

    def module(self) -> str:
        """Its text."""
        draw = self._draw
        inputs = [Name("rst", 1, False), *(self._fresh("i") for _ in range(draw.randint(2, 4)))]
        if self._name == "inner":
            inputs = [Name("rst", 1, False), Name("a", 4, False), Name("b", 7, True)]
        self._pool += inputs
        parts: list[Callable[[], None]] = [self._wire, self._wire, self._register, self._choice]
        parts += [self._memory, self._function, self._loop, self._bits]
        registers = [self._declared_register() for _ in range(draw.randint(1, 3))]
        for register in registers:
            self._update(register)
        for _ in range(draw.randint(2, 7)):
            draw.choice(parts)()
        if self._inner:
            self._instance()
        outputs = self._outputs()
        head = ["input clk", *(one.declared("input") for one in inputs)]
        head += [one.declared("output") for one in outputs]
        lines = [f"module {self._name} ({', '.join(head)});", *self._lines, "endmodule", ""]
        return "\n".join(lines)

    def _outputs(self) -> list[Name]:
        if self._name == "inner":
            found = [Name("p", 5, False), Name("q", 9, True)]
        else:
            found = [self._fresh("o") for _ in range(self._draw.randint(2, 4))]
        for one in found:
            self._lines.append(f"assign {one.name} = {self._expression(3)};")
        seen = " ^ ".join(f"(^{one.name})" for one in self._pool)
        return [*found, self._also("seen", seen)]

    def _also(self, name: str, text: str) -> Name:
        self._lines.append(f"assign {name} = {text};")
        return Name(name, 1, False)

    def _fresh(self, kind: str, width: int = 0) -> Name:
        self._count += 1
        signed = self._draw.random() < 0.35
        return Name(f"{kind}{self._count}", width or self._draw.choice(_WIDTHS), signed)

    # Parts.

    def _wire(self) -> None:
        one = self._fresh("w")
        self._lines.append(f"{one.declared('wire')} = {self._expression(3)};")
        self._pool.append(one)

    def _declared_register(self) -> Name:
        one = self._fresh("r")
        self._lines.append(f"{one.declared('reg')} = {self._constant(one.width)};")
        self._pool.append(one)
        return one

    def _register(self) -> None:
        self._update(self._declared_register())

    def _update(self, one: Name) -> None:
        """An always block of one of the kinds of flip-flops."""
        draw, value = self._draw, self._constant(one.width)
        body = f"{one.name} <= {self._expression(3)};"
        if one.width > 3 and draw.random() < 0.3:
            high = draw.randrange(1, one.width)
            body = f"{one.name}[{high}:1] <= {self._expression(2)};"
            body += f" if ({self._bit()}) {one.name}[0] <= {self._bit()};"
        if draw.random() < 0.5:
            body = f"if ({self._bit()}) begin {body} end"
            if draw.random() < 0.3:
                body += f" else if ({self._bit()}) {one.name} <= {self._expression(2)};"
        kind = draw.randrange(5)
        edge = " or posedge rst" if kind == 1 else ""
        if kind == 2:
            body = f"begin {body} if (rst) {one.name} <= {value}; end"
        elif kind == 3:
            body = f"if (rst) {one.name} <= {value}; else begin {body} end"
            body = f"if ({self._bit()}) begin {body} end"
        elif kind != 4:
            body = f"if (rst) {one.name} <= {value}; else begin {body} end"
        self._lines.append(f"always @(posedge clk{edge}) begin {body} end")

    def _choice(self) -> None:
        """A case of constants, with don't cares or without."""
        draw, one = self._draw, self._fresh("c")
        by = self._fresh("s", draw.randint(1, 4))
        self._lines.append(f"{by.declared('wire')} = {self._expression(2)};")
        kind = draw.choice(("case", "case", "casez"))
        lines = [f"{one.declared('reg')};", f"always_comb begin {kind} ({by.name})"]
        for key in sorted(draw.sample(range(1 << by.width), draw.randint(1, 1 << by.width))):
            digits = f"{key:0{by.width}b}"
            if kind == "casez":
                digits = "".join(draw.choice((d, d, "?")) for d in digits)
            lines.append(f"{by.width}'b{digits}: {one.name} = {self._expression(1)};")
        lines.append(f"default: {one.name} = {self._expression(1)}; endcase end")
        self._lines += lines
        self._pool.append(one)

    def _loop(self) -> None:
        """A loop over bits, and a variable."""
        one, source = self._fresh("l"), self._draw.choice(self._pool)
        step = self._draw.choice(("acc + {0}", "acc ^ (acc << 1) ^ {0}", "{0} ? ~acc : acc - 1"))
        index = f"j{one.name}"
        self._lines += [
            f"{one.declared('reg')}; integer {index};",
            f"always_comb begin : b{one.name} reg [{one.width}:0] acc;",
            f"acc = {self._constant(one.width)};",
            f"for ({index} = 0; {index} < {source.width}; {index} = {index} + 1)",
            f"acc = {step.format(f'{source.name}[{index}]')};",
            f"{one.name} = acc; end",
        ]
        self._pool.append(one)

    def _bits(self) -> None:
        """Bit by bit, each from the one before."""
        one, source = self._fresh("g", self._draw.randint(2, 9)), self._draw.choice(self._pool)
        op = self._draw.choice("&|^")
        rest, wide = f"{one.name}[{one.width - 2}:0]", f"{one.name}[{one.width - 1}:1]"
        self._lines += [
            f"{one.declared('wire')};",
            f"assign {one.name}[0] = {self._bit()};",
            f"assign {wide} = {rest} {op} {source.name};",
        ]
        self._pool.append(one)

    def _function(self) -> None:
        one, name = self._fresh("f"), f"fn{self._count}"
        a, b = self._fresh("x"), self._fresh("y")
        kept, self._pool = self._pool, [a, b]
        body = [f"{name} = {self._expression(2)};", f"if ({self._bit()}) {name} = {name} + 1;"]
        self._pool = kept
        signed = " signed" if one.signed else ""
        self._lines += [
            f"function{signed} [{one.width - 1}:0] {name}(",
            f"input {a.declared('')}, input {b.declared('')});",
            f"begin {' '.join(body)} end endfunction",
            f"{one.declared('wire')} = {name}({self._expression(1)}, {self._expression(1)});",
        ]
        self._pool.append(one)

    def _memory(self) -> None:
        """A memory of one of the kinds that there are, its contents known at the start."""
        draw, index = self._draw, self._count
        abits, groups = draw.randint(1, 3), draw.choice((1, 1, 2, 3))
        width, name, depth = groups * draw.choice((1, 3, 4, 8)), f"m{index}", 1 << abits
        low = draw.choice((0, 0, 0, 2))
        depth_, first = (depth - low, low) if depth > low else (depth, 0)
        self._lines += [
            f"reg [{width - 1}:0] {name} [{first}:{first + depth_ - 1}]; integer k{index};",
            f"initial for (k{index} = {first}; k{index} < {first + depth_};",
            f"k{index} = k{index} + 1) {name}[k{index}] = k{index} * {draw.randint(0, 99)} + 1;",
        ]
        writes = [
            self._memory_write(name, abits, width // groups, groups)
            for _ in range(draw.randint(1, 2))
        ]
        self._lines.append(f"always @(posedge clk) begin {' '.join(writes)} end")
        for _ in range(draw.randint(1, 2)):
            self._memory_read(name, abits, width, (first, first + depth_ - 1))

    def _address(self, abits: int) -> str:
        one = self._fresh("ad", abits)
        self._lines.append(f"wire [{abits - 1}:0] {one.name} = {self._expression(2)};")
        return one.name

    def _memory_write(self, name: str, abits: int, group: int, groups: int) -> str:
        address = self._address(abits)
        if groups == 1:
            return f"if ({self._bit()}) {name}[{address}] <= {self._expression(2)};"
        # Yosys 0.70 takes a signed value that is wider than itself there for an unsigned one.
        return " ".join(
            f"if ({self._bit()}) {name}[{address}][{n * group} +: {group}] <="
            f" $unsigned({self._expression(1)});"
            for n in range(groups)
        )

    def _memory_read(self, name: str, abits: int, width: int, ends: tuple[int, int]) -> None:
        draw, one, address = self._draw, self._fresh("d", width), self._address(abits)
        read = f"{name}[{address}]"
        inside = ends == (0, (1 << abits) - 1)
        guard = f"({address} >= {ends[0]} && {address} <= {ends[1]})"
        kind = draw.randrange(5)
        if kind == 0 or not inside:
            shown = read if inside else f"{guard} ? {read} : {self._constant(width)}"
            self._lines.append(f"{one.declared('wire')} = {shown};")
        elif kind == 1:  # its address is registered: it shows what is written
            held = self._fresh("h", abits)
            self._lines += [
                f"reg [{abits - 1}:0] {held.name} = 0;",
                f"always @(posedge clk) {held.name} <= {address};",
                f"{one.declared('wire')} = {name}[{held.name}];",
            ]
        else:
            start = f" = {self._constant(width)}" if draw.random() < 0.5 or kind == 4 else " = 0"
            body = f"{one.name} <= {read};"
            body = body if kind == 2 else f"if ({self._bit()}) {body}"
            if kind == 4:
                body = f"if (rst) {one.name} <= {self._constant(width)}; else {body}"
            edge = " or posedge rst" if kind == 4 and draw.random() < 0.3 else ""
            self._lines += [
                f"{one.declared('reg')}{start};",
                f"always @(posedge clk{edge}) {body}",
            ]
        self._pool.append(one)

    def _instance(self) -> None:
        for number in range(self._draw.randint(1, 2)):
            p, q = Name(f"p{number}", 5, False), Name(f"q{number}", 9, True)
            # Yosys 0.70 takes signed expressions at ports for unsigned ones, or fails on them.
            a, b = Name(f"a{number}", 4, False), Name(f"b{number}", 7, True)
            self._lines += [
                f"{a.declared('wire')} = {self._expression(2)};",
                f"{b.declared('wire')} = {self._expression(2)};",
                f"{p.declared('wire')}; {q.declared('wire')};",
                f"inner u{number}(.clk(clk), .rst(rst), .a({a.name}), .b({b.name}),",
                f".p({p.name}), .q({q.name}));",
            ]
            self._pool += [p, q]

    # Expressions.

    def _constant(self, width: int) -> str:
        signed = "s" if self._draw.random() < 0.2 else ""
        return f"{width}'{signed}d{self._draw.getrandbits(width)}"

    def _bit(self) -> str:
        one = self._draw.choice(self._pool)
        text = f"{one.name}[{self._draw.randrange(one.width)}]"
        return (
            text
            if self._draw.random() < 0.6
            else f"({self._expression(1)}) {self._compare()} ({text})"
        )

    def _compare(self) -> str:
        return self._draw.choice(_COMPARING)

    def _leaf(self) -> str:
        if self._draw.random() < 0.15:
            return self._constant(self._draw.choice(_WIDTHS))
        return self._draw.choice(self._pool).name

    def _expression(self, depth: int) -> str:
        if depth == 0 or self._draw.random() < 0.15:
            return self._leaf()
        a, b = self._expression(depth - 1), self._expression(depth - 1)
        kinds = (self._of_two, self._of_two, self._of_two, self._of_one, self._cut, self._divided)
        return self._draw.choice(kinds)(a, b)

    def _of_two(self, a: str, b: str) -> str:
        kinds = (
            f"(({a}) {self._draw.choice(_BINARY)} ({b}))",
            f"(({a}) {self._draw.choice(_BINARY)} ({b}))",
            f"(({a}) {self._compare()} ({b}))",
            f"(({self._bit()}) ? ({a}) : ({b}))",
            f"(({a}) {self._draw.choice(('<<', '>>', '>>>'))} {self._leaf()})",
        )
        return self._draw.choice(kinds)

    def _of_one(self, a: str, _: str) -> str:
        kinds = (
            f"({self._draw.choice(_UNARY)}({a}))",
            f"{{{a}, {self._leaf_name()}}}",
            f"{{{self._draw.randint(1, 3)}{{{self._leaf_name()}}}}}",
            f"$signed({a})",
            f"$unsigned({a})",
        )
        return self._draw.choice(kinds)

    def _cut(self, _: str, __: str) -> str:
        """Some bits of a name."""
        one = self._draw.choice(self._pool)
        low = self._draw.randrange(one.width)
        fixed = f"{one.name}[{self._draw.randrange(low, one.width)}:{low}]"
        return self._draw.choice((fixed, self._indexed(one)))

    def _leaf_name(self) -> str:
        return self._draw.choice(self._pool).name

    def _divided(self, a: str, b: str) -> str:
        """By an odd number: by 0 it would be x."""
        return f"(({a}) {self._draw.choice('/%')} (({b}) | 2'sd1))"

    def _indexed(self, one: Name) -> str:
        """A bit or some, by a number: no further than there are any."""
        index = self._draw.choice([each for each in self._pool if each.width <= 3] or self._pool)
        bits = min(index.width, 3)
        reach = 1 << bits
        place = f"{index.name}[{bits - 1}:0]"
        if one.width < reach:
            return f"({place} < {one.width} ? {one.name}[{place}] : 1'b0)"
        if one.width == reach or self._draw.random() < 0.5:
            return f"{one.name}[{place}]"
        return f"{one.name}[{place} +: {one.width - reach + 1}]"
