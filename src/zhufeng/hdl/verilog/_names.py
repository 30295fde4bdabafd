"""Names that SystemVerilog takes."""

from __future__ import annotations

import re
from collections.abc import Container

from zhufeng.hdl import ir

# IEEE 1800-2012, annex B.
_KEYWORD_TEXT = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
checker class clocking cmos config const constraint context continue cover covergroup coverpoint
cross deassign default defparam design disable dist do edge else end endcase endchecker endclass
endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage
endprimitive endprogram endproperty endspecify endsequence endtable endtask enum event
eventually expect export extends extern final first_match for force foreach forever fork
forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins
implements implies import incdir include initial inout input inside instance int integer
interconnect interface intersect join join_any join_none large let liblist library local
localparam logic longint macromodule matches medium modport module nand negedge nettype new
nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos
posedge primitive priority program property protected pull0 pull1 pulldown pullup
pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime
ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always
s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled
signed small soft solve specify specparam static string strong strong0 strong1 struct super
supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout time
timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef union
unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait
wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
_KEYWORDS = frozenset(_KEYWORD_TEXT.split())
CLOCK, RESET, ENABLE = "clk", "rst", "en"
_RESERVED = _KEYWORDS | {CLOCK, RESET, ENABLE}
INDEX = "ix"
_INDICES = re.compile(rf"{INDEX}\d+")


def legal(wanted: str, taken: Container[str] = ()) -> str:
    """`wanted`, or like it, so that it is no keyword, none of our own names and not taken."""
    name = f"v{wanted}" if wanted[:1].isdigit() else wanted
    while name in _RESERVED or name in taken or _INDICES.fullmatch(name):
        name += "_"
    return name


class Names:
    """The names within a module."""

    def __init__(self, module: ir.Module) -> None:
        self._by_thing: dict[tuple[str, str], str] = {}
        # Verilator has what is called as its module in one space with it.
        self._taken: set[str] = {legal(module.name)}
        for port in module.inputs:
            self.of("input", port)
        for port in module.outputs:
            self.of("output", port)

    def of(self, kind: str, name: str, called: str = "") -> str:
        """What a thing of a kind is called: an input, an output, a value, a part.

        Args:
            kind: which of these.
            name: its name among those of its kind.
            called: what it should be called instead.
        """
        key = (kind, name)
        if key not in self._by_thing:
            # An output may have the name of an input; Verilog has one space for both.
            wanted = called or name
            wanted = f"{wanted}_out" if kind == "output" and wanted in self._taken else wanted
            self._by_thing[key] = legal(wanted, self._taken)
            self._taken.add(self._by_thing[key])
        return self._by_thing[key]
