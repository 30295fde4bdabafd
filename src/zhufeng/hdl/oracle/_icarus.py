"""Icarus Verilog, where it is installed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from zhufeng.base import InputError
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.oracle._bench import TOP, Bench, Case, write_bench
from zhufeng.hdl.oracle._run import run

_CLOCK = "clock"
_TEXT = """module {clock};
  logic clk = 0;
  logic [31:0] t;
  {bench} bench (.clk(clk), .t(t));
  initial begin
    for (t = 0; t < {cycles}; t = t + 1) begin
      clk = 0;
      #1 clk = 1;
      #1;
    end
    $finish;
  end
endmodule
"""


def has_icarus() -> bool:
    """Whether Icarus Verilog is there: the programs `iverilog` and `vvp`."""
    return all(map(shutil.which, ("iverilog", "vvp")))


def icarus(cases: Sequence[Case], reset: Sequence[int]) -> list[Mapping[str, Values]]:
    """Run modules in Icarus Verilog, whose values are 0, 1 and X, and whose state starts as X.

    Args:
        cases: the modules and their inputs.
        reset: `rst` in each cycle, for all of them.

    Returns:
        The outputs of each case, [cycles, ...] of integers; None where a bit of them is X.

    Raises:
        InputError: Icarus Verilog is not there.
        OracleError: it refuses the printed Verilog.
    """
    if not has_icarus():
        raise InputError(
            "Icarus Verilog",
            expected="the programs 'iverilog' and 'vvp'",
            came="a PATH without them",
            do="install it, on Debian with: apt install iverilog; or use Verilator alone",
        )
    with tempfile.TemporaryDirectory(prefix="zhufeng-icarus-") as name:
        bench = write_bench(cases, reset, Path(name))
        _simulate(bench)
        return bench.outputs()


def _simulate(bench: Bench) -> None:
    text = _TEXT.format(clock=_CLOCK, bench=TOP, cycles=bench.cycles)
    (bench.folder / f"{_CLOCK}.sv").write_text(text)
    files = [*bench.files, f"{_CLOCK}.sv"]
    # Up to version 12 it reads concurrent assertions but cannot judge them.
    flags = ("-g2012", "-gno-assertions", "-s", _CLOCK, "-o", "bench.vvp")
    run(("iverilog", *flags, *files), bench.folder)
    run(("vvp", "-n", "bench.vvp"), bench.folder)
