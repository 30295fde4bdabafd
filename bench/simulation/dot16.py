"""A dot product of 16 bf16 products a cycle, accumulated in fp32: what a tensor core has inside.

The numbers are those of bf16 and fp32 but for subnormal ones: as an operand such a number counts
as 0, and a result that would be one is +0. No zero has a sign. Every NaN is 0x7FC00000.

1. Products are exact: significands of 16 bits, and the sum of the exponents.
2. They are aligned to the largest exponent: every magnitude keeps the 24 bits below the top of
   what a product of that exponent could reach, 2^(exponent + 2 - 24) being the last one, and what
   is shifted out below is dropped (towards 0). A product that is 0 has no say in the largest
   exponent. Their sum is exact.
3. The sum is normalised and rounded to fp32, to nearest, ties to even; beyond fp32 it is infinite.
4. It is added to the accumulator, rounded in the same way.

A product of an infinity and 0, the sum of infinities of both signs, and all that has a NaN in it
give NaN; an infinity else gives an infinity. So the accumulator stays NaN until it is cleared.

Sums of a block aligned and truncated are what NVIDIA's tensor cores are known to compute (M. Fasi,
N. J. Higham, M. Mikaitis, S. Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ Computer
Science 7:e330, 2021).
"""

from __future__ import annotations

from zhufeng.hdl import (
    Bits,
    Bool,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    all_bits,
    any_bit,
    as_bits,
    as_uint,
    cat,
    const,
    function,
    leading_zeros,
    module,
    mux,
    of,
    pack,
    reg,
    shift_in,
    shift_left,
    stack,
    total,
    tree,
    vmap,
    wrap,
)

LANES = 16
BF16, FP32 = Bits(16), Bits(32)
KEPT = 24
"""Bits of an aligned magnitude."""
NAN, INF = 0x7FC0_0000, 0x7F80_0000
_SIGNIFICAND = UInt(16)  # of a product: 1.xxxxxxx * 1.xxxxxxx
_SCALE = UInt(9)  # the sum of two biased exponents
_SUM = SInt(KEPT + 5)  # of 16 magnitudes with a sign
_EXPONENT = SInt(11)  # biased as in fp32, with room below 1 and above 254
_MANTISSA = 24  # of fp32, its hidden bit too
_ROOM = _MANTISSA + 3  # a guard bit, a round bit and a sticky one below it
_BOTTOM, _TOP = 0, 255  # exponents that mean zero, and infinity or NaN


class Special(Struct):
    """What is no finite number."""

    nan: Signal = of(Bool)
    plus: Signal = of(Bool)
    minus: Signal = of(Bool)


class Product(Struct):
    """Of two numbers: (-1)^negative * significand * 2^(scale - 2 * 127 - 14)."""

    negative: Signal = of(Bool)
    significand: Signal = of(_SIGNIFICAND)
    scale: Signal = of(_SCALE)


class Multiplied(Struct):
    """A product, and what it is if that is no finite number."""

    product: Product = of(Product)
    special: Special = of(Special)


class Number(Struct):
    """An fp32 before it is packed: (-1)^negative * significand * 2^(exponent - 127 - 23)."""

    negative: Signal = of(Bool)
    exponent: Signal = of(_EXPONENT)
    significand: Signal = of(UInt(_MANTISSA))


@function(a=BF16, b=BF16)
def multiply(a: Signal, b: Signal) -> Multiplied:
    """The exact product."""
    ea, eb = as_uint(a[7:15]), as_uint(b[7:15])
    zero = (ea == _BOTTOM) | (eb == _BOTTOM)
    top_a, top_b = ea == _TOP, eb == _TOP
    nan_a, nan_b = top_a & any_bit(a[0:7]), top_b & any_bit(b[0:7])
    top, negative = top_a | top_b, a[15] ^ b[15]
    nan = nan_a | nan_b | (top & zero)
    one = const(Bits(1), 1)
    significand = as_uint(cat(one, a[0:7])) * as_uint(cat(one, b[0:7]))
    product = Product(
        negative=negative,
        significand=mux(zero, 0, significand),
        scale=mux(zero, 0, ea + eb),
    )
    special = Special(nan=nan, plus=top & ~nan & ~negative, minus=top & ~nan & negative)
    return Multiplied(product=product, special=special)


@function(negative=Bool, significand=_SIGNIFICAND, scale=_SCALE, largest=_SCALE)
def align(negative: Signal, significand: Signal, scale: Signal, largest: Signal) -> Signal:
    """A product's number in units of the last bit that is kept."""
    wide = cat(as_bits(significand), const(Bits(KEPT - _SIGNIFICAND.width), 0))
    magnitude = as_uint(wide >> wrap(largest - scale, _SCALE))
    return mux(negative, -magnitude, wrap(magnitude, SInt(KEPT + 1)))


def _pack(number: Number) -> Signal:
    """As bits: infinity where it is too large, +0 where it is too small or 0."""
    small = (number.exponent <= _BOTTOM) | ~number.significand[_MANTISSA - 1]
    large = number.exponent >= _TOP
    exponent = as_bits(wrap(number.exponent, UInt(8)))
    finite = cat(exponent, number.significand[0 : _MANTISSA - 1])
    body = mux(large, const(Bits(31), INF), finite)
    return mux(small, const(FP32, 0), cat(number.negative, body))


