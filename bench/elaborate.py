"""What it costs to turn a Python description of hardware into Verilog.

The design is a systolic array of 8-bit elements with 24-bit sums, zhufeng.hdl.examples.systolic.

- trace_64x64_s: CPU time from the Python function to the IR, checked, of 64 x 64 elements.
- verilog_64x64_s: CPU time from that IR to the text of its files, its simplification with it, as
  `zhufeng hdl verilog` does it.
- ir_nodes_64x64_over_8x8: how many values the IR of the large array has, over the small one's.
- amaranth_over_ours: CPU time of Amaranth for an equal array of as many elements, to RTLIL (what
  its own Verilog is then made from), over both of ours. It writes each element out; ours stay an
  array, in generate loops.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.back import rtlil
from amaranth.hdl import Module, Signal, signed

from harness import Figure, cpu_s, main, median, ratios
from zhufeng.hdl import ir
from zhufeng.hdl.examples import systolic
from zhufeng.hdl.passes import simplify
from zhufeng.hdl.verilog import to_verilog

LARGE, SMALL = 64, 8
BITS, ACC_BITS = 8, 24


class Pe:
    """The element, in Amaranth."""

    def __init__(self) -> None:
        self.a, self.w = Signal(signed(BITS)), Signal(signed(BITS))
        self.p, self.load = Signal(signed(ACC_BITS)), Signal()
        self.a_out, self.w_out = Signal(signed(BITS)), Signal(signed(BITS))
        self.p_out = Signal(signed(ACC_BITS))
        self.module = Module()
        self.module.d.sync += [
            self.a_out.eq(self.a),
            self.p_out.eq(self.p + self.a * self.w_out),
        ]
        with self.module.If(self.load):
            self.module.d.sync += self.w_out.eq(self.w)


def amaranth_array(n: int) -> str:
    """The array, in Amaranth; as RTLIL."""
    a, w = ([Signal(signed(BITS), name=f"{port}{k}") for k in range(n)] for port in ("a", "w"))
    out = [Signal(signed(ACC_BITS), name=f"out{k}") for k in range(n)]
    load, m = Signal(name="load"), Module()
    pes = [[Pe() for _ in range(n)] for _ in range(n)]
    for r, row in enumerate(pes):
        for c, pe in enumerate(row):
            m.submodules[f"pe_{r}_{c}"] = pe.module
            m.d.comb += [
                pe.a.eq(row[c - 1].a_out if c else a[r]),
                pe.w.eq(pes[r - 1][c].w_out if r else w[c]),
                pe.p.eq(pes[r - 1][c].p_out if r else 0),
                pe.load.eq(load),
            ]
    m.d.comb += [out[c].eq(pe.p_out) for c, pe in enumerate(pes[-1])]
    return str(rtlil.convert(m, ports=[*a, *w, *out, load]))


def measure(quick: bool, seed: int) -> Mapping[str, Figure]:
    """All figures; CPU seconds."""
    del seed  # nothing is drawn
    runs, rivals = (5, 1) if quick else (15, 3)
    made = _traced(LARGE)
    traces = [cpu_s(lambda: _traced(LARGE)) for _ in range(runs)]
    prints = [cpu_s(lambda: to_verilog(simplify(made))) for _ in range(runs)]
    theirs = [cpu_s(lambda: amaranth_array(LARGE)) for _ in range(rivals)]
    ours = [trace + print_ for trace, print_ in zip(traces, prints, strict=True)]
    return {
        "trace_64x64_s": median(traces),
        "verilog_64x64_s": median(prints),
        "ir_nodes_64x64_over_8x8": Figure(_nodes(made) / _nodes(_traced(SMALL))),
        "amaranth_over_ours": ratios(theirs, ours[:rivals]),
    }


def _traced(n: int) -> ir.Module:
    return systolic(n, BITS, ACC_BITS).ir


def _nodes(module: ir.Module) -> int:
    return sum(len(one.lets) for one in ir.below(module))


if __name__ == "__main__":
    main("elaborate", __doc__ or "", measure, packages=("amaranth", "numpy"))
