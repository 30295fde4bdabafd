"""The FIFOs and the CRC generator of Amaranth's standard library, written anew.

Of https://amaranth-lang.org, release 0.5: `amaranth.lib.fifo`, `amaranth.lib.crc`.
"""

from __future__ import annotations

from zhufeng.hdl import (
    Bits,
    Bool,
    Memory,
    Signal,
    State,
    Struct,
    UInt,
    as_uint,
    const,
    fold,
    ir,
    mem,
    module,
    mux,
    of,
    pack,
    reg,
    unpack,
    wrap,
)


def _following(place: Signal, depth: int) -> Signal:
    if depth == 1 << place.width:
        return wrap(place + 1, place.width)
    return mux(place == depth - 1, const(place.type, 0), wrap(place + 1, place.width))


class FifoOut(Struct):
    w_rdy: Signal
    w_level: Signal
    r_data: Signal
    r_rdy: Signal
    r_level: Signal
    level: Signal


def _fifo_out(width: int, depth: int) -> type[FifoOut]:
    amount = UInt(depth.bit_length())

    class Out(FifoOut):
        w_rdy: Signal = of(Bool)
        w_level: Signal = of(amount)
        r_data: Signal = of(Bits(width))
        r_rdy: Signal = of(Bool)
        r_level: Signal = of(amount)
        level: Signal = of(amount)

    return Out


def sync_fifo(width: int, depth: int) -> ir.Module:
    """Its memory is read in the cycle in which the item is wanted."""
    out = _fifo_out(width, depth)
    place = UInt((depth - 1).bit_length())
    amount = UInt(depth.bit_length())

    class Fifo(State):
        storage: Memory = mem(Bits(width), depth, reads=("async",), initial=())
        produce: Signal = reg(place, reset=0)
        consume: Signal = reg(place, reset=0)
        level: Signal = reg(amount, reset=0)

    @module(Fifo, w_data=Bits(width), w_en=Bool, r_en=Bool)
    def fifo(s: Fifo, w_data: Signal, w_en: Signal, r_en: Signal) -> tuple[Fifo, FifoOut]:
        w_rdy, r_rdy = s.level != depth, s.level != 0
        do_read, do_write = r_rdy & r_en, w_rdy & w_en
        storage, r_data = s.storage.read(s.consume)
        after = Fifo(
            storage=storage.write(s.produce, w_data, do_write),
            produce=mux(do_write, _following(s.produce, depth), s.produce),
            consume=mux(do_read, _following(s.consume, depth), s.consume),
            level=wrap(s.level + as_uint(do_write) - as_uint(do_read), amount),
        )
        return after, out(w_rdy, s.level, r_data, r_rdy, s.level, s.level)

    return fifo.ir


def sync_fifo_buffered(width: int, depth: int) -> ir.Module:
    """Its memory is read a cycle ahead, and the last item stands in the read port's register."""
    return _one_register(width) if depth == 1 else _read_ahead(width, depth)


def _read_ahead(width: int, depth: int) -> ir.Module:
    out, inner = _fifo_out(width, depth), depth - 1
    place, amount = UInt((inner - 1).bit_length()), UInt(inner.bit_length())
    total = UInt(depth.bit_length())

    class Fifo(State):
        storage: Memory = mem(Bits(width), inner, initial=())
        produce: Signal = reg(place, reset=0)
        consume: Signal = reg(place, reset=0)
        stored: Signal = reg(amount, reset=0)
        r_rdy: Signal = reg(Bool, reset=0)

    @module(Fifo, w_data=Bits(width), w_en=Bool, r_en=Bool)
    def fifo(s: Fifo, w_data: Signal, w_en: Signal, r_en: Signal) -> tuple[Fifo, FifoOut]:
        w_rdy = s.stored != inner
        do_write = w_rdy & w_en
        do_read = (s.stored != 0) & (~s.r_rdy | r_en)
        storage, r_data = s.storage.read(s.consume, do_read)
        after = Fifo(
            storage=storage.write(s.produce, w_data, do_write),
            produce=mux(do_write, _following(s.produce, inner), s.produce),
            consume=mux(do_read, _following(s.consume, inner), s.consume),
            stored=wrap(s.stored + as_uint(do_write) - as_uint(do_read), amount),
            r_rdy=do_read | (s.r_rdy & ~r_en),
        )
        level = wrap(s.stored + as_uint(s.r_rdy), total)
        return after, out(w_rdy, level, r_data, s.r_rdy, level, level)

    return fifo.ir


def _one_register(width: int) -> ir.Module:
    out = _fifo_out(width, 1)

    class Fifo(State):
        r_data: Signal = reg(Bits(width), reset=None)
        full: Signal = reg(Bool, reset=0)

    @module(Fifo, w_data=Bits(width), w_en=Bool, r_en=Bool)
    def fifo(s: Fifo, w_data: Signal, w_en: Signal, r_en: Signal) -> tuple[Fifo, FifoOut]:
        do_write, level = ~s.full & w_en, as_uint(s.full)
        after = Fifo(r_data=mux(do_write, w_data, s.r_data), full=do_write | (s.full & ~r_en))
        return after, out(~s.full, level, s.r_data, s.full, level, level)

    return fifo.ir


class CrcOut(Struct):
    crc: Signal
    match_detected: Signal


def crc(
    crc_width: int,
    polynomial: int,
    initial_crc: int,
    xor_output: int,
    data_width: int,
    *,
    reflect_input: bool,
    reflect_output: bool,
) -> ir.Module:
    """A word a cycle, its bits one after another through a register with feedback.

    The parameters are those of Ross Williams, A Painless Guide to CRC Error Detection Algorithms.
    """
    remainder = _residue(crc_width, polynomial, xor_output, reflected=reflect_output)

    class Out(CrcOut):
        crc: Signal = of(Bits(crc_width))
        match_detected: Signal = of(Bool)

    class Crc(State):
        left: Signal = reg(Bits(crc_width), reset=initial_crc)

    def link(left: Signal, bit: Signal) -> tuple[Signal, None]:
        shifted = wrap(left << 1, crc_width)
        return mux(left[-1] ^ bit, shifted ^ polynomial, shifted), None

    @module(Crc, start=Bool, data=Bits(data_width), valid=Bool)
    def processor(s: Crc, start: Signal, data: Signal, valid: Signal) -> tuple[Crc, CrcOut]:
        word = unpack(Bool.array(data_width), data)
        first = mux(start, const(Bits(crc_width), initial_crc), s.left)
        last, _ = fold(link, first, word if reflect_input else word[::-1])
        shown = reflected(s.left) if reflect_output else s.left
        return Crc(left=mux(valid, last, first)), Out(shown ^ xor_output, shown == remainder)

    return processor.ir


def reflected(value: Signal) -> Signal:
    """The bits from the other end."""
    return pack(unpack(Bool.array(value.width), value)[::-1])


def _residue(width: int, polynomial: int, xor_output: int, *, reflected: bool) -> int:
    """What is left after a word and its own CRC, whatever the word."""

    def shown(number: int) -> int:
        return int(f"{number:0{width}b}"[::-1], 2) if reflected else number

    left = shown(xor_output)
    for _ in range(width):
        left = (left << 1) ^ (polynomial if left >> (width - 1) else 0)
        left &= (1 << width) - 1
    return shown(left)
