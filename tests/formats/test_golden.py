"""The slow golden model against worked examples and published numbers."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest

from tests.formats import golden
from tests.formats.golden import POISON_BLOCK, SIZE, ZERO_BLOCK, Block, State

NOTHING = (0,) * SIZE

CHASKEY_KEY = (0x833D3433, 0x009F389F, 0x2398E64F, 0x417ACF39)
# The tags of the messages of 0, 1, ... 63 bytes 00 01 02 ... under that key: the test vectors of
# the authors' reference implementation, http://mouha.be/chaskey/.
CHASKEY_TAGS = (
    "792E8FE575CE87AA2D1450B51191970B 13A9307B50E62C894577BD88C0BBDC18 "
    "55DF89222C7FF57773809EF44E5084C0 1BDBB264A07680D88E5B2AB820660413 "
    "30B2D171E38532FB16707C1673ED45F0 BC983D0C31B14064234CD7A20C92BBF9 "
    "0DD0688AE131756C94C5E6DE84942131 7F670454F25B03E019D683629F4D24D8 "
    "09330F6962B5DCE0A4FBA462F20D3C12 89B3B1BE95B97392F8444ABF755DADFE "
    "AC5B9DAE6CF8C0AC56E7B945D7ECF8F0 D5B0DBECC1692530D13B368AC0AE6A59 "
    "FC2C3391285C8CD5456508EEC789E206 29496F33AC62D558E0BAD605C5A538C6 "
    "BF668497275217A140C17AD42ED877C0 51B94DA4EFCC4DE8192412EABBC170DD "
    "79271CA9D66A1C7181CA474E49831CAD 048DA9684E25D0962D6CF897BC3959CA "
    "0C45D3802FD0999631F42F3B8F7FD0BF D815347210C37B1EEEBDD61D7E3DB1EE "
    "FA4CA5430D75D71EAF61E0CC0D650C45 808B1BCA7E034DE06C8B597F3FACA725 "
    "C7AFA44195A4EFEDC9A9664EA2309431 362006412F8C1F4A27F6A5DE469D29F9 "
    "37BA1E3543451A62E686559119AF78EE 86B4F69793A4F64FCBCBD086B476BB28 "
    "BE7D2AFAAC513DE7FC5993375EA03E3A C56D7F543E286A5879675A22099C7599 "
    "3D0F08EDF32E3FDEBB8A1A8CC3A3FEC4 2EC171F83369830978EFD172D764B98C "
    "5CECEEACA174084C95C3A40098BEE220 BBDD0C2DFAB6FCD9DCCC080E9F04B41F "
    "60B3F7AF37EEE7C8836CFD98782CA060 DF44EA33B0B2C3980583CE6F846D823E "
    "C7E311756DB4E34DDAD60CA1E95ABA60 E0DC693884A0A7E3B7F695B5B46A010B "
    "1CEB6C663535F274839DBC2780B4599C BBA106F4D49B697CB454B5D92B69E58B "
    "5AD58A39DFD52844349733668F467DDC 67A67B1F3575ECB31C71B19DA885C92B "
    "D5ABCC279114EFF5A094340EA457374B B559DF49DEC9B2CF0F97FE2B5FA054D7 "
    "2ACA722999FF1B77156D66E0F7A55486 565996FD8F988CEF27DC2CE22F8AE186 "
    "BE4737472590827BDC8523992DE46519 F860AB7D00F48C880ABFBB3391EA1838 "
    "DE15C7E11D90EFF8ABC70129D9B2F0B4 B3F0A2C3775539A76CAA3BC1D5A6FC7E "
    "127C6E216C07A459AD85138822E8BF5B 08F3F13257B587E3087AD505FA070C27 "
    "A826E8243F851E6A9D1F22767962AD37 14A6A13A469962FD914DB2783A9E8EC2 "
    "FE20DDF706505229F9C9F3944361A98D 1DE7A33C37F81C96D9B967BEC00FA4FA "
    "5FD01E9A9F2E486D93205409814D7CC2 E17F5CA537D4BDD01F40833543B6B603 "
    "817CEEAE796C9EC01BB3DED7BAC7263B B7827E630988FEA03800BD91CF876B00 "
    "F0248D4BACA7BDC8739E30F3E0C469C2 67363EB6FAE8E047F0C1C8E5828CCD47 "
    "3DBD1D1505092D7B216FC6E3446860FB EBF391028F4C1708519D2F36C67C5437 "
    "89A0D4549201A282EA1B1E501771BEDC 9047FAD788136D8CA488286B7FE9352C "
)


def fp32(*numbers: float) -> list[int]:
    """The bits of 16 numbers, filled up with zeros."""
    array = np.zeros(SIZE, np.float32)
    array[: len(numbers)] = numbers
    return [int(bits) for bits in array.view(np.uint32)]


def filled(*elements: int) -> tuple[int, ...]:
    return elements + NOTHING[len(elements) :]


# Worked examples: chapter 2.


@pytest.mark.parametrize(
    ("b", "numbers", "code", "elements"),
    [
        # 7 = 7·2^0, so e = 0 and c = 128; ties go to even.
        (4, (7, 0.5, 1.5, 2.5, -3.5, -0.5, 0.51), 128, (7, 0, 2, 2, -4, 0, 1)),
        # One step above 7 does not fit 7·2^0: e = 1, and 7/2, 5/2 and 3/2 are ties.
        (4, (7 + 2**-21, 7, -5, 3), 129, (4, 4, -2, 2)),
        (5, (-15, 14.5, 13.5), 129, (-15, 14, 14)),
        (6, (31, -30.75), 130, (31, -31)),
        (8, (127, -126.5, 0.25), 132, (127, -126, 0)),
        (8, (1,), 126, (64,)),  # 127·2^-7 is below 1, 127·2^-6 is not
        (4, (2.0**127 * (2 - 2**-23),), 254, (4,)),
        (8, (2.0**127 * (2 - 2**-23), -(2.0**120)), 254, (64, 0)),
        # 7·2^-128 has e = -128 and the code 0; one step above it has the code 1.
        (4, (7 * 2.0**-128, -(2.0**-126)), 0, ()),
        (4, (7 * 2.0**-128 + 2.0**-149, -(2.0**-126)), 1, (4, -2)),
        (8, (0.0, -0.0, 2.0**-127), 0, ()),
        (6, (1.0, float("nan")), 255, ()),
        (6, (float("-inf"),), 255, ()),
    ],
)
def test_blocks_to_nearest(
    b: int, numbers: tuple[float, ...], code: int, elements: tuple[int, ...]
) -> None:
    assert golden.quantise(fp32(*numbers), b) == (code, filled(*elements))


def test_stochastic_rounding() -> None:
    # 2.25 is 576/256, and 576 + 192 = 3·256; what is below 1/256 is nothing; 7 stays 7.
    bits = fp32(7, 2.25, 2.25, -2.25, -2.25, 2**-8, 2**-8, 2**-9, 6.999)
    noise = [255, 191, 192, 191, 192, 254, 255, 255, 255, 0, 0, 0, 0, 0, 0, 255]
    assert golden.quantise(bits, 4, noise) == (128, filled(7, 2, 3, -2, -3, 0, 1, 0, 7))


def test_two_planes() -> None:
    # Units of 1/8: 2.3125 is 18.5, a tie to 18 = 2·8 + 2; 2.5 is 20 = 3·8 - 4; 56 = 7·8.
    bits = fp32(7, 2.3125, 2.5, -2.5, -0.125, -0.375)
    assert golden.planes(bits, 4) == (
        *(128, filled(7, 2, 3, -3, 0, 0)),
        *(125, filled(0, 2, -4, 4, -1, -3)),
    )
    # 2.5 + 1/16 is 20.5: with a byte of 128 it is 21 = 3·8 - 3.
    assert golden.planes(fp32(7, 2.5625, 2.5625), 4, [0, 127, 128, *[0] * 13]).lo == (
        *(125, filled(0, -4, -3)),
    )
    assert golden.planes(fp32(7, -2), 4) == (128, filled(7, -2), *ZERO_BLOCK)
    assert golden.planes(fp32(float("inf")), 5) == (*POISON_BLOCK, *POISON_BLOCK)
    assert golden.planes(fp32(0), 5) == (*ZERO_BLOCK, *ZERO_BLOCK)
    # 7·2^(c-128) has the code c, and 1.375 is 11/8 = 1 + 3/8: the codes of lo are 1 and none.
    for code, lo_code in ((4, 1), (3, 0)):
        unit = 2.0 ** (code - 128)
        lo = filled(0, 3) if lo_code else NOTHING
        made = golden.planes(fp32(7 * unit, 1.375 * unit), 4)
        assert made == (code, filled(7, 1), lo_code, lo)


def test_a_tile_under_one_scale() -> None:
    row, largest = fp32(1.0, 0.25), fp32(7.0)
    assert golden.quantise(row, 4) == (126, filled(4, 1))
    assert golden.quantise(row, 4, tile=row + largest) == (128, filled(1, 0))
    assert golden.quantise(fp32(0), 4, tile=row + largest) == (128, NOTHING)
    assert golden.quantise(row, 4, tile=row + fp32(float("nan"))) == POISON_BLOCK


def test_cutting() -> None:
    tensor = np.arange(2 * 17 * 3).reshape(2, 17, 3)
    blocks = golden.cut(tensor, 1)
    assert blocks.shape == (2, 3, 2, 16)
    assert blocks[1, 2, 0].tolist() == tensor[1, :16, 2].tolist()
    assert blocks[1, 2, 1].tolist() == [tensor[1, 16, 2], *[0] * 15]
    assert golden.cut(tensor, -1).shape == (2, 17, 1, 16)
    assert golden.cut(np.zeros((32, 3)), 0).shape == (3, 2, 16)


# Worked examples: chapter 3.


def chaskey(message: bytes) -> bytes:
    """The MAC on P_8, after the paper, in integers of 128 bits (little-endian)."""

    def double(n: int) -> int:
        return (n << 1) % 2**128 ^ 0x87 * (n >> 127)

    def p8(n: int) -> int:
        words = struct.unpack("<4I", n.to_bytes(16, "little"))
        return int.from_bytes(struct.pack("<4I", *golden.permute(words, 8)), "little")

    key = int.from_bytes(struct.pack("<4I", *CHASKEY_KEY), "little")
    whole = len(message) > 0 and len(message) % 16 == 0
    last_key = double(key) if whole else double(double(key))
    message = message if whole else (message + b"\x01").ljust(len(message) // 16 * 16 + 16, b"\0")
    blocks = [int.from_bytes(message[i : i + 16], "little") for i in range(0, len(message), 16)]
    state = key
    for block in blocks[:-1]:
        state = p8(state ^ block)
    return (p8(state ^ blocks[-1] ^ last_key) ^ last_key).to_bytes(16, "little")


def test_the_round_gives_chaskeys_published_tags() -> None:
    published = [
        struct.pack("<4I", *(int(tag[i : i + 8], 16) for i in (0, 8, 16, 24)))
        for tag in CHASKEY_TAGS.split()
    ]
    assert len(published) == 64
    assert [chaskey(bytes(range(n))) for n in range(64)] == published


def test_the_key_and_the_bytes() -> None:
    # 89ABCDEF ^ 243F6A88, 01234567 ^ 85A308D3, 5 ^ 13198A2E and (2·3 + 1) ^ 03707344.
    words = (0xAD94A767, 0x84804DB4, 0x13198A2B, 0x03707343)
    key = golden.permute(words, 8)
    assert golden.tensor_key(0x0123456789ABCDEF, 5, 3, 1) == key
    mixed = golden.permute((key[0] ^ 0xC0000001, *key[1:]), 5)
    made = golden.block_bytes(0x0123456789ABCDEF, 5, 3, 1, 0xC0000001)
    assert made == struct.pack("<4I", *mixed)
    assert golden.permute(words, 0) == words


def test_the_constants_are_pis() -> None:
    def arctangent(n: int) -> int:  # of 1/n, times 2^200
        terms = ((-1) ** k * (2**200 // n ** (2 * k + 1) // (2 * k + 1)) for k in range(200))
        return sum(terms)

    fraction = (4 * (4 * arctangent(5) - arctangent(239)) - 3 * 2**200) >> 72
    words = [fraction >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0)]
    # With these as seed, step, tensor and orientation the key is P_8 of 0, and that is 0.
    seed = words[1] << 32 | words[0]
    assert golden.tensor_key(seed, words[2], words[3] // 2, words[3] % 2) == (0, 0, 0, 0)


# Worked examples: chapter 4.

ONE = Block(128, filled(1))  # 1 where b is 4


def ones(code: int, element: int = 1) -> Block:
    return Block(code, filled(element))


def test_steps() -> None:
    pair = Block(128, filled(1, 2, 3)), Block(128, filled(4, 5, -6))  # 4 + 10 - 18 = -4
    state = golden.step(State(), [pair])
    assert state == (-4096, 256, False)
    assert golden.value(state, 4, 4) == -4
    # E = 259: -4096 >> 3 = -512, and 1·2^10; with E = 255, 3·2^10 >> 4 = 192.
    state = golden.step(state, [(ones(130), ones(129)), (ones(127, 3), ONE)])
    assert state == (-512 + 1024 + 192, 259, False)
    assert golden.value(state, 4, 4) == Fraction(704, 128) == -4 + 8 + Fraction(3, 2)
    # E = 248: 2^10 >> 11 = 0, but -2^10 >> 11 = -1.
    assert golden.step(state, [(ones(120), ONE), (ones(120, -1), ONE)]).a == 703
    # E = 508 leaves nothing of what is above 0, and -1 of what is below.
    assert golden.step(state, [(ones(254), ones(254))]) == (1024, 508, False)
    assert golden.step(State(-5, 2), [(ones(254), ones(254))]).a == 1023


def test_what_takes_no_part() -> None:
    state = State(-777, 250, False)
    assert golden.step(state, [(ZERO_BLOCK, ones(254)), (ones(254), ZERO_BLOCK)]) == state
    assert golden.step(state, [(ZERO_BLOCK, ZERO_BLOCK)]) == state
    # Elements that are 0 under a scale do take part: -777 >> 9 is -2.
    assert golden.step(state, [(Block(128, NOTHING), Block(131, NOTHING))]) == (-2, 259, False)
    for pair in ((POISON_BLOCK, ZERO_BLOCK), (ZERO_BLOCK, POISON_BLOCK), (ONE, POISON_BLOCK)):
        assert golden.step(state, [(ZERO_BLOCK, ZERO_BLOCK), pair]) == (-777, 250, True)
    assert golden.result(golden.step(State(0, 0, True), [(ONE, ONE)]), 4, 4) == 0x7FC00000


def test_the_largest_sums_never_overflow() -> None:
    # 16·127·127·2^10 = 264,257,536 a pair, and 2^30 = 1,073,741,824.
    large = Block(132, (127,) * SIZE), Block(132, (127,) * SIZE)
    states = golden.states([[large] * 10])
    assert [s[:2] for s in states[1:]] == [
        (528515072, 264),
        (1057030144, 264),
        (792772608, 265),  # 1,585,545,216 / 2
        (1057030144, 265),  # plus 264,257,536
        (660643840, 266),  # 1,321,287,680 / 2
    ]
    # One step short of 2^30 is kept; -2^30 is not.
    assert golden.step(State(2**30 - 1025, 256), [(ONE, ONE)])[:2] == (2**30 - 1, 256)
    assert golden.step(State(1024 - 2**30, 256), [(ones(128, -1), ONE)])[:2] == (-(2**30), 256)
    states = golden.states([[large] * 4000, [(large[0], Block(132, (-127,) * SIZE))] * 6000])
    assert max(abs(s.a) for s in states) <= 2**30


@pytest.mark.parametrize(
    ("number", "bits"),
    [
        (Fraction(1), 0x3F800000),
        (Fraction(-3, 2), 0xBFC00000),
        (Fraction(2**24 + 1), 0x4B800000),  # a tie: to 2^24
        (Fraction(2**24 + 3), 0x4B800002),  # a tie: to 2^24 + 4
        (Fraction(2**25 - 1), 0x4C000000),  # carries into the exponent
        (Fraction(2**128 - 2**104), 0x7F7FFFFF),
        (Fraction(2**128 - 2**103 - 1), 0x7F7FFFFF),
        (Fraction(2**128 - 2**103), 0x7F800000),  # a tie: to 2^128
        (Fraction(3 * 2**127), 0x7F800000),
        (Fraction(-(2**200)), 0xFF800000),
        (Fraction(1, 2**126), 0x00800000),
        (-Fraction(2**25 - 1, 2**151), 0x80800000),  # a tie of 24 bits: to -2^-126
        (Fraction(2**24 - 1, 2**150), 0),
        (-Fraction(2**26 - 3, 2**152), 0),  # 24 bits: (2^24 - 1)·2^-150
        (-Fraction(1, 2**500), 0),
        (Fraction(0), 0),
    ],
)
def test_results(number: Fraction, bits: int) -> None:
    assert golden.to_fp32(number) == bits


def test_passes_follow_one_another() -> None:
    a_hi, a_lo, b_hi, b_lo = ([Block(c + i, filled(c)) for i in range(3)] for c in (1, 2, 3, 4))
    operands = ((a_hi, b_hi), (a_hi, b_lo), (a_lo, b_hi))
    hi_hi, hi_lo, lo_hi = (list(zip(x, y, strict=True)) for x, y in operands)
    assert golden.passes([a_hi, a_lo], [b_hi, b_lo]) == [hi_hi, hi_lo, lo_hi]
    assert golden.passes([a_hi], [b_hi, b_lo]) == [hi_hi, hi_lo]
    assert golden.passes([a_hi, a_lo], [b_hi]) == [hi_hi, lo_hi]
    states = golden.states([hi_hi, hi_lo, lo_hi])
    assert len(states) == 1 + 3 * 2
    assert states[2] == golden.step(states[1], hi_hi[2:])
    assert states[3] == golden.step(states[2], hi_lo[:2])
