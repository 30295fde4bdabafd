"""Icarus Verilog, where it is installed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from zhufeng.base import InputError
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.oracle._bench import TOP, Case, write_bench
from zhufeng.hdl.oracle._compiler import compiler, has_compiler
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
_STATE = Path(__file__).parent / "state.c"


def has_icarus() -> bool:
    """Whether Icarus Verilog is there, and a compiler for what is added to it."""
    return _headers() is not None and has_compiler()


def icarus(
    cases: Sequence[Case], reset: Sequence[int], *, seed: int = 1
) -> list[Mapping[str, Values]]:
    """Run modules in Icarus Verilog.

    Its values may be X, with which hardware knows nothing to do: `if` takes it for 0, and what is
    the same either way is X too. So the state that is X at the start is drawn instead.

    Args:
        cases: the modules and their inputs.
        reset: `rst` in each cycle, for all of them.
        seed: from 1; draws what the state holds at the start.

    Returns:
        The outputs of each case, [cycles, ...].

    Raises:
        InputError: Icarus Verilog is not there.
        MissingExtraError: there is no compiler, and the extra ``hdl`` would bring one.
        OracleError: it refuses the printed Verilog.
    """
    headers = _headers()
    if headers is None:
        raise InputError(
            "Icarus Verilog",
            expected="the programs 'iverilog' and 'vvp', with their headers",
            came="a machine without them",
            do="install it, on Debian with: apt install iverilog; or use Verilator alone",
        )
    with tempfile.TemporaryDirectory(prefix="zhufeng-icarus-") as name:
        bench = write_bench(cases, reset, Path(name))
        text = _TEXT.format(clock=_CLOCK, bench=TOP, cycles=bench.cycles)
        (bench.folder / f"{_CLOCK}.sv").write_text(text)
        # Up to version 12 it reads concurrent assertions but cannot judge them.
        flags = ("-g2012", "-gno-assertions", "-s", _CLOCK, "-o", "bench.vvp")
        run(("iverilog", *flags, *bench.files, f"{_CLOCK}.sv"), bench.folder)
        shared = ("-x", "c", "-shared", "-fPIC", f"-I{headers}", _STATE, "-o", "state.vpi")
        run((*compiler(), *shared), bench.folder)
        drawn = {**os.environ, "ZHUFENG_SEED": str(seed)}
        run(("vvp", "-n", "-M.", "-mstate", "bench.vvp"), bench.folder, drawn)
        return bench.outputs()


def _headers() -> Path | None:
    """The folder of Icarus's headers, where it is installed."""
    programs = [shutil.which(name) for name in ("iverilog", "vvp")]
    if programs[0] is None or programs[1] is None:
        return None
    folder = Path(programs[0]).resolve().parent.parent / "include" / "iverilog"
    return folder if (folder / "vpi_user.h").is_file() else None