def _rounded(negative: Signal, exponent: Signal, bits: Signal) -> Signal:
    """To nearest, ties to even, and packed.

    Args:
        negative: its sign.
        exponent: of the highest bit.
        bits: the highest bit 1 unless all are 0; more than a significand has.
    """
    low = bits.width - _MANTISSA
    kept, half = as_uint(bits[low:]), bits[low - 1]
    up = half & (any_bit(bits[0 : low - 1]) | bits[low])
    more = kept + as_uint(up)
    carried = more[_MANTISSA]
    significand = mux(carried, 1 << (_MANTISSA - 1), wrap(more, _MANTISSA))
    return _pack(Number(negative, wrap(exponent + as_uint(carried), _EXPONENT), significand))


def _normalised(bits: Signal) -> tuple[Signal, Signal]:
    """Moved to the left until the highest bit is 1; by how much."""
    zeros = leading_zeros(bits)
    return shift_left(bits, zeros, bits.width), zeros


@function(sum_=_SUM, largest=_SCALE, special=Special)
def to_fp32(sum_: Signal, largest: Signal, special: Special) -> Signal:
    """The sum as fp32."""
    negative = sum_ < 0
    magnitude = mux(negative, -sum_, wrap(sum_, _SUM.width + 1))
    bits, zeros = _normalised(wrap(as_bits(magnitude), _SUM.width - 1))
    # Bit KEPT - 2 of the magnitude is worth 2^(largest - 2 * 127): the hidden bits' product.
    exponent = wrap(largest - zeros - (127 - (bits.width - 1 - (KEPT - 2))), _EXPONENT)
    infinite = cat(special.minus, const(Bits(31), INF))
    nan = special.nan | (special.plus & special.minus)
    found = mux(special.plus | special.minus, infinite, _rounded(negative, exponent, bits))
    return mux(nan, const(FP32, NAN), found)


@function(x=FP32, y=FP32)
def add_fp32(x: Signal, y: Signal) -> Signal:
    """The sum, rounded to nearest, ties to even; neither x nor y is subnormal."""
    swap = as_uint(x[0:31]) < as_uint(y[0:31])
    large, small = mux(swap, y, x), mux(swap, x, y)
    ex, ey = as_uint(large[23:31]), as_uint(small[23:31])
    differ = large[31] ^ small[31]
    spare = const(Bits(3), 0)
    big = as_uint(cat(any_bit(large[23:31]), large[0:23], spare))
    wide = as_uint(cat(any_bit(small[23:31]), small[0:23], spare))
    by = wrap(ex - ey, UInt(8))
    moved = wide >> by
    # What was shifted out matters only in that there was something.
    lost = shift_left(moved, by, _ROOM) != wide
    aligned = as_uint(cat(moved[1:], moved[0] | lost))
    sum_ = mux(differ, wrap(big - aligned, UInt(_ROOM + 1)), big + aligned)
    bits, zeros = _normalised(as_bits(sum_))
    finite = _rounded(large[31], wrap(ex + 1 - zeros, _EXPONENT), bits)
    infinite = all_bits(large[23:31])
    nan = infinite & (any_bit(large[0:23]) | (all_bits(small[23:31]) & differ))
    return mux(nan, const(FP32, NAN), mux(infinite, large, finite))


class Dot(State):
    """The registers, a step's own after its number."""

    negative_1: Signal = reg(Bool.array(LANES), reset=None)
    significand_1: Signal = reg(_SIGNIFICAND.array(LANES), reset=None)
    scale_1: Signal = reg(_SCALE.array(LANES), reset=None)
    special_1: Signal = reg(Bool.array(3), reset=None)
    sum_2: Signal = reg(_SUM, reset=None)
    largest_2: Signal = reg(_SCALE, reset=None)
    special_2: Signal = reg(Bool.array(3), reset=None)
    sum_3: Signal = reg(FP32, reset=None)
    valid: Signal = reg(Bool.array(3), reset=0)
    clear: Signal = reg(Bool.array(3), reset=0)
    accumulator: Signal = reg(FP32, reset=0)


def _some(flags: Signal) -> Signal:
    return any_bit(pack(flags))


@module(Dot, a=BF16.array(LANES), b=BF16.array(LANES), valid=Bool, clear=Bool)
def dot16(s: Dot, a: Signal, b: Signal, valid: Signal, clear: Signal) -> tuple[Dot, Signal]:
    """The unit.

    What enters counts while `valid` is 1. `clear` begins anew: with what enters beside it, or,
    without `valid`, with 0. `out` is the accumulator: it has what entered four cycles before.
    """
    multiplied = vmap(multiply)(a, b)
    products, special = multiplied.product, multiplied.special
    flags = stack(*map(_some, (special.nan, special.plus, special.minus)))
    largest = tree(lambda x, y: mux(x < y, y, x), s.scale_1)
    lane = vmap(align, in_axes=(0, 0, 0, None))
    aligned = lane(s.negative_1, s.significand_1, s.scale_1, largest)
    before = mux(s.clear[2], 0, s.accumulator)
    after = Dot(
        negative_1=products.negative,
        significand_1=products.significand,
        scale_1=products.scale,
        special_1=flags,
        sum_2=total(aligned),
        largest_2=largest,
        special_2=s.special_1,
        sum_3=to_fp32(s.sum_2, s.largest_2, Special(*s.special_2)),
        valid=shift_in(valid, s.valid),
        clear=shift_in(clear, s.clear),
        accumulator=mux(s.valid[2], add_fp32(before, s.sum_3), before),
    )
    return after, s.accumulator
