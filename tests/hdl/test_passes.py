"""Passes: what they make of a text, and that what they make does the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.hdl import designs
from zhufeng.hdl import (
    Bool,
    Signal,
    State,
    UInt,
    assert_,
    fold,
    function,
    instance,
    ir,
    module,
    reg,
    stack,
    vmap,
    wrap,
)
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.passes import (
    CommonSubexpressions,
    ConstantFolding,
    DeadCode,
    Flattening,
    Pass,
    WidthNarrowing,
    simplify,
)

HEAD = """module m {
  input a : u4
  input b : u4
  input c : u1
  input v : u4[3]
"""


def made(lines: str, ports: str = "abcv") -> ir.Module:
    """A module of these lines, whose last value is its output."""
    inputs = "".join(
        f'  %{port} = input["{port}"] : {form}\n'
        for port, form in (("a", "u4"), ("b", "u4"), ("c", "u1"), ("v", "u4[3]"))
        if port in ports
    )
    last = lines.strip().splitlines()[-1].split()[0]
    return ir.parse_ir(HEAD + inputs + lines + f"\n  output o = {last}\n}}")


def values(module: ir.Module) -> list[str]:
    """The lines of the values that are no inputs, and of the outputs."""
    lines = [line.strip() for line in ir.print_ir(module).splitlines()]
    return [line for line in lines if line.startswith(("%", "output")) and "= input" not in line]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("%x = const[3] : u4\n %y = const[5] : u4\n %o = add(%x, %y) : u5", "%o = const[8] : u5"),
        ("%x = const[0] : u4\n %o = add(%a, %x) : u4", "output o = %a"),
        ("%x = const[1] : u1\n %o = mul(%a, %x) : u5", "%o = wrap(%a) : u5"),
        ("%x = const[15] : u4\n %o = and(%x, %a) : u4", "output o = %a"),
        ("%x = const[15] : u4\n %o = xor(%x, %a) : u4", "%o = not(%a) : u4"),
        ("%x = const[0] : u1\n %o = mux(%x, %a, %b) : u4", "output o = %b"),
        ("%x = const[2] : u4\n %o = case[1, 2](%x, %a, %b, %a) : u4", "output o = %b"),
        ("%x = wrap(%a) : s6\n %o = wrap(%x) : u3", "%o = wrap(%a) : u3"),
        ("%x = wrap(%a) : u3\n %o = wrap(%x) : u4", "%o = wrap(%x) : u4"),
        ("%o = eq(%a, %a) : u1", "%o = const[1] : u1"),
        ("%x = not(%a) : u4\n %o = not(%x) : u4", "output o = %a"),
        ("%x = const[1] : u2\n %o = take(%v, %x) : u4", "%o = reshape(%0) : u4"),
        (
            (
                "%x = const[2, 1, 0] : u2[3]\n %y = spread[0](%v) : u4[3,3]\n"
                " %o = take(%y, %x) : u4[3]"
            ),
            "%o = slice[0, 2, -1](%v) : u4[3]",
        ),
    ],
)
def test_constants_fold(before: str, after: str) -> None:
    assert after in values(ConstantFolding()(made(before)))


def test_what_is_computed_twice_is_computed_once() -> None:
    module = made("%x = add(%a, %b) : u5\n %y = add(%b, %a) : u5\n %o = sub(%x, %y) : s6")
    assert values(CommonSubexpressions()(module)) == [
        "%x = add(%a, %b) : u5",
        "%o = sub(%x, %x) : s6",
        "output o = %o",
    ]


def test_what_nobody_needs_is_gone_and_ports_and_claims_stay() -> None:
    module = made('%x = add(%a, %b) : u5\n %y = not(%c) : u1\n assert %y "y"\n %o = not(%a) : u4')
    text = ir.print_ir(DeadCode()(module))
    assert "%x" not in text
    assert 'assert %y "y"' in text
    assert "input b : u4" in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("%x = add(%a, %b) : u9\n %o = lt(%x, %a) : u1", "%x = add(%a, %b) : u5"),
        ("%x = sub(%a, %b) : s12\n %o = le(%x, %a) : u1", "%x = sub(%a, %b) : s5"),
        ("%x = add(%a, %b) : u5\n %o = wrap(%x) : u4", "%o = add(%a, %b) : u4"),
        (
            "%k = const[2] : u4\n %x = shr(%a, %k) : u4\n %o = eq(%x, %b) : u1",
            "%x = shr(%a, %k) : u2",
        ),
        ("%k = const[16] : u5\n %o = lt(%a, %k) : u1", "const[1] : u1"),
    ],
)
def test_widths_are_those_that_are_needed(before: str, after: str) -> None:
    found = values(WidthNarrowing()(made(before)))
    assert any(after in line for line in found), found


# Of two numbers of four bits, a condition and an array of three bits.
SMALL = """
%k = const[0] : u4  %o = sub(%k, %a) : s5
%o = xor(%a, %a) : u4
%o = or(%a, %a) : u4
%o = and(%a, %a) : u4
%k = const[15] : u4  %o = or(%k, %a) : u4
%x = sub(%a, %b) : s5  %y = sub(%b, %a) : s5  %o = sub(%x, %y) : s6
%x = lt(%a, %b) : u1  %y = lt(%b, %a) : u1  %o = cat(%x, %y) : u2
%x = add(%a, %b) : u4  %o = wrap(%x) : u8
%x = add(%a, %b) : u3  %o = wrap(%x) : s6
%x = add(%a, %b) : u5  %y = saturate(%x) : u4  %o = wrap(%y) : u2
%x = sub(%a, %b) : s5  %y = saturate(%x) : s3  %z = wrap(%y) : s9  %o = lt(%z, %b) : u1
%x = sub(%a, %b) : s9  %k = const[2] : u2  %y = shr(%x, %k) : s9  %o = le(%y, %x) : u1
%x = mul(%a, %b) : u9  %y = mux(%c, %x, %x) : u9  %z = mux(%c, %y, %x) : u9  %o = wrap(%z) : u5
%k = const[3] : u4  %x = mux(%c, %k, %a) : u4  %y = shl(%b, %x) : u9  %o = wrap(%y) : u7
%x = wrap(%a) : s4  %y = wrap(%x) : s8  %o = wrap(%y) : u6
%x = cat(%c, %a) : u5  %y = bits[1](%x) : u3  %z = leading(%y) : u3  %o = add(%z, %z) : u4
%k = const[7] : u4  %x = and(%a, %k) : u4  %y = case[1, 9](%x, %b, %a, %k) : u4  %o = not(%y) : u4
%k = const[-3] : s4  %x = mul(%a, %k) : s9  %y = le(%x, %k) : u1  %o = xor(%y, %c) : u1
"""


@pytest.mark.parametrize("lines", SMALL.strip().splitlines())
def test_small_programs_do_the_same_on_all_inputs(lines: str) -> None:
    before = made(lines.replace("  %", "\n%"), "abc")
    grids = np.meshgrid(np.arange(16), np.arange(16), np.arange(2), indexing="ij")
    inputs = {port: grid.reshape(1, -1) for port, grid in zip("abc", grids, strict=True)}
    inputs["v"] = np.zeros((1, 512, 3), int)
    for rewrite in PASSES.values():
        found = interpret(rewrite(before), inputs).outputs["o"]
        assert np.array_equal(found, interpret(before, inputs).outputs["o"])


PASSES: dict[str, Callable[[ir.Module], ir.Module]] = {
    **{
        type(one).__name__: one
        for one in (
            ConstantFolding(),
            CommonSubexpressions(),
            DeadCode(),
            WidthNarrowing(),
            Flattening(),
        )
    },
    "simplify": simplify,
    "flat and simple": lambda module: simplify(Flattening()(module)),
}


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("design", designs.ALL)
def test_a_pass_changes_nothing_that_is_seen(name: str, design: str) -> None:
    before = designs.ALL[design]
    after = PASSES[name](before)
    assert after.inputs == before.inputs
    assert list(after.outputs) == list(before.outputs)
    draw = np.random.default_rng(3)
    inputs = {
        port: draw.integers(form.low, form.high + 1, (40, 2, *form.shape))
        for port, form in before.inputs.items()
    }
    runs = [interpret(one, inputs, cycles=40) for one in (before, after)]
    first = 12 if design in {"ram", "nested"} else 0
    for port, found in runs[0].outputs.items():
        assert np.array_equal(found[first:], runs[1].outputs[port][first:])


def held_claims(*shape: int) -> ir.Module:
    """Instances with an enable, of a module that has a claim in a link alone, below a function."""

    class Held(State):
        n: Signal = reg(UInt(3), reset=0)

    @function(v=UInt(3))
    def checked(v: Signal) -> Signal:
        assert_(v != 7, "no seven")
        return v

    @module(Held, x=UInt(3))
    def held(s: Held, x: Signal) -> tuple[Held, Signal]:
        def link(carry: Signal, v: Signal) -> tuple[Signal, None]:
            return wrap(carry + checked(v), 3), None

        n, _ = fold(link, s.n, stack(x, x))
        return Held(n), s.n

    class Top(State):
        inner: Held = instance(held, *shape)

    @module(Top, x=UInt(3).array(*shape), on=Bool.array(*shape))
    def top(s: Top, x: Signal, on: Signal) -> tuple[Top, Signal]:
        def one(state: Held, x: Signal, on: Signal) -> tuple[Held, Signal]:
            return held.when(on)(state, x)

        inner, out = vmap(one)(s.inner, x, on) if shape else one(s.inner, x, on)
        return Top(inner), out

    return top.ir


@pytest.mark.parametrize("design", [held_claims(), held_claims(2)], ids=["one", "array"])
def test_claims_of_links_are_judged_in_enabled_cycles_alone(design: ir.Module) -> None:
    draw = np.random.default_rng(13)
    axes = design.inputs["on"].shape
    inputs = {"x": draw.integers(0, 8, (30, 2, *axes)), "on": draw.integers(0, 2, (30, 2, *axes))}
    seven = ((inputs["x"] == 7) & (inputs["on"] == 1)).reshape(30, 2, -1).any(2)
    assert seven.any()
    for rewrite in PASSES.values():
        run = interpret(rewrite(design), inputs)
        assert {(one.cycle, one.lane) for one in run.failures} == {
            (cycle, lane) for cycle, lane in np.argwhere(seven).tolist()
        }


def test_a_flat_module_has_no_instances() -> None:
    for design in designs.ALL.values():
        assert not Flattening()(design).instances
    assert set(Flattening()(designs.systolic(3)).registers) == {"pes_a", "pes_w", "pes_p"}


def test_a_pass_is_a_value() -> None:
    assert ConstantFolding() == ConstantFolding(elements=4096)
    assert isinstance(Flattening(), Pass)
