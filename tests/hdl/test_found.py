"""Bugs that random programs have found, each by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from zhufeng.hdl import (
    Bool,
    Memory,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    any_bit,
    assert_,
    const,
    fold,
    function,
    instance,
    leading_zeros,
    mem,
    module,
    of,
    reg,
    vmap,
    wrap,
)
from zhufeng.hdl.interpret import Values, interpret
from zhufeng.hdl.ir import parse_ir
from zhufeng.hdl.oracle import Case, has_icarus, has_verilator, icarus, lint, verilator
from zhufeng.hdl.verilog import to_verilog

Simulator = Callable[[Sequence[Case], Sequence[int]], list[Mapping[str, Values]]]


def test_an_instance_ends_its_cycle_with_what_another_gave_in_it() -> None:
    """The interpreter asked for an input only when the one that gives it had gone on."""

    class Count(State):
        n: Signal = reg(UInt(4), reset=0)

    @module(Count, by=UInt(4))
    def count(s: Count, by: Signal) -> tuple[Count, Signal]:
        return Count(n=wrap(s.n + by, 4)), s.n

    class Two(State):
        first: Count = instance(count)
        second: Count = instance(count)

    @module(Two)
    def two(s: Two) -> tuple[Two, Signal]:
        first, n = count(s.first, const(UInt(4), 1))
        second, total = count(s.second, n)
        return Two(first=first, second=second), total

    sums = interpret(two.ir, {}, cycles=6).outputs["out"][:, 0]
    assert sums.tolist() == [0, 0, 1, 3, 6, 10]


def test_a_memory_ends_its_cycle_with_what_another_gave_in_it() -> None:
    class Two(State):
        first: Memory = mem(UInt(4), 2, reads=("async",), initial=[5, 0])
        second: Memory = mem(UInt(4), 2, reads=("async",))

    @module(Two, x=UInt(4))
    def two(s: Two, x: Signal) -> tuple[Two, Signal]:
        at = const(UInt(1), 0)
        first, was = s.first.read(at)
        second, before = s.second.read(at)
        return Two(first=first.write(at, x), second=second.write(at, was)), before

    found = interpret(two.ir, {"x": np.arange(5).reshape(5, 1)}).outputs["out"][1:, 0]
    assert found.tolist() == [5, 0, 1, 2]


def test_a_link_reaches_an_array_and_an_element_of_it() -> None:
    """Both were one input of the link: a vmap shows one value in two ways."""

    @function(x=UInt(4).array(3))
    def both(x: Signal) -> Signal:
        def each(element: Signal) -> Signal:
            def link(carry: Signal, one: Signal) -> tuple[Signal, Signal]:
                return wrap(carry + element + x[2], 8), one

            return fold(link, const(UInt(8), 0), x)[0]

        return vmap(each)(x)

    numbers = np.array([[[1, 2, 3]]])
    assert interpret(both.ir, {"x": numbers}).outputs["out"].tolist() == [[[12, 15, 18]]]


@pytest.mark.skipif(not has_icarus(), reason="needs Icarus Verilog")
def test_a_reduction_of_a_negative_constant_is_an_expression() -> None:
    """``|-33'sd5`` is none: Icarus refuses it, and so does the grammar."""

    class Out(Struct):
        some: Signal = of(Bool)
        turned: Signal = of(SInt(33))

    @function(x=UInt(1))
    def constant(x: Signal) -> Out:
        del x
        number = const(SInt(33), -5)
        return Out(any_bit(number), ~number)

    (found,) = icarus([Case(constant.ir, {"x": np.zeros(2, int)})], [0, 0])
    assert found["some"].tolist() == [1, 1]
    assert found["turned"].tolist() == [4, 4]


@pytest.mark.skipif(not has_verilator(), reason="needs Verilator")
def test_the_text_of_a_claim_may_have_any_characters() -> None:
    @function(x=Bool)
    def claims(x: Signal) -> Signal:
        assert_(x, 'a "b" \\ 100 % %d – 成立\ta')
        return x

    assert 'a \\"b\\" \\\\ 100 %% %%d – 成立\\ta' in to_verilog(claims.ir).files["claims.sv"]
    assert not lint(claims.ir)


@pytest.mark.parametrize(
    ("simulator", "there"), [(icarus, has_icarus()), (verilator, has_verilator())]
)
def test_a_part_of_one_bit_may_have_axes(simulator: Simulator, there: bool) -> None:
    """Where ``x[i]`` is [0:0][0:0], Icarus 11 fails on it, and Verilator 5.48 on a shift of x."""
    if not there:
        pytest.skip("this simulator is not installed")

    part = parse_ir("""module part {
  input x : u1[1,1]
  input at : u1
  %x = input["x"] : u1[1,1]
  %at = input["at"] : u1
  %y = not(%x) : u1[1,1]
  %one = reshape(%y) : u1[1,1,1]
  %both = join[0](%one, %one) : u1[2,1,1]
  %found = take(%both, %at) : u1[1,1]
  output out = %found
}""")
    found = simulator([Case(part, {"x": np.zeros((2, 1, 1)), "at": np.arange(2)})], [0] * 2)
    assert found[0]["out"].reshape(2).tolist() == [1, 1]


@pytest.mark.skipif(not has_icarus(), reason="needs Icarus Verilog")
def test_a_block_may_set_one_bit_with_axes() -> None:
    """Icarus 11 fails on ``x[0][0] = 1`` in a block where x is [0:0][0:0]."""

    @function(x=Bool.array(1, 1))
    def zeros(x: Signal) -> Signal:
        return leading_zeros(x)

    (found,) = icarus([Case(zeros.ir, {"x": np.array([0, 1]).reshape(2, 1, 1)})], [0] * 2)
    assert found["out"].reshape(2).tolist() == [1, 0]
